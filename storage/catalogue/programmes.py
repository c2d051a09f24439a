"""An asset has one inspection, of one of its programmes: jobs of others wait for each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue.assets import ACTIVE
from storage.errors import JobConflict
from storage.schema import Asset, Job


def inspected_as_asked(asset: Asset, request: Mapping[str, Any]) -> bool:
    """Whether the inspection is of the programme that a request names, or leaves to the rule."""
    media, wanted = asset.media or {}, request.get("programme")
    if wanted is None:
        return not media.get("programme_asked", False)
    return bool(media.get("programme") == wanted)


def refuse_beside_others(session: Session, asset_id: str, request: Mapping[str, Any]) -> None:
    """Raises `JobConflict` while a job of the asset works on another programme."""
    active = select(Job).where(Job.asset_id == asset_id, Job.state.in_(ACTIVE))
    for job in session.scalars(active.order_by(Job.id)):
        if job.request.get("programme") != request.get("programme"):
            raise JobConflict(
                f"job {job.id} works on another programme of this asset: wait until it ends"
            )


def refuse_retry(session: Session, job: Job) -> None:
    """Raises `JobConflict` where a plan's asset was inspected for another programme since."""
    if job.asset_id is None:
        return
    refuse_beside_others(session, job.asset_id, job.request)
    asset = session.get_one(Asset, job.asset_id)
    if job.plan and job.plan.get("programme") != (asset.media or {}).get("programme"):
        raise JobConflict(
            f"the asset was inspected for another programme since job {job.id} was planned: "
            "start a new job for this one"
        )
