"""What a rendition's picture is scored by: the metrics with their models, and the raster. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from pipelines.media import even
from pipelines.planning.plan_types import VideoPlan
from pipelines.quality.scores import ssim_values, vmaf_values, xpsnr_values

# Ffmpeg's xpsnr reads 10-bit rows of another width askew, and scores noise (8-bit rows it copies):
# 22 dB become -1 at 1080x1920; github.com/fraunhoferhhi/xpsnr/issues/5 and 8.
_XPSNR_WIDTH = 64
# Below these the features of VMAF v1 refuse (CAMBI) or crash (SpEED), measured with libvmaf 3.2.
_VMAF_SHORT_SIDE, _VMAF_LONG_SIDE = 160, 216
_ROUNDED = 2


@dataclass(frozen=True, slots=True)
class Metric:
    name: str
    model: str | None
    read: Callable[[str], list[float]]
    pix_fmt: str | None = None  # where it is not the one of the whole comparison


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


def comparison_raster(video: VideoPlan, display: tuple[int, int]) -> tuple[int, int]:
    """Where both are compared: what is larger than HD at its own raster, the rest on an HD screen.

    Without the bars of the rung. `display` is the size of what it shows of the source and never
    exceeded but by an upconverted rung: scores of invented pixels say nothing.
    """
    wide, high = video.shown
    across, down = (1920, 1080) if wide >= high else (1080, 1920)
    scale = min(Fraction(1), Fraction(across, display[0]), Fraction(down, display[1]))
    fitted = (even(display[0] * scale), even(display[1] * scale))
    if video.active and max(abs(wide - fitted[0]), abs(high - fitted[1])) <= _ROUNDED:
        return video.shown  # bars have even widths: nothing is scaled for the sake of that
    return (max(wide, fitted[0]), max(high, fitted[1]))
