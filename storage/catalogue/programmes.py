"""An asset has one inspection, of one of its programmes: jobs of others wait for each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue.assets import ACTIVE
from storage.catalogue.locks import lock_asset
from storage.errors import JobConflict
from storage.schema import Job


class Reading(NamedTuple):
    """What a job took the source for: what was made of two readings is not one asset's."""

    programme: int | None
    source_colour: str | None


def readings(session: Session, asset_id: str) -> dict[str, Reading]:
    """By the id of each job of the asset: the programme of its plan, the colour that was stated."""
    programme = Job.plan["programme"].as_integer()
    colour = Job.request["source_colour"].as_string()
    rows = session.execute(select(Job.id, programme, colour).where(Job.asset_id == asset_id))
    return {row[0]: reading_of(row[1], row[2]) for row in rows}


def reading_of(programme: int | None, source_colour: str | None) -> Reading:
    """Of what a plan took and what a request stated: that the tags are right is what is taken
    without a word.
    """
    return Reading(programme, None if source_colour == "as-tagged" else source_colour)


def inspected_as_asked(media: Mapping[str, Any], request: Mapping[str, Any]) -> bool:
    """Whether the inspection is of the programme that a request names, or leaves to the rule.

    `media` is the asset's.
    """
    wanted = request.get("programme")
    if wanted is None:
        return not media.get("programme_asked", False)
    return bool(media.get("programme") == wanted)


def refuse_beside_others(session: Session, asset_id: str, request: Mapping[str, Any]) -> None:
    """Raises `JobConflict` while a job of the asset works on another programme.

    The asset's row must be locked.
    """
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
    asset = lock_asset(session, job.asset_id)
    refuse_beside_others(session, asset.id, job.request)
    if job.plan and job.plan.get("programme") != (asset.media or {}).get("programme"):
        raise JobConflict(
            f"the asset was inspected for another programme since job {job.id} was planned: "
            "start a new job for this one"
        )
