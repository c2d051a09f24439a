"""Bad input gives its own code and a way out, leaves no orphan and never a traceback or a 500."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import stack as stacks
from missing import missing_tool
from stack import make

pytestmark = [pytest.mark.services, pytest.mark.media]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[stacks.Stack]:
    """One embedded service for every bad file: it must survive them all, and leave no orphan."""
    stack = stacks.embedded(tmp_path_factory.mktemp("bad-input"))
    try:
        yield stack
        stacks.assert_no_orphans(stack)
    finally:
        stack.stop()


def text_file(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("this is no programme\n" * 400)
    return path


def truncated(folder: Path) -> Path:
    """An MP4 whose index was never written: the end of the file is missing."""
    whole = make(
        folder / "whole.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=2", "-c:v", "libx264"),
    )
    path = folder / "truncated.mp4"
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    return path


def playlist(folder: Path) -> Path:
    path = folder / "playlist.mp4"
    path.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"
    )
    return path


def url_playlist(folder: Path) -> Path:
    path = folder / "remote.mp4"
    path.write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.ts\n#EXT-X-ENDLIST\n")
    return path


def concat_script(folder: Path) -> Path:
    path = folder / "concat.mp4"
    path.write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    return path


def one_pixel(folder: Path) -> Path:
    return make(
        folder / "pixel.mkv",
        *("-f", "lavfi", "-i", "color=white:size=1x1:rate=25:duration=1"),
        *("-c:v", "ffv1", "-pix_fmt", "yuv444p"),
    )


def zero_seconds(folder: Path) -> Path:
    return make(
        folder / "zero.mp4",
        *("-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=1", "-frames:v", "0"),
        *("-c:v", "libx264"),
    )


@pytest.mark.parametrize(
    ("build", "code", "way_out"),
    [
        (text_file, "unsupported_media", "upload MP4, MOV, MXF"),
        (truncated, "truncated_media", "upload it again, whole"),
        (playlist, "unsupported_media", "upload MP4, MOV, MXF"),
        (url_playlist, "unsupported_media", "upload MP4, MOV, MXF"),
        (concat_script, "unsupported_media", "upload the media"),
        (one_pixel, "nothing_to_encode", "export it with larger pictures"),
        (zero_seconds, "no_essence", "check the file in a player, and export it again"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_file_that_is_no_programme_fails_with_its_code_and_the_way_out(
    service: stacks.Stack, tmp_path: Path, build: Any, code: str, way_out: str
) -> None:
    """The CLI ends with 6, names the code, and says no Python words."""
    done = service.cli("upload", str(build(tmp_path)), "--wait", "--json")
    assert done.returncode == 6, (done.stdout, done.stderr)
    error = json.loads(done.stdout)["job"]["error"]
    assert error["code"] == code, error
    assert way_out in error["detail"]
    assert "Traceback" not in done.stdout + done.stderr
    assert "root:" not in done.stdout


def test_of_a_source_that_fits_no_profile_the_job_says_why_for_each(
    service: stacks.Stack, tmp_path: Path
) -> None:
    """The plan is kept although nothing is made by it: a person sees each rung's refusal."""
    done = service.cli("upload", str(one_pixel(tmp_path)), "--wait", "--json")
    job = service.job(json.loads(done.stdout)["job"]["id"])
    assert job["plan"]["rungs"] == []
    assert len(job["refused"]) > 1
    assert {one["code"] for one in job["refused"]} == {"picture_too_small"}


def test_an_empty_file_is_refused_before_anything_is_stored(
    service: stacks.Stack, tmp_path: Path
) -> None:
    """There is nothing to store: the answer names the code `empty_file`."""
    path = tmp_path / "empty.mp4"
    path.touch()
    done = service.cli("upload", str(path), "--json")
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert "empty_file" in done.stderr + done.stdout


