"""The object store of embedded mode: a folder. Its signed URLs are served by the API."""

from __future__ import annotations

import errno
import filecmp
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

from pipelines.running.durable import sync
from storage.errors import MultipartNotFound, ObjectExists, ObjectMissing, ObjectTooLarge
from storage.files import READ_ONLY, make_folder, need_free, need_links, place, prune, store_errors
from storage.ids import new_id
from storage.multipart_local import Layout, LocalMultipart, PartWriter
from storage.objects import ObjectFacts, Part, never
from storage.signing import sign_url

PARTS_PATH = "/store/parts"
OBJECTS_PATH = "/store/objects"
BLOCK_BYTES = 1 << 20
COPY_BYTES = 16 << 20
NO_LINK = {errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EACCES}

_KEY = re.compile(r"(?!\.)[A-Za-z0-9._=-]+(?:/(?!\.)[A-Za-z0-9._=-]+)*")


class LocalStore:
    """Objects are files under `root/objects`, named by their keys, and never written to again."""

    def __init__(self, root: Path, signing_key: bytes, public_url: str) -> None:
        self._root = root
        self._objects, self._incoming = root / "objects", root / "incoming"
        self._uploads = LocalMultipart(root / "multipart")
        self._signing_key, self._public_url = signing_key, public_url

    def prepare(self) -> None:
        with store_errors(self._root):
            for folder in (self._objects, self._incoming, self._root / "multipart"):
                make_folder(folder)
            probe, second = (self._incoming / new_id("chk") for _ in range(2))
            probe.touch()
            try:
                with need_links(self._root):
                    second.hardlink_to(probe)
                second.unlink()
            finally:
                probe.unlink()

    def check(self) -> None:
        with store_errors(self._root):
            make_folder(self._incoming)
            probe = self._incoming / new_id("chk")
            probe.touch()
            probe.unlink()

    def create_multipart(self, key: str, *, size_bytes: int, part_size_bytes: int) -> str:
        self.path(key)
        return self._uploads.create(Layout(key, size_bytes, part_size_bytes))

    def sign_part(self, key: str, upload_id: str, number: int, ttl_s: float) -> str:  # noqa: ARG002 - S3 signs it
        path = f"{PARTS_PATH}/{upload_id}/{number}"
        return sign_url(self._signing_key, self._public_url, "PUT", path, ttl_s)

    def part_bytes(self, upload_id: str, number: int) -> int:
        """The exact size that this part must have. Raises `MultipartNotFound`, `PartMissing`."""
        return self._uploads.layout(upload_id).part_bytes(number)

    def receive_part(self, upload_id: str, number: int) -> AbstractContextManager[PartWriter]:
        """Write a part into its place: `write` its bytes in order, then `commit`.

        A later PUT of the same part, and completing or aborting, stop an earlier writer:
        its next call raises `PartSuperseded`. Raises `MultipartNotFound`, `PartMissing`.
        """
        return self._uploads.receive(upload_id, number)

    def list_parts(self, key: str, upload_id: str) -> list[Part]:  # noqa: ARG002 - S3 asks for it
        return self._uploads.parts(upload_id)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> int:
        try:
            return self._uploads.complete(upload_id, parts, self.path(key))
        except MultipartNotFound:
            if not self.path(key).is_file():
                raise
            return self.stat(key).size_bytes  # completed before, and the answer was lost
        except FileExistsError as error:
            raise _exists(key) from error

    def abort_multipart(self, key: str, upload_id: str) -> None:  # noqa: ARG002 - S3 asks for it
        try:
            self._uploads.abort(upload_id)
        except MultipartNotFound:
            return

    def sign_get(self, key: str, ttl_s: float, file_name: str | None = None) -> str:
        self.path(key)
        fields = {} if file_name is None else {"file_name": file_name}
        path = f"{OBJECTS_PATH}/{key}"
        return sign_url(self._signing_key, self._public_url, "GET", path, ttl_s, fields)

    def path(self, key: str) -> Path:
        """Where an object lies, if it is there. Raises `ObjectMissing` for a bad key."""
        if not _KEY.fullmatch(key):
            raise ObjectMissing(f"{key[:200]!r} is no key of this store")
        return self._objects / key

    def stat(self, key: str) -> ObjectFacts:
        with self._reading(key):
            return ObjectFacts(self.path(key).stat().st_size)

    def put_file(self, path: Path, key: str, check: Callable[[], None] = never) -> None:
        target = self.path(key)
        with store_errors(self._root):
            sync(path)
            if self._linked(path, target):
                return
            make_folder(self._incoming)
            need_free(self._incoming, path.stat().st_size)
            aside = self._incoming / new_id("put")
            try:
                _copy(path, aside, check)
                self._keep(aside, target)
            finally:
                aside.unlink(missing_ok=True)

    def put_bytes(self, content: bytes, key: str) -> None:
        target = self.path(key)
        with store_errors(self._root):
            make_folder(self._incoming)
            aside = self._incoming / new_id("put")
            try:
                aside.write_bytes(content)
                self._keep(aside, target)
            finally:
                aside.unlink(missing_ok=True)

    def read_bytes(self, key: str, limit: int) -> bytes:
        with self._reading(key), self.path(key).open("rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ObjectTooLarge(f"{key} has more than {limit} bytes")
        return content

    @contextmanager
    def fetch(
        self,
        key: str,
        scratch: Path,  # noqa: ARG002 - nothing is copied
        check: Callable[[], None] = never,  # noqa: ARG002
    ) -> Iterator[Path]:
        self.stat(key)
        yield self.path(key)

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        with self._reading(key), self.path(key).open("rb", buffering=0) as file:
            while start < end and (
                block := os.pread(file.fileno(), min(BLOCK_BYTES, end - start), start)
            ):
                start += len(block)
                yield block

    def delete(self, key: str) -> None:
        path = self.path(key)
        with store_errors(self._root):
            path.unlink(missing_ok=True)
            prune(path.parent, self._objects)

    def delete_prefix(self, prefix: str) -> None:
        folder = self._folder(prefix)
        with store_errors(self._root):
            if folder.is_dir():
                shutil.rmtree(folder)
            prune(folder.parent, self._objects)

    def list_prefix(self, prefix: str) -> Iterator[str]:
        with store_errors(self._root):
            walked = list(os.walk(self._folder(prefix), onerror=_raise_unless_gone))
        files = (Path(folder, name) for folder, _, names in walked for name in names)
        keys = (path.relative_to(self._objects).as_posix() for path in files)
        # A desktop or a NAS leaves .DS_Store, @eaDir/… or .nfs… where it was shown the folder.
        yield from sorted(key for key in keys if _KEY.fullmatch(key))

    def remove_leftovers(self, silent_s: float) -> list[str]:
        long_ago = time.time() - silent_s
        removed = []
        with store_errors(self._root):
            for path in sorted(self._incoming.glob("*")):
                with suppress(FileNotFoundError):  # it was placed, or swept by another, just now
                    if path.stat().st_mtime < long_ago:
                        path.unlink()
                        removed.append(path.name)
        return removed

    def _folder(self, prefix: str) -> Path:
        if not prefix.endswith("/"):
            raise ObjectMissing(f"{prefix!r} is no prefix: it must end in '/'")
        return self.path(prefix.removesuffix("/"))

    def _linked(self, path: Path, target: Path) -> bool:
        """Keep the very same file, where the disk allows it."""
        try:
            place(path, target)
        except FileExistsError as error:
            self._same(path, target, error)
        except OSError as error:
            if error.errno not in NO_LINK:
                raise
            return False
        path.chmod(READ_ONLY)
        return True

    def _keep(self, aside: Path, target: Path) -> None:
        sync(aside)
        aside.chmod(READ_ONLY)
        try:
            place(aside, target)
        except FileExistsError as error:
            self._same(aside, target, error)

    def _same(self, path: Path, target: Path, error: FileExistsError) -> None:
        """An object is written once; the same bytes again are no change."""
        if not filecmp.cmp(path, target, shallow=False):
            raise _exists(target.relative_to(self._objects).as_posix()) from error

    @contextmanager
    def _reading(self, key: str) -> Iterator[None]:
        with store_errors(self._root):
            try:
                yield
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                raise ObjectMissing(f"there is no object {key}") from error


def _raise_unless_gone(error: OSError) -> None:
    """A folder that somebody removes while it is walked holds nothing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error


def _copy(source: Path, target: Path, check: Callable[[], None]) -> None:
    with source.open("rb") as given, target.open("wb") as out:
        while block := given.read(COPY_BYTES):
            check()
            out.write(block)


def _exists(key: str) -> ObjectExists:
    return ObjectExists(f"{key} already holds something else: objects are never changed")
