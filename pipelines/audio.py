"""Encode the sound: once for the whole source, every distinct encode in one pass.

All of it starts with the first picture, so that joining needs no offsets. It lasts exactly as long
as the plan says, but for lossless tracks, of which nothing is cut.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from pipelines import tools
from pipelines.containers import GUARD_OPTIONS
from pipelines.plan import AudioPlan, Plan
from pipelines.profile import AudioCodec
from pipelines.progress import Progress
from pipelines.run import run
from pipelines.samples import FIRST_PAIR

# Every codec in a container that keeps its priming and its last, shorter block through stream copy.
_FILES: Mapping[AudioCodec, tuple[str, str]] = {
    "aac": ("m4a", "mp4"),
    "ac3": ("mp4", "mp4"),
    "flac": ("mka", "matroska"),
    "pcm": ("mov", "mov"),
}
_HOLE_S = 0.03  # shorter jumps of the time stamps are rounding or jitter; longer ones are filled
# ITU-R BS.775-3 annex 4: L = L + 0.7071 C + 0.7071 Ls, R alike, no LFE.
_MINUS_3_DB = 0.70710678
# Unscaled, the downmix keeps the loudness of the programme, which is what is regulated (GY/T 282);
# the few peaks that then exceed its -2 dBTP are limited: scaling by 0.41 for the worst case would
# make every programme 7.7 dB too quiet.
_LIMIT = 0.7943  # -2 dBFS


@dataclass(frozen=True, slots=True)
class EncodedAudio:
    """`files` by `AudioPlan.key`: one track each, from zero."""

    files: dict[str, Path]
    argv: tuple[str, ...]


def encode_audio(source: Path, plan: Plan, folder: Path) -> Generator[Progress, None, EncodedAudio]:
    """Write every distinct sound of the plan into `folder`; nothing at all for a silent plan."""
    source, folder = source.resolve(), folder.resolve()
    files = audio_files(plan, folder)
    if not files:
        return EncodedAudio({}, ())
    finished = yield from run(
        compose_audio(source, plan, folder),
        readable=[source],
        writable=[folder],
        total_s=float(plan.duration_s),
    )
    return EncodedAudio(files, finished.argv)


def audio_files(plan: Plan, folder: Path) -> dict[str, Path]:
    """Where `compose_audio` puts each encode, by its key."""
    return {key: folder / f"{key}.{_FILES[track.codec][0]}" for key, track in _distinct(plan)}


def compose_audio(source: Path, plan: Plan, folder: Path) -> list[str]:
    """The argv that encodes each distinct sound once."""
    opened = ffmpeg.input(str(source), **GUARD_OPTIONS)
    files, distinct = audio_files(plan, folder), _distinct(plan)
    mixes = [track for _, track in distinct if not track.lossless]
    aligned = _aligned_tracks(opened, mixes, plan)
    outputs = [
        ffmpeg.output(
            _untouched(opened, track, plan)
            if track.lossless
            else _whole(_mixed([next(aligned[use]) for use in _uses(track)], track), track, plan),
            str(files[key]),
            **_options(track),
        )
        for key, track in distinct
    ]
    if plan.clock_tracks:
        clock = [opened[str(index)] for index in plan.clock_tracks]
        outputs.append(ffmpeg.output(*clock, "-", c="copy", format="null"))
    argv: list[str] = ffmpeg.merge_outputs(*outputs).compile(
        cmd=[tools.ffmpeg(), "-v", "warning", "-y"]
    )
    return argv


def _distinct(plan: Plan) -> list[tuple[str, AudioPlan]]:
    return list({track.key: track for rung in plan.rungs for track in rung.audio}.items())


def _uses(track: AudioPlan) -> list[tuple[int, int]]:
    """The source tracks that an encode takes, each with the sample rate that it takes it at."""
    return [(position, track.sample_rate_hz) for position in track.tracks]


def _aligned_tracks(
    opened: Any, tracks: Sequence[AudioPlan], plan: Plan
) -> dict[tuple[int, int], Iterator[Any]]:
    """Each source track once for each rate, split among the encodes that take it."""
    uses = Counter(use for track in tracks for use in _uses(track))
    split = {}
    for (position, rate_hz), times in uses.items():
        stream = _aligned(opened[str(plan.audio_tracks[position])], rate_hz, plan)
        if times > 1:
            parts = stream.filter_multi_output("asplit", times)
            split[position, rate_hz] = iter([parts.stream(number) for number in range(times)])
        else:
            split[position, rate_hz] = iter([stream])
    return split


def _mixed(parts: list[Any], track: AudioPlan) -> Any:
    match track.pan:
        case "join":
            sides = "|".join(f"{number}.0-{side}" for number, side in enumerate(("FL", "FR")))
            endless = [part.filter("apad") for part in parts]  # join ends with its shortest input
            return ffmpeg.filter(
                endless, "join", inputs=len(parts), channel_layout=track.layout, map=sides
            )
        case "downmix":
            return _downmixed(parts[0], track)
        case "pair":
            return parts[0].filter("channelmap", map=FIRST_PAIR, channel_layout=track.layout)
        case "source":
            return parts[0]


def _aligned(stream: Any, rate_hz: int, plan: Plan) -> Any:
    """Silence or a cut at the start, and silence in holes; nothing is ever stretched.

    The comparison is made by the samples' own time stamps, on ffmpeg's corrected clock: where the
    file's jumps, the sound after it stays with the picture.
    """
    return stream.filter(
        "aresample",
        rate_hz,
        **{"async": 1},
        first_pts=round((plan.first_picture_s - plan.start_s) * rate_hz),
        min_comp=1 / (4 * rate_hz),  # the default would leave up to 1 ms at the start
        min_hard_comp=_HOLE_S,
    )


def _untouched(opened: Any, track: AudioPlan, plan: Plan) -> Any:
    """Every sample that decodes, none before and none after, behind the silence of a late start."""
    stream = opened[str(plan.audio_tracks[track.tracks[0]])]
    if lead := plan.lead_samples(track):
        stream = stream.filter("adelay", f"{lead}S", all=1)
    return stream.filter("aformat", channel_layouts=track.layout).filter("asetpts", "N/SR/TB")


def _downmixed(stream: Any, track: AudioPlan) -> Any:
    """In floating point, where swresample does not scale the coefficients by itself."""
    return (
        stream.filter("aformat", sample_fmts="fltp")
        .filter(
            "aresample",
            ochl=track.layout,
            clev=_MINUS_3_DB,
            slev=_MINUS_3_DB,
            lfe_mix_level=0,
            osf="fltp",
        )
        .filter("alimiter", limit=_LIMIT, level=0, latency=1)
    )


def _whole(stream: Any, track: AudioPlan, plan: Plan) -> Any:
    """Exactly the plan's duration, counted in samples from zero."""
    samples = round(plan.duration_s * track.sample_rate_hz)
    return (
        stream.filter("aformat", channel_layouts=track.layout)
        .filter("apad")
        .filter("atrim", end_sample=samples)
        .filter("asetpts", "N/SR/TB")
    )


def _options(track: AudioPlan) -> dict[str, Any]:
    options = {
        "c:a": pcm_name(track) if track.codec == "pcm" else track.codec,
        "b:a": track.bitrate_bps,
        "sample_fmt": _sample_fmt(track),
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        "f": _FILES[track.codec][1],
    }
    return {name: value for name, value in options.items() if value is not None}


def pcm_name(track: AudioPlan) -> str:
    """As ffmpeg and ffprobe call it: whole numbers, the lowest byte first."""
    return f"pcm_s{track.bit_depth}le"


def _sample_fmt(track: AudioPlan) -> str | None:
    """FLAC takes 24 bits from the upper bits of 32."""
    if track.codec != "flac":
        return None
    return "s16" if track.bit_depth == 16 else "s32"
