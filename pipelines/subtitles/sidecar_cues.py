"""The cues of subtitle files beside a master: SubRip, WebVTT and ASS. Pure.

Times are read as people write them, where nobody could read them otherwise; a line that says times
in no such way is refused by its number, as its cue would be lost and it shown as words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from pipelines.errors import UnsupportedMedia
from pipelines.subtitles.cues import (
    MOST_CUE_BYTES,
    Cue,
    ended,
    is_too_long,
    lines,
    read_srt,
    without_drawings,
)
from pipelines.subtitles.markup import of_ass, of_subrip, of_webvtt, styles_of_ass

# Letters of full width as usual ones, dashes and arrows as what stands for them; marks that show
# nothing are left out.
_USUAL: Mapping[int, str | None] = {
    **{ord("！") + at: chr(ord("!") + at) for at in range(94)},
    **{ord(dash): "-" for dash in "‐‑‒–—―−"},
    **{ord(arrow): "->" for arrow in "→⟶"},
    **dict.fromkeys(map(ord, "\u200b\u200e\u200f\u202a\u202b\u202c\u2060\ufeff")),
}
_MOST_LOOKED_AT = 200  # [P] letters of a line that may say times
_MARK = re.compile(r"(?<=\d)\s*([:,.])\s*(?=\d)")
# Hours may be left out, as WebVTT allows, or else thousandths; the mark before these may be any.
_STAMP = (
    r"(?=-?\d{1,9}:\d{1,3}(?::\d|[,.]\d))"
    r"(-?)(?:(\d{1,9}):)?(\d{1,3}):(\d{1,2})(?:[,.](\d{1,9})|:(\d{3}))?"
)
_TIMES = re.compile(rf"{_STAMP}(?:\s*-){{1,2}}\s*>\s*{_STAMP}(?![\d:.,])")
_LIKE_STAMP, _WHOLE_STAMP = r"\d+:\d+[:.,;][\d:.,;]{1,40}", r"\d+:\d+:\d+[:.,;]\d+"
_LIKE_TIMES = re.compile(
    r"\W{0,4}(?:"
    r"\d+:[\d:.,;]{1,40}\s*-\s*-\s*>|\d+:\d+:[\d:.,;]{1,40}\s*->"
    rf"|-\s*-\s*>\s*\d+:|->\s*{_WHOLE_STAMP}"
    rf"|{_LIKE_STAMP}[-=~\s]*>\s*-?\d+:|{_WHOLE_STAMP}[^\w:.,;]{{1,10}}{_WHOLE_STAMP})"
)
_COUNTER = re.compile(r"\s*\d+\s*")
_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=(.*)")
_ZERO_MAP, _LATER = re.compile(r"MPEGTS:0+\b"), re.compile(r"LOCAL:[0:.]*[1-9]")
_ASS_TIME = re.compile(r"\s*(\d{1,9}):(\d{1,4}):(\d{1,4})(?:[.:,](\d{1,9}))?\s*")
_ASS_FIELDS = ("layer", "start", "end", *("style", "name", "l", "r", "v", "effect", "text"))


def is_times(line: str) -> bool:
    """Whether a line is the head of a cue of SubRip or WebVTT."""
    return _times(line) is not None


def _times(line: str) -> re.Match[str] | None:
    return _TIMES.match(_usual(line))


def _usual(line: str) -> str:
    """What it begins with, as `_TIMES` has it."""
    return _MARK.sub(r"\1", line.translate(_USUAL).strip()[:_MOST_LOOKED_AT])


def cues_of_file(codec: str, text: str, name: str) -> list[Cue]:
    """Of a kind that `sidecar` has found. Raises `UnsupportedMedia`, with the way out, for times
    that nobody can read, and where there are no words with times.
    """
    readers: Mapping[str, Callable[[str, str], list[Cue]]] = {
        "subrip": _subrip,
        "webvtt": _webvtt,
        "ass": _ass,
        "ttml": lambda text, _: read_srt(text),
    }
    cues = ended(readers[codec](text, name))
    if not any(cue.text for cue in cues):
        raise UnsupportedMedia(f"{name} has no words with times: export it again")
    if any(map(is_too_long, cues)):
        raise UnsupportedMedia(
            f"{name} has a cue of more than {MOST_CUE_BYTES} bytes of letters: divide it"
        )
    return cues


def _subrip(text: str, name: str) -> list[Cue]:
    """A blank line inside a cue ends nothing."""
    said = text.split("\n")
    heads = _heads(said, name)
    _refuse_unlike_fractions(heads.values(), name)
    return [
        Cue(start_s, end_s, lines(of_subrip("\n".join(body))))
        for start_s, end_s, body in _timed(said, heads)
    ]


def _webvtt(text: str, name: str) -> list[Cue]:
    """W3C WebVTT, 4: a blank line ends a cue; notes, styles and regions are none."""
    blocks = re.split(r"\n[^\S\n]*\n", text)
    found = _MAP.search(text)
    if found and (not _ZERO_MAP.search(found[1]) or _LATER.search(found[1])):
        raise UnsupportedMedia(
            f"{name} counts its times from a stream's clock (X-TIMESTAMP-MAP): export it with "
            "times from the first picture, and without that line"
        )
    kept = []
    for block in blocks:
        said = block.strip("\n").split("\n")
        if said[0].startswith(("NOTE", "STYLE", "REGION")) and not any(map(is_times, said[:2])):
            continue
        kept.append((said, _heads(said, name)))
    _refuse_unlike_fractions((times for _, heads in kept for times in heads.values()), name)
    return [
        Cue(start_s, end_s, lines(of_webvtt("\n".join(body))))
        for said, heads in kept
        for start_s, end_s, body in _timed(said, heads)
    ]


def _heads(text: Sequence[str], name: str) -> dict[int, re.Match[str]]:
    """The times of the cues, by their lines."""
    found = {}
    for at, line in enumerate(text):
        if times := _times(line):
            found[at] = times
        elif _LIKE_TIMES.match(_usual(line)):
            raise UnsupportedMedia(
                f"{name} says times that cannot be read, {line.strip()[:60]!r}: write them as "
                "00:00:01,000 --> 00:00:02,000"
            )
    return found


def _refuse_unlike_fractions(heads: Iterable[re.Match[str]], name: str) -> None:
    """One or two digits may be a fraction, or thousandths without their zeros. Where all fractions
    have as many of them, they are the former.
    """
    found = {len(part): times for times in heads for part in times.group(5, 11) if part}
    fewest = min(found, default=3)
    if fewest < 3 and len(found) > 1:
        raise UnsupportedMedia(
            f"{name} has fractions of {fewest} and of {max(found)} digits, {found[fewest][0]!r}: "
            "write all with three, as 00:00:01,500"
        )


def _timed(
    text: Sequence[str], heads: Mapping[int, re.Match[str]]
) -> Iterator[tuple[Fraction, Fraction, Sequence[str]]]:
    """Each cue with the lines up to the next one's times."""
    counted = any(map(_is_counter, text[: next(iter(heads), 0)]))
    ends = [*heads, len(text)]
    for (at, found), (_, end) in zip(heads.items(), pairwise(ends), strict=True):
        stamps, said = found.groups(), text[at + 1 : end]
        yield (
            _seconds(stamps[:6]),
            _seconds(stamps[6:]),
            _without_counter(said, last=end == len(text), counted=counted),
        )


