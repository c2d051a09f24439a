"""Cues of a track of MP4 or QuickTime as its edit list shows them. Pure.

Ffmpeg's own way leaves out a sample in whose middle an edit begins and counts from the next one,
and its other way knows one edit alone: so tracks are read without any, and edited here.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, islice

from pipelines.errors import UnsupportedMedia
from pipelines.sources.movie_boxes import MOST_EDITS, Edit
from pipelines.subtitles.cues import OPEN_S, Cue, joined

_MOST_CUES = 1_000_000  # [P] each edit may show all of the track


class TooManyEdits(UnsupportedMedia):
    """Of no programme: such a list may be there to fill the memory."""


def in_edits(cues: Sequence[Cue], edits: Sequence[Edit] | None) -> list[Cue]:
    """On the movie's clock, where `cues` are on the track's own; what goes on over a cut is one.

    Raises `TooManyEdits`.
    """
    if edits is None:
        return list(cues)
    if len(edits) > MOST_EDITS:
        raise TooManyEdits(f"its track has more than {MOST_EDITS} edits")
    ordered = sorted(cues, key=lambda cue: cue.start_s)
    shown = list(islice(_shown(ordered, edits), _MOST_CUES + 1))
    if len(shown) > _MOST_CUES:
        raise TooManyEdits(f"the edits of its track show more than {_MOST_CUES} cues")
    return joined(shown) if len(edits) > 1 else shown


def _shown(cues: Sequence[Cue], edits: Sequence[Edit]) -> Iterator[Cue]:
    starts = [cue.start_s for cue in cues]
    over = list(accumulate((cue.end_s for cue in cues), max))  # by when all so far have ended
    for edit in edits:
        later_s = edit.at_s - edit.media_s
        end_s = None if edit.length_s is None else edit.media_s + edit.length_s
        first = bisect_right(over, edit.media_s)
        last = len(cues) if end_s is None else bisect_left(starts, end_s)
        for cue in cues[first:last]:
            until_s = cue.end_s if end_s is None else min(cue.end_s, end_s)
            if until_s > edit.media_s:
                from_s = max(cue.start_s, edit.media_s)
                yield Cue(from_s + later_s, _later(until_s, later_s), cue.text)


def _later(until_s: Fraction, later_s: Fraction) -> Fraction:
    return until_s if until_s == OPEN_S else until_s + later_s
