"""Interlaced or not: what the stream claims against what ffmpeg's `idet` sees."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from pipelines.inspection.pulldown import RATES as PULLDOWN_RATES
from pipelines.media import FieldOrder
from pipelines.words import Words, joined

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
_PART_SHARE, _SOME_FRAMES = 0.1, 12  # of each kind, before both are believed
_INTERLACED_HEIGHTS = frozenset({480, 486, 512, 576, 608, 1080, 1088})

_LOOK_INTERLACED = Words(
    "flagged as progressive, but its pictures look interlaced", "标记为逐行，但画面看来是隔行"
)
_SOME_LOOK_INTERLACED = Words(
    "flagged as progressive, but some of its pictures look interlaced",
    "标记为逐行，但部分画面看来是隔行",
)
_LOOK_PROGRESSIVE = Words(
    "flagged as interlaced, but its pictures look progressive (PsF)",
    "标记为隔行，但画面看来是逐行（PsF）",
)
_BOTH_KINDS = Words(
    "some of its pictures are interlaced, others progressive", "部分画面为隔行，其余为逐行"
)
_OTHER_ORDER = Words("its fields come in the other order than it is flagged", "场序与标记的相反")


def idet(frame_rate: Fraction) -> str:
    """The filters whose metadata tell what the fields are."""
    return _STRIP if frame_rate in PULLDOWN_RATES else f"{_SOME}{_STRIP}"


@dataclass(frozen=True, slots=True)
class Fields:
    """`finding` says when the pictures contradict the stream, `seen` what they are where they do
    so beyond doubt. `mixed`: some of them are woven and some are not.
    """

    order: FieldOrder
    finding: Words | None = None
    seen: FieldOrder | None = None
    mixed: bool = False


def looks_otherwise_woven(claimed: FieldOrder | None, height: int, idet_log: str) -> bool:
    """Whether the pictures look woven as the stream does not say: to be looked at once more."""
    counts = _Counts.of(idet_log)
    if claimed in ("tt", "bb"):
        seen = counts.mixed() or counts.order()
    else:
        seen = counts.order() if height in _INTERLACED_HEIGHTS else None
    return seen not in (None, "progressive", claimed)


def judge_fields(
    claimed: FieldOrder | None, height: int, idet_log: str, *, moves_whole: bool = False
) -> Fields:
    """`idet_log` is the metadata that `idet` printed, at least of the last frame; `moves_whole`
    says that what it took for woven is not (see `field_motion`).

    A stream's own claim stands for what is preserved, and a contradiction is told: fine patterns
    deceive `idet`, and a still tape looks progressive. Where the stream says nothing, the pictures
    decide.
    """
    counts = _Counts.of(idet_log)
    if moves_whole:
        counts = _Counts(0, 0, counts.decided, counts.unsure)
    if claimed in ("tt", "bb"):
        return _judge_interlaced(claimed, height, counts)
    possible = height in _INTERLACED_HEIGHTS
    seen = counts.order() if possible else None
    mixed = counts.mixed() if possible else None
    if claimed is None:
        return Fields(mixed or seen or "progressive", mixed=mixed is not None)
    if seen in ("tt", "bb"):
        return Fields(claimed, _LOOK_INTERLACED, seen)
    return Fields(claimed, _SOME_LOOK_INTERLACED if mixed else None, mixed=mixed is not None)


def _judge_interlaced(claimed: FieldOrder, height: int, counts: _Counts) -> Fields:
    seen = counts.order()
    if height > MAX_INTERLACED_HEIGHT:
        finding = Words(
            f"flagged as interlaced, which no format of {height} lines is",
            f"标记为隔行，而 {height} 行的格式都不是隔行",
        )
        return Fields(claimed, finding, "progressive")
    if woven := counts.mixed():
        if woven == claimed:
            return Fields(claimed, _BOTH_KINDS, mixed=True)
        told = joined([_BOTH_KINDS, _OTHER_ORDER], ", and ", "，")
        return Fields(claimed, told, woven, mixed=True)
    if seen == "progressive":
        pure = counts.progressive >= _PURE_SHARE * counts.decided
        return Fields(claimed, _LOOK_PROGRESSIVE, "progressive" if pure else None)
    if seen not in (None, claimed):
        return Fields(claimed, _OTHER_ORDER, seen)
    return Fields(claimed)


@dataclass(frozen=True, slots=True)
class _Counts:
    """Frames that `idet` took for each."""

    top: float
    bottom: float
    progressive: float
    unsure: float

    @classmethod
    def of(cls, log: str) -> _Counts:
        kinds = ("tff", "bff", "progressive", "undetermined")
        return cls(*(_last_count(log, kind) for kind in kinds))

    @property
    def woven(self) -> float:
        return self.top + self.bottom

    @property
    def decided(self) -> float:
        return self.woven + self.progressive

    def order(self) -> FieldOrder | None:
        """What nearly all frames are that show it, where enough do."""
        if not self._enough():
            return None
        if self.progressive >= _CLEAR_SHARE * self.decided:
            return "progressive"
        return self._first() if self.woven >= _CLEAR_SHARE * self.decided else None

    def mixed(self) -> FieldOrder | None:
        """The order of the woven ones, where there are both kinds."""
        least = max(_SOME_FRAMES, _PART_SHARE * self.decided)
        return (
            self._first() if self._enough() and min(self.woven, self.progressive) >= least else None
        )

    def _enough(self) -> bool:
        every = self.decided + self.unsure
        return self.decided > 0 and self.decided >= _ENOUGH_SHARE * every

    def _first(self) -> FieldOrder | None:
        if max(self.top, self.bottom) < _ONE_ORDER_SHARE * self.woven:
            return None
        return "tt" if self.top >= self.bottom else "bb"


def _last_count(log: str, kind: str) -> float:
    found = re.findall(rf"lavfi\.idet\.multiple\.{kind}=([\d.]+)", log)
    return float(found[-1]) if found else 0.0
