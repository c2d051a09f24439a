"""Whether an OpenEXR image is whole: ffmpeg shows what is missing as black, and says nothing."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator, Mapping
from math import ceil
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import IncompleteSource

# OpenEXR File Layout: "Version field", "Header", "Offset Tables", "Chunk Layout".
_MAGIC = b"v/1\x01"
_TILED, _DEEP, _PARTS = 0x200, 0x800, 0x1000
# Lines of a chunk by the code of its compression; DWAB's is the last.
_LINES = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
_WANTED = frozenset({b"chunkCount", b"compression", b"dataWindow", b"tiles"})
_LONGEST_VALUE = 16
_LONGEST_NAME = 256  # of an attribute: 31 letters, or 255 where the file says so


class _CutShortError(Exception):
    """The file ends where something has to be."""


def refuse_cut_short(images: Iterable[Path]) -> None:
    """Raise `IncompleteSource` at the first one that is not whole."""
    for image in images:
        if is_cut_short(image):
            raise IncompleteSource(
                f"{image.name} ends before its table of contents says: copy or render it again"
            )


def is_cut_short(image: Path) -> bool:
    """By its offset table; an image whose table has a length that nobody says is not judged."""
    size = image.stat().st_size
    with image.open("rb") as file:
        try:
            if _take(file, 4) != _MAGIC:
                return False
            flags = int.from_bytes(_take(file, 4), "little")
            counts = [_chunks(header, flags) for header in _headers(file, flags)]
            if None in counts:
                return False
            offsets = _offsets(file, sum(count or 0 for count in counts), size)
            return any(not 0 < offset < size for offset in offsets) or (
                not flags & _DEEP and _end(file, max(offsets), flags) > size
            )
        except _CutShortError:
            return True


def _headers(file: BinaryIO, flags: int) -> Iterator[Mapping[bytes, bytes]]:
    """Of each part, its attributes by name."""
    while header := dict(_attributes(file)):
        yield header
        if not flags & _PARTS:
            return


def _attributes(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    while name := _word(file):
        _word(file)
        length = int.from_bytes(_take(file, 4), "little")
        if name in _WANTED and length <= _LONGEST_VALUE:
            yield name, _take(file, length)
        else:
            file.seek(length, os.SEEK_CUR)


def _chunks(header: Mapping[bytes, bytes], flags: int) -> int | None:
    """How many there are; `None` where that follows from several levels of detail."""
    if len(told := header.get(b"chunkCount", b"")) == 4:
        return int.from_bytes(told, "little")
    window, tiles = header.get(b"dataWindow", b""), header.get(b"tiles", b"")
    compression = header.get(b"compression", b"\xff")[:1]
    if len(window) != 16 or flags & _PARTS:
        return None
    left, top, right, bottom = struct.unpack("<4i", window)
    sides = (right - left + 1, bottom - top + 1)
    if flags & _TILED:
        if len(tiles) != 9 or tiles[8] & 15:
            return None
        across, down = struct.unpack("<2I", tiles[:8])
        return int(ceil(sides[0] / max(across, 1)) * ceil(sides[1] / max(down, 1)))
    known = compression[0] < len(_LINES)
    return ceil(sides[1] / _LINES[compression[0]]) if known else None


def _end(file: BinaryIO, last: int, flags: int) -> int:
    """Of the chunk that begins at `last`: part, place (of lines or of a tile), size, samples."""
    file.seek(last)
    numbers = (1 if flags & _PARTS else 0) + (4 if flags & _TILED else 1) + 1
    *_, length = struct.unpack(f"<{numbers}i", _take(file, 4 * numbers))
    return file.tell() + int(length)


def _offsets(file: BinaryIO, count: int, size: int) -> tuple[int, ...]:
    if not 0 < 8 * count < size:
        raise _CutShortError
    return struct.unpack(f"<{count}Q", _take(file, 8 * count))


def _word(file: BinaryIO) -> bytes:
    """Up to its zero, as names of attributes and of their types are written."""
    told = bytearray()
    while (letter := _take(file, 1)) != b"\0":
        told += letter
        if len(told) > _LONGEST_NAME:
            raise _CutShortError
    return bytes(told)


def _take(file: BinaryIO, length: int) -> bytes:
    taken = file.read(length)
    if len(taken) != length:
        raise _CutShortError
    return taken
