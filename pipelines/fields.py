"""Interlaced or not: what the stream claims against what ffmpeg's `idet` sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from pipelines.media import FieldOrder
from pipelines.pulldown import RATES as PULLDOWN_RATES

# Above the lines of BT.709's 1080i there is no interlaced format.
MAX_INTERLACED_HEIGHT = 1152
# A strip of full height, because the fields are its lines, in a quarter of the frames: enough to
# know, at a tenth of the cost. All of them at the rates of pulldown, whose cadence may break.
_SOME = r"select='lt(mod(n\,200)\,50)',"
_STRIP = "crop=w='min(iw,320)':h=ih,idet"

_ENOUGH_SHARE = 0.3  # of the frames must show a difference between their fields
_CLEAR_SHARE = 0.8  # of those must agree before anything is said
_ONE_ORDER_SHARE = 0.9  # of interlaced ones begin with one field; patterns deceive both ways alike
_PURE_SHARE = 0.98  # progressive, before what is flagged as interlaced is left as it is
_INTERLACED_HEIGHTS = frozenset({480, 486, 512, 576, 608, 1080, 1088})


def idet(frame_rate: Fraction) -> str:
    """The filters whose metadata tell what the fields are."""
    return _STRIP if frame_rate in PULLDOWN_RATES else f"{_SOME}{_STRIP}"


@dataclass(frozen=True, slots=True)
class Fields:
    """`finding` says when the pictures contradict the stream, `seen` what they are where they do
    so beyond doubt.
    """

    order: FieldOrder
    finding: str | None = None
    seen: FieldOrder | None = None


def judge_fields(claimed: FieldOrder | None, height: int, idet_log: str) -> Fields:
    """`idet_log` is the metadata that `idet` printed, at least of the last frame.

    A stream's own claim stands for what is preserved, and a contradiction is told: fine patterns
    deceive `idet`, and a still tape looks progressive. Where the stream says nothing, the pictures
    decide.
    """
    seen = _seen_order(idet_log, _CLEAR_SHARE)
    if claimed is None:
        possible = seen is not None and height in _INTERLACED_HEIGHTS
        return Fields(seen if seen and possible else "progressive")
    if claimed == "progressive" and seen in ("tt", "bb") and height in _INTERLACED_HEIGHTS:
        return Fields(claimed, "flagged as progressive, but its pictures look interlaced", seen)
    if claimed != "progressive" and seen == "progressive":
        pure = _seen_order(idet_log, _PURE_SHARE)
        finding = "flagged as interlaced, but its pictures look progressive (PsF)"
        return Fields(claimed, finding, pure)
    return Fields(claimed)


def _seen_order(log: str, progressive_share: float) -> FieldOrder | None:
    top, bottom, progressive, unsure = (
        _last_count(log, kind) for kind in ("tff", "bff", "progressive", "undetermined")
    )
    decided = top + bottom + progressive
    if decided == 0 or decided < _ENOUGH_SHARE * (decided + unsure):
        return None
    if progressive >= progressive_share * decided:
        return "progressive"
    woven = top + bottom
    if woven >= _CLEAR_SHARE * decided and max(top, bottom) >= _ONE_ORDER_SHARE * woven:
        return "tt" if top >= bottom else "bb"
    return None


def _last_count(log: str, kind: str) -> float:
    found = re.findall(rf"lavfi\.idet\.multiple\.{kind}=([\d.]+)", log)
    return float(found[-1]) if found else 0.0
