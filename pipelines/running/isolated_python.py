"""A script of Kapok's own that opens hostile media, run by a Python that sees nothing else."""

from __future__ import annotations

import sys
from pathlib import Path

import av


def command(script: Path, *words: str) -> list[str]:
    """The argv; `-I` keeps the environment and the working folder out of it."""
    return [sys.executable, "-I", str(script), *words]


def files(script: Path) -> list[Path]:
    """What the sandbox must show of this machine: the script, Python, and PyAV."""
    return [script, Path(sys.prefix), Path(sys.base_prefix), Path(av.__file__).parents[1]]
