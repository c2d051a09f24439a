"""What a job and its asset are, derived from the job's steps."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from storage.catalogue import assets, events, renditions
from storage.catalogue.graph import derive_state
from storage.catalogue.locks import lock_job
from storage.clock import now
from storage.schema import Job, Step

SETTLED = frozenset({"done", "failed", "cancelled"})


def settle_job(session: Session, job_id: str) -> str:
    """Derive the job's state from its steps, and its asset's from that; returns the job's state.

    Called wherever a step changes; calling it once more changes nothing.
    """
    job = lock_job(session, job_id)
    state = derive_state(session, job)
    if state == job.state:
        return state
    job.state = state
    if state in SETTLED:
        _close(session, job)
    _note(session, job.id, job.organisation_id, job.asset_id, state, job.error)
    if job.asset_id is not None and state in SETTLED:
        assets.settle_asset(session, job.asset_id)
    return state


def mark_running(session: Session, job_id: str) -> None:
    """The first step of a queued job was claimed: what `settle_job` would say, without counting."""
    row = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state == "queued")
        .values(state="running")
        .returning(Job.organisation_id, Job.asset_id)
        .execution_options(synchronize_session=False)
    ).first()
    if row is not None:
        _note(session, job_id, row.organisation_id, row.asset_id, "running")


def _note(
    session: Session,
    job_id: str,
    organisation_id: str,
    asset_id: str | None,
    state: str,
    error: dict[str, Any] | None = None,
) -> None:
    events.append(
        session,
        type=f"job.{state}",
        subject=job_id,
        organisation_id=organisation_id,
        actor="system",
        payload={"asset_id": asset_id, **({"error": error} if error else {})},
    )


def _close(session: Session, job: Job) -> None:
    job.finished_at = now(session)
    job.error = _first_error(session, job.id) if job.state == "failed" else None
    renditions.give_up(session, job)


def _first_error(session: Session, job_id: str) -> dict[str, Any] | None:
    query = select(Step.error).where(Step.job_id == job_id, Step.state == "failed")
    return session.scalar(query.order_by(Step.finished_at, Step.id).limit(1))
