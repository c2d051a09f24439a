"""Uploads: from a declaration to bytes that a worker can prove."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from pipelines.errors import HashMismatch
from storage.catalogue import events, jobs
from storage.catalogue.locks import lock_job
from storage.catalogue.pages import Page, newest_first
from storage.clock import now
from storage.errors import (
    UploadConflict,
    UploadNotFound,
)
from storage.ids import new_id
from storage.schema import Job, Upload
from storage.text import storable

MIB = 1024 * 1024
SMALLEST_PART_BYTES = 64 * MIB
MOST_PARTS = 9_000  # S3 allows 10,000
SYSTEM = "system"
STORE_ENDS = timedelta(hours=1)  # [P] what the store began before that has ended
DEAD = ("aborted", "expired", "rejected")  # for ever: none of them becomes an asset


def part_size(size_bytes: int) -> int:
    """`max(64 MiB, ceil(size / 9000))`."""
    return max(SMALLEST_PART_BYTES, -(-size_bytes // MOST_PARTS))


def part_count(size_bytes: int, part_size_bytes: int) -> int:
    """An empty file has one part, of no bytes."""
    return max(1, -(-size_bytes // part_size_bytes))


def create_upload(
    session: Session,
    *,
    organisation_id: str,
    title: str,
    file_name: str,
    size_bytes: int,
    part_size_bytes: int,
    key: str,
    declared: Mapping[str, str],
    request: Mapping[str, Any],
    expires_at: datetime,
    actor: str,
    asset_id: str | None = None,
    id: str | None = None,  # noqa: A002 - the word of the column
) -> Upload:
    """An open upload; `asset_id` is the id that the asset will have.

    `request` holds `ladder` or `profiles`, `zone` and `metadata`, as far as they were given.
    """
    upload = Upload(
        id=id or new_id("upl"),
        organisation_id=organisation_id,
        state="open",
        asset_id=asset_id or new_id("ast"),
        title=storable(title, "title"),
        file_name=storable(file_name, "file_name"),
        size_bytes=size_bytes,
        part_size_bytes=part_size_bytes,
        key=key,
        store_upload_id="",  # until `begin_in_store`
        declared=_lower(declared),
        request=dict(request),
        created_at=now(session),
        expires_at=expires_at,
    )
    session.add(upload)
    session.flush()
    payload = {"asset_id": upload.asset_id, "file_name": file_name, "size_bytes": size_bytes}
    _note(session, upload, "upload.created", actor, payload)
    return upload


def get_upload(session: Session, organisation_id: str, upload_id: str) -> Upload:
    """Raises `UploadNotFound`, also for another organisation's."""
    upload = session.get(Upload, upload_id)
    if upload is None or upload.organisation_id != organisation_id:
        raise UploadNotFound(f"there is no upload {upload_id}")
    return upload


def list_uploads(
    session: Session,
    organisation_id: str,
    *,
    state: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Upload]:
    """Newest first. Raises `InvalidCursor`."""
    query = select(Upload).where(Upload.organisation_id == organisation_id)
    if state is not None:
        query = query.where(Upload.state == state)
    return newest_first(session, query, Upload, cursor=cursor, limit=limit)


def need_open(upload: Upload) -> None:
    """Raise `UploadConflict` unless parts may still come."""
    if upload.state != "open":
        raise UploadConflict(
            f"upload {upload.id} is {upload.state}: it takes no parts, and cannot be completed or "
            "aborted; begin a new one"
        )


def complete_upload(
    session: Session, upload: Upload, actor: str, declared: Mapping[str, str] | None = None
) -> Job:
    """The object is whole: begin the job, whose first step proves the bytes.

    `declared` adds hashes that the client learnt on the way. Raises `UploadConflict` when it is not
    open (any more), `HashMismatch` when a hash contradicts an earlier one.
    """
    upload = _locked(session, upload)
    need_open(upload)
    upload.declared = agreeing(upload, declared or {})
    upload.state, upload.completed_at = "complete", now(session)
    job = jobs.begin_ingest(session, upload, actor)
    upload.job_id = job.id
    _note(session, upload, "upload.completed", actor, {"job_id": job.id})
    return job


def begin_in_store(session: Session, upload: Upload, store_upload_id: str) -> Upload:
    """Note under which id the store takes the parts; the first to note one wins.

    The row of the upload is made first, so that nothing in the store belongs to nobody.
    """
    upload = _locked(session, upload)
    need_open(upload)
    upload.store_upload_id = upload.store_upload_id or store_upload_id
    return upload


def undo_upload(session: Session, upload: Upload, *, row_stays: bool) -> bool:
    """The store could not begin it: it is as if nobody had asked, but for the events.

    `row_stays`, aborted, where it names what is in the store: see `uploads_to_clean`. Returns
    whether the row is gone; where somebody else's try came through the upload stays.
    """
    upload = _locked(session, upload)
    if upload.store_upload_id:
        return False
    _note(session, upload, "upload.aborted", SYSTEM)
    if row_stays:
        upload.state = "aborted"
    else:
        session.delete(upload)
    return not row_stays


