"""Subtitles of DVB teletext (ETSI EN 300 472), page by page, by ffmpeg's decoder (libzvbi)."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.progress import Progress
from pipelines.running.tools import ffmpeg
from pipelines.sources.ask_stream import ask_track
from pipelines.sources.containers import INPUT_GUARDS
from pipelines.subtitles.cues import OPEN_S, Cue, joined
from pipelines.subtitles.text_clock import LATE, read_late
from pipelines.subtitles.track_limits import run_limited

CODEC = "dvb_teletext"  # ffmpeg's name


def pages_with_words(source: Path, track: int) -> Generator[Progress, None, frozenset[int]]:
    """Those of a track on which something stands at any time. Raises as `run` does."""
    found = yield from ask_track(source, track, "pages")
    return frozenset(found)


def read_page(
    source: Path, track: int, page: int, folder: Path
) -> Generator[Progress, None, tuple[tuple[str, ...], list[Cue]]]:
    """The command, and the cues of one page on the file's own clock. Raises as `run` does.

    Where a page is cleared ffmpeg knows only when it waits for what comes next, and then it forgets
    the last one: it is asked both ways.
    """
    ended, begun = folder / f"page{page}.ended.srt", folder / f"page{page}.begun.srt"
    words = [*INPUT_GUARDS, "-txt_page", str(page), "-txt_format", "text", "-i", str(source)]
    argv = [ffmpeg(), "-v", "warning", "-y", "-copyts", "-fix_sub_duration", *words, *words]
    argv += ["-map", f"0:{track}", "-c", "srt", *LATE, "-f", "srt", str(ended)]
    argv += ["-map", f"1:{track}", "-c", "srt", *LATE, "-f", "srt", str(begun)]
    finished = yield from run_limited(argv, readable=[source], writable=[folder])
    cues = read_late(ended.read_text("utf-8", "replace"))
    return finished.argv, joined(
        [*cues, *_last(read_late(begun.read_text("utf-8", "replace")), cues)]
    )


def _last(begun: Sequence[Cue], ended: Sequence[Cue]) -> list[Cue]:
    """What begins after all that have an end; nothing takes it off."""
    after_s = max((cue.end_s for cue in ended), default=-OPEN_S)
    return [replace(cue, end_s=OPEN_S) for cue in begun[-1:] if cue.start_s >= after_s]
