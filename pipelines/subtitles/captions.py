"""CEA-608 captions out of a source's coded pictures or ancillary data, without decoding them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.errors import UnsupportedMedia
from pipelines.media import CaptionChannel, Captions
from pipelines.progress import Progress
from pipelines.sources.ask_stream import ask_stream, ask_track
from pipelines.sources.movie_boxes import edit_lists
from pipelines.subtitles import ancillary, cea608
from pipelines.subtitles.cues import Cue
from pipelines.subtitles.edits import in_edits
from pipelines.words import Words

CAPTION_TRACK = "eia_608"  # of CEA-608 alone, as QuickTime has them


def find_captions(source: Path, track: int) -> Generator[Progress, None, tuple[Captions, ...]]:
    """Which there are in a stream of pictures whose first seconds have none: it is looked at at
    some places. Raises as `run` does.
    """
    return tuple((yield from ask_stream(source, track, "kinds")))


def read_captions(
    source: Path, track: int
) -> Generator[Progress, None, dict[CaptionChannel, list[Cue]]]:
    """What each channel shows, on the file's own clock; `track` is the stream of the picture, or
    one of CEA-608 alone.

    Raises as `run` does, and `UnsupportedMedia` where nobody knows when a caption is due.
    """
    found = yield from ask_stream(source, track, "captions")
    if why := found.get("why"):
        raise UnsupportedMedia(f"the captions in the pictures cannot be read: {why}")
    read = cea608.read_captions(_pairs(found))
    if not found["unedited"]:
        return read
    edits = edit_lists(source).get(track)
    return {channel: in_edits(cues, edits) for channel, cues in read.items()}


def read_ancillary(
    source: Path, track: int
) -> Generator[Progress, None, tuple[tuple[Words, ...], dict[CaptionChannel, list[Cue]]]]:
    """What a track of ancillary data holds in words, and what each channel of its captions shows,
    on the file's own clock. Raises as `run` does, and `UnsupportedMedia` for too much.
    """
    found = yield from ask_track(source, track, "captions")
    if why := found.get("why"):
        raise UnsupportedMedia(f"the captions of ancillary data cannot be read: {why}")
    held = ((first, second) for first, second in found["holds"])
    return ancillary.names(held), cea608.read_captions(_pairs(found))


def _pairs(found: Mapping[str, Any]) -> Iterator[cea608.Pair]:
    tick_s = Fraction(found["tick"])
    for at, said in found["pictures"]:
        told = bytes.fromhex(said)
        for number in range(0, len(told), 3):
            yield cea608.Pair(at * tick_s, *told[number : number + 3])
