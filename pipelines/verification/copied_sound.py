"""The proof of copied sound: its packets have the MD5s of the source's, one after the other."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.encoding.clock import clock_output_words
from pipelines.planning.plan_types import AudioPlan, Plan, Rung
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS, clock_words

_ROUNDING_S = Fraction(2, 1000)  # of the source's container
_EARLY = 3  # packets before the picture that a copy may begin with: one, and what rounding moves
_DIGEST_BYTES = 16
# The head that AAC has before each packet in a transport stream, and in MP4 once for all.
_BARE = {"aac": "aac_adtstoasc"}


class Packets:
    """Times on ffmpeg's clock, lengths, sizes and MD5s of one track's packets, from its framehash.

    As objects those of 24 h of two files took two gigabytes.
    """

    def __init__(self) -> None:
        self.ticks, self.lengths, self.sizes = array("q"), array("q"), array("q")
        self.tick_s = Fraction(1)
        self.digests = bytearray()
        self._rest = b""

    def __len__(self) -> int:
        return len(self.ticks)

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            if line.startswith(b"#tb"):
                self.tick_s = Fraction(line.split()[-1].decode())
            elif line and not line.startswith(b"#"):
                row = line.split(b",")
                self.ticks.append(int(row[2]))
                self.lengths.append(int(row[3]))
                self.sizes.append(int(row[4]))
                self.digests += bytes.fromhex(row[5].decode())

    def before(self, at_s: Fraction, start: int = 0, end: int | None = None) -> int:
        """How many of those from `start` to before `end` begin earlier."""
        limit = math.ceil(at_s / self.tick_s)
        return sum(tick < limit for tick in self.ticks[start:end])

    def holds(self, others: Packets, at: int) -> bool:
        """Whether the others are those from `at` on."""
        start = at * _DIGEST_BYTES
        return self.digests[start : start + len(others.digests)] == others.digests

    def places_of(self, others: Packets) -> list[int]:
        """Where the others are first found, if they are."""
        start = self.digests.find(others.digests)
        while start % _DIGEST_BYTES and start > 0:
            start = self.digests.find(others.digests, start + 1)
        return [] if start < 0 else [start // _DIGEST_BYTES]


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
            *(ffmpeg(), "-v", "error", *INPUT_GUARDS, *clock_words(track_gaps=plan.track_gaps)),
            *("-i", str(source), "-i", str(rendition)),
            *(word for one in copies for word in one.outputs(plan)),
            *clock_output_words(plan),
        ],
        readable=[source, rendition],
        taps={name: tap for one in copies for name, tap in one.taps().items()},
        total_s=float(plan.duration_s),
    )
    return CopyProof(tuple(fault for one in copies for fault in one.faults(plan)), finished.argv)


def packet_faults(
    ours: Packets, theirs: Packets, zero_s: Fraction, duration_s: Fraction
) -> list[str]:
    """All of the source's packets from the picture's beginning to its end, and nothing else.

    Where that is, times say: packets of silence are equal to each other.
    """
    if not ours:
        return ["it has no packets"]
    begins = theirs.before(zero_s + _ROUNDING_S)
    near = range(begins, max(0, begins - _EARLY) - 1, -1)
    places = [at for at in near if theirs.holds(ours, at)] or theirs.places_of(ours)
    every = [_faults_at(at, ours, theirs, zero_s, duration_s) for at in places]
    return min(every, key=len, default=[f"its {len(ours)} packets are not the source's"])


def _faults_at(
    first: int, ours: Packets, theirs: Packets, zero_s: Fraction, duration_s: Fraction
) -> list[str]:
    """Of a copy that is the source's packets from the `first` on."""
    faults = []
    missing = first - theirs.before(zero_s + _ROUNDING_S, end=first)
    if missing:
        faults.append(f"{missing} packets are missing at its beginning")
    end_s = zero_s + duration_s - _ROUNDING_S
    missing = theirs.before(end_s, start=first + len(ours))
    if missing:
        faults.append(f"{missing} packets are missing at its end")
    return faults


class _Copy:
    """A track of the rendition, and the source's that it is a copy of."""

    def __init__(self, position: int, track: AudioPlan) -> None:
        self._position = position
        self._track = track
        self._ours, self._theirs = Packets(), Packets()

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
        zero_s = plan.first_picture_s - plan.start_s
        found = packet_faults(self._ours, self._theirs, zero_s, plan.duration_s)
        return [f"audio track {self._position}: {fault}" for fault in found]

    def _names(self) -> tuple[str, str]:
        return f"copy{self._position:03}source", f"copy{self._position:03}rendition"
