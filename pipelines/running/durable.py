"""Finished files get their names so that a power cut leaves them whole or not at all."""

from __future__ import annotations

import errno
import os
from pathlib import Path

_CANNOT_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EPERM})


def sync(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_names(folder: Path) -> None:
    """Of what was renamed in a user's folder. Some file systems cannot, which is no failure."""
    try:
        sync(folder)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise


def give_name(made: Path, path: Path) -> None:
    """Move a finished file to `path` on the same file system, its bytes first."""
    sync(made)
    made.replace(path)
    sync_names(path.parent)
