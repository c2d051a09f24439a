"""The graph of a job's steps: what may run now, and what its job therefore is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from storage.clock import now
from storage.schema import Job, Step, StepDependency

QUEUE_OF_KIND = {
    "fixity": "inspect",
    "inspect": "inspect",
    "plan": "inspect",
    "encode": "encode",
    "audio": "encode",
    "join": "package",
    "measure": "measure",
    "package": "package",
    "publish": "deliver",
}
# Their steps take what is there: one of the earlier steps that failed does not hold them back.
TAKES_WHAT_IS_DONE = frozenset({"measure"})
# A step that is to be run again, as if nobody had tried.
AFRESH = {"state": "waiting", "attempts": 0, "memory_bytes": None, "finished_at": None}


class ReadyStep(NamedTuple):
    """What a message needs: the step and the queue it belongs to."""

    id: str
    queue: str


def queue_of(kind: str) -> str:
    """The queue whose workers run steps of that kind; `KeyError` for an unknown kind."""
    return QUEUE_OF_KIND[kind]


def make_ready(session: Session, job_id: str) -> list[ReadyStep]:
    """Make waiting steps ready whose dependencies are all done. The job's row must be locked.

    One that takes what is done waits until each of its dependencies is done or has failed; with
    none done it waits on, for a retry of the job.
    """
    partial = Step.kind.in_(TAKES_WHAT_IS_DONE)
    whole = ~_follows(lambda before: before.state != "done")
    settled = ~_follows(lambda before: before.state.not_in(("done", "failed")))
    some = _follows(lambda before: before.state == "done")
    made = session.execute(
        update(Step)
        .where(Step.job_id == job_id, Step.state == "waiting")
        .where(or_(whole, and_(partial, settled, some)))
        .values(state="ready", sent_at=None, not_before=None)
        .returning(Step.id, Step.queue)
        .execution_options(synchronize_session=False)
    )
    return sorted(ReadyStep(row.id, row.queue) for row in made)


def reopen(session: Session, job_id: str) -> None:
    """Let a step that took what was done run again when a step that had failed does.

    The job's row must be locked, and its failed steps be waiting again.
    """
    session.execute(
        update(Step)
        .where(Step.job_id == job_id, Step.state == "done", Step.kind.in_(TAKES_WHAT_IS_DONE))
        .where(_follows(lambda before: before.state != "done"))
        .values(**AFRESH, progress=None, worker=None)
        .execution_options(synchronize_session=False)
    )


def cancel_idle(session: Session, job_id: str) -> None:
    """Cancel every step that nobody runs. The job's row must be locked."""
    session.execute(
        update(Step)
        .where(Step.job_id == job_id, Step.state.in_(("waiting", "ready")))
        .values(state="cancelled", finished_at=now(session))
        .execution_options(synchronize_session=False)
    )


def _follows(matches: Callable[[type[Step]], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Whether the step depends on one that matches."""
    before = aliased(Step)
    return (
        exists()
        .where(StepDependency.step_id == Step.id)
        .where(StepDependency.depends_on_id == before.id)
        .where(matches(before))
    )


def derive_state(session: Session, job: Job) -> str:
    """What the states of its steps make of a job.

    With nothing ready and nothing running, what still waits does so behind a failed step.
    """
    counted = select(Step.state, func.count()).where(Step.job_id == job.id).group_by(Step.state)
    count = Counter({row[0]: row[1] for row in session.execute(counted)})
    if count["running"]:
        return "cancelling" if job.state == "cancelling" else "running"
    if count["ready"]:
        return "running" if count["done"] or job.state == "running" else "queued"
    if count["cancelled"]:
        return "cancelled"
    return "failed" if count["failed"] or count["waiting"] else "done"
