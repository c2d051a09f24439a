"""Why steps that are ready go on waiting: nobody who lives can do the profiles that they need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue.workers import LivingWorker, living_workers, reason_against, serving
from storage.schema import ProfileDefinition, Step, StepNeed

_NOBODY_SERVES = "no worker lives that takes such steps: start one"


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many ready `steps` of a job wait for a worker that can do these `profiles`."""

    profiles: tuple[str, ...]
    reason: str
    steps: int


def waiting_steps(session: Session, job_id: str, beat_s: float) -> list[Waiting]:
    """Those that no living worker can claim; empty while somebody can, busy or not."""
    needs = _needs_of_ready_steps(session, job_id)
    if not needs:
        return []
    living = living_workers(session, beat_s)
    names = _names(session, {key for _, keys in needs for key in keys})
    found: dict[tuple[tuple[str, ...], str], int] = {}
    for queue, keys in needs:
        reason = _why(serving(living, queue), keys, names)
        if reason is not None:
            told = (tuple(names[key] for key in keys), reason)
            found[told] = found.get(told, 0) + 1
    return [Waiting(profiles, reason, steps) for (profiles, reason), steps in found.items()]


def _needs_of_ready_steps(session: Session, job_id: str) -> list[tuple[str, tuple[str, ...]]]:
    """Queue and keys of each ready step that needs any."""
    rows = session.execute(
        select(Step.id, Step.queue, StepNeed.profile_key)
        .join(StepNeed, StepNeed.step_id == Step.id)
        .where(Step.job_id == job_id, Step.state == "ready")
        .order_by(Step.id, StepNeed.profile_key)
    )
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for step_id, queue, key in rows:
        found[step_id] = (queue, (*found.get(step_id, (queue, ()))[1], key))
    return list(found.values())


def _names(session: Session, keys: set[str]) -> dict[str, str]:
    query = select(ProfileDefinition).where(ProfileDefinition.key.in_(keys))
    return {row.key: str(row.definition.get("name")) for row in session.scalars(query)}


def _why(able: Sequence[LivingWorker], keys: Sequence[str], names: Mapping[str, str]) -> str | None:
    if any(all(worker.can_do(key) for key in keys) for worker in able):
        return None
    if not able:
        return _NOBODY_SERVES
    lacking = [key for key in keys if not any(worker.can_do(key) for worker in able)]
    if not lacking:
        return "several workers can do them together, but none of them all"
    return "; ".join(f"{names[key]}: {reason_against(able, key)}" for key in lacking)
