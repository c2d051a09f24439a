"""The answer that a POST with an Idempotency-Key got, for when the client asks again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from storage.clock import now
from storage.errors import IdempotencyInProgress, IdempotencyKeyReused
from storage.schema import IdempotencyRecord
from storage.text import storable

IN_PROGRESS = 0  # the status of a record whose answer is not known yet
STALE_S = 60.0  # [P] a first request that did not answer in this time died
KEEP_S = 86_400.0  # [P]


def begin(
    session: Session, organisation_id: str, key: str, request_sha256: str
) -> IdempotencyRecord | None:
    """`None`: go on, nobody asked this before. Else the answer that was given.

    Commit this before the work begins, then `complete` or `forget`. Raises `IdempotencyKeyReused`
    for another request under the same key, `IdempotencyInProgress` while the first one runs.
    """
    moment = now(session)
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = session.scalar(
        dialect.insert(IdempotencyRecord)
        .values(
            organisation_id=organisation_id,
            key=storable(key, "Idempotency-Key"),
            request_sha256=request_sha256,
            status=IN_PROGRESS,
            headers={},
            body="",
            created_at=moment,
        )
        .on_conflict_do_nothing()
        .returning(IdempotencyRecord.key)
    )
    return None if made is not None else _known(session, organisation_id, key, request_sha256)


def complete(
    session: Session,
    organisation_id: str,
    key: str,
    *,
    status: int,
    headers: Mapping[str, str],
    body: str,
) -> None:
    """Keep the answer; in the transaction of the work itself, if there is one."""
    record = session.get_one(IdempotencyRecord, (organisation_id, key))
    record.status, record.headers, record.body = status, dict(headers), body


def forget(session: Session, organisation_id: str, key: str) -> None:
    """The work failed and changed nothing: the same key may be used again."""
    session.execute(
        delete(IdempotencyRecord).where(
            IdempotencyRecord.organisation_id == organisation_id,
            IdempotencyRecord.key == key,
            IdempotencyRecord.status == IN_PROGRESS,
        )
    )


def expire(session: Session, moment: datetime) -> None:
    """Remove what is older than a day."""
    old = moment - timedelta(seconds=KEEP_S)
    session.execute(delete(IdempotencyRecord).where(IdempotencyRecord.created_at < old))


def _known(
    session: Session, organisation_id: str, key: str, request_sha256: str
) -> IdempotencyRecord | None:
    query = (
        select(IdempotencyRecord)
        .where(IdempotencyRecord.organisation_id == organisation_id, IdempotencyRecord.key == key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    record = session.scalars(query).one()
    if record.request_sha256 != request_sha256:
        raise IdempotencyKeyReused(
            f"Idempotency-Key {key!r} belongs to another request: choose a new key"
        )
    if record.status != IN_PROGRESS:
        return record
    if now(session) - record.created_at < timedelta(seconds=STALE_S):
        raise IdempotencyInProgress("the first request with this key is still running: ask again")
    record.created_at = now(session)
    return None
