"""A thumbnail of every frame of the source, kept by `inspect`: renditions are compared with them.

So nothing decodes the source's pictures again to see where they stand, and every frame has the
number that `inspect` counted. They are 160x90 luma in Matroska, about 2 kB a frame, one frame a
tick: the clock of a source may stand still or jump, their count does not.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.colour.source_colour import as_they_are, planned_as_it_is
from pipelines.inspection.frame_times import Timing
from pipelines.media import Area, KeptThumbs
from pipelines.planning.plan_types import Plan, VideoPlan
from pipelines.progress import Progress
from pipelines.running.filter_chain import in_words
from pipelines.running.kept import identity, kept_or
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import PICTURE_INPUT
from pipelines.sources.written_packets import picture_packets

Picture = NDArray[np.float32]
Pictures = Mapping[int, Picture]
T = TypeVar("T")

WIDTH, HEIGHT = 160, 90
# Area scaling keeps a moving detail moving; other scalers alias it.
FILTER = f"scale={WIDTH}:{HEIGHT}:flags=area,format=gray"
CHAIN = f"{FILTER},settb=1/25,setpts=N"
PICTURES, TIMES = "thumbs.mkv", "thumb-times.npy"
FRAME_BYTES = 4096  # [P] at most, on average; 1.7 kB measured on the clips of ../shared/media
_WINDOW_FRAMES = 24
_SEAM_FRAMES, _SEAMS_FRAMES = 4, 1200  # at least on each side of a seam, and around all of them
_BETWEEN_FRAMES, _BETWEEN_S, _MOST_BETWEEN = 12, 20, 100  # [P] decision 8
_COMPARED = 8
_S_IN_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Thumbs:
    """`times` has nanoseconds since the first frame, one an int64, where the rate varies."""

    pictures: Path
    times: Path | None = None


def thumbs_in(folder: Path, kept: KeptThumbs | None) -> Thumbs | None:
    """Where `inspect` left them; `None` of sound alone."""
    if kept is None:
        return None
    return Thumbs(folder / kept.pictures, folder / kept.times if kept.times else None)


class Made(Mapping[int, Picture]):
    """What `make` makes of each thing, once it is asked for: of hours there are thousands, which in
    floating point would take four times what they are.
    """

    def __init__(self, things: Mapping[int, T], make: Callable[[T], Picture]) -> None:
        self._numbers = things.keys()
        self._made: Callable[[int], Picture] = lambda number: make(things[number])

    def __getitem__(self, number: int) -> Picture:
        return self._made(number)

    def __iter__(self) -> Iterator[int]:
        return iter(self._numbers)

    def __len__(self) -> int:
        return len(self._numbers)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers


@dataclass(frozen=True, slots=True)
class Window:
    """Source frames, half-open."""

    start_frame: int
    end_frame: int


def output(folder: Path) -> tuple[str, ...]:
    """Ffmpeg's words for a graph's `[thumbs]`, which ends in `CHAIN`; CRF 8 is a code value off."""
    return (
        *("-map", "[thumbs]", "-fps_mode", "passthrough", "-enc_time_base:v", "1/25"),
        *("-c:v", "libx264", "-preset", "veryfast", "-crf", "8", "-bf", "0", "-threads", "1"),
        *("-f", "matroska", "-y", str(folder / PICTURES)),
    )


def filter_of(video: VideoPlan, whole: Area | None) -> str:
    """The thumbnail of what a rendition shows, without bars: as fine as the source's, of whose
    `whole` picture it may be a part.
    """
    bars, part = video.active, video.crop
    inside = in_words(as_they_are(video.colour, video.pix_fmt, stated=video.copied))
    inside += f"crop={bars.width}:{bars.height}:{bars.left}:{bars.top}," if bars else ""
    if part is None or whole is None:
        return f"{inside}{FILTER}"
    width, height = (
        max(1, round(side * length / all_of))
        for side, length, all_of in (
            (WIDTH, part.width, whole.width),
            (HEIGHT, part.height, whole.height),
        )
    )
    return f"{inside}scale={width}:{height}:flags=area,format=gray,scale={WIDTH}:{HEIGHT}"


def part_of(pictures: Pictures, part: Area | None, whole: Area | None) -> Pictures:
    """Of thumbnails of the `whole` picture those of a part of it, as `filter_of` makes them."""
    if part is None or whole is None:
        return pictures
    across, down = part.width / whole.width, part.height / whole.height
    left, top = part.left / whole.width * WIDTH, part.top / whole.height * HEIGHT
    # From the middle of a sample of the part to that of the whole.
    places = np.array(
        [[across, 0, left + across / 2 - 0.5], [0, down, top + down / 2 - 0.5]], np.float64
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP

    def warped(picture: Picture) -> Picture:
        edges = cv2.BORDER_REPLICATE
        made = cv2.warpAffine(picture, places, (WIDTH, HEIGHT), flags=flags, borderMode=edges)
        return np.asarray(made, np.float32)

    return Made(pictures, warped)


def coded_bytes(pictures: Path) -> NDArray[np.int64]:
    """What each frame's thumbnail takes in its file."""
    sizes = {one.pts: one.size for one in picture_packets(pictures) if one.pts is not None}
    return np.array([sizes[at] for at in sorted(sizes)], np.int64)


