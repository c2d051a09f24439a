"""Files that Kapok computes once for a user and every process then shares."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.encoding.timecode_font import timecode_font
from pipelines.running.file_locks import is_ours


def kept_file(name: str, make: Callable[[], bytes], folder: Path | None = None) -> Path:
    """The file of that name in `folder` (else the user's cache), made whole or not at all."""
    folder = folder or _cache_folder()
    path = folder / name
    if not path.exists():
        content = make()
        folder.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(dir=folder, prefix=f".{name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    return path


def is_kept(name: str, folder: Path | None = None) -> bool:
    return ((folder or _cache_folder()) / name).exists()


@contextmanager
def turn_at(name: str, folder: Path | None = None) -> Iterator[bool]:
    """True where no other process is at that file now, and none will be until the end.

    A process that dies gives its turn back. On a file system without locks everybody has one.
    """
    folder = folder or _cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{name}.turn").open("a") as turn:
        yield is_ours(turn)


def timecode_font_file() -> Path:
    return kept_file("timecode-1.ttf", timecode_font)


def _cache_folder() -> Path:
    """`~/.cache/kapok`, or the temporary folder of a service user who has no home to write to."""
    chosen = os.environ.get("XDG_CACHE_HOME")
    aside = Path(tempfile.gettempdir()) / f"kapok-{os.getuid()}"
    try:
        cache = Path(chosen) if chosen else Path.home() / ".cache"
    except RuntimeError:  # neither HOME nor an entry among the users, as in some containers
        return aside
    nearest = next(place for place in (cache, *cache.parents) if place.exists())
    if os.access(nearest, os.W_OK):
        return cache / "kapok"
    return aside
