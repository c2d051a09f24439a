"""An in-memory service over real HTTP: enough of `/v1` for a client, and faults on demand."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

KEY = "Bearer kpk_test"


class FakeService:
    """`faults` maps "METHOD /path-start" to statuses given in turn before the real answer.

    The status 0 closes the connection instead; a part is then read only to its middle.
    """

    def __init__(self) -> None:
        self.part_size = 1 << 20
        self.put_s = 0.0
        self.faults: dict[str, list[int]] = {}
        self.requests: list[str] = []
        self.languages: list[str | None] = []
        self.uploads: dict[str, dict[str, Any]] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.objects: dict[str, bytes] = {}
        self.feed: list[dict[str, Any]] = []
        self.receipts: list[dict[str, Any]] = []
        self.signatures = 0
        self.concurrent = 0
        self.most_concurrent = 0
        self.lock = threading.Lock()

    def __enter__(self) -> Self:
        handler = type("Handler", (Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def count(self, start: str) -> int:
        return sum(request.startswith(start) for request in self.requests)

    def content(self, upload_id: str) -> bytes:
        return b"".join(self.parts[upload_id][number] for number in sorted(self.parts[upload_id]))

    def publish(self, publication_id: str, files: dict[str, bytes], **more: Any) -> None:
        """Put files into the store and a publication of them into the feed."""
        self.objects.update({f"{publication_id}/{path}": data for path, data in files.items()})
        entry = {
            "publication_id": publication_id,
            "asset_id": "ast_1",
            "title": "岭南春早",
            "zone": "uhd-4k",
            "state": "published",
            "files": [
                {
                    "path": path,
                    "sha256": hashlib.sha256(data).hexdigest(),
                    "size_bytes": len(data),
                }
                for path, data in files.items()
            ],
        }
        self.feed.append({**entry, **more})


class Handler(BaseHTTPRequestHandler):
    service: FakeService
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Silence: the client's behaviour is what is tested."""

    def _route(self) -> None:
        service = self.service
        line = f"{self.command} {self.path}"
        with service.lock:
            service.requests.append(line)
            service.languages.append(self.headers.get("Accept-Language"))
            fault = next((start for start in service.faults if line.startswith(start)), None)
            status = service.faults[fault].pop(0) if fault and service.faults[fault] else None
        if status == 0:
            self.rfile.read(int(self.headers.get("Content-Length") or 0) // 2)
            self.close_connection = True
            return
        body = b"" if self.command == "PUT" else self._read()
        if status is not None:
            self._read() if self.command == "PUT" else None
            self._json(status, {"code": f"fault_{status}", "detail": "as asked"})
        elif self.path.startswith("/v1/") and self.headers.get("Authorization") != KEY:
            self._json(401, {"code": "api_key_invalid", "detail": "that key is not known"})
        else:
            self._answer(body)

    do_GET = do_POST = do_PUT = do_DELETE = _route  # noqa: N815 - the base class names them

    def _answer(self, body: bytes) -> None:
        record = json.loads(body) if body else {}
        words = self.path.partition("?")[0].strip("/").split("/")
        routes: dict[tuple[str, str], Callable[..., None]] = {
            ("POST", "uploads"): self._begin,
            ("GET", "uploads"): self._show_upload,
            ("DELETE", "uploads"): self._abort,
            ("GET", "centres"): self._feed,
            ("POST", "centres"): self._receipt,
            ("GET", "jobs"): self._job,
        }
        if words[0] == "put":
            self._put(words[1], int(words[2]))
        elif words[0] == "objects":
            self._object("/".join(words[1:]))
        elif self.command == "POST" and words[-1] in ("parts", "complete"):
            (self._sign if words[-1] == "parts" else self._complete)(words[2], record)
        else:
            routes[self.command, words[1]](words, record)

    def _begin(self, _: list[str], record: dict[str, Any]) -> None:
        upload_id = f"upl_{len(self.service.uploads) + 1}"
        upload = {
            **record,
            "id": upload_id,
            "asset_id": f"ast_{upload_id}",
            "job_id": None,
            "state": "open",
            "part_size_bytes": self.service.part_size,
        }
        self.service.uploads[upload_id] = upload
        self.service.parts[upload_id] = {}
        self._json(201, upload)

    def _show_upload(self, words: list[str], _: dict[str, Any]) -> None:
        upload_id = words[2]
        if upload_id not in self.service.uploads:
            self._json(404, {"code": "upload_not_found", "detail": "no such upload"})
        elif words[-1] == "parts":
            stored = self.service.parts[upload_id].items()
            parts = [{"number": n, "size_bytes": len(data), "etag": "-"} for n, data in stored]
            self._json(200, {"parts": parts})
        else:
            self._json(200, self.service.uploads[upload_id])

    def _abort(self, words: list[str], _: dict[str, Any]) -> None:
        self.service.uploads[words[2]]["state"] = "aborted"
        self._json(204, None)

    def _sign(self, upload_id: str, record: dict[str, Any]) -> None:
        self.service.signatures += 1
        query = f"signature={self.service.signatures}"
        parts = [
            {"number": n, "url": f"{self.service.url}/put/{upload_id}/{n}?{query}"}
            for n in record["numbers"]
        ]
        self._json(200, {"parts": parts})

    def _put(self, upload_id: str, number: int) -> None:
        service = self.service
        assert "Authorization" not in self.headers, "our key must never reach a store"
        with service.lock:
            service.concurrent += 1
            service.most_concurrent = max(service.most_concurrent, service.concurrent)
        data = self._read()
        time.sleep(service.put_s)
        with service.lock:
            service.concurrent -= 1
            service.parts[upload_id][number] = data
        self._json(200, None)

    def _complete(self, upload_id: str, record: dict[str, Any]) -> None:
        upload = self.service.uploads[upload_id]
        if upload["state"] != "open":
            self._json(409, {"code": "upload_not_open", "detail": "it is complete"})
            return
        upload.update(state="complete", job_id=f"job_{upload_id}", sha256=record["sha256"])
        self._json(202, upload)

    def _feed(self, words: list[str], _: dict[str, Any]) -> None:
        since = int(dict(pair.split("=") for pair in self._query()).get("since") or 0)
        page = [dict(entry) for entry in self.service.feed[since : since + 2]]
        self.service.signatures += 1
        for entry in page:
            start = f"{self.service.url}/objects/{entry['publication_id']}"
            sign = f"?signature={self.service.signatures}"
            entry["files"] = [
                {**file, "url": f"{start}/{file['path']}{sign}"} for file in entry["files"]
            ]
        end = since + len(page)
        more = end < len(self.service.feed)
        self._json(200, {"data": page, "next_cursor": str(end), "has_more": more})

    def _receipt(self, _: list[str], record: dict[str, Any]) -> None:
        self.service.receipts.append(record)
        self._json(201, record)

    def _job(self, words: list[str], _: dict[str, Any]) -> None:
        self._json(200, {"id": words[2], "state": "queued"})

    def _object(self, name: str) -> None:
        data = self.service.objects[name]
        start = int((self.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        self.wfile.write(data[start:])

    def _query(self) -> list[str]:
        return [pair for pair in self.path.partition("?")[2].split("&") if pair]

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _json(self, status: int, record: object) -> None:
        body = b"" if record is None else json.dumps(record).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Request-Id", "req_1")
        self.end_headers()
        self.wfile.write(body)
