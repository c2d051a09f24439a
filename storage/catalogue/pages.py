"""Cursor pagination, newest first, over rows with `created_at` and `id`."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, tuple_
from sqlalchemy.orm import Session

from storage.errors import InvalidCursor

T = TypeVar("T")
MAX_LIMIT = 500
_ID = re.compile(r"[a-z]{2,5}_[0-9a-z]{1,40}")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    data: list[T]
    next_cursor: str | None
    has_more: bool


def newest_first(
    session: Session, query: Select[T], row: Any, *, cursor: str | None, limit: int
) -> Page[T]:
    """One page of `query`, whose entity is `row`. Raises `InvalidCursor`."""
    query = query.order_by(row.created_at.desc(), row.id.desc())
    if cursor:
        query = query.where(tuple_(row.created_at, row.id) < tuple_(*decode(cursor)))
    limit = max(1, min(limit, MAX_LIMIT))
    found = list(session.scalars(query.limit(limit + 1)))
    return page_of(found, limit)


def page_of(found: list[T], limit: int) -> Page[T]:
    """The first `limit` of the rows; one more tells that there is a next page."""
    data = found[:limit]
    more = len(found) > limit
    return Page(data, _encode(data[-1]) if more else None, more)


def _encode(row: Any) -> str:
    text = f"{row.created_at.astimezone(UTC).isoformat(timespec='microseconds')} {row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode(cursor: str) -> tuple[datetime, str]:
    """The last row of the page before. Raises `InvalidCursor`."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        at, _, identifier = base64.urlsafe_b64decode(padded).decode("ascii").partition(" ")
        moment = datetime.fromisoformat(at).astimezone(UTC)
    except (ValueError, binascii.Error, OverflowError) as error:
        raise _foreign() from error
    if not _ID.fullmatch(identifier):  # PostgreSQL would stumble over a NUL in it
        raise _foreign()
    return moment, identifier


def _foreign() -> InvalidCursor:
    return InvalidCursor("this cursor was not made by Kapok: begin again without one")
