"""Which upload a file belongs to, kept across a kill. The store's part list stays the truth."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


def state_folder() -> Path:
    """`$XDG_STATE_HOME/kapok/uploads`, where the XDG base directory specification wants it."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "kapok" / "uploads"


def fingerprint(*words: object) -> str:
    """Names an intent: same service, same file in the same state, same wishes."""
    return hashlib.sha256(json.dumps([str(word) for word in words]).encode()).hexdigest()[:32]


class Journal:
    """A small file that holds an upload id. Without a writable home it remembers nothing."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def upload_id(self) -> str | None:
        if self.path is None:
            return None
        try:
            record = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return None
        return record.get("upload_id") if isinstance(record, dict) else None

    def remember(self, upload_id: str) -> None:
        if self.path is None:
            return
        partial = self.path.with_suffix(".partial")
        with contextlib.suppress(OSError):
            partial.write_text(json.dumps({"upload_id": upload_id}))
            partial.replace(self.path)

    def forget(self) -> None:
        if self.path is not None:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def open_journal(name: str, *, folder: Path | None = None) -> Iterator[Journal]:
    """The journal of one intent, held by one process; a second process gets an empty one."""
    try:
        folder = folder or state_folder()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (folder / f"{name}.lock").open("w")
    except (OSError, RuntimeError):  # of a user who has no home
        yield Journal(None)
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            yield Journal(None)
            return
        yield Journal(folder / f"{name}.json")
        with contextlib.suppress(OSError):
            Path(lock.name).unlink()
