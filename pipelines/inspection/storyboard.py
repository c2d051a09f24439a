"""The storyboard: sprite sheets of small pictures, and the WebVTT that says where each one is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.media import Storyboard

COLUMNS, MOST_ROWS = 5, 5
SPRITES = "sprite-%03d.jpg"

_TILES_WANTED = 120
_SHORTEST_S, _LONGEST_S = Fraction(2, 5), Fraction(10)
_LONG_SIDE = 240


@dataclass(frozen=True, slots=True)
class Tiles:
    """Every `every_frames`-th frame becomes a tile of that size, `COLUMNS` by `rows` on a sheet."""

    every_frames: int
    width: int
    height: int
    rows: int = MOST_ROWS


def lay_out(display_size: tuple[int, int], frame_rate: Fraction, expected_s: Fraction) -> Tiles:
    """A tile each 0.4 s in a short clip, each 10 s in a long one."""
    interval_s = min(max(expected_s / _TILES_WANTED, _SHORTEST_S), _LONGEST_S)
    scale = _LONG_SIDE / max(display_size)
    width, height = (max(2, round(side * scale / 2) * 2) for side in display_size)
    rows = min(MOST_ROWS, math.ceil(expected_s / interval_s / COLUMNS))
    return Tiles(max(1, round(interval_s * frame_rate)), width, height, max(1, rows))


def write_storyboard(
    folder: Path, tiles: Tiles, starts_s: Sequence[Fraction], end_s: Fraction
) -> Storyboard:
    """`starts_s` are the times of the tiles; the last cue ends at `end_s`."""
    ends_s = [*starts_s[1:], end_s]
    cues = [
        f"{_stamp(start)} --> {_stamp(end)}\n{_place(tiles, number)}\n"
        for number, (start, end) in enumerate(zip(starts_s, ends_s, strict=True))
    ]
    name = "storyboard.vtt"
    (folder / name).write_text("WEBVTT\n\n" + "\n".join(cues), encoding="utf-8")
    sheets = math.ceil(len(starts_s) / (COLUMNS * tiles.rows))
    return Storyboard(name, tuple(SPRITES % (sheet + 1) for sheet in range(sheets)))


def _place(tiles: Tiles, number: int) -> str:
    sheet, within = divmod(number, COLUMNS * tiles.rows)
    row, column = divmod(within, COLUMNS)
    corner = f"{column * tiles.width},{row * tiles.height}"
    return f"{SPRITES % (sheet + 1)}#xywh={corner},{tiles.width},{tiles.height}"


def _stamp(seconds: Fraction) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
