"""Subtitle files beside a master: read before they are kept, and kept with the asset."""

from __future__ import annotations

import hashlib
import re
import threading
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import api_world
import httpx
import pytest
from sqlalchemy.orm import Session

from storage.catalogue import jobs, uploads
from storage.errors import CatalogueFull, CommitUnknown, StoreUnavailable
from storage.objects_local import LocalStore
from workers.sweeper import Sweeper

SRT = "1\n00:00:01,000 --> 00:00:02,000\n木棉\n"
UPLOAD = {"title": "岭南春早", "file_name": "a.mxf", "size_bytes": 1}


def given(content: bytes, /, **other: str) -> dict[str, Any]:
    file = {"language": "zh", "file_name": "film.srt", "content": b64encode(content).decode()}
    return {**UPLOAD, "subtitles": [{**file, **other}]}


def test_a_subtitle_file_is_kept_as_it_was_sent(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Under its hash, whatever its code; the request names it and does not repeat it."""
    raw = SRT.encode("gbk")
    answer = admin.post("/v1/uploads", json=given(raw))
    assert answer.status_code == 201, answer.text
    digest = hashlib.sha256(raw).hexdigest()
    with api.database.read() as session:
        row = uploads.get_upload(session, org.id, answer.json()["id"])
        key = row.request["subtitles"][0]["key"]
        assert row.request["subtitles"] == [
            {
                "language": "zh",
                "file_name": "film.srt",
                "codec": "subrip",
                "size_bytes": len(raw),
                "sha256": digest,
                "key": key,
            }
        ]
    assert re.fullmatch(rf"assets/{row.asset_id}/subtitles/sub_[0-9a-z]{{26}}/{digest}", key)
    assert api.objects.read_bytes(key, 1 << 20) == raw


@pytest.mark.parametrize(
    ("body", "code", "why"),
    [
        (given(b"no subtitles at all"), "unsupported_media", "convert it first"),
        (given(b"\xff\xfea"), "unsupported_media", "save it as UTF-8"),
        (given(SRT.encode(), content="not base64!"), "invalid_request", ""),
        (given(SRT.encode(), language="Chinese, simplified"), "invalid_request", ""),
        (given(SRT.encode(), file_name="../a.srt"), "invalid_request", ""),
    ],
)
def test_what_is_no_subtitle_file_is_refused(
    admin: httpx.Client, body: dict[str, Any], code: str, why: str
) -> None:
    """With the way out, and there is no upload."""
    answer = admin.post("/v1/uploads", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert why in answer.json()["detail"]
    assert admin.get("/v1/uploads").json()["data"] == []


def test_a_body_that_is_too_large_is_refused(admin: httpx.Client) -> None:
    """A request's files fit into it."""
    answer = admin.post("/v1/uploads", json=given(SRT.encode() + b"\n" * (1 << 20)))
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_another_job_of_an_asset_gets_the_files_that_it_is_given(
    api: api_world.Running,
    org: api_world.Organisation,
    other_org: api_world.Organisation,
    admin: httpx.Client,
) -> None:
    """Two languages may share a file, and nobody else's asset takes one."""
    asset = org.asset()
    (zh,) = given(SRT.encode())["subtitles"]
    wish = {"profiles": ["mobile-540p"], "subtitles": [zh, {**zh, "language": "en"}]}
    path = f"/v1/assets/{asset.id}/jobs"
    assert other_org.client().post(path, json=wish).json()["code"] == "asset_not_found"
    prefix = f"assets/{asset.id}/subtitles/"
    assert list(api.objects.list_prefix(prefix)) == []
    begun = admin.post(path, json=wish)
    assert begun.status_code == 202, begun.text
    with api.database.read() as session:
        kept = jobs.get_job(session, org.id, begun.json()["id"]).request["subtitles"]
    assert [one["language"] for one in kept] == ["zh", "en"]
    (stored,) = api.objects.list_prefix(prefix)
    assert {one["key"] for one in kept} == {stored}


def stored(api: api_world.Running) -> set[str]:
    return {key for key in api.objects.list_prefix("assets/") if "/subtitles/" in key}


def test_an_upload_that_the_store_refuses_leaves_no_subtitles(
    api: api_world.Running, admin: httpx.Client
) -> None:
    """Of what is larger than the disk there is no upload, and nothing that belongs to one."""
    before = stored(api)
    wish = {**given(SRT.encode()), "size_bytes": 5 << 40}
    answer = admin.post("/v1/uploads", json=wish, headers={"Idempotency-Key": "large"})
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert admin.get("/v1/uploads").json()["data"] == []
    assert stored(api) == before


@pytest.mark.parametrize("committed", [False, True], ids=["undone", "unknown"])
def test_subtitles_stay_only_where_a_row_may_name_them(
    api: api_world.Running,
    org: api_world.Organisation,
    admin: httpx.Client,
    monkeypatch: pytest.MonkeyPatch,
    *,
    committed: bool,
) -> None:
    """What failed before its commit named none; of a commit without an answer nobody knows."""
    asset, before, begin = org.asset(), stored(api), api.database.begin
    named = set[str]()

    @contextmanager
    def begin_and_fail() -> Iterator[Session]:
        with begin() as session:
            yield session
            fresh = _named(session, org) - named
            if fresh and not committed:
                raise CatalogueFull("no room")
        if fresh:
            named.update(fresh)
            raise CommitUnknown("the line broke")

    monkeypatch.setattr(api.database, "begin", begin_and_fail)
    wish = given(SRT.encode())
    job = {"profiles": ["mobile-540p"], "subtitles": wish["subtitles"]}
    for path, body in (("/v1/uploads", wish), (f"/v1/assets/{asset.id}/jobs", job)):
        answer = admin.post(path, json=body)
        code = "catalogue_unavailable" if committed else "catalogue_full"
        assert answer.json()["code"] == code, answer.text
    assert len(named) == 2 * committed
    assert stored(api) - before == named


def _named(session: Session, org: api_world.Organisation) -> set[str]:
    """Keys of the subtitle files that rows of uploads and jobs name."""
    requests = [row.request for row in uploads.list_uploads(session, org.id).data]
    requests += [row.request for row in jobs.list_jobs(session, org.id).data]
    return {one["key"] for request in requests for one in request.get("subtitles", ())}


class _Away(LocalStore):
    """A store that takes some subtitle files and is away then."""

    def __init__(self, folder: Path, takes: int) -> None:
        super().__init__(folder, b"key", "http://kapok.test")
        self.takes, self.asked_to_delete = takes, 0

    def put_bytes(self, content: bytes, key: str) -> None:
        if not self.takes:
            raise StoreUnavailable("no answer")
        self.takes -= 1
        super().put_bytes(content, key)

    def create_multipart(self, key: str, *, size_bytes: int, part_size_bytes: int) -> str:
        raise StoreUnavailable(f"no answer about {size_bytes} B of {key} by {part_size_bytes} B")

    def delete_prefix(self, prefix: str) -> None:
        self.asked_to_delete += 1
        super().delete_prefix(prefix)


@pytest.mark.parametrize("takes", [0, 1])
def test_a_store_that_is_away_is_not_asked_to_delete_what_it_took(
    tmp_path: Path, takes: int
) -> None:
    """It would hold up who waits as long again; what a row names the sweeper removes later."""
    with api_world.local_api(tmp_path) as api, closing(api.organisation()) as org:
        away = _Away(tmp_path / "objects", takes)
        api.app.state.backend = replace(api.app.state.backend, objects=away)
        client = org.client()
        answer = client.post("/v1/uploads", json=given(SRT.encode()))
        assert answer.json()["code"] == "store_unavailable", answer.text
        assert (len(stored(api)), away.asked_to_delete) == (takes, 0)
        states = [one["state"] for one in client.get("/v1/uploads").json()["data"]]
        assert states == ["aborted"] * takes
        Sweeper(api.settings, api.database, api.objects, api.broker).sweep()
        assert stored(api) == set()


def test_twins_of_one_key_store_subtitles_once(
    api: api_world.Running, org: api_world.Organisation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both stored theirs before either had a row: those of the one that is replayed are deleted."""
    asset, before, both = org.asset(), stored(api), threading.Barrier(2)
    put = api.objects.put_bytes

    def put_together(content: bytes, key: str) -> None:
        both.wait(60)
        put(content, key)

    monkeypatch.setattr(api.objects, "put_bytes", put_together)
    wish, headers = given(SRT.encode()), {"Idempotency-Key": "twins"}
    job = {"profiles": ["mobile-540p"], "subtitles": wish["subtitles"]}
    clients = [org.client("admin", name) for name in ("a", "b")]
    for path, body in (("/v1/uploads", wish), (f"/v1/assets/{asset.id}/jobs", job)):
        with ThreadPoolExecutor(2) as pool:
            calls = [pool.submit(one.post, path, json=body, headers=headers) for one in clients]
            answers = [call.result(60) for call in calls]
        assert len({answer.json()["id"] for answer in answers}) == 1
        headers = {"Idempotency-Key": "twins of a job"}
    with api.database.read() as session:
        named = _named(session, org)
    assert len(named) == 2
    assert stored(api) - before == named


def test_a_store_that_hangs_while_subtitles_are_kept_stops_nobody_else(
    org: api_world.Organisation, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer: leases would run out behind it, and encodes be done again."""
    asset, hangs, goes_on = org.asset(), threading.Semaphore(0), threading.Event()
    put = org.running.objects.put_bytes

    def put_slowly(content: bytes, key: str) -> None:
        hangs.release()
        assert goes_on.wait(60)
        put(content, key)

    with ThreadPoolExecutor(2) as pool:
        monkeypatch.setattr(org.running.objects, "put_bytes", put_slowly)
        wish = given(SRT.encode())
        job = {"profiles": ["mobile-540p"], "subtitles": wish["subtitles"]}
        uploading = pool.submit(admin.post, "/v1/uploads", json=wish)
        starting = pool.submit(
            org.client("admin", "b").post, f"/v1/assets/{asset.id}/jobs", json=job
        )
        try:
            assert hangs.acquire(timeout=30)
            assert hangs.acquire(timeout=30)
            zone = {"name": "beside", "title": "Beside"}
            assert org.client("admin", "c").post("/v1/zones", json=zone).status_code == 201
        finally:
            goes_on.set()
        assert (uploading.result(60).status_code, starting.result(60).status_code) == (201, 202)
