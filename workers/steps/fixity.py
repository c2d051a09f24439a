"""Prove the uploaded bytes: only what has the declared size and hashes becomes an asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from pipelines.errors import HashMismatch
from pipelines.fixity import digest
from storage.catalogue import assets, jobs, uploads
from storage.catalogue.steps import Claimed, NewStep
from storage.errors import StoreUnavailable
from workers.context import StepContext, StepResult


@dataclass(frozen=True, slots=True)
class _Declared:
    upload_id: str
    key: str
    size_bytes: int
    hashes: Mapping[str, str]


def run(context: StepContext) -> StepResult:
    """Hash the stored object; SHA-256 always, and whatever else was declared."""
    declared = context.read(lambda session: _declared(session, context.step))
    stored_bytes = context.patiently(lambda: _stored_bytes(context, declared))
    if stored_bytes != declared.size_bytes:
        raise HashMismatch(
            f"{stored_bytes} bytes are stored and {declared.size_bytes} were declared: "
            "upload the file again"
        )
    algorithms = tuple(sorted({"sha256", *declared.hashes}))
    found = _read(context, declared.key, algorithms)
    if _differing(declared.hashes, found):
        # A worker's memory or a link may have changed a bit: bytes that are thrown away for one
        # reading may be the only ones.
        found = _read(context, declared.key, algorithms)
    for algorithm in _differing(declared.hashes, found):
        raise HashMismatch(
            f"the stored bytes have {algorithm} {found[algorithm]}, declared was "
            f"{declared.hashes[algorithm]}: the file changed on its way, or the checksum is "
            "another file's; upload it again"
        )

    def apply(session: Session) -> None:
        job = jobs.get_job(session, context.step.organisation_id, context.step.job_id)
        upload = uploads.get_upload(session, job.organisation_id, declared.upload_id)
        assets.create_asset(session, upload, job, sha256=found["sha256"])

    return StepResult(
        result={"size_bytes": stored_bytes, **found},
        new_steps=(
            NewStep("inspect", "inspect the source", {}),
            NewStep("plan", "plan the renditions", {}, after=("inspect",)),
        ),
        apply=apply,
    )


def _declared(session: Session, step: Claimed) -> _Declared:
    job = jobs.get_job(session, step.organisation_id, step.job_id)
    upload = uploads.get_upload(session, step.organisation_id, str(job.upload_id))
    hashes = {name: str(value).lower() for name, value in upload.declared.items() if value}
    return _Declared(upload.id, upload.key, upload.size_bytes, hashes)


def _stored_bytes(context: StepContext, declared: _Declared) -> int:
    """The object's size. Before one that differs throws a master away its bytes are counted."""
    said = context.objects.stat(declared.key).size_bytes
    if said == declared.size_bytes:
        return said
    counted, end = 0, declared.size_bytes + 1
    for block in context.objects.open_range(declared.key, 0, end):
        context.check()
        counted += len(block)
    if counted != min(said, end):
        raise StoreUnavailable(
            f"the object store says that {declared.key} has {said} bytes, and gives {counted}: "
            "see what stands before it"
        )
    return said


def _read(context: StepContext, key: str, algorithms: Sequence[str]) -> Mapping[str, str]:
    with context.fetch(key) as path:
        return context.follow(digest(path, algorithms))


def _differing(declared: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [name for name, expected in declared.items() if found[name] != expected]


def failed(session: Session, step: Claimed, error: Mapping[str, Any]) -> None:
    """Bytes that are not what was declared never become an asset; the sweeper removes them.

    Any other failure, as of a full disk, says nothing about the bytes: the job can be retried.
    """
    if error["code"] != HashMismatch.code:
        return
    job = jobs.get_job(session, step.organisation_id, step.job_id)
    upload = uploads.get_upload(session, step.organisation_id, str(job.upload_id))
    uploads.reject_upload(session, upload, dict(error))
