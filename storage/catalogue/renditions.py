"""Renditions: planned with the job, ready when verified, scored afterwards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from storage.catalogue import events
from storage.catalogue.commands import packed
from storage.catalogue.locks import lock_job
from storage.clock import now
from storage.errors import RenditionNotFound
from storage.ids import new_id
from storage.schema import Job, MeasurementRow, Rendition

SYSTEM = "system"


def plan_renditions(session: Session, job: Job, rungs: Sequence[Mapping[str, Any]]) -> list[str]:
    """One `planned` rendition a rung (a `planning.plan.Rung` as JSON); ids in their order."""
    moment = now(session)
    made = [
        Rendition(
            id=new_id("ren"),
            organisation_id=job.organisation_id,
            asset_id=job.asset_id,
            job_id=job.id,
            profile=rung["profile"],
            profile_version=rung["profile_version"],
            state="planned",
            rung=dict(rung),
            created_at=moment,
        )
        for rung in rungs
    ]
    session.add_all(made)
    session.flush()
    return [rendition.id for rendition in made]


def get_rendition(session: Session, organisation_id: str, rendition_id: str) -> Rendition:
    """Raises `RenditionNotFound`, also for another organisation's."""
    rendition = session.get(Rendition, rendition_id)
    if rendition is None or rendition.organisation_id != organisation_id:
        raise RenditionNotFound(f"there is no rendition {rendition_id}")
    return rendition


def list_renditions(
    session: Session, organisation_id: str, asset_id: str
) -> list[tuple[Rendition, list[MeasurementRow]]]:
    """Every rendition of an asset with its scores, newest job first, in the order of its plan.

    Without its commands, of which those of ten hours are megabytes.
    """
    query = (
        select(Rendition)
        .options(defer(Rendition.commands, raiseload=True))
        .join(Job, Job.id == Rendition.job_id)
        .where(Rendition.organisation_id == organisation_id, Rendition.asset_id == asset_id)
        .order_by(Job.created_at.desc(), Job.id, Rendition.id)
    )
    found = list(session.scalars(query))
    scores = _measurements(session, [rendition.id for rendition in found])
    return [(rendition, scores.get(rendition.id, [])) for rendition in found]


def of_job(session: Session, job_id: str) -> list[Rendition]:
    """The job's renditions in the order of its plan."""
    query = select(Rendition).where(Rendition.job_id == job_id).order_by(Rendition.id)
    return list(session.scalars(query))


def measurements(session: Session, rendition_id: str) -> list[MeasurementRow]:
    """Its scores, in the order of measuring."""
    return _measurements(session, [rendition_id]).get(rendition_id, [])


def mark_ready(
    session: Session,
    rendition_id: str,
    *,
    key: str,
    facts: Mapping[str, Any],
    commands: Sequence[Sequence[str]],
    tools: Mapping[str, str],
) -> None:
    """It agrees with its plan: `facts` is a `pipelines.facts.RenditionFacts` as JSON."""
    rendition = _locked(session, rendition_id)
    rendition.state, rendition.ready_at, rendition.error = "ready", now(session), None
    rendition.key, rendition.facts = key, dict(facts)
    rendition.sha256, rendition.size_bytes = facts["sha256"], facts["size_bytes"]
    rendition.commands = packed(commands)
    rendition.tools = dict(tools)
    payload = {"key": key, "sha256": facts["sha256"], "size_bytes": facts["size_bytes"]}
    _note(session, rendition, "rendition.ready", payload)


def mark_failed(session: Session, rendition_id: str, error: Mapping[str, Any]) -> None:
    """It could not be made, or disagrees with its plan."""
    rendition = _locked(session, rendition_id)
    rendition.state, rendition.error = "failed", dict(error)
    _note(session, rendition, "rendition.failed", {"error": dict(error)})


def add_measurements(
    session: Session,
    rendition_id: str,
    records: Sequence[Mapping[str, Any]],
    command: Sequence[str] | None = None,
) -> None:
    """Keep scores (`pipelines.facts.Measurement` as JSON); a newer score replaces an older.

    `command`, which gave them, joins those of the rendition.
    """
    rendition = _locked(session, rendition_id)
    named = {(record["metric"], record["model"]) for record in records}
    for old in measurements(session, rendition_id):
        if (old.metric, old.model) in named:
            session.delete(old)
    if command is not None:
        rendition.commands = [*(rendition.commands or ()), list(command)]
    moment = now(session)
    session.add_all(
        MeasurementRow(
            id=new_id("mea"),
            organisation_id=rendition.organisation_id,
            rendition_id=rendition_id,
            metric=record["metric"],
            model=record["model"],
            values=dict(record),
            created_at=moment,
        )
        for record in records
    )
    _note(session, rendition, "rendition.measured", {"scores": [dict(one) for one in records]})


def give_up(session: Session, job: Job) -> None:
    """The job is over: what it still planned will not come."""
    state = "cancelled" if job.state == "cancelled" else "failed"
    for rendition in _in_state(session, job.id, "planned"):
        rendition.state = state
        rendition.error = dict(job.error) if job.error else None
        _note(session, rendition, f"rendition.{state}", {"error": rendition.error})


def plan_again(session: Session, job_id: str) -> None:
    """The job is retried: what failed or was cancelled may come after all."""
    for rendition in _in_state(session, job_id, "failed", "cancelled"):
        rendition.state, rendition.error = "planned", None


def _in_state(session: Session, job_id: str, *states: str) -> list[Rendition]:
    query = select(Rendition).where(Rendition.job_id == job_id, Rendition.state.in_(states))
    found = session.scalars(query.order_by(Rendition.id).execution_options(populate_existing=True))
    return list(found)


def _locked(session: Session, rendition_id: str) -> Rendition:
    """The rendition, with its job's row locked as the order of locks asks."""
    job_id = session.scalar(select(Rendition.job_id).where(Rendition.id == rendition_id))
    if job_id is None:
        raise RenditionNotFound(f"there is no rendition {rendition_id}")
    lock_job(session, job_id)
    return session.get_one(Rendition, rendition_id, populate_existing=True)


def _measurements(
    session: Session, rendition_ids: Sequence[str]
) -> dict[str, list[MeasurementRow]]:
    query = select(MeasurementRow).where(MeasurementRow.rendition_id.in_(rendition_ids))
    found: dict[str, list[MeasurementRow]] = {}
    for row in session.scalars(query.order_by(MeasurementRow.id)):
        found.setdefault(row.rendition_id, []).append(row)
    return found


def _note(session: Session, rendition: Rendition, what: str, payload: dict[str, Any]) -> None:
    about = {
        "asset_id": rendition.asset_id,
        "job_id": rendition.job_id,
        "profile": rendition.profile,
    }
    events.append(
        session,
        type=what,
        subject=rendition.id,
        organisation_id=rendition.organisation_id,
        actor=SYSTEM,
        payload={**about, **payload},
    )
