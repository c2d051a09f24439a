"""When the sound of a track starts, and whether it has holes or drifts, by its blocks' stamps."""

from __future__ import annotations

from fractions import Fraction

from pipelines.inspection.track_gaps import PAUSE_S, Pause, Presence

# [P] Shorter steps of the stamps are rounding and jitter, longer ones are filled: one lost block of
# AAC, MP2, AC-3 or Opus at 48 kHz (20 to 32 ms) moves what follows by half a frame.
HOLE_S = Fraction(3, 200)
# What is counted in samples is proven to stand where its stamps say within as much
# (`verification.sound_sync`).
MOST_DRIFT_S = Fraction(5, 1000)


_DRIFT_WINDOW_S = 1  # jitter of single blocks is none


class SoundClock:
    """Collects lines of `{pts} {tb} {samp}`, as ffmpeg's `-stats_enc_pre` writes them.

    `holes` are where single steps of the stamps are longer than `HOLE_S`, `slips` where shorter
    ones have added up to that: there the resampler fills or cuts what a drifting clock left.
    """

    def __init__(self, sample_rate_hz: int) -> None:
        self._rest = b""
        self._rate = sample_rate_hz
        self._next: Fraction | None = None
        self._ahead_s = self._unfilled_s = Fraction(0)
        self._window = _Mean()
        self._drift_s = Fraction(0)
        self.start_s: Fraction | None = None
        self.holes: list[Fraction] = []
        self.slips = 0
        self._pauses: list[Pause] = []

    @property
    def end_s(self) -> Fraction | None:
        """Where the last block ends."""
        return self._next

    @property
    def drift_s(self) -> Fraction:
        """How far the stamps get ahead of the samples, holes apart; negative of stamps too short.

        The farthest of the means over windows of a second.
        """
        return max(self._drift_s, self._window.mean_s, key=abs)

    @property
    def presence(self) -> Presence | None:
        """`None` of a track without a block that has a stamp."""
        if self.start_s is None or self._next is None:
            return None
        return Presence(self.start_s, self._next, tuple(self._pauses))

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            pts, time_base, samples = line.decode().split()
            if pts.lstrip("-").isdigit():
                self._block(int(pts) * Fraction(time_base), Fraction(int(samples), self._rate))

    def _block(self, at_s: Fraction, lasts_s: Fraction) -> None:
        if self.start_s is None:
            self.start_s = at_s
        elif self._next is not None and at_s != self._next:
            self._step(at_s, at_s - self._next)
        self._next = at_s + lasts_s
        self._window.take(self._ahead_s, lasts_s)
        if self._window.lasts_s >= _DRIFT_WINDOW_S:
            self._drift_s, self._window = self.drift_s, _Mean()

    def _step(self, at_s: Fraction, step_s: Fraction) -> None:
        self._unfilled_s += step_s
        if abs(step_s) > HOLE_S:
            self.holes.append(at_s)
            if step_s > PAUSE_S:
                self._pauses.append(Pause(at_s - step_s, at_s))
            self._unfilled_s = Fraction(0)
            return
        self._ahead_s += step_s
        if abs(self._unfilled_s) > HOLE_S:
            self.slips += 1
            self._unfilled_s = Fraction(0)


class _Mean:
    """By how long each value holds."""

    def __init__(self) -> None:
        self.lasts_s = Fraction(0)
        self._sum = Fraction(0)

    def take(self, value_s: Fraction, lasts_s: Fraction) -> None:
        self.lasts_s += lasts_s
        if value_s:
            self._sum += value_s * lasts_s

    @property
    def mean_s(self) -> Fraction:
        return self._sum / self.lasts_s if self.lasts_s else Fraction(0)
