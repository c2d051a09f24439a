"""Whether a clock jumps, or one track pauses while others go on: sound that was lost, a language
that is sent at times, a picture that drops out. Pure.

MPEG's clock may begin anew anywhere (ISO/IEC 13818-1, 2.4.3.5), and ffmpeg takes each pause of more
than 10 s for that: it closes the gap in one track, and all that follows in it would be early.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

PAUSE_S = 9  # [P] of ffmpeg's 10, as its steps are off by some frames


@dataclass(frozen=True, slots=True)
class Pause:
    start_s: Fraction
    end_s: Fraction


@dataclass(frozen=True, slots=True)
class Presence:
    """When a track is there: from its start to its end, but for its pauses, which are in order."""

    start_s: Fraction
    end_s: Fraction
    pauses: tuple[Pause, ...] = ()

    def within(self, pause: Pause) -> Iterator[Pause]:
        """The parts of it that lie in a pause of another track."""
        at_s = self.start_s
        for start_s, end_s in (
            *((own.start_s, own.end_s) for own in self.pauses),
            (self.end_s, self.end_s),
        ):
            part = Pause(max(at_s, pause.start_s), min(start_s, pause.end_s))
            if part.end_s > part.start_s:
                yield part
            at_s = end_s


@dataclass(frozen=True, slots=True)
class Pauses:
    """`gaps`: others go on in one; `jumps`: nothing does, so that a clock has jumped there, or
    nothing was received.
    """

    gaps: bool
    jumps: bool


def judge_pauses(tracks: Sequence[Presence]) -> Pauses:
    """Of tracks on a clock that no gap was closed on."""
    gaps = jumps = False
    for at, track in enumerate(tracks):
        others = [*tracks[:at], *tracks[at + 1 :]]
        for pause in track.pauses:
            parts = [part for other in others for part in other.within(pause)]
            there_s = _length_s(parts)
            gaps = gaps or there_s > PAUSE_S
            jumps = jumps or pause.end_s - pause.start_s - there_s > PAUSE_S
    return Pauses(gaps, jumps)


def _length_s(parts: Sequence[Pause]) -> Fraction:
    """Of all together, which may overlap."""
    total_s, until_s = Fraction(0), None
    for part in sorted(parts, key=lambda one: one.start_s):
        start_s = part.start_s if until_s is None else max(part.start_s, until_s)
        total_s += max(Fraction(0), part.end_s - start_s)
        until_s = part.end_s if until_s is None else max(until_s, part.end_s)
    return total_s
