"""Encode the sound: once for the whole source, every distinct encode in one pass.

All of it starts with the first picture, so that joining needs no offsets. It lasts exactly as long
as the plan says, but for lossless tracks, of which nothing is cut. Where a loudness is planned,
what came out is measured, and encoded again with another level where a codec moved it.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.media import Loudness
from pipelines.planning.plan import AudioPlan, Plan
from pipelines.planning.plan_loudness import Level, Settling
from pipelines.progress import Progress, part
from pipelines.running.run import Finished, run
from pipelines.running.tool_output import LogTail
from pipelines.running.tools import ffmpeg
from pipelines.sound.audio_graph import audio_files, compose_audio, distinct
from pipelines.sound.loudness import EBUR128, read_loudness

_TRIES = 6


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """`files` by `AudioPlan.key`: one track each, from zero. `argv` made all of them."""

    files: dict[str, Path]
    argv: tuple[str, ...]


def encode_audio(source: Path, plan: Plan, folder: Path) -> Generator[Progress, None, EncodedAudio]:
    """Write every distinct sound of the plan into `folder`; nothing at all for a silent plan."""
    source, folder = source.resolve(), folder.resolve()
    files = audio_files(plan, folder)
    if not files:
        return EncodedAudio({}, ())
    settling = {
        key: Settling(track)
        for key, track in distinct(plan).items()
        if track.loudness and not track.copied
    }
    for attempt in range(_TRIES):
        start = 1 - 0.5**attempt  # nobody knows how many there will be
        middle, end = start + 0.4 * (1 - start), start + 0.5 * (1 - start)
        levels = {key: one.level for key, one in settling.items()}
        encoding = _encode(source, plan, folder, levels)
        finished = yield from part(encoding, start, middle, "encoding the sound")
        heard = yield from part(
            _measure({key: files[key] for key in settling}, plan),
            *(middle, end, "measuring the sound"),
        )
        again = [
            one.heard(heard[key].integrated_lkfs, heard[key].true_peak_dbtp)
            for key, one in settling.items()
        ]
        if not any(again):
            break
    return EncodedAudio(files, finished.argv)


def measure_as_it_is(
    source: Path, plan: Plan, track: AudioPlan, folder: Path
) -> Generator[Progress, None, Loudness]:
    """Loudness and true peak of one mix before anything was done to it, by a first encode."""
    source, folder = source.resolve(), folder.resolve()
    alone = replace(plan, rungs=(replace(plan.rungs[0], video=None, audio=(track,), subtitles=()),))
    encoding = _encode(source, alone, folder, {track.key: Level()})
    yield from part(encoding, 0.0, 0.8, "encoding the sound")
    measuring = _measure(audio_files(alone, folder), alone)
    return (yield from part(measuring, 0.8, 1.0, "measuring the sound"))[track.key]


def _encode(
    source: Path, plan: Plan, folder: Path, levels: Mapping[str, Level]
) -> Generator[Progress, None, Finished]:
    return (
        yield from run(
            compose_audio(source, plan, folder, levels),
            readable=[source],
            writable=[folder],
            total_s=float(plan.duration_s),
        )
    )


def _measure(
    files: Mapping[str, Path], plan: Plan
) -> Generator[Progress, None, dict[str, Loudness]]:
    """Loudness and true peak of finished encodes, by key."""
    if not files:
        return {}
    told = {key: LogTail() for key in files}
    argv = [ffmpeg(), "-v", "error"]
    argv += [word for path in files.values() for word in ("-i", str(path))]
    for number in range(len(files)):
        meter = rf"{EBUR128},ametadata=print:file='pipe\:loudness{number}'"
        argv += ["-map", f"{number}:a:0", "-af", meter, "-f", "null", "-"]
    yield from run(
        argv,
        readable=list(files.values()),
        taps={f"loudness{number}": tail.feed for number, tail in enumerate(told.values())},
        total_s=float(plan.duration_s),
    )
    return {
        key: read_loudness(number, tail.text(), float(plan.duration_s))
        for number, (key, tail) in enumerate(told.items())
    }
