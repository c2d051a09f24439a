"""Small pictures and 8 kHz sound of a few places: enough to see that nothing has moved."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from threading import Lock
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipelines.containers import INPUT_GUARDS
from pipelines.plan_types import AudioPlan, Plan
from pipelines.progress import Progress
from pipelines.run import run
from pipelines.sound_levels import Levels, LevelTrack
from pipelines.source_colour import readable_tags
from pipelines.tools import ffmpeg

T = TypeVar("T")
Pictures = dict[int, NDArray[np.float32]]
Sound = NDArray[np.float32]  # (samples, channels)

THUMB_WIDTH, THUMB_HEIGHT = 160, 90
# Area scaling keeps a moving detail moving; other scalers alias it.
THUMB_FILTER = f"scale={THUMB_WIDTH}:{THUMB_HEIGHT}:flags=area,format=gray"
SOUND_RATE_HZ = 8000
# Gaps are filled with silence and nothing is stretched, so sample n is at n ÷ 8000 s.
SOUND_FILTER = (
    f"aresample={SOUND_RATE_HZ}:async=1:first_pts=0:min_comp=0.0005:min_hard_comp=0.03"
    ",aformat=sample_fmts=flt"
)

FIRST_PAIR = "0-FL|1-FR"  # the `channelmap` of channels 1 and 2 as they are
MIXES = {"downmix": ",aformat=channel_layouts=mono", "pair": f",channelmap={FIRST_PAIR}:stereo"}

_WINDOW_FRAMES = 24
_SOUND_WINDOW_S = 20
_SHORT_S = 10  # one pass over a source this long costs less than seeking in it
# How long before a place reading starts: containers with an index find the key frame before it,
# streams without one need a GOP, and where no seek is exact only the whole way is (`None`).
LOOKS_S: tuple[float | None, ...] = (0.5, 6.0, None)
_KEPT = 16  # a few MB each: one job's places
_kept: dict[Hashable, object] = {}
_kept_lock = Lock()


@dataclass(frozen=True, slots=True)
class Window:
    """Source frames, half-open."""

    start_frame: int
    end_frame: int


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds of the programme, half-open; its zero is the first picture."""

    start_s: Fraction
    end_s: Fraction


class SourceTrack(NamedTuple):
    """By its position among the source's sound tracks; `mix` is what it is compared as."""

    position: int
    mix: str


def picture_places(plan: Plan) -> tuple[tuple[Window, ...], ...]:
    """The head, the middle, the tail and the seams of the chunks; windows in one group are decoded
    together.

    A resampled source has no frame numbers to compare after a seek, so only its head is used.
    """
    windows = _windows(plan)
    if plan.duration_s <= _SHORT_S:
        return (windows,)
    return tuple((window,) for window in windows)


