"""Cuts, black and frozen stretches, found on small grey frames with OpenCV.

Cuts are hard cuts, and the ends of black between two scenes; a dissolve is not one.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np

from pipelines.media import Shot
from pipelines.running.raw_frames import Frame

_AHEAD = 4  # frames looked at on each side of a cut; a flash is shorter
_CUT_CHANGE = 0.045  # mean luma change of full scale
_CUT_CONTRAST, _CLEAR_CONTRAST = 3.0, 6.0  # times the change around it
_LASTING = 0.6  # of the change must still be there when the flash is over
_CUT_HISTOGRAM = 0.12  # share of the picture whose brightness moved elsewhere; motion moves little
_MIN_SHOT_FRAMES = 5
_BLACK_LUMA = 16 + 0.1 * 219  # blackdetect's own default: a tenth above black, on legal 8-bit code
_BLACK_SHARE = 0.98
_STILL_CHANGE = 0.0008  # below the grain of a clean camera, above a decoder's rounding
_BINS = 32


@dataclass(slots=True)
class _Runs:
    """Stretches of frames in which something holds, half-open."""

    ended: list[tuple[int, int]] = field(default_factory=list)
    start: int | None = None

    def note(self, at: int, holds: bool) -> None:  # noqa: FBT001 - the thing noted
        if holds and self.start is None:
            self.start = at
        elif not holds and self.start is not None:
            self.ended.append((self.start, at))
            self.start = None

    def all(self, end: int) -> list[tuple[int, int]]:
        return self.ended + ([(self.start, end)] if self.start is not None else [])


class ShotFinder:
    """Takes every frame in order as (1, height, width) of 8-bit legal luma."""

    def __init__(self) -> None:
        self._frames = 0
        self._window: deque[tuple[int, Frame]] = deque(maxlen=2 * _AHEAD + 1)
        self._changes = array("d")  # change to the frame before, 0–1; 24 h have four million frames
        self._details = array("d")
        self._cuts: list[int] = []
        self._black = _Runs()
        self._still = _Runs()

    def take(self, frame: Frame) -> None:
        at, luma = self._frames, frame[0]
        change = 0.0 if at == 0 else _change(self._window[-1][1], luma)
        self._frames += 1
        self._changes.append(change)
        self._details.append(_detail(luma))
        self._window.append((at, luma))
        self._black.note(at, _is_black(luma))
        self._still.note(at, at > 0 and change < _STILL_CHANGE)
        self._judge(at - _AHEAD)

    def shots(self) -> tuple[Shot, ...]:
        for at in range(max(1, self._frames - _AHEAD), self._frames):
            self._judge(at)
        after_black = [end for _, end in self._black.ended]
        cuts = _spaced(sorted({*self._cuts, *after_black}), self._frames)
        edges = [0, *cuts, self._frames]
        return tuple(
            Shot(start, end, self._complexity(start, end), self._detail(start, end))
            for start, end in pairwise(edges)
            if end > start
        )

    def black(self) -> list[tuple[int, int]]:
        return self._black.all(self._frames)

    def still(self) -> list[tuple[int, int]]:
        """Runs of frames that repeat the one before."""
        return self._still.all(self._frames)

    def change_at(self, frame: int) -> float:
        """The larger change on either side of a frame: high near cuts and in fast motion."""
        return max(self._changes[frame : frame + 2], default=0.0)

    def _complexity(self, start: int, end: int) -> float:
        inside = self._changes[start + 1 : end]
        return round(float(np.mean(inside)), 5) if inside else 0.0

    def _detail(self, start: int, end: int) -> float:
        return round(float(np.mean(self._details[start:end])), 5)

    def _judge(self, at: int) -> None:
        """Is frame `at` the first of a shot? Decided once the frames after it are known."""
        if at < 1 or self._changes[at] < _CUT_CHANGE:
            return
        around = self._changes[max(1, at - _AHEAD) : at] + self._changes[at + 1 : at + 1 + _AHEAD]
        contrast = self._changes[at] / max(_typical(around), _STILL_CHANGE)
        if contrast < _CUT_CONTRAST or not self._is_new(at):
            return
        held = dict(self._window)
        if (
            contrast >= _CLEAR_CONTRAST
            or _histogram_distance(held[at - 1], held[at]) >= _CUT_HISTOGRAM
        ):
            self._cuts.append(at)

    def _is_new(self, at: int) -> bool:
        """Nothing shortly before looks like it, nor what follows like what was before: no flash."""
        least = _LASTING * self._changes[at]
        earlier = [luma for number, luma in self._window if at - _AHEAD <= number < at]
        held = dict(self._window)
        later = held[min(at + _AHEAD, self._frames - 1)]
        return _change(earlier[-1], later) >= least and all(
            _change(luma, held[at]) >= least for luma in earlier
        )


def _change(one: Frame, other: Frame) -> float:
    return float(cv2.norm(one, other, cv2.NORM_L1)) / (255 * one.size)


def _detail(luma: Frame) -> float:
    """Mean step to the next sample, across and down, of full scale."""
    across = cv2.norm(luma[:, 1:], luma[:, :-1], cv2.NORM_L1)
    down = cv2.norm(luma[1:], luma[:-1], cv2.NORM_L1)
    return float(across + down) / (2 * 255 * luma.size)


def _typical(changes: Iterable[float]) -> float:
    """The change around a cut without its largest value: the other edge of a flash."""
    rising = sorted(changes)
    return float(np.mean(rising[: max(1, len(rising) - 1)])) if rising else 0.0


def _histogram_distance(one: Frame, other: Frame) -> float:
    first, second = (cv2.calcHist([f], [0], None, [_BINS], [0, 256]) for f in (one, other))
    return float(np.abs(first - second).sum()) / (2 * one.size)


def _is_black(luma: Frame) -> bool:
    return int(np.count_nonzero(luma <= _BLACK_LUMA)) >= _BLACK_SHARE * luma.size


def _spaced(cuts: list[int], frames: int) -> list[int]:
    """Cuts at least `_MIN_SHOT_FRAMES` apart from each other and from both ends."""
    kept: list[int] = []
    for cut in cuts:
        if cut - (kept[-1] if kept else 0) >= _MIN_SHOT_FRAMES and frames - cut >= _MIN_SHOT_FRAMES:
            kept.append(cut)
    return kept
