"""8 kHz sound of a few places, and its level everywhere: enough to see that nothing has moved."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
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
from pipelines.sound.sound_mix import in_order, join, mono, pair, six
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

_HEAD_S = 20  # and the tail, where drift has added up
# [P] Between them: a shift that is gone again before the end shows there, and memory is kept low.
_BETWEEN_S, _EVERY_S, _MOST_BETWEEN = 5, 60, 30


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the programme, half-open; its zero is the first picture."""

    start_s: Fraction
    end_s: Fraction


class SourceTrack(NamedTuple):
    """By its position among the source's sound tracks, of a mix of mono tracks all of them;
    `mix` is what it is compared as.
    """

    positions: tuple[int, ...]
    mix: str


@dataclass(frozen=True, slots=True)
class HeardSound:
    """The levels of all of a track, and its samples in each span that was asked for."""

    levels: Levels
    spans: tuple[Sound, ...]


class SpanListener:
    """Keeps the samples of a few spans, and the levels of all, while a track streams past."""

    def __init__(self, channels: int, spans: Sequence[Span]) -> None:
        self._channels = channels
        self._spans = [(_samples(span.start_s), _samples(span.end_s)) for span in spans]
        self._parts: list[list[Sound]] = [[] for _ in spans]
        self._levels = LevelTrack(channels, SOUND_RATE_HZ)
        self._rest = b""
        self.count = 0

    def feed(self, block: bytes) -> None:
        data = self._rest + block
        sound = sound_of(data, self._channels)
        self._rest = data[sound.nbytes :]
        self._levels.take(sound)
        for (start, end), parts in zip(self._spans, self._parts, strict=True):
            first, last = max(start - self.count, 0), end - self.count
            if last > first and len(sound) > first:
                parts.append(sound[first:last])
        self.count += len(sound)

    def heard(self) -> HeardSound:
        nothing = np.zeros((0, self._channels), np.float32)
        spans = tuple(np.concatenate([nothing, *parts]) for parts in self._parts)
        return HeardSound(self._levels.levels(), spans)


def sound_spans(duration_s: Fraction) -> tuple[Span, ...]:
    """The head of the programme, its tail, and places of a long one between them."""
    head = Span(Fraction(0), min(duration_s, Fraction(_HEAD_S)))
    if duration_s <= _HEAD_S:
        return (head,)
    parts = min(_MOST_BETWEEN + 1, ceil(duration_s / _EVERY_S))
    middles = (duration_s * part / parts for part in range(1, parts))
    half_s = Fraction(_BETWEEN_S, 2)
    between = (Span(at_s - half_s, at_s + half_s) for at_s in middles)
    return (head, *between, Span(duration_s - _HEAD_S, duration_s))


def sound_of(raw: bytes, channels: int) -> Sound:
    whole = len(raw) // (4 * channels) * 4 * channels
    return np.frombuffer(raw[:whole], np.float32).reshape(-1, channels)


def together(parts: Sequence[Levels]) -> Levels:
    """The levels of all that a track is made from, as it is compared."""
    count = max(len(part) for part in parts)
    return np.concatenate([np.pad(one, ((0, count - len(one)), (0, 0))) for one in parts], axis=1)


def source_sounds(
    source: Path, plan: Plan, tracks: Iterable[AudioPlan], spans: tuple[Span, ...]
) -> Generator[Progress, None, Mapping[SourceTrack, HeardSound]]:
    """Every source track that these tracks are made from, in one pass over all: nothing is sought,
    which not every container does exactly.
    """
    channels = {use: count for track in tracks for use, count in source_tracks(track).items()}
    if not channels:
        return {}
    clock = (plan.start_s, plan.first_picture_s, plan.track_gaps, plan.clock_tracks)
    wanted = (*sorted(channels.items()), plan.audio_tracks, spans, plan.duration_s)
    key = (identity(source), "sounds", *wanted, *clock)
    return (yield from kept_or(key, lambda: _source_sounds(source, plan, channels, spans)))


def side_by_side(parts: Sequence[Sound]) -> Sound:
    """What a track is made from, as it is compared; one that ends early goes on in silence."""
    length = max(len(part) for part in parts)
    padded = [np.pad(part, ((0, length - len(part)), (0, 0))) for part in parts]
    return np.concatenate(padded, axis=1)


def source_tracks(track: AudioPlan) -> dict[SourceTrack, int]:
    """What a track is made from, with the channels that it has as it is compared."""
    if track.pan == "downmix":
        return {SourceTrack(track.tracks, _MONO): 1}
    if track.is_folded and track.pan == "join":
        return {SourceTrack(track.tracks, f",{mono()}"): 1}
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
            filters += [mono()] if track.is_folded else []
            ordered = "".join(f",{one}" for one in filters)
            return ordered + (_LFE_BAND_OF_SIX if track.channels == _SIX else "")


def rendition_mix(track: AudioPlan) -> str:
    """The filters of a rendition's track before it is compared."""
    if track.pan == "downmix":
        return _MONO
    return _LFE_BAND_OF_SIX if track.channels == _SIX else ""


def _source_sounds(
    source: Path, plan: Plan, channels: Mapping[SourceTrack, int], spans: tuple[Span, ...]
) -> Generator[Progress, None, dict[SourceTrack, HeardSound]]:
    listeners = {use: SpanListener(count, spans) for use, count in channels.items()}
    taps, outputs = {}, list[str]()
    for number, (use, listener) in enumerate(listeners.items()):
        taps[f"sound{number:03}"] = listener.feed
        outputs += _sound_output(plan, use, f"sound{number:03}")
    guards = (*INPUT_GUARDS, *clock_words(track_gaps=plan.track_gaps))
    guards += sound_words(plan.source_sounds)
    outputs += clock_output_words(plan)
    yield from run(
        [ffmpeg(), "-v", "error", *guards, "-i", str(source), *outputs],
        readable=[source],
        taps=taps,
        total_s=float(plan.duration_s),
    )
    return {use: listener.heard() for use, listener in listeners.items()}


def _sound_output(plan: Plan, use: SourceTrack, tap: str) -> list[str]:
    """Tracks that are mixed down are added up as they sound: side by side they may cancel."""
    written = ("-f", "f32le", f"pipe:{tap}")
    indices = [plan.audio_tracks[position] for position in use.positions]
    if len(indices) == 1:
        return ["-map", f"0:{indices[0]}", "-af", _sound_chain(plan, use.mix), *written]
    one = _sound_chain(plan, "")
    parts = [f"[0:{index}]{one},apad[p{at}]" for at, index in enumerate(indices)]
    sides = "".join(f"[p{at}]" for at in range(len(indices)))
    length = f"atrim=end={float(plan.duration_s):.9f}"
    graph = ";".join([*parts, f"{sides}{join(len(indices))},{length}{use.mix}[{tap}]"])
    return ["-filter_complex", graph, "-map", f"[{tap}]", *written]


def _sound_chain(plan: Plan, mix: str) -> str:
    """The sound of the plan's time, from zero, as it is compared; its clock is ffmpeg's."""
    zero_s = plan.first_picture_s - plan.start_s
    start_s, end_s = float(zero_s), float(zero_s + plan.duration_s)
    cut = f"atrim=start={start_s:.9f}:end={end_s:.9f}"
    return f"{cut},asetpts=PTS-{start_s:.9f}/TB,{SOUND_FILTER}{mix}"


def _samples(at_s: Fraction) -> int:
    return round(at_s * SOUND_RATE_HZ)
