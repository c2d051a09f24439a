"""TTML as cues: W3C TTML 1 and 2, IMSC's text profile, EBU-TT-D. Pure.

Read are the words, their lines, italics and times; regions, colours and fonts are left out, and so
is the reading aid of ruby. Times are counted from the first picture.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.subtitles import markup
from pipelines.subtitles.cues import Cue

_OPEN_S = Fraction(1000 * 3600)  # the end of what has none
_MOST_CHARACTERS = 8 << 20  # [P] ten hours of film have a tenth of it
_MOST_LOOKS = 4_000_000  # [P] at the words of one paragraph: a cue has a handful, at a few moments
_DEEPEST = 32  # [P] body, div, p and span: five, as people write them
_TIMED = frozenset({"body", "div", "p", "span", "br"})
_OF_LETTERS = ("fontStyle", "visibility", "display")
_CLOCK = (
    re.compile(  # TTML2, 12.3.1; no exporter says a number of more digits, and Python reads 4300
        r"(\d{2,40}):(\d\d):(\d\d)(?:(\.\d{1,40})|:(\d{2,40})(?:\.(\d{1,40}))?)?"
    )
)
_OFFSET = re.compile(r"(\d{1,40}(?:\.\d{1,40})?)(h|m|s|ms|f|t)")
_UNIT_S = {"h": Fraction(3600), "m": Fraction(60), "s": Fraction(1), "ms": Fraction(1, 1000)}
_XML_SPACE = "{http://www.w3.org/XML/1998/namespace}space"
_XML_ID = "{http://www.w3.org/XML/1998/namespace}id"


def is_ttml(text: str) -> bool:
    """Whether the root is `tt`, whatever comes before it."""
    head = re.search(r"<(?:[\w.-]+:)?([A-Za-z]\w*)", text[:4096])
    return head is not None and head[1] == "tt"


def read_ttml(text: str, name: str) -> list[Cue]:
    """The cues of a file in the order in which they begin.

    Raises `UnsupportedMedia` for what is no TTML or has no words, `LimitExceeded` for too much.
    """
    cues = read_document(text, name)
    if not cues:
        raise UnsupportedMedia(f"{name} has no words with times")
    return cues


def read_document(text: str, name: str) -> list[Cue]:
    """The same of a document that may have none, as a sample of MP4 at which nobody speaks.

    Raises as `read_ttml` does, and for pictures of letters without any words.
    """
    if len(text) > _MOST_CHARACTERS:
        raise LimitExceeded(f"{name} has more than 8 MiB of TTML: cut it into parts")
    if "<!DOCTYPE" in text:  # entities could be anybody's files, or a billion laughs
        raise UnsupportedMedia(f"{name} has a document type declaration: take it out")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a DTD there are no entities
    except ET.ParseError as error:
        raise UnsupportedMedia(
            f"{name} is no well-formed XML ({error}): export it again"
        ) from error
    reader = _Reader(_clock(root, name), _Styles(root), name)
    body = next((one for one in root if _local(one.tag) == "body"), None)
    if body is not None:
        reader.walk(body, _START, depth=0)
    if not reader.cues and any(map(_is_picture, root.iter())):
        raise UnsupportedMedia(f"{name} has pictures of letters, which cannot be read here")
    return sorted(reader.cues, key=lambda cue: cue.start_s)


@dataclass(frozen=True, slots=True)
class _Clock:
    """How long a frame and a tick last; with `smpte` seconds are counted in frames too."""

    frame_s: Fraction
    tick_s: Fraction
    nominal: int
    sub_frames: int
    smpte: bool

    def seconds(self, expression: str, name: str) -> Fraction:
        if found := _CLOCK.fullmatch(expression):
            hours, minutes, seconds = (int(found[group]) for group in (1, 2, 3))
            whole = Fraction((hours * 60 + minutes) * 60 + seconds)
            if self.smpte:
                whole *= self.nominal * self.frame_s
            frames = int(found[5] or 0) + Fraction(int(found[6] or 0), self.sub_frames)
            return whole + Fraction(found[4] or 0) + frames * self.frame_s
        if found := _OFFSET.fullmatch(expression):
            unit_s = {**_UNIT_S, "f": self.frame_s, "t": self.tick_s}[found[2]]
            return Fraction(found[1]) * unit_s
        raise UnsupportedMedia(f"{name} says the time {expression[:40]!r}: export it again")


@dataclass(frozen=True, slots=True)
class _Within:
    """What an element has from those around it."""

    start_s: Fraction
    end_s: Fraction
    italic: bool = False
    hidden: bool = False  # what is inside may be visible again
    gone: bool = False
    kept_space: bool = False


_START = _Within(Fraction(0), _OPEN_S)


class _Styles:
    """What elements and the styles that they name say of letters, one style by way of another."""

    def __init__(self, root: ET.Element) -> None:
        styles = (one for one in root.iter() if _local(one.tag) == "style")
        self._given = {one.get(_XML_ID, ""): one for one in styles}
        self._known: dict[str, Mapping[str, str]] = {}

    def of(self, element: ET.Element, depth: int = 0) -> dict[str, str]:
        said: dict[str, str] = {}
        for name in element.get("style", "").split():
            said |= self._named(name, depth)
        own = {word: _named(element, word, "") for word in _OF_LETTERS}
        return {**said, **{word: value for word, value in own.items() if value}}

    def _named(self, name: str, depth: int) -> Mapping[str, str]:
        if name not in self._known:
            self._known[name] = {}  # a style that comes back to itself has nothing more to say
            if name in self._given and depth < _DEEPEST:
                self._known[name] = self.of(self._given[name], depth + 1)
        return self._known[name]


@dataclass(frozen=True, slots=True)
class _Run:
    start_s: Fraction
    end_s: Fraction
    text: str


class _Reader:
    def __init__(self, clock: _Clock, styles: _Styles, name: str) -> None:
        self._clock, self._styles, self._name = clock, styles, name
        self.cues: list[Cue] = []

    def walk(self, element: ET.Element, around: _Within, depth: int) -> _Within:
        """Keep the cues of a body, a division or a paragraph, and say when it is active."""
        mine = self._active(element, around, depth)
        if _local(element.tag) == "p":
            self.cues += self._cut(list(self._runs(element, mine, depth)))
            return mine
        base = mine
        for child in element:
            if _local(child.tag) in _TIMED:
                inside = self.walk(child, base, depth + 1)
                if element.get("timeContainer") == "seq":
                    base = replace(mine, start_s=inside.end_s)
        return mine

    def _runs(self, element: ET.Element, mine: _Within, depth: int) -> Iterator[_Run]:
        yield from _words(element.text, mine)
        for child in element:
            kind = _local(child.tag)
            if kind == "br":
                yield _Run(mine.start_s, mine.end_s, "\n")
            elif kind == "span" and "text" not in _named(child, "ruby", "").lower():
                yield from self._runs(child, self._active(child, mine, depth + 1), depth + 1)
            yield from _words(child.tail, mine)

    def _active(self, element: ET.Element, around: _Within, depth: int) -> _Within:
        """Times are counted from the beginning of what is around (TTML2, 12.2)."""
        if depth > _DEEPEST:
            raise LimitExceeded(f"{self._name} has elements in more than {_DEEPEST} others")
        said = {
            word: self._clock.seconds(element.get(word, "").strip(), self._name)
            for word in ("begin", "end", "dur")
            if element.get(word)
        }
        start_s = around.start_s + said.get("begin", 0)
        ends = [around.end_s]
        ends += [around.start_s + said["end"]] if "end" in said else []
        ends += [start_s + said["dur"]] if "dur" in said else []
        space, letters = element.get(_XML_SPACE), self._styles.of(element)
        style, seen = letters.get("fontStyle"), letters.get("visibility")
        return _Within(
            start_s,
            min(ends),
            italic=style in ("italic", "oblique") if style else around.italic,
            hidden=seen == "hidden" if seen else around.hidden,
            gone=around.gone or letters.get("display") == "none",
            kept_space=around.kept_space if space is None else space == "preserve",
        )

    def _cut(self, runs: list[_Run]) -> Iterator[Cue]:
        """A cue for each moment at which other words of a paragraph are there than before."""
        moments = sorted({moment for run in runs for moment in (run.start_s, run.end_s)})
        if len(moments) * len(runs) > _MOST_LOOKS:
            raise LimitExceeded(f"{self._name} has a paragraph of {len(runs)} parts: divide it")
        for start_s, end_s in pairwise(moments):
            active = (run for run in runs if run.start_s <= start_s and run.end_s >= end_s)
            lines = [line.strip() for line in "".join(run.text for run in active).split("\n")]
            if shown := "\n".join(line for line in lines if line):
                yield Cue(start_s, end_s, shown)


def _words(text: str | None, mine: _Within) -> Iterator[_Run]:
    if not text or mine.hidden or mine.gone or mine.end_s <= mine.start_s:
        return
    said = markup.words(text if mine.kept_space else re.sub(r"[ \t\r\n]+", " ", text))
    if mine.italic and (bare := said.strip()):
        said = said.replace(bare, f"<i>{bare}</i>")
    yield _Run(mine.start_s, mine.end_s, said)


def _clock(root: ET.Element, name: str) -> _Clock:
    """By the parameters of the document (TTML2, 6.2)."""
    base, drop = _named(root, "timeBase", "media"), _named(root, "dropMode", "nonDrop")
    if base == "clock" or (base == "smpte" and drop != "nonDrop"):
        kind = "clock" if base == "clock" else "drop-frame"
        raise UnsupportedMedia(f"{name} counts {kind} time: export it with media time")
    try:
        nominal, sub_frames = (
            int(_named(root, "frameRate", "30")),
            int(_named(root, "subFrameRate", "1")),
        )
        over, under = (int(one) for one in _named(root, "frameRateMultiplier", "1 1").split())
        frame_s = Fraction(under, nominal * over)
        ticks = _named(root, "tickRate", "")
        counted = nominal * sub_frames if _named(root, "frameRate", "") else 1
        tick_s = Fraction(1, int(ticks) if ticks else counted)
        return _Clock(frame_s, tick_s, nominal, sub_frames, smpte=base == "smpte")
    except (ValueError, ZeroDivisionError) as error:
        raise UnsupportedMedia(f"{name} says no frame or tick rate: export it again") from error


def _is_picture(element: ET.Element) -> bool:
    """IMSC's image profile: SMPTE ST 2052-1's attribute, or TTML2's element."""
    return _local(element.tag) == "image" or bool(_named(element, "backgroundImage", ""))


def _named(element: ET.Element, local: str, default: str) -> str:
    """An attribute by its local name: the namespaces of TTML's drafts and versions differ."""
    found: Mapping[str, str] = {_local(key): value for key, value in element.attrib.items()}
    return found.get(local, default).strip()


def _local(name: object) -> str:
    """Comments and instructions have none."""
    return name.rpartition("}")[2] if isinstance(name, str) else ""
