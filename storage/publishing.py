"""What a publication would hold, if its zone's gate opens: for the API and the workers alike."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipelines.errors import GateClosed
from pipelines.gate import (
    GateFacts,
    Reason,
    RenditionState,
    RightsWindow,
    evaluate,
    file_missing,
    still_being_made,
)
from pipelines.words import Words, joined
from storage.catalogue import programmes, publications, renditions
from storage.catalogue.locks import lock_asset, lock_zone
from storage.catalogue.programmes import Reading
from storage.clock import now
from storage.errors import AlreadyPublished, DraftChanged
from storage.objects import ObjectStore, is_whole
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
    source: that of the newest of them. With a job its own go before all others, however new those
    are, and its reading decides. Without one nothing of another reading is left out for a reading
    that is still being made.

    Raises `GateClosed` with every reason. `asset_state` stands in for the asset's own while the job
    that makes it ready is about to end.
    """
    everything = [
        rendition
        for rendition, _ in renditions.list_renditions(session, asset.organisation_id, asset.id)
    ]
    own_first = sorted(everything, key=lambda rendition: rendition.job_id != job_id)
    found = _of_one_reading(session, zone, own_first, job_id)
    verdict = evaluate(_facts(session, asset, zone, found, asset_state or asset.state))
    awaited = [] if job_id else _awaited(zone, everything, found)
    if reasons := (*verdict.reasons, *awaited):
        raise _closed(reasons)
    accepted: dict[str, Rendition] = {}
    for rendition in found:  # the job's own first, then the newest job's
        if _may_enter(rendition, zone):
            accepted.setdefault(rendition.profile, rendition)
    return Draft(asset.id, zone.name, tuple(_file(one) for one in accepted.values()))


def confirm(session: Session, asset: Asset, zone: Zone, ready: Draft, **how: Any) -> None:
    """That it is what would be drafted now; asset and zone are held until the transaction ends.

    While the store was asked a job may have ended, the zone changed, the gate closed. `how` as it
    was drafted. Raises `DraftChanged`, `GateClosed`.
    """
    lock_asset(session, asset.id)
    lock_zone(session, zone.id)
    if draft(session, asset, zone, **how).files != ready.files:
        raise DraftChanged(
            f"what zone {zone.name!r} would get of asset {asset.id} changed while it was looked at:"
            " publish again"
        )


def refuse_missing(objects: ObjectStore, ready: Draft) -> None:
    """Raises `GateClosed` for every file that the store has not, or has not whole: centres could
    not pull it. Asks the store once for each file, so no transaction may be open.
    """
    missing = [
        file_missing(str(file["profile"]), str(file["path"]))
        for file in ready.files
        if not is_whole(objects, file["key"], file["size_bytes"])
    ]
    if missing:
        raise _closed(missing)


def _closed(reasons: Sequence[Reason]) -> GateClosed:
    return GateClosed(
        " ".join(reason.text_en for reason in reasons),
        tuple((reason.code, reason.text_en, reason.text_zh) for reason in reasons),
    )


def refuse_in_vain(
    session: Session,
    asset: Asset | None,
    zone: Zone,
    profiles: Collection[str],
    *,
    replace: bool = False,
    reading: Reading | None = None,
    refused: Sequence[Words] = (),
) -> None:
    """What a job that ends in a zone would else find out after its encodes.

    `profiles` are those that it makes, `refused` what its plan says of others. Of the asset's
    earlier renditions those of the `reading` count, or all while none is known. Raises
    `AlreadyPublished`, `GateClosed`.
    """
    if asset is not None and not replace and publications.published_in(session, asset, zone):
        raise AlreadyPublished(
            f"asset {asset.id} is in zone {zone.name!r} already: {publications.REPUBLISH}"
        )
    accepted = zone.required_profiles
    if not accepted or {*accepted} & {*profiles}:
        return
    if asset is not None and _has_ready(session, asset, zone, reading):
        return
    named, told = " / ".join(accepted), joined(refused, "; ", "；")
    why, why_zh = (f" ({told})", f"（{told.zh}）") if refused else ("", "")
    english = (
        f"Zone {zone.name} needs a rendition of {named}, and this job makes none{why}: ask for one "
        "that fits the source, or for another zone."
    )
    chinese = (
        f"专区 {zone.name} 要求档位 {named}，而此任务不会产生相应成品{why_zh}："
        "请改选适合该源文件的方案，或换用其他专区。"
    )
    raise GateClosed(english, (("profile_missing", english, chinese),))


def _has_ready(session: Session, asset: Asset, zone: Zone, reading: Reading | None) -> bool:
    read = programmes.readings(session, asset.id)
    return any(
        _may_enter(one, zone) and reading in (None, read[one.job_id])
        for one, _ in renditions.list_renditions(session, asset.organisation_id, asset.id)
    )


def _of_one_reading(
    session: Session, zone: Zone, found: list[Rendition], job_id: str | None
) -> list[Rendition]:
    """Two programmes of a stream, or a wrong colour and its correction, are never mixed."""
    deciding = job_id or next((one.job_id for one in found if _may_enter(one, zone)), None)
    if deciding is None or not found:
        return found
    read = programmes.readings(session, found[0].asset_id)
    return [one for one in found if read[one.job_id] == read[deciding]]


def _awaited(zone: Zone, everything: list[Rendition], found: list[Rendition]) -> list[Reason]:
    left_out = any(_may_enter(one, zone) for one in everything if one not in found)
    planned = [one.profile for one in found if one.state == "planned" and _is_wanted(one, zone)]
    return [still_being_made(zone.name, planned)] if left_out and planned else []


def _may_enter(rendition: Rendition, zone: Zone) -> bool:
    return rendition.state == "ready" and _is_wanted(rendition, zone)


def _is_wanted(rendition: Rendition, zone: Zone) -> bool:
    return not zone.required_profiles or rendition.profile in zone.required_profiles


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
