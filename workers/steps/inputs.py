"""What steps read from the catalogue: the asset, the plan, what earlier steps of the job made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from pipelines.colour.colour_doubt import believed
from pipelines.colour.source_colour import complete_colour, wants_light
from pipelines.inspection.thumbs import Thumbs
from pipelines.media import Inspection, MediaInfo, VideoTrack
from pipelines.planning.plan import Plan, Rung
from pipelines.planning.plan_types import Probe
from pipelines.profiles.profile import Profile, choose_profiles
from pipelines.records import from_json
from storage.catalogue import assets, jobs, profiles, renditions
from storage.catalogue.programmes import inspected_as_asked
from storage.errors import JobConflict
from storage.schema import Step
from workers.context import StepContext


class InspectionLacks(Exception):
    """The asset's inspection, made for another job, lacks what this one needs: it says what."""


@dataclass(frozen=True, slots=True)
class Source:
    """The proven master of the job's asset."""

    asset_id: str
    key: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class _Recorded:
    """The asset's latest inspection; its images lie under `prefix`."""

    media: Mapping[str, Any]
    inspection: Mapping[str, Any]
    prefix: str


@dataclass(frozen=True, slots=True)
class RenditionInput:
    """A rendition of the job; `key` is set once it is ready."""

    id: str
    rung: Rung
    state: str
    key: str | None


def source_of(context: StepContext) -> Source:
    def query(session: Session) -> Source:
        job = jobs.get_job(session, context.step.organisation_id, context.step.job_id)
        asset = assets.get_asset(session, job.organisation_id, str(job.asset_id))
        return Source(asset.id, asset.source_key, asset.size_bytes)

    return context.read(query)


def picture_of(context: StepContext) -> VideoTrack:
    """The source's picture; for steps that there are only where it has one."""
    asset_id = source_of(context).asset_id

    def query(session: Session) -> Mapping[str, Any]:
        return assets.get_asset(session, context.step.organisation_id, asset_id).media or {}

    picture = from_json(MediaInfo, context.read(query)).picture
    assert picture is not None, "the plan has rungs with a picture"
    return picture


def inspected(context: StepContext) -> tuple[MediaInfo, Inspection]:
    """What the inspect step recorded about the asset.

    Raises `JobConflict` where it is of another programme than this job's, and `InspectionLacks`
    where another job's, which replaced this one's or was there before, measured less.
    """
    recorded, request = _recorded(context), request_of(context)
    media, seen = recorded.media, recorded.inspection
    if not inspected_as_asked(media, request):
        raise JobConflict(
            "the asset was inspected for another programme since this job had it inspected: "
            "start a new job for this one when no other works on the asset"
        )
    info, inspection = from_json(MediaInfo, media), from_json(Inspection, seen)
    own = _inspected_by_this(context, recorded.prefix)
    if not own and (lacking := _lacking(context, request, info, seen, inspection)):
        raise InspectionLacks(lacking)
    return info, inspection


def _lacking(
    context: StepContext,
    request: Mapping[str, Any],
    info: MediaInfo,
    seen: Mapping[str, Any],
    inspection: Inspection,
) -> str | None:
    wanted = profiles_of(context, request, info)
    source = believed(info, request.get("source_colour"))
    colour = complete_colour(source.picture) if source.picture else None
    if wants_light(source, wanted) and inspection.light_colour != colour:
        return "the light of a PQ rendition"
    cropped = any(one.video and one.video.crop == "bars" for one in wanted)
    return "the size of the bars" if cropped and "active_picture" not in seen else None


def looked_at(context: StepContext) -> tuple[MediaInfo, Inspection]:
    """`inspected`, for the steps of a plan that was made by it."""
    recorded = _recorded(context)
    return from_json(MediaInfo, recorded.media), from_json(Inspection, recorded.inspection)


def _recorded(context: StepContext) -> _Recorded:
    asset_id = source_of(context).asset_id

    def query(session: Session) -> _Recorded:
        asset = assets.get_asset(session, context.step.organisation_id, asset_id)
        prefix = asset.inspection_prefix or ""
        return _Recorded(asset.media or {}, asset.inspection or {}, prefix)

    return context.read(query)


