"""Cues of ffmpeg on the file's own clock: any edit list, and times before zero."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pipelines.subtitles.cues import Cue, read_srt

_LATE_S = 1_000_000  # [P] more than the 26.5 hours of a transport stream's clock
# An SRT file has no time before zero: ffmpeg moves all of the track by what its first cue lacks.
LATE = ("-avoid_negative_ts", "disabled", "-output_ts_offset", str(_LATE_S))
# Where an edit begins inside a sample, ffmpeg leaves that sample out and counts from the next one.
_ONE_EDIT = ("-advanced_editlist", "0")
MANY_EDITS = "multiple edit list entries"  # ffmpeg's words of a file that it does not know so


def one_edit(source: Path) -> tuple[str, ...]:
    """Options of an input whose tracks have one edit each; of several, ffmpeg says that it does not
    know them so.
    """
    with source.open("rb") as file:
        return _ONE_EDIT if file.read(8)[4:] == b"ftyp" else ()


def read_late(text: str) -> list[Cue]:
    """The cues of an SRT file that was written `LATE`."""
    return [
        replace(cue, start_s=cue.start_s - _LATE_S, end_s=cue.end_s - _LATE_S)
        for cue in read_srt(text)
    ]


class Words:
    """Whether a whole log says something."""

    def __init__(self, wanted: str) -> None:
        self.found = False
        self._wanted, self._rest = wanted.encode(), b""

    def feed(self, block: bytes) -> None:
        held = self._rest + block
        self.found = self.found or self._wanted in held
        self._rest = held[-len(self._wanted) :]
