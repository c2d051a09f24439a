"""Tracks of letters of a file, read packet by packet without any decoder of ffmpeg."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.media import SubtitleFault
from pipelines.progress import Progress
from pipelines.running import isolated_python
from pipelines.running.run import run
from pipelines.sources.containers import FORMATS
from pipelines.sources.movie_boxes import Edit, edit_lists
from pipelines.subtitles import letters_child, markup, teletext, timed_text, ttml_track
from pipelines.subtitles.captions import CAPTION_TRACK
from pipelines.subtitles.cues import (
    MOST_CUE_BYTES,
    Cue,
    ended,
    is_too_long,
    lines,
    without_drawings,
)
from pipelines.subtitles.edits import TooManyEdits, in_edits
from pipelines.subtitles.letters import Foreign, Unreadable, read_cues
from pipelines.subtitles.markup import Look
from pipelines.subtitles.track_limits import MOST_LETTERS_BYTES, WAY_OUT
from pipelines.words import Words

# Of a master's tracks of letters, those whose code has a reader of its own.
READ_ELSEWHERE = frozenset({CAPTION_TRACK, ttml_track.CODEC, teletext.CODEC})
_CHILD = Path(letters_child.__file__)
_WAY_OUT = Words(
    "repair the track, or give a subtitle file of its own", "请修复该轨，或另附字幕文件"
)
_TOO_LONG = Words(
    f"it has more than {MOST_LETTERS_BYTES >> 20} MiB of letters, or stands beside tracks that "
    f"have: {_WAY_OUT}",
    f"该轨或同一文件的其他字幕轨的文字超过 {MOST_LETTERS_BYTES >> 20} MiB：{_WAY_OUT.zh}",
)
_NOTHING = Words(
    f"it has cues, and none of them has words that could be shown: {_WAY_OUT}",
    f"其中的字幕都没有可显示的文字：{_WAY_OUT.zh}",
)
LONG_CUE = Words(
    f"one of its cues has more than {MOST_CUE_BYTES} bytes of letters: {_WAY_OUT}",
    f"其中一条字幕的文字超过 {MOST_CUE_BYTES} 字节：{_WAY_OUT.zh}",
)
_MANY_EDITS = Words(f"its track has too many edits: {_WAY_OUT}", f"该轨的编辑过多：{_WAY_OUT.zh}")
_MARKUPS = {"subrip": markup.of_subrip, "srt": markup.of_subrip, "webvtt": markup.of_webvtt}
_KNOWN = frozenset({*_MARKUPS, "ass", "ssa", "mov_text", "text"})
_ASS_FIELDS, _ASS_STYLE = 8, 2  # of Matroska's packets, before the words; one is the style


@dataclass(frozen=True, slots=True)
class LetterTrack:
    """Its packets: begin and end on the track's own clock, the same where no length is said."""

    codec: str
    head: bytes
    packets: tuple[tuple[Fraction, Fraction, bytes], ...]
    edits: tuple[Edit, ...] | None


def read_packets(
    source: Path, tracks: Sequence[int | str]
) -> Generator[Progress, None, tuple[dict[int, LetterTrack], tuple[int, ...]]]:
    """Of tracks of letters, and those that have too many: an index, or `s0` for the first track of
    subtitles. Raises as `run` does.
    """
    words = (",".join(FORMATS), ",".join(map(str, tracks)), str(MOST_LETTERS_BYTES))
    argv = isolated_python.command(_CHILD, str(source), *words)
    with TemporaryFile() as written:
        yield from run(argv, readable=[source, *isolated_python.files(_CHILD)], stdout=written)
        written.seek(0)
        found = json.load(written)
    edits = edit_lists(source)
    read = {
        int(track): _track(one, edits.get(int(track)))
        for track, one in found["tracks"].items()
        if one["codec"] in _KNOWN
    }
    return read, tuple(found["long"])


