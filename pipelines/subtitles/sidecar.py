"""A subtitle file beside the master: found out what it is, and kept as UTF-8."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.media import SubtitleTrack
from pipelines.planning.plan_types import SubtitlePlan
from pipelines.subtitles.cues import Cue, srt
from pipelines.subtitles.letters import read_text
from pipelines.subtitles.sidecar_cues import cues_of_file, is_times
from pipelines.subtitles.ttml import is_ttml, read_ttml

FIRST_INDEX = 1000  # no stream of a master has it
_MOST_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class Letters:
    """What a subtitle file holds, and the kind of file that it is, by ffmpeg's name; of TTML, which
    ffmpeg does not read, the words are SubRip.
    """

    codec: str
    text: str


def read_sidecar(path: Path, language: str, number: int, folder: Path) -> SubtitleTrack:
    """Written again into `folder`; its times are counted from the first picture.

    Raises `UnsupportedMedia` and `LimitExceeded`, with the way out.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise LimitExceeded(f"{path.name} is larger than 32 MiB: give one subtitle file a language")
    letters = read_letters(path.read_bytes(), path.name)
    kept = folder / f"sidecar-{number}.txt"
    kept.write_text(letters.text, "utf-8")
    return SubtitleTrack(
        FIRST_INDEX + number, letters.codec, text=True, language=language, file=str(kept)
    )


def read_letters(raw: bytes, name: str) -> Letters:
    """By what it begins with, whatever its name.

    Raises `UnsupportedMedia` and `LimitExceeded`, with the way out.
    """
    if not raw.strip():
        raise UnsupportedMedia(f"{name} is empty: export the subtitles again")
    letters = _kind(read_text(raw, name), name)
    cues_of_file(letters.codec, letters.text, name)
    return letters


def _kind(text: str, name: str) -> Letters:
    if text.startswith("WEBVTT"):
        return Letters("webvtt", text)
    if text.lstrip().startswith("[Script Info]"):
        return Letters("ass", text)
    if any(map(is_times, text.split("\n"))):
        return Letters("subrip", text)
    if is_ttml(text):
        return Letters("ttml", srt(read_ttml(text, name)))
    raise UnsupportedMedia(f"{name} is neither SubRip, WebVTT, ASS nor TTML: convert it first")


def read_file(track: SubtitlePlan, file: Path) -> list[Cue]:
    """The cues of a file as `read_sidecar` has kept it."""
    text = file.read_text("utf-8")
    return cues_of_file(track.source_codec, text, f"the subtitle file ({track.language})")
