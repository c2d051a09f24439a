"""HDR Vivid metadata for a sample that a capability is proven with: no encoder here writes it.

Each picture gets the SEI message of GY/T 358 (T/UWA 005.1) with numbers of its own: the smallest
that is valid, without a tone curve.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import av

_SEI_PREFIX = bytes([39 << 1, 1])
_T35 = 4  # user_data_registered_itu_t_t35
_VIVID = bytes([0x26, 0x00, 0x04, 0x00, 0x05])  # China, its provider, HDR Vivid


def mark_vivid(bare: Path, marked: Path) -> None:
    mark(bare, marked, _vivid)


def mark(bare: Path, marked: Path, body: Callable[[int], bytes]) -> None:
    """Write HEVC in MP4 once more, with a T.35 message in each picture, by its number."""
    with av.open(str(bare)) as read, av.open(str(marked), "w") as write:
        stream = write.add_stream_from_template(read.streams.video[0])
        for frame, packet in enumerate(one for one in read.demux(video=0) if one.size):
            made = av.Packet(_with_message(bytes(packet), _message(body(frame))))
            made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
            made.is_keyframe, made.stream = packet.is_keyframe, stream
            write.mux(made)


def _with_message(unit: bytes, message: bytes) -> bytes:
    """Before the first slice of an access unit whose parts have their lengths before them."""
    at = 0
    while unit[at + 4] >> 1 & 0x3F >= 32:
        at += 4 + int.from_bytes(unit[at : at + 4], "big")
    return unit[:at] + len(message).to_bytes(4, "big") + message + unit[at:]


def _message(body: bytes) -> bytes:
    """An SEI message in a unit of its own."""
    message = _SEI_PREFIX + bytes([_T35, len(body)]) + body + b"\x80"
    return re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", message)


def _vivid(frame: int) -> bytes:
    """Start code 1; minimum, mean, variance, maximum of 12 bits; no curve, no saturation."""
    numbers = (1, 900 + frame, 700, 3000)
    return _VIVID + packed(f"{1:08b}" + "".join(f"{value:012b}" for value in numbers) + "00")


def packed(bits: str) -> bytes:
    """Whole bytes, filled up with zeros."""
    bits = bits.ljust(-(-len(bits) // 8) * 8, "0")
    return bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
