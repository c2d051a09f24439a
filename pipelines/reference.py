"""What a rendition is compared with: the source, made as the plan makes it, but not encoded."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.cache_files import timecode_font_file
from pipelines.colour import conversion_filters, lut_file
from pipelines.graph import deinterlaced, resampled, with_timecode
from pipelines.plan_types import Plan, VideoPlan
from pipelines.samples import Span


def comparison_raster(video: VideoPlan, display: tuple[int, int]) -> tuple[int, int]:
    """Where both are compared: what is larger than HD at its own raster, the rest on an HD screen.

    `display` is the source's size and never exceeded: scores of invented pixels say nothing.
    """
    across, down = (1920, 1080) if video.width >= video.height else (1080, 1920)
    scale = min(Fraction(1), Fraction(across, display[0]), Fraction(down, display[1]))
    fitted = (_even(display[0] * scale), _even(display[1] * scale))
    return (max(video.width, fitted[0]), max(video.height, fitted[1]))


def reference_pictures(
    pictures: Any,
    plan: Plan,
    video: VideoPlan,
    raster: tuple[int, int],
    pix_fmt: str,
    first_frame: int,
    span: Span | None,
) -> Any:
    """Nodes from the source's frames to `raster` in the rung's colour, without its encoder.

    `span` cuts them by their times, and then `first_frame` is the rung's frame that comes first.
    """
    if not plan.constant_frame_rate:
        pictures = resampled(pictures, plan)
    if video.deinterlace:
        pictures = deinterlaced(pictures, plan)
    if span is not None:
        pictures = between(pictures, span)
    if video.rate_divisor > 1:
        pictures = pictures.filter("framestep", video.rate_divisor)
    pictures = pictures.filter("scale", *raster, flags="bicubic+accurate_rnd").filter("setsar", 1)
    pictures = conversion_filters(pictures, video.conversion, plan.source_colour, pix_fmt, None)
    if video.burnt_in_timecode:  # in both, so that it does not count as a fault of the encoder
        shown = replace(video, width=raster[0], height=raster[1])
        pictures = with_timecode(pictures, plan, shown, first_frame)
    return pictures


def reference_files(video: VideoPlan) -> list[Path]:
    """The files that the filters of `reference_pictures` open."""
    files = [] if video.conversion in ("none", "sdr_to_sdr") else [lut_file(video.conversion)]
    return [*files, timecode_font_file()] if video.burnt_in_timecode else files


def between(pictures: Any, span: Span) -> Any:
    start_s, end_s = (f"{float(at):.9f}" for at in (span.start_s, span.end_s))
    return pictures.filter("select", f"between(t,{start_s},{end_s})")


def _even(side: Fraction) -> int:
    return max(2, round(side / 2) * 2)
