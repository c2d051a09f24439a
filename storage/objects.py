"""The object store, as everybody sees it: MinIO or any S3, or a local folder in embedded mode.

Objects are immutable: a key is written once. Everything here may raise `StoreUnavailable`
(retryable) when the store does not answer, and `ObjectMissing` when a key is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from storage.errors import ObjectMissing
from storage.settings import Settings, data_signing_key

MIN_PART_BYTES = 5 * 1024 * 1024  # S3's rule for every part but the last
MAX_PARTS = 10_000  # S3's


def never() -> None:
    """The check of a transfer that nobody stops."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part that is stored whole. `etag` is the store's own mark, not a hash of the content."""

    number: int
    size_bytes: int
    etag: str


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    size_bytes: int


class ObjectStore(Protocol):
    """What both stores do. Keys are relative paths made by Kapok, never by a user."""

    def prepare(self) -> None:
        """Make the bucket or folder, if it is not there yet.

        Raises `InvalidSettings` for a folder whose disk cannot keep objects.
        """

    def check(self) -> None:
        """Raise `StoreUnavailable` unless the store answers, within seconds, and can be written."""

    def create_multipart(self, key: str, *, size_bytes: int, part_size_bytes: int) -> str:
        """Begin an upload of `size_bytes`; every part but the last has `part_size_bytes`."""

    def sign_part(self, key: str, upload_id: str, number: int, ttl_s: float) -> str:
        """A URL that takes one PUT of that part, reachable from outside. Needs no network."""

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        """The parts that are stored whole, by number. Raises `MultipartNotFound`."""

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> int:
        """Make the object of these parts and return its size.

        Done twice it says the same, so a crash after it is no loss. Raises `PartTooSmall`,
        `PartMissing`, `SizeMismatch`, `MultipartNotFound`; the upload then stays open.
        """

    def abort_multipart(self, key: str, upload_id: str) -> None:
        """Drop the parts; nothing happens when there is no such upload."""

    def sign_get(self, key: str, ttl_s: float, file_name: str | None = None) -> str:
        """A URL for GET with Range, reachable from outside. Needs no network.

        With `file_name` a browser saves the file under that name.
        """

    def stat(self, key: str) -> ObjectFacts: ...

    def put_file(self, path: Path, key: str, check: Callable[[], None] = never) -> None:
        """Store a finished file. Raises `ObjectExists` when the key holds something else.

        `check` is called on the way, between two parts, and ends it by raising. The local store
        may keep the very same file (a hard link): do not write to `path` again.
        """

    def put_bytes(self, content: bytes, key: str) -> None: ...

    def read_bytes(self, key: str, limit: int) -> bytes:
        """The whole object; raises `ObjectTooLarge` when it has more than `limit` bytes."""

    def fetch(
        self, key: str, scratch: Path, check: Callable[[], None] = never
    ) -> AbstractContextManager[Path]:
        """A local path of the object, read-only. A copy lies in `scratch` until the context ends.

        `check` is called on the way and ends it by raising. The local store gives its own file and
        copies nothing. Raises `DiskFull`.
        """

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes `start` … `end - 1` in blocks."""

    def delete(self, key: str) -> None:
        """Nothing happens when there is no such object."""

    def delete_prefix(self, prefix: str) -> None:
        """Delete every object whose key begins with `prefix`, which ends in `/`."""

    def list_prefix(self, prefix: str) -> Iterator[str]:
        """The keys that begin with `prefix`, which ends in `/`, sorted."""

    def remove_leftovers(self, silent_s: float) -> list[str]:
        """Remove what killed processes were storing, if nothing was written to it for so long.

        Returns its names.
        """


def is_whole(objects: ObjectStore, key: str, size_bytes: int) -> bool:
    """Whether an object of that size lies at the key."""
    try:
        return objects.stat(key).size_bytes == size_bytes
    except ObjectMissing:
        return False


def open_store(settings: Settings) -> ObjectStore:
    """The store that the settings choose. Does not connect."""
    from storage.objects_local import LocalStore  # noqa: PLC0415 - they import this module's types
    from storage.objects_minio import MinioStore  # noqa: PLC0415

    if settings.s3_endpoint is None:
        return LocalStore(
            settings.data / "objects", data_signing_key(settings), settings.public_url
        )
    return MinioStore(
        settings.s3_endpoint,
        settings.s3_public_endpoint or settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        bucket=settings.s3_bucket,
        region=settings.s3_region,
    )
