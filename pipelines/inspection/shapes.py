"""Whether the shape of a recording's pixels changes: channels switch between 4:3 and 16:9.

The raster stays as it is, and ffmpeg gives all pictures the shape that the first one has.
"""

from __future__ import annotations

from collections.abc import Generator
from fractions import Fraction
from pathlib import Path

from pipelines.media import MediaInfo
from pipelines.progress import Progress
from pipelines.sources.ask_stream import ask_stream
from pipelines.sources.containers import may_jump

_ASPECTS = {1: "square pixels", 2: "4:3", 3: "16:9", 4: "2.21:1"}  # ISO/IEC 13818-2, table 6-3


def may_change_shape(info: MediaInfo) -> bool:
    """Of MPEG-2 as it was sent; a file's own words hold for all of it."""
    return bool(info.picture and info.picture.codec == "mpeg2video" and may_jump(info.format_name))


def shape_findings(
    path: Path, info: MediaInfo, *, clock_jumps: bool
) -> Generator[Progress, None, tuple[str, ...]]:
    """One, where it changes. Raises as `run` does."""
    assert info.picture is not None, "only pictures have a shape"
    told = yield from ask_stream(path, info.picture.index, "shapes")
    if len(told) < 2:
        return ()
    (_, before), (at, after) = told[:2]
    names = " to ".join(_ASPECTS.get(one, "one that nobody knows") for one in (before, after))
    known = at is not None and not clock_jumps
    where = f" {float(Fraction(at)):.3f} s after the first picture" if known else ""
    again = f", the first of {len(told) - 1} changes" if len(told) > 2 else ""
    finding = (
        f"the shape of its pictures changes from {names}{where}{again}: renditions have the first "
        "one, and stretch the others: cut it there"
    )
    return (finding,)