def _windows(plan: Plan) -> tuple[Window, ...]:
    frames, half = plan.frames, _WINDOW_FRAMES // 2
    if frames <= 3 * _WINDOW_FRAMES:
        return (Window(0, frames),)
    head = Window(0, _WINDOW_FRAMES)
    if not plan.constant_frame_rate:
        return (head,)
    seams = [chunk.start_frame for chunk in plan.chunks if chunk.start_frame > 0]
    centres = sorted({frames // 2, *seams[:: max(1, len(seams) // 6)]})
    inside = [Window(max(0, at - half), min(frames, at + half)) for at in centres]
    return (head, *inside, Window(frames - _WINDOW_FRAMES, frames))


def sound_spans(duration_s: Fraction) -> tuple[Span, ...]:
    """The head of the programme, and the tail of a long one, where drift has added up."""
    head = Span(Fraction(0), min(duration_s, Fraction(_SOUND_WINDOW_S)))
    if duration_s < 3 * _SOUND_WINDOW_S:
        return (head,)
    return (head, Span(duration_s - _SOUND_WINDOW_S, duration_s))


def source_pictures(
    source: Path, plan: Plan, windows: tuple[Window, ...], margin_s: float | None
) -> Generator[Progress, None, Pictures]:
    """Thumbnails of the source by frame number. Read from `margin_s` before the windows they may be
    missing or misnumbered; read from the start (`None`) they are counted, and the truth.
    """
    margin_s = None if plan.clock_jumps else margin_s
    key = (_identity(source), "pictures", windows, margin_s, plan.frame_rate, plan.first_picture_s)
    return (yield from _kept_or(key, lambda: _source_pictures(source, plan, windows, margin_s)))


def source_sound(
    source: Path, plan: Plan, track: AudioPlan, span: Span, margin_s: float | None
) -> Generator[Progress, None, Sound]:
    """The source's sound that a track of a rendition was made from; mono for a downmix."""
    margin_s = None if plan.clock_jumps else margin_s
    made_from = (track.tracks, track.pan, span)
    key = (_identity(source), "sound", *made_from, margin_s, plan.first_picture_s)
    return (yield from _kept_or(key, lambda: _source_sound(source, plan, track, span, margin_s)))


def pictures_of(raw: bytes, numbers: list[int]) -> Pictures:
    size = THUMB_WIDTH * THUMB_HEIGHT
    whole = np.frombuffer(raw[: len(raw) // size * size], np.uint8)
    thumbs = whole.reshape(-1, THUMB_HEIGHT, THUMB_WIDTH).astype(np.float32)
    return dict(zip(numbers, thumbs, strict=False))


def sound_of(raw: bytes, channels: int) -> Sound:
    whole = len(raw) // (4 * channels) * 4 * channels
    return np.frombuffer(raw[:whole], np.float32).reshape(-1, channels)


def _source_pictures(
    source: Path, plan: Plan, windows: tuple[Window, ...], margin_s: float | None
) -> Generator[Progress, None, Pictures]:
    assert plan.frame_rate is not None, "only a plan with pictures has windows"
    rate = plan.frame_rate
    place_s = _seek_s(plan, Fraction(windows[0].start_frame) / rate, margin_s)
    first_s = Fraction(0) if place_s is None else plan.first_picture_s
    spans = [_half_a_frame_early(window, rate, first_s) for window in windows]
    wanted = "+".join(f"between(t,{start_s:.9f},{end_s:.9f})" for start_s, end_s in spans)
    count = len(_frames_of(windows))
    counted = margin_s is None and plan.constant_frame_rate
    if counted:  # as the encode counts, whatever the clock says
        wanted = "+".join(f"between(n,{one.start_frame},{one.end_frame - 1})" for one in windows)
    chosen = f"select='{wanted}'"
    if not plan.constant_frame_rate:
        chosen = f"fps={rate}:start_time={float(first_s):.9f},{chosen}"
    if place_s is None:
        chosen = f"setpts=PTS-STARTPTS,{chosen}"
    tags = readable_tags(plan.source_colour)
    thumbs, stamps = bytearray(), bytearray()
    yield from run(
        [
            *(ffmpeg(), "-v", "error", *_opened(source, place_s)),
            *("-map", f"0:{plan.video_track}", "-vf", f"{chosen},{tags}{THUMB_FILTER}"),
            *("-fps_mode", "passthrough", "-frames:v", str(count)),
            *("-stats_enc_pre", "pipe:stamps", "-stats_enc_pre_fmt", "{ptsi} {tbi}"),
            *("-f", "rawvideo", "pipe:thumbs"),
        ],
        readable=[source],
        taps={"thumbs": thumbs.extend, "stamps": stamps.extend},
    )
    if counted:
        return pictures_of(bytes(thumbs), _frames_of(windows))
    numbers = [round((time_s - first_s) * rate) for time_s in times_s(bytes(stamps))]
    return pictures_of(bytes(thumbs), numbers)


def _frames_of(windows: tuple[Window, ...]) -> list[int]:
    return sorted({at for one in windows for at in range(one.start_frame, one.end_frame)})


def _half_a_frame_early(window: Window, rate: Fraction, first_s: Fraction) -> tuple[float, float]:
    """The window's seconds on the file's clock, clear of the rounding of time stamps."""
    start_s, end_s = (
        first_s + Fraction(2 * frame - 1, 2) / rate
        for frame in (window.start_frame, window.end_frame)
    )
    return float(start_s), float(end_s)


def _source_sound(
    source: Path, plan: Plan, track: AudioPlan, span: Span, margin_s: float | None
) -> Generator[Progress, None, Sound]:
    place_s = _seek_s(plan, span.start_s, margin_s)
    chain = _sound_chain(plan, span, place_s, MIXES.get(track.pan, ""))
    names = [f"track{position:02}" for position in track.tracks]
    taken = {name: bytearray() for name in names}
    outputs: list[str] = []
    for position, name in zip(track.tracks, names, strict=True):
        outputs += ["-map", f"0:{plan.audio_tracks[position]}", "-af", chain]
        outputs += ["-f", "f32le", f"pipe:{name}"]
    if place_s is None:
        outputs += _clock(plan)
    yield from run(
        [ffmpeg(), "-v", "error", *_opened(source, place_s), *outputs],
        readable=[source],
        taps={name: data.extend for name, data in taken.items()},
    )
    channels = track.channels if track.pan in ("source", "pair") else 1
    parts = [sound_of(bytes(data), channels) for data in taken.values()]
    length = max(len(part) for part in parts)  # a track that ends early goes on in silence
    parts = [np.pad(part, ((0, length - len(part)), (0, 0))) for part in parts]
    return np.concatenate(parts, axis=1)


def source_levels(
    source: Path, plan: Plan, tracks: Iterable[AudioPlan]
) -> Generator[Progress, None, Mapping[SourceTrack, Levels]]:
    """The levels of every source track that these tracks are made from, in one pass over all."""
    channels = {use: count for track in tracks for use, count in source_tracks(track).items()}
    if not channels:
        return {}
    span = Span(Fraction(0), plan.duration_s)
    key = (_identity(source), "levels", *sorted(channels.items()), span, plan.first_picture_s)
    return (yield from _kept_or(key, lambda: _source_levels(source, plan, channels, span)))


def source_tracks(track: AudioPlan) -> dict[SourceTrack, int]:
    """What a track is made from, with the channels that it has as it is compared."""
    channels = track.channels if track.pan in ("source", "pair") else 1
    return {SourceTrack(at, MIXES.get(track.pan, "")): channels for at in track.tracks}


def _source_levels(
    source: Path, plan: Plan, channels: Mapping[SourceTrack, int], span: Span
) -> Generator[Progress, None, dict[SourceTrack, Levels]]:
    meters = {use: LevelTrack(count, SOUND_RATE_HZ) for use, count in channels.items()}
    taps, outputs = {}, list[str]()
    for number, (use, meter) in enumerate(meters.items()):
        taps[f"level{number:03}"] = _Samples(channels[use], meter.take).feed
        outputs += ["-map", f"0:{plan.audio_tracks[use.position]}"]
        outputs += ["-af", _sound_chain(plan, span, None, use.mix)]
        outputs += ["-f", "f32le", f"pipe:level{number:03}"]
    yield from run(
        [ffmpeg(), "-v", "error", *_opened(source, None), *outputs, *_clock(plan)],
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


def _opened(source: Path, place_s: Fraction | None) -> list[str]:
    """Input options that leave times on the file's own clock after a seek; without one they are on
    ffmpeg's corrected clock.
    """
    if place_s is None:
        return [*INPUT_GUARDS, "-i", str(source)]
    seek = ("-seek_timestamp", "1", "-noaccurate_seek", "-ss", f"{float(place_s):.6f}")
    return ["-copyts", *INPUT_GUARDS, *seek, "-i", str(source)]


def _clock(plan: Plan) -> list[str]:
    """Read the tracks that the clock was corrected by, and drop them."""
    tracks = [word for index in plan.clock_tracks for word in ("-map", f"0:{index}")]
    return [*tracks, "-c", "copy", "-f", "null", "-"] if tracks else []


def times_s(stamps: bytes) -> list[Fraction]:
    """The times of lines `PTS TIMEBASE`, as ffmpeg's `-stats_enc_pre` writes them."""
    words = stamps.decode().split()
    return [int(at) * Fraction(base) for at, base in zip(words[::2], words[1::2], strict=True)]


def _identity(source: Path) -> Hashable:
    facts = source.stat()
    return (str(source.resolve()), facts.st_size, facts.st_mtime_ns)


def _kept_or(
    key: Hashable, look: Callable[[], Generator[Progress, None, T]]
) -> Generator[Progress, None, T]:
    """Every rung asks for the same places of one source: they are decoded once a process."""
    if key in _kept:
        known: T = _kept[key]  # type: ignore[assignment]  # the key names the kind
        return known
    found = yield from look()
    with _kept_lock:
        while len(_kept) >= _KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = found
    return found
