"""What becomes of a source's pictures before they are scaled, and of a rung's after: as filters.

    fields apart ─ turned ─ cropped ─ (scaled, at full range, converted) ─ bars ─ timecode burnt in

Fields are lines: a picture that is turned first has none any more.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import to_full_range
from pipelines.encoding.large_pictures import decoder_options
from pipelines.encoding.timecode import timecode_at
from pipelines.media import Area
from pipelines.planning.plan_types import Plan, VideoPlan
from pipelines.running.cache_files import timecode_font_file
from pipelines.running.filter_chain import Filters, applied, in_words
from pipelines.sources.containers import PICTURE_OPTIONS, clock_options

# Clockwise, as ffmpeg's own turning does it.
_QUARTERS = {90: "clock", 270: "cclock"}


def rational(rate: Fraction) -> str:
    """As ffmpeg reads it."""
    return f"{rate.numerator}/{rate.denominator}"


def can_turn(degrees: int) -> bool:
    return degrees % 90 == 0


def turned(stream: Any, degrees: int) -> Any:
    """Upright, where ffmpeg was told not to do it while decoding: no player is to do it again."""
    return applied(stream, _turns(degrees) if degrees else ())


def turning(degrees: int) -> str:
    """The same for a graph in words, with a comma after each filter."""
    return in_words(_turns(degrees))


def _turns(degrees: int) -> Filters:
    matrix = ("sidedata", {"mode": "delete", "type": "DISPLAYMATRIX"})
    if degrees == 180:
        return [matrix, ("hflip", {}), ("vflip", {})]
    return [matrix, ("transpose", {"dir": _QUARTERS[degrees]})]


def input_options(plan: Plan) -> dict[str, Any]:
    """Of the source: its guards and clock, who turns its pictures, and the decoder's threads."""
    upright = {"noautorotate": None} if plan.source_rotation_deg else {}
    whole = plan.source_whole
    size = (whole.width, whole.height) if whole else None
    clock = clock_options(track_gaps=plan.track_gaps)
    return {**PICTURE_OPTIONS, **clock, **upright, **decoder_options(size, plan.source_codec)}


def deinterlaced(stream: Any, plan: Plan, *, each_field: bool) -> Any:
    """A progressive frame for each interlaced one, or two, in the field order that was inspected.

    The first of two is the one that there would be alone.
    """
    parity = "bff" if plan.source_field_order == "bb" else "tff"
    mode = "send_field" if each_field else "send_frame"
    return stream.filter("bwdif", mode=mode, parity=parity, deint="all")


def resampled(stream: Any, plan: Plan, pictures: int = 1) -> Any:
    """Repeated or dropped to an even rate, `pictures` for each frame of the plan; the last one is
    held up to the planned count.

    Where each field becomes a picture, only after that: a woven frame that is shown twice would go
    back by a field.
    """
    assert plan.frame_rate is not None, "a plan with a picture has a rate"
    count = plan.frames * pictures
    return (
        stream.filter("setpts", "PTS-STARTPTS")
        .filter("fps", fps=rational(plan.frame_rate * pictures))
        .filter("tpad", stop=count, stop_mode="clone")
        .filter("trim", end_frame=count)
    )


def at_full_range(stream: Any, plan: Plan, conversion: Conversion) -> Any:
    """The source's R'G'B' of narrow range as conversions take it; other pictures as they are, and
    SDR that is not converted.
    """
    kept = conversion == "none" and plan.source_colour.dynamic_range == "sdr"
    if kept or plan.source_pix_fmt is None:
        return stream
    levels = to_full_range(plan.source_colour, plan.source_pix_fmt)
    if not levels:
        return stream
    return stream.filter("zscale").filter("format", "gbrpf32le").filter("colorlevels", **levels)


def cropped(stream: Any, area: Area | None) -> Any:
    """That part alone."""
    if area is None:
        return stream
    return stream.filter("crop", area.width, area.height, area.left, area.top)


def with_bars(stream: Any, video: VideoPlan) -> Any:
    """On its raster; what lies beside it is black: the least legal luma, without colour.

    The last step before the encoder, so that no conversion or scaler touches the bars. `pad` alone
    would make them a little green: its chroma is 514 in 10 bits.
    """
    if video.active is None:
        return stream
    left, top = video.active.left, video.active.top
    return stream.filter("pad", video.width, video.height, left, top).filter(
        "fillborders", left=left, right=left, top=top, bottom=top, mode="fixed", color="black"
    )


def with_timecode(
    stream: Any,
    plan: Plan,
    video: VideoPlan,
    first_frame: int = 0,
    frames: range | None = None,
) -> Any:
    """Burn the source's timecode in; `first_frame` is the rung's frame that comes first. With
    `frames` only these of the stream get it.

    A rate that timecode does not count, and a start that is not understood, get the time since the
    first picture instead.
    """
    font_size = max(12, video.height // 20)
    look = {
        "fontfile": str(timecode_font_file()),
        "fontsize": font_size,
        "fontcolor": "white",
        # Outlined instead of boxed: reviewers see what lies under it.
        "borderw": max(2, font_size // 8),
        "bordercolor": "black",
        "x": "(w-tw)/2",
        "y": f"h-th-{font_size}",
    }
    if frames is not None:
        look["enable"] = f"between(n,{frames.start},{frames.stop - 1})"
    start = timecode_at(plan.source_timecode, plan.frame_rate or video.frame_rate, video.frame_rate)
    if start is None:
        first_s = float(first_frame / video.frame_rate)
        return stream.filter("drawtext", text=f"%{{pts:hms:{first_s:.6f}}}", **look)
    shown, rate = str(start.later(first_frame)), rational(video.frame_rate)
    # As a day has it: after 23:59:59 comes 00:00:00, within a chunk as from one to the next.
    return stream.filter("drawtext", timecode=shown, rate=rate, tc24hmax=1, **look)
