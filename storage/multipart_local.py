"""Multipart uploads of the local store: every part is written in place, into the later object.

`{upload}/data` has the object's size from the start, part n lies at `(n - 1) * part_size`. An empty
file `{upload}/parts/{number}.{mark}` says that the part is on the disk, whole. So completing moves
no bytes: it gives `data` its key.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.running.durable import sync
from storage.errors import (
    MultipartNotFound,
    PartMissing,
    PartSuperseded,
    PartTooSmall,
    SizeMismatch,
)
from storage.files import READ_ONLY, make_folder, need_free, place, store_errors
from storage.ids import new_id
from storage.objects import MAX_PARTS, MIN_PART_BYTES, Part

# [P] Parts leave this much of the disk to the catalogue beside them: a full one could not even
# note that an upload is aborted, and so never become empty again.
RESERVE_BYTES = 16 * 1024 * 1024

_UPLOAD_ID = re.compile(r"mpu_[0-9a-z]{26}")
_PART_NOTE = re.compile(r"(\d{5})\.([0-9a-f]{32})")  # others are a stranger's, as `.DS_Store` is


@dataclass(frozen=True, slots=True)
class Layout:
    """What an upload will be: the key, the size, and where its parts lie."""

    key: str
    size_bytes: int
    part_size_bytes: int

    @property
    def part_count(self) -> int:
        """An empty object has one part, of no bytes."""
        return max(1, -(-self.size_bytes // self.part_size_bytes))

    def offset(self, number: int) -> int:
        return (number - 1) * self.part_size_bytes

    def part_bytes(self, number: int) -> int:
        if not 1 <= number <= self.part_count:
            raise PartMissing(f"part {number} is not one of the {self.part_count} of this upload")
        return min(self.part_size_bytes, self.size_bytes - self.offset(number))


class PartWriter:
    """One PUT of one part. Calls may come from any thread, one after the other."""

    def __init__(self, folder: Path, layout: Layout, number: int) -> None:
        self._folder, self._number = folder, number
        self._at, self.size_bytes = layout.offset(number), layout.part_bytes(number)
        self._left = self.size_bytes
        self._lock = threading.Lock()
        self._stopped = False
        self._descriptor = os.open(folder / "data", os.O_WRONLY)

    def write(self, block: bytes | bytearray | memoryview) -> None:
        """Write the next bytes. Raises `SizeMismatch`, `DiskFull`, `PartSuperseded`."""
        if len(block) > self._left:
            raise SizeMismatch(f"part {self._number} has {self.size_bytes} bytes, more were sent")
        with self._lock, store_errors(self._folder):
            self._check()
            need_free(self._folder, len(block) + RESERVE_BYTES)
            view = memoryview(block)
            while view:
                written = os.pwrite(self._descriptor, view, self._at)
                self._at, self._left = self._at + written, self._left - written
                view = view[written:]

    def commit(self) -> Part:
        """Bring the part to the disk and note that it is whole; without this it was never sent."""
        if self._left:
            raise PartTooSmall(
                f"part {self._number} has {self.size_bytes} bytes, {self._left} are missing: "
                "send the whole part again"
            )
        with store_errors(self._folder):
            os.fdatasync(self._descriptor)  # outside of the lock: a later PUT need not wait for it
            with self._lock:
                self._check()
                return _note_part(self._folder, self._number, self.size_bytes)

    def stop(self) -> None:
        """After this returns, this PUT writes nothing more."""
        with self._lock:
            self._stopped = True

    def close(self) -> None:
        with self._lock:
            self._stopped = True
            os.close(self._descriptor)

    def _check(self) -> None:
        if self._stopped:
            raise PartSuperseded(
                f"another PUT of part {self._number}, or the end of the upload, came in between: "
                "list the parts and send what is missing"
            )


class LocalMultipart:
    """Uploads in progress under one folder, which one process alone serves."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = threading.Condition()
        self._writers: dict[tuple[str, int], PartWriter] = {}
        self._sealed: set[str] = set()

    def create(self, layout: Layout) -> str:
        """Lay out the file; its blocks are taken from the disk as parts arrive."""
        if layout.part_count > MAX_PARTS:
            raise SizeMismatch(f"{layout.part_count} parts are more than {MAX_PARTS}: larger parts")
        if layout.part_count > 1 and layout.part_size_bytes < MIN_PART_BYTES:
            raise PartTooSmall(f"parts must have {MIN_PART_BYTES} bytes, all but the last")
        upload_id = new_id("mpu")
        folder = self._root / upload_id
        with store_errors(self._root):
            make_folder(self._root)
            need_free(self._root, layout.size_bytes)
            make_folder(folder / "parts")
            with (folder / "data").open("xb") as file:
                file.truncate(layout.size_bytes)
                os.fsync(file.fileno())
            with (folder / "layout.json").open("x", encoding="utf-8") as file:
                json.dump(asdict(layout), file)
                file.flush()
                os.fsync(file.fileno())
            sync(folder)
        return upload_id

    def layout(self, upload_id: str) -> Layout:
        """Raises `MultipartNotFound`."""
        try:
            record = (self._folder(upload_id) / "layout.json").read_bytes()
        except FileNotFoundError as error:
            raise _not_found(upload_id) from error
        return Layout(**json.loads(record))

    @contextmanager
    def receive(self, upload_id: str, number: int) -> Iterator[PartWriter]:
        """The right to write a part, taken from whoever had it; the part counts as missing now."""
        folder, layout = self._folder(upload_id), self.layout(upload_id)
        with self._lock:
            if upload_id in self._sealed or not (folder / "layout.json").exists():
                raise _not_found(upload_id)
            with store_errors(folder):
                if (folder / "data").stat().st_nlink > 1:  # it has its key: it is an object now
                    raise _not_found(upload_id)
                writer = PartWriter(folder, layout, number)
            earlier = self._writers.get((upload_id, number))
            self._writers[upload_id, number] = writer
        try:
            if earlier is not None:
                earlier.stop()
            with store_errors(folder):
                _forget_part(folder, number)
            yield writer
        finally:
            writer.close()
            with self._lock:
                if self._writers.get((upload_id, number)) is writer:
                    del self._writers[upload_id, number]

    def parts(self, upload_id: str) -> list[Part]:
        layout = self.layout(upload_id)
        try:
            names = sorted(path.name for path in (self._folder(upload_id) / "parts").iterdir())
        except FileNotFoundError as error:
            raise _not_found(upload_id) from error
        notes = [found for name in names if (found := _PART_NOTE.fullmatch(name)) is not None]
        marks = {int(note[1]): note[2] for note in notes}
        return [Part(number, layout.part_bytes(number), mark) for number, mark in marks.items()]

    def complete(self, upload_id: str, parts: Sequence[Part], target: Path) -> int:
        """Give the finished file its name. Raises `PartMissing`; then the upload stays open."""
        layout, folder = self.layout(upload_id), self._folder(upload_id)
        with self._seal(upload_id), store_errors(folder):
            _check_whole(layout, self.parts(upload_id), parts)
            sync(folder / "data")
            (folder / "data").chmod(READ_ONLY)
            try:
                place(folder / "data", target)
            except FileExistsError:
                if not target.samefile(
                    folder / "data"
                ):  # else a crash came just after it was placed
                    raise
            self._remove(folder)
        return layout.size_bytes

    def abort(self, upload_id: str) -> None:
        folder = self._folder(upload_id)
        with self._seal(upload_id), store_errors(folder):
            if folder.is_dir():
                self._remove(folder)

    def _remove(self, folder: Path) -> None:
        # The layout goes first: what is left after a crash is no upload any more.
        (folder / "layout.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        sync(self._root)

    @contextmanager
    def _seal(self, upload_id: str) -> Iterator[None]:
        """Nobody writes a part of this upload, and nobody else ends it, while the block runs."""
        with self._lock:
            self._lock.wait_for(lambda: upload_id not in self._sealed)
            self._sealed.add(upload_id)
            writing = [writer for (one, _), writer in self._writers.items() if one == upload_id]
        for writer in writing:
            writer.stop()
        try:
            yield
        finally:
            with self._lock:
                self._sealed.discard(upload_id)
                self._lock.notify_all()

    def _folder(self, upload_id: str) -> Path:
        if not _UPLOAD_ID.fullmatch(upload_id):
            raise _not_found(upload_id)
        return self._root / upload_id


def _not_found(upload_id: str) -> MultipartNotFound:
    return MultipartNotFound(
        f"there is no open multipart upload {upload_id[:40]!r}: it was completed or aborted"
    )


def _check_whole(layout: Layout, stored: Sequence[Part], named: Sequence[Part]) -> None:
    present = {part.number: part.etag for part in stored}
    wanted = {part.number: part.etag for part in named}
    missing = [n for n in range(1, layout.part_count + 1) if n not in present or n not in wanted]
    if missing:
        few = ", ".join(str(number) for number in missing[:10])
        raise PartMissing(f"{len(missing)} parts are missing ({few}…): send them, then complete")
    stale = [number for number, etag in wanted.items() if present.get(number) != etag]
    if stale:
        raise PartMissing(
            f"part {stale[0]} was sent again meanwhile: list the parts, then complete"
        )


def _note_part(folder: Path, number: int, size_bytes: int) -> Part:
    mark = secrets.token_hex(16)
    os.close(os.open(folder / "parts" / f"{number:05d}.{mark}", os.O_CREAT | os.O_EXCL, 0o600))
    sync(folder / "parts")
    return Part(number, size_bytes, mark)


def _forget_part(folder: Path, number: int) -> None:
    """Before its bytes are overwritten a part must not count as whole, not even after a crash."""
    earlier = list((folder / "parts").glob(f"{number:05d}.*"))
    for note in earlier:
        note.unlink(missing_ok=True)
    if earlier:
        sync(folder / "parts")
