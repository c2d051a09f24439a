"""Playback through a signed prefix: manifests and segments under one short-lived URL."""

from __future__ import annotations

import time
from pathlib import PurePosixPath

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool

from api.backend import Backend, BackendDep
from api.files import HEADERS, media_type_of, send_file
from api.prefixes import key_under, open_prefix
from api.store_threads import in_store_thread
from storage.objects_local import LocalStore

# Whatever names other files is served here, so that its relative names resolve under the token.
NAMES_OTHERS = {".m3u8", ".mpd", ".vtt"}
MAX_MANIFEST_BYTES = 32 << 20

router = APIRouter(tags=["store"])


@router.head("/v1/playback/{token}/{path:path}", include_in_schema=False)
@router.get("/v1/playback/{token}/{path:path}", response_class=Response)
async def play(token: str, path: str, request: Request, backend: BackendDep) -> Response:
    """A file of a package, needing no key: `GET /v1/assets/{id}/playback` gives such URLs.

    Segments are ranged; with S3 they are redirects to the store, where a URL that is signed for GET
    opens for nothing else: so HEAD is answered here.
    """
    prefix, expires_at = open_prefix(backend.signing_key, token, time.time())
    key = key_under(prefix, path)
    if isinstance(backend.objects, LocalStore):
        return await send_file(request, backend.objects.path(key), key)
    if PurePosixPath(path).suffix in NAMES_OTHERS:
        return await in_store_thread(_manifest, backend, key)
    if request.method == "HEAD":
        return await in_store_thread(_head, backend, key)
    ttl_s = min(backend.settings.signed_url_ttl_s, expires_at - time.time())
    url = await run_in_threadpool(backend.objects.sign_get, key, ttl_s)
    cached = {"Cache-Control": f"private, max-age={int(ttl_s / 2)}"}
    return RedirectResponse(url, status_code=302, headers=HEADERS | cached)


def _head(backend: Backend, key: str) -> Response:
    size_bytes = backend.objects.stat(key).size_bytes
    headers = HEADERS | {"Content-Length": str(size_bytes)}
    return Response(media_type=media_type_of(key), headers=headers)


def _manifest(backend: Backend, key: str) -> Response:
    content = backend.objects.read_bytes(key, MAX_MANIFEST_BYTES)
    return Response(content, media_type=media_type_of(key), headers=HEADERS)
