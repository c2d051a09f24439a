"""The proof of copied sound: its packets have the MD5s of the source's, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.planning.plan_types import AudioPlan, Plan, Rung
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS

_ROUNDING_S = Fraction(2, 1000)  # of the source's container
# The head that AAC has before each packet in a transport stream, and in MP4 once for all.
_BARE = {"aac": "aac_adtstoasc"}


@dataclass(frozen=True, slots=True)
class Packet:
    """`at_s` is on ffmpeg's clock."""

    at_s: Fraction
    md5: bytes


@dataclass(frozen=True, slots=True)
class CopyProof:
    """`faults` say what differs; `argv` hashed both files, where there was something to hash."""

    faults: tuple[str, ...] = ()
    argv: tuple[str, ...] = ()


def copied_sound(
    rendition: Path, rung: Rung, plan: Plan, source: Path
) -> Generator[Progress, None, CopyProof]:
    """Read both files whole, without decoding anything."""
    copies = [_Copy(at, track) for at, track in enumerate(rung.audio) if track.copied]
    if not copies:
        return CopyProof()
    finished = yield from run(
        [
            *(ffmpeg(), "-v", "error", *INPUT_GUARDS, "-i", str(source), "-i", str(rendition)),
            *(word for one in copies for word in one.outputs(plan)),
            *_clock(plan),
        ],
        readable=[source, rendition],
        taps={name: tap for one in copies for name, tap in one.taps().items()},
        total_s=float(plan.duration_s),
    )
    return CopyProof(tuple(fault for one in copies for fault in one.faults(plan)), finished.argv)


def packet_faults(
    ours: Sequence[bytes], theirs: Sequence[Packet], zero_s: Fraction, duration_s: Fraction
) -> list[str]:
    """All of the source's packets from the picture's beginning to its end, and nothing else."""
    if not ours:
        return ["it has no packets"]
    hashes = [packet.md5 for packet in theirs]
    places = [at for at, md5 in enumerate(hashes) if md5 == ours[0]]
    first = next((at for at in places if hashes[at : at + len(ours)] == list(ours)), None)
    if first is None:
        return [f"its {len(ours)} packets are not the source's"]
    faults = []
    missing = sum(packet.at_s >= zero_s + _ROUNDING_S for packet in theirs[:first])
    if missing:
        faults.append(f"{missing} packets are missing at its beginning")
    end_s = zero_s + duration_s - _ROUNDING_S
    missing = sum(packet.at_s < end_s for packet in theirs[first + len(ours) :])
    if missing:
        faults.append(f"{missing} packets are missing at its end")
    return faults


def _clock(plan: Plan) -> list[str]:
    """What ffmpeg counts from has to be read too."""
    tracks = [word for index in plan.clock_tracks for word in ("-map", f"0:{index}")]
    return [*tracks, "-c", "copy", "-f", "null", "-"] if tracks else []


class _Packets:
    """Times and hashes, from ffmpeg's framehash."""

    def __init__(self) -> None:
        self.found: list[Packet] = []
        self._tick_s = Fraction(1)
        self._rest = b""

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"#tb"):
                self._tick_s = Fraction(line.split()[-1].decode())
            elif line and not line.startswith(b"#"):
                row = line.split(b",")
                self.found.append(Packet(int(row[2]) * self._tick_s, row[5].strip()))


class _Copy:
    """A track of the rendition, and the source's that it is a copy of."""

    def __init__(self, position: int, track: AudioPlan) -> None:
        self._position = position
        self._track = track
        self._ours, self._theirs = _Packets(), _Packets()

    def outputs(self, plan: Plan) -> list[str]:
        bare = _BARE.get(self._track.codec)
        hashed = ("-c", "copy", *(("-bsf:a", bare) if bare else ()))
        hashed = (*hashed, "-f", "framehash", "-hash", "md5")
        theirs, ours = self._names()
        return [
            *("-map", f"0:{plan.audio_tracks[self._track.tracks[0]]}", *hashed, f"pipe:{theirs}"),
            *("-map", f"1:a:{self._position}", *hashed, f"pipe:{ours}"),
        ]

    def taps(self) -> dict[str, Callable[[bytes], object]]:
        theirs, ours = self._names()
        return {theirs: self._theirs.feed, ours: self._ours.feed}

    def faults(self, plan: Plan) -> list[str]:
        ours = [packet.md5 for packet in self._ours.found]
        zero_s = plan.first_picture_s - plan.start_s
        found = packet_faults(ours, self._theirs.found, zero_s, plan.duration_s)
        return [f"audio track {self._position}: {fault}" for fault in found]

    def _names(self) -> tuple[str, str]:
        return f"copy{self._position:03}source", f"copy{self._position:03}rendition"
