"""Uploads: from a declaration to a job, with everything that can go wrong on the way."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import api_world
import httpx
import pytest
from sqlalchemy import event as sql_event

from storage.catalogue import jobs, steps, uploads
from storage.clock import now
from storage.errors import StoreUnavailable
from storage.objects import Part
from storage.objects_local import LocalStore
from workers import sweeper as sweeper_module
from workers.sweeper import Sweeper

PART_BYTES = 64 << 20
CONTENT = os.urandom(1 << 20) * 65  # two parts, the second of 1 MiB


def begin(client: httpx.Client, **given: Any) -> dict[str, Any]:
    wanted = {"title": "岭南春早", "file_name": "节目.mxf", "size_bytes": len(CONTENT), **given}
    answer = client.post("/v1/uploads", json=wanted)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def send(client: httpx.Client, upload: dict[str, Any], content: bytes, *numbers: int) -> None:
    """PUT these parts to their signed URLs, without a key."""
    path = f"/v1/uploads/{upload['id']}/parts"
    signed = client.post(path, json={"numbers": list(numbers)}).json()["parts"]
    for part in signed:
        start = (part["number"] - 1) * upload["part_size_bytes"]
        piece = content[start : start + part["size_bytes"]]
        answer = httpx.put(part["url"], content=piece, trust_env=False, timeout=60)
        assert answer.status_code == 200, answer.text
        assert answer.headers["etag"]


def stored_files(running: api_world.Running) -> Iterator[Path]:
    """Folders may go while we look, which `rglob` does not bear."""
    walked = os.walk(running.settings.data / "objects")
    return (Path(folder, name) for folder, _, names in walked for name in names)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    detail: str = answer.json()["detail"]
    return detail


def test_a_file_travels_in_parts_and_becomes_a_job(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Declared, signed, sent in any order, listed, completed; then a worker has a step to do."""
    upload = begin(admin, metadata={"creator": "广东台", "year": 2026}, ladder="cn-uhd-zone")
    assert (upload["part_size_bytes"], upload["part_count"]) == (PART_BYTES, 2)
    assert upload["state"] == "open"
    path = f"/v1/uploads/{upload['id']}"
    assert admin.get(f"{path}/parts").json() == {"parts": []}
    send(admin, upload, CONTENT, 2)
    (part,) = admin.get(f"{path}/parts").json()["parts"]
    assert (part["number"], part["size_bytes"]) == (2, 1 << 20)
    send(admin, upload, CONTENT, 1)

    sha256 = hashlib.sha256(CONTENT).hexdigest()
    done = admin.post(f"{path}/complete", json={"sha256": sha256.upper()})
    assert done.status_code == 202
    job_id = done.json()["job_id"]
    assert done.headers["location"] == f"/v1/jobs/{job_id}"
    assert (done.json()["state"], done.json()["sha256"]) == ("complete", sha256)

    with api.database.read() as session:
        row = uploads.get_upload(session, org.id, upload["id"])
        (step,) = jobs.job_steps(session, job_id)
    assert (row.declared, step.kind, step.state) == ({"sha256": sha256}, "fixity", "ready")
    assert step.sent_at is not None
    assert row.request == {"ladder": "cn-uhd-zone", "metadata": {"creator": "广东台", "year": 2026}}
    assert b"".join(api.objects.open_range(row.key, 0, len(CONTENT))) == CONTENT
    shown = admin.get(f"/v1/jobs/{job_id}").json()
    assert (shown["state"], shown["progress_share"], shown["eta_s"]) == ("queued", 0.0, None)
    assert admin.get(path).json() == done.json()