def _inspected_by_this(context: StepContext, prefix: str) -> bool:
    """Whether a step of this job recorded the inspection whose images lie under `prefix`."""
    looks = select(Step.id).where(Step.job_id == context.step.job_id, Step.kind == "inspect")
    steps = context.read(lambda session: list(session.scalars(looks)))
    return any(f"/inspection/{step_id}/" in prefix for step_id in steps)


@contextmanager
def source_thumbs(context: StepContext) -> Iterator[Thumbs | None]:
    """What the asset's latest inspection kept of every frame, as local files."""
    asset_id = source_of(context).asset_id

    def query(session: Session) -> tuple[Mapping[str, Any], str]:
        asset = assets.get_asset(session, context.step.organisation_id, asset_id)
        return asset.inspection or {}, asset.inspection_prefix or ""

    inspection, prefix = context.read(query)
    kept = from_json(Inspection, inspection).thumbs
    with ExitStack() as stack:
        if kept is None:
            yield None
            return
        names = [name for name in (kept.pictures, kept.times) if name]
        yield Thumbs(*(stack.enter_context(context.fetch(f"{prefix}{name}")) for name in names))


def request_of(context: StepContext) -> Mapping[str, Any]:
    """What the user asked for: profiles or a ladder, perhaps a zone, or the source's colour."""

    def query(session: Session) -> Mapping[str, Any]:
        return jobs.get_job(session, context.step.organisation_id, context.step.job_id).request

    return context.read(query)


def profiles_of(
    context: StepContext, request: Mapping[str, Any], info: MediaInfo
) -> tuple[Profile, ...]:
    """What the request asks for, of the built-in profiles and the organisation's own."""
    organisation_id = context.step.organisation_id
    own = context.read(lambda session: profiles.own_profiles(session, organisation_id))
    return choose_profiles(info, request.get("profiles") or request.get("ladder"), own)


def plan_of(context: StepContext) -> Plan:
    def query(session: Session) -> Mapping[str, Any]:
        job = jobs.get_job(session, context.step.organisation_id, context.step.job_id)
        return job.plan or {}

    return from_json(Plan, context.read(query))


def renditions_of(context: StepContext) -> dict[str, RenditionInput]:
    """The job's renditions by their profile."""

    def query(session: Session) -> dict[str, RenditionInput]:
        rows = renditions.of_job(session, context.step.job_id)
        return {
            row.profile: RenditionInput(row.id, from_json(Rung, row.rung), row.state, row.key)
            for row in rows
        }

    return context.read(query)


@dataclass(frozen=True, slots=True)
class Made:
    """What a finished encode or audio step stored: keys by profile or by audio key."""

    files: Mapping[str, str]
    commands: tuple[tuple[str, ...], ...]


def made_by(context: StepContext, kind: str) -> list[Made]:
    """The results of the job's finished steps of that kind, in the order they were planned."""

    def query(session: Session) -> list[Made]:
        rows = jobs.job_steps(session, context.step.job_id)
        done = [row for row in rows if row.kind == kind and row.state == "done"]
        done.sort(key=lambda row: int(row.payload.get("chunk", {}).get("index", 0)))
        return [_made(row.result or {}, row.command or ()) for row in done]

    return context.read(query)


def probes_of(context: StepContext) -> tuple[Probe, ...]:
    """What the job's finished chunks scored in their windows."""

    def query(session: Session) -> list[Mapping[str, Any]]:
        done = jobs.done_results(session, context.step.job_id, "encode")
        return [probe for result in done for probe in result.get("probes", ())]

    return tuple(from_json(Probe, probe) for probe in context.read(query))


def _made(result: Mapping[str, Any], command: Sequence[str]) -> Made:
    commands = (command, *result.get("also", ()))
    return Made(result["files"], tuple(tuple(argv) for argv in commands if argv))
