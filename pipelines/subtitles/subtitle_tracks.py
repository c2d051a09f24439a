"""Encode the subtitles: once for the whole source, every distinct track in one pass.

Letters are read as SubRip on the file's own clock, put in their place by `subtitles.cues`, and
written as the rung's container has them. Pictures of letters are copied, packet by packet.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.media import CaptionChannel, SubtitleFault
from pipelines.planning.plan_subtitles import ANCILLARY, UNREADABLE
from pipelines.planning.plan_types import Plan, SubtitlePlan
from pipelines.progress import Progress, part
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS
from pipelines.subtitles import teletext, ttml_track
from pipelines.subtitles.captions import read_ancillary, read_captions
from pipelines.subtitles.cues import (
    Cue,
    clock,
    in_place,
    one_at_a_time,
    read_srt,
    srt,
    webvtt,
    without_drawings,
)
from pipelines.subtitles.sidecar import decoded
from pipelines.subtitles.text_clock import LATE, one_edit, read_late
from pipelines.subtitles.track_limits import (
    MOST_COPIED_BYTES,
    MOST_LETTERS_BYTES,
    bounded,
    run_limited,
)

CAPTION_TRACK = "eia_608"
_READ_HERE = frozenset({CAPTION_TRACK, ttml_track.CODEC, teletext.CODEC})  # of a master's tracks
_DRAWN = frozenset({"ass", "ssa"})
_FOREIGN = re.compile("Invalid UTF-8 in decoded subtitles|Unable to recode subtitle event")
_FAULTY = re.compile(r"#0:(\d+)/\w+ .*Error decoding subtitles")
_DEMUXERS = {"subrip": "srt", "webvtt": "webvtt", "ass": "ass", "ttml": "srt"}
_MUXERS = {"mp4": "mp4", "mkv": "matroska"}
# Of Matroska (RFC 9559, 5.1.3): a file without any is one that nobody reads.
_EMPTY_CLUSTER = bytes.fromhex("1f43b67583e78100")
_TOO_LONG = (
    f"it has more than {MOST_LETTERS_BYTES >> 20} MiB of letters, or stands beside tracks that "
    "have: repair the track, or give a subtitle file of its own"
)
_GROWN_BYTES = MOST_LETTERS_BYTES // 8  # [P] four times the letters of ten hours of film
_READINGS = 4
_MANY_EDITS = "multiple edit list entries"
_PLAIN = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")


@dataclass(frozen=True, slots=True)
class EncodedSubtitles:
    """`files` by `SubtitlePlan.key`: one track each, from zero; `commands` read their sources."""

    files: dict[str, Path]
    commands: tuple[tuple[str, ...], ...]


def encode_subtitles(
    source: Path, plan: Plan, folder: Path
) -> Generator[Progress, None, EncodedSubtitles]:
    """Write every distinct subtitle track of the plan into `folder`; nothing where there is none.

    Raises as `run` does, `LimitExceeded` for a cue that no player would take or a track that no
    programme has, and `UnsupportedMedia` for a file that has none for the time of the programme.
    """
    source, folder = source.resolve(), folder.resolve()
    tracks = distinct_subtitles(plan)
    if not tracks:
        return EncodedSubtitles({}, ())
    commands = []
    inside = {
        key: one
        for key, one in tracks.items()
        if one.file is None and one.channel is None and one.source_codec not in _READ_HERE
    }
    if inside:
        reading = _read(source, plan, inside, folder)
        commands.append((yield from part(reading, 0.0, 0.8, "reading the subtitles")))
    captions: dict[int, Mapping[CaptionChannel, Sequence[Cue]]] = {}
    for one in tracks.values():
        if one.channel and one.track not in captions:
            captions[one.track] = yield from part(
                _channels(source, one), 0.8, 0.9, "reading the captions"
            )
    for key, track in tracks.items():
        if track.file is not None:
            commands.append((yield from _read_file(key, track, Path(track.file), folder)))
    made = [(key, track) for key, track in tracks.items() if not track.copied]
    for number, (key, track) in enumerate(made):
        start, end = 0.9 + 0.1 * number / len(made), 0.9 + 0.1 * (number + 1) / len(made)
        if track.channel:
            cues = captions[track.track].get(track.channel, ())
        else:
            cues = yield from part(_cues(source, key, track, folder, commands), start, start, "")
        making = _made(key, track, cues, plan, folder)
        yield from part(making, start, end, "writing the subtitles")
    files = {key: folder / f"{key}.{track.suffix}" for key, track in tracks.items()}
    return EncodedSubtitles(files, tuple(commands))


def _cues(
    source: Path,
    key: str,
    track: SubtitlePlan,
    folder: Path,
    commands: list[tuple[str, ...]],
) -> Generator[Progress, None, Sequence[Cue]]:
    """Of one track of letters; a further command that reads the source is added to the others."""
    if track.source_codec == CAPTION_TRACK:
        return (yield from _first_channel(source, track.track))
    if track.source_codec == ttml_track.CODEC and track.file is None:
        return (yield from ttml_track.read_ttml_track(source, track.track))
    if track.page:
        argv, cues = yield from teletext.read_page(source, track.track, track.page, folder)
        commands.append(argv)
        return cues
    return (yield from _letters(key, track, folder))


def _channels(
    source: Path, track: SubtitlePlan
) -> Generator[Progress, None, Mapping[CaptionChannel, Sequence[Cue]]]:
    """Of the captions in the pictures, or in ancillary data."""
    if track.source_codec == ANCILLARY:
        _, found = yield from read_ancillary(source, track.track)
        return found
    return (yield from read_captions(source, track.track))


def _first_channel(source: Path, track: int) -> Generator[Progress, None, Sequence[Cue]]:
    """Of a track of CEA-608 (QuickTime's `c608`) the first channel that says something.

    Ffmpeg's decoder shows a caption that replaces another one only when that goes, and leaves out
    what is still there at the end.
    """
    found = yield from read_captions(source, track)
    return next(iter(found.values()), ())


def distinct_subtitles(plan: Plan) -> dict[str, SubtitlePlan]:
    """Every subtitle track of a plan once, by its key."""
    return {one.key: one for rung in plan.rungs for one in rung.subtitles}


def _read(
    source: Path, plan: Plan, tracks: Mapping[str, SubtitlePlan], folder: Path
) -> Generator[Progress, None, tuple[str, ...]]:
    """On the file's own clock: what is copied is ready after it.

    Raises `UnsupportedMedia` for letters that nobody can read, and `LimitExceeded` for too many: an
    inspection finds them before.
    """
    copied = any(track.copied for track in tracks.values())
    argv, unread = yield from _with_letters(
        source,
        _outputs(plan, tracks, folder),
        folder,
        total_s=float(plan.duration_s),
        file_bytes=MOST_COPIED_BYTES if copied else MOST_LETTERS_BYTES,
    )
    if unread:
        named = ", ".join(map(str, unread))
        raise UnsupportedMedia(f"the letters of subtitle track {named} are {UNREADABLE}")
    for key, track in tracks.items():
        if track.copied:
            _end(folder / f"{key}.mkv")
    return argv


def unreadable_tracks(
    source: Path, tracks: Sequence[int], folder: Path
) -> Generator[Progress, None, tuple[tuple[int, ...], tuple[SubtitleFault, ...]]]:
    """Those whose letters are neither UTF-8 nor GB 18030, and those that have too many; `tracks`
    are the source's of letters, and nothing stays in `folder`.

    Packets alone are read, so it takes as long as reading the file: once more where one has too
    many, and four times at most; of the tracks that are left then nobody knows more.
    """
    left, long = list(tracks), list[int]()
    with TemporaryDirectory(prefix="letters-", dir=folder) as made:
        for _ in range(_READINGS):
            if not left:
                break
            files = {track: Path(made, f"{track}.srt") for track in left}
            outputs = [
                word
                for track, file in files.items()
                for word in ("-map", f"0:{track}", "-c", "srt", "-f", "srt", str(file))
            ]
            try:
                _, unread = yield from _with_letters(source, outputs, Path(made))
            except LimitExceeded:
                there = {track: file for track, file in files.items() if file.exists()}
                sizes = {track: file.stat().st_size for track, file in there.items()}
                if max(sizes.values(), default=0) < MOST_LETTERS_BYTES:
                    raise
                # The tool ends where one is full; others that grew beside it would be next.
                full = [track for track, size in sizes.items() if size >= _GROWN_BYTES]
                left = [track for track in left if track not in full]
                long += full
            else:
                return unread, _too_long(long)
    return (), _too_long([*long, *left])


def _too_long(tracks: Sequence[int]) -> tuple[SubtitleFault, ...]:
    return tuple(SubtitleFault(track, _TOO_LONG) for track in sorted(tracks))


def _with_letters(
    source: Path,
    outputs: Sequence[str],
    folder: Path,
    *,
    total_s: float | None = None,
    file_bytes: int = MOST_LETTERS_BYTES,
) -> Generator[Progress, None, tuple[tuple[str, ...], tuple[int, ...]]]:
    """The command that wrote the outputs, and the tracks of which it left letters out.

    It is run once more where letters are not UTF-8, which ffmpeg would leave out: as GB 18030 then.
    """
    foreign: frozenset[int] = frozenset()
    edits = one_edit(source)
    while True:
        argv = [ffmpeg(), "-v", "warning", "-y", "-copyts", "-max_error_rate", "1", *INPUT_GUARDS]
        argv += edits
        argv += [word for one in sorted(foreign) for word in (f"-sub_charenc:{one}", "GB18030")]
        complaints = _Complaints()
        finished = yield from run_limited(
            [*argv, "-i", str(source), *outputs],
            readable=[source],
            writable=[folder],
            total_s=total_s,
            said=complaints.feed,
            file_bytes=file_bytes,
        )
        told = complaints.tracks()
        if edits and complaints.many_edits:
            edits = ()
            continue
        if told <= foreign:
            return finished.argv, tuple(sorted(told))
        foreign |= told


class _Complaints:
    """Takes a whole log: what is said of one track may be long before what is said of another."""

    def __init__(self) -> None:
        self._rest = b""
        self._foreign = False
        self.many_edits = False
        self._faulty: set[int] = set()

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            said = line.decode(errors="replace")
            self._foreign = self._foreign or bool(_FOREIGN.search(said))
            self.many_edits = self.many_edits or _MANY_EDITS in said
            self._faulty |= {int(number) for number in _FAULTY.findall(said)}

    def tracks(self) -> frozenset[int]:
        """Those of which letters were left out, where any are in another code."""
        self.feed(b"\n")
        return frozenset(self._faulty if self._foreign else ())


def _outputs(plan: Plan, tracks: Mapping[str, SubtitlePlan], folder: Path) -> list[str]:
    argv: list[str] = []
    for key, track in tracks.items():
        argv += ["-map", f"0:{track.track}"]
        if track.copied:
            argv += ["-c", "copy", "-bsf:s", _shifted(plan, ends=track.stream)]
            argv += [*_PLAIN, "-f", "matroska", "-live", "1", str(folder / f"{key}.mkv")]
        else:
            argv += _taken(key, track, folder)
    return argv


def _end(copied: Path) -> None:
    """A track may have no packet, as one of a channel that shows subtitles in the evening alone.

    The file says no length (`-live`), so that what comes behind belongs to it.
    """
    with copied.open("ab") as file:
        file.write(_EMPTY_CLUSTER)


def _read_file(
    key: str, track: SubtitlePlan, file: Path, folder: Path
) -> Generator[Progress, None, tuple[str, ...]]:
    """Of a file beside the master, as `_reading` leaves it."""
    argv = [ffmpeg(), "-v", "warning", "-y", "-f", _DEMUXERS[track.source_codec]]
    argv += ["-i", str(file), "-map", "0:s:0", *_taken(key, track, folder)]
    finished = yield from run_limited(argv, readable=[file], writable=[folder])
    return finished.argv


def _taken(key: str, track: SubtitlePlan, folder: Path) -> list[str]:
    """ASS as it is, for its drawings; all else as SubRip."""
    if track.source_codec in _DRAWN:
        return ["-c", "copy", "-f", "ass", str(folder / f"{key}.read.ass")]
    return ["-c", "srt", *LATE, "-f", "srt", str(folder / f"{key}.read.srt")]


def _shifted(plan: Plan, *, ends: bool) -> str:
    """Counted from the first picture, what comes before it at its time; `ends` with the last."""
    zero = f"{float(plan.first_picture_s):.6f}/TB"
    early = f"max(0,{zero}-PTS)"
    moved = (
        f"setts=pts='max(0,PTS-{zero})':dts='max(0,DTS-{zero})':duration='max(0,DURATION-{early})'"
    )
    end = float(plan.first_picture_s + plan.duration_s)
    return f"noise=drop='gte(pts*tb,{end:.6f})',{moved}" if ends else moved


def _letters(
    key: str, track: SubtitlePlan, folder: Path
) -> Generator[Progress, None, Sequence[Cue]]:
    """Of a track or file that was read."""
    read = folder / f"{key}.read.srt"
    if track.source_codec in _DRAWN:
        drawn, plain = folder / f"{key}.read.ass", folder / f"{key}.plain.ass"
        plain.write_text(without_drawings(decoded(bounded(drawn))), "utf-8")
        yield from _call(
            ["-f", "ass", "-i", str(plain), "-c", "srt", *LATE, "-f", "srt", str(read)], folder
        )
    return read_late(bounded(read).read_text("utf-8", "replace"))


def _made(
    key: str, track: SubtitlePlan, cues: Sequence[Cue], plan: Plan, folder: Path
) -> Generator[Progress, None, None]:
    """Letters in their place, as one cue at any moment where the container is MP4."""
    zero_s = plan.first_picture_s if track.file is None else Fraction(0)
    read, cues = cues, in_place(cues, zero_s, plan.duration_s)
    if track.file is not None and not cues and read:
        raise UnsupportedMedia(_outside(track, read, plan))
    placed = folder / f"{key}.srt"
    placed.write_text(srt(one_at_a_time(cues) if track.suffix == "mp4" else cues), "utf-8")
    out = folder / f"{key}.{track.suffix}"
    coded = ["-map", "0:s:0", "-c:s", track.codec, *_PLAIN, "-f", _MUXERS[track.suffix], str(out)]
    yield from _call(["-f", "srt", "-i", str(placed), *coded], folder)


def _outside(track: SubtitlePlan, cues: Sequence[Cue], plan: Plan) -> str:
    """Why nothing is left of a file that was given to be shown."""
    due_s = min(cue.start_s for cue in cues)
    return (
        f"nothing of the subtitle file ({track.language}) would be shown: its first words are due "
        f"at {clock(due_s)}, and the programme lasts {clock(plan.duration_s)}. "
        "Count its times from the first picture"
    )


def write_webvtt(
    rendition: Path, position: int, length_s: Fraction, out: Path
) -> Generator[Progress, None, None]:
    """The subtitle track at that position of a finished rendition, as WebVTT of the same length.

    A last cue, which is empty, makes segments and playlists last as long as the picture's.
    """
    read = out.with_suffix(".srt")
    argv = [ffmpeg(), "-v", "warning", "-y", "-i", str(rendition), "-map", f"0:s:{position}"]
    argv += ["-c", "srt", "-f", "srt", str(read)]
    yield from run_limited(argv, readable=[rendition], writable=[out.parent])
    cues = in_place(read_srt(read.read_text("utf-8", "replace")), Fraction(0), length_s)
    last = Cue(length_s - Fraction(1, 1000), length_s, "")
    out.write_text(webvtt([*cues, last]), "utf-8")


def _call(arguments: Sequence[str], folder: Path) -> Generator[Progress, None, None]:
    yield from run_limited(
        [ffmpeg(), "-v", "warning", "-y", *arguments], readable=[folder], writable=[folder]
    )
