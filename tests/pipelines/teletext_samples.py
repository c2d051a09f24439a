"""A stream with DVB teletext (ETSI EN 300 472, EN 300 706), which no encoder here writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PID = 0x200
_HAMMED = bytes.fromhex("1502495e6473382fd0c78c9ba1b6fdea")  # EN 300 706, 8.2
_PACKET = 188
_TICKS = 90_000
_AHEAD_S = 0.04  # EN 300 472, 5: when a page is sent before it is shown
_FIRST_S = 1.4  # where ffmpeg's clock of a transport stream begins


def with_teletext(
    path: Path,
    pages: Sequence[tuple[int, int, str]],
    said: Sequence[tuple[float, int, Sequence[str]]],
) -> Path:
    """Put a track into a transport stream of ffmpeg's: `pages` have a number (as 0x888), a type
    (EN 300 468, table 105) and a language; each of `said` a time from the first picture, the page,
    and the lines that are shown from then on.
    """
    coded = path.read_bytes()
    packets = [coded[at : at + _PACKET] for at in range(0, len(coded), _PACKET)]
    waiting = [(at_s, _pes(at_s, page, lines)) for at_s, page, lines in sorted(said)]
    made, count = [], 0
    for packet in packets:
        due_s = _clock_s(packet)
        while due_s is not None and waiting and waiting[0][0] + _FIRST_S - _AHEAD_S <= due_s:
            for piece in _packets(waiting.pop(0)[1]):
                made.append(_head(PID, count, start=piece.startswith(b"\0\0\1\xbd")) + piece)
                count += 1
        made.append(_with_track(packet, pages) if _pid(packet) == 0x1000 else packet)
    assert not waiting, "the stream is long enough"
    path.write_bytes(b"".join(made))
    return path


def started_at(path: Path, clock_s: float) -> Path:
    """The same stream as if its clock, of 33 bits, had begun there."""
    coded, by = bytearray(path.read_bytes()), round((clock_s - _FIRST_S) * _TICKS)
    for at in range(0, len(coded), _PACKET):
        body = at + 4
        if coded[at + 3] & 0x20:
            if coded[at + 4] >= 7 and coded[at + 5] & 0x10:
                clock = int.from_bytes(coded[at + 6 : at + 12], "big")
                moved = (((clock >> 15) + by) % (1 << 33)) << 15 | clock & 0x7FFF
                coded[at + 6 : at + 12] = moved.to_bytes(6, "big")
            body += 1 + coded[at + 4]
        if coded[at + 1] & 0x40 and coded[body : body + 3] == b"\0\0\1":
            for place in [(), (), (9,), (9, 14)][coded[body + 7] >> 6]:
                stamp = coded[body + place : body + place + 5]
                coded[body + place : body + place + 5] = _moved(stamp, by)
    path.write_bytes(coded)
    return path


def _moved(stamp: bytes, by: int) -> bytes:
    """A time of ISO/IEC 13818-1, 2.4.3.7: 33 bits in five bytes, with marks between."""
    whole = int.from_bytes(stamp, "big")
    ticks = (whole >> 3 & 7 << 30 | whole >> 2 & 0x7FFF << 15 | whole >> 1 & 0x7FFF) + by
    marks = whole & 0xF100010001
    spread = (ticks & 7 << 30) << 3 | (ticks & 0x7FFF << 15) << 2 | (ticks & 0x7FFF) << 1
    return (marks | spread).to_bytes(5, "big")


def _pid(packet: bytes) -> int:
    return int.from_bytes(packet[1:3], "big") & 0x1FFF


def _clock_s(packet: bytes) -> float | None:
    """The programme's clock, in packets that say it: 33 bits of it are enough."""
    if not packet[3] & 0x20 or packet[4] < 7 or not packet[5] & 0x10:
        return None
    return (int.from_bytes(packet[6:11], "big") >> 7) / _TICKS


def _head(pid: int, count: int, *, start: bool) -> bytes:
    return bytes([0x47, (0x40 if start else 0) | pid >> 8, pid & 0xFF, 0x10 | count & 15])


def _packets(pes: bytes) -> Iterator[bytes]:
    assert len(pes) % (_PACKET - 4) == 0, "EN 300 472, 4.2"
    yield from (pes[at : at + 184] for at in range(0, len(pes), 184))


def _with_track(packet: bytes, pages: Sequence[tuple[int, int, str]]) -> bytes:
    """The table of the programme with one more elementary stream."""
    section = packet[5:]
    length = (section[1] & 15) << 8 | section[2]
    listed = b"".join(
        language.encode() + bytes([kind << 3 | number >> 8 & 7, number & 0xFF])
        for number, kind, language in pages
    )
    told = bytes([0x56, len(listed)]) + listed
    stream = bytes([6, 0xE0 | PID >> 8, PID & 0xFF, 0xF0, len(told)]) + told
    body = section[3 : length - 1] + stream
    made = bytes([2, 0xB0 | (len(body) + 4) >> 8, (len(body) + 4) & 0xFF]) + body
    made += _crc(made).to_bytes(4, "big")
    return (packet[:5] + made).ljust(_PACKET, b"\xff")


def _crc(data: bytes) -> int:
    """ISO/IEC 13818-1, annex A."""
    crc = 0xFFFFFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            high = crc >> 31 ^ byte >> bit & 1
            crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if high else 0)
    return crc


def _pes(at_s: float, page: int, lines: Sequence[str]) -> bytes:
    """A page that takes the place of what it showed before, and the header that ends it."""
    magazine = page >> 8
    rows = {22 - 2 * (len(lines) - 1 - at): line for at, line in enumerate(lines)}
    units = [_header(page, subtitle=True)]
    units += [_unit(magazine, row, _shown(line)) for row, line in rows.items()]
    units += [_header(page | 0xFF, subtitle=False)]
    units += [bytes([0xFF, 44]) + b"\xff" * 44] * ((3 - len(units)) % 4)  # whole packets
    ticks = round((at_s + _FIRST_S) * _TICKS)
    stamp = bytes([0x21 | ticks >> 29 & 14]) + ((ticks >> 14 & 0xFFFE) | 1).to_bytes(2, "big")
    stamp += ((ticks << 1 & 0xFFFE) | 1).to_bytes(2, "big")
    body = b"\x84\x80\x24" + stamp.ljust(36, b"\xff") + b"\x10" + b"".join(units)
    return b"\0\0\1\xbd" + len(body).to_bytes(2, "big") + body


def _header(page: int, *, subtitle: bool) -> bytes:
    erase, wanted = 8, 8 if subtitle else 0
    nibbles = (page & 15, page >> 4 & 15, 0, erase, 0, wanted, 1, 0)
    return _unit(page >> 8, 0, bytes(_HAMMED[one] for one in nibbles) + _odd(" " * 32))


def _shown(line: str) -> bytes:
    """In a box of double height, as subtitles are."""
    return _odd("\x0d\x0b\x0b" + line.center(34) + "\x0a\x0a\x0a")


def _odd(text: str) -> bytes:
    return bytes(ord(one) | (0 if ord(one).bit_count() % 2 else 0x80) for one in text)


def _unit(magazine: int, row: int, body: bytes) -> bytes:
    address = bytes([_HAMMED[magazine & 7 | (row & 1) << 3], _HAMMED[row >> 1]])
    bits: Mapping[int, int] = {one: int(f"{one:08b}"[::-1], 2) for one in range(256)}
    return bytes([3, 44, 0xE7, 0xE4]) + bytes(bits[one] for one in address + body)
