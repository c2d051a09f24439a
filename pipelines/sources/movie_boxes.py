"""The boxes of an MP4 or MOV and the edit lists of its tracks, read in place (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

_MOST_BOXES = 1_000_000  # [P] in one other: fragments of a second for a week are fewer
MOST_EDITS = 1_000  # [P] of a track: an editor's reference movie has hundreds
_SIZES = {0: (">Ii", 12), 1: (">Qq", 20)}  # 8.6.6.2: by version, with the rate's four bytes
_MOST_BYTES = 8 + 20 * (MOST_EDITS + 1)

Place = tuple[int, int]  # of a payload: where it begins and ends


@dataclass(frozen=True, slots=True)
class Edit:
    """From `at_s` of the movie on, what stands at `media_s` of the track is shown for `length_s`;
    `None` is as long as there is anything.
    """

    at_s: Fraction
    media_s: Fraction
    length_s: Fraction | None


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, Place]]:
    """Kinds and payloads, as far as they are whole."""
    for _ in range(_MOST_BOXES):
        if start + 8 > end:
            return
        file.seek(start)
        size, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = int.from_bytes(file.read(8), "big"), 16
        size = size or end - start  # 0: up to the end of the file
        if size < head or start + size > end:
            return
        yield kind, (start + head, start + size)
        start += size


def inside(file: BinaryIO, place: Place, *path: bytes) -> Iterator[Place]:
    """The payloads of the boxes that this path leads to."""
    if not path:
        yield place
        return
    for kind, found in boxes(file, *place):
        if kind == path[0]:
            yield from inside(file, found, *path[1:])


def tracks(file: BinaryIO) -> Iterator[Place]:
    """In their order, which is that of ffmpeg's streams."""
    whole = (0, file.seek(0, 2))
    movie = next(inside(file, whole, b"moov"), None)
    if movie is not None:
        yield from inside(file, movie, b"trak")


def edit_lists(path: Path) -> dict[int, tuple[Edit, ...]]:
    """Of those tracks of an MP4 or MOV that have one, by their index: without what shows nothing,
    and at most `MOST_EDITS` and one. Any other file has none.
    """
    with path.open("rb") as file:
        return {index: tuple(_edits(listed)) for index, listed in _lists(file).items()}


@dataclass(frozen=True, slots=True)
class _List:
    """Lengths and places of a track's edits, the latter `None` where nothing is shown, and how long
    its medium is.
    """

    edits: tuple[tuple[Fraction, Fraction | None], ...]
    media_s: Fraction


def _lists(file: BinaryIO) -> dict[int, _List]:
    found: dict[int, _List] = {}
    whole = (0, file.seek(0, 2))
    movie_hz, _ = _clock(file, next(inside(file, whole, b"moov", b"mvhd"), None))
    for index, track in enumerate(tracks(file)):
        media_hz, media = _clock(file, next(inside(file, track, b"mdia", b"mdhd"), None))
        listed = next(inside(file, track, b"edts", b"elst"), None)
        if listed is not None and movie_hz and media_hz:
            edits = tuple(_listed(file, listed, movie_hz, media_hz))
            found[index] = _List(edits, Fraction(media, media_hz))
    return found


def edited_s(path: Path) -> dict[int, Fraction]:
    """How long those tracks last that have an edit list, by its words alone: of a picture that is
    held at the end nothing else may say it. Not of fragments, which its words do not count.
    """
    with path.open("rb") as file:
        lists = _lists(file)
    lengths = {
        index: sum((length_s for length_s, _ in one.edits), Fraction(0))
        for index, one in lists.items()
    }
    return {index: length_s for index, length_s in lengths.items() if length_s}


def is_fragmented(path: Path) -> bool:
    """Whether its samples are in fragments (8.8.1): what its headers say of lengths is not all."""
    with path.open("rb") as file:
        whole = (0, file.seek(0, 2))
        return next(inside(file, whole, b"moov", b"mvex"), None) is not None


def _clock(file: BinaryIO, header: Place | None) -> tuple[int, int]:
    """Ticks a second and the length of a movie's or a medium's header (8.2.2, 8.4.2)."""
    told = _payload(file, header, 32)
    at, form = (20, ">IQ") if told[:1] == b"\1" else (12, ">II")
    if len(told) < at + struct.calcsize(form):
        return 0, 0
    hertz, length = struct.unpack_from(form, told, at)
    return hertz, length


def _payload(file: BinaryIO, place: Place | None, most: int) -> bytes:
    if place is None:
        return b""
    file.seek(place[0])
    return file.read(min(most, place[1] - place[0]))


def _listed(
    file: BinaryIO, place: Place, movie_hz: int, media_hz: int
) -> Iterator[tuple[Fraction, Fraction | None]]:
    told = _payload(file, place, _MOST_BYTES)
    form, step = _SIZES.get(told[0] if told else 0, _SIZES[0])
    count = min(int.from_bytes(told[4:8], "big"), (len(told) - 8) // step)
    for number in range(count):
        length, begin = struct.unpack_from(form, told, 8 + step * number)
        yield Fraction(length, movie_hz), None if begin < 0 else Fraction(begin, media_hz)


def _edits(listed: _List) -> Iterator[Edit]:
    """One that reaches the end of its medium goes on: writers say no length of a last sample."""
    at_s = Fraction(0)
    for number, (length_s, media_s) in enumerate(listed.edits, start=1):
        if media_s is not None:
            last = not length_s or media_s + length_s >= listed.media_s
            open_end = last and number == len(listed.edits)
            yield Edit(at_s, media_s, None if open_end else length_s)
        at_s += length_s
