"""The embedded store's signed URLs: parts in, ranges out."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import api_world
import httpx
import pytest
from missing import missing_tool

from storage.ids import new_id
from storage.objects_local import LocalStore
from storage.settings import data_signing_key
from storage.signing import sign_url

MIB = 1 << 20
CONTENT = bytes(range(256)) * 4096


@pytest.fixture
def upload(admin: httpx.Client) -> dict[str, Any]:
    """An open upload of one part, 1 MiB."""
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": len(CONTENT)}
    body: dict[str, Any] = admin.post("/v1/uploads", json=wanted).json()
    return body


@pytest.fixture
def part_url(admin: httpx.Client, upload: dict[str, Any]) -> str:
    answer = admin.post(f"/v1/uploads/{upload['id']}/parts", json={"numbers": [1]})
    url: str = answer.json()["parts"][0]["url"]
    return url


@pytest.fixture
def object_url(api: api_world.Running) -> str:
    """A signed URL of CONTENT."""
    key = f"assets/{new_id('ast')}/renditions/x.mp4"
    api.objects.put_bytes(CONTENT, key)
    return api.objects.sign_get(key, 60, "岭南 春早.mp4")


def parts(admin: httpx.Client, upload: dict[str, Any]) -> list[Any]:
    listed: list[Any] = admin.get(f"/v1/uploads/{upload['id']}/parts").json()["parts"]
    return listed


def refused(answer: httpx.Response, status: int, code: str) -> None:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def tampered(url: str) -> list[str]:
    """The URL with another signature, another expiry, another part, or none of it."""
    return [
        re.sub(r"signature=\w{4}", "signature=0000", url),
        re.sub(r"expires=\d+", "expires=9999999999", url),
        re.sub(r"/1\?", "/2?", url),
        url.partition("&signature")[0],
        url.partition("?")[0],
        f"{url}&file_name=evil.exe",
    ]


@pytest.mark.parametrize("kind", range(6))
def test_an_altered_url_opens_nothing(
    anonymous: httpx.Client, part_url: str, object_url: str, kind: int
) -> None:
    """403 for PUT, GET and HEAD alike."""
    refused(anonymous.put(tampered(part_url)[kind], content=CONTENT), 403, "invalid_signature")
    if kind != 2:  # an object has no part number
        refused(anonymous.get(tampered(object_url)[kind]), 403, "invalid_signature")
        assert anonymous.head(tampered(object_url)[kind]).status_code == 403


def test_a_url_is_for_one_method(anonymous: httpx.Client, part_url: str, object_url: str) -> None:
    assert anonymous.get(part_url).status_code == 405
    assert anonymous.put(object_url, content=b"x").status_code == 405
    assert anonymous.delete(object_url).status_code == 405


def test_an_expired_url_says_so(api: api_world.Running, anonymous: httpx.Client) -> None:
    key = data_signing_key(api.settings)
    url = sign_url(key, api.url, "GET", "/store/objects/assets/x", -1)
    refused(anonymous.get(url), 403, "url_expired")


def test_an_unsigned_put_is_refused_before_its_body_is_read(api: api_world.Running) -> None:
    """The refusal comes although not one byte of the announced part was sent."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        head = f"PUT /store/parts/mpu_x/1?expires=9 HTTP/1.1\r\nHost: {host}\r\n"
        connection.sendall(f"{head}Content-Length: {MIB}\r\n\r\n".encode())
        assert connection.recv(65_536).startswith(b"HTTP/1.1 403")


def test_a_part_must_have_its_exact_size(
    anonymous: httpx.Client, admin: httpx.Client, upload: dict[str, Any], part_url: str
) -> None:
    """One byte more or less, or an unknown length: refused, and nothing is recorded."""
    for content in (CONTENT[:-1], CONTENT + b"x", b""):
        refused(anonymous.put(part_url, content=content), 400, "part_size_mismatch")
    refused(anonymous.put(part_url, content=iter([CONTENT])), 400, "part_size_mismatch")
    assert parts(admin, upload) == []


def break_off(url: str, content: bytes, length: int) -> None:
    """PUT only `content` of `length` announced bytes, then vanish."""
    place = urlsplit(url)
    with socket.create_connection((place.hostname or "", place.port or 0)) as connection:
        head = f"PUT {place.path}?{place.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}"
        connection.sendall(head.encode() + b"\r\n\r\n" + content)