def _is_counter(line: str) -> bool:
    return _COUNTER.fullmatch(_usual(line)) is not None


def _without_counter(said: Sequence[str], *, last: bool, counted: bool) -> Sequence[str]:
    """The number of the next cue stands right before its times. Where cues are `counted` it is also
    what stands between blank lines, even if no cue follows.
    """
    end = len(said)
    while end and not said[end - 1].strip():
        end -= 1
    if not end or not _is_counter(said[end - 1]):
        return said
    before = said[: end - 1]
    right_before = end == len(said) and not last
    apart = counted and end > 1 and not before[-1].strip()
    # At the end it may be the only words of a file with a blank line after each line.
    return before if right_before or (apart and (not last or any(map(str.strip, before)))) else said


def _seconds(stamp: Sequence[str | None]) -> Fraction:
    sign, hours, minutes, seconds, part, after_colon = stamp
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    digits = part or after_colon or "0"
    at_s = whole + Fraction(int(digits), 10 ** len(digits))
    return -at_s if sign else at_s


def _ass(text: str, name: str) -> list[Cue]:
    cues, styles = list[Cue](), styles_of_ass(text)
    fields: tuple[str, ...] = _ASS_FIELDS
    for line in text.split("\n"):
        kind, _, said = line.partition(":")
        if kind == "Format":
            told = tuple(one.strip().lower() for one in said.split(","))
            fields = told if {"start", "end", "text"} <= set(told) else fields
        elif kind == "Dialogue":
            parts = dict(zip(fields, said.split(",", len(fields) - 1), strict=False))
            start_s, end_s = (_ass_time(parts.get(one, ""), name) for one in ("start", "end"))
            words = without_drawings(parts.get("text", ""))
            shown = of_ass(words, styles, parts.get("style", ""))
            cues.append(Cue(start_s, end_s, lines(shown)))
    return cues


def _ass_time(said: str, name: str) -> Fraction:
    found = _ASS_TIME.fullmatch(said)
    if found is None:
        raise UnsupportedMedia(
            f"{name} says the time {said[:40]!r}: write it as 0:00:01.00, or export it again"
        )
    whole = (int(found[1]) * 60 + int(found[2])) * 60 + int(found[3])
    part = found[4] or "0"
    return whole + Fraction(int(part), 10 ** len(part))
