"""Renditions: proof and download."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Reader
from api.backend import BackendDep
from api.links import file_link
from api.models import renditions as model
from api.models.common import FileLink
from api.refusals import NotMadeYet
from api.views.renditions import rendition
from storage.catalogue import programmes, renditions

router = APIRouter(prefix="/v1/renditions", tags=["renditions"])


@router.get("/{rendition_id}")
def show_rendition(rendition_id: str, backend: BackendDep, caller: Reader) -> model.Rendition:
    """What the file says when read back, its scores with their models, and how it was made."""
    with backend.database.read() as session:
        row = renditions.get_rendition(session, caller.organisation_id, rendition_id)
        read = programmes.readings(session, row.asset_id)[row.job_id]
        scores = renditions.measurements(session, row.id)
        return rendition(row, scores, read.programme, row.commands)


@router.get("/{rendition_id}/download")
def sign_rendition(rendition_id: str, backend: BackendDep, caller: Reader) -> FileLink:
    """A signed URL of the finished file; check its SHA-256 after the download."""
    with backend.database.read() as session:
        row = renditions.get_rendition(session, caller.organisation_id, rendition_id)
    if row.state != "ready" or row.key is None or row.sha256 is None or row.size_bytes is None:
        raise NotMadeYet(f"Rendition {rendition_id} is {row.state}: only a ready one has a file.")
    name = f"{row.profile}.{row.rung['container']}"
    return file_link(backend, row.key, sha256=row.sha256, size_bytes=row.size_bytes, file_name=name)
