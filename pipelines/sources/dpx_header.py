"""What the first image of a DPX sequence says of its rate and timecode (SMPTE ST 268-1)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.encoding.timecode import timecode_at
from pipelines.errors import UnsupportedMedia

_ORDERS = {b"SDPX": ">", b"XPDS": "<"}
_HEADER_BYTES = 2048
_FILM_RATE, _TIMECODE, _VIDEO_RATE = 1724, 1920, 1940  # places of the film and television headers
_FILM_END = 1920
_UNSAID = 0xFFFFFFFF
_FASTEST = 1000  # [P] what is no number of pictures is nothing
_CLOSE = 0.0015  # [P] headers write 24 for 24000/1001


@dataclass(frozen=True, slots=True)
class DpxHeader:
    """Pictures a second, television's first, and eight digits `HHMMSSFF`; what is not said, or zero
    as encoders write it that know nothing, is not there.
    """

    rates: tuple[float, ...] = ()
    timecode: str | None = None


def read_dpx(path: Path) -> DpxHeader:
    with path.open("rb") as file:
        return dpx_header(file.read(_HEADER_BYTES))


def dpx_header(head: bytes) -> DpxHeader:
    """The film's and the television's own parts may be left out: where the pictures begin says."""
    order = _ORDERS.get(head[:4])
    if order is None or len(head) < _HEADER_BYTES:
        return DpxHeader()
    (begin,) = struct.unpack_from(f"{order}I", head, 4)
    said = [
        struct.unpack_from(f"{order}f", head, at)[0]
        for at, end in ((_VIDEO_RATE, _HEADER_BYTES), (_FILM_RATE, _FILM_END))
        if begin >= end
    ]
    (coded,) = struct.unpack_from(f"{order}I", head, _TIMECODE)
    there = begin >= _HEADER_BYTES and coded not in (0, _UNSAID)
    rates = tuple(rate for rate in said if math.isfinite(rate) and 0 < rate <= _FASTEST)
    return DpxHeader(rates, f"{coded:08x}" if there else None)


def refuse_other_rate(image: Path, said: Sequence[float], rate: Fraction) -> None:
    """Raise `UnsupportedMedia` where an image says its rate, and it is another one."""
    if said and not any(abs(one / rate - 1) < _CLOSE for one in said):
        raise UnsupportedMedia(
            f"{image.name} says {said[0]:g} pictures a second in its header, and --rate is "
            f"{float(rate):g}: give the right --rate, or correct the headers"
        )


def start_timecode(digits: str, rate: Fraction) -> str | None:
    """Counted at the sequence's rate; `None` of what is no timecode at that rate."""
    start = timecode_at(":".join(digits[at : at + 2] for at in range(0, 8, 2)), rate, rate)
    return str(start) if start else None
