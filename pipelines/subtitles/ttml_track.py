"""TTML in MP4 (ISO/IEC 14496-30, `stpp`): a document in each sample, of which one track is made."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from pipelines.errors import UnsupportedMedia
from pipelines.progress import Progress
from pipelines.sources.ask_stream import ask_track
from pipelines.sources.movie_boxes import edit_lists
from pipelines.subtitles.cues import Cue, joined
from pipelines.subtitles.letters import read_text
from pipelines.subtitles.ttml import read_document

CODEC = "ttml"  # ffmpeg's name
_NAME = "a document"


def read_ttml_track(source: Path, track: int) -> Generator[Progress, None, list[Cue]]:
    """Its cues on the file's own clock, in the order in which they begin.

    Raises as `run` does, and `UnsupportedMedia` or `LimitExceeded` for what nobody can read.
    """
    if len(edit_lists(source).get(track, ())) > 1:
        raise UnsupportedMedia("its track has several edits: give a subtitle file of its own")
    found = yield from ask_track(source, track, "documents")
    if not isinstance(found, list):
        raise UnsupportedMedia(f"{found['why']}: give a subtitle file of its own")
    said: set[str] = set()
    kept: list[Cue] = []
    for start, end, coded in found:
        cues = read_document(read_text(b64decode(coded), _NAME, doubted=False), _NAME)
        said |= {cue.text for cue in cues}
        kept += _clipped(cues, Fraction(start), Fraction(end) if end else None)
    if len({cue.text for cue in kept}) < len(said) / 2:  # as in Smooth Streaming
        raise UnsupportedMedia(
            "its documents count from their own samples, or from nobody knows where: give a "
            "subtitle file of its own"
        )
    return joined(kept)


def _clipped(cues: Iterable[Cue], start_s: Fraction, end_s: Fraction | None) -> Iterator[Cue]:
    """Documents are there as long as their sample, in whose time they count: the track's, as its
    edit list has it (ISO/IEC 14496-30, 5.3).
    """
    for cue in cues:
        last_s = cue.end_s if end_s is None else min(cue.end_s, end_s)
        if last_s > max(cue.start_s, start_s):
            yield replace(cue, start_s=max(cue.start_s, start_s), end_s=last_s)
