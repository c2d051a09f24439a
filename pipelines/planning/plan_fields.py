"""What becomes of fields, in words: which rungs get a frame of each, and which of two. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.media import FieldOrder, Inspection
from pipelines.planning.plan_types import Rung
from pipelines.words import Words, joined

_FIRST: dict[FieldOrder, Words] = {"tt": Words("top", "顶场"), "bb": Words("bottom", "底场")}


def field_decisions(inspection: Inspection, rungs: Sequence[Rung]) -> list[Words]:
    """What the pictures were found to be where they have fields or are flagged so, and what follows
    from that.
    """
    claimed, scan = inspection.field_order, inspection.scan
    if film := [rung.profile for rung in rungs if rung.video and rung.video.pulldown]:
        return [_film(film)]
    if not any(rung.video and not rung.video.lossless for rung in rungs):
        return []
    if scan == "progressive":
        if inspection.mixed_fields:
            return [
                Words(
                    "flagged as progressive, but some of its pictures look interlaced: left so",
                    "标记为逐行，但部分画面看似隔行：保持原样",
                )
            ]
        psf = Words(
            "flagged as interlaced, but its pictures are progressive (PsF): not deinterlaced",
            "标记为隔行，但画面是逐行的（PsF）：不去隔行",
        )
        return [psf] if claimed != "progressive" else []
    made = _frames_made(rungs)
    return list(_told(inspection, made)) if made else []


def _film(profiles: Sequence[str]) -> Words:
    return Words(
        "film in 2:3 fields, in one cadence from the first frame to the last: the pulldown is "
        f"reversed in {', '.join(profiles)}, four frames for five",
        f"以 2:3 场序播出的电影，从首帧到末帧节奏不断：{'、'.join(profiles)} 还原下拉，五帧变四帧",
    )


def _told(inspection: Inspection, made: Words) -> Iterator[Words]:
    """`made` says which frames come of fields."""
    said = _said(inspection.field_order, inspection.scan)
    yield Words(f"{said}: deinterlaced by bwdif, {made}", f"{said.zh}：以 bwdif 去隔行，{made.zh}")
    if inspection.mixed_fields:
        yield Words(
            "some of its pictures are progressive: they are deinterlaced like the others",
            "部分画面是逐行的：与其他画面一样去隔行",
        )
    if inspection.pulldown_broken:
        yield Words(
            "parts of it are film in 2:3 fields, but not all, or its cadence breaks: the pulldown "
            "is not reversed",
            "部分内容是以 2:3 场序播出的电影，但并非全片，或节奏中断：不还原下拉",
        )


def _said(claimed: FieldOrder, scan: FieldOrder) -> Words:
    first = Words(f"the {_FIRST[scan]} field first", f"{_FIRST[scan].zh}在先")
    if claimed == "progressive":
        return Words(
            f"flagged as progressive, but interlaced, {first}", f"标记为逐行，实为隔行，{first.zh}"
        )
    if claimed != scan:
        return Words(
            f"flagged as interlaced with the {_FIRST[claimed]} field first, but {first}",
            f"标记为隔行、{_FIRST[claimed].zh}在先，实为{first.zh}",
        )
    return Words(f"interlaced, {first}", f"隔行，{first.zh}")


def _frames_made(rungs: Sequence[Rung]) -> Words:
    """Nothing where no rung is deinterlaced."""
    ways = ((Words("each field", "每场"), True), (Words("two fields", "每两场"), False))
    return joined(
        [
            Words(f"a frame for {what} in {', '.join(names)}", f"{'、'.join(names)} {what.zh}一帧")
            for what, each_field in ways
            if (names := _deinterlaced(rungs, each_field=each_field))
        ],
        zh="，",
    )


def _deinterlaced(rungs: Sequence[Rung], *, each_field: bool) -> list[str]:
    return [
        rung.profile
        for rung in rungs
        if rung.video and rung.video.deinterlace and rung.video.each_field == each_field
    ]
