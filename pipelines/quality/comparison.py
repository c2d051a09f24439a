"""One ffmpeg command that compares a source with all its renditions of one reference. Pure.

source ─ reference ─┬─ drop frames ─ timecode ─┬─ metrics of rung 1
                    │            rendition 1 ──┘
                    └─ …
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import Any

import ffmpeg as graph

from pipelines.colour.chroma_siting import is_sited
from pipelines.colour.colour_filters import signal, target_colour
from pipelines.encoding.clock import clock_outputs
from pipelines.encoding.graph import split
from pipelines.encoding.large_pictures import decoder_options
from pipelines.encoding.picture_filters import cropped, input_options
from pipelines.encoding.scaling import Sampled, sampled_rung, scaled
from pipelines.planning.plan_types import Plan, Rung, VideoPlan
from pipelines.quality.metrics import Metric, metrics_for
from pipelines.quality.reference import (
    Reference,
    among,
    between,
    counted,
    made_apart,
    reference_files,
    reference_pictures,
    rung_pictures,
)
from pipelines.rates import greatest_divisor, least_multiple
from pipelines.running.tools import ffmpeg
from pipelines.verification.readback import picture_start_s
from pipelines.verification.samples import Span

PIX_FMT = "yuv420p10le"  # one format for both inputs, STANDARDS.md "Quality metrics"
WHOLE_FRAMES = 1500  # [P] up to here every frame is scored
WINDOW_FRAMES = 25  # [P] contiguous: sub-sampling aliases with the mini-GOP
# Of a window behind another one in the same command, before those that count: XPSNR weighs a frame
# by the one or two before it, and took 5 dB from the first one behind a cut (measured).
SETTLING_FRAMES = 2
# [P] One for so many frames, where programmes have many shots, but no fewer and no more than this
# (`docs/decisions/0009-what-proof-costs.md`).
_WINDOW_EVERY, _FEWEST, _MOST = 375, 20, 80
# [P] For all pairs: each keeps 0.1 GiB of pictures at 1080p and 0.4 at 2160p, measured. XPSNR takes
# half of VMAF's time, in one thread for all pairs, and so feeds no more.
_VMAF_THREADS = 4
# How long before a place reading begins: where there is an index it leads to the key frame before,
# elsewhere anywhere, and so some GOPs earlier.
_INDEXED_MARGIN_S, _SEEK_MARGIN_S = 2, 5
_INDEXED = frozenset({"mov", "mp4", "m4a", "mkv", "matroska"})
# Where the times of frames do not depend on where reading begins.
_SEEKABLE = frozenset({"mov", "mp4", "matroska", "mpegts", "mxf"})


@dataclass(frozen=True, slots=True)
class Window:
    """Frames of the source, half-open, from one that every rung has; `seek` when reading may begin
    near them.
    """

    start_frame: int
    end_frame: int
    seek: bool

    def of(self, video: VideoPlan) -> range:
        """The frames of a rung that show them."""
        return video.frames_within(self.start_frame, self.end_frame)


@dataclass(frozen=True, slots=True)
class Pair:
    """A rendition that is to be compared."""

    rung: Rung
    rendition: Path

    @property
    def video(self) -> VideoPlan:
        assert self.rung.video is not None, "only pictures have scores"
        return self.rung.video

    @property
    def zero_s(self) -> Fraction:
        """When the first picture is shown; a transport stream begins anywhere."""
        return picture_start_s(self.rendition) if self.rung.container == "ts" else Fraction(0)

    def log(self, metric: Metric, folder: Path) -> Path:
        return folder / f"{self.rung.profile}-{metric.name}.log"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A source and its renditions, each to be compared with one reference.

    `only` names a metric where not all of them are wanted, `format_name` is ffmpeg's word for the
    source's container.
    """

    source: Path
    plan: Plan
    reference: Reference
    pairs: tuple[Pair, ...]
    only: str | None = None
    format_name: str = ""

    @property
    def stride(self) -> Fraction:
        """How far the pictures that any pair needs are apart, in frames of the source."""
        return greatest_divisor(pair.video.stride for pair in self.pairs)

    @property
    def files(self) -> list[Path]:
        """All that the command reads."""
        videos = [pair.video for pair in self.pairs]
        renditions = [pair.rendition for pair in self.pairs]
        return [self.source, *renditions, *reference_files(videos)]

    def metrics(self, pair: Pair) -> tuple[Metric, ...]:
        found = metrics_for(pair.video, self.reference.raster)
        return tuple(one for one in found if self.only in (None, one.name))


