"""8 kHz sound of a few places, and its level everywhere: enough to see that nothing has moved."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.encoding.clock import clock_output_words
from pipelines.planning.plan_types import AudioPlan, Plan
from pipelines.progress import Progress
from pipelines.running.kept import identity, kept_or
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sound.sound_clock import HOLE_S
from pipelines.sound.sound_levels import Levels, LevelTrack
from pipelines.sound.sound_mix import in_order, join, pair, six
from pipelines.sources.containers import INPUT_GUARDS, clock_words, sound_words

Sound = NDArray[np.float32]  # (samples, channels)

SOUND_RATE_HZ = 8000
# Gaps are filled with silence and nothing is stretched, so sample n is at n ÷ 8000 s.
SOUND_FILTER = (
    f"aresample={SOUND_RATE_HZ}:async=1:first_pts=0:min_comp=0.0005:min_hard_comp={float(HOLE_S)}"
    ",aformat=sample_fmts=flt"
)

_MONO = ",aformat=channel_layouts=mono"
# Codecs carry little above 120 Hz in the LFE channel, and each another share of it.
_LFE_BAND, _LFE_BAND_OF_SIX = ",lowpass=f=120" * 4, ",lowpass=f=120:c=LFE" * 4
_LFE, _SIX = 3, 6

_SOUND_WINDOW_S = 20
# How long before a place reading starts: containers with an index find the key frame before it,
# streams without one need a GOP, and where no seek is exact only the whole way is (`None`).
LOOKS_S: tuple[float | None, ...] = (0.5, 6.0, None)


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the programme, half-open; its zero is the first picture."""

    start_s: Fraction
    end_s: Fraction


class SourceTrack(NamedTuple):
    """By its position among the source's sound tracks, of a downmix of mono tracks all of them;
    `mix` is what it is compared as.
    """

    positions: tuple[int, ...]
    mix: str


def sound_spans(duration_s: Fraction) -> tuple[Span, ...]:
    """The head of the programme, and the tail of a long one, where drift has added up."""
    head = Span(Fraction(0), min(duration_s, Fraction(_SOUND_WINDOW_S)))
    if duration_s < 3 * _SOUND_WINDOW_S:
        return (head,)
    return (head, Span(duration_s - _SOUND_WINDOW_S, duration_s))


def source_sound(
    source: Path, plan: Plan, track: AudioPlan, span: Span, margin_s: float | None
) -> Generator[Progress, None, Sound]:
    """The source's sound that a track of a rendition was made from; mono for a downmix."""
    margin_s = None if plan.clock_jumps else margin_s
    made_from = (track.tracks, track.pan, span)
    key = (identity(source), "sound", *made_from, margin_s, plan.first_picture_s)
    return (yield from kept_or(key, lambda: _source_sound(source, plan, track, span, margin_s)))


def sound_of(raw: bytes, channels: int) -> Sound:
    whole = len(raw) // (4 * channels) * 4 * channels
    return np.frombuffer(raw[:whole], np.float32).reshape(-1, channels)


def _source_sound(
    source: Path, plan: Plan, track: AudioPlan, span: Span, margin_s: float | None
) -> Generator[Progress, None, Sound]:
    place_s = _seek_s(plan, span.start_s, margin_s)
    uses = source_tracks(track)
    taken = {f"track{use.positions[0]:02}": bytearray() for use in uses}
    outputs: list[str] = []
    for use, name in zip(uses, taken, strict=True):
        outputs += _sound_output(plan, span, place_s, use, name)
    if place_s is None:
        outputs += clock_output_words(plan)
    yield from run(
        [ffmpeg(), "-v", "error", *_opened(source, plan, place_s), *outputs],
        readable=[source],
        taps={name: data.extend for name, data in taken.items()},
    )
    parts = [
        sound_of(bytes(data), channels)
        for data, channels in zip(taken.values(), uses.values(), strict=True)
    ]
    length = max(len(part) for part in parts)  # a track that ends early goes on in silence
    parts = [np.pad(part, ((0, length - len(part)), (0, 0))) for part in parts]
    return np.concatenate(parts, axis=1)


def together(parts: Sequence[Levels]) -> Levels:
    """The levels of all that a track is made from, as it is compared."""
    count = max(len(part) for part in parts)
    return np.concatenate([np.pad(one, ((0, count - len(one)), (0, 0))) for one in parts], axis=1)


def source_levels(
    source: Path, plan: Plan, tracks: Iterable[AudioPlan]
) -> Generator[Progress, None, Mapping[SourceTrack, Levels]]:
    """The levels of every source track that these tracks are made from, in one pass over all."""
    channels = {use: count for track in tracks for use, count in source_tracks(track).items()}
    if not channels:
        return {}
    span = Span(Fraction(0), plan.duration_s)
    key = (identity(source), "levels", *sorted(channels.items()), span, plan.first_picture_s)
    return (yield from kept_or(key, lambda: _source_levels(source, plan, channels, span)))


