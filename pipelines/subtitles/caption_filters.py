"""Captions inside the pictures (ATSC A/53) where two frames are made of each one.

A deinterlacer gives its captions to both frames, in which letters would be read twice; at 30 and 60
frames a second ffmpeg's shares them out itself, if the rate that it was told is exactly one of
those. Here neither happens: they stay with the first field, and are shared out at the end.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pipelines.encoding.picture_filters import rational


def before_fields(stream: Any) -> Any:
    """Without a rate, at which a deinterlacer would share captions out."""
    return stream.filter("setpts", "PTS", strip_fps=1)


def of_first_fields(stream: Any) -> Any:
    """Of two frames the first has the captions."""
    return stream.filter("sidedata", mode="delete", type="A53_CC", enable="mod(n,2)")


def spread(stream: Any, rate: Fraction) -> Any:
    """The rate told again, which changes no frame: as many to each as CTA-708 has at 60 a second,
    at most one frame early; at 50, of which it knows nothing, they stay where they are.
    """
    return stream.filter("fps", fps=rational(rate))
