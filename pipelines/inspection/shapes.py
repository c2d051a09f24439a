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
from pipelines.words import Words, joined

# ISO/IEC 13818-2, table 6-3.
_ASPECTS = {1: Words("square pixels", "方像素"), 2: "4:3", 3: "16:9", 4: "2.21:1"}
_UNKNOWN = Words("one that nobody knows", "未知形状")


def may_change_shape(info: MediaInfo) -> bool:
    """Of MPEG-2 as it was sent; a file's own words hold for all of it."""
    return bool(info.picture and info.picture.codec == "mpeg2video" and may_jump(info.format_name))


def shape_findings(
    path: Path, info: MediaInfo, *, clock_jumps: bool
) -> Generator[Progress, None, tuple[Words, ...]]:
    """One, where it changes. Raises as `run` does."""
    assert info.picture is not None, "only pictures have a shape"
    told = yield from ask_stream(path, info.picture.index, "shapes")
    if len(told) < 2:
        return ()
    (_, before), (at, after) = told[:2]
    names = joined((_ASPECTS.get(one, _UNKNOWN) for one in (before, after)), " to ", " → ")
    where, again = Words("", ""), Words("", "")
    if at is not None and not clock_jumps:
        at_s = f"{float(Fraction(at)):.3f} s"
        where = Words(f" {at_s} after the first picture", f"，在首帧之后 {at_s}")
    if len(told) > 2:
        changes = len(told) - 1
        again = Words(f", the first of {changes} changes", f"，此后还有 {changes - 1} 次")
    finding = Words(
        f"the shape of its pictures changes from {names}{where}{again}: renditions have the first "
        "one, and stretch the others: cut it there",
        f"画面形状中途改变（{names.zh}{where.zh}{again.zh}）：成品都按第一种形状，其余画面会被拉伸，"
        "请在该处切开",
    )
    return (finding,)
