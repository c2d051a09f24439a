"""What one client can take from all others: memory, connections, lines of the log."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import api_world
import httpx
import pytest

from api.protocol import MAX_HEAD_BYTES, Protocol

MIB = 1 << 20
GOOD = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"


class Impatient(Protocol):
    head_s = 0.3


@contextmanager
def connected(url: str) -> Iterator[socket.socket]:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        yield connection


def answer_to(url: str, *pieces: bytes) -> bytes:
    """Everything that the server sends until it closes the connection."""
    with connected(url) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65_536), b""))


def refused(answer: bytes, status: int, code: str) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode()), answer
    assert b"content-type: application/problem+json" in head
    assert b"connection: close" in head
    assert f'"code":"{code}"'.encode() in body


@pytest.mark.parametrize(
    "head",
    [
        GOOD + b"X-A: " + b"a" * 10 * MAX_HEAD_BYTES,
        GOOD + b"X-A: " + b"a" * MAX_HEAD_BYTES + b"\r\n\r\n",
        GOOD + b"X-A: a\r\n" * (MAX_HEAD_BYTES // 8) + b"\r\n",
        b"GET /" + b"a" * MAX_HEAD_BYTES + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\n" + b"X" * 10 * MAX_HEAD_BYTES,
    ],
    ids=["open header", "one header", "many headers", "url", "header name"],
)
def test_a_head_beyond_64_kib_is_a_431(api: api_world.Running, head: bytes) -> None:
    """Whatever of it is large, and whether it ends or not."""
    refused(answer_to(api.url, head), 431, "head_too_large")


def test_a_large_head_that_is_still_allowed_is_answered(api: api_world.Running) -> None:
    """And the connection takes the next one: each head is counted for itself."""
    header = {"X-A": "a" * (MAX_HEAD_BYTES - 1000)}
    with httpx.Client(base_url=api.url, trust_env=False) as client:
        for _ in range(3):
            assert client.get("/health/live", headers=header).status_code == 200


def post_of(running: api_world.Running) -> bytes:
    """The begin of a POST whose sender has a good key: other bodies are not read at all."""
    org = running.organisation()
    key = org.client().headers["Authorization"].encode()
    org.close()
    return b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: " + key + b"\r\n"


def test_trailers_are_limited_like_headers(api: api_world.Running) -> None:
    """They come after a chunked body, when the answer may have begun: the connection ends."""
    head = post_of(api) + b"Transfer-Encoding: chunked\r\n\r\n"
    assert answer_to(api.url, head, b"2\r\n{}\r\n0\r\nX-A: " + b"a" * 4 * MAX_HEAD_BYTES) == b""


def test_a_flood_of_headers_takes_no_memory(tmp_path: Path) -> None:
    """150 MiB in one header: the server grows by less than 20 MiB, and answers others."""
    port = api_world.listen_port()
    with api_world.process(tmp_path, port) as process:
        before = api_world.peak_bytes(process.pid)
        with connected(f"http://127.0.0.1:{port}") as connection:
            connection.sendall(GOOD + b"X-A: ")
            flood(connection, 150)
        assert api_world.answers(port)
        assert api_world.peak_bytes(process.pid) - before < 20 * MIB


def flood(connection: socket.socket, count: int) -> None:
    try:
        for _ in range(count):
            connection.sendall(b"a" * MIB)
    except OSError:
        return  # the server hung up


@pytest.mark.parametrize("sent", [b"", b"\r\n", GOOD, GOOD + b"X-A: a"], ids=repr)
def test_a_head_that_does_not_come_is_a_408(tmp_path: Path, sent: bytes) -> None:
    with api_world.local_api(tmp_path, protocol=Impatient) as running:
        refused(answer_to(running.url, sent), 408, "head_too_slow")


def test_a_second_head_that_does_not_come_is_a_408_too(tmp_path: Path) -> None:
    with (
        api_world.local_api(tmp_path, protocol=Impatient) as running,
        connected(running.url) as connection,
    ):
        connection.sendall(GOOD + b"\r\n")
        assert connection.recv(65_536).endswith(b'{"status":"ok"}')
        connection.sendall(GOOD)
        refused(rest_of(connection), 408, "head_too_slow")


def test_a_slow_answer_is_not_taken_for_a_slow_head(tmp_path: Path) -> None:
    """An event stream goes on although its client sends nothing more."""
    with api_world.local_api(tmp_path, protocol=Impatient, heartbeat_s=0.2) as running:
        org = running.organisation()
        headers = {"Accept": "text/event-stream"}
        with org.client().stream("GET", "/v1/events", headers=headers) as answer:
            beats = (line for line in answer.iter_lines() if line.startswith(":"))
            assert [next(beats) for _ in range(5)] == [": still here"] * 5
        org.close()


def test_a_body_that_does_not_come_is_a_408(tmp_path: Path) -> None:
    """One of a hundred announced bytes, then nothing; also where they trickle in."""
    with api_world.local_api(tmp_path, body_s=0.5) as running:
        head = post_of(running) + b"Content-Length: 100\r\n\r\n{"
        refused(answer_to(running.url, head), 408, "body_too_slow")
        with connected(running.url) as connection:
            connection.sendall(head)
            stop = threading.Event()
            trickling = threading.Thread(target=trickle, args=(connection, stop))
            trickling.start()
            answer = rest_of(connection)
            stop.set()
            trickling.join()
        refused(answer, 408, "body_too_slow")


@pytest.mark.parametrize("length", [b"Content-Length: 100", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize(
    ("key", "code"),
    [(b"Authorization: Bearer kpk_wrong\r\n", "api_key_invalid"), (b"", "api_key_missing")],
)
def test_a_body_without_a_good_key_is_not_waited_for(
    api: api_world.Running, key: bytes, code: str, length: bytes
) -> None:
    """401 after the headers alone, although the body has 30 s; nothing of it is held."""
    head = b"POST /v1/uploads HTTP/1.1\r\nHost: x\r\n" + key + length + b"\r\n\r\n"
    with connected(api.url) as connection:
        connection.settimeout(5)
        connection.sendall(head)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, answer.getheader("www-authenticate")) == (401, "Bearer")
        assert json.loads(answer.read())["code"] == code


def test_a_large_body_without_a_good_key_takes_no_connection_down(api: api_world.Running) -> None:
    """It is dropped as it comes, so that its sender can read why, and ask again."""
    with httpx.Client(base_url=api.url, trust_env=False) as client:
        for _ in range(3):
            answer = client.post("/v1/uploads", content=b" " * 8 * MIB)
            assert (answer.status_code, answer.json()["code"]) == (401, "api_key_missing")


def test_nothing_outside_of_the_api_waits_for_a_body(api: api_world.Running) -> None:
    """No route there takes one."""
    head = b"POST /health/live HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with connected(api.url) as connection:
        connection.settimeout(5)
        connection.sendall(head)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert answer.status == 405


def trickle(connection: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.2):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def test_a_path_cannot_write_a_line_into_the_log(
    anonymous: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Line feeds and escape codes are quoted, and the rest of a long path is left out."""
    with caplog.at_level(logging.INFO, "kapok.requests"):
        anonymous.get("/x%0a2026-01-01%20GET%20/forged%1b[2J" + "y" * 5000)
        line = logged(caplog, "forged")
    assert line.startswith("GET /x%0A2026-01-01%20GET%20/forged%1B%5B2Jyyy")
    assert line.isprintable()
    assert len(line) < 600


def logged(caplog: pytest.LogCaptureFixture, word: str) -> str:
    """The line of Kapok's own log with that word; it is written just after the answer."""

    def lines() -> list[str]:
        own = [record for record in caplog.records if record.name == "kapok.requests"]
        return [line for record in own if word in (line := record.getMessage())]

    api_world.wait_until(lines)
    return lines()[0]


def test_a_playback_token_is_not_in_the_log(
    anonymous: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "kapok.requests"):
        anonymous.get("/v1/playback/secret.token/a.mpd")
        line = logged(caplog, "a.mpd")
    assert line.startswith("GET /v1/playback/…/a.mpd 403 ")
