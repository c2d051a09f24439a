"""The chain of events: append-only, each row hashed together with the row before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import func, insert, select, text
from sqlalchemy.orm import Session

from storage.clock import now_column
from storage.errors import InvalidCursor
from storage.schema import Event

GENESIS = "0" * 64  # what the first event names as the hash before it
CHAIN_LOCK = 0x6B61706F6B02  # PostgreSQL advisory lock: "kapok", 2
HASHED = (
    "seq",
    "at",
    "organisation_id",
    "actor",
    "type",
    "subject",
    "payload",
    "previous_hash",
)
PENDING = "kapok_pending_events"
HEAD_MISSING = "the known head is not in the chain: events were cut off or written anew"


@dataclass(frozen=True, slots=True)
class _Pending:
    type: str
    subject: str
    organisation_id: str | None
    actor: str
    payload: dict[str, Any]
    placed: Callable[[int], None] | None = None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """`broken_at` is the first seq that does not fit, `head` the last hash that does.

    A chain cannot know that its newest rows were cut off, or that all of it was written anew: note
    `head` elsewhere and pass it as `known_head` next time. `known_at` is its seq: up to there every
    row is as it was then.
    """

    events: int
    broken_at: int | None
    head: str
    reason: str | None = field(default=None)
    known_at: int | None = field(default=None)


def append(
    session: Session,
    *,
    type: str,  # noqa: A002 - the word of the column and of the API
    subject: str,
    organisation_id: str | None,
    actor: str,
    payload: dict[str, Any] | None = None,
    placed: Callable[[int], None] | None = None,
) -> None:
    """Note that something happened; written at the end of `Database.begin`, in this order.

    The lock that gives events their places is thus the last that a transaction takes, and is held
    only until its commit. `placed` is told the seq then, for rows that keep it.
    """
    pending: list[_Pending] = session.info.setdefault(PENDING, [])
    pending.append(_Pending(type, subject, organisation_id, actor, payload or {}, placed))


def write_pending(session: Session) -> None:
    """Give the session's events their places. A place is visible only after every earlier one."""
    pending: list[_Pending] = session.info.pop(PENDING, [])
    if not pending:
        return
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SELECT pg_advisory_xact_lock({CHAIN_LOCK})"))
    last_seq, previous, at = _end_of_chain(session)
    rows: list[dict[str, Any]] = []
    for seq, one in enumerate(pending, last_seq + 1):
        rows.append(_row(seq, at, one, previous))
        previous = rows[-1]["hash"]
        if one.placed is not None:
            one.placed(seq)
    session.flush()
    session.execute(insert(Event), rows)


def read(session: Session, organisation_id: str | None, after: int, limit: int) -> list[Event]:
    """The next events after that seq, oldest first; of every organisation with `None`."""
    query = select(Event).where(Event.seq > after).order_by(Event.seq).limit(limit)
    if organisation_id is not None:
        query = query.where(Event.organisation_id == organisation_id)
    return list(session.scalars(query))


def head(session: Session) -> int:
    """The seq of the newest event, 0 when there is none."""
    return session.scalar(select(func.max(Event.seq))) or 0


def first_hash(session: Session) -> str | None:
    """What tells this catalogue, and its restored copies, from every other; `None` without events.

    It holds the random id of the first organisation.
    """
    return session.scalar(select(Event.hash).order_by(Event.seq).limit(1))


def refuse_beyond_head(session: Session, after: int, way_out: str) -> None:
    """Raises `InvalidCursor` for a place that no event of this catalogue has had.

    Whoever went on from there would be told of nothing until as many events have happened, and
    never of those before.
    """
    newest = head(session)
    if after > newest:
        raise InvalidCursor(
            f"the cursor {after} lies beyond the newest event, {newest}: it was given by another "
            f"service, or before the catalogue was restored from a backup; {way_out}"
        )


def verify_chain(session: Session, known_head: str | None = None) -> ChainReport:
    """Hash every event again. Finds a changed, a removed, an inserted and a reordered row.

    With `known_head`, a hash that was noted earlier, it also finds that rows up to it were cut off
    or written anew.
    """
    count, previous = 0, GENESIS
    known_at = 0 if known_head == GENESIS else None
    for row in _all_rows(session):
        reason = _misfit(row, count + 1, previous)
        if reason is not None:
            return ChainReport(count, count + 1, previous, reason)
        count, previous = count + 1, row.hash
        if row.hash == known_head:
            known_at = count
    if known_head is not None and known_at is None:
        return ChainReport(count, count + 1, previous, HEAD_MISSING)
    return ChainReport(count, None, previous, known_at=known_at)


def _end_of_chain(session: Session) -> tuple[int, str, datetime]:
    """Seq and hash of the newest event, and the time; in one question, as the lock is held."""
    newest = select(Event.seq, Event.hash).order_by(Event.seq.desc()).limit(1).subquery()
    seq, last = (select(column).scalar_subquery() for column in newest.c)
    row = session.execute(select(seq, last, now_column(session))).one()
    return row[0] or 0, row[1] or GENESIS, row[2]


def _misfit(row: Event, expected_seq: int, previous: str) -> str | None:
    if row.seq != expected_seq:
        return f"event {expected_seq} is missing: {row.seq} stands in its place"
    if row.previous_hash != previous:
        return "it does not name the hash of the event before it"
    if row.hash != event_hash({name: getattr(row, name) for name in HASHED}):
        return "its content does not have its hash: it was changed"
    return None


def _all_rows(session: Session) -> Iterator[Event]:
    query = select(Event).order_by(Event.seq).execution_options(yield_per=1000)
    for rows in session.scalars(query).partitions():
        yield from rows
        session.expunge_all()


def _row(seq: int, at: datetime, one: _Pending, previous: str) -> dict[str, Any]:
    row = {
        "seq": seq,
        "at": at,
        "organisation_id": one.organisation_id,
        "actor": one.actor,
        "type": one.type,
        "subject": one.subject,
        "payload": one.payload,
        "previous_hash": previous,
    }
    return {**row, "hash": event_hash(row)}


def event_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 of the row as canonical JSON: a list in this order, keys sorted, no spaces, UTF-8."""
    content = [row[name] for name in HASHED]
    content[1] = row["at"].isoformat(timespec="microseconds")
    form = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return sha256(form.encode()).hexdigest()
