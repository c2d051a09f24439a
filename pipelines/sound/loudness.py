"""Loudness of one sound track: ITU-R BS.1770 by ffmpeg's `ebur128`, read from its metadata."""

from __future__ import annotations

import math
import re

from pipelines.media import Loudness

# `ebur128` tells of whole blocks of 0.1 s: one of silence brings out what ends within the last, and
# the ringing of the interpolation behind it.
EBUR128 = "apad=pad_dur=0.1,ebur128=peak=true:metadata=1:framelog=quiet"

_ABSOLUTE_GATE_LKFS = -70.0  # BS.1770-4: what is quieter is not counted
_RANGE_NEEDS_S = 3.0  # EBU Tech 3342: its window is 3 s long
_SILENCE_DBTP = -120.0


def read_loudness(track: int, metadata: str, duration_s: float) -> Loudness:
    """`metadata` is what `ametadata=print` wrote, at least of the last two blocks. The last one has
    the silence that was added: it tells the true peak of all, and no part of the loudness.
    """
    integrated = _last(metadata, "I", but=1)
    gated = integrated is not None and integrated > _ABSOLUTE_GATE_LKFS
    spread = _last(metadata, "LRA", but=1)
    peak = _last(metadata, "true_peak")
    return Loudness(
        track=track,
        integrated_lkfs=integrated if gated else None,
        range_lu=spread if gated and duration_s >= _RANGE_NEEDS_S else None,
        true_peak_dbtp=_decibels(peak),
    )


def _last(metadata: str, key: str, but: int = 0) -> float | None:
    """The last value, or the one that has so many behind it."""
    found = re.findall(rf"lavfi\.r128\.{key}=(-?[\d.]+)$", metadata, re.MULTILINE)
    return float(found[-1 - but]) if len(found) > but else None


def _decibels(linear: float | None) -> float | None:
    if not linear:
        return None
    level = round(20 * math.log10(linear), 2)
    return level if level > _SILENCE_DBTP else None
