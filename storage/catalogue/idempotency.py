"""The answer that a POST with an Idempotency-Key got, for when the client asks again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.clock import now
from storage.errors import IdempotencyKeyReused
from storage.schema import IdempotencyRecord
from storage.text import storable

UNANSWERED = 0  # until `complete`: never seen outside of the transaction that answers
KEEP_S = 86_400.0  # [P]


def begin(
    session: Session, organisation_id: str, key: str, request_sha256: str
) -> IdempotencyRecord | None:
    """`None`: go on, nobody asked this before. Else the answer that was given.

    The work and `complete` follow in the same transaction: a twin waits here for its commit, and
    an error leaves the key free. Raises `IdempotencyKeyReused` for another request under it.
    """
    moment = now(session)
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = session.scalar(
        dialect.insert(IdempotencyRecord)
        .values(
            organisation_id=organisation_id,
            key=storable(key, "Idempotency-Key"),
            request_sha256=request_sha256,
            status=UNANSWERED,
            headers={},
            body="",
            created_at=moment,
        )
        .on_conflict_do_nothing()
        .returning(IdempotencyRecord.key)
    )
    return None if made is not None else _known(session, organisation_id, key, request_sha256)


def find(
    session: Session, organisation_id: str, key: str, request_sha256: str
) -> IdempotencyRecord | None:
    """The answer that was given to this request before, without beginning anything.

    Raises `IdempotencyKeyReused` for another request under the key.
    """
    there = session.get(IdempotencyRecord, (organisation_id, storable(key, "Idempotency-Key")))
    return there and _known(session, organisation_id, key, request_sha256)


def complete(
    session: Session,
    organisation_id: str,
    key: str,
    *,
    status: int,
    headers: Mapping[str, str],
    body: str,
) -> None:
    """Keep the answer, in the transaction of the work itself."""
    record = session.get_one(IdempotencyRecord, (organisation_id, key))
    record.status, record.headers, record.body = status, dict(headers), body


def forget(session: Session, organisation_id: str, key: str) -> None:
    """What was answered had to be undone: the key may be used again."""
    session.execute(
        delete(IdempotencyRecord).where(
            IdempotencyRecord.organisation_id == organisation_id, IdempotencyRecord.key == key
        )
    )


def expire(session: Session, moment: datetime) -> None:
    """Remove what is older than a day."""
    old = moment - timedelta(seconds=KEEP_S)
    session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < old))


def _known(
    session: Session, organisation_id: str, key: str, request_sha256: str
) -> IdempotencyRecord:
    record = session.get_one(IdempotencyRecord, (organisation_id, key))
    if record.request_sha256 != request_sha256:
        raise IdempotencyKeyReused(
            f"Idempotency-Key {key!r} belongs to another request: choose a new key"
        )
    return record
