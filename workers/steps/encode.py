"""Encode one chunk: every rung's picture from one decode, or of a group of them."""

from __future__ import annotations

import logging
from fractions import Fraction

from pipelines.encoding.encode_groups import group_with
from pipelines.planning.plan import Chunk, Plan, VideoPlan
from pipelines.quality.steered_encode import encode_steered, steered_bytes
from pipelines.records import from_json, to_json
from workers.context import StepContext, StepResult
from workers.steps.inputs import looked_at, plan_of, probes_of, source_of
from workers.stored_source import StoredSource

log = logging.getLogger(__name__)

BITS_A_SAMPLE = 16  # how a picture of more than 8 bits lies in memory
LOSSLESS_SHARE = Fraction(3, 4)  # [P] FFV1 leaves less of natural pictures; noise may need it all
UNCAPPED_BITS_A_PIXEL = Fraction(1, 2)  # [P] for a rung without a bitrate cap


def run(context: StepContext) -> StepResult:
    source, whole = source_of(context), plan_of(context)
    profiles = context.step.payload.get("profiles")
    plan = group_with(whole, profiles[0]) if profiles else whole
    chunk = from_json(Chunk, context.step.payload["chunk"])
    info, inspection = looked_at(context)
    foreseen_bytes = steered_bytes(plan, chunk, info, context.settings.cores)
    master = StoredSource(context, source.key, source.size_bytes)
    part_bytes = int(source.size_bytes * _share(plan, chunk)) if len(plan.chunks) > 1 else 0
    with context.memory(foreseen_bytes):
        context.need_scratch(part_bytes + scratch_bytes(plan, chunk, source.size_bytes))
        # After the wait for memory: others may have been scored meanwhile.
        seen = probes_of(context) if plan.steering else ()
        encoding = encode_steered(master, plan, chunk, info, inspection, seen, context.folder)
        made = context.follow(encoding, end=0.99)
    encoded = made.encoded
    log.info(
        "step %s held %.2f GB of memory, %.2f GB foreseen",
        context.step.id,
        encoded.peak_bytes / 1e9,
        foreseen_bytes / 1e9,
    )
    keys = {
        profile: context.put(file, context.work, file.name)
        for profile, file in encoded.files.items()
    }
    return StepResult(
        result={"files": keys, "probes": [to_json(probe) for probe in made.probes]},
        command=encoded.argv,
        log_tail=encoded.why_whole,
    )


def scratch_bytes(plan: Plan, chunk: Chunk, source_bytes: int) -> int:
    """What the chunk's files will take at most, by their bitrate caps; copies as their source."""
    pictures = [rung.video for rung in plan.rungs if rung.video is not None]
    bits = [
        source_bytes * 8 if video.copied else _picture_bits(video, plan.duration_s)
        for video in pictures
    ]
    return int(sum(bits) * _share(plan, chunk) / 8)


def _share(plan: Plan, chunk: Chunk) -> Fraction:
    return Fraction(chunk.frames, max(plan.frames, 1))


def _picture_bits(video: VideoPlan, duration_s: Fraction) -> Fraction:
    pixels = Fraction(video.width * video.height * video.frames)
    if video.lossless:
        return pixels * 2 * BITS_A_SAMPLE * LOSSLESS_SHARE
    if video.max_bitrate_bps is None:
        return pixels * UNCAPPED_BITS_A_PIXEL
    return video.max_bitrate_bps * duration_s
