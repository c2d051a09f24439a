"""Encode the subtitles: once for the whole source, every distinct track in one pass.

Letters are read on the file's own clock by `subtitles.letter_tracks`, put in their place by
`subtitles.cues`, and written as the rung's container has them. Pictures of letters are copied,
packet by packet.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.errors import UnsupportedMedia
from pipelines.media import CaptionChannel
from pipelines.planning.plan_subtitles import ANCILLARY
from pipelines.planning.plan_types import Plan, SubtitlePlan
from pipelines.progress import Progress, part
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import INPUT_GUARDS
from pipelines.subtitles import teletext, ttml_track
from pipelines.subtitles.captions import CAPTION_TRACK, read_ancillary, read_captions
from pipelines.subtitles.cues import Cue, clock, in_place, one_at_a_time, srt, webvtt, within
from pipelines.subtitles.letter_tracks import READ_ELSEWHERE, read_position, read_tracks
from pipelines.subtitles.sidecar import read_file
from pipelines.subtitles.text_clock import MANY_EDITS, Words, one_edit
from pipelines.subtitles.timed_text import write_mp4
from pipelines.subtitles.track_limits import MOST_COPIED_BYTES, run_limited

COPIED_LETTERS = frozenset({"subrip", "ass", "webvtt"})
# Of Matroska (RFC 9559, 5.1.3): a file without any is one that nobody reads.
_EMPTY_CLUSTER = bytes.fromhex("1f43b67583e78100")
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
        if one.file is None and one.channel is None and one.source_codec not in READ_ELSEWHERE
    }
    if copied := {key: one for key, one in inside.items() if one.copied}:
        copying = _copy(source, plan, copied, folder)
        commands.append((yield from part(copying, 0.0, 0.5, "copying the subtitles")))
    letters: dict[int, list[Cue]] = {}
    if wanted := sorted({one.track for one in inside.values() if not one.copied}):
        reading = read_tracks(source, wanted)
        letters = yield from part(reading, 0.5, 0.8, "reading the subtitles")
    captions: dict[int, Mapping[CaptionChannel, Sequence[Cue]]] = {}
    for one in tracks.values():
        if one.channel and one.track not in captions:
            captions[one.track] = yield from part(
                _channels(source, one), 0.8, 0.9, "reading the captions"
            )
    made = [(key, track) for key, track in tracks.items() if not track.copied]
    for number, (key, track) in enumerate(made):
        start, end = 0.9 + 0.1 * number / len(made), 0.9 + 0.1 * (number + 1) / len(made)
        if track.channel:
            cues = captions[track.track].get(track.channel, ())
        elif track.file is not None:
            cues = read_file(track, Path(track.file))
        elif track.source_codec in READ_ELSEWHERE:
            cues = yield from part(_cues(source, track, folder, commands), start, start, "")
        else:
            cues = letters[track.track]
        making = _made(key, track, cues, plan, folder)
        yield from part(making, start, end, "writing the subtitles")
    files = {key: folder / f"{key}.{track.suffix}" for key, track in tracks.items()}
    return EncodedSubtitles(files, tuple(commands))


def _cues(
    source: Path,
    track: SubtitlePlan,
    folder: Path,
    commands: list[tuple[str, ...]],
) -> Generator[Progress, None, Sequence[Cue]]:
    """Of one track of letters; a further command that reads the source is added to the others."""
    if track.source_codec == CAPTION_TRACK:
        return (yield from _first_channel(source, track.track))
    if track.source_codec == ttml_track.CODEC:
        return (yield from ttml_track.read_ttml_track(source, track.track))
    assert track.page, "of teletext there are pages"
    argv, cues = yield from teletext.read_page(source, track.track, track.page, folder)
    commands.append(argv)
    return cues


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


def _copy(
    source: Path, plan: Plan, tracks: Mapping[str, SubtitlePlan], folder: Path
) -> Generator[Progress, None, tuple[str, ...]]:
    """Packets as they are, read on the file's own clock."""
    edits = one_edit(source)
    while True:
        argv = [ffmpeg(), "-v", "warning", "-y", "-copyts", *INPUT_GUARDS, *edits]
        argv += ["-i", str(source)]
        for key, track in tracks.items():
            argv += ["-map", f"0:{track.track}", "-c", "copy"]
            argv += ["-bsf:s", _shifted(plan, track)]
            argv += [*_PLAIN, "-f", "matroska", "-live", "1", str(folder / f"{key}.mkv")]
        told = Words(MANY_EDITS)
        finished = yield from run_limited(
            argv,
            readable=[source],
            writable=[folder],
            total_s=float(plan.duration_s),
            said=told.feed,
            file_bytes=MOST_COPIED_BYTES,
        )
        if not (edits and told.found):
            break
        edits = ()
    for key in tracks:
        _end(folder / f"{key}.mkv")
    return finished.argv


def _end(copied: Path) -> None:
    """A track may have no packet, as one of a channel that shows subtitles in the evening alone.

    The file says no length (`-live`), so that what comes behind belongs to it.
    """
    with copied.open("ab") as file:
        file.write(_EMPTY_CLUSTER)


def _shifted(plan: Plan, track: SubtitlePlan) -> str:
    """Counted from the first picture, what comes before it at its time; letters that end before it
    go, and a `stream` ends with the last picture. Pictures of letters may be there until told
    otherwise, whatever their packets last.
    """
    zero_s = f"{float(plan.first_picture_s):.6f}"
    zero = f"{zero_s}/TB"
    early = f"max(0,{zero}-PTS)"
    moved = (
        f"setts=pts='max(0,PTS-{zero})':dts='max(0,DTS-{zero})':duration='max(0,DURATION-{early})'"
    )
    end_s = f"{float(plan.first_picture_s + plan.duration_s):.6f}"
    if track.stream:
        return f"noise=drop='gte(pts*tb,{end_s})',{moved}"
    if track.codec in COPIED_LETTERS:
        return f"noise=drop='gt(duration,0)*lte((pts+duration)*tb,{zero_s})',{moved}"
    return moved


def _made(
    key: str, track: SubtitlePlan, cues: Sequence[Cue], plan: Plan, folder: Path
) -> Generator[Progress, None, None]:
    """Letters in their place, as one cue at any moment where the container is MP4."""
    zero_s = plan.first_picture_s if track.file is None else Fraction(0)
    read, cues = cues, in_place(cues, zero_s, plan.duration_s)
    if track.file is not None and not cues and read:
        raise UnsupportedMedia(_outside(track, read, plan))
    out = folder / f"{key}.{track.suffix}"
    if track.suffix == "mp4":
        out.write_bytes(write_mp4(one_at_a_time(cues)))
        return
    placed = folder / f"{key}.srt"
    placed.write_text(srt(cues), "utf-8")
    argv = [ffmpeg(), "-v", "warning", "-y", "-f", "srt", "-i", str(placed), "-map", "0:s:0"]
    argv += ["-c:s", "copy", *_PLAIN, "-f", "matroska", str(out)]
    yield from run_limited(argv, readable=[folder], writable=[folder])


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

    One of its cues may be several of the source that are shown together.
    A last cue, which is empty, makes segments and playlists last as long as the picture's.
    """
    letters = yield from read_position(rendition, position)
    cues = within(letters, Fraction(0), length_s)
    last = Cue(length_s - Fraction(1, 1000), length_s, "")
    out.write_text(webvtt([*cues, last]), "utf-8")