def windows_of(plan: Plan, strides: Collection[Fraction], format_name: str) -> tuple[Window, ...]:
    """All frames, or contiguous windows spread over a long programme.

    Long is what the slowest rung calls long, and its frames are counted: faster ones have more.
    """
    slowest = max(strides)
    frames = ceil(plan.frames / slowest)
    if frames <= WHOLE_FRAMES:
        return (Window(0, plan.frames, seek=False),)
    sure = plan.constant_frame_rate and not (plan.clock_jumps or plan.source_pulldown)
    seek = sure and not _SEEKABLE.isdisjoint(format_name.split(","))
    # Every rung has the source's frames 0, shared, 2 × shared …
    shared = least_multiple([*strides, Fraction(1)]).numerator
    last = int((frames - WINDOW_FRAMES) * slowest / shared)
    count = min(_MOST, max(_FEWEST, frames // _WINDOW_EVERY))
    starts = [last * at // (count - 1) * shared for at in range(count)]
    length = ceil(WINDOW_FRAMES * slowest)
    if not seek:  # they are counted on from one to the next
        length = ceil((SETTLING_FRAMES + WINDOW_FRAMES) * slowest / shared) * shared
    return tuple(Window(at, min(at + length, plan.frames), seek=seek) for at in starts)


def counting(windows: Sequence[Window], video: VideoPlan) -> Iterator[bool]:
    """Of each frame that a command compares, whether its values count."""
    for at, window in enumerate(windows):
        for number in range(len(window.of(video))):
            yield at == 0 or number >= SETTLING_FRAMES


def passes_of(windows: Sequence[Window]) -> tuple[tuple[Window, ...], ...]:
    """The windows of each command: one that reading may begin near, or all of those that are only
    found by counting from the beginning.
    """
    return tuple((one,) for one in windows) if windows[0].seek else (tuple(windows),)


def compose(comparison: Comparison, windows: Sequence[Window], folder: Path) -> list[str]:
    """The argv of one comparison (see `passes_of`). Frames are paired by count: equal clocks are
    not enough.

    Where an input ends early, the filters go on with its last frame, so the taps that `taps_of`
    names get a line a frame of each side.
    """
    opened = _source(comparison, windows)
    reference = split(_reference(comparison, windows, opened), len(comparison.pairs))
    outputs: list[Any] = []
    for number, (pair, true) in enumerate(zip(comparison.pairs, reference, strict=True)):
        shown, counts = _compared(comparison, pair, true, windows, folder)
        tapped = zip(counts, taps_of(number), strict=True)
        outputs += [graph.output(shown, "-", format="null"), *(_counted(*one) for one in tapped)]
    if not comparison.plan.constant_frame_rate:
        outputs += clock_outputs(opened, comparison.plan)
    argv: list[str] = graph.merge_outputs(*outputs).compile(cmd=ffmpeg())
    return argv


def taps_of(number: int) -> tuple[str, str]:
    """The counts of that pair: of what its rendition should show, and of what it shows."""
    return f"true{number:02}", f"seen{number:02}"


def _source(comparison: Comparison, windows: Sequence[Window]) -> Any:
    span, plan = _source_span(comparison, windows), comparison.plan
    return _opened(comparison.source, comparison.format_name, span, input_options(plan))


def _source_span(comparison: Comparison, windows: Sequence[Window]) -> Span | None:
    """When the pictures of a window are shown, where one may be sought."""
    plan = comparison.plan
    assert plan.frame_rate is not None, "only a plan with pictures is measured"
    if not windows[0].seek:
        return None
    first, end = windows[0].start_frame, windows[-1].end_frame
    apart = made_apart(comparison.reference, comparison.stride)
    return _span(plan.first_picture_s, plan.frame_rate, first, end, apart)


def _reference(comparison: Comparison, windows: Sequence[Window], opened: Any) -> Any:
    plan, stride = comparison.plan, comparison.stride
    apart = made_apart(comparison.reference, stride)
    some = [range(int(one.start_frame / apart), ceil(one.end_frame / apart)) for one in windows]
    pictures = opened[str(plan.video_track)]
    cut: Span | Sequence[range] = _source_span(comparison, windows) or some
    made = reference_pictures(pictures, plan, comparison.reference, stride, PIX_FMT, cut)
    frames = sum(ceil((one.end_frame - one.start_frame) / stride) for one in windows)
    return made.filter("trim", end_frame=frames)


def _compared(
    comparison: Comparison, pair: Pair, true: Any, windows: Sequence[Window], folder: Path
) -> tuple[Any, tuple[Any, Any]]:
    """One pair, scored, and its two sides to be counted."""
    some, metrics = [one.of(pair.video) for one in windows], comparison.metrics(pair)
    true = rung_pictures(
        true, comparison.plan, pair.video, comparison.reference, comparison.stride, some
    )
    copies = split(counted(true, pair.video.frame_rate), len(metrics) + 1)
    seen = _seen(comparison, pair, some, seek=windows[0].seek)
    seen = seen.filter("trim", end_frame=sum(map(len, some)))
    seen, tapped = split(counted(seen, pair.video.frame_rate), 2)
    threads = _vmaf_threads(len(comparison.pairs))
    for metric, copy in zip(metrics, copies, strict=False):
        options = _options(metric, pair.log(metric, folder), threads)
        both = [seen, copy]
        if metric.pix_fmt:
            both = [one.filter("format", pix_fmts=metric.pix_fmt) for one in both]
        seen = graph.filter(both, options.pop("filter"), **options)
    return seen, (copies[-1], tapped)


def _counted(pictures: Any, tap: str) -> Any:
    return graph.output(
        pictures,
        "-",
        format="null",
        fps_mode="passthrough",
        stats_enc_pre=f"pipe:{tap}",
        stats_enc_pre_fmt="{n}",
    )


def _seen(comparison: Comparison, pair: Pair, some: Sequence[range], *, seek: bool) -> Any:
    video, reference = pair.video, comparison.reference
    first, end = some[0].start, some[-1].stop
    span = _span(pair.zero_s, video.frame_rate, first, end) if seek else None
    options = decoder_options((video.width, video.height), video.codec)
    pictures = _opened(pair.rendition, pair.rung.container, span, options)["v:0"]
    pictures = cropped(between(pictures, span) if span else among(pictures, some), video.active)
    have = sampled_rung(video)
    wanted = Sampled(reference.raster, PIX_FMT, reference.chroma_location)
    if have.size != wanted.size or not is_sited(video.pix_fmt):
        pictures = scaled(pictures, have, wanted, "bicubic")
    # Tagged as the reference is: filters would convert one of the two where the tags differ.
    colour = target_colour(video.conversion, comparison.plan.source_colour)
    return signal(pictures.filter("format", pix_fmts=PIX_FMT), colour)


def _opened(path: Path, format_name: str, span: Span | None, wanted: Mapping[str, Any]) -> Any:
    """An input; with a span its times are the file's own, and it is read from a little before."""
    options: dict[str, Any] = {**wanted, **({"copyts": None} if span else {})}
    indexed = not _INDEXED.isdisjoint(format_name.split(","))
    margin_s = _INDEXED_MARGIN_S if indexed else _SEEK_MARGIN_S
    place_s = float(span.start_s) - margin_s if span else 0.0
    if place_s > 0:
        options |= {"seek_timestamp": 1, "noaccurate_seek": None, "ss": f"{place_s:.6f}"}
    return graph.input(str(path), **options)


def _span(
    zero_s: Fraction, rate: Fraction, first: int, end: int, apart: Fraction = Fraction(1)
) -> Span:
    """The time of frames first … end - 1, with half a picture to spare on both sides; pictures are
    `apart` frames from each other.
    """
    return Span(zero_s + (first - apart / 2) / rate, zero_s + (end - apart / 2) / rate)


def _vmaf_threads(pairs: int) -> int:
    """Of each pair; libvmaf takes one by itself."""
    return max(1, min(_VMAF_THREADS, len(os.sched_getaffinity(0))) // pairs)


def _options(metric: Metric, log: Path, threads: int) -> dict[str, Any]:
    if metric.name != "vmaf":
        return {"filter": metric.name, "stats_file": str(log)}
    return {
        "filter": "libvmaf",
        "model": f"version={metric.model}",
        "n_threads": threads,
        "log_fmt": "json",
        "log_path": str(log),
    }
