"""What a CRF gives and costs, predicted from what `inspect` measured. Pure.

Everything is linear in logarithms: `ln(100.5 - VMAF)`, XPSNR in dB, `ln(bits a pixel)` and
`ln(CPU seconds a megapixel)` over the CRF and a few features. The coefficients are in
`quality_model.toml`, which `benchmarks/quality_model.py` fits anew.
"""

from __future__ import annotations

import hashlib
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pipelines.media import Inspection, Shot, VideoTrack
from pipelines.planning.plan_types import Chunk, VideoPlan
from pipelines.quality.metrics import comparison_raster

Metric = Literal["vmaf", "xpsnr"]
FEATURES = ("constant", "crf", "shrink", "shrink_crf", "coded", "detail", "size")
_FILE = Path(__file__).with_name("quality_model.toml")
_TOP = {"vmaf": 100.5, "xpsnr": 0.0}
_MOST_XPSNR = 50.0  # [P] dB; a still picture may have 100, and nobody sees what is above
# Below them a logarithm says nothing: a still picture, a flat one.
LEAST_BYTES, _LEAST_DETAIL = 10.0, 0.001


@dataclass(frozen=True, slots=True)
class Material:
    """One kind of picture within the programme: its share of it, and how hard it is to code."""

    share: float
    coded_bytes: float
    detail: float


@dataclass(frozen=True, slots=True)
class Shape:
    """A rung's picture as the model sees it; `shrink` in octaves of the side, 0 where whole."""

    codec: str
    pixels: int
    shrink: float


def materials(inspection: Inspection) -> tuple[Material, ...]:
    """Of each shot; empty where an older inspection kept no thumbnails to tell it by."""
    shots = inspection.shots
    if not shots or any(shot.coded_bytes is None for shot in shots):
        return ()
    frames = sum(shot.end_frame - shot.start_frame for shot in shots)
    return tuple(_material(shot, shot.end_frame - shot.start_frame, frames) for shot in shots)


def materials_within(inspection: Inspection, chunks: Sequence[Chunk]) -> tuple[Material, ...]:
    """Of each shot that these chunks show, by its share of them."""
    frames = sum(chunk.frames for chunk in chunks)
    found = []
    for shot in inspection.shots:
        shown = sum(
            max(0, min(shot.end_frame, chunk.end_frame) - max(shot.start_frame, chunk.start_frame))
            for chunk in chunks
        )
        if shown and shot.coded_bytes is not None:
            found.append(_material(shot, shown, frames))
    return tuple(found)


def _material(shot: Shot, shown: int, frames: int) -> Material:
    assert shot.coded_bytes is not None, "looked at before"
    return Material(shown / frames, shot.coded_bytes, shot.detail)


def shape_of(video: VideoPlan, picture: VideoTrack) -> Shape:
    """`picture` is the source's. Bars take no bits."""
    across, down = comparison_raster(video, picture.shown_size(video.crop))
    pixels = video.shown[0] * video.shown[1]
    return Shape(video.codec, pixels, math.log2(across * down / pixels) / 2)


def has_model(codec: str, what: str) -> bool:
    return what in _table().get(codec, {})


def crf_range(codec: str) -> tuple[float, float]:
    """The finest and the coarsest CRF that a codec was fitted at."""
    finest, coarsest = _table()[codec]["crf_range"]
    return float(finest), float(coarsest)


def features(crf: float, material: Material, shape: Shape) -> tuple[float, ...]:
    """In the order of `FEATURES`."""
    coded = math.log(max(material.coded_bytes, LEAST_BYTES))
    detail = math.log(max(material.detail, _LEAST_DETAIL))
    size = math.log(shape.pixels)
    return (1.0, crf, shape.shrink, shape.shrink * crf, coded, detail, size)


def loss(metric: Metric, crf: float, material: Material, shape: Shape) -> float:
    """Grows with the CRF about linearly; `score_of` turns it into the score."""
    return _linear(shape.codec, metric, crf, material, shape)


def score_of(metric: Metric, lost: float) -> float:
    if metric == "xpsnr":
        return min(_MOST_XPSNR, -lost)
    return min(100.0, _TOP["vmaf"] - math.exp(lost))


def loss_of(metric: Metric, score: float) -> float:
    if metric == "xpsnr":
        return -score
    return math.log(_TOP["vmaf"] - min(score, 100.0))


def bits_a_frame(crf: float, material: Material, shape: Shape) -> float:
    return shape.pixels * math.exp(_linear(shape.codec, "bits", crf, material, shape))


def cpu_s_a_frame(crf: float, material: Material, shape: Shape) -> float:
    """Of the machine that the model was measured on."""
    megapixels = shape.pixels / 1e6
    return megapixels * math.exp(_linear(shape.codec, "time", crf, material, shape))


def score_cpu_s(pixels: float) -> float:
    """To compare one frame of so many pixels with its reference."""
    return float(_table()["other"]["score_s"]) * pixels / 1e6


def decode_cpu_s(pixels: float) -> float:
    return float(_table()["other"]["decode_s"]) * pixels / 1e6


def spread(metric: Metric) -> float:
    """Mean score less the 5th percentile, within a shot."""
    return float(_table()["spread"][metric])


def off_by(metric: Metric, basis: str) -> float:
    """What such an answer was off by at most, for nine of ten measured clips."""
    return float(_table()[f"off_by_{basis}"][metric])


def mean_of(values: Sequence[float], kinds: Sequence[Material]) -> float:
    """Weighted by the shares."""
    total = sum(kind.share for kind in kinds)
    return sum(value * kind.share for value, kind in zip(values, kinds, strict=True)) / total


def _linear(codec: str, what: str, crf: float, material: Material, shape: Shape) -> float:
    factors: Mapping[str, float] = _table()[codec][what]
    values = zip(FEATURES, features(crf, material, shape), strict=True)
    return sum(factors[name] * value for name, value in values)


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(_FILE.read_text("utf-8"))


@cache
def fingerprint() -> str:
    """Changes with every coefficient."""
    return hashlib.sha256(_FILE.read_bytes()).hexdigest()
