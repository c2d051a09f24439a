"""The sandboxed reader of tracks that no decoder of PyAV knows, and prints what they hold as JSON.

Run as a script by an isolated Python, as `probe_child` is, so it imports nothing of Kapok.
"""

from __future__ import annotations

import json
import struct
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import av
from av.stream import Discard

_FIRST_PACKETS = 250  # [P] some seconds
_MOST_CAPTIONED = 1_000_000  # [P] pictures with letters: a day and night has no more
_HEAD_BYTES = 4096
_MOST_BYTES, _MOST_DOCUMENTS = 64 << 20, 200_000  # [P] two a second for a day
_TELETEXT, _ROW_BYTES, _ROWS = (0x02, 0x03), 0x2C, 25  # data units, EN 300 472, table 4
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CAPTIONS = (0x61, 0x01)  # a caption distribution packet, SMPTE ST 334-1
_LINE_21 = (0x61, 0x02)  # the bytes of one field of CEA-608, SMPTE ST 334-1, annex A
_NO_SECOND_NUMBER = 0x80  # SMPTE ST 291-1: from here on a block number stands in its place
_TEN_BITS = (7, 8, 9)  # SMPTE ST 436-1, table 7: payload sample codings of three samples in 32 bits
_IDENTIFIER, _TIMECODE, _CC_DATA = b"\x96\x69", 0x71, 0x72  # SMPTE ST 334-2
_CC_VALID, _CC_EMPTY = 0x04, b"\x80\x80"

Packet = tuple[int, int, bytes]  # of ancillary data: its two identifiers and its words


def print_ancillary(path: str, formats: str, track: str) -> None:
    """Print which ancillary data the first seconds of a track hold: pairs of identifiers."""
    with _opened(path, formats, track) as (_, packets):
        found: set[tuple[int, int]] = set()
        for _, coded in zip(range(_FIRST_PACKETS), packets, strict=False):
            found |= {one[:2] for one in ancillary_packets(bytes(coded))}
    json.dump(sorted(found), sys.stdout)


def print_captions(path: str, formats: str, track: str) -> None:
    """Print what a track of ancillary data says in CEA-608, as `probe_child.print_captions` does,
    and as `holds` which data it has in all.
    """
    pictures: list[tuple[int, str]] = []
    holds: set[tuple[int, int]] = set()
    with _opened(path, formats, track) as (stream, packets):
        for packet in packets:
            held = list(ancillary_packets(bytes(packet)))
            holds |= {one[:2] for one in held}
            if said := b"".join(map(line_21, held)):
                pictures.append((packet.pts, said.hex()))
            if len(pictures) > _MOST_CAPTIONED:
                break
        tick = Fraction(stream.time_base)
    found: dict[str, Any] = {"tick": str(tick), "pictures": pictures, "holds": sorted(holds)}
    if len(pictures) > _MOST_CAPTIONED:
        found["why"] = "there are too many"
    json.dump(found, sys.stdout)


def print_head(path: str, formats: str, track: str) -> None:
    """Print what the first packet begins with, in base64."""
    with _opened(path, formats, track) as (_, packets):
        head = next((bytes(one)[:_HEAD_BYTES] for one in packets), b"")
    json.dump(b64encode(head).decode(), sys.stdout)


def print_documents(path: str, formats: str, track: str) -> None:
    """Print every sample of a track of MP4, each of which is a document: its begin and end in
    seconds on the file's clock, and its bytes in base64; or `why` there are none.
    """
    found: list[tuple[str, str | None, str]] = []
    size = 0
    with _opened(path, formats, track) as (stream, packets):
        tick = Fraction(stream.time_base)
        for packet in packets:
            size += packet.size
            if size > _MOST_BYTES or len(found) >= _MOST_DOCUMENTS:
                json.dump({"why": "there are too many documents in it"}, sys.stdout)
                return
            end = str((packet.pts + packet.duration) * tick) if packet.duration else None
            found.append((str(packet.pts * tick), end, b64encode(bytes(packet)).decode()))
    json.dump(found, sys.stdout)


def print_pages(path: str, formats: str, track: str) -> None:
    """Print the numbers of those pages of DVB teletext of which any row has letters."""
    found: set[int] = set()
    open_: dict[int, int | None] = {}
    with _opened(path, formats, track) as (_, packets):
        for packet in packets:
            for magazine, row, body in teletext_rows(bytes(packet)):
                if row == 0:
                    units, tens = _nibble(body[0]), _nibble(body[1])
                    chosen = max(units, tens) < 10  # nobody can choose another one
                    open_[magazine] = 100 * magazine + 10 * tens + units if chosen else None
                elif page := open_.get(magazine):
                    found |= {page} if any(one & 0x7F > 0x20 for one in body) else set()
    json.dump(sorted(found), sys.stdout)


