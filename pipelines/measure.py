"""Full-reference scores of a rendition on exactly aligned frames, each with its model's name."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg as graph

from pipelines.colour import signal, target_colour
from pipelines.containers import INPUT_GUARDS
from pipelines.errors import ToolFailed, VerificationFailed
from pipelines.facts import Measurement
from pipelines.plan_types import Plan, Rung, VideoPlan
from pipelines.probe import probe
from pipelines.progress import Progress, part
from pipelines.reference import (
    between,
    comparison_raster,
    reference_files,
    reference_pictures,
)
from pipelines.run import run
from pipelines.samples import Span
from pipelines.scores import measurement, ssim_values, vmaf_values, xpsnr_values
from pipelines.tools import ffmpeg

PIX_FMT = "yuv420p10le"  # one format for both inputs, STANDARDS.md "Quality metrics"
WHOLE_FRAMES = 1500  # [P] up to here every frame is scored
WINDOWS, WINDOW_FRAMES = 5, 250  # [P] contiguous: sub-sampling aliases with the mini-GOP
# Ffmpeg's xpsnr reads 10-bit rows of another width askew, and scores noise (8-bit rows it copies):
# 22 dB become -1 at 1080x1920; github.com/fraunhoferhhi/xpsnr/issues/5 and 8.
_XPSNR_WIDTH = 64
# Below these the features of VMAF v1 refuse (CAMBI) or crash (SpEED), measured with libvmaf 3.2.
_VMAF_SHORT_SIDE, _VMAF_LONG_SIDE = 160, 216
_SEEK_MARGIN_S = 5
# Where the times of frames do not depend on where reading begins.
_SEEKABLE = frozenset({"mov", "mp4", "matroska", "mpegts", "mxf"})


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    model: str | None
    read: Callable[[str], list[float]]
    pix_fmt: str | None = None  # where it is not the one of the whole comparison


@dataclass(frozen=True, slots=True)
class Window:
    """Frames of the rendition, half-open; `seek` when reading may begin near them."""

    start_frame: int
    end_frame: int
    seek: bool

    @property
    def frames(self) -> int:
        return self.end_frame - self.start_frame


@dataclass(frozen=True, slots=True)
class Pair:
    """A source and its rendition, to be compared at `raster`."""

    source: Path
    rendition: Path
    video: VideoPlan
    plan: Plan
    raster: tuple[int, int]


def measure(
    source: Path, rendition: Path, rung: Rung, plan: Plan, folder: Path
) -> Generator[Progress, None, tuple[tuple[Measurement, ...], tuple[str, ...]]]:
    """Scores of the picture and the command of the (first) comparison; none for sound alone.

    A lossless rung has none either: `verify` has proven it. SDR has VMAF and XPSNR, HLG and PQ have
    XPSNR and SSIM, because no open model scores HDR. Logs land in `folder`.
    """
    if not has_scores(rung):
        return (), ()
    assert rung.video is not None, "only pictures have scores"
    info = probe(source)
    assert info.picture is not None, "a plan with a picture comes from a source with one"
    raster = comparison_raster(rung.video, info.picture.display_size)
    pair = Pair(source, rendition, rung.video, plan, raster)
    metrics = metrics_for(rung.video, raster)
    windows = windows_of(rung.video.frames, plan, info.format_name)
    values: dict[str, list[float]] = {metric.name: [] for metric in metrics}
    commands: list[tuple[str, ...]] = []
    for at, window in enumerate(windows):
        share = (at / len(windows), (at + 1) / len(windows))
        comparing = _compare(pair, metrics, window, folder)
        commands.append((yield from part(comparing, *share, "measuring")))
        for metric in metrics:
            values[metric.name] += _read(metric, folder, window)
    scores = tuple(measurement(one.name, one.model, values[one.name]) for one in metrics)
    return scores, commands[0]


def has_scores(rung: Rung) -> bool:
    """Whether there is anything to score: a picture that is not proven bit for bit."""
    return rung.video is not None and not rung.video.lossless


def _compare(
    pair: Pair, metrics: Sequence[Metric], window: Window, folder: Path
) -> Generator[Progress, None, tuple[str, ...]]:
    """One comparison; raises `VerificationFailed` where one side has fewer frames than planned."""
    counts = {"true": bytearray(), "seen": bytearray()}
    finished = yield from run(
        compose(pair, metrics, window, folder),
        readable=[pair.source, pair.rendition, *reference_files(pair.video)],
        writable=[folder],
        total_frames=window.frames,
        taps={name: lines.extend for name, lines in counts.items()},
    )
    true, seen = (lines.count(b"\n") for lines in counts.values())
    if (true, seen) != (window.frames, window.frames):
        raise VerificationFailed(
            f"{true} frames of the source and {seen} of the rendition stand against the"
            f" {window.frames} planned: inspect the source again"
        )
    return finished.argv


def metrics_for(video: VideoPlan, raster: tuple[int, int]) -> tuple[Metric, ...]:
    """STANDARDS.md "Quality metrics": the VMAF v1 model by raster and frame rate.

    HLG, PQ and what is too small for VMAF have SSIM in its place.
    """
    xpsnr = Metric("xpsnr", "6:1:1", xpsnr_values)
    if raster[0] % _XPSNR_WIDTH:
        xpsnr = Metric("xpsnr", "6:1:1, 8 bits", xpsnr_values, pix_fmt="yuv420p")
    too_small = min(raster) < _VMAF_SHORT_SIDE or max(raster) < _VMAF_LONG_SIDE
    if video.colour.dynamic_range != "sdr" or too_small:
        return (Metric("ssim", "luma", ssim_values), xpsnr)
    rate = "hfr_" if video.frame_rate >= 48 else ""
    screen = "1d5h_2160" if min(raster) > 1080 else "3d0h"
    return (Metric("vmaf", f"vmaf_v1.0.16_{rate}{screen}", vmaf_values), xpsnr)


def windows_of(frames: int, plan: Plan, format_name: str) -> tuple[Window, ...]:
    """All frames, or contiguous windows spread over a long programme."""
    if frames <= WHOLE_FRAMES:
        return (Window(0, frames, seek=False),)
    sure = plan.constant_frame_rate and not plan.clock_jumps
    if not sure or _SEEKABLE.isdisjoint(format_name.split(",")):
        return (Window(0, WHOLE_FRAMES, seek=False),)
    last = frames - WINDOW_FRAMES
    starts = [last * at // (WINDOWS - 1) for at in range(WINDOWS)]
    return tuple(Window(start, start + WINDOW_FRAMES, seek=True) for start in starts)


def compose(pair: Pair, metrics: Sequence[Metric], window: Window, folder: Path) -> list[str]:
    """The argv of one comparison. Frames are paired by count: equal clocks are not enough.

    Where an input ends early, the filters go on with its last frame, so `pipe:true` and `pipe:seen`
    get a line a frame of each.
    """
    true = _on_one_clock(_true_pictures(pair, window), pair, window)
    copies = true.filter_multi_output("split", len(metrics) + 1)
    seen = _on_one_clock(_seen_pictures(pair, window), pair, window)
    counted = seen.filter_multi_output("split", 2)
    seen = counted[0]
    for at, metric in enumerate(metrics):
        options = _options(metric, folder)
        pair_of = [seen, copies[at]]
        if metric.pix_fmt:
            pair_of = [one.filter("format", pix_fmts=metric.pix_fmt) for one in pair_of]
        seen = graph.filter(pair_of, options.pop("filter"), **options)
    argv: list[str] = graph.merge_outputs(
        graph.output(seen, "-", format="null"),
        _counted(copies[len(metrics)], "true"),
        _counted(counted[1], "seen"),
    ).compile(cmd=ffmpeg())
    return argv


def _counted(pictures: Any, tap: str) -> Any:
    return graph.output(
        pictures,
        "-",
        format="null",
        fps_mode="passthrough",
        stats_enc_pre=f"pipe:{tap}",
        stats_enc_pre_fmt="{n}",
    )


def _true_pictures(pair: Pair, window: Window) -> Any:
    video, plan = pair.video, pair.plan
    assert plan.frame_rate is not None, "only a plan with pictures is measured"
    first, end = (video.rate_divisor * at for at in (window.start_frame, window.end_frame))
    span = _span(plan.first_picture_s, plan.frame_rate, first, end) if window.seek else None
    pictures = _opened(pair.source, span, guarded=True)[str(plan.video_track)]
    return reference_pictures(pictures, plan, video, pair.raster, PIX_FMT, window.start_frame, span)


def _seen_pictures(pair: Pair, window: Window) -> Any:
    rate = pair.video.frame_rate
    span = _span(Fraction(0), rate, window.start_frame, window.end_frame) if window.seek else None
    pictures = _opened(pair.rendition, span, guarded=False)["v:0"]
    if span is not None:
        pictures = between(pictures, span)
    if (pair.video.width, pair.video.height) != pair.raster:
        pictures = pictures.filter("scale", *pair.raster, flags="bicubic")
    # Tagged as the reference is: filters would convert one of the two where the tags differ.
    colour = target_colour(pair.video.conversion, pair.plan.source_colour)
    return signal(pictures.filter("format", pix_fmts=PIX_FMT), colour)


def _on_one_clock(pictures: Any, pair: Pair, window: Window) -> Any:
    """Frame n at tick n. In seconds it would be truncated, and then pair with its neighbour."""
    tick = 1 / pair.video.frame_rate
    counted = pictures.filter("trim", end_frame=window.frames)
    return counted.filter("settb", f"{tick.numerator}/{tick.denominator}").filter("setpts", "N")


def _opened(path: Path, span: Span | None, *, guarded: bool) -> Any:
    """An input; with a span its times are the file's own, and it is read from a little before."""
    options: dict[str, Any] = {"copyts": None} if span else {}
    if guarded:
        names = (name.lstrip("-") for name in INPUT_GUARDS[::2])
        options |= dict(zip(names, INPUT_GUARDS[1::2], strict=True))
    place_s = float(span.start_s) - _SEEK_MARGIN_S if span else 0.0
    if place_s > 0:
        options |= {"seek_timestamp": 1, "noaccurate_seek": None, "ss": f"{place_s:.6f}"}
    return graph.input(str(path), **options)


def _span(zero_s: Fraction, rate: Fraction, first: int, end: int) -> Span:
    """The time of frames first … end - 1, with half a frame to spare on both sides."""
    return Span(zero_s + (first - Fraction(1, 2)) / rate, zero_s + (end - Fraction(1, 2)) / rate)


def _options(metric: Metric, folder: Path) -> dict[str, Any]:
    log = str(folder / _log_name(metric))
    if metric.name != "vmaf":
        return {"filter": metric.name, "stats_file": log}
    return {
        "filter": "libvmaf",
        "model": f"version={metric.model}",
        "n_threads": len(os.sched_getaffinity(0)),  # libvmaf takes one by itself
        "log_fmt": "json",
        "log_path": log,
    }


def _read(metric: Metric, folder: Path, window: Window) -> list[float]:
    log = folder / _log_name(metric)
    values = metric.read(log.read_text()) if log.is_file() else []
    log.unlink(missing_ok=True)  # the next window's log must be its own
    if len(values) != window.frames:
        raise ToolFailed(f"{metric.name} gave {len(values)} values for {window.frames} frames")
    return values


def _log_name(metric: Metric) -> str:
    return f"measure-{metric.name}.log"
