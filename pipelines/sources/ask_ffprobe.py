"""What ffprobe says of a file, asked in the sandbox."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pipelines.running.run import capture
from pipelines.running.tools import ffprobe
from pipelines.sources.containers import INPUT_GUARDS


def ask_ffprobe(path: Path, *wanted: str) -> dict[str, Any]:
    """Its JSON; nothing of a file that it cannot open. Raises as `capture` does."""
    argv = [ffprobe(), "-v", "error", *INPUT_GUARDS, *wanted, "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(capture(argv, readable=[path]).stdout or b"{}")
    return found