def test_steps_may_be_listed_without_their_commands(
    api: api_world.Running, admin: httpx.Client
) -> None:
    """Who watches a job of hundreds of chunks does not need them every second."""
    upload = begin(admin, size_bytes=10)
    send(admin, upload, b"0123456789", 1)
    job_id = admin.post(f"/v1/uploads/{upload['id']}/complete").json()["job_id"]
    with api.database.begin() as session:
        (step,) = jobs.job_steps(session, job_id)
        claimed = steps.claim_step(session, step.id, "worker", 30)
        assert claimed is not None
        told = {"result": {}, "command": ["ffmpeg", "-i", "x"], "log_tail": "said"}
        steps.finish_step(session, claimed, **told)
    path = f"/v1/jobs/{job_id}/steps"
    (whole,) = admin.get(path).json()["data"]
    asked: list[str] = []

    def note(*details: Any) -> None:
        asked.append(details[2])  # the statement

    engine = api.database._engine
    sql_event.listen(engine, "before_cursor_execute", note)
    (brief,) = admin.get(path, params={"log": "false"}).json()["data"]
    assert admin.get(f"/v1/jobs/{job_id}").json()["progress_share"] > 0
    sql_event.remove(engine, "before_cursor_execute", note)
    assert (whole["command"], whole["log_tail"]) == (["ffmpeg", "-i", "x"], "said")
    assert brief == {**whole, "command": None, "log_tail": None}
    for_steps = [statement for statement in asked if "ORDER BY steps.id" in statement]
    assert any("steps.progress" in statement for statement in for_steps)
    assert not any("steps.command" in statement for statement in for_steps), "they are not read"


def test_a_second_complete_is_refused_and_a_repeated_one_answered(admin: httpx.Client) -> None:
    """With the same Idempotency-Key the first answer comes again; without, 409."""
    upload = begin(admin, size_bytes=10)
    send(admin, upload, b"0123456789", 1)
    path = f"/v1/uploads/{upload['id']}/complete"
    headers = {"Idempotency-Key": "k"}
    first, again = (admin.post(path, headers=headers) for _ in range(2))
    assert (first.status_code, again.content) == (202, first.content)
    detail = refused(admin.post(path), 409, "upload_not_open")
    assert "begin a new one" in detail


def test_of_completes_at_once_one_begins_a_job(admin: httpx.Client) -> None:
    """The others are told that it is done; none that the store is away."""
    for _ in range(5):
        upload = begin(admin, size_bytes=10)
        send(admin, upload, b"0123456789", 1)
        path = f"/v1/uploads/{upload['id']}/complete"
        with ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(admin.post, [path] * 6))
        assert sorted(answer.status_code for answer in answers) == [202] + [409] * 5


def test_missing_parts_are_named(admin: httpx.Client) -> None:
    upload = begin(admin)
    send(admin, upload, CONTENT, 2)
    answer = admin.post(f"/v1/uploads/{upload['id']}/complete", json={})
    assert "(1)" in refused(answer, 409, "part_missing")
    assert admin.get(f"/v1/uploads/{upload['id']}").json()["state"] == "open"


