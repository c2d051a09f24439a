"""What a rendition is compared with: the source, made as the plan makes it, but not encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.colour.chroma_siting import USUAL, best_siting
from pipelines.colour.colour_filters import conversion_filters, numbers_of, tables_of
from pipelines.colour.colour_types import Conversion, Parameters
from pipelines.colour.source_colour import planned_as_it_is
from pipelines.encoding.picture_filters import (
    at_full_range,
    cropped,
    deinterlaced,
    rational,
    resampled,
    turned,
    with_timecode,
)
from pipelines.encoding.scaling import (
    Sampled,
    before_conversion,
    sampled_source,
    scaled,
    with_whole_chroma,
)
from pipelines.inspection.pulldown import film
from pipelines.media import Area, ChromaLocation, VideoTrack
from pipelines.planning.plan_types import FILM_STRIDE, Plan, VideoPlan
from pipelines.quality.metrics import comparison_raster
from pipelines.running.cache_files import timecode_font_file
from pipelines.running.filter_chain import applied
from pipelines.verification.samples import Span


@dataclass(frozen=True, slots=True)
class Reference:
    """The pictures that rungs are compared with; rungs with equal ones share them.

    Only rate and burnt-in timecode are a rung's own: they branch off from these pictures, which are
    one a field where any of the rungs is. Bars are no part of them: a score is of the picture.
    Their samples of colour stand where the rungs have them, or rungs of 4:2:2 in 4:2:0 would.
    """

    raster: tuple[int, int]
    conversion: Conversion
    deinterlace: bool
    pulldown: bool = False
    numbers: Parameters = ()
    crop: Area | None = None
    upconverted: bool = False
    chroma_location: ChromaLocation = USUAL


def reference_of(video: VideoPlan, picture: VideoTrack) -> Reference:
    """`picture` is the source's."""
    return Reference(
        raster=comparison_raster(video, picture.shown_size(video.crop)),
        conversion=video.conversion,
        deinterlace=video.deinterlace,
        pulldown=video.pulldown,
        numbers=numbers_of(video),
        crop=video.crop,
        upconverted=video.upconverted,
        chroma_location=video.chroma_location or best_siting(video.colour),
    )


def reference_pictures(
    pictures: Any,
    plan: Plan,
    reference: Reference,
    stride: Fraction,
    pix_fmt: str,
    cut: Span | Sequence[range],
) -> Any:
    """Nodes from the source's frames to the reference's, which are `stride` of them apart.

    `cut` says which frames of the source remain: by their times, or by count in those before any
    is left out (see `made_apart`).
    """
    apart = made_apart(reference, stride)
    each_field = reference.deinterlace and apart < 1
    if not plan.constant_frame_rate and not each_field:
        pictures = resampled(pictures, plan)
    if reference.pulldown:
        assert plan.source_pulldown and plan.frame_rate, "without them nothing is reversed"  # noqa: PT018
        pictures = film(pictures, plan.source_pulldown, plan.frame_rate)
    if reference.deinterlace:
        pictures = deinterlaced(pictures, plan, each_field=each_field)
    if not plan.constant_frame_rate and each_field:
        pictures = resampled(pictures, plan, pictures=2)
    pictures = between(pictures, cut) if isinstance(cut, Span) else among(pictures, cut)
    pictures = _every(pictures, stride / apart)
    pictures = cropped(turned(pictures, plan.source_rotation_deg), reference.crop)
    enlarged = reference.raster if reference.upconverted else None
    conversion, have = reference.conversion, sampled_source(plan, reference.crop)
    pictures = applied(pictures, planned_as_it_is(plan))
    if enlarged:
        pictures, have = with_whole_chroma(pictures, have)
    wanted = Sampled(reference.raster, pix_fmt, reference.chroma_location)
    sized = before_conversion(have, wanted, conversion, enlarged=enlarged is not None)
    if not enlarged:
        pictures = scaled(pictures, have, sized)
    pictures = at_full_range(pictures, plan, conversion)
    return conversion_filters(
        pictures,
        conversion,
        reference.numbers,
        plan.source_colour,
        pix_fmt,
        enlarged=enlarged,
        stands=(sized.stands, wanted.stands),
    )


def made_apart(reference: Reference, stride: Fraction) -> Fraction:
    """How far pictures are apart, in frames of the source, before any of them is left out."""
    return FILM_STRIDE if reference.pulldown else Fraction(1, stride.denominator)


def rung_pictures(
    pictures: Any,
    plan: Plan,
    video: VideoPlan,
    reference: Reference,
    stride: Fraction,
    frames: Sequence[range],
) -> Any:
    """What one rung is compared with, of pictures `stride` apart: its rate and its timecode.

    `frames` of the rung are those that remain, one stretch after the other.
    """
    pictures = _every(pictures, video.stride / stride)
    if video.burnt_in_timecode:  # in both, so that it does not count as a fault of the encoder
        width, height = reference.raster
        shown = replace(video, width=width, height=height)
        pictures, before = counted(pictures, video.frame_rate), 0
        for some in frames:
            here = range(before, before + len(some)) if len(frames) > 1 else None
            pictures = with_timecode(pictures, plan, shown, some.start - before, here)
            before += len(some)
    return pictures


def reference_files(videos: Sequence[VideoPlan]) -> list[Path]:
    """The files that the filters of `reference_pictures` and `rung_pictures` open."""
    files = tables_of(videos)
    burnt_in = any(video.burnt_in_timecode for video in videos)
    return [*files, timecode_font_file()] if burnt_in else files


def _every(pictures: Any, count: Fraction) -> Any:
    return pictures if count == 1 else pictures.filter("framestep", int(count))


def counted(pictures: Any, rate: Fraction) -> Any:
    """Frame n at tick n. In seconds it would be truncated, and then pair with its neighbour."""
    return pictures.filter("settb", rational(1 / rate)).filter("setpts", "N")


def among(pictures: Any, frames: Sequence[range]) -> Any:
    """By count from the first; all before the last of them are decoded."""
    if len(frames) == 1 and frames[0].start == 0:
        return pictures
    chosen = "+".join(f"between(n,{some.start},{some.stop - 1})" for some in frames)
    return pictures.filter("select", chosen)


def between(pictures: Any, span: Span) -> Any:
    """Nothing is read any more once it is over: `select` would let all that follows be decoded."""
    start_s, end_s = (f"{float(at):.9f}" for at in (span.start_s, span.end_s))
    return pictures.filter("trim", start=start_s, end=end_s)
