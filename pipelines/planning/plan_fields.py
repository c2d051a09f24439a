"""What becomes of fields, in words: which rungs get a frame of each, and which of two. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.media import FieldOrder, Inspection
from pipelines.planning.plan_types import Rung

_FIRST: dict[FieldOrder, str] = {"tt": "top", "bb": "bottom"}


def field_decisions(inspection: Inspection, rungs: Sequence[Rung]) -> list[str]:
    """What the pictures were found to be where they have fields or are flagged so, and what follows
    from that.
    """
    claimed, scan = inspection.field_order, inspection.scan
    if film := [rung.profile for rung in rungs if rung.video and rung.video.pulldown]:
        seen = "film in 2:3 fields, in one cadence from the first frame to the last"
        return [f"{seen}: the pulldown is reversed in {', '.join(film)}, four frames for five"]
    if not any(rung.video and not rung.video.lossless for rung in rungs):
        return []
    if scan == "progressive":
        if inspection.mixed_fields:
            return ["flagged as progressive, but some of its pictures look interlaced: left so"]
        psf = "flagged as interlaced, but its pictures are progressive (PsF): not deinterlaced"
        return [psf] if claimed != "progressive" else []
    made = [
        f"a frame for {what} in {', '.join(names)}"
        for what, each_field in (("each field", True), ("two fields", False))
        if (names := _deinterlaced(rungs, each_field=each_field))
    ]
    told = [f"{_said(claimed, scan)}: deinterlaced by bwdif, {', '.join(made)}"] if made else []
    if inspection.mixed_fields and made:
        told.append("some of its pictures are progressive: they are deinterlaced like the others")
    if inspection.pulldown_broken and made:
        told.append(
            "parts of it are film in 2:3 fields, but not all, or its cadence breaks: the pulldown "
            "is not reversed"
        )
    return told


def _said(claimed: FieldOrder, scan: FieldOrder) -> str:
    first = f"the {_FIRST[scan]} field first"
    if claimed == "progressive":
        return f"flagged as progressive, but interlaced, {first}"
    if claimed != scan:
        return f"flagged as interlaced with the {_FIRST[claimed]} field first, but {first}"
    return f"interlaced, {first}"


def _deinterlaced(rungs: Sequence[Rung], *, each_field: bool) -> list[str]:
    return [
        rung.profile
        for rung in rungs
        if rung.video and rung.video.deinterlace and rung.video.each_field == each_field
    ]
