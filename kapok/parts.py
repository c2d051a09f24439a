"""Parallel PUT of parts to signed URLs: streamed from disk in blocks, retried with fresh URLs."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urljoin

import httpx

from kapok.address import route
from kapok.errors import ApiError, FileChanged, ServiceUnreachable
from kapok.language import t
from kapok.transfer import BLOCK_BYTES
from kapok.transport import (
    LONG_PATIENCE_S,
    Transport,
    open_http,
    raise_for_problem,
    tries,
    unreachable,
)
from pipelines.errors import KapokError

URL_BATCH = 16
FRESH_URL_TRIES = 3  # a signature can expire in a queue; three times in a row is another fault
TICK_S = 0.25


@dataclass(frozen=True, slots=True)
class Part:
    """`number` counts from 1, as in S3."""

    number: int
    start: int
    size_bytes: int


def split(size_bytes: int, part_size_bytes: int) -> list[Part]:
    starts = range(0, size_bytes, part_size_bytes)
    return [
        Part(number, start, min(part_size_bytes, size_bytes - start))
        for number, start in enumerate(starts, start=1)
    ]


class Stopped(Exception):
    """Raised inside a sender when its upload is being left."""


class PartUrls:
    """Signed URLs, asked for in batches shortly before they are needed."""

    def __init__(self, transport: Transport, upload_id: str) -> None:
        self._transport = transport
        self._path = route("uploads", upload_id, "parts")
        self._lock = threading.Lock()
        self._known: dict[int, str] = {}
        self.wanted: list[int] = []

    def take(self, number: int) -> str:
        """The URL of a part, once: a second call for the same part asks for a fresh one."""
        with self._lock:
            if number not in self._known:
                self._ask(number)
            return self._known.pop(number)

    def _ask(self, number: int) -> None:
        ahead = [other for other in self.wanted if other > number][: URL_BATCH - 1]
        answer = self._transport.post(self._path, {"numbers": [number, *ahead]}, patience_s=0)
        for part in answer["parts"]:
            self._known[part["number"]] = urljoin(self._transport.url, part["url"])


class Sockets:
    """The connections of a pool, so that nobody waits minutes for a peer that stands still."""

    def __init__(self) -> None:
        self._open: list[Any] = []

    def note(self, event: str, info: Mapping[str, Any]) -> None:
        """As httpx's request extension `trace`: TLS wraps a connection in another one."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            self._open.append(info["return_value"])

    def shut_down(self) -> None:
        for stream in list(self._open):
            with suppress(OSError):  # closed before
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


class PartSender:
    """A few threads that send parts. `offer` and `finished` wait at most a tick for progress."""

    def __init__(self, transport: Transport, upload_id: str, file: int, parallel: int) -> None:
        self._urls = PartUrls(transport, upload_id)
        self._address = transport.url
        self._file = file  # a descriptor: each thread reads at its own offset
        self._parallel = parallel
        self._http = open_http(transport.url)
        self._sockets = Sockets()
        self._pool = ThreadPoolExecutor(parallel, thread_name_prefix="kapok-part")
        self._running: set[Future[None]] = set()
        self._sent: dict[int, int] = {}
        self._trouble: dict[int, str] = {}
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if error is not None:
            self._sockets.shut_down()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._http.close()

    @property
    def sent_bytes(self) -> int:
        return sum(list(self._sent.values()))

    @property
    def trouble(self) -> str:
        """Why a part is sent again just now."""
        return next(iter(list(self._trouble.values())), "")

    def plan(self, parts: Sequence[Part]) -> None:
        self._urls.wanted = [part.number for part in parts]

    def offer(self, part: Part) -> bool:
        """Start sending a part if a thread is free within a tick."""
        if len(self._running) >= self._parallel:
            self._reap()
        if len(self._running) >= self._parallel:
            return False
        self._running.add(self._pool.submit(self._send, part))
        return True

    def finished(self) -> bool:
        if self._running:
            self._reap()
        return not self._running

    def _reap(self) -> None:
        done, self._running = wait(self._running, TICK_S, FIRST_COMPLETED)
        for future in done:
            future.result()

    def _send(self, part: Part) -> None:
        """PUT one part until the store has it; each try has a fresh URL."""
        refusals = 0
        for last in tries(LONG_PATIENCE_S, self._stop.wait):
            failure = self._try(part)
            self._trouble.pop(part.number, None)
            if failure is None:
                return
            self._trouble[part.number] = failure.detail
            self._sent.pop(part.number, None)
            refusals += not failure.retryable
            if last or refusals >= FRESH_URL_TRIES or self._stop.is_set():
                raise failure

    def _try(self, part: Part) -> KapokError | None:
        try:
            url = self._urls.take(part.number)
            headers = {"Content-Length": str(part.size_bytes)}
            raise_for_problem(
                self._http.put(
                    url,
                    content=self._blocks(part),
                    headers=headers,
                    extensions={"trace": self._sockets.note},
                )
            )
        except httpx.RequestError as error:
            return unreachable(self._address, error)
        except (ApiError, ServiceUnreachable) as error:
            return error
        return None

    def _blocks(self, part: Part) -> Iterator[bytes]:
        """The part's bytes from disk, a block at a time: memory does not grow with parts."""
        at, end = part.start, part.start + part.size_bytes
        while at < end:
            if self._stop.is_set():
                raise Stopped
            block = os.pread(self._file, min(BLOCK_BYTES, end - at), at)
            if not block:
                raise FileChanged(
                    t("the file became shorter while it was sent", "文件在上传过程中变短了")
                )
            at += len(block)
            self._sent[part.number] = at - part.start
            yield block
