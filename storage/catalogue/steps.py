"""Steps: claimed by one conditional update, held by a lease, finished in one transaction.

Every function that writes for a worker carries its claim. When somebody else has claimed the step
since, the epoch or the worker is another one, and the write does nothing but raise `LeaseLost`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, cast

from sqlalchemy import ColumnElement, Table, bindparam, null, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from pipelines.progress import Progress
from storage.catalogue import events, messages
from storage.catalogue.graph import ReadyStep, cancel_idle, make_ready, queue_of
from storage.catalogue.locks import lock_job
from storage.catalogue.settle import mark_running, settle_job
from storage.catalogue.workers import cannot_run
from storage.clock import now, now_column
from storage.errors import LeaseLost
from storage.ids import new_id
from storage.schema import Job, Step, StepDependency, StepNeed, UtcDateTime

__all__ = ["ReadyStep", "queue_of"]

SYSTEM = "system"
LeaseState = Literal["held", "lost", "cancel_requested"]

# A server that was away says nothing about the step: such an attempt is not counted.
OUTAGES = frozenset({"catalogue_unavailable", "catalogue_full", "store_unavailable"})
BEYOND_ANY_LEASE = timedelta(hours=2)  # twice the longest that can be set
WORKER_LOST = {
    "code": "worker_lost",
    "detail": "every worker that ran this step died: see the workers' logs and their memory, then "
    "retry the job",
    "retryable": False,
}


@dataclass(frozen=True, slots=True)
class NewStep:
    """A step to be added. `after` names what it waits for: names or kinds of the same job's steps.

    A kind stands for every step of that kind. `needs` are keys of profiles that the catalogue has
    definitions of: only a worker that proved them all may claim the step.
    """

    kind: str
    name: str
    payload: Mapping[str, Any]
    after: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    id: str = field(default_factory=lambda: new_id("stp"))


@dataclass(frozen=True, slots=True)
class Claimed:
    """A step that is ours, as it was when it was claimed."""

    id: str
    organisation_id: str
    job_id: str
    kind: str
    queue: str
    name: str
    payload: dict[str, Any]
    epoch: int
    worker: str
    attempts: int
    max_attempts: int
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Failed:
    """How a failure ended: tried `again`, or final; `ready` may run all the same."""

    again: bool
    ready: list[ReadyStep]


def _claim_statement() -> ReturningUpdate[Any]:
    """The one conditional update that a claim is, built once: building costs more than running."""
    table, moment = cast("Table", Step.__table__), bindparam("moment", type_=UtcDateTime())
    columns, beyond = table.c, bindparam("beyond", type_=UtcDateTime())
    come = messages.time_has_come(columns.not_before, moment, beyond)
    return (
        update(table)
        .where(columns.id == bindparam("step_id"), columns.state == "ready", come)
        .where(columns.attempts < columns.max_attempts)
        .where(~cannot_run(columns.id, columns.memory_bytes, bindparam("by")))
        .values(
            state="running",
            epoch=columns.epoch + 1,
            attempts=columns.attempts + 1,
            worker=bindparam("by"),
            lease_until=bindparam("until"),
            started_at=moment,
            finished_at=None,
            passed_at=None,
            progress=null(),
        )
        .returning(*(columns[name] for name in Claimed.__dataclass_fields__))
    )


CLAIM = _claim_statement()


def add_steps(session: Session, job: Job, new_steps: Sequence[NewStep]) -> list[ReadyStep]:
    """Add steps to a job and return those that are ready. `after` may name earlier steps."""
    lock_job(session, job.id)
    if new_steps:
        _insert(session, job, new_steps)
    return make_ready(session, job.id)


def _insert(session: Session, job: Job, new_steps: Sequence[NewStep]) -> None:
    named = _step_names(session, job.id, new_steps)
    moment = now(session)
    session.add_all(_row(job, step, moment) for step in new_steps)
    session.flush()
    session.add_all(
        StepDependency(step_id=step.id, depends_on_id=before)
        for step in new_steps
        for before in sorted({one for name in step.after for one in named[name]})
    )
    session.add_all(
        StepNeed(step_id=step.id, profile_key=key)
        for step in new_steps
        for key in dict.fromkeys(step.needs)
    )
    session.flush()


def claim_step(session: Session, step_id: str, worker: str, lease_s: float) -> Claimed | None:
    """Take the step, if it is ready and nobody else took it; a new epoch.

    One whose lease ran out is `free_expired`'s to judge: its holder may still renew. `None`:
    somebody has it, it is over, its time has not come, its job is being cancelled, or it needs a
    profile that this worker has not proven, or more memory than it gives. Then it is passed over:
    see `passed_over`.
    """
    job_state, moment = _lock_for_claim(session, step_id)
    if job_state not in {"queued", "running"}:
        return None
    given = {
        "step_id": step_id,
        "moment": moment,
        "beyond": moment + messages.BEYOND,
        "by": worker,
        "until": moment + timedelta(seconds=lease_s),
    }
    row = session.execute(CLAIM, given).first()
    if row is None:
        unable = cannot_run(Step.id, Step.memory_bytes, worker)
        messages.pass_over(session, step_id, moment, unable)
        return None
    claimed = Claimed(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public way to a row's names
    _note(session, claimed, "step.started", worker, {"attempt": claimed.attempts})
    if job_state == "queued":
        mark_running(session, claimed.job_id)
    return claimed


def lease_state(session: Session, held: Claimed) -> LeaseState:
    """Look, without writing: is the step still ours, and does its job want it?"""
    query = (
        select(Job.state)
        .join(Step, Step.job_id == Job.id)
        .where(*_is(held), Step.state == "running")
    )
    return _state_of_lease(session.scalar(query))


def renew_lease(session: Session, held: Claimed, lease_s: float) -> LeaseState:
    """Hold the step for another `lease_s`, also when its lease ran out and nobody noticed."""
    until = now(session) + timedelta(seconds=lease_s)
    return _touch(session, held, {"lease_until": until})


def record_progress(session: Session, held: Claimed, progress: Progress) -> LeaseState:
    """Show how far the step is."""
    return _touch(session, held, {"progress": asdict(progress)})


def finish_step(
    session: Session,
    held: Claimed,
    *,
    result: Mapping[str, Any],
    command: Sequence[str] | None = None,
    log_tail: str | None = None,
    new_steps: Sequence[NewStep] = (),
) -> list[ReadyStep]:
    """Write the result, add what comes next, make dependants ready and settle the job, all at once.

    Raises `LeaseLost` before anything is written. A step that finished although its job is being
    cancelled is done all the same; what comes after it is cancelled.
    """
    step = _held(session, held)
    _leave(session, step, "done", result=dict(result), log_tail=log_tail, error=None)
    _write_command(step, command)
    _note(session, step, "step.done", str(step.worker))
    job = lock_job(session, step.job_id)
    ready = add_steps(session, job, new_steps)
    if job.state == "cancelling":
        cancel_idle(session, job.id)
        ready = []
    settle_job(session, job.id)
    return ready


def fail_step(
    session: Session,
    held: Claimed,
    error: Mapping[str, Any],
    *,
    log_tail: str | None = None,
    command: Sequence[str] | None = None,
) -> Failed:
    """A transient error waits and is tried again, while attempts are left; else the step failed.

    `error` is `{"code", "detail", "retryable"}`. Raises `LeaseLost`.
    """
    step = _held(session, held)
    outage = error["code"] in OUTAGES
    again = bool(error["retryable"]) and (outage or step.attempts < step.max_attempts)
    kept = {"error": dict(error), "log_tail": log_tail}
    if not again:
        _leave(session, step, "failed", **kept)
    else:
        backoff_s = messages.BACKOFF_S
        wait_s = backoff_s[min(step.attempts, len(backoff_s)) - 1]
        not_before = now(session) + timedelta(seconds=wait_s)
        attempts = step.attempts - outage
        _leave(session, step, "ready", not_before=not_before, attempts=attempts, **kept)
    _write_command(step, command)
    kind = "step.retrying" if again else "step.failed"
    _note(session, step, kind, str(step.worker), {"error": dict(error)})
    ready = _settle_failed(session, step.job_id)
    return Failed(again=again, ready=ready)


def cancel_step(session: Session, held: Claimed) -> None:
    """The worker stopped because the job is being cancelled. Raises `LeaseLost`."""
    step = _held(session, held)
    _leave(session, step, "cancelled")
    _note(session, step, "step.cancelled", str(step.worker))
    settle_job(session, step.job_id)


def release_step(session: Session, held: Claimed) -> None:
    """The worker is being stopped: give the step back, as if it had never been tried.

    Raises `LeaseLost`.
    """
    step = _held(session, held)
    _leave(session, step, "ready", attempts=step.attempts - 1, not_before=None)
    _note(session, step, "step.released", str(step.worker))
    settle_job(session, step.job_id)


def hand_on_step(session: Session, held: Claimed, memory_bytes: int) -> None:
    """It needs more memory than this worker gives: left to one that gives so much, untried.

    Raises `LeaseLost`.
    """
    step = _held(session, held)
    given = {"passed_at": now(session), "memory_bytes": memory_bytes}
    _leave(session, step, "ready", attempts=step.attempts - 1, not_before=None, **given)
    _note(session, step, "step.released", str(step.worker), {"memory_bytes": memory_bytes})
    settle_job(session, step.job_id)


def is_done(session: Session, held: Claimed) -> bool:
    """Whether exactly this attempt finished the step."""
    query = select(Step.id).where(*_is(held), Step.state == "done")
    return session.scalar(query) is not None


def may_discard(session: Session, held: Claimed) -> bool:
    """Whether nobody needs what this attempt has stored.

    A restored catalogue, or one that lost a claim, gives an epoch again: then it may be another's.
    And where it still says that this attempt runs, a finish whose answer was lost may yet come
    true: what stays then, sweeps remove.
    """
    query = select(Step.state, Step.worker).where(Step.id == held.id, Step.epoch == held.epoch)
    row = session.execute(query).first()
    return row is None or (
        row.state not in {"done", "running"} and row.worker in {None, held.worker}
    )


def free_expired(session: Session, moment: datetime, limit: int = 100) -> list[str]:
    """Give back running steps whose lease ran out; returns their ids.

    The lost attempt counts: a step that killed its worker `max_attempts` times fails with
    `worker_lost`. Jobs that somebody is changing right now are left for the next sweep.
    """
    expired = select(Step.job_id).where(Step.state == "running", _has_expired(moment))
    query = (
        select(Job.id)
        .where(Job.id.in_(expired.limit(limit)))
        .order_by(Job.id)
        .with_for_update(key_share=True, skip_locked=True)
    )
    freed: list[str] = []
    for job_id in list(session.scalars(query)):
        freed += _free_in_job(session, job_id, moment)
    return freed


def _has_expired(moment: datetime) -> ColumnElement[bool]:
    """Also one that was written while the clock was far ahead: nobody renews it any more."""
    return or_(Step.lease_until < moment, Step.lease_until > moment + BEYOND_ANY_LEASE)


def free_orphans(session: Session) -> list[str]:
    """Give back all running steps at once, as `free_expired` does; returns their ids.

    Only for a process that just began and knows that it alone works on this catalogue: whoever held
    them is dead, and nobody waits for its leases.
    """
    long_after = now(session) + timedelta(days=3650)
    freed: list[str] = []
    while some := free_expired(session, long_after):
        freed += some
    return freed


def _lock_for_claim(session: Session, step_id: str) -> tuple[str | None, datetime]:
    """`lock_job` for the busiest of all writes: one question, and no plan is read with it."""
    job_id = select(Step.job_id).where(Step.id == step_id).scalar_subquery()
    query = select(Job.state, now_column(session)).where(Job.id == job_id)
    row = session.execute(query.with_for_update(key_share=True)).first()
    return (row[0], row[1]) if row else (None, now(session))


def _touch(session: Session, held: Claimed, values: dict[str, Any]) -> LeaseState:
    state = select(Job.state).where(Job.id == Step.job_id).scalar_subquery()
    row = session.execute(
        update(Step)
        .where(*_is(held), Step.state == "running")
        .values(values)
        .returning(state.label("state"))
        .execution_options(synchronize_session=False)
    ).first()
    return _state_of_lease(row.state if row else None)


def _state_of_lease(job_state: str | None) -> LeaseState:
    if job_state is None:
        return "lost"
    return "cancel_requested" if job_state in {"cancelling", "cancelled"} else "held"


def _held(session: Session, held: Claimed) -> Step:
    """The running step with its job's row locked. Raises `LeaseLost`."""
    job_id = session.scalar(select(Step.job_id).where(Step.id == held.id))
    if job_id is not None:
        lock_job(session, job_id)
    query = select(Step).where(*_is(held), Step.state == "running")
    step = session.scalar(query.execution_options(populate_existing=True))
    if step is None:
        raise LeaseLost(f"step {held.id} is not ours any more: what was made of it is not used")
    return step


