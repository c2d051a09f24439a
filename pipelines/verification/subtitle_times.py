"""Whether every subtitle is at its time, and all of them are there, from source to rendition."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.planning.plan_types import Plan, Rung, SubtitlePlan
from pipelines.profiles.profile import Container
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS
from pipelines.subtitles.subtitle_tracks import COPIED_LETTERS
from pipelines.verification.copied_sound import CopyProof, Packets
from pipelines.verification.readback import picture_start_s

_ROUNDING_S = Fraction(2, 1000)  # of the source's container
_HEADS: dict[Container, bytes] = {"mkv": b"\x1a\x45\xdf\xa3", "ts": b"\x47"}
_IN_PARTS = "hdmv_pgs_subtitle"
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
    places = [(0, f"s:{at}") for at in range(len(tracks))]
    made = [(1 + at, "s:0") for at in range(len(tracks))]
    _, found = yield from _packets([rendition, *tracks], [*places, *made])
    return [
        f"subtitle track {at}: {fault}"
        for at, planned in enumerate(rung.subtitles)
        for fault in packet_faults(
            found[at],
            found[len(tracks) + at],
            zero_s,
            planned.codec,
            lengths=rung.container != "ts",
        )
    ]


def copied_subtitles(
    rendition: Path, rung: Rung, plan: Plan, source: Path
) -> Generator[Progress, None, CopyProof]:
    """Where the packets of a copy are not at the source's times, counted from the first picture
    and none before it. Reads both files whole, where both are Matroska or both transport streams:
    others make other packets of the same pictures of letters.
    """
    copies = [(at, track) for at, track in enumerate(rung.subtitles) if track.copied]
    if not copies or not _begins_as(source, rung.container):
        return CopyProof()
    zero_s = picture_start_s(rendition)
    places = [(0, f"s:{at}") for at, _ in copies]
    theirs = [(1, str(track.track)) for _, track in copies]
    argv, found = yield from _packets([rendition, source], [*places, *theirs])
    faults = [
        f"subtitle track {at}: {fault}"
        for (at, track), mine, others in zip(
            copies, found[: len(copies)], found[len(copies) :], strict=True
        )
        for fault in time_faults(_times(mine, track, zero_s), _due(others, track, plan))
    ]
    return CopyProof(tuple(faults), argv)


def _packets(
    files: Sequence[Path], tracks: Sequence[tuple[int, str]]
) -> Generator[Progress, None, tuple[tuple[str, ...], list[Packets]]]:
    """Of these tracks, each by the number of its file, on the files' own clocks."""
    found = [Packets() for _ in tracks]
    argv = [ffmpeg(), "-v", "error"]
    for path in files:
        argv += ["-copyts", *INPUT_GUARDS, "-i", str(path)]
    for number, (file, track) in enumerate(tracks):
        argv += ["-map", f"{file}:{track}", *_PLAIN, f"pipe:subtitle{number:03}"]
    taps = {f"subtitle{number:03}": one.feed for number, one in enumerate(found)}
    finished = yield from run(argv, readable=files, taps=taps)
    return finished.argv, found


def _begins_as(source: Path, container: Container) -> bool:
    head = _HEADS.get(container, b"")
    with source.open("rb") as file:
        return bool(head) and file.read(len(head)) == head


def time_faults(found: Sequence[Fraction], due: Sequence[Fraction]) -> Iterator[str]:
    """The first packet that is elsewhere."""
    if len(found) != len(due):
        yield f"it has {len(found)} packets, the source {len(due)}"
        return
    for number, (one, other) in enumerate(zip(found, due, strict=True)):
        if abs(one - other) > _ROUNDING_S:
            yield f"packet {number} is at {float(one):.3f} s, due at {float(other):.3f} s"
            return


def _times(packets: Packets, track: SubtitlePlan, zero_s: Fraction) -> list[Fraction]:
    return _told([tick * packets.tick_s - zero_s for tick in packets.ticks], track)


def _due(packets: Packets, track: SubtitlePlan, plan: Plan) -> list[Fraction]:
    """As `subtitle_tracks` copies them: letters that ended before the first picture go, and a
    `stream` ends with the last.
    """
    due = list[Fraction]()
    for tick, length in zip(packets.ticks, packets.lengths, strict=True):
        at_s = tick * packets.tick_s - plan.first_picture_s
        ended = track.codec in COPIED_LETTERS and length > 0 >= at_s + length * packets.tick_s
        if not ended and not (track.stream and at_s >= plan.duration_s):
            due.append(max(Fraction(0), at_s))
    return _told(due, track)


def _told(times: Sequence[Fraction], track: SubtitlePlan) -> list[Fraction]:
    """Of PGS once each: Matroska has one packet of all parts of a picture, or one of each."""
    return sorted(set(times) if track.codec == _IN_PARTS else times)


@dataclass(frozen=True, slots=True)
class _Said:
    at_s: Fraction
    length_s: Fraction
    size: int

    def __str__(self) -> str:
        return f"at {float(self.at_s):.3f} s for {float(self.length_s):.3f} s, {self.size} bytes"


def packet_faults(
    ours: Packets, theirs: Packets, zero_s: Fraction, codec: str, *, lengths: bool
) -> Iterator[str]:
    """The first packet that is elsewhere, by more than what the coarser container rounds, or whose
    length is another where the container keeps `lengths`.
    """
    within_s = max(ours.tick_s, theirs.tick_s)
    found, wanted = _said(ours, zero_s, codec), _said(theirs, Fraction(0), codec)
    if len(found) != len(wanted):
        yield f"it has {len(found)} packets, {len(wanted)} were made"
        return
    for number, (one, made) in enumerate(zip(found, wanted, strict=True)):
        moved = abs(one.at_s - made.at_s) > within_s
        other = lengths and made.length_s and abs(one.length_s - made.length_s) > within_s
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
