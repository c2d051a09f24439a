"""Packages: manifests and segments of an asset, under one prefix of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue import events
from storage.clock import now
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


def list_packages(session: Session, organisation_id: str, asset_id: str) -> list[PackageRow]:
    """Every package of an asset, newest first."""
    query = select(PackageRow).where(
        PackageRow.organisation_id == organisation_id, PackageRow.asset_id == asset_id
    )
    return list(session.scalars(query.order_by(PackageRow.created_at.desc(), PackageRow.id.desc())))
