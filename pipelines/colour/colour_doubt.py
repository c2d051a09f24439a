"""A source whose tags are plainly not the colour of its pictures, and what a person says of it.

HDR10's metadata beside the tags of SDR contradict them. Without any, only PQ can be told, and only
where it was clipped at the peak of a grading display: code values that end in a heap at the very
signal of that peak. HLG under the tags of SDR looks like SDR, because it was made to.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.colour.colour_maths import display_to_pq
from pipelines.colour.colour_types import StatedColour
from pipelines.media import Colour, MediaInfo, VideoTrack
from pipelines.words import Words

Histogram = NDArray[np.int64]

BINS = 1024  # codes of 10 bits
_HDR_BITS = 10
# Where grading displays end, and limiters with them. Not 10 000: its signal is SDR's white.
_PEAKS_CD_M2 = (600, 1000, 2000, 4000)
# [P] No display that SDR is graded on is as bright, and its masters may say which one it was.
_SDR_PEAK_CD_M2 = 300
_BLACK, _SPAN = 64, 876
_NEAR = 1  # codes to either side of the peak's signal, by rounding; 75 % SDR is two codes below
_ABOVE = 8  # codes: as far as coding smears what is clipped
_BELOW = 24  # codes: the width of what the heap is compared with
_HEAP = 8.0  # times as many samples a code at the peak as just below it
_LEAST_SHARE, _MOST_ABOVE = 1e-4, 1e-6
# Lossy coding rings at the edges of what is clipped, and keeps its level (measured: decision 13).
# Of what is smeared around a clipped sky's heap at least so much lies within a code of it, and
# beyond at most so much, of which hardly any far away; titles are all edges.
_WITHIN, _RINGS, _RINGS_FAR, _FAR = 0.45, 0.05, 0.01, 32
_DARK_SIGNAL, _DARK_SHARE = 0.15, 0.01  # a picture with black in it: logarithmic curves have none
_CODES = 128  # of a picture, not of a test card
_COLOURS: dict[StatedColour, Colour] = {
    "sdr-709": Colour("bt709", "bt709", "bt709", "tv"),
    "sdr-2020": Colour("bt2020", "bt2020-10", "bt2020nc", "tv"),
    "hlg": Colour("bt2020", "arib-std-b67", "bt2020nc", "tv"),
    "pq": Colour("bt2020", "smpte2084", "bt2020nc", "tv"),
}


def believed(info: MediaInfo, stated: StatedColour | None) -> MediaInfo:
    """The source with the colour that a person states; its range stays what the file says."""
    if stated is None or stated == "as-tagged" or info.picture is None:
        return info
    colour = _COLOURS[stated]
    if info.picture.is_rgb:
        colour = replace(colour, matrix="gbr", range="pc")
    colour = replace(colour, range=info.picture.colour.range or colour.range)
    picture = replace(info.picture, colour=colour, colour_stated=True)
    return replace(info, video=(picture, *info.video[1:]))


def colour_doubt(picture: VideoTrack, luma: Histogram) -> Words | None:
    """Why the tags cannot be true, in words. `luma` counts samples by their codes of 10 bits."""
    total = int(luma.sum())
    if picture.bit_depth < _HDR_BITS or picture.colour.dynamic_range != "sdr" or total == 0:
        return None
    tags = _tags(picture.colour.transfer)
    peak_cd_m2 = _stated_peak_cd_m2(picture)
    if peak_cd_m2 > _SDR_PEAK_CD_M2:
        return Words(
            f"{tags}, but it carries HDR10's metadata, which say up to {peak_cd_m2:g} cd/m²",
            f"{tags.zh}，却带有 HDR10 元数据，标明最高 {peak_cd_m2:g} cd/m²",
        )
    if picture.colour.range == "pc" or not _is_picture(luma, total):
        return None
    for peak in _PEAKS_CD_M2:
        top = _code(float(display_to_pq(np.array(float(peak)))))
        if _heap_at(luma, top, total) and _ends_at(luma, top, total):
            return Words(
                f"{tags}, but its codes end in a heap at {top}, which is {peak} cd/m² in PQ",
                f"{tags.zh}，码值却堆积并终止于 {top}，即 PQ 的 {peak} cd/m²",
            )
    return None


def _tags(transfer: str | None) -> Words:
    if transfer is None:
        return Words("its tags say nothing", "来源没有色彩标识")
    return Words(f"its tags say {transfer}", f"来源的标识为 {transfer}")


def _is_picture(luma: Histogram, total: int) -> bool:
    dark = luma[: _code(_DARK_SIGNAL)].sum()
    return bool(dark >= _DARK_SHARE * total and np.count_nonzero(luma) >= _CODES)


def _code(signal: float) -> int:
    return round(_BLACK + _SPAN * signal)


def _stated_peak_cd_m2(picture: VideoTrack) -> float:
    """The most that HDR10's metadata say, 0 where there are none."""
    display, light = picture.mastering_display, picture.content_light
    return max(
        float(display.max_luminance_cd_m2) if display else 0.0,
        float(light.max_cll_cd_m2) if light else 0.0,
    )


def _heap_at(luma: Histogram, top: int, total: int) -> bool:
    around = luma[top - _ABOVE : top + _ABOVE + 1]
    highest = top - _ABOVE + int(np.argmax(around))
    heap = float(luma[top - _NEAR : top + _NEAR + 1].sum())
    below = luma[top - _ABOVE - _BELOW : top - _ABOVE].mean()
    enough = heap >= _LEAST_SHARE * total and heap >= _HEAP * max(float(below), 1.0)
    return enough and abs(highest - top) <= _NEAR


def _ends_at(luma: Histogram, top: int, total: int) -> bool:
    """Whether nothing lies beyond, or no more than the rings of a heap that lossy coding kept."""
    beyond = luma[top + _ABOVE + 1 :].sum()
    if beyond <= _MOST_ABOVE * total:
        return True
    around = luma[top - _ABOVE : top + _ABOVE + 1].sum()
    kept = luma[top - _NEAR : top + _NEAR + 1].sum() >= _WITHIN * around
    far = luma[top + _FAR + 1 :].sum()
    return bool(kept and beyond <= _RINGS * around and far <= _RINGS_FAR * around)
