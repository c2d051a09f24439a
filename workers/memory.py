"""Memory given to the steps that run on this machine, so that two large ones never meet.

Each process writes what its steps were given beside its scratch folder's lock, so all workers with
one scratch root share one account, and a dead process gives back what it had. Smaller steps may
pass one that waits, for a while; then all that come later wait behind it.
"""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.errors import KapokError
from workers.scratch import Scratch, living_folders

_LOOK_S = 0.5
_PATIENCE_S = 60.0  # [P]

log = logging.getLogger(__name__)


class TooLittleMemory(KapokError):
    """A step needs `size_bytes`, more memory than its machine may give; another may have it."""

    code = "too_little_memory"

    def __init__(self, detail: str, size_bytes: int) -> None:
        super().__init__(detail)
        self.size_bytes = size_bytes


class MemoryAccount:
    """What of `limit_bytes` is given to the steps of every process that works in one root."""

    def __init__(self, scratch: Scratch, limit_bytes: int, patience_s: float = _PATIENCE_S) -> None:
        self._root, self._limit_bytes, self._patience_s = scratch.root, limit_bytes, patience_s
        self._own, self._waiting = scratch.folder / "memory", scratch.folder / "memory-waiting"
        self._own.mkdir()
        self._waiting.mkdir()

    @contextmanager
    def given(self, name: str, size_bytes: int, check: Callable[[], None]) -> Iterator[None]:
        """Hold so much for the step `name`; waits until others have given enough back.

        `check` is called at least twice a second while it waits, and what it raises ends the wait.
        Raises `TooLittleMemory` where waiting cannot help.
        """
        if size_bytes > self._limit_bytes:
            raise TooLittleMemory(
                f"the step needs about {size_bytes / 1e9:.1f} GB of memory and this machine gives "
                f"{self._limit_bytes / 1e9:.1f} GB: raise KAPOK_MEMORY_BYTES if it has more, ask "
                "for fewer or smaller renditions, or run a worker on a larger machine; then retry",
                size_bytes,
            )
        entry, came_ns = self._own / name, time.monotonic_ns()
        if not self._take(entry, size_bytes, came_ns):
            log.info("step %s waits for %.1f GB of memory", name, size_bytes / 1e9)
            self._wait(entry, size_bytes, came_ns, check)
        try:
            yield
        finally:
            entry.unlink()

    def _wait(self, entry: Path, size_bytes: int, came_ns: int, check: Callable[[], None]) -> None:
        place = self._waiting / entry.name
        with _locked(self._root / "memory.lock"):  # nobody reads half a number
            _write(place, came_ns)
        try:
            while not self._take(entry, size_bytes, came_ns):
                check()
                time.sleep(_LOOK_S)
        finally:
            place.unlink()

    def _take(self, entry: Path, size_bytes: int, came_ns: int) -> bool:
        with _locked(self._root / "memory.lock"):
            folders = living_folders(self._root)
            held = sum(sum(_numbers_in(folder / "memory")) for folder in folders)
            if held + size_bytes > self._limit_bytes or self._is_behind(folders, came_ns):
                return False
            _write(entry, size_bytes)
            return True

    def _is_behind(self, folders: Iterable[Path], came_ns: int) -> bool:
        """Whether one that came earlier has waited for so long that it is its turn."""
        long_ago_ns = time.monotonic_ns() - int(self._patience_s * 1e9)
        came = (one for folder in folders for one in _numbers_in(folder / "memory-waiting"))
        return any(other_ns < min(came_ns, long_ago_ns) for other_ns in came)


def _write(entry: Path, number: int) -> None:
    """Whole or not at all: a full disk makes a file and then has no room for what is in it."""
    try:
        entry.write_text(str(number))
    except OSError:
        entry.unlink(missing_ok=True)
        raise


def _numbers_in(folder: Path) -> Iterator[int]:
    """Of each file of one process, which may be giving back just now.

    An empty one is what a full disk left, and holds nothing.
    """
    for entry in folder.glob("*"):
        with suppress(FileNotFoundError):
            if number := entry.read_text():
                yield int(number)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One process and thread at a time; the kernel frees it when its holder dies."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
