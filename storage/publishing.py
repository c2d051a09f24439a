"""What a publication would hold, if its zone's gate opens: for the API and the workers alike."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipelines.errors import GateClosed
from pipelines.gate import GateFacts, RenditionState, RightsWindow, evaluate
from storage.catalogue import programmes, renditions
from storage.clock import now
from storage.schema import Asset, Rendition, Zone
from storage.schema import RightsWindow as RightsRow


@dataclass(frozen=True, slots=True)
class Draft:
    """A publication that the gate lets through; `files` are exactly what centres will get."""

    asset_id: str
    zone: str
    files: tuple[Mapping[str, Any], ...]

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest as `publications.publish` takes it."""
        return {
            "asset_id": self.asset_id,
            "zone": self.zone,
            "files": [dict(file) for file in self.files],
        }

    def document(self) -> bytes:
        """The manifest as it is stored and handed out: without the store's keys."""
        public = [
            {name: value for name, value in file.items() if name != "key"} for file in self.files
        ]
        text = json.dumps({**self.manifest, "files": public}, ensure_ascii=False, indent=2)
        return f"{text}\n".encode()


def draft(
    session: Session,
    asset: Asset,
    zone: Zone,
    *,
    asset_state: str | None = None,
    job_id: str | None = None,
) -> Draft:
    """The newest ready rendition of each profile that the zone accepts, all of one reading of the
    source: the job's, or else that of the newest of them.

    Raises `GateClosed` with every reason. `asset_state` stands in for the asset's own while the job
    that makes it ready is about to end.
    """
    everything = [
        rendition
        for rendition, _ in renditions.list_renditions(session, asset.organisation_id, asset.id)
    ]
    found = _of_one_reading(session, zone, everything, job_id)
    verdict = evaluate(_facts(session, asset, zone, found, asset_state or asset.state))
    if verdict.reasons:
        raise GateClosed(
            " ".join(reason.text_en for reason in verdict.reasons),
            tuple((reason.code, reason.text_en, reason.text_zh) for reason in verdict.reasons),
        )
    accepted: dict[str, Rendition] = {}
    for rendition in found:  # newest job first
        if _may_enter(rendition, zone):
            accepted.setdefault(rendition.profile, rendition)
    return Draft(asset.id, zone.name, tuple(_file(one) for one in accepted.values()))


def _of_one_reading(
    session: Session, zone: Zone, found: list[Rendition], job_id: str | None
) -> list[Rendition]:
    """Two programmes of a stream, or a wrong colour and its correction, are never mixed."""
    deciding = job_id or next((one.job_id for one in found if _may_enter(one, zone)), None)
    if deciding is None or not found:
        return found
    read = programmes.readings(session, found[0].asset_id)
    return [one for one in found if read[one.job_id] == read[deciding]]


def _may_enter(rendition: Rendition, zone: Zone) -> bool:
    wanted = not zone.required_profiles or rendition.profile in zone.required_profiles
    return wanted and rendition.state == "ready"


def _facts(
    session: Session, asset: Asset, zone: Zone, found: list[Rendition], asset_state: str
) -> GateFacts:
    rights = session.scalars(select(RightsRow).where(RightsRow.asset_id == asset.id))
    return GateFacts(
        zone=zone.name,
        required_profiles=tuple(zone.required_profiles),
        asset_state=asset_state,
        renditions=tuple(
            RenditionState(one.id, one.profile, one.state, one.sha256) for one in found
        ),
        rights=tuple(_window(row) for row in rights),
        now=now(session),
    )


def _window(row: RightsRow) -> RightsWindow:
    return RightsWindow(
        row.holder,
        tuple(row.platforms),
        row.starts_at,
        row.ends_at,
        row.derivatives_permitted,
    )


def _file(rendition: Rendition) -> dict[str, Any]:
    key = str(rendition.key)
    return {
        "rendition_id": rendition.id,
        "profile": rendition.profile,
        "key": key,
        "path": key.rpartition("/")[2],
        "sha256": rendition.sha256,
        "size_bytes": rendition.size_bytes,
    }