def test_a_sidecar_that_disagrees_stops_the_client(
    service: stacks.Stack, short_clip: Path, tmp_path: Path
) -> None:
    """The museum's checksum belongs to another file: nothing is completed, nothing is left."""
    sidecar = tmp_path / "short.sha256"
    sidecar.write_text(f"{'0' * 64}  {short_clip.name}\n")
    before = stacks.stored(service)
    done = service.cli(
        *("upload", str(short_clip), "--checksum-file", str(sidecar), "--wait", "--json"),
        *("--title", "never-an-asset"),
    )
    assert done.returncode == 6, (done.stdout, done.stderr)
    assert "hash_mismatch" in done.stderr
    assert service.get("/v1/assets?text=never-an-asset")["data"] == []
    assert stacks.stored(service) == before


def test_a_wrong_declared_hash_never_becomes_an_asset(
    service: stacks.Stack, short_clip: Path
) -> None:
    """A client that lies: the worker hashes the stored bytes, and rejects and removes them."""
    content, before = short_clip.read_bytes(), stacks.stored(service)
    with service.http() as client:
        upload = begin(client, content, title="never-an-asset", sha256="0" * 64)
        assert httpx.put(sign(client, upload, 1), content=content).status_code == 200
        done = client.post(f"/v1/uploads/{upload['id']}/complete")
        assert done.status_code == 202, done.text
        job = service.wait_job(client.get(f"/v1/uploads/{upload['id']}").json()["job_id"], 120)
        rejected = client.get(f"/v1/uploads/{upload['id']}").json()
    assert job["state"] == "failed"
    assert job["error"]["code"] == "hash_mismatch"
    assert rejected["state"] == "rejected"
    assert service.get("/v1/assets?text=never-an-asset")["data"] == []
    gone = lambda: stacks.stored(service) == before  # noqa: E731 - said once, used once
    stacks.wait_until(gone, 20, "the rejected bytes are removed")


def begin(client: httpx.Client, content: bytes, **more: Any) -> dict[str, Any]:
    body = {"title": "t", "file_name": "t.mp4", "size_bytes": len(content)} | more
    answer = client.post("/v1/uploads", json=body)
    assert answer.status_code == 201, answer.text
    upload: dict[str, Any] = answer.json()
    return upload


def sign(client: httpx.Client, upload: dict[str, Any], number: int) -> str:
    answer = client.post(f"/v1/uploads/{upload['id']}/parts", json={"numbers": [number]})
    assert answer.status_code == 200, answer.text
    url: str = answer.json()["parts"][0]["url"]
    return url


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["code"] == code
    assert problem["request_id"]
    assert len(problem["detail"]) > 10


def test_a_second_complete_is_a_conflict(service: stacks.Stack, short_clip: Path) -> None:
    """Completing twice does not start two jobs."""
    content = short_clip.read_bytes()
    with service.http() as client:
        upload = begin(client, content)
        assert httpx.put(sign(client, upload, 1), content=content).status_code == 200
        assert client.post(f"/v1/uploads/{upload['id']}/complete").status_code == 202
        again = client.post(f"/v1/uploads/{upload['id']}/complete")
    assert_problem(again, 409, "upload_not_open")


def test_complete_with_bytes_missing_says_how_many(service: stacks.Stack) -> None:
    """Nothing was sent: the upload stays open, so that the client can go on."""
    with service.http() as client:
        upload = begin(client, b"x" * 1000)
        answer = client.post(f"/v1/uploads/{upload['id']}/complete")
        assert answer.status_code in {409, 422}
        assert client.get(f"/v1/uploads/{upload['id']}").json()["state"] == "open"
        assert client.delete(f"/v1/uploads/{upload['id']}").status_code in {200, 204}


def test_a_part_of_the_wrong_size_is_refused(service: stacks.Stack) -> None:
    """A short part never counts as stored."""
    with service.http() as client:
        upload = begin(client, b"x" * 1000)
        answer = httpx.put(sign(client, upload, 1), content=b"x" * 10)
        assert 400 <= answer.status_code < 500, answer.text
        assert client.get(f"/v1/uploads/{upload['id']}/parts").json()["parts"] == []


