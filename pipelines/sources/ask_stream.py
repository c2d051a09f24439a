"""What the sandboxed `probe_child` finds in the coded pictures of one stream, without decoding."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from pipelines.progress import Progress
from pipelines.running import isolated_python
from pipelines.running.run import run
from pipelines.sources import probe_child
from pipelines.sources.containers import FORMATS

_CHILD = Path(probe_child.__file__)


def ask_stream(source: Path, track: int, what: str) -> Generator[Progress, None, Any]:
    """One of its questions: `captions`, `kinds`, `shapes`. Raises as `run` does."""
    argv = isolated_python.command(_CHILD, str(source), ",".join(FORMATS), str(track), what)
    with TemporaryFile() as written:
        readable = [source, *isolated_python.files(_CHILD)]
        yield from run(argv, readable=readable, stdout=written)
        written.seek(0)
        return json.load(written)
