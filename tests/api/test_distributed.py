"""The same API over PostgreSQL, MinIO and Redis: what differs from one machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import api_world
import httpx
import pytest
import servers

from storage.catalogue import events
from workers.broker import messages_waiting

pytestmark = pytest.mark.services

PSYCOPG = "postgresql+psycopg://"
MIB = 1 << 20
PART_BYTES = 64 * MIB
FILES = {
    "master.m3u8": b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo/540p.m3u8\n",
    "video/540p.m3u8": b"#EXTM3U\n#EXTINF:2.0,\nsegment-1.m4s\n",
    "video/segment-1.m4s": b"0123456789",
    "manifest.mpd": b"<MPD/>",
}


@pytest.fixture(scope="module")
def api(
    postgres_server: servers.Postgres,
    minio_server: servers.Minio,
    redis_server: servers.Redis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[api_world.Running]:
    with api_world.local_api(
        tmp_path_factory.mktemp("distributed"),
        heartbeat_s=0.3,
        database_url=postgres_server.url("kapok_api").replace("postgresql://", PSYCOPG),
        broker_url=redis_server.url,
        s3_endpoint=minio_server.endpoint,
        s3_public_endpoint=minio_server.endpoint,
        s3_access_key=minio_server.access_key,
        s3_secret_key=minio_server.secret_key,
        s3_bucket="kapok-api",
    ) as running:
        yield running


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    detail: str = answer.json()["detail"]
    return detail


def begin(client: httpx.Client, size_bytes: int) -> dict[str, Any]:
    wanted = {"title": "岭南春早", "file_name": "f.mxf", "size_bytes": size_bytes}
    body: dict[str, Any] = client.post("/v1/uploads", json=wanted).json()
    return body


def test_parts_go_straight_to_the_object_store(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Signed by the API, taken by MinIO, listed and completed through the API; Redis is told."""
    content = bytes(range(256)) * 4096 * 65
    upload = begin(admin, len(content))
    path = f"/v1/uploads/{upload['id']}"
    signed = admin.post(f"{path}/parts", json={"numbers": [2, 1]}).json()["parts"]
    store = urlsplit(api.settings.s3_endpoint or "").netloc
    for part in signed:
        assert urlsplit(part["url"]).netloc == store
        start = (part["number"] - 1) * PART_BYTES
        piece = content[start : start + part["size_bytes"]]
        assert httpx.put(part["url"], content=piece, timeout=60).status_code == 200
    listed = admin.get(f"{path}/parts").json()["parts"]
    assert [(part["number"], part["size_bytes"]) for part in listed] == [(1, PART_BYTES), (2, MIB)]
    waiting = messages_waiting(api.broker, "inspect")
    assert admin.post(f"{path}/complete").status_code == 202
    assert messages_waiting(api.broker, "inspect") == waiting + 1
    refused(admin.post(f"{path}/complete"), 409, "upload_not_open")


def test_a_part_that_is_too_small_is_named_and_can_be_sent_again(admin: httpx.Client) -> None:
    """S3 takes any size: completing finds it, and the upload stays open."""
    upload = begin(admin, PART_BYTES + MIB)
    path = f"/v1/uploads/{upload['id']}"
    signed = admin.post(f"{path}/parts", json={"numbers": [1, 2]}).json()["parts"]
    assert httpx.put(signed[0]["url"], content=b"short").status_code == 200
    refused(admin.post(f"{path}/complete"), 409, "part_missing")
    assert httpx.put(signed[1]["url"], content=bytes(MIB)).status_code == 200
    assert "Part 1 has 5 bytes" in refused(admin.post(f"{path}/complete"), 422, "part_too_small")
    assert httpx.put(signed[0]["url"], content=bytes(PART_BYTES), timeout=60).status_code == 200
    assert admin.post(f"{path}/complete").status_code == 202


def test_an_aborted_upload_takes_no_part_any_more(admin: httpx.Client) -> None:
    upload = begin(admin, 10)
    path = f"/v1/uploads/{upload['id']}"
    (part,) = admin.post(f"{path}/parts", json={"numbers": [1]}).json()["parts"]
    assert admin.delete(path).status_code == 204
    assert httpx.put(part["url"], content=b"0123456789").status_code == 404