def test_an_unknown_profile_lists_the_known_ones(service: stacks.Stack, short_clip: Path) -> None:
    """The way out stands in the text."""
    with service.http() as client:
        body = {"title": "t", "file_name": "t.mp4", "size_bytes": 10, "profiles": ["vhs-gold"]}
        answer = client.post("/v1/uploads", json=body)
    assert_problem(answer, 422, "unknown_profile")
    assert "mobile-540p" in answer.json()["detail"]


def test_a_tampered_or_expired_url_opens_nothing(service: stacks.Stack, short_clip: Path) -> None:
    """One changed character in the signature is enough."""
    with service.http() as client:
        url = sign(client, begin(client, b"x" * 1000), 1)
    tampered = url[:-1] + ("0" if url[-1] != "0" else "1")
    assert httpx.put(tampered, content=b"x" * 1000).status_code == 403


def test_malformed_json_is_a_problem_not_a_traceback(service: stacks.Stack) -> None:
    """422 or 400 with a code of its own."""
    with service.http() as client:
        headers = {"content-type": "application/json"}
        answer = client.post("/v1/uploads", content=b'{"title": ', headers=headers)
    assert answer.status_code in {400, 422}
    assert answer.json()["code"] in {"malformed_json", "invalid_request"}
    assert "Traceback" not in answer.text


def test_nobody_gets_in_without_a_key(service: stacks.Stack) -> None:
    """No key, a wrong key: 401 with a code, everywhere but health."""
    for path in ("/v1/assets", "/v1/events", "/v1/zones", "/v1/centres/foshan/feed"):
        assert httpx.get(service.url + path).status_code == 401
        wrong = {"Authorization": "Bearer kpk_wrong"}
        assert httpx.get(service.url + path, headers=wrong).status_code == 401
    assert httpx.get(f"{service.url}/health/live").status_code == 200


def fill(path: Path) -> None:
    """Write zeros until the file system has no room left."""
    with path.open("wb", buffering=0) as out, contextlib.suppress(OSError):
        while out.write(b"\0" * 65536):
            continue


@pytest.mark.slow
def test_a_full_disk_fails_clearly_and_a_retry_finishes(tmp_path: Path, short_clip: Path) -> None:
    """The data folder lies on a small file system that is filled, then freed.

    Scratch lies elsewhere: what the workers' proofs free of it now and then is room for a part.
    """
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1200m", "tmpfs", str(disk)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        missing_tool("only root may mount a small file system")
    stack = None
    try:
        scratch = {"KAPOK_SCRATCH": str(tmp_path / "scratch")}
        stack = stacks.embedded(disk, {**stacks.ALONE, **scratch})
        filler = disk / "filler"
        fill(filler)
        done = stack.cli("upload", str(short_clip), "--wait", "--json")
        assert done.returncode != 0
        assert "Traceback" not in done.stdout + done.stderr
        code = json.loads(done.stderr)["error"]["code"]
        assert code in {"disk_full", "catalogue_full"}, done.stderr  # whichever writes first
        filler.unlink()
        done = stack.cli("upload", str(short_clip), "--wait", "--json")
        assert done.returncode == 0, (done.stdout, done.stderr, stack.logs())
        stacks.assert_no_orphans(stack)
    finally:
        if stack:
            stack.stop()
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_good_file_still_goes_through_after_all_that(
    service: stacks.Stack, short_clip: Path
) -> None:
    """The service is alive, and what the CLI prints agrees with the file."""
    done = service.cli("upload", str(short_clip), "--wait", "--json")
    assert done.returncode == 0, (done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    assert answer["sha256"] == hashlib.sha256(short_clip.read_bytes()).hexdigest()
    assert answer["job"]["state"] == "done"
    assert {r["state"] for r in answer["renditions"]} == {"ready"}
