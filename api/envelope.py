"""Around every request: its id, one log line, a limit on the body, and no NUL in the path."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from urllib.parse import quote

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from storage.ids import new_id

MAX_BODY_BYTES = 1 << 20
MAX_SHOWN = 500
API_PATH = "/v1/"  # parts of files go elsewhere, to the disk, with their own exact limit

log = logging.getLogger("kapok.requests")

_GIVEN_ID = re.compile(r"[A-Za-z0-9._-]{1,100}")


class RequestIds:
    """`X-Request-Id` comes back as it was sent, or fresh; problems and the log carry it too."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Request(scope).headers.get("x-request-id", "")
        request_id = given if _GIVEN_ID.fullmatch(given) else new_id("req")
        scope.setdefault("state", {})["request_id"] = request_id
        status, began = 500, time.monotonic()

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, send_named)
        finally:
            elapsed_ms = (time.monotonic() - began) * 1000
            log.info(
                "%s %s %s %.1f ms %s",
                scope["method"],
                _shown(scope),
                status,
                elapsed_ms,
                request_id,
            )


def _shown(scope: Scope) -> str:
    """The path without its query, which may hold a signature, and without a playback token.

    Quoted: a line feed in it would begin a line of the caller's making.
    """
    path = quote(scope["path"], safe="/")
    return re.sub(r"^(/v1/playback/)[^/]+", r"\1…", path)[:MAX_SHOWN]


def brings_body(scope: Scope) -> bool:
    """Whether the request is one of the API and says that a body follows; no other one is read."""
    if scope["type"] != "http" or not scope["path"].startswith(API_PATH):
        return False
    headers = Request(scope).headers
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


class SmallBodies:
    """Reads a body of at most `MAX_BODY_BYTES` ahead of the routes, in `limit_s` at most."""

    def __init__(self, app: ASGIApp, limit_s: float) -> None:
        self.app = app
        self.limit_s = limit_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            detail = "The URL holds a NUL character: remove it."
            await problem(request, "invalid_text", detail)(scope, receive, send)
            return
        if not brings_body(scope):
            await self.app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self.limit_s):
                body = await _read(request)
        except TimeoutError:
            detail = f"The body did not come within {self.limit_s:g} s: send it again, at once."
            headers = {"Connection": "close"}
            answer = problem(request, "body_too_slow", detail, retryable=True, headers=headers)
            await answer(scope, receive, send)
            return
        if body is None:
            detail = (
                f"A request body may have {MAX_BODY_BYTES} bytes: send files as parts of an upload."
            )
            await problem(request, "body_too_large", detail)(scope, receive, send)
            return
        await self.app(scope, _replay(body, receive), send)


async def _read(request: Request) -> bytes | None:
    """The body, or `None` when it is too large; a body that ends early is as long as it is."""
    body = bytearray()
    try:
        async for block in request.stream():
            body += block
            if len(body) > MAX_BODY_BYTES:
                return None
    except ClientDisconnect:
        log.info("the client left before its body had come")
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once and then goes on with the real one."""
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
