"""Jobs: one plan being executed for one asset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased, defer

from pipelines.profiles.profile import DEFAULT_LADDER, ladder, load_profiles
from storage.catalogue import assets, events, renditions
from storage.catalogue.graph import AFRESH, ReadyStep, cancel_idle, make_ready, reopen
from storage.catalogue.locks import lock_asset, lock_job
from storage.catalogue.pages import Page, newest_first
from storage.catalogue.profiles import own_profiles
from storage.catalogue.programmes import inspected_as_asked, refuse_beside_others, refuse_retry
from storage.catalogue.settle import SETTLED, settle_job
from storage.catalogue.steps import NewStep, add_steps
from storage.clock import now
from storage.errors import JobConflict, JobNotFound, ObjectMissing
from storage.ids import new_id
from storage.schema import Asset, Job, Step, StepDependency, Upload

SYSTEM = "system"
_PLANS_LOOKED_AT = 20
# An older inspection lacks some.
_MEASURED = frozenset({"thumbs", "data_channels", "later", "track_gaps", "held_s"})


def get_job(session: Session, organisation_id: str, job_id: str) -> Job:
    """Raises `JobNotFound`, also for another organisation's."""
    job = session.get(Job, job_id)
    if job is None or job.organisation_id != organisation_id:
        raise JobNotFound(f"there is no job {job_id}")
    return job


def list_jobs(
    session: Session,
    organisation_id: str,
    *,
    state: str | None = None,
    asset_id: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Job]:
    """Newest first, without their plans, which are large. Raises `InvalidCursor`."""
    query = select(Job).where(Job.organisation_id == organisation_id)
    query = query.options(defer(Job.plan, raiseload=True))
    if state is not None:
        query = query.where(Job.state == state)
    if asset_id is not None:
        query = query.where(Job.asset_id == asset_id)
    return newest_first(session, query, Job, cursor=cursor, limit=limit)


def job_steps(
    session: Session, job_id: str, *, without: Sequence[InstrumentedAttribute[Any]] = ()
) -> list[Step]:
    """The job's steps in the order of their making.

    Columns `without` which the caller can do are not read: thousands of commands are 20 MB.
    """
    query = select(Step).where(Step.job_id == job_id).order_by(Step.id)
    return list(session.scalars(query.options(*(defer(one, raiseload=True) for one in without))))


def done_results(session: Session, job_id: str, kind: str) -> list[Mapping[str, Any]]:
    """Of the job's finished steps of that kind, in the order of their making."""
    query = select(Step.result).where(Step.job_id == job_id, Step.kind == kind)
    done = query.where(Step.state == "done").order_by(Step.id)
    return [result or {} for result in session.scalars(done)]


def ready_steps(session: Session, job_id: str) -> list[ReadyStep]:
    """What a message may be sent for right now."""
    query = select(Step.id, Step.queue).where(Step.job_id == job_id, Step.state == "ready")
    return [ReadyStep(row.id, row.queue) for row in session.execute(query.order_by(Step.id))]


def create_job(
    session: Session,
    *,
    organisation_id: str,
    upload: Upload | None,
    asset: Asset | None,
    request: Mapping[str, Any],
    actor: str,
) -> Job:
    """A job without steps; `steps.add_steps` adds them in the same transaction."""
    job = Job(
        id=new_id("job"),
        organisation_id=organisation_id,
        upload_id=upload.id if upload else None,
        asset_id=asset.id if asset else None,
        state="queued",
        request=dict(request),
        created_at=now(session),
    )
    session.add(job)
    session.flush()
    payload = {"asset_id": upload.asset_id if upload else job.asset_id, "upload_id": job.upload_id}
    if stated := request.get("source_colour"):
        payload["source_colour"] = stated  # who said so is the event's actor
    _note(session, job, "job.queued", actor, payload)
    return job


def begin_ingest(session: Session, upload: Upload, actor: str) -> Job:
    """The job of a completed upload; its first step proves the bytes."""
    job = create_job(
        session,
        organisation_id=upload.organisation_id,
        upload=upload,
        asset=None,
        request=upload.request,
        actor=actor,
    )
    add_steps(session, job, [NewStep("fixity", "verify the upload", {})])
    return job


