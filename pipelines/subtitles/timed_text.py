"""3GPP timed text (TS 26.245) and QuickTime's, ffmpeg's `mov_text`: read and written. Pure.

Written here, since ffmpeg's encoder takes its letters by way of ASS, in which a backslash or a
brace is no letter.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.subtitles.cues import Cue
from pipelines.subtitles.markup import Look, looks, tagged

_TICKS = 1000  # a second
_BOLD, _ITALIC, _UNDERLINED = 1, 2, 4  # TS 26.245, 5.16
_MATRIX = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_FONT, _SIZE, _WHITE = 1, 16, "ffffff"
_LAST_STYLE = 0xFFFF
_ONE, _TWO = struct.pack(">I", 1), struct.pack(">I", 2)
_ENABLED, _UNDETERMINED = 3, 0x55C4  # ISO/IEC 14496-12, 8.3.2 and 8.4.2


def read_sample(sample: bytes) -> bytes:
    """Its letters, in whatever code they are."""
    return sample[2 : 2 + int.from_bytes(sample[:2], "big")]


def styled(sample: bytes, text: str, head: bytes) -> str:
    """Those letters with the looks that the sample gives them (5.17.1.1), by place."""
    runs, after = list[tuple[str, Look]](), 0
    described = b"ftab" in head  # QuickTime's own text has another one
    usual = head[26:29].hex() if described else ""
    look_of_all = _look(head[24], None) if described else Look()
    for start, end, look in _styles(sample, usual):
        if after <= start < end:
            runs += [(text[after:start], look_of_all), (text[start:end], look)]
            after = end
    return tagged([*runs, (text[after:], look_of_all)])


def _look(flags: int, colour: str | None) -> Look:
    bold, italic, lined = (bool(flags & bit) for bit in (_BOLD, _ITALIC, _UNDERLINED))
    return Look(bold, italic, lined, colour)


def _styles(sample: bytes, usual: str) -> Iterator[tuple[int, int, Look]]:
    at = 2 + int.from_bytes(sample[:2], "big")
    while at + 8 <= len(sample):
        size, kind = struct.unpack_from(">I4s", sample, at)
        if size < 8:
            return
        if kind == b"styl":
            for place in range(at + 10, min(at + size, len(sample)) - 11, 12):
                start, end, _, flags, _, colour = struct.unpack_from(">HHHBB3s", sample, place)
                said = colour.hex() if usual and colour.hex() != usual else None
                yield start, end, _look(flags, said)
        at += size


@dataclass(frozen=True, slots=True)
class _Sample:
    ticks: int
    coded: bytes


def write_mp4(cues: Sequence[Cue]) -> bytes:
    """A file with one track of letters; cues are as `in_place` and `one_at_a_time` leave them."""
    samples, at = list[_Sample](), 0
    for cue in cues:
        start, end = round(cue.start_s * _TICKS), round(cue.end_s * _TICKS)
        if start > at:
            samples.append(_Sample(start - at, b"\0\0"))
        if end > start:
            samples.append(_Sample(end - start, _coded(cue.text)))
            at = end
    head = _box("ftyp", b"isom", struct.pack(">I", 512), b"isomiso2mp41")
    data = b"".join(sample.coded for sample in samples)
    return head + _box("mdat", data) + _movie(samples, len(head) + 8)


def _coded(text: str) -> bytes:
    letters, styles, at = "", list[bytes](), 0
    for said, look in looks(text):
        letters += said
        flags = look.bold * _BOLD | look.italic * _ITALIC | look.underlined * _UNDERLINED
        if look != Look() and at + len(said) <= _LAST_STYLE:
            styles.append(_style(at, at + len(said), flags, look.colour or _WHITE))
        at += len(said)
    coded = letters.encode()
    made = struct.pack(">H", len(coded)) + coded
    if styles:
        made += _box("styl", struct.pack(">H", len(styles)), *styles)
    return made


def _style(start: int, end: int, flags: int, colour: str) -> bytes:
    return struct.pack(">HHHBB", start, end, _FONT, flags, _SIZE) + bytes.fromhex(colour) + b"\xff"


def _movie(samples: Sequence[_Sample], data_at: int) -> bytes:
    """ISO/IEC 14496-12, 8.2 to 8.7."""
    times = struct.pack(">IIII", 0, 0, _TICKS, length := sum(one.ticks for one in samples))
    movie = _full("mvhd", 0, times, struct.pack(">IH10x", 0x10000, 0x100), _MATRIX, bytes(24), _TWO)
    shown = struct.pack(">IIIII16x", 0, 0, 1, 0, length)
    track = _full("tkhd", _ENABLED, shown, _MATRIX, bytes(8))
    media = _full("mdhd", 0, times, struct.pack(">HH", _UNDETERMINED, 0))
    kind = _full("hdlr", 0, bytes(4), b"sbtl", bytes(12), b"SubtitleHandler\0")
    here = _box("dinf", _full("dref", 0, _ONE, _full("url ", 1)))
    inside = _box("minf", _full("nmhd", 0), here, _table(samples, data_at))
    return _box("moov", movie, _box("trak", track, _box("mdia", media, kind, inside)))


def _table(samples: Sequence[_Sample], data_at: int) -> bytes:
    """All of them in one chunk, if there are any."""
    count = struct.pack(">I", len(samples))
    font = _box("ftab", struct.pack(">HHB", 1, _FONT, 5), b"Arial")
    look = struct.pack(">IBb4x8x", 0, 1, -1) + _style(0, 0, 0, _WHITE) + font
    entry = _box("tx3g", bytes(6), struct.pack(">H", 1), look)
    spans = [struct.pack(">II", 1, sample.ticks) for sample in samples]
    sizes = [struct.pack(">I", len(sample.coded)) for sample in samples]
    chunks = _ONE if samples else bytes(4)
    return _box(
        "stbl",
        _full("stsd", 0, _ONE, entry),
        _full("stts", 0, count, *spans),
        _full("stsc", 0, chunks, struct.pack(">III", 1, len(samples), 1) if samples else b""),
        _full("stsz", 0, bytes(4), count, *sizes),
        _full("stco", 0, chunks, struct.pack(">I", data_at) if samples else b""),
    )


def _box(kind: str, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", 8 + len(body)) + kind.encode() + body


def _full(kind: str, flags: int, *parts: bytes) -> bytes:
    return _box(kind, struct.pack(">I", flags), *parts)
