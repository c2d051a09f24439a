"""Packages: manifests and segments of an asset, under one prefix of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from storage.catalogue import events
from storage.catalogue.pages import Page, newest_first
from storage.clock import now
from storage.errors import PackageNotFound
from storage.ids import new_id
from storage.schema import PackageRow


def add_package(
    session: Session,
    *,
    organisation_id: str,
    asset_id: str,
    job_id: str,
    prefix: str,
    hls: str,
    dash: str,
    files: Sequence[Mapping[str, Any]],
    id: str | None = None,  # noqa: A002 - the word of the column
) -> PackageRow:
    """`hls`, `dash` and the paths of `files` are relative to `prefix`, which ends in `/`."""
    package = PackageRow(
        id=id or new_id("pkg"),
        organisation_id=organisation_id,
        asset_id=asset_id,
        job_id=job_id,
        prefix=prefix,
        hls=hls,
        dash=dash,
        files=[dict(file) for file in files],
        created_at=now(session),
    )
    session.add(package)
    session.flush()
    events.append(
        session,
        type="package.ready",
        subject=package.id,
        organisation_id=organisation_id,
        actor="system",
        payload={"asset_id": asset_id, "job_id": job_id, "files": len(files)},
    )
    return package


def list_packages(
    session: Session, organisation_id: str, asset_id: str, *, cursor: str | None, limit: int
) -> Page[PackageRow]:
    """Those of an asset, newest first, without their `files`. Raises `InvalidCursor`."""
    query = _of_asset(organisation_id, asset_id).options(defer(PackageRow.files, raiseload=True))
    return newest_first(session, query, PackageRow, cursor=cursor, limit=limit)


def newest_package(session: Session, organisation_id: str, asset_id: str) -> PackageRow | None:
    """Without its `files`."""
    found = list_packages(session, organisation_id, asset_id, cursor=None, limit=1).data
    return found[0] if found else None


def get_package(
    session: Session, organisation_id: str, asset_id: str, package_id: str
) -> PackageRow:
    """With all its `files`: of ten hours those are 17 MB. Raises `PackageNotFound`."""
    query = _of_asset(organisation_id, asset_id).where(PackageRow.id == package_id)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise PackageNotFound(f"asset {asset_id} has no package {package_id}")
    return row


def _of_asset(organisation_id: str, asset_id: str) -> Select[PackageRow]:
    return select(PackageRow).where(
        PackageRow.organisation_id == organisation_id, PackageRow.asset_id == asset_id
    )