def write_thumbs(source: Path, plan: Plan, folder: Path) -> Generator[Progress, None, Thumbs]:
    """Of a source with an even rate, without inspecting it."""
    graph = f"[0:{plan.video_track}]{in_words(planned_as_it_is(plan))}{CHAIN}[thumbs]"
    words = ("-filter_complex", graph, *output(folder))
    yield from run(
        [ffmpeg(), "-v", "error", *PICTURE_INPUT, "-i", str(source), *words],
        readable=[source],
        writable=[folder],
    )
    return Thumbs(folder / PICTURES)


def write_times(folder: Path, timing: Timing) -> str | None:
    """The name of the file, where one is needed to know which frame is shown when."""
    if timing.constant:
        return None
    times = [int(timing.since_first_s(at) * _S_IN_NS) for at in range(len(timing.ticks))]
    np.save(folder / TIMES, np.array(times, np.int64))
    return TIMES


def picture_places(plan: Plan) -> tuple[Window, ...]:
    """The head, the middle, the tail, every seam of the chunks, and places between these, 20 s
    apart at most, in frames on the plan's grid.

    Around many seams fewer frames are looked at: of three hours they take some 200 MB. So do those
    between, of which there are 100 at most.
    """
    frames, half = plan.frames, _WINDOW_FRAMES // 2
    if frames <= 3 * _WINDOW_FRAMES:
        return (Window(0, frames),)
    seams = [chunk.start_frame for chunk in plan.chunks if chunk.start_frame > 0]
    beside = max(_SEAM_FRAMES, min(half, _SEAMS_FRAMES // max(1, 2 * len(seams))))
    between = _between([0, *seams, frames // 2, frames], plan)
    inside = {(frames // 2, half), *((at, beside) for at in seams)}
    inside |= {(at, _BETWEEN_FRAMES // 2) for at in between}
    windows = [Window(max(0, at - side), min(frames, at + side)) for at, side in sorted(inside)]
    head, tail = Window(0, _WINDOW_FRAMES), Window(frames - _WINDOW_FRAMES, frames)
    return (head, *windows, tail)


def _between(places: Sequence[int], plan: Plan) -> list[int]:
    """Frames that divide what lies between places where that lasts long."""
    apart = max(_BETWEEN_S * (plan.frame_rate or 1), Fraction(plan.frames, _MOST_BETWEEN))
    found = []
    for start, end in pairwise(sorted(places)):
        parts = ceil((end - start) / apart)
        found += [start + (end - start) * part // parts for part in range(1, parts)]
    return found


def source_pictures(
    thumbs: Thumbs, plan: Plan, windows: Sequence[Window]
) -> Generator[Progress, None, Pictures]:
    """What the source shows in the windows, by frame on the plan's grid; some may be missing."""
    wanted = sorted({at for one in windows for at in range(one.start_frame, one.end_frame)})
    shown = _shown(thumbs, plan, wanted)
    numbers = tuple(sorted(set(shown.values())))
    key = (identity(thumbs.pictures), "thumbs", numbers)
    found = yield from kept_or(key, lambda: _read(thumbs.pictures, numbers))
    known = {at: number for at, number in shown.items() if number in found}
    return Made(known, found.__getitem__)


def _shown(thumbs: Thumbs, plan: Plan, wanted: Sequence[int]) -> dict[int, int]:
    """The source's frame at each place of an even grid: the last that is not later."""
    if thumbs.times is None or plan.constant_frame_rate:
        return {at: at for at in wanted}
    assert plan.frame_rate is not None, "a plan with a picture has a rate"
    times = np.load(thumbs.times).astype(np.float64)
    places = np.floor(times * float(plan.frame_rate) / _S_IN_NS + 0.5)
    frames = np.searchsorted(places, wanted, side="right") - 1
    return {at: int(frame) for at, frame in zip(wanted, frames, strict=True) if frame >= 0}


def _read(pictures: Path, numbers: Sequence[int]) -> Generator[Progress, None, Pictures]:
    taken = bytearray()
    yield from run(
        [
            *(ffmpeg(), "-v", "error", "-i", str(pictures)),
            # H.264 without colour decodes as 4:2:0, whose luma is taken as it is.
            *("-vf", f"{chosen(numbers)},extractplanes=y", "-fps_mode", "passthrough"),
            *("-f", "rawvideo", "pipe:thumbs"),
        ],
        readable=[pictures],
        taps={"thumbs": taken.extend},
    )
    return pictures_of(bytes(taken), numbers)


def chosen(numbers: Sequence[int]) -> str:
    """A filter that lets the frames of these numbers pass, and no other."""
    return f"select='{_within(_ranges(numbers))}'"


def _within(ranges: Sequence[tuple[int, int]]) -> str:
    """Halved and halved again: of thousands of seams each frame is compared with a few."""
    if len(ranges) <= _COMPARED:
        return "+".join(f"between(n,{first},{last})" for first, last in ranges) or "0"
    middle = len(ranges) // 2
    before, after = _within(ranges[:middle]), _within(ranges[middle:])
    return f"if(lt(n,{ranges[middle][0]}),{before},{after})"


def pictures_of(raw: bytes, numbers: Sequence[int]) -> Pictures:
    """Raw thumbnails in the order of their numbers."""
    size = WIDTH * HEIGHT
    whole = np.frombuffer(raw[: len(raw) // size * size], np.uint8)
    thumbs = whole.reshape(-1, HEIGHT, WIDTH)
    return Made(dict(zip(numbers, thumbs, strict=False)), lambda one: one.astype(np.float32))


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of consecutive numbers, closed at both ends."""
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found
