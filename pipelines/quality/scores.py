"""Per-frame values of the metrics, read from the files that ffmpeg's filters write. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence

import numpy as np

from pipelines.facts import Measurement

_IDENTICAL_DB = 100.0  # XPSNR of equal frames is infinite, and no mean survives that


def measurement(metric: str, model: str | None, values: Sequence[float]) -> Measurement:
    """Mean, harmonic mean and 5th percentile of one value a frame.

    The harmonic mean is libvmaf's: one is added to every value, so that a 0 does not end it.
    """
    frames = np.asarray(values, dtype=np.float64)
    return Measurement(
        metric=metric,
        model=model,
        mean=round(float(frames.mean()), 4),
        harmonic_mean=round(len(frames) / float((1 / (frames + 1)).sum()) - 1, 4),
        p5=round(float(np.percentile(frames, 5)), 4),
        frames=len(frames),
    )


def vmaf_values(text: str) -> list[float]:
    """From libvmaf's JSON log."""
    return [float(frame["metrics"]["vmaf"]) for frame in json.loads(text)["frames"]]


def xpsnr_values(text: str) -> list[float]:
    """In dB, the planes weighted 6:1:1 as JVET weights PSNR for 4:2:0 (JVET-T2010)."""
    found = re.findall(r"XPSNR y:\s*(\S+)\s+XPSNR u:\s*(\S+)\s+XPSNR v:\s*(\S+)", text)
    rows = [[_decibels(word) for word in row] for row in found]
    return [(6 * luma + blue + red) / 8 for luma, blue, red in rows]


def ssim_values(text: str) -> list[float]:
    """Of luma."""
    return [float(word) for word in re.findall(r"\bY:(\S+)", text)]


def _decibels(word: str) -> float:
    value = float(word)
    return value if math.isfinite(value) else _IDENTICAL_DB
