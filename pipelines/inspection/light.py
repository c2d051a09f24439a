"""MaxCLL and MaxFALL by CTA-861.3: the largest of R, G and B of each pixel, in cd/m².

Measured on what a PQ rendition will show: of a PQ source its own light, of another the light that
its conversion gives. Of pictures larger than HD, every second (third …) pixel of every second line
is looked at, which is where their chroma has its samples. All in one branch of `inspect`'s graph:

    R'G'B' of PQ ─ largest of the three ─ linear ─┬─ folded onto itself ─ peak
                                                  └─ averaged ─ average
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipelines.colour.colour_filters import lut_file, to_table
from pipelines.colour.colour_maths import PQ_C1, PQ_C2, PQ_C3, PQ_M1, PQ_M2, PQ_TOP_CD_M2
from pipelines.colour.colour_methods import has_formula, parameters_of
from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import complete_colour
from pipelines.media import ContentLight, VideoTrack
from pipelines.planning.plan_colour import conversion_between
from pipelines.running.raw_frames import Frame, FrameShape

TAPS = ("peak", "average")
AVERAGE = FrameShape(1, 36, 64, wide_samples=True)
_WIDE, _HIGH = 1920, 1080
_FOLDS = ("w", "w", "w", "w", "h", "h", "h")  # in halves: sixteen across, eight down
_ACROSS, _DOWN = 16, 8
_FULL = 65535  # of 16 bits is 10 000 cd/m²
_MOST_CD_M2 = 65535  # what the metadata can hold


def peak_shape(picture: VideoTrack) -> FrameShape:
    width, height = _padded(picture)
    return FrameShape(1, height // _DOWN, width // _ACROSS, wide_samples=True)


def table_of(picture: VideoTrack) -> Path | None:
    """What the graph reads besides the source."""
    conversion = _conversion(picture)
    if not has_formula(conversion):
        return None
    return lut_file(conversion, parameters_of(conversion, None))


def chains(picture: VideoTrack, escaped_table: str | None, levelled: str = "") -> list[str]:
    """From `[h]` to `[peak]` and `[average]`; the clock is counted, for pairs of one frame.

    `levelled` brings R'G'B' of narrow range to full range, and ends with a comma.
    """
    named = to_table(complete_colour(picture))
    options = ":".join(f"{name}={value}" for name, value in named.items())
    to_pq = f"zscale={options},format=gbrp16le"
    if escaped_table:
        to_pq = (
            f"zscale={options},format=gbrpf32le,lut3d=file={escaped_table}:interp=tetrahedral,"
            "zscale=matrixin=gbr:matrix=gbr,format=gbrp16le"
        )
    largest = "[r][g]blend=all_mode=lighten[rg];[rg][bl]blend=all_mode=lighten"
    average = f"scale={AVERAGE.width}:{AVERAGE.height}:flags=area,format=gray16le"
    return [
        f"[h]settb=1/25,setpts=N,{_picked(picture)}{levelled}{to_pq},extractplanes=g+b+r[g][bl][r]",
        f"{largest},lut=c0='{_linear()}',format=gray16le,split=2[fold0][mean]",
        f"[mean]{average}[average]",
        *_folds(picture),
    ]


def outputs() -> tuple[str, ...]:
    raw = ("-fps_mode", "passthrough", "-c:v", "rawvideo", "-f", "rawvideo")
    return tuple(word for tap in TAPS for word in ("-map", f"[{tap}]", *raw, f"pipe:{tap}"))


class LightMeter:
    """Takes the frames of both taps."""

    def __init__(self, picture: VideoTrack) -> None:
        (width, height), (across, down) = _size(picture), _padded(picture)
        self._undiluted = across * down / (width * height)  # by the black beside the picture
        self._peak, self._average = 0.0, 0.0

    def take_peak(self, frame: Frame) -> None:
        self._peak = max(self._peak, float(frame.max()))

    def take_average(self, frame: Frame) -> None:
        self._average = max(self._average, float(np.mean(frame)))

    def light(self) -> ContentLight:
        """In whole cd/m², at least 1: 0 would mean that nobody knows."""
        return ContentLight(_cd_m2(self._peak), _cd_m2(self._average * self._undiluted))


def _cd_m2(value: float) -> int:
    return min(max(1, round(value / _FULL * PQ_TOP_CD_M2)), _MOST_CD_M2)


def _conversion(picture: VideoTrack) -> Conversion:
    return conversion_between(complete_colour(picture), "pq")


def _picked(picture: VideoTrack) -> str:
    """Whole pixels, never mixed, with black beside them up to a size that folds."""
    width, height = _size(picture)
    padded_width, padded_height = _padded(picture)
    sampled = ""
    if not picture.pix_fmt.startswith(("gbr", "rgb", "bgr", "xyz")):
        depth = min(max(picture.bit_depth, 8), 16)
        sampled = f"format=yuv444p{'' if depth == 8 else f'{depth}le'},"
    pad = f"pad={padded_width}:{padded_height},"
    return f"scale={width}:{height}:flags=neighbor,{sampled}{pad}"


def _size(picture: VideoTrack) -> tuple[int, int]:
    """Of what is picked, turned as ffmpeg turns it."""
    width, height = picture.width, picture.height
    step = max(1, -(-width // _WIDE), -(-height // _HIGH))
    picked = (width // step, height // step)
    return (picked[1], picked[0]) if picture.lies_on_its_side else picked


def _padded(picture: VideoTrack) -> tuple[int, int]:
    width, height = _size(picture)
    return -(-width // _ACROSS) * _ACROSS, -(-height // _DOWN) * _DOWN


def _folds(picture: VideoTrack) -> list[str]:
    """Each lays one half on the other and keeps what is lighter: nothing is averaged away."""
    width, height = _padded(picture)
    told = []
    for number, side in enumerate(_FOLDS):
        width, height = (width // 2, height) if side == "w" else (width, height // 2)
        other = (width, 0) if side == "w" else (0, height)
        name = "peak" if number + 1 == len(_FOLDS) else f"fold{number + 1}"
        told.append(
            f"[fold{number}]split=2[one{number}][two{number}];"
            f"[one{number}]crop={width}:{height}:0:0[half{number}];"
            f"[two{number}]crop={width}:{height}:{other[0]}:{other[1]}[rest{number}];"
            f"[half{number}][rest{number}]blend=all_mode=lighten[{name}]"
        )
    return told


def _linear() -> str:
    """ITU-R BT.2100's EOTF for 16 bits, as an expression of ffmpeg's `lut`."""
    root = f"pow(val/{_FULL}\\,{1 / PQ_M2!r})"
    share = f"max({root}-{PQ_C1!r}\\,0)/({PQ_C2!r}-{PQ_C3!r}*{root})"
    return f"{_FULL}*pow({share}\\,{1 / PQ_M1!r})"
