"""The embedded object store's two signed URLs: PUT of a part, ranged GET and HEAD of an object.

It is not an S3 server: create, list, complete and abort stay behind `/v1/uploads`. With S3 these
routes do not exist.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import TypeVar, TypeVarTuple

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from api.backend import Backend, BackendDep
from api.files import send_file
from api.refusals import BodyCutShort, PartSizeMismatch
from storage.multipart_local import PartWriter
from storage.objects_local import OBJECTS_PATH, PARTS_PATH, LocalStore
from storage.signing import verify

BLOCK_BYTES = 1 << 20  # a part is never held as a whole: this is all of it that is in memory

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

router = APIRouter(tags=["store"])
_disk = CapacityLimiter(
    8
)  # apart from the threads that answer JSON, which a slow disk must not take


async def _off_loop(work: Callable[[*Ts], T], *arguments: *Ts) -> T:
    return await to_thread.run_sync(work, *arguments, limiter=_disk)


@router.put(f"{PARTS_PATH}/{{upload_id}}/{{number}}", response_class=Response)
async def put_part(upload_id: str, number: int, request: Request, backend: BackendDep) -> Response:
    """Store one part: the body is its bytes, `Content-Length` exactly its size. Needs no key.

    The URL comes from `POST /v1/uploads/{id}/parts`. A part that breaks off leaves nothing.
    """
    store = _verified(request, backend)
    expected = await _off_loop(store.part_bytes, upload_id, number)
    _check_length(request, expected)
    async with _writing(store, upload_id, number) as writer:
        async with aclosing(_blocks(request, expected, backend.body_idle_s)) as blocks:
            async for block in blocks:
                await _off_loop(writer.write, block)
        part = await _off_loop(writer.commit)
    return Response(headers={"ETag": f'"{part.etag}"'})


@router.head(f"{OBJECTS_PATH}/{{key:path}}", include_in_schema=False)
@router.get(f"{OBJECTS_PATH}/{{key:path}}", response_class=Response)
async def get_object(key: str, request: Request, backend: BackendDep) -> Response:
    """An object or one range of it, with If-Range and If-None-Match. Needs no key."""
    store = _verified(request, backend)
    return await send_file(request, store.path(key), key, request.query_params.get("file_name"))


def _verified(request: Request, backend: Backend) -> LocalStore:
    """The store, once the URL is proven; nothing of the body is read before."""
    verify(backend.signing_key, request.method, request.scope["path"], dict(request.query_params))
    assert isinstance(backend.objects, LocalStore)
    return backend.objects


def _check_length(request: Request, expected: int) -> None:
    given = request.headers.get("content-length")
    if given is None:
        raise PartSizeMismatch(
            f"This part has {expected} bytes: say so in Content-Length, and send no chunked body."
        )
    if given != str(expected):
        raise PartSizeMismatch(f"This part has {expected} bytes and Content-Length says {given}.")


@asynccontextmanager
async def _writing(store: LocalStore, upload_id: str, number: int) -> AsyncIterator[PartWriter]:
    receiving = store.receive_part(upload_id, number)
    writer = await _off_loop(receiving.__enter__)
    try:
        yield writer
    finally:
        with CancelScope(shield=True):  # the file is closed even while the server stops
            await _off_loop(receiving.__exit__, None, None, None)


async def _blocks(
    request: Request, expected: int, idle_s: float
) -> AsyncGenerator[bytearray, None]:
    """The body in large blocks. Raises `BodyCutShort` when it breaks off or stands still."""
    stream, block, received = request.stream(), bytearray(), 0
    try:
        while received < expected:
            async with asyncio.timeout(idle_s):
                piece = await anext(stream, None)
            if piece is None:
                break
            block += piece
            received += len(piece)
            if len(block) >= BLOCK_BYTES:
                yield block
                block = bytearray()
    except (ClientDisconnect, TimeoutError) as error:
        raise _cut_short(received, expected) from error
    if received < expected:
        raise _cut_short(received, expected)
    if block:
        yield block


def _cut_short(received: int, expected: int) -> BodyCutShort:
    return BodyCutShort(f"{received} of {expected} bytes of this part came: send it again.")
