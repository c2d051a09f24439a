"""Download of one file: resumed by Range, proven by SHA-256, and only then given its name."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin

import httpx

from kapok.errors import ApiError, FileInUse, ServiceUnreachable
from kapok.language import t
from kapok.transfer import BLOCK_BYTES, Transfer
from kapok.transport import LONG_PATIENCE_S, raise_for_problem, tries, unreachable
from kapok.ways_out import there_already
from pipelines.errors import HashMismatch
from pipelines.running.durable import give_name
from pipelines.running.file_locks import is_ours

REFUSALS = 3  # a signature can expire; three refusals in a row are another fault
PARTIAL = ".partial"
Digest = Any  # hashlib gives its digest objects no public type


@dataclass(frozen=True, slots=True)
class SignedFile:
    """What the service says of a file, and a URL that opens it for a short while."""

    url: str
    sha256: str
    size_bytes: int


def download(
    http: httpx.Client,
    base_url: str,
    sign: Callable[[], SignedFile],
    target: Path,
    *,
    overwrite: bool = True,
) -> Generator[Transfer, None, Path]:
    """Fetch into `.NAME.partial` beside `target`, prove the bytes, sync, rename.

    `sign` is asked again whenever a URL stops working. A file that is already there with the right
    hash is left alone, and another one only replaced if it may be. A wrong hash throws the partial
    file away: once more from the start, then `HashMismatch`. `FileInUse` where another process is
    fetching the same file.
    """
    file = sign()
    if target.is_file() and target.stat().st_size == file.size_bytes:
        digest = yield from _hash_present(target)
        if digest == file.sha256:
            return target
    if target.is_file() and not overwrite:
        raise there_already(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}{PARTIAL}")
    for _ in range(2):
        with _alone(partial, target.name) as out:
            found = yield from _fetch(Source(http, base_url, sign, file), out, target.name)
            if found == file.sha256:
                give_name(partial, target)
                return target
            partial.unlink()
    raise HashMismatch(
        t(
            f"{target.name} arrived with the SHA-256 {found}, the service says {file.sha256}: "
            "something on the way changes bytes; try another network, then report it",
            f"{target.name} 收到的 SHA-256 为 {found}，服务端记录为 {file.sha256}："
            "传输途中字节被改动，请换一个网络再试，并报告此问题",
        )
    )


def drop_partials(folder: Path) -> None:
    """What downloads into the folder left unfinished, and nobody is going to finish."""
    for partial in folder.rglob(f".*{PARTIAL}"):
        partial.unlink()


@dataclass(slots=True)
class Source:
    """Where the bytes come from; `file` is replaced by a freshly signed one after each failure."""

    http: httpx.Client
    base_url: str
    sign: Callable[[], SignedFile]
    file: SignedFile


@contextlib.contextmanager
def _alone(partial: Path, name: str) -> Iterator[BinaryIO]:
    """The file, for this process alone until it has its name: two that append would mix."""
    with partial.open("a+b") as out:
        if not (is_ours(out) and _still_has_its_name(out, partial)):
            raise FileInUse(
                t(
                    f"another process is fetching {name} into {partial.parent}: let it end, or "
                    "give another folder",
                    f"另一个进程正在把 {name} 下载到 {partial.parent}：请等它完成，或指定其他目录",
                )
            )
        yield out


def _still_has_its_name(out: BinaryIO, partial: Path) -> bool:
    """Not where another process gave it its final name between our opening and our lock."""
    try:
        return partial.stat().st_ino == os.fstat(out.fileno()).st_ino
    except FileNotFoundError:
        return False


def _fetch(source: Source, out: BinaryIO, name: str) -> Generator[Transfer, None, str]:
    """Append what `out` lacks; the SHA-256 of all of it. One digest lives through retries.

    The patience is with a link that brings nothing: it begins again where bytes have come.
    """
    size = source.file.size_bytes
    digest = _digest_of(out, size)
    resumed = out.tell()
    while True:
        have, refusals = out.tell(), 0
        for last in tries(LONG_PATIENCE_S):
            try:
                for _ in _receive(source, out, digest):
                    yield Transfer(name, out.tell(), size, resumed)
            except (httpx.RequestError, ApiError) as error:
                failure = _failure(source.base_url, error)
                refusals += not failure.retryable
                spent = last or refusals >= REFUSALS
                if spent and out.tell() == have:
                    raise failure from error
            else:
                out.flush()
                return str(digest.hexdigest())
            source.file = source.sign()
            if spent:
                break


def _digest_of(out: BinaryIO, size_bytes: int) -> Digest:
    """The digest of what an earlier run left; a file that is too long is emptied."""
    digest = hashlib.sha256()
    out.seek(0)
    while block := out.read(BLOCK_BYTES):
        digest.update(block)
    if out.tell() <= size_bytes:
        return digest
    out.truncate(0)
    out.seek(0)
    return hashlib.sha256()


def _receive(source: Source, out: BinaryIO, digest: Digest) -> Generator[None, None, None]:
    """Bytes from the end of `out` to the end of the file, a block at a time."""
    have = out.tell()
    if have == source.file.size_bytes:
        return
    url = urljoin(source.base_url, source.file.url)
    # Identity: a proxy that packs the answer would change the bytes that are hashed.
    headers = {"Range": f"bytes={have}-", "Accept-Encoding": "identity"}
    with source.http.stream("GET", url, headers=headers, follow_redirects=True) as response:
        if not response.is_success:
            response.read()
        raise_for_problem(response)
        if have and response.status_code != httpx.codes.PARTIAL_CONTENT:
            raise ApiError(response.status_code, {"code": "range_ignored"}, None)
        for block in response.iter_raw():  # as it comes: what a break finds unwritten is lost
            out.write(block)
            digest.update(block)
            yield
    if out.tell() < source.file.size_bytes:
        raise httpx.RemoteProtocolError("the answer ended early")


def _failure(base_url: str, error: httpx.RequestError | ApiError) -> ServiceUnreachable | ApiError:
    return error if isinstance(error, ApiError) else unreachable(base_url, error)


def _hash_present(path: Path) -> Generator[Transfer, None, str]:
    digest, size, done = hashlib.sha256(), path.stat().st_size, 0
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
            done += len(block)
            yield Transfer(path.name, done, size, size)
    return str(digest.hexdigest())
