"""The boxes of an MP4 file that ffprobe merges with the stream's own words (ISO/IEC 14496-12)."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from pipelines.colour.colour_codes import MATRICES, PRIMARIES, TRANSFERS
from pipelines.media import Colour, ContentLight, Hdr10, MasteringDisplay, content_light
from pipelines.sources.movie_boxes import Place, inside, tracks

_INDEX_LIMIT_BYTES = 512 << 20
_SAMPLE_ENTRY_BYTES = 78  # VisualSampleEntry before its own boxes, 12.1.3
_PICTURE_ENTRIES = (
    *(b"avc1", b"avc3", b"hvc1", b"hev1", b"av01", b"vvc1"),
    *(b"apco", b"apcs", b"apcn", b"apch"),
)
_SUBTITLES = frozenset({b"sbtl", b"text", b"subt", b"subp", b"clcp"})
_FLAGS_AT, _ENABLED = 3, 1  # the last byte of a track header's flags, 8.3.2
_HANDLER_AT = 8  # 8.4.3


@dataclass(frozen=True, slots=True)
class PictureEntry:
    """The sample entry of the first picture track; `colour` is its `colr` box of type `nclx`, or
    QuickTime's `nclc`, which knows no range.

    HDR10's static metadata stand in `mdcv` and `clli` (12.1.5 and 12.1.6).
    """

    kind: str
    colour: Colour | None
    hdr10: Hdr10


def show_unasked(path: Path, shown: Sequence[bool]) -> None:
    """Write of each track of subtitles, in their order, whether players show it without asking.

    Ffmpeg's muxer enables the first track of a kind of which none is to be.
    """
    with path.open("r+b") as file:
        found = [track for track in tracks(file) if _handler(file, track) in _SUBTITLES]
        for track, enabled in zip(found, shown, strict=True):
            at = next(inside(file, track, b"tkhd"))[0] + _FLAGS_AT
            file.seek(at)
            (flags,) = file.read(1)
            file.seek(at)
            file.write(bytes([flags & ~_ENABLED | enabled]))


def _handler(file: BinaryIO, track: Place) -> bytes:
    at, _ = next(inside(file, track, b"mdia", b"hdlr"))
    file.seek(at + _HANDLER_AT)
    return file.read(4)


def picture_entry(path: Path) -> PictureEntry | None:
    """What the container itself says about its picture; `None` where it is no MP4 with one."""
    with path.open("rb") as file:
        index = [_payload(file, track) for track in tracks(file)]
    for track in index:
        for table in _descend(track, b"mdia", b"minf", b"stbl", b"stsd"):
            for kind, entry in _boxes(table[8:]):
                if kind in _PICTURE_ENTRIES:
                    inside = entry[_SAMPLE_ENTRY_BYTES:]
                    hdr10 = Hdr10(_mastering(inside), _light(inside))
                    return PictureEntry(kind.decode(), _colour(inside), hdr10)
    return None


def _colour(boxes: bytes) -> Colour | None:
    for box in _children(boxes, b"colr"):
        if (box[:4] == b"nclx" and len(box) >= 11) or (box[:4] == b"nclc" and len(box) >= 10):
            primaries, transfer, matrix = (
                int.from_bytes(box[at : at + 2], "big") for at in (4, 6, 8)
            )
            return Colour(
                PRIMARIES.get(primaries),
                TRANSFERS.get(transfer),
                MATRICES.get(matrix),
                None if box[:4] == b"nclc" else "pc" if box[10] & 0x80 else "tv",
            )
    return None


def _mastering(boxes: bytes) -> MasteringDisplay | None:
    """In SMPTE ST 2086's units: 0.00002 of chromaticity, 0.0001 cd/m²; green comes first."""
    for box in _children(boxes, b"mdcv"):
        if len(box) >= 24:
            green, blue, red, white = (
                (Fraction(x, 50_000), Fraction(y, 50_000))
                for x, y in struct.iter_unpack(">2H", box[:16])
            )
            most, least = (
                Fraction(number, 10_000) for number in struct.unpack_from(">2I", box, 16)
            )
            return MasteringDisplay(red, green, blue, white, least, most)
    return None


def _light(boxes: bytes) -> ContentLight | None:
    found = (box for box in _children(boxes, b"clli") if len(box) >= 4)
    return content_light(next((struct.unpack_from(">2H", box) for box in found), None))


def _payload(file: BinaryIO, place: Place) -> bytes:
    file.seek(place[0])
    return file.read(min(place[1] - place[0], _INDEX_LIMIT_BYTES))


def _descend(payload: bytes, *path: bytes) -> Iterator[bytes]:
    if not path:
        yield payload
        return
    for child in _children(payload, path[0]):
        yield from _descend(child, *path[1:])


def _children(payload: bytes, wanted: bytes) -> Iterator[bytes]:
    return (box for kind, box in _boxes(payload) if kind == wanted)


def _boxes(payload: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(payload):
        size = int.from_bytes(payload[at : at + 4], "big")
        if size < 8:
            return
        yield payload[at + 4 : at + 8], payload[at + 8 : at + size]
        at += size
