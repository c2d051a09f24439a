"""What a sandboxed child finds in the packets of one stream, without decoding."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pipelines.progress import Progress
from pipelines.running import isolated_python
from pipelines.running.run import capture, run
from pipelines.sources import probe_child, track_child
from pipelines.sources.containers import FORMATS

_CHILD = Path(probe_child.__file__)
_TRACK_CHILD = Path(track_child.__file__)


def ask_stream(source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    """Of pictures, or QuickTime's captions: `captions`, `kinds`, `shapes`. Raises as `run` does."""
    return (yield from _ask(_CHILD, source, track, what))


def ask_track(source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    """Of one that PyAV does not know: `captions`, `documents`, `pages`. Raises as `run` does."""
    return (yield from _ask(_TRACK_CHILD, source, track, what))


def ask_track_at_once(source: Path, track: int, what: str) -> Any:
    """Of its beginning alone: `ancillary`, `head`. Raises as `run` does."""
    argv = isolated_python.command(_TRACK_CHILD, str(source), ",".join(FORMATS), str(track), what)
    captured = capture(argv, readable=[source, *isolated_python.files(_TRACK_CHILD)])
    return json.loads(captured.stdout)


def _ask(child: Path, source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    argv = isolated_python.command(child, str(source), ",".join(FORMATS), str(track), what)
    with TemporaryFile() as written:
        readable = [source, *isolated_python.files(child)]
        yield from run(argv, readable=readable, stdout=written)
        written.seek(0)
        return json.load(written)