def keep_open(session: Session, upload: Upload, expires_at: datetime) -> None:
    """Somebody still sends parts: the upload's time begins anew."""
    session.execute(
        update(Upload)
        .where(Upload.id == upload.id, Upload.state == "open", Upload.expires_at < expires_at)
        .values(expires_at=expires_at)
        .execution_options(synchronize_session=False)
    )


def lose_upload(session: Session, upload: Upload) -> None:
    """The store does not know the parts of an open upload any more: it can only begin anew."""
    upload = _locked(session, upload)
    if upload.state == "open":
        _mark_expired(session, upload)


def abort_upload(session: Session, upload: Upload, actor: str) -> Upload:
    """The client does not want it any more, nor to retry a job that failed before there was an
    asset. Raises `UploadConflict`.
    """
    upload = _locked(session, upload)
    if not _given_up(session, upload):
        need_open(upload)
    upload.state = "aborted"
    _note(session, upload, "upload.aborted", actor)
    return upload


def late_uploads(
    session: Session, moment: datetime, retry_within_s: float, limit: int = 100
) -> list[Upload]:
    """Uploads whose time is over: `expire_upload`, or `complete_upload` where the object is whole.

    Also complete ones whose job ended `retry_within_s` ago without an asset: nobody retried it.
    Any of them, so that many for which that cannot be done hide none.
    """
    late = Upload.expires_at < moment
    unsent = select(Upload).where(Upload.state == "open", late).order_by(func.random())
    unwanted = (
        select(Upload)
        .join(Job, Job.id == Upload.job_id)
        .where(Upload.state == "complete", Job.state.in_(("failed", "cancelled")))
        .where(Job.finished_at < moment - timedelta(seconds=retry_within_s))
        .order_by(func.random())
    )
    return [*session.scalars(unsent.limit(limit)), *session.scalars(unwanted.limit(limit))]


def expire_upload(session: Session, upload: Upload, moment: datetime) -> None:
    """Close it, if it still is as it was found: a part, or a retry, may have come in between."""
    upload = _locked(session, upload)
    late = upload.state == "open" and upload.expires_at < moment
    if late or _given_up(session, upload):
        _mark_expired(session, upload)


def _mark_expired(session: Session, upload: Upload) -> None:
    upload.state = "expired"
    _note(session, upload, "upload.expired", SYSTEM)


def reject_upload(session: Session, upload: Upload, error: Mapping[str, Any]) -> None:
    """The bytes are not what was declared: it never becomes an asset. Twice is as good as once."""
    upload = _locked(session, upload)
    if upload.state == "rejected":
        return
    upload.state, upload.error = "rejected", dict(error)
    _note(session, upload, "upload.rejected", SYSTEM, {"error": dict(error)})


def uploads_to_clean(session: Session, moment: datetime, limit: int = 100) -> list[Upload]:
    """Uploads that will never be an asset and whose parts or object may still be in the store.

    Abort the multipart upload, delete the key, then `mark_cleaned`; all of it may be done twice.
    Any of them, so that many that cannot be cleaned hide none.
    """
    again = Upload.clean_again_at
    query = (
        select(Upload)
        .where(Upload.state.in_(DEAD), Upload.cleaned_at.is_(None))
        .where(or_(again.is_(None), again < moment))
    )
    return list(session.scalars(query.order_by(func.random()).limit(limit)))


def mark_cleaned(session: Session, upload: Upload) -> None:
    """Nothing of the upload, as `uploads_to_clean` found it, is left in the store.

    The first time that says little: a completion, or the PUT of a part, that the store was at may
    end later, whether or not anybody hears of it. So it is cleaned once more.
    """
    row = session.get_one(Upload, upload.id)
    if upload.clean_again_at is None:
        row.clean_again_at = now(session) + STORE_ENDS
    else:
        row.cleaned_at = now(session)


def agreeing(upload: Upload, declared: Mapping[str, str]) -> dict[str, Any]:
    """Every hash that was declared so far. Raises `HashMismatch` where two disagree."""
    for algorithm, value in _lower(declared).items():
        earlier = upload.declared.get(algorithm)
        if earlier not in {None, value}:
            raise HashMismatch(
                f"{algorithm} was declared as {earlier} when the upload began and is {value} now: "
                "abort it and upload the file again"
            )
    return {**upload.declared, **_lower(declared)}


def _lower(declared: Mapping[str, str]) -> dict[str, Any]:
    return {name: value.lower() for name, value in declared.items() if value}


def _given_up(session: Session, upload: Upload) -> bool:
    """Its job failed or was cancelled before there was an asset; it is locked by `_locked`."""
    job = session.get(Job, upload.job_id) if upload.state == "complete" else None
    return job is not None and job.asset_id is None and job.state in {"failed", "cancelled"}


def _locked(session: Session, upload: Upload) -> Upload:
    """The upload as it is now, held until the end of the transaction; its job's row before it."""
    if upload.job_id is not None:
        lock_job(session, upload.job_id)
    query = select(Upload).where(Upload.id == upload.id).with_for_update(key_share=True)
    return session.scalars(query.execution_options(populate_existing=True)).one()


def _note(
    session: Session, upload: Upload, what: str, actor: str, payload: dict[str, Any] | None = None
) -> None:
    events.append(
        session,
        type=what,
        subject=upload.id,
        organisation_id=upload.organisation_id,
        actor=actor,
        payload=payload,
    )
