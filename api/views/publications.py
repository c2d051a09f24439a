"""A publication and a change in a centre's feed, as they are sent."""

from __future__ import annotations

from typing import Any

from api.backend import Backend
from api.links import file_link, object_link
from api.models import centres as centre_model
from api.models import publications as model
from storage import schema
from storage.catalogue.publications import FeedEntry


def publication(backend: Backend, row: schema.Publication, zone: schema.Zone) -> model.Publication:
    return model.Publication(
        id=row.id,
        asset_id=row.asset_id,
        zone=zone.name,
        state=row.state,  # type: ignore[arg-type] # the catalogue writes no other word
        files=[model.PublishedFile.model_validate(file) for file in row.manifest["files"]],
        manifest=object_link(backend, row.manifest_key, f"{row.id}.json"),
        created_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
    )


def feed_entry(backend: Backend, entry: FeedEntry) -> centre_model.FeedEntry:
    row = entry.publication
    published = row.state == "published"
    return centre_model.FeedEntry(
        publication_id=row.id,
        asset_id=row.asset_id,
        title=entry.title,
        zone=entry.zone.name,
        state=row.state,  # type: ignore[arg-type] # the catalogue writes no other word
        published_at=row.created_at,
        withdrawn_at=row.withdrawn_at,
        cursor=entry.cursor,
        files=[_feed_file(backend, file) for file in row.manifest["files"] if published],
    )


def _feed_file(backend: Backend, file: dict[str, Any]) -> centre_model.FeedFile:
    path: str = file["path"]
    link = file_link(
        backend,
        file["key"],
        sha256=file["sha256"],
        size_bytes=file["size_bytes"],
        file_name=path.rpartition("/")[2],
    )
    return centre_model.FeedFile(
        **link.model_dump(),
        path=path,
        rendition_id=file.get("rendition_id"),
        profile=file.get("profile"),
    )
