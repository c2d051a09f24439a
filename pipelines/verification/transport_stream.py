"""What an MPEG transport stream says and does (ISO/IEC 13818-1): tables, clock, arrival of data.

Kapok's own streams: one programme, tables of one section, packets of 188 bytes.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.progress import Progress

Rows = NDArray[np.uint8]
Numbers = NDArray[np.float64]

PACKET_BYTES = 188
_SYNC = 0x47
_BLOCK_PACKETS = 1 << 16
_YIELD_S = 0.4
_PAT, _SDT = 0x0000, 0x0011
_SERVICE_DESCRIPTOR = 0x48
_PRIVATE_DATA = 0x06  # a stream type (table 2-34): subtitles, of which there may be none for hours
_CLOCK_HZ, _STAMP_HZ = 27_000_000, 90_000
_TURN_S = 2**33 / _STAMP_HZ  # 26.5 hours, after which all stamps begin anew


class BadTransport(Exception):
    """Raised where a file is no transport stream that can be read to its end."""


@dataclass(frozen=True, slots=True)
class Transport:
    """`stream_types` are the PMT's, by rising PID. `rate_bps` is the mean over all clock stamps.

    `clock_jitter_s` is how far a stamp lies off that rate, `clock_gap_s` the longest time between
    two; `late_s` how much later than its decoding time the last byte of a picture or of sound
    arrives, by the stream's own clock: above zero, receivers run dry.
    """

    stream_types: tuple[int, ...]
    service_name: str
    service_provider: str
    rate_bps: float
    clock_jitter_s: float
    clock_gap_s: float
    late_s: float


@dataclass(slots=True)
class _Found:
    """What passes by: clock stamps and starts of PES packets, by the packet's number."""

    tables: dict[int, bytes] = field(default_factory=dict)
    clock_at: list[int] = field(default_factory=list)
    clock_s: list[float] = field(default_factory=list)
    starts: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    ends: dict[int, list[int]] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)


def read_transport(path: Path) -> Generator[Progress, None, Transport]:
    """Read all of a transport stream; `BadTransport` where its structure is broken."""
    found, size, shown = _Found(), path.stat().st_size, time.monotonic()
    yield Progress(share=0.0)
    for first, rows in _blocks(path):
        _take(found, first, rows)
        if time.monotonic() - shown >= _YIELD_S:
            shown = time.monotonic()
            yield Progress(share=min((first + len(rows)) * PACKET_BYTES / size, 1.0))
    return _told(found)


def _told(found: _Found) -> Transport:
    pmt_pid = _programme(found.tables.get(_PAT, b""))
    types = dict(sorted(_streams(found.tables.get(pmt_pid, b"")).items()))
    if not types or len(found.clock_at) < 2:
        message = "there is no programme in it, or no clock"
        raise BadTransport(message)
    clock_at = np.array(found.clock_at, float)
    clock_s = np.unwrap(found.clock_s, period=_TURN_S)
    slope = (clock_s[-1] - clock_s[0]) / (clock_at[-1] - clock_at[0])
    off_s = clock_s - clock_s[0] - (clock_at - clock_at[0]) * slope
    provider, name = _service(found.tables.get(_SDT, b""))
    return Transport(
        stream_types=tuple(types.values()),
        service_name=name,
        service_provider=provider,
        rate_bps=PACKET_BYTES * 8 / slope,
        clock_jitter_s=float(np.abs(off_s).max()),
        clock_gap_s=float(np.diff(clock_s).max()),
        late_s=max(
            (
                _lateness(found, pid, clock_at, clock_s)
                for pid, kind in types.items()
                if pid in found.starts or kind != _PRIVATE_DATA
            ),
            default=float("inf"),
        ),
    )


def _blocks(path: Path) -> Iterator[tuple[int, Rows]]:
    first = 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK_PACKETS * PACKET_BYTES):
            if len(block) % PACKET_BYTES:
                message = "it ends within a packet"
                raise BadTransport(message)
            rows = np.frombuffer(block, np.uint8).reshape(-1, PACKET_BYTES)
            if (rows[:, 0] != _SYNC).any():
                message = "packets do not follow each other"
                raise BadTransport(message)
            yield first, rows
            first += len(rows)


def _take(found: _Found, first: int, rows: Rows) -> None:
    pids = (rows[:, 1].astype(np.uint16) & 0x1F) << 8 | rows[:, 2]
    begins = (rows[:, 1] & 0x40) != 0
    adapted = (rows[:, 3] & 0x20) != 0
    clocked = adapted & (rows[:, 4] > 0) & ((rows[:, 5] & 0x10) != 0)
    for at in np.flatnonzero(clocked):
        found.clock_at.append(first + int(at))
        found.clock_s.append(_clock_s(bytes(rows[at, 6:12])))
    for at in np.flatnonzero(begins):
        _begin(found, int(pids[at]), first + int(at), _payload(bytes(rows[at])))
    for pid in found.tables:
        found.tables[pid] = _read_on(found.tables[pid], rows[pids == pid], begins[pids == pid])
    for pid in found.starts:
        mine = np.flatnonzero(pids == pid)
        order = np.flatnonzero(begins[mine])
        earlier = [found.last[pid]] if pid in found.last and len(order) and order[0] == 0 else []
        before = first + mine[order[order > 0] - 1]
        found.ends.setdefault(pid, []).extend([*earlier, *before.tolist()])
        if len(mine):
            found.last[pid] = first + int(mine[-1])


