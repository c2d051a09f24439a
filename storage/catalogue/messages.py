"""Which ready steps need a message, and whose message found nobody.

A message is a hint and may be lost; a step that is ready stays so until somebody claims it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from storage.catalogue.graph import ReadyStep
from storage.catalogue.workers import cannot_run
from storage.clock import now
from storage.schema import Step

BACKOFF_S = (2.0, 8.0, 30.0, 60.0)  # [P] before the second, third, … attempt
BEYOND = timedelta(seconds=2 * BACKOFF_S[-1])  # a wait that long was set by a clock that was ahead

Moment = datetime | ColumnElement[datetime]


def time_has_come(
    not_before: ColumnElement[datetime | None] | InstrumentedAttribute[datetime | None],
    moment: Moment,
    beyond: Moment,
) -> ColumnElement[bool]:
    """Whether a ready step need not wait (any more); `beyond` is `moment` and `BEYOND`."""
    return or_(not_before.is_(None), not_before <= moment, not_before > beyond)


def due_steps(
    session: Session, queue: str, moment: datetime, resend_after_s: float, limit: int = 100
) -> list[ReadyStep]:
    """Ready steps of a queue whose message was never sent, or so long ago that it may be lost.

    Also one that was sent in the future, before the clock was set back.
    """
    lost = moment - timedelta(seconds=resend_after_s)
    ready = select(Step.id, Step.queue).where(
        Step.state == "ready",
        Step.queue == queue,
        time_has_come(Step.not_before, moment, moment + BEYOND),
    )
    unsent = ready.where(Step.sent_at.is_(None)).order_by(Step.id).limit(limit)
    found = [ReadyStep(row.id, row.queue) for row in session.execute(unsent)]
    old = (
        ready.where(or_(Step.sent_at < lost, Step.sent_at > moment))
        .order_by(Step.sent_at)
        .limit(limit - len(found))
    )
    return found + [ReadyStep(row.id, row.queue) for row in session.execute(old)]


def pass_over(session: Session, step_id: str, moment: datetime, *only: ColumnElement[bool]) -> None:
    """Note that the message of a ready step was taken by a worker that does not run it."""
    session.execute(
        update(Step)
        .where(Step.id == step_id, Step.state == "ready", *only)
        .values(passed_at=moment)
        .execution_options(synchronize_session=False)
    )


def passed_over(
    session: Session, worker: str, queues: Iterable[str], seen: Iterable[str] = ()
) -> ReadyStep | None:
    """The oldest ready step of these queues that was passed over and that this worker can do, but
    for those that it has `seen`.

    Its message is gone, and one sent to all might be passed over again: whoever can do it asks.
    """
    moment = now(session)
    query = (
        select(Step.id, Step.queue)
        .where(Step.state == "ready", Step.queue.in_(sorted(queues)), Step.passed_at.is_not(None))
        .where(time_has_come(Step.not_before, moment, moment + BEYOND))
        .where(Step.id.not_in(sorted(seen)))
        .where(~cannot_run(Step.id, Step.memory_bytes, worker))
        .order_by(Step.passed_at, Step.id)
        .limit(1)
    )
    row = session.execute(query).first()
    return ReadyStep(row.id, row.queue) if row else None


def mark_sent(session: Session, step_ids: Iterable[str]) -> None:
    """Note that a message was sent for each of these."""
    session.execute(
        update(Step)
        .where(Step.id.in_(sorted(step_ids)), Step.state == "ready")
        .values(sent_at=now(session))
        .execution_options(synchronize_session=False)
    )
