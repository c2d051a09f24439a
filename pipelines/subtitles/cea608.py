"""CEA-608 captions (CTA-608-E) as letters: what each of the channels CC1 to CC4 shows, and when.

Pure. Pop-on captions are there from the picture that says so. What is written on the screen letter
by letter (roll-up, paint-on) is shown from its first letter on, as far as it is written without a
pause: two letters a picture are no cues. Colours, places and the text channels are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby, pairwise
from typing import Literal

from pipelines.media import CaptionChannel
from pipelines.subtitles.cea608_letters import BLOCK, basic, extended, special
from pipelines.subtitles.cues import Cue

_CHANNELS: Sequence[Sequence[CaptionChannel]] = (("CC1", "CC2"), ("CC3", "CC4"))  # by field
_FOREVER_S = Fraction(1 << 40)  # the end of a cue that nothing takes off the screen
_PAUSE_S = Fraction(1, 2)  # [P] in writing: longer ones are seen as such
_TWICE_S = Fraction(1, 10)  # [P] a control is sent twice, in pictures that follow each other
_COLUMNS, _LAST_ROW = 32, 15
# CTA-608-E, table 53: the first of two rows by the first byte of a preamble address.
_ROWS = {0x10: 11, 0x11: 1, 0x12: 3, 0x13: 12, 0x14: 14, 0x15: 5, 0x16: 7, 0x17: 9}
_ITALIC = 7  # of the eight looks of a preamble address or a mid-row code
_ROLL_UP = {0x25: 2, 0x26: 3, 0x27: 4}
_TEXT_MODE = (0x2A, 0x2B)
# Table 52, by second byte.
_RESUME_LOADING, _BACKSPACE, _DELETE_TO_END, _RESUME_DIRECT = 0x20, 0x21, 0x24, 0x29
_ERASE_SHOWN, _RETURN, _ERASE_HIDDEN, _END_OF_CAPTION = 0x2C, 0x2D, 0x2E, 0x2F

_Cells = dict[int, dict[int, tuple[str, bool]]]  # rows of columns: a letter, and if it is italic


@dataclass(frozen=True, slots=True)
class Pair:
    """Two bytes with their parity, of field 0 or 1 of the picture that is shown at `at_s`."""

    at_s: Fraction
    field: int
    first: int
    second: int


def read_captions(pairs: Iterable[Pair]) -> dict[CaptionChannel, list[Cue]]:
    """The cues of every channel that shows something; pairs are in the order of their pictures.

    A cue that nothing ends lasts for longer than any programme.
    """
    fields = (_Field(), _Field())
    for pair in pairs:
        fields[pair.field].take(pair)
    found = {
        name: channel.cues()
        for names, one in zip(_CHANNELS, fields, strict=True)
        for name, channel in zip(names, one.channels, strict=True)
    }
    return {name: cues for name, cues in found.items() if cues}


@dataclass(slots=True)
class _State:
    start_s: Fraction
    text: str
    written_s: Fraction


@dataclass(slots=True)
class _Channel:
    """One service: its two memories, where it writes, and what it has shown."""

    mode: Literal["none", "pop-on", "roll-up", "paint-on", "text"] = "none"
    shown: _Cells = field(default_factory=dict)
    hidden: _Cells = field(default_factory=dict)
    depth: int = 2
    row: int = _LAST_ROW
    column: int = 0
    italic: bool = False
    states: list[_State] = field(default_factory=list)

    def cues(self) -> list[Cue]:
        last = _State(_FOREVER_S, "", _FOREVER_S)
        return [
            Cue(one.start_s, after.start_s, one.text)
            for one, after in pairwise([*self.states, last])
            if one.text and after.start_s > one.start_s
        ]

    def write(self, letter: str, at_s: Fraction) -> None:
        if self.mode in ("none", "text"):
            return
        self._memory().setdefault(self.row, {})[self.column] = (letter, self.italic)
        self.column = min(self.column + 1, _COLUMNS - 1)
        self._see(at_s, written=True)

    def replace(self, letter: str, at_s: Fraction) -> None:
        """In the place of the letter before."""
        self.column = max(0, self.column - 1)
        self.write(letter, at_s)

    def look(self, code: int, at_s: Fraction) -> None:
        """A mid-row code, which takes the place of a letter."""
        self.write(" ", at_s)
        self.italic = code >> 1 & 7 == _ITALIC

    def address(self, first: int, second: int) -> None:
        """A preamble: the row, and the column or the look of what follows."""
        if self.mode == "text":
            return
        row = _ROWS[first] + (second >> 5 & 1 if first != 0x10 else 0)
        if self.mode == "roll-up" and row != self.row:
            moved = {at + row - self.row: cells for at, cells in self.shown.items()}
            self.shown = {at: cells for at, cells in moved.items() if 1 <= at <= _LAST_ROW}
        self.row = row
        look = second >> 1 & 7
        self.column = 4 * look if second & 0x10 else 0
        self.italic = not second & 0x10 and look == _ITALIC

    def tab(self, columns: int) -> None:
        self.column = min(self.column + columns, _COLUMNS - 1)

    def command(self, code: int, at_s: Fraction) -> None:
        """A miscellaneous control code, by its second byte."""
        if code in _TEXT_MODE:
            self.mode = "text"
        elif code in _ROLL_UP:
            self._roll_up(_ROLL_UP[code])
        elif code == _RESUME_LOADING:
            self.mode = "pop-on"
        elif code == _RESUME_DIRECT:
            self.mode = "paint-on"
        elif code == _END_OF_CAPTION:
            self.mode, self.shown, self.hidden = "pop-on", self.hidden, self.shown
        elif code == _ERASE_SHOWN:
            self.shown = {}
        elif code == _ERASE_HIDDEN:
            self.hidden = {}
        elif self.mode not in ("none", "text"):
            self._edit(code)
        self._see(at_s, written=code in (_BACKSPACE, _DELETE_TO_END))

    def _roll_up(self, depth: int) -> None:
        if self.mode != "roll-up":
            self.mode, self.shown, self.hidden = "roll-up", {}, {}
            self.row, self.column, self.italic = _LAST_ROW, 0, False
        self.depth = depth

    def _edit(self, code: int) -> None:
        cells = self._memory()
        if code == _BACKSPACE:
            self.column = max(0, self.column - 1)
            cells.get(self.row, {}).pop(self.column, None)
        elif code == _DELETE_TO_END:
            line = cells.get(self.row, {})
            cells[self.row] = {at: cell for at, cell in line.items() if at < self.column}
        elif code == _RETURN and self.mode == "roll-up":
            top = self.row - self.depth + 1
            self.shown = {at - 1: line for at, line in cells.items() if top < at <= self.row}
            self.column, self.italic = 0, False

    def _memory(self) -> _Cells:
        return self.hidden if self.mode == "pop-on" else self.shown

    def _see(self, at_s: Fraction, *, written: bool) -> None:
        """What is on the screen from now on, if it is something else than before."""
        if self.mode == "pop-on" and written:
            return
        last = self.states[-1] if self.states else _State(at_s, "", at_s)
        text = _lines(self.shown)
        if written and last.text and at_s - last.written_s <= _PAUSE_S:
            last.text, last.written_s = text, at_s
        elif text != last.text:
            self.states.append(_State(at_s, text, at_s))


class _Field:
    """One of the two fields: its bytes are for the channel that was addressed last."""

    def __init__(self) -> None:
        self.channels = (_Channel(), _Channel())
        self._current = self.channels[0]
        self._other_data = False
        self._last: tuple[Fraction, int, int] | None = None

    def take(self, pair: Pair) -> None:
        first, second = (_without_parity(byte) for byte in (pair.first, pair.second))
        if first is not None and 0x10 <= first <= 0x1F:
            if second is not None and second >= 0x20:
                self._control(first, second, pair.at_s)
        elif first is not None and 0 < first < 0x10:
            self._other_data = first != 0x0F  # XDS, table 30: it lasts until its end, or a control
        elif not self._other_data:
            for code in (first, second):
                if code is None or code >= 0x20:
                    self._last = None
                    self._current.write(BLOCK if code is None else basic(code), pair.at_s)

    def _control(self, first: int, second: int, at_s: Fraction) -> None:
        self._other_data = False
        last, self._last = self._last, (at_s, first, second)
        if last and last[1:] == (first, second) and at_s - last[0] <= _TWICE_S:
            self._last = None  # a third one is a new one
            return
        self._current = self.channels[first >> 3 & 1]
        self._obey(self._current, first & 0x17, second, at_s)

    def _obey(self, channel: _Channel, first: int, second: int, at_s: Fraction) -> None:
        if second >= 0x40:
            channel.address(first, second)
        elif first in (0x14, 0x15) and second < 0x30:
            channel.command(second, at_s)
        elif first == 0x11 and second < 0x30:
            channel.look(second, at_s)
        elif first == 0x17 and 0x21 <= second <= 0x23:
            channel.tab(second - 0x20)
        elif letter := special(first, second):
            channel.write(letter, at_s)
        elif letter := extended(first, second):
            channel.replace(letter, at_s)


def _without_parity(byte: int) -> int | None:
    """`None` where it is wrong: each byte has an odd number of ones."""
    return byte & 0x7F if byte.bit_count() % 2 else None


def _lines(cells: _Cells) -> str:
    lines = (_line(line) for _, line in sorted(cells.items()))
    return "\n".join(line for line in lines if line)


def _line(cells: dict[int, tuple[str, bool]]) -> str:
    """As SubRip writes it; columns without a letter are spaces."""
    columns = range(min(cells, default=0), max(cells, default=-1) + 1)
    row = [cells.get(column, (" ", False)) for column in columns]
    parts = []
    for italic, run in groupby(row, key=lambda cell: cell[1]):
        letters = "".join(letter for letter, _ in run)
        bare = letters.strip()
        parts.append(letters.replace(bare, f"<i>{bare}</i>") if italic and bare else letters)
    return "".join(parts).strip()
