"""The one ffmpeg command that encodes the sound: every distinct encode, each track decoded once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ffmpeg

from pipelines.encoding.clock import clock_outputs
from pipelines.planning.plan import AudioPlan, Plan
from pipelines.planning.plan_loudness import Level
from pipelines.running import tools
from pipelines.sound import sound_mix
from pipelines.sound.sound_clock import HOLE_S
from pipelines.sound.sound_codecs import encoder, muxer, sample_fmt, suffix
from pipelines.sound.sound_copy import copy_options
from pipelines.sound.sound_mix import Filter
from pipelines.sources.containers import GUARD_OPTIONS, clock_options, sound_options

_SOXR_BITS = 28  # soxr's very high quality: below the noise of 24 bits
# A downmix is not scaled down: by 0.41, for the worst case, programmes would be 7.7 dB too quiet.
# Without a loudness to reach, the few peaks that then exceed GY/T 282's -2 dBTP are limited.
_DOWNMIX_LIMIT = 0.7943  # -2 dBFS
_OVERSAMPLED_HZ = 192_000  # BS.1770-5 annex 2: four times 48 kHz


def audio_files(plan: Plan, folder: Path) -> dict[str, Path]:
    """Where `compose_audio` puts each encode, by its key."""
    return {key: folder / f"{key}.{suffix(track)}" for key, track in distinct(plan).items()}


def distinct(plan: Plan) -> dict[str, AudioPlan]:
    """Every sound of a plan once, by its key."""
    return {track.key: track for rung in plan.rungs for track in rung.audio}


def compose_audio(source: Path, plan: Plan, folder: Path, levels: Mapping[str, Level]) -> list[str]:
    """The argv that encodes each distinct sound once; `levels` by key, of those that have one."""
    clock = clock_options(track_gaps=plan.track_gaps)
    sounds = sound_options(plan.source_sounds)
    opened = ffmpeg.input(str(source), **GUARD_OPTIONS, **clock, **sounds)
    files, tracks = audio_files(plan, folder), distinct(plan)
    mixes = [track for track in tracks.values() if not track.lossless and not track.copied]
    aligned = _aligned_tracks(opened, mixes, plan)

    def stream(key: str, track: AudioPlan) -> Any:
        if track.copied:
            return opened[str(plan.audio_tracks[track.tracks[0]])]
        if track.lossless:
            return _untouched(opened, track, plan)
        return _whole(_levelled(track, aligned, levels.get(key)), track, plan)

    outputs = [
        ffmpeg.output(
            stream(key, track),
            str(files[key]),
            **(copy_options(track, plan) if track.copied else _options(track, levels.get(key))),
        )
        for key, track in tracks.items()
    ]
    argv: list[str] = ffmpeg.merge_outputs(*outputs, *clock_outputs(opened, plan)).compile(
        cmd=[tools.ffmpeg(), "-v", "warning", "-y"]
    )
    return argv


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


def _levelled(
    track: AudioPlan, aligned: Mapping[tuple[int, int], Iterator[Any]], level: Level | None
) -> Any:
    """The mix of a track, with its gain, and its true peaks below the ceiling."""
    stream = _mixed([next(aligned[use]) for use in _uses(track)], track)
    if level is None:
        limited = track.pan == "downmix"
        return _limiter(stream, _DOWNMIX_LIMIT) if limited else _gained(stream, track.gain_db)
    stream = _gained(stream, level.gain_db)
    if level.ceiling_dbtp is None:
        return stream
    high = stream.filter("aresample", _OVERSAMPLED_HZ, resampler="soxr", osf="dbl")
    limited = _limiter(high, 10 ** (level.ceiling_dbtp / 20))
    return limited.filter("aresample", track.sample_rate_hz, resampler="soxr")


def _gained(stream: Any, gain_db: float) -> Any:
    if not gain_db:
        return stream
    return stream.filter("volume", f"{gain_db:.3f}dB", precision="double")


def _limiter(stream: Any, limit: float) -> Any:
    return stream.filter("alimiter", limit=round(limit, 6), level=0, latency=1)


def _mixed(parts: list[Any], track: AudioPlan) -> Any:
    mixed = _side_by_side(parts, track)
    return _through(mixed, sound_mix.mono()) if track.is_folded else mixed


def _side_by_side(parts: list[Any], track: AudioPlan) -> Any:
    """Of what is folded into mono the stereo."""
    parts = [_through(part, *sound_mix.in_order(track.own_order)) for part in parts]
    match track.pan:
        case "join":
            return _joined(parts)
        case "downmix":
            one = _joined(parts) if len(parts) > 1 else parts[0]
            layout = "stereo" if track.is_folded else track.layout
            return _through(one, *sound_mix.downmix(layout))
        case "pair":
            return _through(parts[0], sound_mix.pair(track.own_order))
        case "six":
            return _through(parts[0], sound_mix.six(track.own_order))
        case "source":
            return parts[0]


def _joined(parts: list[Any]) -> Any:
    """Those that end early go on in silence."""
    name, options = sound_mix.join(len(parts))
    return ffmpeg.filter([part.filter("apad") for part in parts], name, **options)


def _through(stream: Any, *filters: Filter) -> Any:
    for name, options in filters:
        stream = stream.filter(name, **options)
    return stream


def _aligned(stream: Any, rate_hz: int, plan: Plan) -> Any:
    """Silence or a cut at the start, and silence in holes; nothing is ever stretched.

    The comparison is made by the samples' own time stamps, on ffmpeg's corrected clock: where the
    file's jumps, the sound after it stays with the picture. It comes before the change of the rate:
    there `first_pts` would count samples of the one rate as the other's, and soxr drops none.
    """
    zero_s = float(plan.first_picture_s - plan.start_s)
    in_place = stream.filter("asetpts", f"PTS-{zero_s:.9f}/TB").filter(
        "aresample",
        **{"async": 1},
        first_pts=0,
        min_comp=1 / (4 * rate_hz),  # the default would leave up to 1 ms at the start
        min_hard_comp=float(HOLE_S),
    )
    return in_place.filter("aresample", rate_hz, resampler="soxr", precision=_SOXR_BITS)


def _untouched(opened: Any, track: AudioPlan, plan: Plan) -> Any:
    """Every sample that decodes, none before and none after, behind the silence of a late start."""
    stream = opened[str(plan.audio_tracks[track.tracks[0]])]
    if lead := plan.lead_samples(track):
        stream = stream.filter("adelay", f"{lead}S", all=1)
    stream = _through(stream, *sound_mix.in_order(track.own_order))
    return stream.filter("aformat", channel_layouts=track.layout).filter("asetpts", "N/SR/TB")


def _whole(stream: Any, track: AudioPlan, plan: Plan) -> Any:
    """Exactly the plan's duration, counted in samples from zero."""
    samples = round(plan.duration_s * track.sample_rate_hz)
    return (
        stream.filter("aformat", channel_layouts=track.layout)
        .filter("apad")
        .filter("atrim", end_sample=samples)
        .filter("asetpts", "N/SR/TB")
    )


def _options(track: AudioPlan, level: Level | None) -> dict[str, Any]:
    options = {
        "c:a": encoder(track),
        "b:a": track.bitrate_bps,
        "sample_fmt": sample_fmt(track),
        "dialnorm": _dialnorm(track, level),
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        "f": muxer(track),
    }
    return {name: value for name, value in options.items() if value is not None}


def _dialnorm(track: AudioPlan, level: Level | None) -> int | None:
    """What AC-3 tells its decoders of its loudness, -31 to -1 (ETSI TS 102 366, 5.4.2.8): nothing
    where its target turns out not to be had.
    """
    goal = track.loudness
    if track.codec not in ("ac3", "eac3") or goal is None or level is None or not level.sought:
        return None
    return max(-31, round(goal.target_lkfs))