def _is(held: Claimed) -> tuple[ColumnElement[bool], ...]:
    return Step.id == held.id, Step.epoch == held.epoch, Step.worker == held.worker


def _leave(session: Session, step: Step, state: str, **values: Any) -> None:
    """Out of `running`. What would be ready again in a job that is being cancelled is cancelled."""
    job = lock_job(session, step.job_id)
    if state == "ready" and job.state == "cancelling":
        state = "cancelled"
    step.state, step.lease_until, step.sent_at = state, None, None
    step.finished_at = None if state == "ready" else now(session)
    for name, value in values.items():
        setattr(step, name, value)
    session.flush()


def _write_command(step: Step, command: Sequence[str] | None) -> None:
    """An attempt that ran no command leaves the last one that did."""
    if command is not None:
        step.command = list(command)


def _free_in_job(session: Session, job_id: str, moment: datetime) -> list[str]:
    """A renewal takes no lock of the job: locked, a step is judged by the one that is under way."""
    query = (
        select(Step)
        .where(Step.job_id == job_id, Step.state == "running", _has_expired(moment))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    found = list(session.scalars(query))
    for step in found:
        worn_out = step.attempts >= step.max_attempts
        _leave(session, step, "failed" if worn_out else "ready")
        if worn_out:
            step.error = dict(WORKER_LOST)
        kind = "step.failed" if worn_out else "step.lost"
        _note(session, step, kind, SYSTEM, {"worker": step.worker})
    session.flush()
    _settle_failed(session, job_id)
    return [step.id for step in found]


def _settle_failed(session: Session, job_id: str) -> list[ReadyStep]:
    """Some steps run although one failed; in a job that is being cancelled none waits any more."""
    ready = make_ready(session, job_id)
    settle_job(session, job_id)
    return ready


def _row(job: Job, step: NewStep, moment: datetime) -> Step:
    return Step(
        id=step.id,
        organisation_id=job.organisation_id,
        job_id=job.id,
        kind=step.kind,
        queue=queue_of(step.kind),
        name=step.name,
        payload=dict(step.payload),
        state="waiting",
        created_at=moment,
    )


def _step_names(session: Session, job_id: str, new_steps: Sequence[NewStep]) -> dict[str, set[str]]:
    """Step ids by name and by kind, of the job's steps and the new ones."""
    known = session.execute(select(Step.id, Step.name, Step.kind).where(Step.job_id == job_id))
    named: dict[str, set[str]] = {}
    for step_id, *names in [*known, *((one.id, one.name, one.kind) for one in new_steps)]:
        for name in names:
            named.setdefault(name, set()).add(step_id)
    return named


def _note(
    session: Session,
    step: Step | Claimed,
    what: str,
    actor: str,
    payload: dict[str, Any] | None = None,
) -> None:
    events.append(
        session,
        type=what,
        subject=step.id,
        organisation_id=step.organisation_id,
        actor=actor,
        payload={"job_id": step.job_id, "kind": step.kind, "epoch": step.epoch, **(payload or {})},
    )
