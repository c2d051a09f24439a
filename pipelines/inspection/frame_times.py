"""What the time stamps of all decoded frames say: the real frame rate, and if it is constant."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pipelines.inspection.track_gaps import PAUSE_S, Pause, Presence
from pipelines.rates import STANDARD_RATES, nearest_standard_rate

Ticks = NDArray[np.int64]

# In frames. An odd rate must fit well, or a lost frame would make a rate of its own.
_STANDARD_DRIFT, _ODD_DRIFT = Fraction(1, 2), Fraction(1, 10)
_STEADY_DRIFT = Fraction(1, 4)  # a part of a source is cut half a frame before its first
_FINE_TICKS = 8  # [P] a frame: of fewer a tick more is another rate
_EDITED_DRIFT = 3  # [P] seen: 2.3
_HELD_FRAMES = 2  # [P] the last frame of an even rate: some containers round it up
_CADENCE_DRIFT = Fraction(1, 4)  # a frame of 2:3 is a fifth off


@dataclass(frozen=True, slots=True)
class Timing:
    """`first_s` counts from where ffmpeg puts time zero; `ticks` are one a frame, of `tick_s`.

    `steady`: the file's own stamps are that near to an even grid that they tell which frame it is.
    `held_s` is how long the last frame stays, where that is longer than usual.
    """

    ticks: Ticks
    tick_s: Fraction
    frame_rate: Fraction
    constant: bool
    duration_s: Fraction
    steady: bool = True
    held_s: Fraction = Fraction(0)

    @property
    def first_s(self) -> Fraction:
        return int(self.ticks[0]) * self.tick_s

    def since_first_s(self, frame: int) -> Fraction:
        """When that frame is shown, counted from the first; after the last frame, the end."""
        if frame >= len(self.ticks):
            return self.duration_s
        if self.constant:
            return frame / self.frame_rate
        return int(self.ticks[frame] - self.ticks[0]) * self.tick_s


class FrameTimes:
    """Collects lines of `{pts} {tb}`, as ffmpeg's `-stats_enc_pre` writes them."""

    def __init__(self) -> None:
        self._rest = b""
        self._ticks = array("q")
        self._unknown = 0
        self._tick_s = Fraction(1)

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            pts, _, time_base = line.decode().partition(" ")
            if not self._ticks and not self._unknown:
                self._tick_s = Fraction(time_base)
            if pts.lstrip("-").isdigit():
                self._ticks.append(int(pts))
            else:
                self._unknown += 1

    def __len__(self) -> int:
        return len(self._ticks) + self._unknown

    @property
    def stands_still(self) -> bool:
        """Whether no stamp is later than the first."""
        return len(self._ticks) > 1 and max(self._ticks) <= self._ticks[0]

    @property
    def back_s(self) -> Fraction:
        """How far the stamps go back, all steps together; pictures are decoded in their order."""
        steps = np.diff(np.array(self._ticks, np.int64))
        return int(-steps[steps < 0].sum()) * self._tick_s

    @property
    def presence(self) -> Presence | None:
        """A picture is there until the next one may be late; `None` without stamps."""
        if not self._ticks:
            return None
        ticks = np.array(self._ticks, np.int64)
        (late,) = np.nonzero(np.diff(ticks) * float(self._tick_s) > PAUSE_S)
        pauses = (Pause(*(int(tick) * self._tick_s for tick in ticks[at : at + 2])) for at in late)
        return Presence(int(ticks[0]) * self._tick_s, int(ticks[-1]) * self._tick_s, tuple(pauses))

    def timing(
        self, claimed_rate: Fraction, end_s: Fraction | None = None, *, edited: bool = False
    ) -> Timing:
        """Needs at least one frame; `claimed_rate` decides where the stamps are too coarse. `end_s`
        is when the last frame ends on ffmpeg's clock, where the container says it. The stamps of an
        `edited` picture may be some frames off after each edit.
        """
        if self._unknown or self.stands_still:  # without a clock only the file's claim is left
            even = np.arange(len(self), dtype=np.int64)
            return replace(_timing(even, 1 / claimed_rate, claimed_rate), steady=False)
        ticks = np.array(self._ticks, np.int64)
        if end_s is None:
            return _timing(ticks, self._tick_s, claimed_rate)
        if edited and (found := _filled(ticks, self._tick_s, claimed_rate, end_s)):
            return found
        lasts_s = end_s - int(ticks[-1]) * self._tick_s
        return _held(_timing(ticks, self._tick_s, claimed_rate), lasts_s)


