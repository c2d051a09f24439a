"""A source whose tags are plainly not the colour of its pictures, and what a person says of it.

Only PQ under the tags of SDR can be told, and only where it shows plainly: code values that end at
the very signal of a grading display's peak, with a heap of samples there, or with HDR10's metadata
beside them. HLG under the tags of SDR looks like SDR, because it was made to: it cannot be told.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipelines.colour.colour_maths import display_to_pq
from pipelines.colour.colour_types import StatedColour
from pipelines.media import Colour, MediaInfo, VideoTrack

Histogram = NDArray[np.int64]

BINS = 1024  # codes of 10 bits
_PEAK_CD_M2 = 1000.0  # where most grading displays end, and limiters with them
_BLACK, _SPAN = 64, 876
_NEAR = 1  # codes to either side of the peak's signal, by rounding; 75 % SDR is two codes below
_ABOVE = 8  # codes: as far as coding smears what is clipped
_BELOW = 24  # codes: the width of what the heap is compared with
_HEAP = 8.0  # times as many samples a code at the peak as just below it
_LEAST_SHARE, _MOST_ABOVE = 1e-4, 1e-6
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
    return replace(info, video=(replace(info.picture, colour=colour), *info.video[1:]))


def may_be_doubted(picture: VideoTrack) -> bool:
    """Whether its codes could be PQ's under other tags: 10 bits of narrow range, called SDR."""
    deep = picture.bit_depth >= 10 and picture.colour.range != "pc"
    return deep and picture.colour.dynamic_range == "sdr"


def colour_doubt(picture: VideoTrack, luma: Histogram) -> str | None:
    """Why the tags cannot be true, in words. `luma` counts samples by their codes of 10 bits."""
    total = int(luma.sum())
    if not may_be_doubted(picture) or total == 0:
        return None
    peak_cd_m2 = _peak_cd_m2(picture)
    top = _code(float(display_to_pq(np.array(peak_cd_m2 or _PEAK_CD_M2))))
    tags = f"its tags say {picture.colour.transfer or 'nothing'}"
    if luma[top + _ABOVE + 1 :].sum() > _MOST_ABOVE * total:
        return None
    if peak_cd_m2 is not None:
        return (
            f"{tags}, but it carries HDR10's metadata, and its codes end where PQ has "
            f"{peak_cd_m2:g} cd/m²"
        )
    if not _is_picture(luma, total) or not _heap_at(luma, top, total):
        return None
    return f"{tags}, but its codes end in a heap at {top}, which is {_PEAK_CD_M2:g} cd/m² in PQ"


def _is_picture(luma: Histogram, total: int) -> bool:
    dark = luma[: _code(_DARK_SIGNAL)].sum()
    return bool(dark >= _DARK_SHARE * total and np.count_nonzero(luma) >= _CODES)


def _code(signal: float) -> int:
    return round(_BLACK + _SPAN * signal)


def _peak_cd_m2(picture: VideoTrack) -> float | None:
    """What HDR10's metadata says, where there are any."""
    if picture.mastering_display is not None:
        return float(picture.mastering_display.max_luminance_cd_m2)
    return float(picture.content_light.max_cll_cd_m2) if picture.content_light else None


def _heap_at(luma: Histogram, top: int, total: int) -> bool:
    around = luma[top - _ABOVE : top + _ABOVE + 1]
    highest = top - _ABOVE + int(np.argmax(around))
    heap = float(luma[top - _NEAR : top + _NEAR + 1].sum())
    below = luma[top - _ABOVE - _BELOW : top - _ABOVE].mean()
    enough = heap >= _LEAST_SHARE * total and heap >= _HEAP * max(float(below), 1.0)
    return enough and abs(highest - top) <= _NEAR
