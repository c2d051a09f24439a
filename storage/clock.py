"""The clock that leases are judged by."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from storage.schema import UtcDateTime


def now(session: Session) -> datetime:
    """The database's own clock on PostgreSQL, so that workers' clocks may differ; else this one's.

    It is the time of the call, not of the transaction's start: a transaction may wait for a lock.
    """
    if session.get_bind().dialect.name != "postgresql":
        return datetime.now(UTC)
    return session.execute(select(now_column(session))).scalar_one()


def now_column(session: Session) -> ColumnElement[datetime]:
    """The same as a column, to be asked for together with something else."""
    if session.get_bind().dialect.name != "postgresql":
        return literal(datetime.now(UTC), UtcDateTime())
    return func.clock_timestamp(type_=UtcDateTime())
