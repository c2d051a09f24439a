"""What was made from an asset to look at it: posters, storyboard, waveform, packages, playback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.auth import Reader
from api.backend import Backend, BackendDep
from api.links import object_link, prefix_link
from api.models import assets as model
from api.models.common import Link, Page
from api.pages import Cursor, Limit, page
from api.refusals import NotMadeYet
from api.views.assets import timecode_of
from pipelines.media import Inspection, MediaInfo
from pipelines.records import from_json
from storage import schema
from storage.catalogue import assets, packages
from storage.errors import InvalidCursor, PackageNotFound

MOST_FILES = 5000  # [P] of one page: 2 MB
MOST_DIGITS = 9  # of a place among them

router = APIRouter(prefix="/v1/assets/{asset_id}", tags=["assets"])


@router.get("/posters")
def list_posters(asset_id: str, backend: BackendDep, caller: Reader) -> model.Posters:
    """Pictures chosen from the source, best first; empty for sound alone."""
    with backend.database.read() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        measured, prefix = _inspected(row)
        info = from_json(MediaInfo, row.media) if row.media else None
    found = []
    for image in measured.posters:
        link = object_link(backend, f"{prefix}/{image.name}")
        found.append(
            model.Poster(
                url=link.url,
                expires_at=link.expires_at,
                width=image.width,
                height=image.height,
                time_s=image.time_s,
                frame=image.frame,
                timecode=timecode_of(image.frame, measured, info),
            )
        )
    return model.Posters(data=found)


@router.get("/storyboard")
def show_storyboard(asset_id: str, backend: BackendDep, caller: Reader) -> model.Storyboard:
    """Small pictures along the time line, as WebVTT over sprite sheets."""
    with backend.database.read() as session:
        measured, prefix = _inspected(assets.get_asset(session, caller.organisation_id, asset_id))
    board = measured.storyboard
    if board is None:
        raise NotMadeYet(f"Asset {asset_id} has no picture, so it has no storyboard.")
    return model.Storyboard(
        vtt=_named(backend, prefix, board.vtt),
        images=[_named(backend, prefix, name) for name in board.images],
    )


@router.get("/waveform")
def show_waveform(asset_id: str, backend: BackendDep, caller: Reader) -> model.Waveform:
    """Peaks of every audio track, for drawing."""
    with backend.database.read() as session:
        measured, prefix = _inspected(assets.get_asset(session, caller.organisation_id, asset_id))
    if measured.waveform is None:
        raise NotMadeYet(f"Asset {asset_id} has no sound, so it has no waveform.")
    return model.Waveform.model_validate(_named(backend, prefix, measured.waveform).model_dump())


@router.get("/packages")
def list_packages(
    asset_id: str,
    backend: BackendDep,
    caller: Reader,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[model.Package]:
    """CMAF packages, newest first."""
    with backend.database.read() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        found = packages.list_packages(
            session, caller.organisation_id, row.id, cursor=cursor, limit=limit
        )
        return page(found, model.Package)


@router.get("/packages/{package_id}/files")
def list_package_files(
    asset_id: str,
    package_id: str,
    backend: BackendDep,
    caller: Reader,
    cursor: Cursor = None,
    limit: Annotated[int, Query(ge=1, le=MOST_FILES)] = 1000,
) -> model.PackageFiles:
    """Every file of a package with its SHA-256: ten hours are a hundred thousand segments."""
    begin = _position(cursor)
    with backend.database.read() as session:
        row = packages.get_package(session, caller.organisation_id, asset_id, package_id)
    end = begin + limit
    more = end < len(row.files)
    link = prefix_link(backend, row.prefix, backend.settings.signed_url_ttl_s)
    return model.PackageFiles(
        data=[_package_file(link, file) for file in row.files[begin:end]],
        next_cursor=str(end) if more else None,
        has_more=more,
    )


@router.get("/playback")
def sign_playback(asset_id: str, backend: BackendDep, caller: Reader) -> model.Playback:
    """URLs of the newest package for a player; they live as long as watching it twice takes."""
    with backend.database.read() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        newest = packages.newest_package(session, caller.organisation_id, row.id)
        duration_s = _inspection(row).duration_s if row.inspection else 0
    if newest is None:
        raise PackageNotFound(
            f"Asset {asset_id} has no package: a job with packaged profiles makes one."
        )
    ttl_s = backend.settings.signed_url_ttl_s + 2 * float(duration_s)
    link = prefix_link(backend, newest.prefix, ttl_s)
    return model.Playback(
        package_id=newest.id,
        hls=f"{link.url}/{newest.hls}",
        dash=f"{link.url}/{newest.dash}",
        expires_at=link.expires_at,
    )


def _inspected(row: schema.Asset) -> tuple[Inspection, str]:
    """What was measured of an asset, and the prefix of its pictures."""
    if row.inspection is None or row.inspection_prefix is None:
        raise NotMadeYet(f"Asset {row.id} is not inspected yet: wait for its job.")
    return _inspection(row), row.inspection_prefix.rstrip("/")


def _inspection(row: schema.Asset) -> Inspection:
    assert row.inspection is not None
    return from_json(Inspection, row.inspection)


def _named(backend: Backend, prefix: str, name: str) -> model.NamedLink:
    """Under a signed prefix, because a storyboard's cues name the images beside it."""
    link = prefix_link(backend, prefix, backend.settings.signed_url_ttl_s)
    return model.NamedLink(name=name, url=f"{link.url}/{name}", expires_at=link.expires_at)


def _position(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) <= MOST_DIGITS):
        raise InvalidCursor("this cursor was not made by Kapok: begin again without one")
    return int(cursor)


def _package_file(link: Link, file: Mapping[str, Any]) -> model.PackageFile:
    return model.PackageFile(
        path=file["path"],
        sha256=file["sha256"],
        size_bytes=file["size_bytes"],
        url=f"{link.url}/{file['path']}",
        expires_at=link.expires_at,
    )
