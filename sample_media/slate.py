"""The strip under every programme picture: timecode, grey steps, colour bars and the sync flash."""

from __future__ import annotations

from fractions import Fraction

import cv2
import numpy as np

from sample_media.light import BLACK, CHROMA_ZERO, SPAN, Chroma, Encoding, Floats, Planes, planes

# The signal of diffuse white: ITU-R BT.2408-7 table 1; SDR as `light._sdr` has it.
REFERENCE_WHITE = {"hlg": 0.75, "pq": 0.58, "sdr": 0.90}
PEAK = {"hlg": 1.0, "pq": 0.7518, "sdr": 1.0}  # the last grey step; PQ stops at 1000 cd/m²
FIRST_HOUR = 10  # broadcasters start a programme at 10:00:00:00


def strip_rows(size: tuple[int, int]) -> int:
    """How many rows the strip takes: a ninth of a wide picture, less of a narrow one; even."""
    width, height = size
    return max(2, round(min(height / 18, width / 32)) * 2)


def timecode(frame: int, rate: Fraction) -> str:
    """SMPTE ST 12-1: drop-frame (a semicolon) at 30000/1001 and 60000/1001, plain elsewhere."""
    base = round(rate)
    drop = rate.denominator == 1001 and base % 30 == 0
    number = frame + FIRST_HOUR * 3600 * base
    if drop:
        skipped = base // 15  # numbers left out each minute that is not a tenth one
        number = frame + FIRST_HOUR * (3600 * base - 54 * skipped)
        tens, rest = divmod(number, 600 * base - 9 * skipped)
        minutes = max(0, (rest - skipped) // (60 * base - skipped))
        number += 9 * skipped * tens + skipped * minutes
    seconds, frames = divmod(number, base)
    mark = ";" if drop else ":"
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{mark}{frames:02}"


class Slate:
    """Paints the strip into pictures of one size and encoding.

    On the first frame of each second the whole strip is white and its text black: the flash that
    the click in the sound lines up with. A bar along its top edge grows towards the next flash.
    """

    def __init__(
        self, size: tuple[int, int], rate: Fraction, encoding: Encoding, chroma: Chroma, title: str
    ) -> None:
        self.width, self.height = size
        self.rows = strip_rows(size)
        self.rate = rate
        self.chroma = chroma
        self.white = round(BLACK + SPAN * REFERENCE_WHITE[encoding])
        self.base = planes(self._graphics(encoding, title), encoding, chroma)

    def _graphics(self, encoding: Encoding, title: str) -> Floats:
        """Non-linear R'G'B' of what never changes: title, eleven grey steps, six colour bars."""
        level = REFERENCE_WHITE[encoding]
        strip = np.zeros((self.rows, self.width, 3), np.float32)
        left, right = round(self.width * 0.62), round(self.width * 0.985)
        top, middle, bottom = (round(self.rows * part) for part in (0.2, 0.55, 0.88))
        for index in range(11):
            a, b = (left + (right - left) * n // 11 for n in (index, index + 1))
            strip[top:middle, a:b] = index / 10 * PEAK[encoding]
        bars = [(1, 1, 0), (0, 1, 1), (0, 1, 0), (1, 0, 1), (1, 0, 0), (0, 0, 1)]
        for index, bar in enumerate(bars):
            a, b = (left + (right - left) * n // 6 for n in (index, index + 1))
            strip[middle:bottom, a:b] = np.array(bar, np.float32) * level
        return np.maximum(strip, self._text(title, 0.31, 0.22)[..., None] * level)

    def _text(self, text: str, start: float, size: float) -> Floats:
        """A mask of one line of text; `start` is in widths, `size` in heights of the strip."""
        mask = np.zeros((self.rows, self.width), np.uint8)
        scale = self.rows * size / 22  # capitals of this face are 22 samples high at scale 1
        place = (round(self.width * start), round(self.rows * (0.54 + size / 2)))
        weight = max(1, round(scale * 1.6))
        cv2.putText(mask, text, place, cv2.FONT_HERSHEY_DUPLEX, scale, 255, weight, cv2.LINE_AA)
        return mask.astype(np.float32) / 255

    def timecode_mask(self, frame: int) -> Floats:
        return self._text(timecode(frame, self.rate), 0.015, 0.46)

    def stamp(self, picture: Planes, frame: int) -> None:
        """Paint the strip of this frame into the picture, in place."""
        base = round(self.rate)
        text = self.timecode_mask(frame)
        span = self.white - BLACK
        if frame % base == 0:
            luma = np.rint(self.white - span * text).astype(np.uint16)
            self._write(
                picture, Planes(luma, *(np.full_like(c, CHROMA_ZERO) for c in self._colour()))
            )
            return
        luma = np.maximum(self.base.y, np.rint(BLACK + span * text).astype(np.uint16))
        luma[: max(1, self.rows // 16), : self.width * (frame % base) // base] = self.white
        self._write(picture, Planes(luma, *self._colour()))

    def _colour(self) -> tuple[np.ndarray, np.ndarray]:
        return self.base.cb, self.base.cr

    def _write(self, picture: Planes, strip: Planes) -> None:
        picture.y[-self.rows :] = strip.y
        for whole, part in ((picture.cb, strip.cb), (picture.cr, strip.cr)):
            whole[-part.shape[0] :] = part
