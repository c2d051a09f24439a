"""Scratch folders: one a process, one a step in it, gone when the step or the process ends."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.errors import DiskFull
from storage.files import PRIVATE

BEING_MADE_S = 60.0  # a folder without its name this long was never finished
SPARE_BYTES = 256 * 1024 * 1024  # [P] left free for the catalogue, logs and the rest of the machine


class Scratch:
    """A process's folder under `root`, held by a lock that the kernel drops when it dies."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        remove_leftovers(root)
        name = f"{os.getpid()}-{secrets.token_hex(4)}"
        made = root / f"new-{name}"  # no neighbour looks at it until it is locked
        made.mkdir(mode=PRIVATE)
        self._lock = os.open(made / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self.folder = made.rename(root / f"worker-{name}")

    def step_folder(self, step_id: str, epoch: int) -> Path:
        """Where one attempt may work; `made` makes it."""
        return self.folder / f"{step_id}-{epoch}"

    def close(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


@contextmanager
def made(folder: Path) -> Iterator[Path]:
    """An empty folder; removed afterwards whatever happens."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_leftovers(root: Path) -> list[Path]:
    """Remove the folders of processes that no longer live; the paths that were removed."""
    unfinished = [folder for folder in sorted(root.glob("new-*")) if _is_old(folder)]
    dead = [folder for folder in sorted(root.glob("worker-*")) if _is_abandoned(folder)]
    removed = [*unfinished, *dead]
    for folder in removed:
        shutil.rmtree(folder, ignore_errors=True)
    return removed


def living_folders(root: Path) -> list[Path]:
    """The folders of the processes that work in `root` now."""
    return [folder for folder in sorted(root.glob("worker-*")) if not _is_abandoned(folder)]


def _is_abandoned(folder: Path) -> bool:
    try:
        lock = os.open(folder / "lock", os.O_RDWR)
    except FileNotFoundError:
        return False  # a neighbour is removing it
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True


def _is_old(folder: Path) -> bool:
    try:
        return time.time() - folder.stat().st_mtime > BEING_MADE_S
    except FileNotFoundError:
        return False  # it has its lock and its name now


def need_bytes(folder: Path, wanted: int) -> None:
    """Raise `DiskFull` now rather than in the middle of an hour of work."""
    free = shutil.disk_usage(folder).free
    if free < wanted + SPARE_BYTES:
        raise DiskFull(
            f"{wanted / 1e9:.2f} GB of scratch space are needed and {free / 1e9:.2f} GB are free "
            f"in {folder}: free some, or point KAPOK_SCRATCH at a larger disk, then retry the job"
        )
