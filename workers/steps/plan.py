"""Resolve the plan for this source, and lay out every step that it needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from textwrap import shorten
from typing import Any

from sqlalchemy.orm import Session

from pipelines.encoding.encode import with_parts_that_decode
from pipelines.encoding.encode_groups import MOST_BYTES, divided, groups_of
from pipelines.errors import NothingToEncode
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.memory import look_bytes
from pipelines.planning.plan import Plan, plan
from pipelines.planning.plan_types import Chunk, Findings, Refusal
from pipelines.profiles.profile_key import profile_key
from pipelines.quality.measure import measured_together
from pipelines.quality.sampling import Means, search_bytes
from pipelines.quality.search import key_of, search
from pipelines.quality.steering import in_order, with_leader, with_steering
from pipelines.records import from_json, to_json
from pipelines.words import Words
from storage.catalogue import assets, jobs, workers, zones
from storage.catalogue.programmes import reading_of
from storage.catalogue.steps import NewStep
from storage.publishing import refuse_in_vain
from storage.schema import STEP_NAME_LENGTH
from workers.context import StepContext, StepResult
from workers.steps.doable import needs_of, unavailable
from workers.steps.inputs import inspected, profiles_of, request_of, source_of
from workers.steps.subtitle_files import subtitle_files
from workers.stored_source import StoredSource

PROOF_BYTES = 64 * 1024 * 1024  # [P] tiny encodes of half a second
SAMPLE_BYTES = 1024 * 1024 * 1024  # [P] at most: seconds, cut out of a source of 500 Mb/s


def run(context: StepContext) -> StepResult:
    info, inspection = inspected(context)
    request = request_of(context)
    info = replace(info, subtitles=(*info.subtitles, *subtitle_files(request)))
    profiles = profiles_of(context, request, info)
    context.need_scratch(PROOF_BYTES)
    missing = context.follow(unavailable(context, profiles))
    resolved = partial(
        plan,
        info,
        inspection,
        profiles,
        missing,
        context.settings.chunk_min_s,
        request.get("source_colour"),
    )
    made, keys = resolved(), {one.name: profile_key(one) for one in profiles}
    # What only another worker can encode is predicted, and not probed here.
    if made.choices and all(context.proofs.can_do(keys[one.profile]) for one in made.choices):
        made = resolved(findings=_findings(context, made, info, inspection))

    def apply(session: Session) -> None:
        job = jobs.get_job(session, context.step.organisation_id, context.step.job_id)
        jobs.record_plan(session, job, to_json(made), [to_json(rung) for rung in made.rungs])
        workers.keep_definitions(session, {keys[one.name]: to_json(one) for one in profiles})

    if not made.rungs:
        return StepResult(fault=_no_rung(made.refused), apply=apply)
    if (zone := request.get("zone")) is not None:
        _refuse_in_vain(context, made, request, zone)
    made = with_leader(made, info, inspection, _means(context))
    if len(made.chunks) > 1 and info.picture is not None:
        source = source_of(context)
        context.need_scratch(source.size_bytes // len(made.chunks))
        master = StoredSource(context, source.key, source.size_bytes)
        decoding_bytes = look_bytes(info.picture, context.settings.cores)
        with context.memory_if_much(decoding_bytes):
            made = context.follow(with_parts_that_decode(master, made, context.folder))
    made = divided(made, info.picture, context.settings.cores, context.settings.memory_bytes)
    made = with_steering(made, info, inspection, _means(context))
    steps = steps_of(made, info, zone, scores=request.get("scores", True))
    return StepResult(
        result={"renditions": len(made.rungs), "refused": [asdict(one) for one in made.refused]},
        new_steps=tuple(
            replace(step, needs=tuple(keys[name] for name in needs_of(step, made)))
            for step in steps
        ),
        apply=apply,
    )


def _refuse_in_vain(
    context: StepContext, made: Plan, request: Mapping[str, Any], zone_name: str
) -> None:
    """Raises `AlreadyPublished`, `GateClosed`."""
    asset_id, organisation_id = source_of(context).asset_id, context.step.organisation_id

    def look(session: Session) -> None:
        zone = zones.get_zone(session, organisation_id, zone_name)
        refuse_in_vain(
            session,
            assets.get_asset(session, organisation_id, asset_id),
            zone,
            [rung.profile for rung in made.rungs],
            replace=request.get("replace", False),
            reading=reading_of(made.programme, request.get("source_colour")),
            refused=[
                Words(f"{one.profile}: {one.reason}", f"{one.profile}：{one.reason.zh}")
                for one in made.refused
                if one.profile in zone.required_profiles
            ],
        )

    context.read(look)


def _no_rung(refused: Sequence[Refusal]) -> NothingToEncode:
    """Each reason once: a source that nothing takes gives every profile the same one."""
    profiles: dict[str, list[str]] = {}
    for refusal in refused:
        profiles.setdefault(refusal.reason, []).append(refusal.profile)
    reasons = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in profiles.items())
    way_out = "do as the reasons say, or ask for other profiles"
    return NothingToEncode(f"no profile fits this source ({reasons}): {way_out}")


def _findings(
    context: StepContext, made: Plan, info: MediaInfo, inspection: Inspection
) -> Findings:
    """What an earlier job found out about the same bytes, else what a search finds."""
    source, key = source_of(context), key_of(made, context.settings.search_share)

    def query(session: Session) -> list[Mapping[str, Any]]:
        asset = assets.get_asset(session, context.step.organisation_id, source.asset_id)
        return jobs.plans_of_content(session, asset.organisation_id, asset.sha256)

    for earlier in context.read(query):
        known = earlier.get("findings") or {}
        if known.get("key") == key and known.get("probes"):
            return from_json(Findings, known)
    context.need_scratch(min(SAMPLE_BYTES, source.size_bytes) + PROOF_BYTES)
    master = StoredSource(context, source.key, source.size_bytes)
    means = _means(context)
    searching = search(master, made, info, inspection, context.folder / "search", means)
    with context.memory_if_much(search_bytes(made, info, inspection, means)):
        return context.follow(searching)


def _means(context: StepContext) -> Means:
    settings = context.settings
    most_bytes = min(MOST_BYTES, settings.memory_bytes)
    return Means(settings.search_share, most_bytes, settings.cores)


def steps_of(
    made: Plan, info: MediaInfo, zone: str | None, *, scores: bool = True
) -> Iterator[NewStep]:
    """The steps of a plan. A later one names the earlier ones that it waits for.

    encode a chunk of a group of rungs (those that steer the others first) ‖ audio → join a
    rendition → measure all that share a reference; one package after the joins of what is packaged;
    publish last, when a zone was asked for.
    """
    encodes = list(_encode_steps(made))
    joins = [_join_step(rung.profile, encodes) for rung in made.rungs]
    groups = measured_together(made.rungs, info) if scores else ()
    measures = [_measure_step([rung.profile for rung in group]) for group in groups]
    packaged = [rung.profile for rung in made.rungs if rung.packaged]
    packages = [_package_step(packaged)] if packaged else []
    yield from (*encodes, *joins, *measures, *packages)
    if zone is not None:
        after = tuple(step.name for step in (*joins, *measures, *packages))
        yield NewStep("publish", f"publish to {zone}", {"zone": zone}, after=after)


def _encode_steps(made: Plan) -> Iterator[NewStep]:
    for names, group in zip(made.together or ((),), groups_of(made), strict=False):
        before: tuple[str, ...] = ()
        for wave in in_order(group):
            here = [_encode_step(chunk, len(made.chunks), names, before) for chunk in wave]
            yield from here
            before = tuple(step.name for step in here)
    if any(rung.audio or rung.subtitles for rung in made.rungs):
        sounds = any(rung.audio for rung in made.rungs)
        yield NewStep("audio", "encode the sound" if sounds else "encode the subtitles", {})


def _encode_step(
    chunk: Chunk, count: int, group: tuple[str, ...], after: tuple[str, ...]
) -> NewStep:
    """Of all rungs, or of a group of them, whose chunks lead each other to their CRFs."""
    name, payload = f"encode chunk {chunk.index + 1} of {count}", {"chunk": asdict(chunk)}
    if not group:
        return NewStep("encode", name, payload, after)
    of_group = {**payload, "profiles": list(group)}
    return NewStep("encode", _named(f"{name}:", group), of_group, after)


def _join_step(profile: str, encodes: list[NewStep]) -> NewStep:
    after = tuple(
        step.name for step in encodes if profile in step.payload.get("profiles", (profile,))
    )
    return NewStep("join", f"join {profile}", {"profile": profile}, after=after)


def _measure_step(profiles: list[str]) -> NewStep:
    name = _named("measure", profiles)
    return NewStep("measure", name, {"profiles": profiles}, after=_joins_of(profiles))


def _package_step(profiles: list[str]) -> NewStep:
    name = "package for HLS and DASH"
    return NewStep("package", name, {"profiles": profiles}, after=_joins_of(profiles))


def _named(what: str, profiles: Sequence[str]) -> str:
    """With the first of the profiles where all are too long for a name: the payload has them all.

    So no two steps have one name: each profile is in one group, and the first is always there.
    """
    return shorten(f"{what} {', '.join(profiles)}", STEP_NAME_LENGTH, placeholder=" …")


def _joins_of(profiles: list[str]) -> tuple[str, ...]:
    return tuple(f"join {profile}" for profile in profiles)
