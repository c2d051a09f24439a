"""One HTTP connection to the API: the key, problems as errors, patience with restarts."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

from kapok.connection import Connection, is_loopback
from kapok.errors import ApiError, ServiceUnreachable
from kapok.language import t

SHORT_PATIENCE_S = 4.0  # a person is waiting for one answer
LONG_PATIENCE_S = 180.0  # a transfer is under way: a restart of the service must not end it
CALL_TIMEOUT = httpx.Timeout(connect=5, read=120, write=60, pool=None)


def tries(patience_s: float) -> Iterator[bool]:
    """Yield once a try, sleeping longer each time; true means that it is the last one.

    Failed tries spend the patience with their pauses and with their own length up to 5 s: a long
    transfer that breaks at its end has not used it up. The pauses grow from 0.2 s to 5 s and are
    drawn at random, so that many clients of a service that comes back do not knock together.
    """
    spent, pause = 0.0, 0.2
    while spent + pause < patience_s:
        began = time.monotonic()
        yield False
        spent += pause + min(time.monotonic() - began, 5.0)
        time.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret is drawn
        pause = min(pause * 1.7, 5.0)
    yield True


def _without_query(record: logging.LogRecord) -> bool:
    """The query of a signed URL is a secret while it lives: httpx logs whole URLs."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            word.copy_with(query=None) if isinstance(word, httpx.URL) else word
            for word in record.args
        )
    return True


logging.getLogger("httpx").addFilter(_without_query)


def open_http(url: str) -> httpx.Client:
    """A pool without a key, for signed URLs; no proxy is asked about this machine itself."""
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=16)
    return httpx.Client(timeout=CALL_TIMEOUT, limits=limits, trust_env=not is_loopback(url))


class Transport:
    """Calls of the API; `patience_s` is how long a silent or failing service is retried."""

    def __init__(self, connection: Connection) -> None:
        self.url = connection.url
        self.http = open_http(connection.url)
        self._headers = {
            "Authorization": f"Bearer {connection.api_key}",
            "Accept-Language": t("en", "zh-CN"),
        }

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, *, patience_s: float = SHORT_PATIENCE_S, **query: object) -> Any:
        params = {name: str(value) for name, value in query.items() if value is not None}
        return self.call("GET", path, params=params, patience_s=patience_s)

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        patience_s: float = SHORT_PATIENCE_S,
    ) -> Any:
        """Repeatable: the same Idempotency-Key goes with each try, so nothing is made twice."""
        return self.call(
            "POST",
            path,
            json=body,
            patience_s=patience_s,
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        patience_s: float = SHORT_PATIENCE_S,
        headers: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        params: Mapping[str, str] | None = None,
    ) -> Any:
        """The answer's JSON (`None` when it has none); `ApiError` for a problem."""
        for last in tries(patience_s):
            try:
                response = self.http.request(
                    method,
                    f"{self.url}{path}",
                    headers={**self._headers, **(headers or {})},
                    json=json,
                    params=params,
                )
            except httpx.TransportError as error:
                if last:
                    raise unreachable(self.url, error) from error
                continue
            try:
                raise_for_problem(response)
            except ApiError as error:
                if last or not error.retryable:
                    raise
                continue
            return response.json() if response.content else None
        raise AssertionError  # the last try returns or raises

    def read(self, url: str) -> bytes:
        """The bytes behind a signed URL, for small files; without our key."""
        for last in tries(SHORT_PATIENCE_S):
            try:
                response = self.http.get(urljoin(self.url, url), follow_redirects=True)
                raise_for_problem(response)
            except httpx.TransportError as error:
                if last:
                    raise unreachable(self.url, error) from error
                continue
            return response.content
        raise AssertionError  # the last try returns or raises


def raise_for_problem(response: httpx.Response) -> None:
    """`ApiError` unless the answer is a success; the body must have been read."""
    if response.is_success:
        return
    request_id = response.headers.get("x-request-id")
    try:
        problem = response.json()
    except ValueError:
        problem = {"detail": f"HTTP {response.status_code} {response.reason_phrase}"}
    raise ApiError(response.status_code, problem if isinstance(problem, dict) else {}, request_id)


def unreachable(url: str, error: httpx.TransportError) -> ServiceUnreachable:
    reason = str(error) or type(error).__name__
    return ServiceUnreachable(
        t(
            f"no answer from {url} ({reason}): start it with `kapok up`, or give --url",
            f"{url} 没有应答（{reason}）：请用 `kapok up` 启动服务，或用 --url 指定其他地址",
        )
    )
