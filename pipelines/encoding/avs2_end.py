"""What makes the last picture of an AVS2 stream decode: its sequence header once more, and the end.

Where neither a picture nor a sequence header follows it, libdavs2 reads it wrongly, and mostly
says nothing. Decision 11 has the figures.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.errors import MediaError
from pipelines.sources.written_packets import picture_packets

_START, _SEQUENCE, _END = b"\0\0\1", b"\0\0\1\xb0", b"\0\0\1\xb1"


def write_end(chunk: Path, out: Path) -> Path:
    """An elementary stream that ends the sequence that `chunk` begins: it has no picture."""
    out.write_bytes(sequence_header(_first_packet(chunk)) + _END)
    return out


def sequence_header(coded: bytes) -> bytes:
    """The one that a stream begins with, up to the next start code."""
    first = coded.find(_SEQUENCE)
    last = coded.find(_START, first + len(_SEQUENCE))
    if first < 0 or last < 0:
        message = "a chunk of AVS2 does not begin with a sequence header: encode it again"
        raise MediaError(message)
    return coded[first:last]


def _first_packet(chunk: Path) -> bytes:
    return next((bytes(packet) for packet in picture_packets(chunk)), b"")