def test_a_completion_that_died_half_way_is_completed_by_asking_again(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """The store had made the object when the API was killed before it told the catalogue."""
    upload = begin(admin, size_bytes=10)
    send(admin, upload, b"0123456789", 1)
    with api.database.read() as session:
        row = uploads.get_upload(session, org.id, upload["id"])
    parts = api.objects.list_parts(row.key, row.store_upload_id)
    api.objects.complete_multipart(row.key, row.store_upload_id, parts)
    listed = admin.get(f"/v1/uploads/{upload['id']}/parts").json()["parts"]
    assert [(part["number"], part["size_bytes"]) for part in listed] == [(1, 10)]
    assert admin.post(f"/v1/uploads/{upload['id']}/complete").status_code == 202


def test_an_upload_that_the_store_has_forgotten_is_closed(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """MinIO drops the parts of old uploads by itself: the client learns it and begins anew."""
    upload = begin(admin, size_bytes=10)
    with api.database.read() as session:
        row = uploads.get_upload(session, org.id, upload["id"])
    api.objects.abort_multipart(row.key, row.store_upload_id)
    refused(admin.get(f"/v1/uploads/{upload['id']}/parts"), 404, "multipart_not_found")
    assert admin.get(f"/v1/uploads/{upload['id']}").json()["state"] == "expired"


def test_an_upload_is_begun_in_the_store_when_its_first_part_is_asked_for(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """The row comes first: a crash before the store was asked leaves an upload that works."""
    upload = begin(admin, size_bytes=10)
    with api.database.begin() as session:
        uploads.get_upload(session, org.id, upload["id"]).store_upload_id = ""
    send(admin, upload, b"0123456789", 1)
    assert admin.post(f"/v1/uploads/{upload['id']}/complete").status_code == 202


def test_signing_parts_keeps_an_upload_open(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """A slow line may take longer than the time of an upload, as long as parts are sent."""
    upload = begin(admin, size_bytes=10)
    soon = datetime.now(UTC) + timedelta(seconds=5)
    with api.database.begin() as session:
        uploads.get_upload(session, org.id, upload["id"]).expires_at = soon
    send(admin, upload, b"0123456789", 1)
    shown = admin.get(f"/v1/uploads/{upload['id']}").json()["expires_at"]
    assert datetime.fromisoformat(shown) > soon + timedelta(hours=1)


def test_hashes_that_contradict_each_other_are_refused_at_once(admin: httpx.Client) -> None:
    upload = begin(admin, size_bytes=10, md5="0" * 32)
    send(admin, upload, b"0123456789", 1)
    path = f"/v1/uploads/{upload['id']}"
    refused(admin.post(f"{path}/complete", json={"md5": "1" * 32}), 422, "hash_mismatch")
    assert [part["number"] for part in admin.get(f"{path}/parts").json()["parts"]] == [1]


def test_an_aborted_upload_leaves_nothing(api: api_world.Running, admin: httpx.Client) -> None:
    """No file, no part, no URL that still works."""
    before = set(stored_files(api))
    upload = begin(admin)
    path = f"/v1/uploads/{upload['id']}"
    signed = admin.post(f"{path}/parts", json={"numbers": [1, 2]}).json()["parts"]
    send(admin, upload, CONTENT, 2)
    assert admin.delete(path).status_code == 204
    assert admin.get(path).json()["state"] == "aborted"
    assert set(stored_files(api)) == before
    late = httpx.put(signed[1]["url"], content=CONTENT[:1], trust_env=False)
    refused(late, 404, "multipart_not_found")
    refused(admin.delete(path), 409, "upload_not_open")
    refused(admin.get(f"{path}/parts"), 409, "upload_not_open")
    refused(admin.post(f"{path}/complete"), 409, "upload_not_open")


class _Slow(LocalStore):
    """A completion takes as long as the test wants, and goes on after an abort, as S3's may.

    One that takes `too_long` gets no answer. `deleted` is called once a master is deleted.
    """

    def __init__(self, folder: Path, *, too_long: bool) -> None:
        super().__init__(folder, b"key", "http://kapok.test")
        self.begun, self.may_end = threading.Event(), threading.Event()
        self.too_long = too_long
        self.deleted: Callable[[], object] = lambda: None

    def complete_multipart(self, key: str, upload_id: str, parts: Sequence[Part]) -> int:
        self.begun.set()
        if self.too_long:
            raise StoreUnavailable("no answer within 60 s")
        assert self.may_end.wait(30)
        self.put_bytes(b"0123456789", key)
        return 10

    def delete(self, key: str) -> None:
        super().delete(key)
        deleted, self.deleted = self.deleted, lambda: None
        deleted()


@pytest.mark.parametrize("lands", ["after the sweep", "in the sweep", "without an answer"])
def test_an_upload_that_is_aborted_while_the_store_completes_it_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lands: str
) -> None:
    """Whenever the object comes, and also where nobody hears of it: an hour later it is removed."""
    with (
        api_world.local_api(tmp_path) as api,
        closing(api.organisation()) as org,
        ThreadPoolExecutor(1) as pool,
    ):
        client = org.client()
        upload = begin(client, size_bytes=10)
        send(client, upload, b"0123456789", 1)
        slow = _Slow(tmp_path / "objects", too_long=lands == "without an answer")
        api.app.state.backend = replace(api.app.state.backend, objects=slow)
        sweeper = Sweeper(api.settings, api.database, slow, api.broker)
        path = f"/v1/uploads/{upload['id']}"
        completing = pool.submit(client.post, f"{path}/complete")
        assert slow.begun.wait(30)
        if lands == "without an answer":
            refused(completing.result(), 503, "store_unavailable")
        assert org.client("admin", "b").delete(path).status_code == 204

        def land() -> None:
            if lands == "without an answer":
                slow.put_bytes(b"0123456789", f"assets/{upload['asset_id']}/source/{upload['id']}")
            else:
                slow.may_end.set()
                refused(completing.result(), 409, "upload_not_open")

        if lands == "in the sweep":
            slow.deleted = land
            sweeper.sweep()
        else:
            sweeper.sweep()
            land()

        def left() -> list[str]:
            sweeper.sweep()
            return [file.name for file in stored_files(api) if "assets" in file.parts]

        assert left() == [upload["id"]]  # not every upload that ever died is gone over each time
        later = timedelta(minutes=61)
        monkeypatch.setattr(sweeper_module, "now", lambda session: now(session) + later)
        assert left() == []
        with api.database.read() as session:
            in_years = now(session) + timedelta(days=999)
            assert uploads.uploads_to_clean(session, in_years) == []


@pytest.mark.parametrize(
    ("wrong", "status", "code", "hint"),
    [
        ({"size_bytes": 0}, 422, "empty_file", "export it again"),
        ({"size_bytes": 2**61}, 413, "upload_too_large", "split the file"),
        ({"profiles": ["cn4k-betamax"]}, 422, "unknown_profile", "mobile-540p"),
        ({"ladder": "none"}, 422, "unknown_profile", "cn-uhd-zone"),
        ({"zone": "nowhere"}, 404, "zone_not_found", "uhd-4k"),
        (
            {"ladder": "cn-uhd-zone", "profiles": ["mobile-540p"]},
            422,
            "invalid_request",
            "not both",
        ),
        ({"sha256": "12"}, 422, "invalid_request", "sha256"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_declaration_is_refused_with_the_way_out(
    api: api_world.Running,
    admin: httpx.Client,
    wrong: dict[str, Any],
    status: int,
    code: str,
    hint: str,
) -> None:
    """Nothing is begun in the store for it."""
    before = set(stored_files(api))
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, **wrong}
    assert hint in refused(admin.post("/v1/uploads", json=wanted), status, code)
    assert set(stored_files(api)) == before


def test_a_part_that_the_upload_has_not_is_refused(admin: httpx.Client) -> None:
    upload = begin(admin, size_bytes=10)
    path = f"/v1/uploads/{upload['id']}/parts"
    refused(admin.post(path, json={"numbers": [1, 2]}), 422, "unknown_part")
    refused(admin.post(path, json={"numbers": [0]}), 422, "invalid_request")
    refused(admin.post(path, json={"numbers": []}), 422, "invalid_request")


def test_uploads_are_listed_page_by_page(admin: httpx.Client) -> None:
    """Newest first, each once; a cursor that is not ours is refused."""
    made = [begin(admin, title=f"{number}", size_bytes=10)["id"] for number in range(5)]
    found: list[str] = []
    cursor: str | None = None
    for _ in range(3):
        params: dict[str, Any] = {"limit": 2, "cursor": cursor or ""}
        page = admin.get("/v1/uploads", params=params).json()
        found += [upload["id"] for upload in page["data"]]
        cursor = page["next_cursor"]
        assert page["has_more"] == (cursor is not None)
    assert found == made[::-1]
    assert cursor is None
    assert admin.get("/v1/uploads", params={"state": "verified"}).json()["data"] == []
    refused(admin.get("/v1/uploads", params={"cursor": "x"}), 400, "invalid_cursor")


def test_more_renditions_of_an_asset_are_a_new_job(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """It is not inspected again: planning is its first step."""
    asset = org.asset()
    path = f"/v1/assets/{asset.id}/jobs"
    answer = admin.post(path, json={"profiles": ["mobile-540p"]})
    assert answer.status_code == 202
    job_id = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/jobs/{job_id}"
    with api.database.read() as session:
        assert [step.kind for step in jobs.job_steps(session, job_id)] == ["plan"]
    assert next(job["id"] for job in admin.get(path).json()["data"]) == job_id
    refused(admin.post(path, json={"profiles": ["x"]}), 422, "unknown_profile")
