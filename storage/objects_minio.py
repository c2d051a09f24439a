"""The object store over S3: MinIO, by its own SDK. Its multipart calls are private: all are here.

Two clients sign and talk: the internal one by the address that servers use, the public one by the
address that users reach. As the region is given, signing needs no network.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast
from urllib.parse import quote, urlsplit

import urllib3
from minio import Minio
from minio.datatypes import Part as MinioPart
from minio.deleteobjects import DeleteObject
from minio.error import MinioException, S3Error
from urllib3.exceptions import HTTPError

from pipelines.errors import DiskFull, KapokError
from storage.errors import (
    MultipartNotFound,
    ObjectExists,
    ObjectMissing,
    ObjectTooLarge,
    PartMissing,
    PartTooSmall,
    StoreRefused,
    StoreUnavailable,
)
from storage.files import need_free, store_errors
from storage.objects import MIN_PART_BYTES, ObjectFacts, Part, never
from storage.settings import LONGEST_S3_URL_S

MIB = 1024 * 1024
BLOCK_BYTES = MIB
PUT_PART_BYTES = 16 * MIB  # three at once are in memory while a file is put
PUT_PARTS = 3
MOST_PARTS = 9_000
FETCH_TRIES = 5  # in a row without a single byte
LIST_PARTS = 1_000  # S3's most a page
CONNECTIONS = 32
# Of a completion, which may take the server so long. Whether the store is there is known sooner.
TIMEOUT = urllib3.Timeout(connect=5, read=60)
CHECK_TIMEOUT = urllib3.Timeout(total=3)
RETRIES = urllib3.Retry(
    total=3, backoff_factor=0.3, status_forcelist=(500, 502, 503, 504), raise_on_status=False
)

Fields = dict[str, str | list[str] | tuple[str]]  # as the SDK spells it

CAUSES: dict[str, type[KapokError]] = {
    "NoSuchKey": ObjectMissing,
    "NoSuchUpload": MultipartNotFound,
    "EntityTooSmall": PartTooSmall,
    "InvalidPart": PartMissing,
    "InvalidPartOrder": PartMissing,
    "XMinioStorageFull": DiskFull,
    "XMinioAdminBucketQuotaExceeded": DiskFull,
}
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500  # from here on the server is at fault, not the request


class MinioStore:
    """One bucket. A key is written once; `put_file` sees to that, S3 itself does not."""

    def __init__(
        self,
        endpoint: str,
        public_endpoint: str,
        *,
        access_key: str,
        secret_key: str,
        bucket: str,
        region: str,
    ) -> None:
        self._endpoint, self._bucket = endpoint, bucket
        self._client = _client(endpoint, access_key, secret_key, region)
        self._public = _client(public_endpoint, access_key, secret_key, region)
        self._asked = _client(
            endpoint, access_key, secret_key, region, CHECK_TIMEOUT, urllib3.Retry(total=0)
        )
        self._prepared = False

    def prepare(self) -> None:
        """Make the bucket; writing calls do so by themselves, once a process."""
        with self._errors():
            if not self._prepared and not self._client.bucket_exists(self._bucket):
                try:
                    self._client.make_bucket(self._bucket)
                except S3Error as error:
                    if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                        raise
            self._prepared = True

    def check(self) -> None:
        with self._errors():
            self._asked.bucket_exists(self._bucket)

    def keeps_versions(self) -> bool:
        """Whether the bucket keeps what is deleted from it."""
        with self._errors():
            return self._client.get_bucket_versioning(self._bucket).status == "Enabled"

    def create_multipart(self, key: str, *, size_bytes: int, part_size_bytes: int) -> str:
        if size_bytes > part_size_bytes and part_size_bytes < MIN_PART_BYTES:
            raise PartTooSmall(f"parts must have {MIN_PART_BYTES} bytes, all but the last")
        self.prepare()
        headers: Fields = {"Content-Type": "application/octet-stream"}
        with self._errors(key):
            return self._client._create_multipart_upload(self._bucket, key, headers)  # noqa: SLF001

    def sign_part(self, key: str, upload_id: str, number: int, ttl_s: float) -> str:
        fields: Fields = {"partNumber": str(number), "uploadId": upload_id}
        return self._public.get_presigned_url(
            "PUT", self._bucket, key, expires=_ttl(ttl_s), extra_query_params=fields
        )

    def list_parts(self, key: str, upload_id: str) -> list[Part]:
        found: list[Part] = []
        with self._errors(key):
            marker: str | None = None
            while True:
                page = self._client._list_parts(  # noqa: SLF001
                    self._bucket, key, upload_id, max_parts=LIST_PARTS, part_number_marker=marker
                )
                found += [_part(part) for part in page.parts]
                if not page.is_truncated:
                    return found
                marker = str(page.next_part_number_marker)

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> int:
        named = [MinioPart(part.number, part.etag) for part in parts]
        try:
            with self._errors(key):
                self._client._complete_multipart_upload(  # noqa: SLF001
                    self._bucket, key, upload_id, named
                )
        except MultipartNotFound as error:
            try:
                return self.stat(key).size_bytes  # completed before, and the answer was lost
            except ObjectMissing:
                raise error from None
        return self._stored_bytes(key)

    def abort_multipart(self, key: str, upload_id: str) -> None:
        try:
            with self._errors(key):
                self._client._abort_multipart_upload(self._bucket, key, upload_id)  # noqa: SLF001
        except MultipartNotFound:
            return

    def sign_get(self, key: str, ttl_s: float, file_name: str | None = None) -> str:
        disposition = f"attachment; filename*=UTF-8''{quote(file_name or '', safe='')}"
        headers: Fields = {"response-content-disposition": disposition}
        return self._public.get_presigned_url(
            "GET",
            self._bucket,
            key,
            expires=_ttl(ttl_s),
            response_headers=headers if file_name is not None else None,
        )

    def stat(self, key: str) -> ObjectFacts:
        with self._errors(key):
            found = self._client.stat_object(self._bucket, key)
        if found.size is None or "content-length" not in (found.metadata or {}):
            raise StoreUnavailable(
                f"the object store at {self._endpoint} does not say how large {key} is: see what "
                "stands before it, a proxy may drop Content-Length from its answers to HEAD"
            )
        return ObjectFacts(found.size)

    def put_file(self, path: Path, key: str, check: Callable[[], None] = never) -> None:
        self.prepare()
        size_bytes = path.stat().st_size
        with path.open("rb") as file:
            if self._holds(key, size_bytes, file):
                return
        with self._errors(key), path.open("rb") as file:
            self._client.put_object(
                self._bucket,
                key,
                cast("BinaryIO", _Checked(file, check)),
                size_bytes,
                part_size=max(PUT_PART_BYTES, -(-size_bytes // MOST_PARTS)),
                num_parallel_uploads=PUT_PARTS,
            )
        self._need_stored(key, size_bytes)

    def put_bytes(self, content: bytes, key: str) -> None:
        self.prepare()
        if self._holds(key, len(content), BytesIO(content)):
            return
        with self._errors(key):
            self._client.put_object(self._bucket, key, BytesIO(content), len(content))
        self._need_stored(key, len(content))

    def read_bytes(self, key: str, limit: int) -> bytes:
        size_bytes = self.stat(key).size_bytes
        if size_bytes > limit:
            raise ObjectTooLarge(f"{key} has {size_bytes} bytes, more than {limit}")
        return b"".join(self.open_range(key, 0, size_bytes))

    @contextmanager
    def fetch(self, key: str, scratch: Path, check: Callable[[], None] = never) -> Iterator[Path]:
        """Downloaded in one stream, which goes on where it broke off while the store comes back."""
        path = scratch / key.rpartition("/")[2]
        size_bytes = self.stat(key).size_bytes
        try:
            with store_errors(scratch):
                need_free(scratch, size_bytes)
                self._download(key, path, size_bytes, check)
            yield path
        finally:
            path.unlink(missing_ok=True)

    def open_range(self, key: str, start: int, end: int) -> Iterator[bytes]:
        if start >= end:
            return
        with self._errors(key):
            response = self._client.get_object(self._bucket, key, offset=start, length=end - start)
            try:
                yield from response.stream(BLOCK_BYTES)
            finally:
                response.close()
                response.release_conn()

    def delete(self, key: str) -> None:
        with self._errors(key):
            self._client.remove_object(self._bucket, key)

    def delete_prefix(self, prefix: str) -> None:
        doomed = [DeleteObject(key) for key in self.list_prefix(prefix)]
        with self._errors(prefix):
            # All of them first: one that is locked keeps none of the others.
            for failed in list(self._client.remove_objects(self._bucket, doomed)):
                raise StoreUnavailable(f"{failed.name} cannot be deleted: {failed.message}")

    def list_prefix(self, prefix: str) -> Iterator[str]:
        if not prefix.endswith("/"):
            raise ObjectMissing(f"{prefix!r} is no prefix: it must end in '/'")
        self.prepare()  # a worker may sweep before the API has made the bucket
        with self._errors(prefix):
            for found in self._client.list_objects(self._bucket, prefix, recursive=True):
                yield str(found.object_name)

    def remove_leftovers(self, silent_s: float) -> list[str]:  # noqa: ARG002 - not ours to remove
        """Nothing: the server itself drops the transfers that nobody finished."""
        return []

    def _holds(self, key: str, size_bytes: int, content: BinaryIO) -> bool:
        """Keys name one attempt of one step, but for those that a restored catalogue gives again:
        so what is there is compared.
        """
        try:
            found = self.stat(key).size_bytes
        except ObjectMissing:
            return False
        stored = self.open_range(key, 0, size_bytes)
        if found != size_bytes or any(block != content.read(len(block)) for block in stored):
            raise ObjectExists(f"{key} already holds something else: objects are never changed")
        return True

    def _need_stored(self, key: str, size_bytes: int) -> None:
        found = self._stored_bytes(key)
        if found != size_bytes:
            raise StoreUnavailable(
                f"{key} has {found} of {size_bytes} bytes in the store: try again"
            )

    def _stored_bytes(self, key: str) -> int:
        """What a write that was answered with 200 has made.

        S3 may answer 200 to a completion, and say only in the body that it failed; the SDK does not
        look (7.2.20). AWS, CompleteMultipartUpload: "a 200 OK response can contain either a success
        or an error".
        """
        try:
            return self.stat(key).size_bytes
        except ObjectMissing as error:
            raise StoreUnavailable(
                f"the object store at {self._endpoint} took {key} and does not have it: try again"
            ) from error

    def _download(self, key: str, path: Path, size_bytes: int, check: Callable[[], None]) -> None:
        path.touch()
        tries = 0
        while (have := path.stat().st_size) < size_bytes:
            try:
                with path.open("ab", buffering=0) as file:
                    for block in self.open_range(key, have, size_bytes):
                        file.write(block)
                        check()
            except StoreUnavailable:
                tries = tries + 1 if path.stat().st_size == have else 1
                if tries >= FETCH_TRIES:
                    raise
                check()
                time.sleep(min(2**tries, 10))

    @contextmanager
    def _errors(self, key: str = "") -> Iterator[None]:
        try:
            yield
        except S3Error as error:
            raise self._cause(error, key) from error
        except (MinioException, HTTPError) as error:
            raise StoreUnavailable(
                f"the object store at {self._endpoint} does not answer ({type(error).__name__}): "
                "see that it runs, then try again"
            ) from error

    def _cause(self, error: S3Error, key: str) -> KapokError:
        known = CAUSES.get(str(error.code))
        if known is not None:
            return known(f"{key or self._bucket}: the object store says: {error.message}")
        said = f"({error.code}: {error.message})"
        status = error.response.status if error.response is not None else SERVER_ERROR
        if status >= SERVER_ERROR or status == TOO_MANY_REQUESTS:
            return StoreUnavailable(
                f"the object store at {self._endpoint} cannot answer now {said}: try again"
            )
        return StoreRefused(
            f"the object store at {self._endpoint} refused {said}: check KAPOK_S3_ACCESS_KEY, "
            "KAPOK_S3_SECRET_KEY and KAPOK_S3_BUCKET, then try again"
        )


@dataclass(frozen=True, slots=True)
class _Checked:
    """A file whose reader may be told to stop, between two parts of an upload."""

    file: BinaryIO
    check: Callable[[], None]

    def read(self, size: int) -> bytes:
        self.check()
        return self.file.read(size)


def _client(
    endpoint: str,
    access_key: str,
    secret_key: str,
    region: str,
    timeout: urllib3.Timeout = TIMEOUT,
    retries: urllib3.Retry = RETRIES,
) -> Minio:
    parts = urlsplit(endpoint)
    http = urllib3.PoolManager(maxsize=CONNECTIONS, timeout=timeout, retries=retries)
    return Minio(
        endpoint=parts.netloc,
        access_key=access_key,
        secret_key=secret_key,
        secure=parts.scheme == "https",
        region=region,
        http_client=http,
    )


def _ttl(ttl_s: float) -> timedelta:
    return timedelta(seconds=max(1, min(int(ttl_s), LONGEST_S3_URL_S)))


def _part(part: MinioPart) -> Part:
    return Part(part.part_number, part.size or 0, part.etag)
