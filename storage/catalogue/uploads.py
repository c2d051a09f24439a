"""Uploads: from a declaration to bytes that a worker can prove."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from pipelines.errors import HashMismatch
from storage.catalogue import events, jobs
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
    store_upload_id: str,
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
        store_upload_id=store_upload_id,
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
    upload.declared = _agreeing(upload, _lower(declared or {}))
    upload.state, upload.completed_at = "complete", now(session)
    job = jobs.begin_ingest(session, upload, actor)
    upload.job_id = job.id
    _note(session, upload, "upload.completed", actor, {"job_id": job.id})
    return job


def abort_upload(session: Session, upload: Upload, actor: str) -> Upload:
    """The client does not want it any more. Raises `UploadConflict`."""
    upload = _locked(session, upload)
    need_open(upload)
    upload.state = "aborted"
    _note(session, upload, "upload.aborted", actor)
    return upload


def expire_uploads(session: Session, moment: datetime, limit: int = 100) -> list[Upload]:
    """Close uploads whose time is over, and return them."""
    late = (
        select(Upload.id)
        .where(Upload.state == "open", Upload.expires_at < moment)
        .order_by(Upload.expires_at)
        .limit(limit)
    )
    closed = session.scalars(
        update(Upload)
        .where(Upload.id.in_(late), Upload.state == "open")
        .values(state="expired")
        .returning(Upload)
        .execution_options(synchronize_session=False, populate_existing=True)
    )
    expired = sorted(closed, key=lambda upload: upload.id)
    for upload in expired:
        _note(session, upload, "upload.expired", SYSTEM)
    return expired


def reject_upload(session: Session, upload: Upload, error: Mapping[str, Any]) -> None:
    """The bytes are not what was declared: it never becomes an asset. Twice is as good as once."""
    upload = _locked(session, upload)
    if upload.state == "rejected":
        return
    upload.state, upload.error = "rejected", dict(error)
    _note(session, upload, "upload.rejected", SYSTEM, {"error": dict(error)})


def uploads_to_clean(session: Session, limit: int = 100) -> list[Upload]:
    """Uploads that will never be an asset and whose parts or object may still be in the store.

    Abort the multipart upload, delete the key, then `mark_cleaned`; all of it may be done twice.
    """
    query = select(Upload).where(
        Upload.state.in_(("aborted", "expired", "rejected")), Upload.cleaned_at.is_(None)
    )
    return list(session.scalars(query.order_by(Upload.id).limit(limit)))


def mark_cleaned(session: Session, upload: Upload) -> None:
    """Nothing of the upload is left in the store."""
    session.get_one(Upload, upload.id).cleaned_at = now(session)


def _agreeing(upload: Upload, declared: Mapping[str, str]) -> dict[str, Any]:
    for algorithm, value in declared.items():
        earlier = upload.declared.get(algorithm)
        if earlier not in {None, value}:
            raise HashMismatch(
                f"{algorithm} was declared as {earlier} when the upload began and is {value} now: "
                "abort it and upload the file again"
            )
    return {**upload.declared, **declared}


def _lower(declared: Mapping[str, str]) -> dict[str, Any]:
    return {name: value.lower() for name, value in declared.items() if value}


def _locked(session: Session, upload: Upload) -> Upload:
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
