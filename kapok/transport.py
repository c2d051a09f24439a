"""One HTTP connection to the API: the key, problems as errors, patience with restarts."""

from __future__ import annotations

import functools
import json as jsons
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urljoin

import httpx

from kapok.connection import Connection, is_loopback
from kapok.errors import ApiError, FieldMissing, NotKapok, ServiceUnreachable, Usage
from kapok.language import t
from kapok.names import readable, readable_all

SHORT_PATIENCE_S = 4.0  # a person is waiting for one answer
LONG_PATIENCE_S = 180.0  # a transfer is under way: a restart of the service must not end it
HOPELESS = (httpx.UnsupportedProtocol, httpx.LocalProtocolError)  # our own side of the call
CALL_TIMEOUT = httpx.Timeout(connect=5, read=120, write=60, pool=None)


def tries(patience_s: float, pause: Callable[[float], object] = time.sleep) -> Iterator[bool]:
    """Yield once a try, sleeping longer each time; true means that it is the last one.

    Failed tries spend the patience with their pauses and with their own length up to 5 s: a long
    transfer that breaks at its end has not used it up. The pauses grow from 0.2 s to 5 s and are
    drawn at random, so that many clients of a service that comes back do not knock together.
    """
    spent, pause_s = 0.0, 0.2
    while spent + pause_s < patience_s:
        began = time.monotonic()
        yield False
        spent += pause_s + min(time.monotonic() - began, 5.0)
        pause(pause_s * random.uniform(0.5, 1.0))  # noqa: S311 - no secret is drawn
        pause_s = min(pause_s * 1.7, 5.0)
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
    try:
        return httpx.Client(timeout=CALL_TIMEOUT, limits=limits, trust_env=not is_loopback(url))
    except (ImportError, ValueError) as error:  # SOCKS, or no scheme that anybody knows
        raise Usage(
            t(
                f"the proxy of this environment cannot be used ({error}): set HTTPS_PROXY or "
                "HTTP_PROXY to http://HOST:PORT, or name the service's host in NO_PROXY, and unset "
                "ALL_PROXY",
                f"当前环境的代理无法使用（{error}）：请把 HTTPS_PROXY 或 HTTP_PROXY 设为 "
                "http://主机:端口，或把服务主机写入 NO_PROXY，并取消 ALL_PROXY",
            )
        ) from error
    except OSError as error:
        raise Usage(
            t(
                f"SSL_CERT_FILE or SSL_CERT_DIR cannot be read ({error.strerror}): correct them",
                f"无法读取 SSL_CERT_FILE 或 SSL_CERT_DIR（{error.strerror}）：请更正",
            )
        ) from error


class Answer(dict[str, Any]):
    """An object of the API; a field that is missing says that this is no Kapok."""

    def __init__(self, url: str, fields: Mapping[str, Any]) -> None:
        super().__init__(fields)
        self._url = url

    def __missing__(self, name: str) -> Any:
        reason = t(f"its answer has no {name!r}", f"应答缺少 {name!r}")
        raise FieldMissing(str(not_kapok(self._url, reason)))


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
        params = {name: readable(str(value)) for name, value in query.items() if value is not None}
        return self._something(self.call("GET", path, params=params, patience_s=patience_s))

    def post(
        self,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        patience_s: float = SHORT_PATIENCE_S,
    ) -> Any:
        """Repeatable: the same Idempotency-Key goes with each try, so nothing is made twice."""
        answer = self.call(
            "POST",
            path,
            json=body,
            patience_s=patience_s,
            headers={"Idempotency-Key": uuid.uuid4().hex},
        )
        return self._something(answer)

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
        """The answer's object (`None` when it is empty); `ApiError` for a problem."""
        for last in tries(patience_s):
            try:
                response = self.http.request(
                    method,
                    f"{self.url}{path}",
                    headers={**self._headers, **(headers or {})},
                    json=readable_all(json),
                    params=params,
                )
            except httpx.RequestError as error:
                if last or isinstance(error, HOPELESS):
                    raise unreachable(self.url, error) from error
                continue
            try:
                raise_for_problem(response)
            except ApiError as error:
                if last or not error.retryable:
                    raise
                continue
            return self._object(response.content) if response.content else None
        raise AssertionError  # the last try returns or raises

    def _object(self, content: bytes) -> Answer:
        try:
            answer = jsons.loads(content, object_hook=functools.partial(Answer, self.url))
        except ValueError:
            answer = None
        if not isinstance(answer, Answer):
            reason = t("its answer is no JSON object", "应答不是 JSON 对象")
            raise not_kapok(self.url, reason)
        return answer

    def _something(self, answer: Answer | None) -> Answer:
        if answer is None:
            raise not_kapok(self.url, t("its answer is empty", "应答为空"))
        return answer

    def read(self, url: str) -> bytes:
        """The bytes behind a signed URL, for small files; without our key."""
        for last in tries(SHORT_PATIENCE_S):
            try:
                response = self.http.get(urljoin(self.url, url), follow_redirects=True)
                raise_for_problem(response)
            except httpx.RequestError as error:
                if last or isinstance(error, HOPELESS):
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


def not_kapok(url: str, reason: str) -> NotKapok:
    return NotKapok(
        t(
            f"{url} is not a Kapok service ({reason}): check --url and KAPOK_URL",
            f"{url} 不是 Kapok 服务（{reason}）：请检查 --url 与 KAPOK_URL",
        )
    )


def unreachable(url: str, error: httpx.RequestError) -> ServiceUnreachable:
    if isinstance(error, HOPELESS):  # its text may hold what was sent, the key with it
        return not_kapok(url, type(error).__name__)
    reason = str(error) or type(error).__name__
    return ServiceUnreachable(
        t(
            f"no answer from {url} ({reason}): start it with `kapok up`, or give --url",
            f"{url} 没有应答（{reason}）：请用 `kapok up` 启动服务，或用 --url 指定其他地址",
        )
    )
