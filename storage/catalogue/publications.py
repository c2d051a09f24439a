"""Publications: an asset in a zone, as exact files, and what centres pull and prove."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.catalogue import events, zones
from storage.catalogue.pages import Page, newest_first
from storage.clock import now
from storage.errors import (
    AlreadyPublished,
    NotPublished,
    PublicationNotFound,
    ReceiptMismatch,
)
from storage.ids import new_id
from storage.schema import Asset, Publication, Receipt, Zone

FEED_WAY_OUT = (
    "begin again without one (`kapok pull --since 0`): files that are there already are not "
    "fetched again"
)


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One change: published, or withdrawn since."""

    publication: Publication
    asset: Asset
    zone: Zone


@dataclass(frozen=True, slots=True)
class FeedPage:
    """`next_cursor` goes into the next call, also when there was nothing new."""

    data: list[FeedEntry]
    next_cursor: int
    has_more: bool


def publish(
    session: Session,
    asset: Asset,
    zone: Zone,
    manifest: Mapping[str, Any],
    manifest_key: str,
    actor: str,
    id: str | None = None,  # noqa: A002 - the word of the column
) -> Publication:
    """Put the manifest's files into the zone. The gate was asked before. Raises `AlreadyPublished`.

    `manifest` is `{"files": [{"rendition_id", "key", "path", "sha256", "size_bytes"}]}`.
    """
    publication = Publication(
        id=id or new_id("pub"),
        organisation_id=asset.organisation_id,
        asset_id=asset.id,
        zone_id=zone.id,
        state="published",
        manifest=dict(manifest),
        manifest_key=manifest_key,
        event_seq=0,
        created_at=now(session),
    )
    session.add(publication)
    where = f"asset {asset.id} is in zone {zone.name!r}"  # rows cannot be read after a failed flush
    try:
        session.flush()
    except IntegrityError as error:
        raise AlreadyPublished(f"{where} already: withdraw that publication first") from error
    _change(session, publication, zone, "publication.published", actor)
    return publication


def withdraw(session: Session, publication: Publication, actor: str) -> Publication:
    """Take it out of its zone; centres learn it by their feed. Raises `NotPublished`."""
    query = select(Publication).where(Publication.id == publication.id)
    query = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    publication = session.scalars(query).one()
    if publication.state != "published":
        raise NotPublished(f"publication {publication.id} was withdrawn before")
    publication.state, publication.withdrawn_at = "withdrawn", now(session)
    zone = session.get_one(Zone, publication.zone_id)
    _change(session, publication, zone, "publication.withdrawn", actor)
    return publication


def get_publication(session: Session, organisation_id: str, publication_id: str) -> Publication:
    """Raises `PublicationNotFound`, also for another organisation's."""
    publication = session.get(Publication, publication_id)
    if publication is None or publication.organisation_id != organisation_id:
        raise PublicationNotFound(f"there is no publication {publication_id}")
    return publication


def list_publications(
    session: Session,
    organisation_id: str,
    *,
    asset_id: str | None = None,
    zone: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Publication]:
    """Newest first. Raises `InvalidCursor`, `ZoneNotFound`."""
    query = select(Publication).where(Publication.organisation_id == organisation_id)
    if asset_id is not None:
        query = query.where(Publication.asset_id == asset_id)
    if zone is not None:
        wanted = zones.get_zone(session, organisation_id, zone)
        query = query.where(Publication.zone_id == wanted.id)
    return newest_first(session, query, Publication, cursor=cursor, limit=limit)


def zone_of(session: Session, publication: Publication) -> Zone:
    return session.get_one(Zone, publication.zone_id)


def feed(session: Session, organisation_id: str, centre: str, after: int, limit: int) -> FeedPage:
    """What changed in the centre's zones since the cursor `after` (0: everything), oldest first.

    Each publication occurs once, as it is now, in the place of its last change. Raises
    `InvalidCursor`.
    """
    events.refuse_beyond_head(session, after, FEED_WAY_OUT)
    open_zones = [
        zone
        for zone in zones.list_zones(session, organisation_id)
        if zone.centres is None or centre in zone.centres
    ]
    query = (
        select(Publication, Asset, Zone)
        .join(Asset, Asset.id == Publication.asset_id)
        .join(Zone, Zone.id == Publication.zone_id)
        .where(Publication.zone_id.in_([zone.id for zone in open_zones]))
        .where(Publication.event_seq > after)
        .order_by(Publication.event_seq)
        .limit(limit + 1)
    )
    found = [FeedEntry(*row) for row in session.execute(query)]
    data = found[:limit]
    cursor = data[-1].publication.event_seq if data else after
    return FeedPage(data, cursor, len(found) > limit)


def record_receipt(
    session: Session,
    publication: Publication,
    *,
    centre: str,
    files: Sequence[Mapping[str, str]],
    actor: str,
) -> Receipt:
    """A centre proves that it took files. Raises `ReceiptMismatch` when one is not as published."""
    published = {file["path"]: file["sha256"] for file in publication.manifest["files"]}
    for file in files:
        if published.get(file["path"]) != file["sha256"].lower():
            raise ReceiptMismatch(
                f"{file['path']!r} with SHA-256 {file['sha256']} is not in publication "
                f"{publication.id}: pull the file again and compare its hash"
            )
    receipt = Receipt(
        id=new_id("rec"),
        organisation_id=publication.organisation_id,
        publication_id=publication.id,
        centre=centre,
        files=[{"path": file["path"], "sha256": file["sha256"].lower()} for file in files],
        created_at=now(session),
    )
    session.add(receipt)
    session.flush()
    events.append(
        session,
        type="receipt.recorded",
        subject=receipt.id,
        organisation_id=receipt.organisation_id,
        actor=actor,
        payload={"publication_id": publication.id, "centre": centre, "files": receipt.files},
    )
    return receipt


def _change(session: Session, publication: Publication, zone: Zone, what: str, actor: str) -> None:
    """Note the change; its place among all events is its place in the feed."""

    def placed(seq: int) -> None:
        publication.event_seq = seq

    events.append(
        session,
        type=what,
        subject=publication.id,
        organisation_id=publication.organisation_id,
        actor=actor,
        payload={
            "asset_id": publication.asset_id,
            "zone": zone.name,
            "files": [
                {"path": file["path"], "sha256": file["sha256"]}
                for file in publication.manifest["files"]
            ],
        },
        placed=placed,
    )
