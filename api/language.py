"""The language of an answer: Chinese where `Accept-Language` begins with `zh`, else English."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Annotated

from fastapi import Request
from pydantic import PlainSerializer, WithJsonSchema
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.words import Words

FILES = "/v1/playback/"  # of packages: the same in every language

_in_chinese: ContextVar[bool] = ContextVar("in_chinese", default=False)


def prefers_chinese(request: Request) -> bool:
    return request.headers.get("accept-language", "").strip().lower().startswith("zh")


class Languages:
    """Keeps the language of each request of the API for `Told`, and lets caches know it matters."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith("/v1/") or path.startswith(FILES):
            await self.app(scope, receive, send)
            return

        async def send_varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept-Language")
            await send(message)

        kept = _in_chinese.set(prefers_chinese(Request(scope)))
        try:
            await self.app(scope, receive, send_varying)
        finally:
            _in_chinese.reset(kept)


def told(words: Words) -> str:
    """The text in the language of the request that is being answered."""
    return words.zh if _in_chinese.get() else str(words)


Told = Annotated[Words, PlainSerializer(told, return_type=str), WithJsonSchema({"type": "string"})]
