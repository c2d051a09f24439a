"""What a tool may write that makes a file of a subtitle track: packed, it may be a thousandth."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.errors import LimitExceeded
from pipelines.progress import Progress
from pipelines.running.child import Consumer
from pipelines.running.run import Finished, run
from pipelines.running.sandbox import MEDIA_LIMITS

MOST_LETTERS_BYTES = 64 << 20  # [P] ten hours of film have a thirtieth of it
MOST_COPIED_BYTES = 4 << 30  # [P] pictures of letters of a Blu-ray have a thirtieth of it
WAY_OUT = "repair the subtitle track, or leave it out"


def run_limited(
    argv: Sequence[str],
    *,
    readable: Sequence[Path],
    writable: Sequence[Path],
    total_s: float | None = None,
    said: Consumer | None = None,
    file_bytes: int = MOST_LETTERS_BYTES,
) -> Generator[Progress, None, Finished]:
    """As `run`, with files of no more bytes; its `LimitExceeded` has the way out."""
    limits = replace(MEDIA_LIMITS, file_bytes=file_bytes)
    try:
        return (
            yield from run(
                argv,
                readable=readable,
                writable=writable,
                total_s=total_s,
                said=said,
                limits=limits,
            )
        )
    except LimitExceeded as error:
        raise LimitExceeded(f"{error}: {WAY_OUT}") from error
