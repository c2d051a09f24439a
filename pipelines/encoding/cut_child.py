"""The sandboxed half of `cut`: takes a part's packets out of a source that its parent reads to it.

Run as a script by an isolated Python, so it imports nothing of Kapok. The source is asked for over
a socket, a range of bytes at a time: this process has neither the file nor a network.
"""

from __future__ import annotations

import io
import socket
import struct
import sys
from collections.abc import Iterator
from fractions import Fraction
from itertools import chain
from typing import Any

import av

_BUFFER_BYTES = 256 << 10
_MOST_BYTES = 4 << 20  # that the parent gives at once
# How far before the part its key frames are looked for, at first and later.
_BACK_S = (Fraction(1, 2), 2, 10, 60)
_HELD_BYTES, _LOOK_PACKETS = 1 << 30, 64
_BEFORE_ALL = 1 << 40  # ticks: an order alone, earlier than any frame is shown
_KEYS = 2  # what follows a key frame may still depend on the one before (open GOP)


class Asked(io.RawIOBase):
    """A file whose bytes are asked for over a socket: first and last, 8 bytes each."""

    def __init__(self, fd: int, size_bytes: int) -> None:
        self._socket = socket.socket(fileno=fd)
        self._size_bytes, self._at = size_bytes, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size_bytes)[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size_bytes - self._at)
        wanted = left if size < 0 else min(size, left)
        got = b"".join(
            self._ask(at, min(at + _MOST_BYTES, self._at + wanted))
            for at in range(self._at, self._at + wanted, _MOST_BYTES)
        )
        self._at += wanted
        return got

    def _ask(self, start: int, end: int) -> bytes:
        self._socket.sendall(struct.pack(">QQ", start, end))
        got = bytearray()
        while len(got) < end - start:
            block = self._socket.recv(end - start - len(got))
            if not block:
                message = "the source is not read to this process any more"
                raise OSError(message)
            got += block
        return bytes(got)


def main(
    fd: str, size: str, formats: str, track: str, start: str, end: str, at: str, out: str
) -> None:
    """Write to `out` what all frames from `start` to `end` are decoded from.

    Those are seconds on the source's clock; `start` stands at `at` on the clock of `out`.
    """
    av.logging.set_level(av.logging.ERROR)
    source = Asked(int(fd.removeprefix("pipe:")), int(size))
    start_s, end_s = Fraction(start), Fraction(end)
    for back_s in (*_BACK_S, None):
        source.seek(0)
        guards = {"format_whitelist": formats, "protocol_whitelist": "file"}
        with av.open(
            source, "r", options=guards, metadata_errors="replace", buffer_size=_BUFFER_BYTES
        ) as container:
            stream = container.streams[int(track)]
            whole = back_s is None or start_s - back_s <= _seconds(stream, stream.start_time or 0)
            if not whole:
                assert back_s is not None, "the whole has no way back"
                before = int((start_s - back_s) / _tick_s(stream))
                container.seek(before, stream=stream, backward=True)
            packets = _packets(container, stream)
            held, keys = _up_to(packets, start_s)
            if whole or keys >= _KEYS:
                _write(out, stream, _until(chain(held, packets), end_s), Fraction(at) - start_s)
                return


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """Where a stream appeared in the middle of the file PyAV has an error behind the last one."""
    try:
        yield from (packet for packet in container.demux(stream) if packet.size)
    except IndexError:
        return


def _up_to(packets: Iterator[Any], start_s: Fraction) -> tuple[list[Any], int]:
    """The packets from the last key frame but one to the part, and how many keys were seen."""
    held: list[Any] = []
    last_key = keys = 0
    for packet in packets:
        if packet.is_keyframe and packet.pts is not None and _shown_s(packet) <= start_s:
            held = held[last_key:]
            last_key, keys = len(held), keys + 1
        held.append(packet)
        if len(held) % _LOOK_PACKETS == 0 and sum(one.size for one in held) > _HELD_BYTES:
            message = "too much stands between the key frames before the part"
            raise SystemExit(message)
        if _decoded_s(packet) >= start_s:
            break
    return held, keys


def _until(packets: Iterator[Any], end_s: Fraction) -> Iterator[Any]:
    """No frame before `end_s` is decoded from a packet that comes later."""
    for packet in packets:
        if _decoded_s(packet) >= end_s:
            return
        yield packet


def _write(out: str, stream: Any, packets: Iterator[Any], later_s: Fraction) -> None:
    later = round(later_s / _tick_s(stream))
    options = {"avoid_negative_ts": "disabled"}  # the clock is set here, and by nobody else
    with av.open(out, "w", format="matroska", options=options) as container:
        copied = container.add_stream_from_template(stream, opaque=True)
        if stream.codec_context.name == "prores":  # its decoder takes 12 bits by the tag alone
            copied.codec_context.codec_tag = stream.codec_context.codec_tag
        for number, packet in enumerate(packets):
            packet.time_base = _tick_s(stream)
            packet.pts = None if packet.pts is None else packet.pts + later
            packet.dts = number - _BEFORE_ALL  # Matroska keeps none, and after a seek it is a guess
            packet.stream = copied
            container.mux_one(packet)


def _shown_s(packet: Any) -> Fraction:
    return _seconds(packet.stream, packet.pts)


def _decoded_s(packet: Any) -> Fraction:
    """Never later than it is shown."""
    ticks = packet.pts if packet.dts is None else packet.dts
    return Fraction(-1 << 62) if ticks is None else _seconds(packet.stream, ticks)


def _seconds(stream: Any, ticks: int) -> Fraction:
    return ticks * _tick_s(stream)


def _tick_s(stream: Any) -> Fraction:
    return Fraction(stream.time_base)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except av.error.FFmpegError as error:  # its words end up in a plan: no traceback
        sys.exit(error.strerror)
