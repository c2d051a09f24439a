"""Whether moving pictures move whole: a second look where `idet` sees fields that nobody flagged.

`idet` compares lines with those of the frames around. A title that rolls by a few lines a frame
puts each line where another one was, and looks woven. Within one frame the two tell themselves
apart: the fields of a progressive frame show one moment, half a line from each other, those of a
woven one have moved by half of what the picture moves from frame to frame.
"""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import cv2
import numpy as np

from pipelines.colour.source_colour import source_as_it_is
from pipelines.encoding.large_pictures import decoder_words
from pipelines.inspection.inspect_command import expected_s
from pipelines.media import MediaInfo
from pipelines.progress import Progress
from pipelines.running.raw_frames import Frame, FrameShape, RawFrames
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import PICTURE_INPUT

LONGEST_S = 600  # [P] no title rolls longer, and a recording is not decoded twice for one
_WIDTH = 320
_PAIRS = 200  # of neighbouring frames, over all of it
_LEAST_APART = 5  # frames

# [P] Of rolls by 1 to 6 lines a frame (576 lines) the fields were measured 0.00 to 0.05 lines from
# where they belong, woven by 1 to 4 lines a field at 0.47 to 0.50 of the movement. The response of
# the correlations was 0.8 and more; of a zooming fractal it was 0.2.
_LEAST_LINES = 0.4  # of movement between two frames, in lines of a field or pixels
_CLEAR = 0.5  # of the response of both correlations
_WHOLE = 0.2  # of the movement, where a woven frame has a half
_ENOUGH, _MOST = 5, 0.9  # pairs that show it, and of them those that move whole


def moves_whole(path: Path, info: MediaInfo) -> Generator[Progress, None, bool]:
    """True where the picture plainly moves from frame to frame and never between two fields.

    Pictures without one common movement say nothing, and those of more than `LONGEST_S` are not
    looked at. Raises what `run` raises.
    """
    picture = info.picture
    assert picture is not None, "only pictures have fields"
    if info.duration_s is None or expected_s(info) > LONGEST_S:
        return False
    every = max(_LEAST_APART, int(info.duration_s * picture.frame_rate / _PAIRS))
    pairs = _Pairs()
    shape = FrameShape(1, picture.height // 2 * 2, min(picture.width, _WIDTH))
    frames = source_as_it_is(picture)
    some = rf"crop={shape.width}:{shape.height},select='lt(mod(n\,{every})\,2)',format=gray"
    yield from run(
        [
            *(ffmpeg(), "-v", "error", *PICTURE_INPUT, "-noautorotate"),
            *decoder_words((picture.width, picture.height), picture.codec),
            *("-i", str(path), "-filter_complex", f"[0:{picture.index}]{frames}{some}[strip]"),
            *("-map", "[strip]", "-fps_mode", "passthrough", "-enc_time_base", "filter"),
            *("-c:v", "rawvideo", "-f", "rawvideo", "pipe:strip"),
        ],
        readable=[path],
        total_s=float(info.duration_s),
        taps={"strip": RawFrames(shape, pairs.take).feed},
    )
    return pairs.move_whole()


class _Pairs:
    """Neighbouring frames, two by two."""

    def __init__(self) -> None:
        self._first: Frame | None = None
        self._parts: list[float] = []

    def take(self, frame: Frame) -> None:
        if self._first is None:
            self._first = frame[0]
            return
        part = _between_fields(self._first, frame[0])
        if part is not None:
            self._parts.append(part)
        self._first = None

    def move_whole(self) -> bool:
        whole = sum(abs(part) < _WHOLE for part in self._parts)
        return len(self._parts) >= _ENOUGH and whole >= _MOST * len(self._parts)


def _between_fields(frame: Frame, following: Frame) -> float | None:
    """How much of its movement to the following frame a frame makes between its own two fields.

    Nothing where there is no movement, or not one of the whole picture.
    """
    top, bottom, later = (
        field.astype(np.float32) for field in (frame[0::2], frame[1::2], following[0::2])
    )
    window = cv2.createHanningWindow(top.shape[::-1], cv2.CV_32F)
    (inner, seen), (outer, sure) = (
        cv2.phaseCorrelate(top, other, window) for other in (bottom, later)
    )
    movement = np.array(outer)
    length = float(np.hypot(*movement))
    if length < _LEAST_LINES or min(seen, sure) < _CLEAR:
        return None
    own = np.array(inner) + np.array((0.0, 0.5))  # the bottom field lies half a line lower
    return float(own @ movement) / length**2
