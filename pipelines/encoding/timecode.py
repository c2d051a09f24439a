"""SMPTE ST 12 timecode as a picture carries it: counting, and a font that needs no installation."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipelines.planning.plan_types import Plan, Rung
from pipelines.words import Words, joined

# Some write the mark of drop-frame throughout, hours with one digit, and frames with as many as
# the rate has.
_SHAPE = re.compile(r"(\d\d?)[:;]([0-5]\d)[:;]([0-5]\d)([:;.])(\d{1,3})")
_TOLD = 40  # characters of what is not understood: a tag may be anybody's text


@dataclass(frozen=True, slots=True)
class Timecode:
    """A start and the whole rate that it counts; drop-frame numbering with `drop`."""

    frame: int
    rate: int
    drop: bool

    def later(self, frames: int) -> Timecode:
        return Timecode(self.frame + frames, self.rate, self.drop)

    def __str__(self) -> str:
        number = _with_dropped(self.frame, self.rate) if self.drop else self.frame
        seconds, frame = divmod(number, self.rate)
        minutes, second = divmod(seconds, 60)
        hour, minute = divmod(minutes, 60)
        mark = ";" if self.drop else ":"
        digits = max(2, len(str(self.rate - 1)))
        return f"{hour % 24:02}:{minute:02}:{second:02}{mark}{frame:0{digits}}"


def timecode_at(start: str | None, source_rate: Fraction, rate: Fraction) -> Timecode | None:
    """The source's start timecode (zero where it has none) counted at a rung's rate.

    `None` for a rate that timecode does not count, as 25/2, and a start that is not understood.
    """
    whole = round(rate)
    if abs(whole - rate) > rate / 500:  # 30000/1001 counts 30
        return None
    if start is None:
        return Timecode(0, whole, drop=False)
    if (found := _understood(start, source_rate)) is None:
        return None
    hour, minute, second, frame = (int(found[group]) for group in (1, 2, 3, 5))
    drop = found[4] != ":" and whole % 30 == 0 and rate.denominator == 1001
    scaled = min(int(frame * rate / source_rate), whole - 1)
    number = ((hour * 60 + minute) * 60 + second) * whole + scaled
    return Timecode(_without_dropped(number, whole) if drop else number, whole, drop)


def picture_timecode(start: str | None, rate: Fraction | None, frame: int) -> str | None:
    """What a picture of the source carries; nothing where the source says nothing, or has no one
    rate to count by (`None`).
    """
    first = timecode_at(start, rate, rate) if start and rate else None
    return str(first.later(frame)) if first else None


def rung_timecode(plan: Plan, rung: Rung) -> str | None:
    """What a rung's file says; nothing where the source says nothing that is understood.

    MXF always has a track of timecode, which then begins at zero; a transport stream has no place.
    """
    video = rung.video
    if video is None or rung.container == "ts":
        return None
    source_rate = plan.frame_rate or video.frame_rate
    said = plan.source_timecode if _understood(plan.source_timecode, source_rate) else None
    if said is None and rung.container != "mxf":
        return None
    start = timecode_at(said, source_rate, video.frame_rate)
    return str(start) if start else None


def counted(timecode: str | None) -> str | None:
    """Without the zeros that numbers begin with: of MP4 ffmpeg reads as many digits of a frame as
    the rate has.
    """
    return timecode and re.sub(r"0*(\d+)", r"\1", timecode)


def timecode_decisions(plan: Plan) -> list[Words]:
    """Where the source's timecode goes, in words."""
    if plan.source_timecode is None:
        return []
    pictures = [rung for rung in plan.rungs if rung.video is not None]
    if not _understood(plan.source_timecode, plan.frame_rate):
        return [_not_understood(plan.source_timecode, pictures)]
    kept: dict[str, list[str]] = {}
    lost = []
    for rung in pictures:
        if (start := rung_timecode(plan, rung)) is None:
            lost.append(rung.profile)
        else:
            kept.setdefault(start, []).append(rung.profile)
    told = [
        Words(f"{start} in {', '.join(names)}", f"{'、'.join(names)} 为 {start}")
        for start, names in kept.items()
    ]
    if lost:
        told.append(Words(f"left out of {', '.join(lost)}", f"{'、'.join(lost)} 不带时码"))
    all_told = joined(told, "; ", "；")
    said = plan.source_timecode
    return [Words(f"timecode {said}: {all_told}", f"时码 {said}：{all_told.zh}")] if told else []


def _understood(timecode: str | None, rate: Fraction | None) -> re.Match[str] | None:
    """Of that form, and no more frames than there are in a second: thousandths are none."""
    found = _SHAPE.fullmatch(timecode or "")
    return found if found and (rate is None or int(found[5]) < round(rate)) else None


def _not_understood(timecode: str, pictures: Sequence[Rung]) -> Words:
    shown = "".join(character for character in timecode if character.isprintable())[:_TOLD]
    told = Words(
        f"timecode {shown} is not of the form HH:MM:SS:FF and is left out",
        f"时码 {shown} 不是 HH:MM:SS:FF 的形式，不写入",
    )
    burnt = [rung.profile for rung in pictures if rung.video and rung.video.burnt_in_timecode]
    if not burnt:
        return told
    instead = Words(
        f"the time since the first picture is burnt into {', '.join(burnt)}",
        f"{'、'.join(burnt)} 叠加自首幅画面起的时间",
    )
    return joined((told, instead), "; ", "；")


def _without_dropped(number: int, rate: int) -> int:
    """ST 12-1: the first two of every 30 numbers are left out each minute but every tenth."""
    minutes = number // (60 * rate)
    return number - rate // 15 * (minutes - minutes // 10)


def _with_dropped(frame: int, rate: int) -> int:
    dropped = rate // 15
    a_minute, ten_minutes = 60 * rate - dropped, 600 * rate - 9 * dropped
    tens, rest = divmod(frame, ten_minutes)
    minutes = max(0, (rest - dropped) // a_minute)
    return frame + dropped * (9 * tens + minutes)
