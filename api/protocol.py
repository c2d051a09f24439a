"""Limits that httptools does not set: how large the head of a request may be, and how slow."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from fastapi import Request
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.problems import problem
from storage.ids import new_id

MAX_HEAD_BYTES = 64 << 10
LINGER_S = 1.0  # what the client still sends is read and dropped: a reset would eat the answer


class HeadTooLargeError(Exception):
    """Stops the parser; never seen outside of it."""


class Protocol(HttpToolsProtocol):
    """Refuses a head (URL, headers, trailers) beyond `MAX_HEAD_BYTES` or slower than `head_s`.

    Bodies are none of its business: `api/envelope.py` and the parts of uploads limit those.
    """

    head_s = 30.0

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._head_bytes = 0  # of this request
        self._held_bytes = 0  # fed to the parser, which holds them back: the header is not whole
        self._refused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._timer is None and (self.cycle is None or self.cycle.response_complete):
            self._expect_head()
        self._held_bytes += len(data)
        super().data_received(data)
        if self._head_bytes + self._held_bytes > MAX_HEAD_BYTES and not self._refused:
            self._refuse_large()

    def on_message_begin(self) -> None:
        self._head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value, b": \r\n")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._held_bytes = 0
        self._stop_timer()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._held_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._held_bytes = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls when the parser stopped, whether at us or at what is no HTTP."""
        if self._head_bytes > MAX_HEAD_BYTES:
            self._refuse_large()
        else:
            self._refuse("bad_request", f"{msg} Check the client, or a proxy in between.")

    def _count(self, *pieces: bytes) -> None:
        self._held_bytes = 0
        self._head_bytes += sum(len(piece) for piece in pieces)
        if self._head_bytes > MAX_HEAD_BYTES:
            raise HeadTooLargeError

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.head_s, self._refuse_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_large(self) -> None:
        self._refuse(
            "head_too_large",
            f"URL and headers may have {MAX_HEAD_BYTES} bytes together: send shorter ones.",
        )

    def _refuse_slow(self) -> None:
        detail = f"The headers did not come within {self.head_s:g} s: send them again, at once."
        self._refuse("head_too_slow", detail, retryable=True)

    def _refuse(self, code: str, detail: str, *, retryable: bool = False) -> None:
        self._refused = True
        self._stop_timer()
        if self.transport.is_closing():
            return
        # While another answer is under way, this one would become a part of it.
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(b"".join(_answer(code, detail, retryable=retryable)))
        self.loop.call_later(LINGER_S, self.transport.close)


def _answer(code: str, detail: str, *, retryable: bool) -> Iterable[bytes]:
    """A problem document as it goes over the wire, before there is a request."""
    scope = {"type": "http", "headers": [], "state": {"request_id": new_id("req")}}
    headers = {"Connection": "close"}
    answer = problem(Request(scope), code, detail, retryable=retryable, headers=headers)
    yield STATUS_LINE[answer.status_code]
    for name, value in answer.raw_headers:
        yield b"%s: %s\r\n" % (name, value)
    yield b"\r\n"
    yield bytes(answer.body)
