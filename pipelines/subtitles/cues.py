"""Subtitles as cues: read from SubRip, put in their place, written as SubRip and WebVTT. Pure.

Times are exact, counted from the first picture. Text is as `subtitles.markup` has it: lines with a
few tags.
"""

from __future__ import annotations

import html
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise

from pipelines.errors import LimitExceeded

OPEN_S = Fraction(1 << 30)  # the end of what nothing takes off the screen
_SEAM_S = Fraction(1, 500)  # [P] documents count in thousandths, and their track in what it likes
MOST_AT_ONCE = 8  # [P] no screen has room for more; without a limit 10,000 could cost their square
# With its tags. So many at once fit the 16 bits of a text sample's length (3GPP TS 26.245, 5.17).
MOST_CUE_BYTES = 60_000 // MOST_AT_ONCE
_STAMP = r"(-?)(\d+):(\d\d):(\d\d),(\d{3})"
_HEAD = re.compile(rf"^\d+\n{_STAMP} --> {_STAMP}.*\n", re.MULTILINE)
_BLOCK = re.compile(r"\{[^{}]*\}")
_DRAWS = re.compile(r"\\p[1-9]")
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_FONT = re.compile(r"</?font\b[^<>]*>", re.IGNORECASE)
_KEPT_TAG = re.compile(r"&lt;(/?[biu])&gt;", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Cue:
    start_s: Fraction
    end_s: Fraction
    text: str


def read_srt(text: str) -> list[Cue]:
    """The cues of a SubRip file as ffmpeg writes it; a blank line inside a cue ends nothing."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    heads = list(_HEAD.finditer(text))
    ends = [*(head.start() for head in heads), len(text)][1:]
    return [
        Cue(
            _seconds(*head.groups()[:5]),
            _seconds(*head.groups()[5:]),
            lines(text[head.end() : end]),
        )
        for head, end in zip(heads, ends, strict=True)
    ]


def _seconds(sign: str, *parts: str) -> Fraction:
    hours, minutes, seconds, ms = map(int, parts)
    at = Fraction(((hours * 60 + minutes) * 60 + seconds) * 1000 + ms, 1000)
    return -at if sign else at


def ended(cues: Iterable[Cue]) -> list[Cue]:
    """In the order in which they begin; one without a length lasts until another one begins."""
    ordered = sorted(cues, key=lambda cue: cue.start_s)
    following = dict(pairwise(sorted({cue.start_s for cue in ordered})))
    return [
        cue if cue.end_s > cue.start_s else replace(cue, end_s=following.get(cue.start_s, OPEN_S))
        for cue in ordered
    ]


def joined(cues: Iterable[Cue]) -> list[Cue]:
    """What goes on in the next sample, or over a cut, is one cue."""
    made: list[Cue] = []
    places: dict[str, int] = {}
    for cue in sorted(cues, key=lambda one: one.start_s):
        at = places.get(cue.text)
        if at is not None and cue.start_s <= made[at].end_s + _SEAM_S:
            made[at] = replace(made[at], end_s=max(made[at].end_s, cue.end_s))
        else:
            places[cue.text] = len(made)
            made.append(cue)
    return made


def lines(text: str) -> str:
    return "\n".join(line.strip() for line in text.split("\n") if line.strip())


def is_too_long(cue: Cue) -> bool:
    """Whether no screen and no sample of MP4 would take it."""
    return len(cue.text.encode()) > MOST_CUE_BYTES


def in_place(cues: Sequence[Cue], zero_s: Fraction, length_s: Fraction) -> list[Cue]:
    """As `within` has them. Raises `LimitExceeded` for a cue that no player would take."""
    kept = within(cues, zero_s, length_s)
    for cue in kept:
        if is_too_long(cue):
            raise LimitExceeded(
                f"a subtitle at {float(cue.start_s):.3f} s has {len(cue.text)} letters: "
                "repair the subtitle track, or leave it out"
            )
    return kept


def within(cues: Sequence[Cue], zero_s: Fraction, length_s: Fraction) -> list[Cue]:
    """In order, counted from the first picture, none outside the pictures."""
    moved = (
        Cue(max(c.start_s - zero_s, Fraction(0)), min(c.end_s - zero_s, length_s), c.text)
        for c in cues
    )
    kept = (cue for cue in moved if cue.end_s > cue.start_s and cue.text)
    return sorted(kept, key=lambda cue: cue.start_s)


def one_at_a_time(cues: Sequence[Cue]) -> list[Cue]:
    """What is shown together becomes one cue: a text track in MP4 holds one at any moment.

    Of more than `MOST_AT_ONCE` the first are shown. Cues have to be in order.
    """
    begins, ends = defaultdict[Fraction, list[int]](list), defaultdict[Fraction, list[int]](list)
    for number, cue in enumerate(cues):
        begins[cue.start_s].append(number)
        ends[cue.end_s].append(number)
    shown: list[Cue] = []
    active: dict[int, str] = {}
    for start_s, end_s in pairwise(sorted({*begins, *ends})):
        for number in ends[start_s]:
            del active[number]
        active |= {number: cues[number].text for number in begins[start_s]}
        if active:
            text = "\n".join(islice(active.values(), MOST_AT_ONCE))
            shown.append(Cue(start_s, end_s, text))
    return shown


def without_drawings(text: str) -> str:
    """The words of a line of ASS without its vector drawings, whose coordinates are none: each goes
    from the block that begins it to the one that ends it, or to the end.
    """
    kept, after, drawn = [], 0, False
    for block in _BLOCK.finditer(text):
        if not drawn and _DRAWS.search(block[0]):
            kept.append(text[after : block.start()])
            drawn = True
        elif drawn and r"\p0" in block[0]:
            after, drawn = block.end(), False
    return "".join(kept) if drawn else "".join([*kept, text[after:]])


def srt(cues: Sequence[Cue]) -> str:
    return "\n".join(
        f"{number}\n{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, 1)
    )


def webvtt(cues: Sequence[Cue]) -> str:
    """W3C WebVTT: bold, italic and underlined stay, all else that looks like a tag is text."""
    parts = (
        f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}\n{_cue_text(cue.text)}\n"
        for cue in cues
    )
    return "\n".join(["WEBVTT\n", *parts])


def _cue_text(text: str) -> str:
    bare = _OVERRIDE.sub("", _FONT.sub("", text))
    return _KEPT_TAG.sub(r"<\1>", html.escape(bare, quote=False))


def clock(at_s: Fraction) -> str:
    """For people to read."""
    return ("-" if at_s < 0 else "") + _stamp(abs(at_s), ".")


def _stamp(at_s: Fraction, mark: str) -> str:
    seconds, ms = divmod(round(at_s * 1000), 1000)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}{mark}{ms:03}"
