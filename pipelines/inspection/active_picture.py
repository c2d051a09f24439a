"""What part of the picture is ever lighter than black: the rest are bars.

Ffmpeg's `cropdetect` looks at lines and columns from the edges inward, and only ever widens what it
has found: a dark scene takes nothing away that another one showed. A line counts as soon as its
mean is above black, so that a station's sign or a subtitle in a bar belongs to the picture.
"""

from __future__ import annotations

import re
from fractions import Fraction

from pipelines.media import Area, Colour

_LOOKS_A_S = 4  # [P] of a programme; nothing that matters is shown for less than a quarter second
# [P] Of 8 bits: black, and two codes for the noise of a tape. One part in a hundred of a line in
# white is above it.
_BLACK, _NOISE = {"tv": 16, "pc": 0}, 2
_FOUND = re.compile(r"lavfi\.cropdetect\.(x1|x2|y1|y2)=(-?\d+)")


def chain(colour: Colour, frame_rate: Fraction) -> str:
    """From pictures to lines of metadata at `pipe:active`; `colour` is complete."""
    every = max(1, round(frame_rate / _LOOKS_A_S))
    limit = (_BLACK[colour.range or "tv"] + _NOISE) / 255
    looked = f"cropdetect=limit={limit:.6f}:round=2:skip=0:reset=0"
    return rf"select='not(mod(n\,{every}))',{looked},metadata=print:file='pipe\:active',nullsink"


def active_picture(log: str) -> Area | None:
    """`log` is what `chain` printed, at least of the last picture; `None` where all was black."""
    found = {name: int(value) for name, value in _FOUND.findall(log)}
    if len(found) < 4 or found["x2"] <= found["x1"] or found["y2"] <= found["y1"]:
        return None
    width, height = found["x2"] - found["x1"] + 1, found["y2"] - found["y1"] + 1
    return Area(found["x1"], found["y1"], width, height)