def _track(found: Mapping[str, Any], edits: tuple[Edit, ...] | None) -> LetterTrack:
    tick_s = Fraction(found["tick"])
    packets = (
        (at * tick_s, (at + length) * tick_s, b64decode(coded))
        for at, length, coded in found["packets"]
    )
    return LetterTrack(found["codec"], b64decode(found["head"]), tuple(packets), edits)


def cues_of(track: LetterTrack) -> list[Cue]:
    """On the file's own clock, those that say something. Raises as `read_cues` and `in_edits`."""
    return in_edits(_unedited(track), track.edits)


def _unedited(track: LetterTrack) -> list[Cue]:
    texts = read_cues([_raw(track, coded) for _, _, coded in track.packets])
    styles = markup.styles_of_ass(track.head.decode("utf-8", "replace"))
    cues = ended(
        Cue(start_s, end_s, lines(_text(track, styles, coded, text)))
        for (start_s, end_s, coded), text in zip(track.packets, texts, strict=True)
    )
    return [cue for cue in cues if cue.text]


def _raw(track: LetterTrack, coded: bytes) -> bytes:
    return timed_text.read_sample(coded) if track.codec == "mov_text" else coded


def _text(track: LetterTrack, styles: Mapping[str, Look], coded: bytes, text: str) -> str:
    if track.codec == "mov_text":
        return timed_text.styled(coded, text, track.head)
    if track.codec in ("ass", "ssa"):
        *fields, said = text.split(",", _ASS_FIELDS)
        style = fields[_ASS_STYLE] if len(fields) == _ASS_FIELDS else ""
        return markup.of_ass(without_drawings(said), styles, style)
    return _MARKUPS.get(track.codec, markup.words)(text)


def read_tracks(
    source: Path, tracks: Sequence[int | str]
) -> Generator[Progress, None, dict[int, list[Cue]]]:
    """Of tracks that an inspection has found to be readable. Raises `UnsupportedMedia` for letters
    that nobody can read, and `LimitExceeded` for too many.
    """
    read, long = yield from read_packets(source, tracks)
    if long:
        raise LimitExceeded(
            f"a subtitle track has more than {MOST_LETTERS_BYTES >> 20} MiB of letters: {WAY_OUT}"
        )
    try:
        return {index: cues_of(track) for index, track in read.items()}
    except UnsupportedMedia as error:
        raise UnsupportedMedia(f"of a subtitle track {error.detail}: {_WAY_OUT}") from error


def read_position(source: Path, position: int) -> Generator[Progress, None, list[Cue]]:
    """Of the track that has that place among a file's subtitles. Raises as `read_tracks` does."""
    (cues,) = (yield from read_tracks(source, [f"s{position}"])).values()
    return cues


def unreadable_tracks(
    source: Path, tracks: Sequence[int]
) -> Generator[Progress, None, tuple[tuple[int, ...], tuple[SubtitleFault, ...]]]:
    """Those whose letters are neither UTF-8 nor GB 18030, and why others cannot be shown.

    Packets alone are read, so it takes as long as reading the file.
    """
    if not tracks:
        return (), ()
    read, long = yield from read_packets(source, tracks)
    unread, faults = list[int](), [SubtitleFault(track, _TOO_LONG) for track in long]
    for index, track in read.items():
        try:
            cues = _unedited(track)
            in_edits(cues, track.edits)
        except Unreadable:
            unread.append(index)
        except Foreign as error:
            why = Words(
                f"{error.detail}: {_WAY_OUT}", f"文字编码疑为 {error.letters}：{_WAY_OUT.zh}"
            )
            faults.append(SubtitleFault(index, why))
        except TooManyEdits:
            faults.append(SubtitleFault(index, _MANY_EDITS))
        else:
            if not cues and any(_raw(track, coded).strip() for _, _, coded in track.packets):
                faults.append(SubtitleFault(index, _NOTHING))
            if any(map(is_too_long, cues)):
                faults.append(SubtitleFault(index, LONG_CUE))
    return tuple(sorted(unread)), tuple(sorted(faults, key=lambda fault: fault.index))
