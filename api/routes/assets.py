"""Assets: search, edit, and everything that was made of one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, Editor, Reader, Uploader, may
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once, answered
from api.links import file_link
from api.models import assets as model
from api.models import jobs as job_model
from api.models import renditions as rendition_model
from api.models.common import FileLink, Moment, Page
from api.pages import Cursor, Limit, page
from api.recipes import check_recipe
from api.store_threads import asks_store
from api.subtitle_files import kept_subtitles, read_subtitles
from api.views.assets import asset
from api.views.jobs import accepted
from api.views.renditions import rendition
from storage import schema
from storage.catalogue import assets, jobs, programmes, renditions
from storage.errors import VersionConflict
from workers.broker import send_ready

router = APIRouter(prefix="/v1/assets", tags=["assets"])
SourceReader = Annotated[Caller, Depends(may(Action.READ_SOURCES))]


@router.get("")
def search_assets(
    backend: BackendDep,
    caller: Reader,
    text: Annotated[
        str | None,
        Query(
            max_length=200,
            description="In title, file name or metadata: in their first 20,000 characters, in "
            "that order.",
        ),
    ] = None,
    state: model.AssetState | None = None,
    created_after: Moment | None = None,
    created_before: Moment | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[model.AssetSummary]:
    """Assets of this organisation, newest first."""
    with backend.database.read() as session:
        found = assets.search_assets(
            session,
            caller.organisation_id,
            text=text,
            state=state,
            created_after=created_after,
            created_before=created_before,
            cursor=cursor,
            limit=limit,
        )
        return page(found, model.AssetSummary)


@router.get("/{asset_id}")
def show_asset(
    asset_id: str, response: Response, backend: BackendDep, caller: Reader
) -> model.Asset:
    """The asset with its source as it really decodes, and what was measured."""
    with backend.database.read() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        response.headers["ETag"] = _etag(row)
        return asset(row)


@router.patch("/{asset_id}")
def edit_asset(
    asset_id: str,
    body: model.AssetEdit,
    response: Response,
    backend: BackendDep,
    caller: Editor,
    if_match: Annotated[str | None, Header(description='The ETag that was read, as `"3"`.')] = None,
) -> model.Asset:
    """Change title or metadata. With If-Match, only if nobody else did meanwhile: 412 otherwise.

    A body without a field changes nothing, and makes no new version.
    """
    version = _version(if_match)
    with backend.database.begin() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        if body.title is None and body.metadata is None:
            _check_version(row, version)
        else:
            row = assets.edit_asset(
                session,
                row,
                title=body.title,
                metadata=body.metadata,
                version=version,
                actor=caller.key_id,
            )
        response.headers["ETag"] = _etag(row)
        return asset(row)


@router.get("/{asset_id}/source")
def sign_source(asset_id: str, backend: BackendDep, caller: SourceReader) -> FileLink:
    """A signed URL of the untouched master."""
    with backend.database.read() as session:
        row = assets.get_asset(session, caller.organisation_id, asset_id)
        return file_link(
            backend,
            row.source_key,
            sha256=row.sha256,
            size_bytes=row.size_bytes,
            file_name=row.file_name,
        )


@router.get("/{asset_id}/renditions")
def list_renditions(
    asset_id: str, backend: BackendDep, caller: Reader
) -> rendition_model.Renditions:
    """Every rendition of every job of this asset, with facts and scores, without its commands."""
    with backend.database.read() as session:
        assets.get_asset(session, caller.organisation_id, asset_id)
        rows = renditions.list_renditions(session, caller.organisation_id, asset_id)
        read = programmes.readings(session, asset_id)
        found = [rendition(row, scores, read[row.job_id].programme) for row, scores in rows]
        return rendition_model.Renditions(data=found)


@router.get("/{asset_id}/jobs")
def list_asset_jobs(
    asset_id: str,
    backend: BackendDep,
    caller: Reader,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[job_model.JobSummary]:
    """The jobs of one asset, newest first."""
    with backend.database.read() as session:
        assets.get_asset(session, caller.organisation_id, asset_id)
        found = jobs.list_jobs(
            session, caller.organisation_id, asset_id=asset_id, cursor=cursor, limit=limit
        )
        return page(found, job_model.JobSummary)


@router.post("/{asset_id}/jobs", status_code=202, response_model=job_model.JobSummary)
@asks_store
def start_job(
    asset_id: str, body: job_model.NewJob, backend: BackendDep, caller: Uploader, ticket: TicketDep
) -> Response:
    """More renditions of an asset that is already there; finished ones are kept."""
    if (remembered := answered(backend, caller, ticket)) is not None:
        return remembered
    subtitles = read_subtitles(body.subtitles)
    if subtitles:
        with backend.database.begin() as session:
            row = assets.get_asset(session, caller.organisation_id, asset_id)
            check_recipe(session, caller, body, backend.settings.beat_s, row, replace=body.replace)
            jobs.mark_untidy(session, asset_id)  # what is stored now may end without a row
    with kept_subtitles(backend.objects, asset_id, subtitles) as kept:

        def start(session: Session) -> Answer:
            row = assets.get_asset(session, caller.organisation_id, asset_id)
            recipe = check_recipe(
                session, caller, body, backend.settings.beat_s, row, replace=body.replace
            )
            job = jobs.start_job(session, row, recipe | kept.recipe, caller.key_id)
            ready = jobs.ready_steps(session, job.id)

            def then() -> None:
                kept.named = True
                send_ready(backend.broker, backend.database, ready)

            return accepted(job, then)

        return answer_once(backend, caller, ticket, start)


def _etag(row: schema.Asset) -> str:
    return f'"{row.version}"'


def _version(if_match: str | None) -> int | None:
    """The version that If-Match names; `*` and no header name any."""
    if if_match is None or if_match.strip() == "*":
        return None
    text = if_match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise VersionConflict(f"{text[:40]!r} is no ETag of an asset: read it again for its own.")
    return int(text)


def _check_version(row: schema.Asset, version: int | None) -> None:
    if version not in {None, row.version}:
        raise VersionConflict(
            f"asset {row.id} is at version {row.version}, not {version}: read it again"
        )
