"""Memory given to the steps that run on this machine, so that two large ones never meet.

Each process writes what its steps were given beside its scratch folder's lock, so all workers with
one scratch root share one account, and a dead process gives back what it had.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import KapokError
from workers.scratch import Scratch, living_folders

_LOOK_S = 0.5

log = logging.getLogger(__name__)


class TooLittleMemory(KapokError):
    """A step needs more memory than its machine may give; another machine may have it."""

    code = "too_little_memory"
    retryable = True


class MemoryAccount:
    """What of `limit_bytes` is given to the steps of every process that works in one root."""

    def __init__(self, scratch: Scratch, limit_bytes: int) -> None:
        self._root, self._limit_bytes = scratch.root, limit_bytes
        self._own = scratch.folder / "memory"
        self._own.mkdir()

    @contextmanager
    def given(self, name: str, size_bytes: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold so much for the step `name`; waits until others have given enough back.

        `check` is called while it waits, and what it raises ends the wait. Raises
        `TooLittleMemory` where waiting cannot help.
        """
        if size_bytes > self._limit_bytes:
            raise TooLittleMemory(
                f"the step needs about {size_bytes / 1e9:.1f} GB of memory and this machine gives "
                f"{self._limit_bytes / 1e9:.1f} GB: raise KAPOK_MEMORY_BYTES if it has more, ask "
                "for fewer or smaller renditions, or run a worker on a larger machine; then retry"
            )
        entry = self._own / name
        if not self._take(entry, size_bytes):
            log.info("step %s waits for %.1f GB of memory", name, size_bytes / 1e9)
            while not self._take(entry, size_bytes):
                check()
                time.sleep(_LOOK_S)
        try:
            yield
        finally:
            entry.unlink()

    def _take(self, entry: Path, size_bytes: int) -> bool:
        with _locked(self._root / "memory.lock"):
            folders = living_folders(self._root)
            held = sum(_given_in(folder / "memory") for folder in folders)
            if held + size_bytes > self._limit_bytes:
                return False
            entry.write_text(str(size_bytes))
            return True


def _given_in(folder: Path) -> int:
    """What one process's steps hold; it may be giving back just now."""
    held = 0
    for entry in folder.glob("*"):
        try:
            held += int(entry.read_text())
        except FileNotFoundError:
            continue
    return held


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process and thread at a time; the kernel frees it when its holder dies."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
