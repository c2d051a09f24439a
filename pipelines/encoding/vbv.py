"""The buffer of a decoder (VBV) that is fed at a stream's cap. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from pipelines.encoding.encoders import HANDED_OVER, STARTS
from pipelines.planning.plan_types import VideoPlan

_KEPT = frozenset({"h264", "hevc"})  # SVT-AV1 promises no fill, the others know no cap


@dataclass(frozen=True, slots=True)
class Buffer:
    """Fills at `rate_bps` up to `size_bits`; each picture leaves it at once when it is decoded."""

    rate_bps: int
    size_bits: int
    frame_rate: Fraction


@dataclass(frozen=True, slots=True)
class Played:
    """Of some pictures in the order of decoding: the least that was left, behind which one, and
    what is there for the next one. Less than nothing: it had not arrived in time.
    """

    lowest_bits: Fraction
    lowest_at: int
    end_bits: Fraction


def buffer_of(video: VideoPlan) -> Buffer | None:
    """The buffer that a rung's encoder keeps, if it keeps one."""
    if video.codec not in _KEPT or video.max_bitrate_bps is None or video.buffer_bits is None:
        return None
    return Buffer(video.max_bitrate_bps, video.buffer_bits, video.frame_rate)


def played(sizes_bytes: Iterable[int], buffer: Buffer, start: Fraction) -> Played:
    """`start` is the share of the buffer that is full before the first picture."""
    arriving = buffer.rate_bps / buffer.frame_rate
    full = lowest = start * buffer.size_bits
    lowest_at = 0
    for number, size in enumerate(sizes_bytes):
        full -= size * 8
        if full < lowest:
            lowest, lowest_at = full, number
        full = min(Fraction(buffer.size_bits), full + arriving)
    return Played(lowest, lowest_at, full)


def owed_bits(sizes_bytes: Iterable[int], buffer: Buffer, *, before: bool) -> int:
    """How much more a chunk had to leave, for the next one to find what it counts on.

    Where every chunk owes nothing, the whole never empties the buffer unless one of them by itself
    does: each finds at least what it was encoded for.
    """
    end = played(sizes_bytes, buffer, HANDED_OVER if before else STARTS)
    return max(0, -int((end.end_bits - HANDED_OVER * buffer.size_bits) // 1))
