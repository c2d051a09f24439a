"""Uploads: begin, sign parts, list what the store holds, complete, abort."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, Reader, Uploader
from api.backend import Backend, BackendDep
from api.idempotency import Answer, Ticket, TicketDep, answer_once, answered
from api.links import expiry
from api.models import uploads as model
from api.models.common import Page
from api.pages import Cursor, Limit
from api.recipes import check_recipe
from api.refusals import UnknownPart, UploadTooLarge
from api.store_threads import asks_store
from api.subtitle_files import KeptFiles, kept_subtitles, read_subtitles
from api.views.uploads import upload
from pipelines.errors import EmptyFile, KapokError
from storage import schema
from storage.catalogue import idempotency, jobs, uploads
from storage.errors import (
    MultipartNotFound,
    PartMissing,
    PartTooSmall,
    SizeMismatch,
    StoreUnavailable,
    UploadConflict,
)
from storage.ids import new_id
from storage.objects import Part, is_whole
from workers.broker import send_ready

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1/uploads", tags=["uploads"])


@router.post("", status_code=201, response_model=model.Upload)
@asks_store
def begin_upload(
    body: model.NewUpload, backend: BackendDep, caller: Uploader, ticket: TicketDep
) -> Response:
    """Declare a file. Then sign its parts, PUT them in any order and in parallel, and complete.

    分片大小由服务端决定；断点续传时以 `GET /v1/uploads/{id}/parts` 的结果为准。
    """
    _check_size(backend, body)
    if (remembered := answered(backend, caller, ticket)) is not None:
        return remembered
    subtitles = read_subtitles(body.subtitles)
    if subtitles:
        with backend.database.read() as session:  # before anything is stored for it
            check_recipe(session, caller, body, backend.settings.beat_s)
    asset_id = new_id("ast")
    with kept_subtitles(backend.objects, asset_id, subtitles) as kept:
        return answer_once(
            backend,
            caller,
            ticket,
            lambda session: _begin(session, backend, caller, ticket, body, asset_id, kept),
        )


def _begin(
    session: Session,
    backend: Backend,
    caller: Caller,
    ticket: Ticket,
    body: model.NewUpload,
    asset_id: str,
    kept: KeptFiles,
) -> Answer:
    recipe = check_recipe(session, caller, body, backend.settings.beat_s)
    upload_id = new_id("upl")
    row = uploads.create_upload(
        session,
        id=upload_id,
        asset_id=asset_id,
        organisation_id=caller.organisation_id,
        title=body.title,
        file_name=body.file_name,
        size_bytes=body.size_bytes,
        part_size_bytes=uploads.part_size(body.size_bytes),
        key=f"assets/{asset_id}/source/{upload_id}",
        declared=body.declared(),
        request={**recipe, **kept.recipe, "metadata": body.metadata},
        expires_at=expiry(backend.settings.upload_ttl_s),
        actor=caller.key_id,
    )
    return Answer(
        201,
        upload(row),
        {"Location": f"/v1/uploads/{row.id}"},
        then=lambda: _begin_or_undo(backend, row, ticket, kept),
    )


@router.get("")
def list_uploads(
    backend: BackendDep,
    caller: Reader,
    state: model.UploadState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[model.Upload]:
    """Uploads of this organisation, newest first."""
    with backend.database.read() as session:
        found = uploads.list_uploads(
            session, caller.organisation_id, state=state, cursor=cursor, limit=limit
        )
        return Page(
            data=[upload(row) for row in found.data],
            next_cursor=found.next_cursor,
            has_more=found.has_more,
        )


@router.get("/{upload_id}")
def show_upload(upload_id: str, backend: BackendDep, caller: Reader) -> model.Upload:
    """Its state; `error` says why a rejected one never became an asset."""
    return upload(_find(backend, caller, upload_id))


@router.post("/{upload_id}/parts")
@asks_store
def sign_parts(
    upload_id: str, body: model.PartNumbers, backend: BackendDep, caller: Uploader
) -> model.SignedParts:
    """Signed URLs, each for one PUT of a part straight to the store. Ask again when they expire."""
    found = _find_open(backend, caller, upload_id)
    _refuse_publishing(caller, found)
    row = _begun(backend, found)
    with backend.database.begin() as session:
        uploads.keep_open(session, row, expiry(backend.settings.upload_ttl_s))
    ttl_s = backend.settings.signed_url_ttl_s
    expires_at = expiry(ttl_s)
    signed = []
    for number in dict.fromkeys(body.numbers):
        url = backend.objects.sign_part(row.key, row.store_upload_id, number, ttl_s)
        size_bytes = _part_bytes(row, number)
        signed.append(
            model.SignedPart(number=number, size_bytes=size_bytes, url=url, expires_at=expires_at)
        )
    return model.SignedParts(parts=signed)


@router.get("/{upload_id}/parts")
@asks_store
def list_parts(upload_id: str, backend: BackendDep, caller: Uploader) -> model.StoredParts:
    """The parts that the store holds whole: send the others, and only those."""
    row = _begun(backend, _find_open(backend, caller, upload_id))
    found = _stored_parts(backend, row)
    return model.StoredParts(parts=[model.StoredPart.model_validate(part) for part in found])


@router.post("/{upload_id}/complete", status_code=202, response_model=model.Upload)
@asks_store
def complete_upload(
    upload_id: str,
    backend: BackendDep,
    caller: Uploader,
    ticket: TicketDep,
    body: model.CompleteUpload | None = None,
) -> Response:
    """All parts are sent: begin the job, whose first step proves the bytes. `Location` names it."""
    declared = body.declared() if body is not None else {}
    found = _find(backend, caller, upload_id)
    _refuse_publishing(caller, found)

    def complete(session: Session) -> Answer:
        row = uploads.get_upload(session, caller.organisation_id, upload_id)
        job = uploads.complete_upload(session, row, caller.key_id, declared)
        ready = jobs.ready_steps(session, job.id)
        done = uploads.get_upload(session, caller.organisation_id, upload_id)
        return Answer(
            202,
            upload(done),
            {"Location": f"/v1/jobs/{job.id}"},
            then=lambda: send_ready(backend.broker, backend.database, ready),
        )

    if found.state == "open":
        uploads.agreeing(found, declared)  # else the parts would be gone for nothing
        with backend.database.begin() as session:  # it must not expire while the store is at it
            uploads.keep_open(session, found, expiry(backend.settings.upload_ttl_s))
        _complete_in_store(backend, _begun(backend, found))
    return answer_once(backend, caller, ticket, complete)


@router.delete("/{upload_id}", status_code=204)
@asks_store
def abort_upload(upload_id: str, backend: BackendDep, caller: Uploader) -> None:
    """Give up an upload: an open one, or one whose job failed before there was an asset."""
    with backend.database.begin() as session:
        row = uploads.get_upload(session, caller.organisation_id, upload_id)
        aborted = uploads.abort_upload(session, row, caller.key_id)
    try:
        if aborted.store_upload_id:
            backend.objects.abort_multipart(aborted.key, aborted.store_upload_id)
    except StoreUnavailable as error:
        log.warning("the sweeper will remove the parts of %s: %s", upload_id, error)


def _refuse_publishing(caller: Caller, row: schema.Upload) -> None:
    """Whose bytes go into an upload that ends in a zone, publishes them."""
    if "zone" in row.request:
        caller.require(Action.PUBLISH)


def _find(backend: Backend, caller: Caller, upload_id: str) -> schema.Upload:
    with backend.database.read() as session:
        return uploads.get_upload(session, caller.organisation_id, upload_id)


def _find_open(backend: Backend, caller: Caller, upload_id: str) -> schema.Upload:
    row = _find(backend, caller, upload_id)
    uploads.need_open(row)
    return row


def _begin_or_undo(backend: Backend, row: schema.Upload, ticket: Ticket, kept: KeptFiles) -> None:
    """A store that cannot begin the upload says so now, and the client asks again later.

    One that is away cannot give back what it has kept either: then the row stays for the sweeper.
    """
    kept.named = True
    try:
        _begun(backend, row)
    except KapokError as error:
        stays = bool(kept.recipe) and isinstance(error, StoreUnavailable)
        with backend.database.begin() as session:
            gone = uploads.undo_upload(session, row, row_stays=stays)
            if ticket.key is not None:
                idempotency.forget(session, row.organisation_id, ticket.key)
        kept.named = not gone
        raise


def _begun(backend: Backend, row: schema.Upload) -> schema.Upload:
    """The upload, begun in the store if it was not yet. No transaction is open meanwhile."""
    if row.store_upload_id:
        return row
    mine = backend.objects.create_multipart(
        row.key, size_bytes=row.size_bytes, part_size_bytes=row.part_size_bytes
    )
    try:
        with backend.database.begin() as session:
            begun = uploads.begin_in_store(session, row, mine)
    except UploadConflict:
        backend.objects.abort_multipart(row.key, mine)
        raise
    if begun.store_upload_id != mine:  # somebody else was quicker
        backend.objects.abort_multipart(row.key, mine)
    return begun


def _stored_parts(backend: Backend, row: schema.Upload) -> list[Part]:
    """What the store holds of an open upload; one that the store has forgotten is closed.

    All of it where the store has made the object and the answer, or this process, was lost.
    """
    try:
        return backend.objects.list_parts(row.key, row.store_upload_id)
    except MultipartNotFound:
        if is_whole(backend.objects, row.key, row.size_bytes):
            count = uploads.part_count(row.size_bytes, row.part_size_bytes)
            return [Part(number, _part_bytes(row, number), "") for number in range(1, count + 1)]
        with backend.database.begin() as session:
            uploads.lose_upload(session, row)
        raise


def _check_size(backend: Backend, body: model.NewUpload) -> None:
    limit = backend.settings.max_upload_bytes
    if body.size_bytes == 0:
        raise EmptyFile(f"{body.file_name} has no bytes: export it again, then upload it.")
    if body.size_bytes > limit:
        raise UploadTooLarge(
            f"{body.file_name} has {body.size_bytes} bytes, this installation takes {limit}: "
            "split the file, or ask whoever runs it to raise the limit."
        )


def _part_bytes(row: schema.Upload, number: int) -> int:
    """The size that a part must have; only the last is smaller than the others."""
    count = uploads.part_count(row.size_bytes, row.part_size_bytes)
    if number > count:
        raise UnknownPart(f"Upload {row.id} has parts 1 to {count}, no part {number}.")
    return min(row.part_size_bytes, row.size_bytes - (number - 1) * row.part_size_bytes)


def _complete_in_store(backend: Backend, row: schema.Upload) -> None:
    """Make the object of its parts. Done twice it is done once, so a crash after it is no loss."""
    parts = _stored_parts(backend, row)
    _check_parts(row, parts)
    stored = backend.objects.complete_multipart(row.key, row.store_upload_id, parts)
    if stored != row.size_bytes:
        raise SizeMismatch(
            f"{stored} bytes are stored and {row.size_bytes} were declared: upload the file again."
        )


def _check_parts(row: schema.Upload, parts: Sequence[Part]) -> None:
    """S3 takes parts of any size, so each is compared here; the local store has done so before."""
    stored = {part.number: part.size_bytes for part in parts}
    count = uploads.part_count(row.size_bytes, row.part_size_bytes)
    missing = [number for number in range(1, count + 1) if number not in stored]
    if missing:
        few = ", ".join(str(number) for number in missing[:10]) + ("…" if missing[10:] else "")
        raise PartMissing(f"{len(missing)} of {count} parts are missing ({few}): send them first.")
    for number, size_bytes in stored.items():
        expected = _part_bytes(row, number)
        if size_bytes != expected:
            wrong = PartTooSmall if size_bytes < expected else SizeMismatch
            raise wrong(
                f"Part {number} has {size_bytes} bytes and must have {expected}: send it again."
            )
