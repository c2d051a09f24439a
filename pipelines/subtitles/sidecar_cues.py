"""The cues of subtitle files beside a master: SubRip, WebVTT and ASS. Pure.

Times are read as people write them, where nobody could read them otherwise; a line that says times
in no such way is refused by its number, as its cue would be lost and it shown as words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
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

# Hours may be left out, as WebVTT allows, or else thousandths; the mark before these may be any.
_STAMP = (
    r"(?=\d{1,9}:\d{1,3}(?::\d|[,.]\d))"
    r"(?:(\d{1,9}):)?(\d{1,3}):(\d{1,2})(?:[,.](\d{1,9})|:(\d{3}))?"
)
_TIMES = re.compile(rf"[^\S\n]*{_STAMP}[^\S\n]*--?>[^\S\n]*{_STAMP}(?![\d:.,])")
_LIKE_TIMES = re.compile(
    r"[^\S\n]*(?:\d+:[\d:.,;]{1,40}[^\S\n]{0,40}-->|\d+:\d+:[\d:.,;]{1,40}[^\S\n]{0,40}->|-->[^\S\n]*\d+:)"
)
_COUNTER = re.compile(r"\s*\d+\s*")
_MAP = re.compile(r"X-TIMESTAMP-MAP\s*=(.*)")
_ZERO_MAP, _LATER = re.compile(r"MPEGTS:0+\b"), re.compile(r"LOCAL:[0:.]*[1-9]")
_ASS_TIME = re.compile(r"\s*(\d{1,9}):(\d{1,4}):(\d{1,4})(?:[.:,](\d{1,9}))?\s*")
_ASS_FIELDS = ("layer", "start", "end", *("style", "name", "l", "r", "v", "effect", "text"))


def is_times(line: str) -> bool:
    """Whether a line is the head of a cue of SubRip or WebVTT."""
    return _TIMES.match(line) is not None


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
    return [
        Cue(start_s, end_s, lines(of_subrip("\n".join(said))))
        for start_s, end_s, said in _timed(text.split("\n"), name)
    ]


def _without_counter(said: Sequence[str]) -> Sequence[str]:
    """The number of the next cue stands right before its times."""
    return said[:-1] if said and _COUNTER.fullmatch(said[-1]) else said


def _webvtt(text: str, name: str) -> list[Cue]:
    """W3C WebVTT, 4: a blank line ends a cue; notes, styles and regions are none."""
    blocks = re.split(r"\n[^\S\n]*\n", text)
    found = _MAP.search(text)
    if found and (not _ZERO_MAP.search(found[1]) or _LATER.search(found[1])):
        raise UnsupportedMedia(
            f"{name} counts its times from a stream's clock (X-TIMESTAMP-MAP): export it with "
            "times from the first picture, and without that line"
        )
    cues = []
    for block in blocks:
        said = block.strip("\n").split("\n")
        if said[0].startswith(("NOTE", "STYLE", "REGION")) and not any(map(is_times, said[:2])):
            continue
        for start_s, end_s, body in _timed(said, name):
            cues.append(Cue(start_s, end_s, lines(of_webvtt("\n".join(body)))))
    return cues


def _timed(text: Sequence[str], name: str) -> Iterator[tuple[Fraction, Fraction, list[str]]]:
    """Each cue with the lines up to the next one's times."""
    heads = [(at, found) for at, line in enumerate(text) if (found := _TIMES.match(line))]
    known = {at for at, _ in heads}
    for at, line in enumerate(text):
        if at not in known and _LIKE_TIMES.match(line):
            raise UnsupportedMedia(
                f"{name} says times that cannot be read, {line.strip()[:60]!r}: write them as "
                "00:00:01,000 --> 00:00:02,000"
            )
    ends = [*(at for at, _ in heads), len(text)]
    for (at, found), (_, end) in zip(heads, pairwise(ends), strict=True):
        stamps = found.groups()
        said = list(text[at + 1 : end])
        yield (
            _seconds(stamps[:5]),
            _seconds(stamps[5:]),
            said if end == len(text) else list(_without_counter(said)),
        )


def _seconds(stamp: Sequence[str | None]) -> Fraction:
    """A fraction of three digits or fewer counts thousandths, as players of SubRip have it."""
    hours, minutes, seconds, part, after_colon = stamp
    whole = (int(hours or 0) * 60 + int(minutes or 0)) * 60 + int(seconds or 0)
    digits = part or after_colon or "0"
    return whole + Fraction(int(digits), 10 ** max(3, len(digits)))


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
