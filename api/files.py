"""A stored file sent from the disk: whole or one range of it, read in blocks off the event loop."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from anyio import CapacityLimiter, to_thread
from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from api.problems import problem
from api.ranges import ByteRange, Unsatisfiable, matches, wanted_range
from storage.errors import ObjectMissing

BLOCK_BYTES = 1 << 20
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}

MEDIA_TYPES = {
    ".aac": "audio/aac",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".mkv": "video/x-matroska",
    ".mp4": "video/mp4",
    ".mpd": "application/dash+xml",
    ".png": "image/png",
    ".ts": "video/mp2t",
    ".vtt": "text/vtt; charset=utf-8",
}

# What a browser may do with a user's file: show it, never run it. Signed URLs carry their own
# right, so any page that was given one may read it.
HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Accept-Ranges, Content-Length, Content-Range, ETag",
    "Cache-Control": "private, max-age=3600",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Accept-Ranges": "bytes",
}

_readers = CapacityLimiter(
    8
)  # apart from the threads that answer JSON, which a slow disk must not take


def media_type_of(path: str) -> str:
    """By its suffix; anything that this table does not name is only ever downloaded."""
    return MEDIA_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Objects never change under their key, so a hash of key and size is a strong ETag."""

    path: Path
    key: str
    size_bytes: int
    modified: str

    @property
    def etag(self) -> str:
        return f'"{sha256(f"{self.key} {self.size_bytes}".encode()).hexdigest()[:32]}"'


async def send_file(
    request: Request, path: Path, key: str, file_name: str | None = None
) -> Response:
    """200, 206, 304 or 416, with the body unless the method is HEAD. Raises `ObjectMissing`."""
    file = await to_thread.run_sync(_stat, path, key, limiter=_readers)
    headers = HEADERS | {"ETag": file.etag, "Last-Modified": file.modified}
    if file_name is not None:
        headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(file_name, safe='')}"
    asked = request.headers
    if matches(asked.get("if-none-match"), file.etag):
        return Response(status_code=304, headers=headers)
    try:
        part = wanted_range(
            asked.get("range"),
            asked.get("if-range"),
            size_bytes=file.size_bytes,
            etag=file.etag,
            modified=file.modified,
        )
    except Unsatisfiable:
        return _outside(request, file)
    return _answer(request, file, part, headers)


def _answer(
    request: Request, file: StoredFile, part: ByteRange | None, headers: dict[str, str]
) -> Response:
    sent = part or ByteRange(0, file.size_bytes)
    headers["Content-Length"] = str(sent.end - sent.start)
    headers["Content-Type"] = media_type_of(file.key)
    if part is not None:
        headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{file.size_bytes}"
    status = 206 if part is not None else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    return StreamingResponse(_blocks(file.path, sent), status_code=status, headers=headers)


def _outside(request: Request, file: StoredFile) -> Response:
    detail = f"The file has {file.size_bytes} bytes: ask for a range inside it."
    headers = {"Content-Range": f"bytes */{file.size_bytes}"}
    return problem(request, "range_not_satisfiable", detail, headers=headers)


def _stat(path: Path, key: str) -> StoredFile:
    try:
        facts = path.stat()
    except OSError as error:
        if error.errno not in ABSENT:
            raise
        raise _missing() from error
    if not stat.S_ISREG(facts.st_mode):
        raise _missing()
    return StoredFile(path, key, facts.st_size, formatdate(facts.st_mtime, usegmt=True))


def _missing() -> ObjectMissing:
    return ObjectMissing("The object is not in the store (any more): ask for a new URL.")


async def _blocks(path: Path, part: ByteRange) -> AsyncIterator[bytes]:
    descriptor = await to_thread.run_sync(os.open, path, os.O_RDONLY, limiter=_readers)
    try:
        at = part.start
        while at < part.end:
            wanted = min(BLOCK_BYTES, part.end - at)
            block = await to_thread.run_sync(os.pread, descriptor, wanted, at, limiter=_readers)
            if not block:  # the file was cut after its size was told: the client sees a short body
                return
            at += len(block)
            yield block
    finally:
        os.close(descriptor)
