"""A POST that is sent twice is done once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import api_world
import httpx
import pytest

from storage import schema

WANTED = {"title": "岭南春早", "file_name": "programme.mxf", "size_bytes": 100_000_000}


def post(client: httpx.Client, path: str, key: str, body: Any = None) -> httpx.Response:
    return client.post(path, json=body, headers={"Idempotency-Key": key})


def test_the_same_key_and_body_get_the_same_answer(admin: httpx.Client) -> None:
    """Status, Location and body to the byte; only one upload was begun."""
    first, second = (post(admin, "/v1/uploads", "k-1", WANTED) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["location"] == second.headers["location"]
    assert "idempotency-replayed" not in first.headers
    assert second.headers["idempotency-replayed"] == "true"
    assert len(admin.get("/v1/uploads").json()["data"]) == 1


def test_the_link_of_a_repeated_publication_opens(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Answers are remembered for a day, links live an hour, and none of them is kept."""
    org.zone()
    asset = org.asset()
    org.rendition(asset)
    wanted = {"asset_id": asset.id, "zone": "open"}
    first = post(admin, "/v1/publications", "k-1", wanted).json()
    with org.running.database.begin() as session:
        record = session.get_one(schema.IdempotencyRecord, (org.id, "k-1"))
        assert "http" not in record.body
        record.body = record.body.replace(first["manifest"]["expires_at"], "2026-01-01T00:00:00Z")
    repeated = post(admin, "/v1/publications", "k-1", wanted)
    assert repeated.headers["idempotency-replayed"] == "true"
    second = repeated.json()
    assert {**second, "manifest": None} == {**first, "manifest": None}
    assert second["manifest"]["expires_at"] >= first["manifest"]["expires_at"]
    assert httpx.get(second["manifest"]["url"]).json()["asset_id"] == asset.id

    with org.running.database.begin() as session:  # as an older version kept it
        record = session.get_one(schema.IdempotencyRecord, (org.id, "k-1"))
        record.body = json.dumps(first)
    assert post(admin, "/v1/publications", "k-1", wanted).json() == first

    path = f"/v1/publications/{first['id']}/withdraw"
    gone, again = (post(admin, path, "k-2").json() for _ in range(2))
    assert {**again, "manifest": None} == {**gone, "manifest": None}
    assert httpx.get(again["manifest"]["url"]).status_code == 200


def test_the_same_key_with_another_request_is_refused(admin: httpx.Client) -> None:
    """Another body, and another path with the same body."""
    post(admin, "/v1/uploads", "k-1", WANTED)
    other = post(admin, "/v1/uploads", "k-1", {**WANTED, "title": "another"})
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    elsewhere = post(admin, "/v1/zones", "k-1", {"name": "zone", "title": "z"})
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (422, "idempotency_key_reused")


def test_two_organisations_may_use_the_same_key(
    org: api_world.Organisation, other_org: api_world.Organisation
) -> None:
    mine, theirs = (one.client() for one in (org, other_org))
    first, second = (post(client, "/v1/uploads", "k-1", WANTED) for client in (mine, theirs))
    assert first.json()["id"] != second.json()["id"]


@pytest.mark.parametrize("round_number", range(3))
def test_twins_at_the_same_moment_do_the_work_once(admin: httpx.Client, round_number: int) -> None:
    """Twelve at once get one answer, and there is one upload."""
    with ThreadPoolExecutor(12) as pool:
        calls = [pool.submit(post, admin, "/v1/uploads", "k-1", WANTED) for _ in range(12)]
        answers = [call.result() for call in calls]
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert len(admin.get("/v1/uploads").json()["data"]) == 1


def test_what_failed_is_not_remembered(org: api_world.Organisation, admin: httpx.Client) -> None:
    """The zone is made after the first try: the same key then succeeds."""
    asset = org.asset()
    org.rendition(asset)
    wanted = {"asset_id": asset.id, "zone": "open"}
    refused = post(admin, "/v1/publications", "k-1", wanted)
    assert (refused.status_code, refused.json()["code"]) == (404, "zone_not_found")
    org.zone()
    assert post(admin, "/v1/publications", "k-1", wanted).status_code == 201


def test_without_a_key_each_post_is_its_own(admin: httpx.Client) -> None:
    first, second = (admin.post("/v1/uploads", json=WANTED).json() for _ in range(2))
    assert first["id"] != second["id"]


def test_a_key_that_is_too_long_is_wrong(admin: httpx.Client) -> None:
    answer = post(admin, "/v1/uploads", "k" * 201, WANTED)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
