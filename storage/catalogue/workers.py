"""Workers, and which profiles each has proven that it can do.

A worker is alive while it says so. What a dead one could do counts for nothing, and its rows go.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from pipelines.words import Words
from storage.catalogue.graph import queue_of
from storage.clock import now
from storage.ids import new_id
from storage.schema import Capability, ProfileDefinition, Step, StepNeed, WorkerRow

BEATS = 3  # a worker that was not heard for so many of its beats is taken for dead
UNFINISHED = ("waiting", "ready", "running")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one worker's proof of one profile came to; without a `reason` it can do it."""

    key: str  # pipelines.profiles.profile_key
    profile: str
    version: int
    reason: Words | None = None

    @property
    def available(self) -> bool:
        return self.reason is None


@dataclass(frozen=True, slots=True)
class LivingWorker:
    """A worker that was heard lately, with its verdicts by the profile's key."""

    name: str
    host: str
    queues: tuple[str, ...]
    tools: Mapping[str, str]
    verdicts: Mapping[str, Verdict]
    memory_bytes: int = 0  # what it gives to steps

    def can_do(self, key: str) -> bool:
        return key in self.verdicts and self.verdicts[key].available


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a profile can be made: by how many living workers, or why by none.

    `unproven`: no worker lives that encodes, or one has yet to prove it.
    """

    state: Literal["available", "unavailable", "unproven"]
    workers: int = 0
    reason: Words | None = None


def availability(living: Sequence[LivingWorker], key: str) -> Availability:
    encoding = serving(living, queue_of("encode"))
    if able := [worker for worker in encoding if worker.can_do(key)]:
        return Availability("available", len(able))
    if not encoding or any(key not in worker.verdicts for worker in encoding):
        return Availability("unproven")
    return Availability("unavailable", reason=reason_against(encoding, key))


def serving(living: Sequence[LivingWorker], queue: str) -> list[LivingWorker]:
    return [worker for worker in living if queue in worker.queues]


def reason_against(serving: Sequence[LivingWorker], key: str) -> Words:
    """Why none of them can do it: the first one's reason, and of several how many they are."""
    verdicts = [worker.verdicts[key] for worker in serving if key in worker.verdicts]
    told = next((verdict.reason for verdict in verdicts if verdict.reason is not None), None)
    if told is None:
        return Words("no living worker has proven that it can do it", "没有存活的工作进程证明能做")
    if len(serving) == 1:
        return told
    return Words(
        f"none of {len(serving)} workers can do it: {told}",
        f"{len(serving)} 个工作进程都不能做：{told.zh}",
    )


def lacks_a_proof(step_id: Any, worker: Any) -> ColumnElement[bool]:
    """Whether the step needs a profile that the worker of that name has not proven."""
    proven = (
        select(Capability.profile_key)
        .join(WorkerRow, WorkerRow.id == Capability.worker_id)
        .where(WorkerRow.name == worker, Capability.available)
    )
    return exists().where(StepNeed.step_id == step_id, StepNeed.profile_key.not_in(proven))


def cannot_run(step_id: Any, memory_bytes: Any, worker: Any) -> ColumnElement[bool]:
    """Whether the worker of that name lacks a proof, or gives less memory than the step needs.

    `memory_bytes` is the step's own: empty for most, which nobody found too large. Of a worker that
    has not registered yet nothing is known.
    """
    gives_it = exists().where(WorkerRow.name == worker, WorkerRow.memory_bytes >= memory_bytes)
    return or_(lacks_a_proof(step_id, worker), and_(memory_bytes.is_not(None), ~gives_it))


def larger_lives(
    session: Session, step_id: str, queue: str, memory_bytes: int, beat_s: float
) -> bool:
    """Whether somebody lives, busy or not, who may claim the step and gives it so much memory."""
    keys = set(session.scalars(select(StepNeed.profile_key).where(StepNeed.step_id == step_id)))
    return any(
        worker.memory_bytes >= memory_bytes and all(worker.can_do(key) for key in keys)
        for worker in serving(living_workers(session, beat_s), queue)
    )


