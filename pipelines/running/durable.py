"""Finished files get their names so that a power cut leaves them whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def give_name(made: Path, path: Path) -> None:
    """Move a finished file to `path` on the same file system, its bytes first."""
    sync(made)
    made.replace(path)
    sync(path.parent)
