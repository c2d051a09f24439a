"""The command line in a process of its own, as a shell runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def kapok(
    *words: str | bytes, folder: Path | None = None, to: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command line without a terminal and without anything of the developer's.

    It runs in `folder`; its stdout goes into the file `to`, or is captured.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith("KAPOK_")}
    with Path(to or os.devnull).open("w") as file:
        return subprocess.run(
            [sys.executable, "-m", "kapok.cli", *words],
            stdout=file if to else subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            cwd=folder,
            env={**clean, "LANG": "C", "PYTHONPATH": str(ROOT), **environment},
            timeout=60,
            check=False,
        )
