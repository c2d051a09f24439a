"""A TrueType font of seven-segment digits, made here: bare machines have no fonts installed.

Glyphs are straight polygons on a 1000-unit square; the tables are those that OpenType requires of
FreeType and no more.
"""

from __future__ import annotations

import struct
from functools import cache

Point = tuple[int, int]

_EM, _ADVANCE, _TOP, _WIDTH, _STROKE = 1000, 640, 900, 480, 110
_HALF, _GAP, _LEFT = _STROKE // 2, 12, 80
_MIDDLE = _TOP // 2
# Segments a…g of each digit, as on every seven-segment display.
_DIGITS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")


@cache
def timecode_font() -> bytes:
    """The font file: digits, colon, semicolon, full stop and space."""
    glyphs = {" ": [], ":": _dots(250, 650), ";": [*_dots(650), _comma()], ".": _dots(_HALF)}
    glyphs |= {str(number): _segments(lit) for number, lit in enumerate(_DIGITS)}
    letters = sorted(glyphs)
    outlines = [b"", *(_glyph(glyphs[letter]) for letter in letters)]
    count = len(outlines)
    offsets = [sum(map(len, outlines[:number])) for number in range(count + 1)]
    points = max(sum(map(len, contours)) for contours in glyphs.values())
    contours = max(map(len, glyphs.values()))
    return _file(
        {
            b"cmap": _cmap({letter: number for number, letter in enumerate(letters, 1)}),
            b"glyf": b"".join(outlines),
            b"head": _head(),
            b"hhea": struct.pack(
                ">IhhhHhhhhhhhhhhhH",
                *(0x10000, _EM, -100, 0, _ADVANCE, 0, 0, _ADVANCE, 1, 0, 0, 0, 0, 0, 0, 0, count),
            ),
            b"hmtx": b"".join(struct.pack(">Hh", _ADVANCE, _left(glyph)) for glyph in outlines),
            b"loca": struct.pack(f">{count + 1}I", *offsets),
            b"maxp": struct.pack(
                ">IHHHHHHHHHHHHHH",
                *(0x10000, count, points, contours, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
            ),
        }
    )


def _segments(lit: str) -> list[list[Point]]:
    left, right = _LEFT + _HALF, _LEFT + _WIDTH - _HALF
    bottom, top = _HALF, _TOP - _HALF
    places = {
        "a": ((left, top), (right, top)),
        "b": ((right, _MIDDLE), (right, top)),
        "c": ((right, bottom), (right, _MIDDLE)),
        "d": ((left, bottom), (right, bottom)),
        "e": ((left, bottom), (left, _MIDDLE)),
        "f": ((left, _MIDDLE), (left, top)),
        "g": ((left, _MIDDLE), (right, _MIDDLE)),
    }
    return [_bar(*places[segment]) for segment in lit]


def _bar(start: Point, end: Point) -> list[Point]:
    """A hexagon along an axis, clockwise as TrueType fills."""
    (x0, y0), (x1, y1) = start, end
    if y0 == y1:
        x0, x1, h = x0 + _GAP, x1 - _GAP, _HALF
        points = [(x0, y0), (x0 + h, y0 + h), (x1 - h, y0 + h), (x1, y0), (x1 - h, y0 - h)]
        return [*points, (x0 + h, y0 - h)]
    y0, y1, h = y0 + _GAP, y1 - _GAP, _HALF
    points = [(x0, y0), (x0 - h, y0 + h), (x0 - h, y1 - h), (x0, y1), (x0 + h, y1 - h)]
    return [*points, (x0 + h, y0 + h)]


def _dots(*heights: int) -> list[list[Point]]:
    x, h = _ADVANCE // 2, _HALF
    return [[(x - h, y - h), (x - h, y + h), (x + h, y + h), (x + h, y - h)] for y in heights]


def _comma() -> list[Point]:
    x, h = _ADVANCE // 2, _HALF
    return [(x - h, 250 - h), (x - h, 250 + h), (x + h, 250 + h), (x + h, 250), (x - h, 60)]


def _glyph(contours: list[list[Point]]) -> bytes:
    """A simple glyph; all points lie on the curve and are stored as words."""
    if not contours:
        return b""
    points = [point for contour in contours for point in contour]
    xs, ys = zip(*points, strict=True)
    ends = [sum(map(len, contours[: number + 1])) - 1 for number in range(len(contours))]
    steps_x = [b - a for a, b in zip((0, *xs), xs, strict=False)]
    steps_y = [b - a for a, b in zip((0, *ys), ys, strict=False)]
    raw = struct.pack(">hhhhh", len(contours), min(xs), min(ys), max(xs), max(ys))
    raw += struct.pack(f">{len(ends)}HH", *ends, 0) + b"\x01" * len(points)
    raw += struct.pack(f">{2 * len(points)}h", *steps_x, *steps_y)
    return raw + b"\0" * (-len(raw) % 4)


def _left(glyph: bytes) -> int:
    """A glyph's left side bearing: its own leftmost x, so that nothing is shifted."""
    return int(struct.unpack(">h", glyph[2:4])[0]) if glyph else 0


def _cmap(numbers: dict[str, int]) -> bytes:
    """Format 4, one segment a letter, and the closing one."""
    codes = [(ord(letter), number) for letter, number in sorted(numbers.items())]
    ends = [code for code, _ in codes] + [0xFFFF]
    deltas = [(number - code) % 0x10000 for code, number in codes] + [1]
    count = len(ends)
    body = struct.pack(f">{count}HH{count}H", *ends, 0, *ends)
    body += struct.pack(f">{count}H{count}H", *deltas, *([0] * count))
    head = struct.pack(">HHHHHHH", 4, 14 + len(body), 0, 2 * count, *_search(count, 2))
    return struct.pack(">HHHHI", 0, 1, 3, 1, 12) + head + body


def _search(count: int, size: int) -> tuple[int, int, int]:
    """searchRange, entrySelector and rangeShift of OpenType's sorted arrays."""
    power = count.bit_length() - 1
    return (size << power, power, size * count - (size << power))


def _head() -> bytes:
    box = (0, -100, _ADVANCE, _EM)
    start = struct.pack(">IIIIHHqq", 0x10000, 0x10000, 0, 0x5F0F3CF5, 0, _EM, 0, 0)
    return start + struct.pack(">hhhhHHhhh", *box, 0, 8, 2, 1, 0)


def _file(tables: dict[bytes, bytes]) -> bytes:
    count = len(tables)
    head = struct.pack(">IHHHH", 0x10000, count, *_search(count, 16))
    at, entries, body = 12 + 16 * count, b"", b""
    for tag, table in sorted(tables.items()):
        padded = table + b"\0" * (-len(table) % 4)
        total = sum(struct.unpack(f">{len(padded) // 4}I", padded)) % (1 << 32)
        entries += tag + struct.pack(">III", total, at + len(body), len(table))
        body += padded
    return head + entries + body