def source_tracks(track: AudioPlan) -> dict[SourceTrack, int]:
    """What a track is made from, with the channels that it has as it is compared."""
    if track.pan == "downmix":
        return {SourceTrack(track.tracks, _MONO): 1}
    channels = 1 if track.pan == "join" else track.channels
    return {
        SourceTrack((at,), _mix(track, place)): channels for place, at in enumerate(track.tracks)
    }


def _mix(track: AudioPlan, place: int) -> str:
    """The filters of the `place`-th source track of a track before it is compared."""
    match track.pan:
        case "join":
            return _LFE_BAND if track.channels == _SIX and place == _LFE else ""
        case "six":
            return f",{six(track.own_order)}{_LFE_BAND_OF_SIX}"
        case _:
            filters = list(in_order(track.own_order))
            filters += [pair(track.own_order)] if track.pan == "pair" else []
            ordered = "".join(f",{one}" for one in filters)
            return ordered + (_LFE_BAND_OF_SIX if track.channels == _SIX else "")


def rendition_mix(track: AudioPlan) -> str:
    """The filters of a rendition's track before it is compared."""
    if track.pan == "downmix":
        return _MONO
    return _LFE_BAND_OF_SIX if track.channels == _SIX else ""


def _source_levels(
    source: Path, plan: Plan, channels: Mapping[SourceTrack, int], span: Span
) -> Generator[Progress, None, dict[SourceTrack, Levels]]:
    meters = {use: LevelTrack(count, SOUND_RATE_HZ) for use, count in channels.items()}
    taps, outputs = {}, list[str]()
    for number, (use, meter) in enumerate(meters.items()):
        taps[f"level{number:03}"] = _Samples(channels[use], meter.take).feed
        outputs += _sound_output(plan, span, None, use, f"level{number:03}")
    outputs += clock_output_words(plan)
    yield from run(
        [ffmpeg(), "-v", "error", *_opened(source, plan, None), *outputs],
        readable=[source],
        taps=taps,
        total_s=float(plan.duration_s),
    )
    return {use: meter.levels() for use, meter in meters.items()}


class _Samples:
    """Whole samples from blocks of bytes."""

    def __init__(self, channels: int, take: Callable[[Sound], None]) -> None:
        self._channels = channels
        self._take = take
        self._rest = b""

    def feed(self, block: bytes) -> None:
        data = self._rest + block
        sound = sound_of(data, self._channels)
        self._rest = data[sound.nbytes :]
        self._take(sound)


def _sound_output(
    plan: Plan, span: Span, place_s: Fraction | None, use: SourceTrack, tap: str
) -> list[str]:
    """Tracks that are mixed down are added up as they sound: side by side they may cancel."""
    written = ("-f", "f32le", f"pipe:{tap}")
    indices = [plan.audio_tracks[position] for position in use.positions]
    if len(indices) == 1:
        chain = _sound_chain(plan, span, place_s, use.mix)
        return ["-map", f"0:{indices[0]}", "-af", chain, *written]
    one = _sound_chain(plan, span, place_s, "")
    parts = [f"[0:{index}]{one},apad[p{at}]" for at, index in enumerate(indices)]
    sides = "".join(f"[p{at}]" for at in range(len(indices)))
    length = f"atrim=end={float(span.end_s - span.start_s):.9f}"
    graph = ";".join([*parts, f"{sides}{join(len(indices))},{length}{use.mix}[{tap}]"])
    return ["-filter_complex", graph, "-map", f"[{tap}]", *written]


def _sound_chain(plan: Plan, span: Span, place_s: Fraction | None, mix: str) -> str:
    """The sound of a span of the plan's time, from zero, as it is compared."""
    zero_s = plan.first_picture_s - (plan.start_s if place_s is None else 0)
    start_s, end_s = (float(zero_s + at) for at in (span.start_s, span.end_s))
    cut = f"atrim=start={start_s:.9f}:end={end_s:.9f}"
    return f"{cut},asetpts=PTS-{start_s:.9f}/TB,{SOUND_FILTER}{mix}"


def _seek_s(plan: Plan, at_s: Fraction, margin_s: float | None) -> Fraction | None:
    """Where reading starts on the file's clock; `None`: at its beginning."""
    place_s = plan.first_picture_s + at_s
    if margin_s is None or place_s <= margin_s:
        return None
    return place_s - Fraction(margin_s)


def _opened(source: Path, plan: Plan, place_s: Fraction | None) -> list[str]:
    """Input options that leave times on the file's own clock after a seek; without one they are on
    ffmpeg's corrected clock.
    """
    clock = clock_words(track_gaps=plan.track_gaps)
    guards = (*INPUT_GUARDS, *clock, *sound_words(plan.source_sounds))
    if place_s is None:
        return [*guards, "-i", str(source)]
    seek = ("-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(place_s):.6f}")
    return ["-copyts", *guards, *seek, "-i", str(source)]