def start_job(session: Session, asset: Asset, request: Mapping[str, Any], actor: str) -> Job:
    """Another job for an asset: it is planned again, and inspected only if it never was, or by a
    version of Kapok that kept no thumbnails, or not in the way that this job needs.

    Raises `JobConflict` while another job works on another programme of it.
    """
    asset = lock_asset(session, asset.id)
    refuse_beside_others(session, asset.id, request)
    job = create_job(
        session,
        organisation_id=asset.organisation_id,
        upload=None,
        asset=asset,
        request=request,
        actor=actor,
    )
    inspect = NewStep("inspect", "inspect the source", {})
    plan = NewStep("plan", "plan the renditions", {})
    seen = asset.inspection or {}
    stale = not seen.keys() >= _MEASURED or "source_colour" in request
    stale = stale or not inspected_as_asked(asset.media or {}, request)
    fresh = stale or _lacks(session, asset, request)
    add_steps(session, job, [inspect, replace(plan, after=("inspect",))] if fresh else [plan])
    assets.settle_asset(session, asset.id, actor)
    return job


def _lacks(session: Session, asset: Asset, request: Mapping[str, Any]) -> bool:
    """Whether no inspection has measured what is asked for: of PQ its light, of bars their size."""
    names = request.get("profiles") or ladder(request.get("ladder") or DEFAULT_LADDER).profiles
    known = {**load_profiles(), **own_profiles(session, asset.organisation_id)}
    found = [one.video for name in names if (one := known.get(name)) and one.video]
    seen = asset.inspection or {}
    dark = any(one.dynamic_range == "pq" for one in found) and seen.get("light") is None
    return dark or (any(one.crop == "bars" for one in found) and "active_picture" not in seen)


