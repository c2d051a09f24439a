"""Levels in the source's own code values, on samples picked from the picture, never mixed."""

from __future__ import annotations

import numpy as np

from pipelines.colour.colour_doubt import BINS
from pipelines.media import Levels
from pipelines.running.raw_frames import Frame

# Legal ranges at 8 bits, ITU-R BT.709-6 clause 3 and BT.2100-2 table 9: luma 16–235, chroma 16–240.
_BLACK, _WHITE, _CHROMA_TOP, _NEUTRAL = 16, 235, 240, 128
_TEN = 10


class LevelMeter:
    """Takes frames of shape (3, height, width): Y, Cb, Cr at `bit_depth`."""

    def __init__(self, bit_depth: int, *, full_range: bool) -> None:
        self._unit = 1 << (bit_depth - 8)
        self._full_range = full_range
        self._least, self._most, self._saturation = float("inf"), float("-inf"), 0.0
        self._sum, self._outside, self._samples = 0.0, 0, 0
        self._depth = bit_depth
        self.luma = np.zeros(BINS, np.int64)  # how many samples have which code of 10 bits

    def take(self, frame: Frame) -> None:
        luma = frame[0]
        cb, cr = (plane.astype(np.float32) - _NEUTRAL * self._unit for plane in frame[1:])
        self._least = min(self._least, float(luma.min()))
        self._most = max(self._most, float(luma.max()))
        self._saturation = max(self._saturation, float(np.sqrt((cb * cb + cr * cr).max())))
        self._sum += float(luma.sum(dtype=np.int64))
        self._samples += luma.size
        if self._depth >= _TEN:
            self.luma += np.bincount((luma >> (self._depth - _TEN)).ravel(), minlength=BINS)
        if not self._full_range:
            self._outside += self._out_of_range(frame)

    def levels(self) -> Levels | None:
        """`None` before the first frame."""
        if self._samples == 0:
            return None
        return Levels(
            luma_min=self._least,
            luma_mean=round(self._sum / self._samples, 3),
            luma_max=self._most,
            saturation_max=round(self._saturation, 3),
            out_of_range_share=round(self._outside / self._samples, 6),
        )

    def _out_of_range(self, frame: Frame) -> int:
        luma, chroma = frame[0], frame[1:]
        low, top = _BLACK * self._unit, _CHROMA_TOP * self._unit
        wrong = (luma < low) | (luma > _WHITE * self._unit)
        wrong |= ((chroma < low) | (chroma > top)).any(axis=0)
        return int(np.count_nonzero(wrong))