def _filled(ticks: Ticks, tick_s: Fraction, rate: Fraction, end_s: Fraction) -> Timing | None:
    """An even rate, where there are as many frames as it has in all edits together, none of them
    farther from its place than ffmpeg puts those of B-frames after an edit.
    """
    span_s, length_s = end_s - int(ticks[0]) * tick_s, len(ticks) / rate
    whole = abs(span_s - length_s) * rate <= _STANDARD_DRIFT
    near = _drift_frames(ticks, tick_s * rate) <= _EDITED_DRIFT
    if rate not in STANDARD_RATES or not whole or not near:
        return None
    return Timing(ticks, tick_s, rate, constant=True, duration_s=length_s, steady=False)


def _held(found: Timing, lasts_s: Fraction) -> Timing:
    """Screens and slides are recorded when they change, and the last picture stays to the end. Of
    an even rate that is one no more, if there is room for another frame.
    """
    usual_s = 1 / found.frame_rate
    if lasts_s < (_HELD_FRAMES * usual_s if found.constant else usual_s):
        return found
    span_s = int(found.ticks[-1] - found.ticks[0]) * found.tick_s
    return replace(found, constant=False, steady=False, duration_s=span_s + lasts_s, held_s=lasts_s)


def _timing(ticks: Ticks, tick_s: Fraction, claimed_rate: Fraction) -> Timing:
    fits = [
        (drift, rate)
        for rate, allowed in _candidates(ticks, tick_s, claimed_rate)
        if (drift := _drift_frames(ticks, tick_s * rate)) <= allowed
    ]
    if fits:  # equally good: the claim, being first
        drift, rate = min(fits, key=lambda pair: pair[0])
        steady = drift <= _STEADY_DRIFT
        length_s = len(ticks) / rate
        return Timing(ticks, tick_s, rate, constant=True, duration_s=length_s, steady=steady)
    usual = _usual_rate(ticks, tick_s)
    span = int(ticks[-1] - ticks[0]) * tick_s + 1 / usual
    return Timing(ticks, tick_s, usual, constant=False, duration_s=span, steady=False)


def _candidates(
    ticks: Ticks, tick_s: Fraction, claimed_rate: Fraction
) -> list[tuple[Fraction, Fraction]]:
    """Rates, each with how far a frame may be off its grid: the claim, the average at its nearest
    standard, and the standards that a short cadence may mean.

    Soft telecine shows frames for 2 and 3 fields in turn: over a few seconds the average is off by
    up to a frame, and the median interval is no rate at all.
    """
    span = int(ticks[-1] - ticks[0]) * tick_s
    rates = [claimed_rate]
    near: list[Fraction] = []
    if span > 0:
        average, one_frame = (len(ticks) - 1) / span, Fraction(1, len(ticks))
        rates.append(nearest_standard_rate(average))
        near = [
            rate
            for rate in STANDARD_RATES
            if rate.denominator == claimed_rate.denominator and abs(rate / average - 1) <= one_frame
        ]
    return [
        *((rate, _STANDARD_DRIFT if rate in STANDARD_RATES else _ODD_DRIFT) for rate in rates),
        *((rate, _CADENCE_DRIFT) for rate in near),
    ]


def _drift_frames(ticks: Ticks, frames_per_tick: Fraction) -> Fraction:
    """How far the worst frame is off an even grid that starts at the first, in frames."""
    over, under = frames_per_tick.numerator, frames_per_tick.denominator
    off = (ticks - ticks[0]) * over - np.arange(len(ticks), dtype=np.int64) * under
    return Fraction(int(np.abs(off).max()), under)


def _usual_rate(ticks: Ticks, tick_s: Fraction) -> Fraction:
    """The standard rate nearest to the usual interval: what a camera meant while it could.

    That is the mean of those that a clock may have rounded to the median or to a tick beside it:
    WebM's milliseconds make 16 and 17 of 60 pictures a second, and 17 alone would be 60000/1001.
    """
    steps = np.diff(ticks)
    steps = steps[steps > 0]
    median = int(np.median(steps))
    alike = steps[np.abs(steps - median) <= (median >= _FINE_TICKS)]
    usual = len(alike) / (int(alike.sum()) * tick_s)
    return min(STANDARD_RATES, key=lambda rate: abs(rate - usual))