def record_plan(
    session: Session, job: Job, plan: Mapping[str, Any], rungs: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Keep the plan and make its renditions, `planned`; returns their ids in the plan's order."""
    job = lock_job(session, job.id)
    job.plan = dict(plan)
    refused = [refusal["profile"] for refusal in plan.get("refused", ())]
    profiles = [rung["profile"] for rung in rungs]
    _note(session, job, "job.planned", SYSTEM, {"profiles": profiles, "refused": refused})
    return renditions.plan_renditions(session, job, rungs)


def plans_of_content(
    session: Session, organisation_id: str, sha256: str
) -> list[Mapping[str, Any]]:
    """The plans of all jobs on assets with these bytes, newest first."""
    query = (
        select(Job.plan)
        .join(Asset, Asset.id == Job.asset_id)
        .where(Asset.organisation_id == organisation_id, Asset.sha256 == sha256)
        .where(Job.plan.is_not(None))
        .order_by(Job.created_at.desc())
        .limit(_PLANS_LOOKED_AT)
    )
    return [plan for plan in session.scalars(query) if plan is not None]


def request_cancel(session: Session, job: Job, actor: str) -> Job:
    """Nothing new begins; running steps see it at their next look. Twice is as good as once.

    Raises `JobConflict` for a job that is over in another way.
    """
    job = lock_job(session, job.id)
    if job.state in {"cancelling", "cancelled"}:
        return job
    if job.state in SETTLED:
        raise JobConflict(f"job {job.id} is {job.state}: there is nothing left to cancel")
    job.state = "cancelling"
    _note(session, job, "job.cancelling", actor)
    session.flush()
    cancel_idle(session, job.id)
    settle_job(session, job.id)
    return job


def retry_job(session: Session, job: Job, actor: str) -> list[ReadyStep]:
    """Run what failed or was cancelled again, and then what waited on it; nothing that is done.

    But what had taken only a part (see `graph.reopen`) runs again for the rest.

    Returns what is ready at once. Raises `JobConflict` unless the job failed or was cancelled.
    """
    job = lock_job(session, job.id)
    if job.state not in {"failed", "cancelled"}:
        raise JobConflict(f"job {job.id} is {job.state}: only a failed or cancelled one is retried")
    _need_source(session, job)
    refuse_retry(session, job)
    missed = _missed_objects(session, job)
    session.execute(
        update(Step)
        .where(Step.job_id == job.id, Step.state.in_(("failed", "cancelled")))
        .values(**AFRESH, error=None, progress=None, lease_until=None, worker=None)
        .execution_options(synchronize_session=False)
    )
    reopen(session, job.id)
    if missed or job.work_deleted_at is not None:
        _make_work_again(session, job)
    job.state, job.error, job.finished_at, job.tidied_at = "queued", None, None, None
    ready = make_ready(session, job.id)
    renditions.plan_again(session, job.id)
    if job.asset_id is not None:
        session.flush()
        assets.settle_asset(session, job.asset_id, actor)
    _note(session, job, "job.retried", actor, {"ready": [step.id for step in ready]})
    return ready


def mark_work_deleted(session: Session, job_id: str) -> None:
    """The objects under `work/{job}/` are gone: a retry has to make them again."""
    job = lock_job(session, job_id)
    if job.state not in SETTLED:
        raise JobConflict(f"job {job_id} is {job.state}: its work is still needed")
    job.work_deleted_at = now(session)


def untidy_jobs(session: Session, limit: int = 100) -> list[Job]:
    """Settled jobs whose dead attempts may have left objects that no row names.

    Not while another job of the asset is active: it writes there. Any of them, so that a hundred
    that cannot be tidied hide none.
    """
    other = aliased(Job)
    busy = exists().where(other.asset_id == Job.asset_id, other.state.in_(assets.ACTIVE))
    query = select(Job).where(
        Job.tidied_at.is_(None), Job.state.in_(SETTLED), Job.asset_id.is_not(None), ~busy
    )
    return list(session.scalars(query.order_by(func.random()).limit(limit)))


def mark_untidy(session: Session, asset_id: str) -> None:
    """Something is about to be stored with the asset that perhaps no row will name."""
    newest = select(func.max(Job.id)).where(Job.asset_id == asset_id, Job.state.in_(SETTLED))
    session.execute(
        update(Job)
        .where(Job.id == newest.scalar_subquery())
        .values(tidied_at=None)
        .execution_options(synchronize_session=False)
    )


def mark_tidied(session: Session, job_id: str) -> None:
    """Only objects that rows name are left of it, unless somebody has retried it since."""
    session.execute(
        update(Job)
        .where(Job.id == job_id, Job.state.in_(SETTLED))
        .values(tidied_at=now(session))
        .execution_options(synchronize_session=False)
    )


def _missed_objects(session: Session, job: Job) -> bool:
    """Whether a step failed because an object was not there: its job's work may be gone unasked."""
    query = select(Step.error).where(Step.job_id == job.id, Step.state == "failed")
    return any(error and error["code"] == ObjectMissing.code for error in session.scalars(query))


def _make_work_again(session: Session, job: Job) -> None:
    """Steps that left only intermediate objects run again, where an unfinished step needs those."""
    needed = (
        select(StepDependency.depends_on_id)
        .join(Step, Step.id == StepDependency.step_id)
        .where(Step.job_id == job.id, Step.state != "done")
    )
    session.execute(
        update(Step)
        .where(Step.id.in_(needed), Step.kind.in_(("encode", "audio")))
        .values(**AFRESH, result=None)
        .execution_options(synchronize_session=False)
    )
    job.work_deleted_at = None


def _need_source(session: Session, job: Job) -> None:
    upload = session.get(Upload, job.upload_id) if job.upload_id else None
    if job.asset_id is None and upload is not None and upload.state != "complete":
        raise JobConflict(
            f"upload {upload.id} is {upload.state} and its bytes are gone: upload the file again"
        )


def _note(
    session: Session, job: Job, what: str, actor: str, payload: dict[str, Any] | None = None
) -> None:
    events.append(
        session,
        type=what,
        subject=job.id,
        organisation_id=job.organisation_id,
        actor=actor,
        payload={"asset_id": job.asset_id, **(payload or {})},
    )