def _begin(found: _Found, pid: int, at: int, payload: bytes) -> None:
    if payload[:3] == b"\x00\x00\x01":
        stamp_s = _decoding_s(payload)
        if stamp_s is not None:
            found.starts.setdefault(pid, []).append((at, stamp_s))
    elif payload:
        found.tables.setdefault(pid, b"")


def _read_on(table: bytes, rows: Rows, begins: NDArray[np.bool_]) -> bytes:
    """What is there of a table's first section, with what these packets add to it."""
    for row, new in zip(rows, begins, strict=True):
        if _is_whole(table):
            break
        payload = _payload(bytes(row))
        if new and payload:
            table = payload[1 + payload[0] :]
        elif table:
            table += payload
    return table


def _lateness(found: _Found, pid: int, clock_at: Numbers, clock_s: Numbers) -> float:
    """The greatest, over all of a stream's PES packets; what lies behind the last clock stamp is
    taken at the rate of the two before it.
    """
    starts = found.starts.get(pid, [])
    ends = [*found.ends.get(pid, []), found.last.get(pid, 0)][: len(starts)]
    if not starts or len(ends) < len(starts):
        return float("inf")
    slope = (clock_s[-1] - clock_s[-2]) / (clock_at[-1] - clock_at[-2])
    at = np.array(ends, float) + 1
    arrived_s = np.interp(at, clock_at, clock_s) + np.maximum(at - clock_at[-1], 0) * slope
    late_s = arrived_s - np.array([stamp_s for _, stamp_s in starts])
    return float((late_s - _TURN_S * np.round(late_s / _TURN_S)).max())


def _payload(packet: bytes) -> bytes:
    if not packet[3] & 0x10:
        return b""
    return packet[5 + packet[4] :] if packet[3] & 0x20 else packet[4:]


def _clock_s(stamp: bytes) -> float:
    """33 bits of 90 kHz and 9 of 27 MHz."""
    value = int.from_bytes(stamp, "big")
    return ((value >> 15) * 300 + (value & 0x1FF)) / _CLOCK_HZ


def _decoding_s(pes: bytes) -> float | None:
    """DTS, or PTS where both are one; `None` for a stream without stamps."""
    if len(pes) < 19 or not pes[7] & 0x80:
        return None
    stamp = pes[14:19] if pes[7] & 0x40 else pes[9:14]
    value = (stamp[0] >> 1 & 7) << 30 | stamp[1] << 22 | stamp[2] >> 1 << 15
    return (value | stamp[3] << 7 | stamp[4] >> 1) / _STAMP_HZ


def _section(table: bytes) -> bytes:
    """The bytes of a section between its head of 8 and its checksum."""
    if len(table) < 12:
        return b""
    return table[8 : _length(table) - 4]


def _is_whole(table: bytes) -> bool:
    return len(table) >= 3 and len(table) >= _length(table)


def _length(table: bytes) -> int:
    return 3 + ((table[1] & 0x0F) << 8 | table[2])


def _programme(pat: bytes) -> int:
    """The PID of the first programme's table."""
    body = _section(pat)
    return (body[2] & 0x1F) << 8 | body[3] if len(body) >= 4 else -1


def _streams(pmt: bytes) -> Mapping[int, int]:
    """Stream type by PID."""
    body = _section(pmt)
    at = 4 + ((body[2] & 0x0F) << 8 | body[3]) if len(body) >= 4 else 0
    types: dict[int, int] = {}
    while at + 5 <= len(body):
        types[(body[at + 1] & 0x1F) << 8 | body[at + 2]] = body[at]
        at += 5 + ((body[at + 3] & 0x0F) << 8 | body[at + 4])
    return types


def _service(sdt: bytes) -> Sequence[str]:
    """Provider and name of the first service (ETSI EN 300 468, 6.2.33)."""
    body = _section(sdt)[8:]
    while len(body) >= 5:
        tag, length = body[0], body[1]
        if tag == _SERVICE_DESCRIPTOR:
            long = body[3]
            return _text(body[4 : 4 + long]), _text(body[5 + long : 2 + length])
        body = body[2 + length :]
    return "", ""


def _text(coded: bytes) -> str:
    """The first byte may name a table of characters; 0x15 is UTF-8."""
    return coded.lstrip(b"\x15").decode("utf-8", "replace")
