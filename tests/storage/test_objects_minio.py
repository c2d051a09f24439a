"""The S3 store against a real MinIO server: signed URLs, outages, and what only S3 can say."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

import httpx
import pytest
import servers
from parts import MIB, PART_BYTES, send_all

from storage.catalogue.steps import OUTAGES
from storage.errors import PartTooSmall, StoreRefused, StoreUnavailable
from storage.objects import Part
from storage.objects_minio import MinioStore

pytestmark = pytest.mark.services

KEY = "assets/ast_1/source/source.mxf"
CONTENT = secrets.token_bytes(PART_BYTES + 1_000)


def closed_store(port: int, public: str) -> MinioStore:
    return MinioStore(
        f"http://127.0.0.1:{port}",
        public,
        access_key="a",
        secret_key="s",
        bucket="kapok",
        region="cn-south-1",
    )


def test_signing_needs_no_network_and_names_the_public_host() -> None:
    """Nothing listens at either address, and both URLs are signed all the same."""
    store = closed_store(1, "https://media.example.cn")
    part = store.sign_part(KEY, "upload", 7, 60)
    assert part.startswith(f"https://media.example.cn/kapok/{KEY}?")
    assert "partNumber=7" in part
    assert "uploadId=upload" in part
    assert "cn-south-1" in part
    assert store.sign_get(KEY, 60).startswith(f"https://media.example.cn/kapok/{KEY}?")


def test_a_signed_url_serves_ranges_and_the_file_name(minio_store: MinioStore) -> None:
    """A puller resumes with Range; a browser saves under the name of the programme."""
    minio_store.put_bytes(CONTENT, KEY)
    url = minio_store.sign_get(KEY, 60, "岭南 春早.mxf")
    answer = httpx.get(url, headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.content) == (206, CONTENT[100:200])
    assert answer.headers["content-range"] == f"bytes 100-199/{len(CONTENT)}"
    assert "filename*=UTF-8''%E5%B2%AD%E5%8D%97%20" in answer.headers["content-disposition"]


def test_objects_are_private(minio_store: MinioStore) -> None:
    """Without a signature nothing is read, with an altered one neither."""
    minio_store.put_bytes(b"x", KEY)
    url = minio_store.sign_get(KEY, 60)
    assert httpx.get(url.partition("?")[0]).status_code == 403
    assert httpx.get(url[:-4] + "0000").status_code == 403


def test_a_signed_part_url_takes_no_other_part(minio_store: MinioStore) -> None:
    """Part number and upload id are signed."""
    upload_id = minio_store.create_multipart(KEY, size_bytes=10, part_size_bytes=PART_BYTES)
    url = minio_store.sign_part(KEY, upload_id, 1, 60)
    altered = url.replace("partNumber=1", "partNumber=2")
    assert httpx.put(altered, content=b"x").status_code == 403


def test_s3_itself_refuses_small_parts(minio_store: MinioStore) -> None:
    """A client may send what it likes to the store; completing tells."""
    upload_id = minio_store.create_multipart(
        KEY, size_bytes=2 * PART_BYTES, part_size_bytes=PART_BYTES
    )
    for number in (1, 2):
        httpx.put(minio_store.sign_part(KEY, upload_id, number, 60), content=b"small")
    with pytest.raises(PartTooSmall):
        minio_store.complete_multipart(KEY, upload_id, minio_store.list_parts(KEY, upload_id))


def test_more_parts_than_one_page_are_listed(
    minio_store: MinioStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """S3 lists 1,000 at a time; here two, so that the test is quick."""
    content = secrets.token_bytes(4 * PART_BYTES + 1)
    upload_id, _ = send_all(minio_store, KEY, content)
    monkeypatch.setattr("storage.objects_minio.LIST_PARTS", 2)
    numbers = [part.number for part in minio_store.list_parts(KEY, upload_id)]
    assert numbers == [1, 2, 3, 4, 5]


def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    """Retryable, with the address and the way out."""
    store = closed_store(servers.free_port(), "http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match=r"http://127\.0\.0\.1:\d+ does not answer"):
        store.check()


def test_whether_a_store_that_hangs_is_there_is_known_in_seconds() -> None:
    """Anything else may wait for its answer for minutes."""
    with servers.hanging() as store:
        port = int(store.endpoint.rpartition(":")[2])
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match="does not answer"):
            closed_store(port, store.endpoint).check()
        assert time.monotonic() - began < 10
        assert len(store.taken) == 1


def test_wrong_credentials_name_the_settings(minio_server: servers.Minio) -> None:
    """So that whoever installs it knows where to look. It is no outage: attempts must count."""
    store = MinioStore(
        minio_server.endpoint,
        minio_server.endpoint,
        access_key=minio_server.access_key,
        secret_key="wrong",
        bucket="kapok-x",
        region="us-east-1",
    )
    with pytest.raises(StoreRefused, match="KAPOK_S3_SECRET_KEY") as refused:
        store.prepare()
    assert refused.value.code not in OUTAGES


def test_a_download_goes_on_where_the_connection_broke(
    minio_store: MinioStore, minio_server: servers.Minio, tmp_path: Path
) -> None:
    """A proxy in between cuts the first connection after 3 MB; the file is whole all the same."""
    minio_store.put_bytes(CONTENT, KEY)
    with BreakingProxy(minio_server.endpoint, cut_after_bytes=3_000_000) as proxy:
        store = MinioStore(
            proxy.endpoint,
            proxy.endpoint,
            access_key=minio_server.access_key,
            secret_key=minio_server.secret_key,
            bucket=minio_store._bucket,
            region="us-east-1",
        )
        with store.fetch(KEY, tmp_path) as path:
            assert path.read_bytes() == CONTENT
        assert proxy.cuts == 1


def test_a_completion_that_failed_inside_a_200_counts_as_an_outage(tmp_path: Path) -> None:
    """S3 begins its answer before it is done; nothing was stored, so it is tried again."""
    made = tmp_path / "rendition.mov"
    made.write_bytes(bytes(17 * MIB))  # two parts
    with odd_store() as store:
        with pytest.raises(StoreUnavailable, match="does not have it"):
            store.put_file(made, "work/a.mov")
        with pytest.raises(StoreUnavailable, match="does not have it"):
            store.complete_multipart("work/b.mov", "u", [Part(1, 1, "e")])


def test_a_size_that_the_store_does_not_say_is_no_size_of_zero() -> None:
    """A proxy dropped Content-Length from the answer to HEAD."""
    with odd_store() as store, pytest.raises(StoreUnavailable, match="Content-Length"):
        store.stat("sizeless")


@contextlib.contextmanager
def odd_store() -> Iterator[MinioStore]:
    """A store whose completions fail inside a 200."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _OddS3) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield closed_store(server.server_port, "http://127.0.0.1:1")
        server.shutdown()


class _OddS3(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self._answer(404 if self.path.startswith("/kapok/work") else 200)

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200, b"")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        begun = (
            b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
        )
        failed = b"<Error><Code>InternalError</Code><Message>again</Message></Error>"
        self._answer(200, begun if "uploads" in self.path else failed)

    def do_DELETE(self) -> None:
        self._answer(204, b"")

    def log_message(self, *_: object) -> None:
        """Not on the terminal."""

    def _answer(self, status: int, body: bytes | None = None) -> None:
        self.send_response(status)
        self.send_header("ETag", '"e"')
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body or b"")


class BreakingProxy:
    """Passes TCP on to a server and cuts the first connection that carried that much back."""

    def __init__(self, endpoint: str, cut_after_bytes: int) -> None:
        self._target = ("127.0.0.1", int(endpoint.rpartition(":")[2]))
        self._left = cut_after_bytes
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = 0

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *ended: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            threading.Thread(target=self._pump, args=(client, server), daemon=True).start()
            threading.Thread(target=self._pump_back, args=(server, client), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)

    def _pump_back(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while block := source.recv(65536):
                target.sendall(block)
                if not self.cuts:
                    self._left -= len(block)
                    if self._left < 0:
                        self.cuts += 1
                        break
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
