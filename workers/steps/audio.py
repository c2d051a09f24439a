"""Encode the sound and the subtitles: once for the whole source, every distinct track in a pass."""

from __future__ import annotations

from fractions import Fraction

from pipelines.planning.plan import AudioPlan, Plan
from pipelines.sound.audio import encode_audio
from pipelines.subtitles.subtitle_tracks import encode_subtitles
from workers.context import StepContext, StepResult
from workers.steps.inputs import plan_of, request_of, source_of
from workers.steps.subtitle_files import plan_with_files_here

LOSSLESS_BITS_A_SAMPLE = 32


def run(context: StepContext) -> StepResult:
    source, plan = source_of(context), plan_of(context)
    context.need_scratch(scratch_bytes(plan))
    with context.fetch(source.key) as path:
        sound = context.follow(encode_audio(path, plan, context.folder), end=0.9)
        with_files = plan_with_files_here(context, plan, request_of(context))
        reading = encode_subtitles(path, with_files, context.folder)
        text = context.follow(reading, start=0.9, end=0.99)
    files = {**sound.files, **text.files}
    keys = {key: context.put(file, context.work, file.name) for key, file in files.items()}
    return StepResult(result={"files": keys, "also": text.commands}, command=sound.argv)


def scratch_bytes(plan: Plan) -> int:
    """What the distinct encodes will take at most."""
    tracks = {audio.key: audio for rung in plan.rungs for audio in rung.audio}
    return int(sum(_bits_per_second(audio) for audio in tracks.values()) * plan.duration_s / 8)


def _bits_per_second(audio: AudioPlan) -> Fraction:
    lossless = audio.sample_rate_hz * audio.channels * LOSSLESS_BITS_A_SAMPLE
    return Fraction(audio.bitrate_bps or lossless)