def teletext_rows(coded: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Magazine, number and body of the rows of a packet (ETSI EN 300 472, 4.3; EN 300 706, 7.1),
    without those beyond the screen's.
    """
    for at in range(1, len(coded) - 45, 46):
        if coded[at] in _TELETEXT and coded[at + 1] == _ROW_BYTES:
            turned = coded[at + 4 : at + 46].translate(_TURNED)
            low, high = _nibble(turned[0]), _nibble(turned[1])
            if (row := low >> 3 | high << 1) < _ROWS:
                yield low & 7 or 8, row, turned[2:]


def _nibble(byte: int) -> int:
    """Hamming 8/4 (EN 300 706, 8.2), not repaired: each second bit is a number's."""
    return byte >> 1 & 1 | byte >> 2 & 2 | byte >> 3 & 4 | byte >> 4 & 8


@contextmanager
def _opened(path: str, formats: str, track: str) -> Iterator[tuple[Any, Iterator[Any]]]:
    """The stream, and its packets that have bytes and a time; those of others are passed over."""
    av.logging.set_level(av.logging.ERROR)
    guards = {"format_whitelist": formats, "protocol_whitelist": "file"}
    with av.open(path, options=guards, metadata_errors="replace") as container:
        stream = container.streams[int(track)]
        for other in container.streams:
            if other.index != stream.index:
                other.discard = Discard.all
        yield stream, _readable(container.demux(stream))


def _readable(packets: Iterator[Any]) -> Iterator[Any]:
    """As far as they can be read: what is damaged behind, decoding the file tells of.

    PyAV has an error behind the last one where a stream appeared in the middle of the file.
    """
    try:
        yield from (one for one in packets if one.size and one.pts is not None)
    except (av.error.FFmpegError, IndexError):
        return


def ancillary_packets(coded: bytes) -> Iterator[Packet]:
    """Those of one picture (SMPTE ST 436-1, table 7), as far as they are whole."""
    at = 2
    for _ in range(int.from_bytes(coded[:2], "big")):
        if len(coded) < at + 14:
            return
        coding, samples, length, size = struct.unpack_from(">3xBHII", coded, at)
        words = _words(coded[at + 14 : at + 14 + length * size], coding)[:samples]
        at += 14 + length * size
        if len(words) >= 3 and len(words) >= 3 + words[2]:
            second = words[1] if words[0] < _NO_SECOND_NUMBER else 0
            yield words[0], second, words[3 : 3 + words[2]]


def _words(payload: bytes, coding: int) -> bytes:
    """The eight bits of each that are no parity."""
    if coding not in _TEN_BITS:
        return payload
    threes = struct.unpack_from(f">{len(payload) // 4}I", payload)
    return bytes(three >> shift & 0xFF for three in threes for shift in (22, 12, 2))


def line_21(packet: Packet) -> bytes:
    """Field (0 or 1) and two bytes of each pair of CEA-608 that says something."""
    first, second, words = packet
    if (first, second) == _LINE_21 and len(words) >= 3:
        return _said(bytes([0 if words[0] & 0x80 else 1]), words[1:3])
    if (first, second) != _CAPTIONS or words[:2] != _IDENTIFIER:
        return b""
    section = 7
    if words[section : section + 1] == bytes([_TIMECODE]):
        section += 5
    if len(words) < section + 2 or words[section] != _CC_DATA:
        return b""
    triplets = words[section + 2 :][: 3 * (words[section + 1] & 31)]
    return b"".join(
        _said(bytes([triplets[at] & 1]), triplets[at + 1 : at + 3])
        for at in range(0, len(triplets) - 2, 3)
        if triplets[at] & _CC_VALID and triplets[at] & 3 < 2
    )


def _said(field: bytes, pair: bytes) -> bytes:
    return b"" if pair == _CC_EMPTY else field + pair


if __name__ == "__main__":
    _ASKED = {
        "ancillary": print_ancillary,
        "captions": print_captions,
        "documents": print_documents,
        "head": print_head,
        "pages": print_pages,
    }
    _ASKED[sys.argv[4]](*sys.argv[1:4])
