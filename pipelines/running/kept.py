"""What several rungs ask of one source is found once a process."""

from __future__ import annotations

from collections.abc import Callable, Generator, Hashable
from pathlib import Path
from threading import Lock
from typing import TypeVar

from pipelines.progress import Progress

T = TypeVar("T")

_KEPT = 8  # one job's places: up to 50 MB each, and 200 of all seams of three hours
_ABSENT = object()
_kept: dict[Hashable, object] = {}
_lock = Lock()


def identity(path: Path) -> Hashable:
    """Of a file as it is now."""
    facts = path.stat()
    return (str(path.resolve()), facts.st_size, facts.st_mtime_ns)


def kept_or(
    key: Hashable, look: Callable[[], Generator[Progress, None, T]]
) -> Generator[Progress, None, T]:
    """The value of that key, which names its kind too; the oldest values are forgotten."""
    known = _kept.get(key, _ABSENT)  # in one go: another thread may forget it
    if known is not _ABSENT:
        return known  # type: ignore[return-value]  # the key names the kind
    found = yield from look()
    with _lock:
        while len(_kept) >= _KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = found
    return found
