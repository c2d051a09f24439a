"""When the sound of a track starts, and whether it has holes, by the stamps of its blocks."""

from __future__ import annotations

from fractions import Fraction

# [P] Shorter steps of the stamps are rounding and jitter, longer ones are filled: one lost block of
# AAC, MP2, AC-3 or Opus at 48 kHz (20 to 32 ms) moves what follows by half a frame.
HOLE_S = Fraction(3, 200)


class SoundClock:
    """Collects lines of `{pts} {tb} {samp}`, as ffmpeg's `-stats_enc_pre` writes them."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rest = b""
        self._rate = sample_rate_hz
        self._next: Fraction | None = None
        self.start_s: Fraction | None = None
        self.holes: list[Fraction] = []

    @property
    def end_s(self) -> Fraction | None:
        """Where the last block ends."""
        return self._next

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            pts, time_base, samples = line.decode().split()
            if pts.lstrip("-").isdigit():
                self._block(int(pts) * Fraction(time_base), Fraction(int(samples), self._rate))

    def _block(self, at_s: Fraction, lasts_s: Fraction) -> None:
        if self.start_s is None:
            self.start_s = at_s
        elif self._next is not None and abs(at_s - self._next) > HOLE_S:
            self.holes.append(at_s)
        self._next = at_s + lasts_s
