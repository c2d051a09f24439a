"""Pictures brought to a size, and their samples of colour to where they are to stand.

Unless it is told, swscale takes colour for centred between two columns: scaled pictures had it 0.17
to 0.25 of a column, and 4:2:0 of 4:4:4 half a column, beside its place (measured). So it always is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import av

from pipelines.colour.chroma_siting import USUAL, is_sited, unshared
from pipelines.colour.colour_types import Conversion
from pipelines.media import Area, ChromaLocation
from pipelines.planning.plan_types import Plan, VideoPlan

# Measured at 2160p: lanczos, area and the rounding without accurate_rnd all cost the same.
_SCALER = "bicubic+accurate_rnd"
# Four pixels share a sample of colour (DV of 525 lines), and zscale takes no other widths than
# multiples of four of them: 16:9 is 854 pixels wide.
_WIDE_CHROMA = frozenset({"yuv411p", "yuvj411p", "uyyvyy411", "yuv410p"})


@dataclass(frozen=True, slots=True)
class Sampled:
    """How pictures are stored; `None` where nothing says it."""

    size: tuple[int, int] | None
    pix_fmt: str | None
    stands: ChromaLocation

    @property
    def may_be_sited(self) -> bool:
        return self.pix_fmt is None or is_sited(self.pix_fmt)


def sampled_source(plan: Plan, crop: Area | None) -> Sampled:
    """Its pictures upright, and that part of them."""
    part = crop or plan.source_whole
    size = (part.width, part.height) if part else None
    return Sampled(size, plan.source_pix_fmt, plan.source_chroma_location or USUAL)


def sampled_rung(video: VideoPlan) -> Sampled:
    """Its pictures without bars."""
    return Sampled(video.shown, video.pix_fmt, video.chroma_location or USUAL)


def before_conversion(
    have: Sampled, wanted: Sampled, conversion: Conversion, *, enlarged: bool
) -> Sampled:
    """What `conversion_filters` are to get, which move colour where they convert, and enlarge."""
    if enlarged:
        return have
    return wanted if conversion == "none" else replace(have, size=wanted.size)


def scaled(stream: Any, have: Sampled, wanted: Sampled, scaler: str = _SCALER) -> Any:
    """At that size with square pixels, so that any conversion takes them.

    A wanted format only says what a filter after this asks for.
    """
    assert wanted.size is not None, "nothing is scaled to an unknown size"
    stands = have.stands
    if _stays(have, wanted) and stands != wanted.stands:
        moved = {"chromalin": stands, "chromal": wanted.stands}
        stream, stands = stream.filter("zscale", **moved, filter="bicubic"), wanted.stands
    locations = {"in_chroma_loc": stands, "out_chroma_loc": wanted.stands}
    stream = stream.filter("scale", *wanted.size, flags=scaler, **locations).filter("setsar", 1)
    finer = finer_chroma(have.pix_fmt)
    return stream.filter("format", finer) if finer else stream


def with_whole_chroma(stream: Any, have: Sampled) -> tuple[Any, Sampled]:
    """As zscale takes it, which wants a side to be a multiple of the pixels that share a sample of
    colour: where it is none, each pixel gets its own.
    """
    if have.size is None or have.pix_fmt is None:
        return stream, have
    stored = av.VideoFormat(have.pix_fmt)
    steps = (8 // stored.chroma_width(8), 8 // stored.chroma_height(8))
    if not any(side % step for side, step in zip(have.size, steps, strict=True)):
        return stream, have
    finer = replace(have, pix_fmt=unshared(have.pix_fmt))
    return scaled(stream, have, finer).filter("format", finer.pix_fmt), finer


def _stays(have: Sampled, wanted: Sampled) -> bool:
    """Whether `scale` would leave colour where it is: of 4:2:0 that keeps its size."""
    same = have.size is None or have.size == wanted.size
    return same and have.may_be_sited and wanted.may_be_sited


def finer_chroma(pix_fmt: str | None) -> str | None:
    """What pictures are scaled to whose samples of colour would not fit a width; else `None`."""
    return "yuv444p" if pix_fmt in _WIDE_CHROMA else None
