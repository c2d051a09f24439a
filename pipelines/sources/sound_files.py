"""Whether a file of sound ends before its own header says: ffmpeg takes what is there as all."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_MOST_CHUNKS = 10_000
_SLACK_BYTES = 64  # [P] some writers count the header of a file to its samples
# What writers of streams say, who do not know yet: all ones (ffmpeg) or the most that a signed
# number holds (SoX), less what stands around the samples.
_ALL_ONES = 0xFFFF_FFFF
_NOT_KNOWN = (range(0x7FFF_0000, 0x8000_0001), range(0xFFFF_0000, _ALL_ONES + 1))


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where chunks begin, `header` (name and size, as `struct` has it), whether a size counts the
    header too, what a chunk's length is a multiple of, and how the name of the samples begins.
    """

    begins: int
    header: str
    counts_header: bool
    multiple: int
    samples: bytes


_RIFF = _Layout(12, "<4sI", counts_header=False, multiple=2, samples=b"data")
# Microsoft's RIFF, EBU Tech 3306 (RF64) and ITU-R BS.2088 (BW64); AIFF; Apple's CAF; Sony's Wave64.
_LAYOUTS = {
    b"RIFF": _RIFF,
    b"RF64": _RIFF,
    b"BW64": _RIFF,
    b"FORM": _Layout(12, ">4sI", counts_header=False, multiple=2, samples=b"SSND"),
    b"caff": _Layout(8, ">4sq", counts_header=False, multiple=1, samples=b"data"),
    b"riff": _Layout(40, "<16sq", counts_header=True, multiple=8, samples=b"data"),
}


def missing_bytes(path: Path) -> int:
    """How many bytes of samples the header counts beyond the file's end; 0 where it does not know,
    as of what was streamed or is being recorded.
    """
    with path.open("rb") as file:
        layout = _LAYOUTS.get(file.read(4))
        if layout is None:
            return 0
        long_size = 0
        for name, begin, size in _chunks(file, layout):
            if name == b"ds64":  # EBU Tech 3306, 3.2: sizes of the file and of its samples
                file.seek(begin + 8)
                long_size = int.from_bytes(file.read(8), "little")
            if name.startswith(layout.samples):
                told = long_size or size if size == _ALL_ONES else size
                missing = begin + told - path.stat().st_size
                return missing if _is_known(told) and missing > _SLACK_BYTES else 0
    return 0


def _is_known(size: int) -> bool:
    return 0 < size < 1 << 62 and not any(size in values for values in _NOT_KNOWN)


def _chunks(file: BinaryIO, layout: _Layout) -> Iterator[tuple[bytes, int, int]]:
    """Name, first byte and size of each."""
    at, length = layout.begins, struct.calcsize(layout.header)
    for _ in range(_MOST_CHUNKS):
        file.seek(at)
        head = file.read(length)
        if len(head) < length:
            return
        name, size = struct.unpack(layout.header, head)
        size -= length if layout.counts_header else 0
        yield name, at + length, size
        if size < 0:
            return
        at += length + -(-size // layout.multiple) * layout.multiple