def register(
    session: Session,
    name: str,
    *,
    host: str,
    queues: Sequence[str],
    tools: Mapping[str, str],
    memory_bytes: int,
    verdicts: Iterable[Verdict] = (),
) -> None:
    """Make the worker known, or heard again, and record what it has proven."""
    moment = now(session)
    worker_id = session.scalar(
        update(WorkerRow)
        .where(WorkerRow.name == name)
        .values(seen_at=moment)
        .returning(WorkerRow.id)
        .execution_options(synchronize_session=False)
    )
    if worker_id is None:
        worker_id = new_id("wrk")
        row = WorkerRow(id=worker_id, name=name, host=host, queues=list(queues))
        row.tools, row.memory_bytes = dict(tools), memory_bytes
        row.started_at = row.seen_at = moment
        session.add(row)
        session.flush()
    for verdict in verdicts:
        _record(session, worker_id, verdict, moment)


def _record(session: Session, worker_id: str, verdict: Verdict, moment: datetime) -> None:
    session.merge(
        Capability(
            worker_id=worker_id,
            profile_key=verdict.key,
            profile=verdict.profile,
            profile_version=verdict.version,
            available=verdict.available,
            reason=None if verdict.reason is None else str(verdict.reason),
            reason_zh=None if verdict.reason is None else verdict.reason.zh,
            proven_at=moment,
        )
    )


def beat(session: Session, name: str) -> bool:
    """Say that the worker lives; false when it was taken for dead and has to register again."""
    row = session.execute(
        update(WorkerRow)
        .where(WorkerRow.name == name)
        .values(seen_at=now(session))
        .returning(WorkerRow.id)
        .execution_options(synchronize_session=False)
    ).first()
    return row is not None


def retire(session: Session, name: str) -> None:
    """The worker stops: from now on nothing counts on it."""
    _remove(session, WorkerRow.name == name)


def remove_dead(session: Session, beat_s: float) -> None:
    """Remove whoever was not heard for `BEATS` beats; one that lives after all registers again."""
    _remove(session, WorkerRow.seen_at < now(session) - timedelta(seconds=BEATS * beat_s))


def _remove(session: Session, which: ColumnElement[bool]) -> None:
    session.execute(delete(WorkerRow).where(which).execution_options(synchronize_session=False))


def living_workers(session: Session, beat_s: float) -> list[LivingWorker]:
    """Whoever was heard within `BEATS` beats, in the order of their start."""
    since = now(session) - timedelta(seconds=BEATS * beat_s)
    query = select(WorkerRow).where(WorkerRow.seen_at >= since).order_by(WorkerRow.id)
    rows = list(session.scalars(query))
    found: dict[str, dict[str, Verdict]] = {row.id: {} for row in rows}
    proofs = select(Capability).where(Capability.worker_id.in_(found))
    for one in session.scalars(proofs):
        told = one.reason
        reason = None if told is None else Words(told, one.reason_zh or told)
        verdict = Verdict(one.profile_key, one.profile, one.profile_version, reason)
        found[one.worker_id][one.profile_key] = verdict
    return [
        LivingWorker(
            row.name, row.host, tuple(row.queues), row.tools, found[row.id], row.memory_bytes
        )
        for row in rows
    ]


def keep_definitions(session: Session, definitions: Mapping[str, Mapping[str, Any]]) -> None:
    """Keep profiles by their keys, so that steps can need them. Many may do so at once."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    for key, definition in sorted(definitions.items()):
        row = dialect.insert(ProfileDefinition).values(key=key, definition=dict(definition))
        session.execute(row.on_conflict_do_nothing())


def needed_definitions(session: Session) -> dict[str, dict[str, Any]]:
    """The profiles that unfinished steps need, by key."""
    needed = (
        select(StepNeed.profile_key)
        .join(Step, Step.id == StepNeed.step_id)
        .where(Step.state.in_(UNFINISHED))
    )
    query = select(ProfileDefinition).where(ProfileDefinition.key.in_(needed))
    return {row.key: row.definition for row in session.scalars(query)}
