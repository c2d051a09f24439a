"""Join a rendition from its chunks and sound; verify it against the plan before it is `ready`."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from pipelines.encoding.join import join
from pipelines.planning.memory import encode_bytes, look_bytes
from pipelines.planning.plan import Chunk, Plan, Rung
from pipelines.records import to_json
from pipelines.running.tools import versions
from pipelines.verification.seams import encoded_again, seam_frames
from pipelines.verification.verify import verify
from storage.catalogue import renditions
from storage.catalogue.steps import Claimed
from workers.context import StepContext, StepResult
from workers.steps.inputs import (
    Made,
    made_by,
    picture_of,
    plan_of,
    renditions_of,
    source_of,
    source_thumbs,
)

JOINED = 0.2  # share of the step's time; verifying decodes the rendition, joining only copies


def run(context: StepContext) -> StepResult:
    plan, source = plan_of(context), source_of(context)
    rendition = renditions_of(context)[context.step.payload["profile"]]
    rung = rendition.rung
    encodes, sound = made_by(context, "encode"), made_by(context, "audio")
    chunks = [made for made in encodes if rung.profile in made.files]
    out = context.folder / f"{rung.profile}.{rung.container}"
    with ExitStack() as stack:
        pictures, tracks = _fetch_parts(context, stack, rung, chunks, sound)
        context.need_scratch(sum(path.stat().st_size for path in (*pictures, *tracks)))
        joined = context.follow(join(rung, pictures, tracks, out, plan), end=JOINED)
    with (
        context.fetch(source.key) as original,
        source_thumbs(context) as thumbs,
        _memory(context, plan, rung),
    ):
        verified = context.follow(verify(out, rung, plan, original, thumbs), start=JOINED)
    key = context.put(out, f"assets/{source.asset_id}/renditions/{rendition.id}", out.name)
    commands = [argv for made in _used(rung, chunks, sound) for argv in made.commands]
    commands += [joined.argv, *verified.commands]
    proofs = [to_json(proof) for proof in verified.proofs]

    def apply(session: Session) -> None:
        renditions.mark_ready(
            session,
            rendition.id,
            key=key,
            facts=to_json(verified.facts),
            commands=commands,
            tools=versions(),
        )
        if proofs:
            renditions.add_measurements(session, rendition.id, proofs)

    return StepResult(
        result={"key": key, "sha256": verified.facts.sha256},
        apply=apply,
        command=joined.argv,
        log_tail=joined.log_tail,
    )


def _memory(context: StepContext, plan: Plan, rung: Rung) -> AbstractContextManager[None]:
    """What it takes to decode the rendition, or to encode frames beside its seams again."""
    if rung.video is None:
        return nullcontext()
    cores, seams = context.settings.cores, seam_frames(rung.video, plan)
    decoding_bytes = look_bytes(rung.video, cores)
    if not seams:
        return context.memory_if_much(decoding_bytes)
    again, pair = encoded_again(rung, plan), Chunk(0, seams[0], seams[1] + 1)
    encoding_bytes = encode_bytes(picture_of(context), again, pair, cores)
    return context.memory(max(decoding_bytes, encoding_bytes))


def _fetch_parts(
    context: StepContext, stack: ExitStack, rung: Rung, chunks: list[Made], sound: list[Made]
) -> tuple[list[Path], list[Path]]:
    """Local paths of the rung's chunks in order, and of its sound and subtitles, one a track."""
    picture_keys = [made.files[rung.profile] for made in chunks] if rung.video else []
    keys = [*(track.key for track in rung.audio), *(track.key for track in rung.subtitles)]
    sound_keys = [sound[0].files[key] for key in keys]
    pictures = [stack.enter_context(context.fetch(key)) for key in picture_keys]
    return pictures, [stack.enter_context(context.fetch(key)) for key in sound_keys]


def _used(rung: Rung, chunks: list[Made], sound: list[Made]) -> list[Made]:
    return [*(chunks if rung.video else []), *(sound if rung.audio or rung.subtitles else [])]


def failed(session: Session, step: Claimed, error: Mapping[str, Any]) -> None:
    """A rendition that could not be joined, or disagrees with its plan, says so itself."""
    for row in renditions.of_job(session, step.job_id):
        # Settling the job may have said it already.
        if row.profile == step.payload["profile"] and row.error != error:
            renditions.mark_failed(session, row.id, error)
