"""Film that was shown in 2:3 fields for 30 frames a second: how it is found, and taken apart again.

Five frames hold four of film. With the first field's letter before the second's they are

    frame    0   1   2   3   4
    fields  Aa  Bb  Bc  Cd  Dd

so frame 2 repeats a first field and frame 4 a second one. Without those two the n-th first field
and the n-th second field are the n-th frame of film, bit by bit.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import ffmpeg

from pipelines.encoding.picture_filters import rational
from pipelines.media import Pulldown
from pipelines.planning.plan_types import FILM_STRIDE

CYCLE = 5
RATES = (Fraction(30000, 1001), Fraction(30))
_FIRST_REPEATED, _ALONE, _SECOND_REPEATED = 2, 3, 4

_WINDOW = 50  # frames that are judged together
_SHORTEST = 15
_FEW, _MOVING = 0.2, 0.3  # repeats of those expected, and frames that show whether they are woven
_MOST, _NO_OTHERS = 0.6, 0.9  # of the repeats expected, and of those seen, in the two right places

_LINE = re.compile(rb"lavfi\.idet\.(repeated|single)\.current_frame=(\w)")


class FieldRepeats:
    """Listens to what `idet` prints: which field of each frame repeats the one before."""

    def __init__(self) -> None:
        self._rest = b""
        self._repeated, self._single = bytearray(), bytearray()

    def feed(self, block: bytes) -> None:
        lines, _, self._rest = (self._rest + block).rpartition(b"\n")
        for kind, word in _LINE.findall(lines):
            (self._repeated if kind == b"repeated" else self._single).extend(word)

    def cadence(self) -> Cadence:
        """Of all frames so far."""
        return judge_repeats(self._repeated.decode(), self._single.decode())


@dataclass(frozen=True, slots=True)
class Cadence:
    """`broken`: some of it is film, but not all, or not in one unbroken cadence."""

    pulldown: Pulldown | None = None
    broken: bool = False


def judge_repeats(repeated: Sequence[str], single: Sequence[str]) -> Cadence:
    """`repeated` has `t`, `b` or `n` (top, bottom, neither) for each frame, `single` `u` where
    nothing is known of whether it is woven. Either may have left out whole multiples of 50 frames.
    """
    places: set[tuple[int, int]] = set()
    others = 0
    for start in range(0, len(repeated), _WINDOW):
        kinds = repeated[start : start + _WINDOW]
        if len(kinds) < _SHORTEST:
            continue
        found = _places(kinds)
        if isinstance(found, tuple):
            places.add(found)
        elif found or _moves(single[start : start + _WINDOW]):
            others += 1
    if len(places) != 1 or others:
        return Cadence(broken=bool(places))
    ((top, bottom),) = places
    if (bottom - top) % CYCLE == _SECOND_REPEATED - _FIRST_REPEATED:
        return Cadence(Pulldown("tt", (_FIRST_REPEATED - top) % CYCLE))
    return Cadence(Pulldown("bb", (_FIRST_REPEATED - bottom) % CYCLE))


def _places(kinds: Sequence[str]) -> tuple[int, int] | bool:
    """Where in a cycle top and bottom fields are repeated; whether any are where there is none."""
    expected = len(kinds) / CYCLE
    tops, bottoms = (
        Counter(at % CYCLE for at, kind in enumerate(kinds) if kind == wanted) for wanted in "tb"
    )
    seen = tops.total() + bottoms.total()
    if seen < _FEW * 2 * expected:
        return False
    if not tops or not bottoms:
        return True
    ((top, top_count),), ((bottom, bottom_count),) = tops.most_common(1), bottoms.most_common(1)
    often = min(top_count, bottom_count) >= _MOST * expected
    alone = top_count + bottom_count >= _NO_OTHERS * seen
    apart = (bottom - top) % CYCLE in (2, 3)
    return (top, bottom) if often and alone and apart else True


def _moves(single: Sequence[str]) -> bool:
    return sum(kind != "u" for kind in single) >= _MOVING * len(single)


def film_rate(frame_rate: Fraction) -> Fraction:
    """Of film that is in video of `frame_rate`."""
    return frame_rate / FILM_STRIDE


def film_frames(pulldown: Pulldown, frames: int) -> int:
    """How many frames of film are whole in so many of video."""
    places = [(number + pulldown.phase) % CYCLE for number in range(frames)]
    first = sum(place != _FIRST_REPEATED for place in places)
    second = sum(place != _SECOND_REPEATED for place in places)
    if frames and pulldown.phase == _ALONE:
        first -= 1
    if frames and pulldown.phase == _SECOND_REPEATED:
        second += 1
    return min(first, second)


def film(stream: Any, pulldown: Pulldown, frame_rate: Fraction) -> Any:
    """Frames of film on an even grid from zero; `frame_rate` is the video's."""
    place = f"mod(n+{pulldown.phase},{CYCLE})"
    first, second = (f"not(eq({place},{at}))" for at in (_FIRST_REPEATED, _SECOND_REPEATED))
    # The cycle that the source begins in the middle of: a field whose other one is not there, and a
    # repeated one whose first showing is not.
    if pulldown.phase == _ALONE:
        first += "*gt(n,0)"
    if pulldown.phase == _SECOND_REPEATED:
        second += "+eq(n,0)"
    top, bottom = (first, second) if pulldown.first == "tt" else (second, first)
    whole = stream.filter_multi_output("split", 2)
    fields = [
        whole.stream(at)
        .filter("select", kept)
        .filter("field", type=kind)
        .filter("settb", "1/2")
        .filter("setpts", f"2*N+{at}")  # the bottom field of each after the top one
        for at, (kind, kept) in enumerate((("top", top), ("bottom", bottom)))
    ]
    rate = film_rate(frame_rate)
    return (
        ffmpeg.filter(fields, "interleave")
        .filter("weave", first_field="top")
        .filter("setfield", mode="prog")
        .filter("settb", f"{rate.denominator}/{rate.numerator}")
        .filter("setpts", "N")
        .filter("fps", fps=rational(rate))  # tells the encoders
    )
