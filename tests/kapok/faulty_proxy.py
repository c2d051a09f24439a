"""A TCP proxy in front of the real service that breaks what a test asks it to break."""

from __future__ import annotations

import http.client
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

# The connection ends in the middle of the request; before its answer; in the middle of that.
CUT, LOST, HALF = 0, -1, -2
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "date"})


class FaultyProxy:
    """`faults` maps "METHOD /path-start" to what the next such requests get in turn.

    A status is answered in the service's place, `CUT` reads half of the body and hangs up, `LOST`
    forwards the request and hangs up on its answer, `HALF` after half of that. Anything else is
    forwarded as it is.
    """

    def __init__(self) -> None:
        self.upstream = 0  # the port of the service, known once it listens
        self.lock = threading.Lock()
        self.reset()
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def reset(self) -> None:
        """Forget what the test before asked for and did."""
        self.faults: dict[str, list[int]] = {}
        self.requests: list[str] = []
        self.languages: list[str | None] = []
        self.keys_at_store = 0
        self.put_s = 0.0
        self.putting = 0
        self.most_putting = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, start: str) -> int:
        return sum(request.startswith(start) for request in self.requests)

    def note(self, line: str, headers: http.client.HTTPMessage) -> int | None:
        """Remember a request; the fault that it gets, if any."""
        with self.lock:
            self.requests.append(line)
            self.languages.append(headers.get("Accept-Language"))
            if not line.partition(" ")[2].startswith("/v1/"):
                self.keys_at_store += "Authorization" in headers
            asked = next((start for start in self.faults if line.startswith(start)), None)
            return self.faults[asked].pop(0) if asked and self.faults[asked] else None


class _Handler(BaseHTTPRequestHandler):
    proxy: FaultyProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence: the client's behaviour is what is tested."""

    def _route(self) -> None:
        fault = self.proxy.note(f"{self.command} {self.path}", self.headers)
        size = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(size // 2 if fault == CUT else size)
        if fault == CUT or len(body) < size:  # in the second case the client was killed
            self.close_connection = True
        elif fault in (None, LOST, HALF):
            self._forward(body, fault)
        else:
            self._send(fault, {}, json.dumps({"code": f"fault_{fault}", "detail": "as asked"}))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _route  # noqa: N815 - named so

    def _forward(self, body: bytes, fault: int | None) -> None:
        with _Putting(self.proxy, self.command):
            service = http.client.HTTPConnection("127.0.0.1", self.proxy.upstream, timeout=60)
            service.request(self.command, self.path, body or None, dict(self.headers.items()))
            response = service.getresponse()
            content = response.read()
            service.close()
        if fault != LOST:
            self._send(response.status, dict(response.getheaders()), content, half=fault == HALF)
        self.close_connection = self.close_connection or fault is not None

    def _send(
        self, status: int, headers: dict[str, str], content: bytes | str, *, half: bool = False
    ) -> None:
        body = content.encode() if isinstance(content, str) else content
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if half else body)


class _Putting:
    """Counts the PUTs that are under way, and makes each take `put_s` longer."""

    def __init__(self, proxy: FaultyProxy, method: str) -> None:
        self._proxy, self._counts = proxy, method == "PUT"

    def __enter__(self) -> None:
        if self._counts:
            with self._proxy.lock:
                self._proxy.putting += 1
                self._proxy.most_putting = max(self._proxy.most_putting, self._proxy.putting)
            time.sleep(self._proxy.put_s)

    def __exit__(self, *_: object) -> None:
        if self._counts:
            with self._proxy.lock:
                self._proxy.putting -= 1
