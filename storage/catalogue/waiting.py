"""Why ready steps go on waiting: nobody who lives can do their profiles, or is large enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from pipelines.words import Words, joined
from storage.catalogue.workers import LivingWorker, living_workers, reason_against, serving
from storage.schema import ProfileDefinition, Step, StepNeed

_NOBODY_SERVES = Words(
    "no worker lives that takes such steps: start one",
    "没有存活的工作进程承担此类步骤：请启动一个",
)
_NONE_DOES_ALL = Words(
    "several workers can do them together, but none of them all",
    "几个工作进程合起来能做，但没有一个能全部做",
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """So many ready `steps` of a job wait for a worker that can do these `profiles`."""

    profiles: tuple[str, ...]
    reason: Words
    steps: int


class _Needs(NamedTuple):
    """What a ready step asks of a worker."""

    queue: str
    keys: tuple[str, ...]
    memory_bytes: int


def waiting_steps(session: Session, job_id: str, beat_s: float) -> list[Waiting]:
    """Those that no living worker can claim; empty while somebody can, busy or not."""
    needs = _needs_of_ready_steps(session, job_id)
    if not needs:
        return []
    living = living_workers(session, beat_s)
    names = _names(session, {key for one in needs for key in one.keys})
    found: dict[tuple[tuple[str, ...], Words], int] = {}
    for one in needs:
        reason = _why(serving(living, one.queue), one, names)
        if reason is not None:
            told = (tuple(names[key] for key in one.keys), reason)
            found[told] = found.get(told, 0) + 1
    return [Waiting(profiles, reason, steps) for (profiles, reason), steps in found.items()]


def _needs_of_ready_steps(session: Session, job_id: str) -> list[_Needs]:
    """Of each ready step that needs any profile, or was too large for some worker."""
    rows = session.execute(
        select(Step.id, Step.queue, Step.memory_bytes, StepNeed.profile_key)
        .outerjoin(StepNeed, StepNeed.step_id == Step.id)
        .where(Step.job_id == job_id, Step.state == "ready")
        .where(or_(StepNeed.profile_key.is_not(None), Step.memory_bytes.is_not(None)))
        .order_by(Step.id, StepNeed.profile_key)
    )
    found: dict[str, _Needs] = {}
    for step_id, queue, memory_bytes, key in rows:
        keys = found[step_id].keys if step_id in found else ()
        found[step_id] = _Needs(queue, (*keys, key) if key else keys, memory_bytes or 0)
    return list(found.values())


def _names(session: Session, keys: set[str]) -> dict[str, str]:
    query = select(ProfileDefinition).where(ProfileDefinition.key.in_(keys))
    return {row.key: str(row.definition.get("name")) for row in session.scalars(query)}


def _why(able: Sequence[LivingWorker], needs: _Needs, names: Mapping[str, str]) -> Words | None:
    if not able:
        return _NOBODY_SERVES
    large = [worker for worker in able if worker.memory_bytes >= needs.memory_bytes]
    if not large:
        wanted = f"{needs.memory_bytes / 1e9:.1f} GB"
        return Words(
            f"none gives the {wanted} of memory: start a larger one",
            f"没有工作进程能给出 {wanted} 内存：请启动内存更大的",
        )
    if any(all(worker.can_do(key) for key in needs.keys) for worker in large):
        return None
    lacking = [key for key in needs.keys if not any(worker.can_do(key) for worker in large)]
    if not lacking:
        return _NONE_DOES_ALL
    return joined((_against(large, key, names[key]) for key in lacking), "; ", "；")


def _against(able: Sequence[LivingWorker], key: str, name: str) -> Words:
    reason = reason_against(able, key)
    return Words(f"{name}: {reason}", f"{name}：{reason.zh}")
