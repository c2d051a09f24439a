"""Whether a join has left every subtitle at its time, and all of them there."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.planning.plan_types import Rung
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS
from pipelines.verification.copied_sound import Packets
from pipelines.verification.readback import picture_start_s

_EMPTY_SAMPLE = 2  # bytes of mov_text without any words
_PLAIN = ("-c", "copy", "-avoid_negative_ts", "disabled", "-f", "framehash", "-hash", "md5")


def joined_subtitles(
    rendition: Path, rung: Rung, tracks: Sequence[Path]
) -> Generator[Progress, None, list[str]]:
    """Where its packets are not those of the `tracks` that it was joined from, one a subtitle,
    counted from its first picture. Reads it whole, without decoding anything.
    """
    if not tracks:
        return []
    zero_s = picture_start_s(rendition)
    ours, theirs = ([Packets() for _ in tracks] for _ in range(2))
    argv = [ffmpeg(), "-v", "error"]
    for path in (rendition, *tracks):
        argv += ["-copyts", *INPUT_GUARDS, "-i", str(path)]
    taps = {}
    for at in range(len(tracks)):
        for name, track, into in (("ours", f"0:s:{at}", ours), ("theirs", f"{1 + at}:s:0", theirs)):
            taps[f"{name}{at:03}"] = into[at].feed
            argv += ["-map", track, *_PLAIN, f"pipe:{name}{at:03}"]
    yield from run(argv, readable=[rendition, *tracks], taps=taps)
    return [
        f"subtitle track {at}: {fault}"
        for at, planned in enumerate(rung.subtitles)
        for fault in packet_faults(ours[at], theirs[at], zero_s, planned.codec)
    ]


@dataclass(frozen=True, slots=True)
class _Said:
    at_s: Fraction
    length_s: Fraction
    size: int

    def __str__(self) -> str:
        return f"at {float(self.at_s):.3f} s for {float(self.length_s):.3f} s, {self.size} bytes"


def packet_faults(ours: Packets, theirs: Packets, zero_s: Fraction, codec: str) -> Iterator[str]:
    """The first packet that is elsewhere, by more than what the coarser container rounds."""
    within_s = max(ours.tick_s, theirs.tick_s)
    found, wanted = _said(ours, zero_s, codec), _said(theirs, Fraction(0), codec)
    if len(found) != len(wanted):
        yield f"it has {len(found)} packets, {len(wanted)} were made"
        return
    for number, (one, made) in enumerate(zip(found, wanted, strict=True)):
        moved = abs(one.at_s - made.at_s) > within_s
        other = made.length_s and abs(one.length_s - made.length_s) > within_s
        if moved or other or one.size != made.size:
            yield f"packet {number} is {one}, and was made {made}"
            return


def _said(packets: Packets, zero_s: Fraction, codec: str) -> list[_Said]:
    """Without the gaps that text in MP4 has between two cues."""
    gaps = codec == "mov_text"
    return [
        _Said(tick * packets.tick_s - zero_s, length * packets.tick_s, size)
        for tick, length, size in zip(packets.ticks, packets.lengths, packets.sizes, strict=True)
        if not (gaps and size <= _EMPTY_SAMPLE)
    ]
