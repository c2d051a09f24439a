"""What a sandboxed child finds in the packets of one stream, without decoding."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pipelines.progress import Progress
from pipelines.running import isolated_python
from pipelines.running.run import capture, run
from pipelines.running.sandbox import SNIFF_LIMITS, Limits
from pipelines.sources import probe_child, track_child
from pipelines.sources.containers import FORMATS

_CHILD = Path(probe_child.__file__)
_TRACK_CHILD = Path(track_child.__file__)
# [P] The first caption may come behind an hour of a master.
_WHOLE = replace(SNIFF_LIMITS, cpu_s=600)


def ask_stream(source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    """Of pictures, or QuickTime's captions: `captions`, `kinds`, `shapes`. Raises as `run` does."""
    return (yield from _ask(_CHILD, source, track, what))


def ask_later(source: Path, places: Sequence[int]) -> Generator[Progress, None, Any]:
    """The streams that a transport stream has from these places in bytes on, and not where it
    begins: kind, codec, PID and place of each. Raises as `run` does.
    """
    return (yield from _ask(_CHILD, source, ",".join(map(str, places)), "later"))


def ask_track(source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    """Of one that PyAV does not know: `captions`, `documents`, `pages`. Raises as `run` does."""
    return (yield from _ask(_TRACK_CHILD, source, track, what))


def ask_track_at_once(source: Path, track: int, what: str) -> Any:
    """Of its beginning alone: `ancillary`, `head`. Raises as `run` does."""
    return _ask_at_once(_TRACK_CHILD, source, track, [what], SNIFF_LIMITS)


def ask_stream_at_once(file: Path, track: int, captions: Sequence[str]) -> Any:
    """`stream`, of pictures of a file that Kapok made, which have to have these kinds of captions.
    Raises as `run` does.
    """
    return _ask_at_once(_CHILD, file, track, ["stream", *captions], _WHOLE)


def _ask_at_once(
    child: Path, source: Path, track: int, words: Sequence[str], limits: Limits
) -> Any:
    argv = isolated_python.command(child, str(source), ",".join(FORMATS), str(track), *words)
    readable, timeout_s = [source, *isolated_python.files(child)], float(limits.cpu_s or 0)
    return json.loads(capture(argv, readable=readable, timeout_s=timeout_s, limits=limits).stdout)


def _ask(child: Path, source: Path, track: int | str, what: str) -> Generator[Progress, None, Any]:
    argv = isolated_python.command(child, str(source), ",".join(FORMATS), str(track), what)
    with TemporaryFile() as written:
        readable = [source, *isolated_python.files(child)]
        yield from run(argv, readable=readable, stdout=written)
        written.seek(0)
        return json.load(written)