def test_manifests_come_from_the_api_and_segments_from_the_store(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    """A segment is a redirect to a signed URL that serves ranges."""
    asset = org.asset()
    org.package(asset, FILES)
    hls = admin.get(f"/v1/assets/{asset.id}/playback").json()["hls"]
    base = hls.removesuffix("master.m3u8")
    master = anonymous.get(hls)
    assert (master.status_code, master.content) == (200, FILES["master.m3u8"])
    assert master.headers["content-type"] == "application/vnd.apple.mpegurl"
    assert anonymous.get(f"{base}video/540p.m3u8").content == FILES["video/540p.m3u8"]
    segment = anonymous.get(f"{base}video/segment-1.m4s")
    assert segment.status_code == 302
    part = httpx.get(segment.headers["location"], headers={"Range": "bytes=2-4"})
    assert (part.status_code, part.content) == (206, b"234")
    refused(anonymous.get(f"{base}none.m3u8"), 404, "object_missing")
    head = anonymous.head(f"{base}video/segment-1.m4s", follow_redirects=True)
    assert (head.status_code, head.headers["content-length"]) == (200, "10")
    assert head.headers["content-type"] == "video/iso.segment"
    assert anonymous.head(f"{base}video/none.m4s", follow_redirects=True).status_code == 404


def test_a_rendition_is_downloaded_from_the_store_under_a_good_name(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    rendition = org.rendition(org.asset())
    link = admin.get(f"/v1/renditions/{rendition.id}/download").json()
    answer = httpx.get(link["url"])
    assert api_world.sha256(answer.content) == link["sha256"]
    assert answer.headers["content-disposition"].endswith("''mobile-540p.mp4")


def test_the_embedded_store_does_not_exist_here(anonymous: httpx.Client) -> None:
    refused(anonymous.get("/store/objects/assets/x"), 404, "route_not_found")
    refused(anonymous.put("/store/parts/mpu_x/1", content=b"x"), 404, "route_not_found")


def test_publishing_twice_and_pulling_work_alike(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    org.zone()
    asset = org.asset()
    org.rendition(asset, b"rendition")
    wanted = {"asset_id": asset.id, "zone": "open"}
    made = admin.post("/v1/publications", json=wanted)
    assert made.status_code == 201
    refused(admin.post("/v1/publications", json=wanted), 409, "already_published")
    (entry,) = admin.get("/v1/centres/foshan/feed").json()["data"]
    assert httpx.get(entry["files"][0]["url"]).content == b"rendition"
    manifest = httpx.get(made.json()["manifest"]["url"]).json()
    assert manifest["files"] == made.json()["files"]


def test_twins_at_the_same_moment_do_the_work_once(admin: httpx.Client) -> None:
    """Twelve at once on PostgreSQL get one answer, and there is one upload."""
    body = {"title": "t", "file_name": "f.mxf", "size_bytes": 10}
    headers = {"Idempotency-Key": "k-1"}
    with ThreadPoolExecutor(12) as pool:
        calls = [
            pool.submit(admin.post, "/v1/uploads", json=body, headers=headers) for _ in range(12)
        ]
        answers = [call.result() for call in calls]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(admin.get("/v1/uploads").json()["data"]) == 1


@pytest.mark.parametrize(
    "path",
    [
        "/v1/assets/%00",
        "/v1/assets/%ff",
        "/v1/assets?text=%ff",
        "/v1/assets/" + "a" * 5000,
        "/v1/uploads?cursor=" + "A" * 400,
        "/v1/events?after=999999999999999999",
        "/v1/assets?created_before=0001-01-01T00:00:00Z",
        "/v1/zones/%F0%9F%8E%AC",
    ],
)
def test_hostile_urls_are_no_500_on_postgresql_either(admin: httpx.Client, path: str) -> None:
    assert admin.get(path).status_code in {200, 400, 404, 422}


def test_events_arrive_live(org: api_world.Organisation, admin: httpx.Client) -> None:
    def note() -> None:
        with org.running.database.begin() as session:
            events.append(
                session,
                type="test.happened",
                subject="tst_1",
                organisation_id=org.id,
                actor="key_test",
            )

    with admin.stream("GET", "/v1/events", headers={"Accept": "text/event-stream"}) as answer:
        threading.Timer(0.5, note).start()
        data = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert json.loads(data.removeprefix("data: "))["type"] == "test.happened"


def test_a_store_that_is_away_is_a_503_and_changes_nothing(
    api: api_world.Running, tmp_path: Path
) -> None:
    """Nobody listens at the store's address: readiness and uploads say so."""
    with api_world.local_api(
        tmp_path,
        prepare=False,
        s3_endpoint=f"http://127.0.0.1:{api_world.listen_port()}",
        s3_access_key="none",
        s3_secret_key="none",
    ) as running:
        org = running.organisation()
        client = org.client()
        answer = client.get("/health/ready")
        refused(answer, 503, "not_ready")
        assert [item["parameter"] for item in answer.json()["errors"]] == ["store"]
        wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10}
        for _ in range(2):  # what failed is not remembered under its key
            answer = client.post("/v1/uploads", json=wanted, headers={"Idempotency-Key": "k"})
            refused(answer, 503, "store_unavailable")
            assert answer.json()["retryable"] is True
        assert client.get("/v1/uploads").json()["data"] == []
        org.close()