def test_a_broken_connection_leaves_no_part(
    anonymous: httpx.Client, admin: httpx.Client, upload: dict[str, Any], part_url: str
) -> None:
    """Not even where the part had been stored whole before: its bytes were being replaced."""
    break_off(part_url, CONTENT[: MIB // 2], MIB)
    assert parts(admin, upload) == []

    def stored_again() -> bool:  # the broken PUT may reach the server after this one, and win
        sent = anonymous.put(part_url, content=CONTENT)
        return sent.status_code == 200 and len(parts(admin, upload)) == 1

    api_world.wait_until(stored_again)
    break_off(part_url, CONTENT[: MIB // 2], MIB)
    api_world.wait_until(lambda: parts(admin, upload) == [])
    assert anonymous.put(part_url, content=CONTENT).status_code == 200
    assert admin.post(f"/v1/uploads/{upload['id']}/complete").status_code == 202


def test_a_part_that_stands_still_is_given_up(tmp_path: Path) -> None:
    """The connection stays open and sends nothing: after a while the part is refused."""
    with api_world.local_api(tmp_path, body_idle_s=0.3) as running:
        org = running.organisation()
        client = org.client()
        wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": MIB}
        upload = client.post("/v1/uploads", json=wanted).json()
        path = f"/v1/uploads/{upload['id']}/parts"
        place = urlsplit(client.post(path, json={"numbers": [1]}).json()["parts"][0]["url"])
        with socket.create_connection((place.hostname or "", place.port or 0), 5) as connection:
            head = f"PUT {place.path}?{place.query} HTTP/1.1\r\nHost: x\r\nContent-Length: {MIB}"
            connection.sendall(head.encode() + b"\r\n\r\n" + CONTENT[:1000])
            answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"1000 of 1048576 bytes" in answer
        assert parts(client, upload) == []
        org.close()


def test_the_later_of_two_puts_of_a_part_wins(
    api: api_world.Running,
    org: api_world.Organisation,
    anonymous: httpx.Client,
    admin: httpx.Client,
    upload: dict[str, Any],
    part_url: str,
) -> None:
    """A first PUT that stalls in the middle cannot write into what the second one stored."""
    go_on = threading.Event()
    multipart_id = urlsplit(part_url).path.split("/")[-2]

    def slowly() -> Iterator[bytes]:
        yield b"\xff" * (MIB // 2)
        go_on.wait(10)
        yield b"\xff" * (MIB // 2)

    headers = {"Content-Length": str(MIB)}
    with ThreadPoolExecutor() as pool:
        first = pool.submit(httpx.put, part_url, content=slowly(), headers=headers)
        api_world.wait_until(lambda: any(multipart_id in name for name in open_files()))
        api_world.wait_until(lambda: anonymous.put(part_url, content=CONTENT).status_code == 200)
        go_on.set()
        refused(first.result(), 409, "part_superseded")
    assert admin.post(f"/v1/uploads/{upload['id']}/complete").status_code == 202
    assert stored(api, org, upload) == CONTENT


def open_files() -> list[str]:
    """Names of every file that this process, which serves the API too, has open now."""
    names = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed while we looked
            names.append(str(descriptor.readlink()))
    return names


def stored(api: api_world.Running, org: api_world.Organisation, upload: dict[str, Any]) -> bytes:
    key = f"assets/{upload['asset_id']}/source/{upload['id']}"
    return api.objects.read_bytes(key, 10 * MIB)


def test_an_object_comes_whole_with_what_a_player_needs(
    anonymous: httpx.Client, object_url: str
) -> None:
    answer = anonymous.get(object_url)
    assert (answer.status_code, answer.content) == (200, CONTENT)
    headers = answer.headers
    assert headers["content-type"] == "video/mp4"
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["accept-ranges"] == "bytes"
    assert re.fullmatch(r'"[0-9a-f]{32}"', headers["etag"])
    assert headers["content-disposition"].endswith("''%E5%B2%AD%E5%8D%97%20%E6%98%A5%E6%97%A9.mp4")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-", 0, MIB),
        ("bytes=1000-1999", 1000, 2000),
        ("bytes=1048575-", MIB - 1, MIB),
        ("bytes=-1", MIB - 1, MIB),
        ("bytes=-9999999", 0, MIB),
        ("bytes=1048570-9999999", MIB - 6, MIB),
        ("Bytes = 5 - 9", 5, 10),
        pytest.param("bytes=0-" + "9" * 5000, 0, MIB, id="endless end"),
        pytest.param("bytes=-" + "9" * 5000, 0, MIB, id="endless suffix"),
        pytest.param("bytes=" + "0" * 5000 + "7-9", 7, 10, id="leading zeros"),
    ],
)
def test_a_range_is_exact(
    anonymous: httpx.Client, object_url: str, method: str, asked: str, start: int, end: int
) -> None:
    """206 with Content-Range; HEAD says the same without the bytes."""
    answer = anonymous.request(method, object_url, headers={"Range": asked})
    assert answer.status_code == 206
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{MIB}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.content == (CONTENT[start:end] if method == "GET" else b"")


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=1048576-",
        "bytes=9999999-99999999",
        "bytes=-0",
        pytest.param("bytes=" + "9" * 5000 + "-", id="endless"),
    ],
)
def test_a_range_outside_of_the_file_is_a_416(
    anonymous: httpx.Client, object_url: str, asked: str
) -> None:
    answer = anonymous.get(object_url, headers={"Range": asked})
    refused(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{MIB}"


@pytest.mark.parametrize(
    "asked", ["bytes=5-2", "bytes=0-1,5-6", "frames=0-1", "bytes=x-", "bytes=-"]
)
def test_a_range_that_is_not_understood_gets_the_whole_file(
    anonymous: httpx.Client, object_url: str, asked: str
) -> None:
    assert anonymous.get(object_url, headers={"Range": asked}).content == CONTENT


def test_if_range_goes_on_only_with_the_same_version(
    anonymous: httpx.Client, object_url: str
) -> None:
    """By ETag or by Last-Modified; another version is sent from its start."""
    head = anonymous.head(object_url).headers
    for version, status in [(head["etag"], 206), (head["last-modified"], 206), ('"other"', 200)]:
        headers = {"Range": "bytes=5-", "If-Range": version}
        assert anonymous.get(object_url, headers=headers).status_code == status


def test_a_known_version_is_not_sent_again(anonymous: httpx.Client, object_url: str) -> None:
    etag = anonymous.head(object_url).headers["etag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        answer = anonymous.get(object_url, headers={"If-None-Match": known})
        assert (answer.status_code, answer.content) == (304, b"")


def test_an_object_that_is_gone_is_a_404(api: api_world.Running, anonymous: httpx.Client) -> None:
    url = api.objects.sign_get("assets/ast_x/source/none", 60)
    refused(anonymous.get(url), 404, "object_missing")
    refused(anonymous.get(api.objects.sign_get("assets", 60)), 404, "object_missing")


def test_whoever_leaves_in_the_middle_of_a_file_leaves_no_open_file(
    api: api_world.Running, anonymous: httpx.Client
) -> None:
    """Players seek all the time: each time they drop an answer."""
    assert isinstance(api.objects, LocalStore)
    key = f"assets/{new_id('ast')}/source/large"
    api.objects.put_bytes(CONTENT * 64, key)
    path, url = api.objects.path(key), api.objects.sign_get(key, 60)

    def opened() -> int:
        links = [os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir()]
        return links.count(str(path))

    for _ in range(20):
        with anonymous.stream("GET", url) as answer:
            next(answer.iter_bytes())
    api_world.wait_until(lambda: opened() == 0)


def client_of(folder: Path, port: int) -> httpx.Client:
    secret = (folder / "admin.key").read_text()
    headers = {"Authorization": f"Bearer {secret}"}
    return httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60, trust_env=False
    )


def blocks(size_bytes: int) -> Iterator[bytes]:
    block = bytes(MIB)
    for _ in range(size_bytes // MIB):
        yield block


def test_parts_and_downloads_are_never_held_in_memory(tmp_path: Path) -> None:
    """Four parts of 64 MiB at once, then the whole object back: the process grows by < 60 MiB."""
    port = api_world.listen_port()
    with api_world.process(tmp_path, port) as running, client_of(tmp_path, port) as client:
        before = api_world.peak_bytes(running.pid)
        wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 256 * MIB}
        upload = client.post("/v1/uploads", json=wanted).json()
        path = f"/v1/uploads/{upload['id']}"
        signed = client.post(f"{path}/parts", json={"numbers": [1, 2, 3, 4]}).json()["parts"]

        def put(part: dict[str, Any]) -> int:
            size_bytes = part["size_bytes"]
            headers = {"Content-Length": str(size_bytes)}
            sent = httpx.put(part["url"], content=blocks(size_bytes), headers=headers, timeout=120)
            return sent.status_code

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(put, signed)) == [200] * 4
        assert client.post(f"{path}/complete").status_code == 202
        objects = LocalStore(
            tmp_path / "objects", (tmp_path / "signing.key").read_bytes(), str(client.base_url)
        )
        key = f"assets/{upload['asset_id']}/source/{upload['id']}"
        with httpx.stream("GET", objects.sign_get(key, 60).replace("///", "/")) as answer:
            received = sum(len(block) for block in answer.iter_bytes())
        assert received == 256 * MIB
        assert api_world.peak_bytes(running.pid) - before < 60 * MIB


def test_an_upload_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    """Kill -9 in the middle of a part: whole parts are kept, the broken one counts as missing.

    The store begins with a file of zeros: only random bytes show that none was lost.
    """
    first, last = os.urandom(64 * MIB), os.urandom(MIB)
    port = api_world.listen_port()
    with api_world.process(tmp_path, port) as running, client_of(tmp_path, port) as client:
        wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 65 * MIB}
        upload = client.post("/v1/uploads", json=wanted).json()
        path = f"/v1/uploads/{upload['id']}/parts"
        large, small = client.post(path, json={"numbers": [1, 2]}).json()["parts"]
        assert httpx.put(small["url"], content=last, trust_env=False).status_code == 200

        def until_killed() -> Iterator[bytes]:
            for number in range(64):
                if number == 32:
                    running.send_signal(signal.SIGKILL)
                yield first[number * MIB : (number + 1) * MIB]

        headers = {"Content-Length": str(64 * MIB)}
        with pytest.raises(httpx.TransportError):
            httpx.put(large["url"], content=until_killed(), headers=headers, trust_env=False)
    with api_world.process(tmp_path, port), client_of(tmp_path, port) as client:
        assert [part["number"] for part in client.get(path).json()["parts"]] == [2]
        again = client.post(path, json={"numbers": [1]}).json()["parts"][0]
        sent = httpx.put(again["url"], content=first, trust_env=False, timeout=60)
        assert sent.status_code == 200
        assert client.post(path.replace("parts", "complete")).status_code == 202
    stored = tmp_path / "objects/objects/assets" / upload["asset_id"] / "source" / upload["id"]
    assert api_world.sha256(stored.read_bytes()) == api_world.sha256(first + last)


def test_a_part_never_takes_the_last_room_of_the_disk(tmp_path: Path) -> None:
    """On a small file system the second upload is refused, and can still be aborted."""
    argv = ["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(tmp_path)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        missing_tool("only root may mount a small file system")
    try:
        with api_world.local_api(tmp_path) as running:
            org = running.organisation()
            client = org.client()
            wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 20 * MIB}
            first, second = (client.post("/v1/uploads", json=wanted).json() for _ in range(2))
            assert put_whole(client, first).status_code == 200
            full = put_whole(client, second)
            refused(full, 507, "disk_full")
            assert "free some space" in full.json()["detail"]
            assert str(tmp_path) not in full.text
            assert parts(client, second) == []
            refused(
                client.post("/v1/uploads", json={**wanted, "size_bytes": 2**40}), 507, "disk_full"
            )
            assert client.delete(f"/v1/uploads/{first['id']}").status_code == 204
            assert put_whole(client, second).status_code == 200
            org.close()
    finally:
        subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def test_where_the_store_lies_is_told_to_the_log_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """An uploader learns what to do, whoever runs the service also which folder is broken."""
    with api_world.local_api(tmp_path) as running:
        org = running.organisation()
        folder = tmp_path / "objects" / "multipart"
        folder.rmdir()
        folder.write_bytes(b"a file in the place of a folder")
        wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10}
        answer = org.client().post("/v1/uploads", json=wanted)
        refused(answer, 503, "store_unavailable")
        assert "try again" in answer.json()["detail"]
        assert str(tmp_path) not in answer.text
        assert str(folder) in caplog.text
        org.close()


def put_whole(client: httpx.Client, upload: dict[str, Any]) -> httpx.Response:
    """PUT the only part of an upload."""
    answer = client.post(f"/v1/uploads/{upload['id']}/parts", json={"numbers": [1]})
    content = bytes(upload["size_bytes"])
    return httpx.put(answer.json()["parts"][0]["url"], content=content, trust_env=False)
