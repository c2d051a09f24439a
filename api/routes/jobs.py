"""Jobs: how far they are, cancel, retry."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.auth import Action, Reader, Uploader
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import jobs as model
from api.models.common import Page
from api.pages import Cursor, Limit, page
from api.views.jobs import LOG, UNSEEN, accepted, job, step
from storage.catalogue import jobs
from storage.catalogue.waiting import waiting_steps
from storage.clock import now
from workers.broker import send_ready

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("")
def list_jobs(
    backend: BackendDep,
    caller: Reader,
    asset_id: Annotated[str | None, Query(max_length=100)] = None,
    state: model.JobState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[model.JobSummary]:
    """Jobs of this organisation, newest first; of one asset with `asset_id`."""
    with backend.database.read() as session:
        found = jobs.list_jobs(
            session,
            caller.organisation_id,
            asset_id=asset_id,
            state=state,
            cursor=cursor,
            limit=limit,
        )
        return page(found, model.JobSummary)


@router.get("/{job_id}")
def show_job(job_id: str, backend: BackendDep, caller: Reader) -> model.Job:
    """The job with its plan, what was refused and why, and how far it is."""
    with backend.database.read() as session:
        row = jobs.get_job(session, caller.organisation_id, job_id)
        waiting = waiting_steps(session, row.id, backend.settings.beat_s)
        steps = jobs.job_steps(session, row.id, without=(*UNSEEN, *LOG))
        return job(row, steps, now(session), waiting)


@router.get("/{job_id}/steps")
def list_steps(
    job_id: str,
    backend: BackendDep,
    caller: Reader,
    *,
    log: Annotated[
        bool, Query(description="With `false` commands and log lines are null: a smaller answer.")
    ] = True,
) -> model.Steps:
    """Every step in the order of making: progress, exact command, last log lines, error."""
    with backend.database.read() as session:
        row = jobs.get_job(session, caller.organisation_id, job_id)
        steps = jobs.job_steps(session, row.id, without=UNSEEN if log else (*UNSEEN, *LOG))
        return model.Steps(data=[step(one, log=log) for one in steps])


@router.post("/{job_id}/cancel", status_code=202, response_model=model.JobSummary)
def cancel_job(job_id: str, backend: BackendDep, caller: Uploader, ticket: TicketDep) -> Response:
    """Stop it; running tools are dead within two seconds, and finished renditions stay."""

    def cancel(session: Session) -> Answer:
        row = jobs.get_job(session, caller.organisation_id, job_id)
        return accepted(jobs.request_cancel(session, row, caller.key_id))

    return answer_once(backend, caller, ticket, cancel)


@router.post("/{job_id}/retry", status_code=202, response_model=model.JobSummary)
def retry_job(job_id: str, backend: BackendDep, caller: Uploader, ticket: TicketDep) -> Response:
    """Run again what failed or was cancelled and what waited on it; nothing that is done.

    A job that ends in a zone needs the right to publish, as when it was asked for.
    """

    def retry(session: Session) -> Answer:
        row = jobs.get_job(session, caller.organisation_id, job_id)
        if "zone" in row.request:
            caller.require(Action.PUBLISH)
        ready = jobs.retry_job(session, row, caller.key_id)
        return accepted(row, then=lambda: send_ready(backend.broker, backend.database, ready))

    return answer_once(backend, caller, ticket, retry)
