"""Records as a table where it fits, else as lines: a long id is never broken to fit a window."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kapok.names import visible

_GAP = "  "
_READABLE = 24  # columns: what is longer and has spaces may be broken into lines of so many


@dataclass(frozen=True, slots=True)
class _Cell:
    name: str
    text: Text


class Listing:
    """A table of records; in a window too narrow for it, a line a record and its rest below it.

    `head` columns stand in that line, whole; of the others each value follows its column's name.
    """

    def __init__(self, wide: Table, *, head: Sequence[int]) -> None:
        self._wide = wide
        self._head = tuple(head)
        self._rows: list[tuple[str | Text, ...]] = []

    def add_row(self, *cells: str | Text) -> None:
        self._wide.add_row(*cells)
        self._rows.append(cells)

    def __rich_console__(
        self,
        console: Console,
        options: ConsoleOptions,
    ) -> Iterator[RenderableType]:
        if self._least_width() <= options.max_width:
            yield self._wide
        else:
            yield Text()
            yield from self._lines(options.max_width)
            yield Text()

    def _least_width(self) -> int:
        """What the table takes without breaking an id, a hash or a short value."""
        taken = 3 * len(self._wide.columns) + 1  # of the box and its padding
        for column, *cells in zip(self._wide.columns, *self._rows, strict=True):
            lines = [line for cell in (str(column.header), *cells) for line in _plain(cell)]
            whole = max(map(cell_len, lines))
            word = max(cell_len(word) for line in lines for word in line.split(" "))
            taken += min(whole, max(word, _READABLE))
            column.no_wrap = word == whole
        return taken

    def _lines(self, width: int) -> Iterator[RenderableType]:
        heads = [[_one_line(row[place]) for place in self._head] for row in self._rows]
        widths = [
            max(cell_len(cell.plain) for cell in column) for column in zip(*heads, strict=True)
        ]
        if sum(widths) + len(_GAP) * (len(widths) - 1) > width:
            widths = [0] * len(widths)
        for row, head in zip(self._rows, heads, strict=True):
            yield Text(_GAP).join(_padded(*cell) for cell in zip(head, widths, strict=True))
            if rest := self._rest(row):
                yield Padding(_filled(rest, width - len(_GAP)), (0, 0, 0, len(_GAP)))

    def _rest(self, row: Sequence[str | Text]) -> list[Text]:
        places = [place for place in range(len(row)) if place not in self._head]
        names = [str(column.header) for column in self._wide.columns]
        cells = [_Cell(names[place], _one_line(row[place])) for place in places]
        return [
            Text.assemble((cell.name, "dim"), " " if cell.name else "", cell.text)
            for cell in cells
            if cell.text.plain not in ("", "–")
        ]


def _plain(cell: str | Text) -> list[str]:
    text = cell.plain if isinstance(cell, Text) else visible(cell)
    return text.splitlines() or [""]


def _one_line(cell: str | Text) -> Text:
    """Made visible before it is measured, as the cells of a table are."""
    if isinstance(cell, Text):
        return cell
    return Text(", ".join(visible(line) for line in cell.splitlines()))


def _padded(cell: Text, width: int) -> Text:
    made = cell.copy()
    made.pad_right(max(0, width - cell_len(cell.plain)))
    return made


def _filled(words: Sequence[Text], width: int) -> Text:
    """As many on a line as there is room for; none is broken that fits into one."""
    lines = [words[0]]
    for word in words[1:]:
        longer = Text(_GAP).join([lines[-1], word])
        if cell_len(longer.plain) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return Text("\n", overflow="fold").join(lines)
