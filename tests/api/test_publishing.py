"""Zones, publications, and what centres pull and prove."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import api_world
import httpx
import pytest

from storage import schema
from storage.catalogue import jobs


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    body: dict[str, Any] = answer.json()
    return body


def publish(org: api_world.Organisation, content: bytes = b"rendition", zone: str = "open") -> str:
    """A publication of a new asset with one rendition; returns its id."""
    asset = org.asset()
    org.rendition(asset, content)
    wanted = {"asset_id": asset.id, "zone": zone}
    answer = org.client().post("/v1/publications", json=wanted)
    assert answer.status_code == 201, answer.text
    publication_id: str = answer.json()["id"]
    return publication_id


def test_a_publication_lists_exact_files(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    """In the answer and in the manifest in the store, which does not name the store's keys."""
    org.zone()
    asset = org.asset()
    rendition = org.rendition(asset)
    answer = admin.post("/v1/publications", json={"asset_id": asset.id, "zone": "open"})
    assert answer.status_code == 201
    publication = answer.json()
    assert answer.headers["location"] == f"/v1/publications/{publication['id']}"
    expected = {
        "rendition_id": rendition.id,
        "profile": "mobile-540p",
        "path": "mobile-540p.mp4",
        "sha256": rendition.sha256,
        "size_bytes": 9,
    }
    assert publication["files"] == [expected]
    manifest = anonymous.get(publication["manifest"]["url"]).json()
    assert manifest == {"asset_id": asset.id, "zone": "open", "files": [expected]}
    shown = admin.get(f"/v1/publications/{publication['id']}").json()
    assert (shown["state"], shown["files"]) == ("published", [expected])
    (listed,) = admin.get("/v1/publications", params={"asset_id": asset.id}).json()["data"]
    assert listed["id"] == publication["id"]
    wanted = {"asset_id": asset.id, "zone": "open"}
    refused(admin.post("/v1/publications", json=wanted), 409, "already_published")
    replacing = admin.post("/v1/publications", json={**wanted, "replace": True})
    assert replacing.json()["state"] == "published"
    former = admin.get(f"/v1/publications/{publication['id']}").json()
    assert former["state"] == "withdrawn"
    for state, one in (("published", replacing.json()), ("withdrawn", former)):
        (only,) = admin.get("/v1/publications", params={"state": state}).json()["data"]
        assert only["id"] == one["id"]
    refused(admin.get("/v1/publications", params={"state": "gone"}), 422, "invalid_request")


def test_a_store_that_hangs_while_something_is_published_stops_nobody_else(
    org: api_world.Organisation, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite has one writer: leases would run out behind it, and encodes be done again."""
    org.zone()
    asset = org.asset()
    org.rendition(asset)
    hangs, goes_on = threading.Event(), threading.Event()
    put = org.running.objects.put_bytes

    def put_slowly(content: bytes, key: str) -> None:
        hangs.set()
        assert goes_on.wait(60)
        put(content, key)

    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(org.running.objects, "put_bytes", put_slowly)
        wanted = {"asset_id": asset.id, "zone": "open"}
        published = pool.submit(admin.post, "/v1/publications", json=wanted)
        try:
            assert hangs.wait(30)
            zone = {"name": "beside", "title": "Beside"}
            assert org.client("admin", "b").post("/v1/zones", json=zone).status_code == 201
        finally:
            goes_on.set()
        assert published.result(60).status_code == 201


def test_what_changes_while_the_store_is_asked_is_not_published(
    org: api_world.Organisation, admin: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older draft would take the place of what somebody else published of a newer job."""
    org.zone()
    asset = org.asset()
    org.rendition(asset, b"wrong colours")
    asked, goes_on = threading.Event(), threading.Event()
    stat = org.running.objects.stat

    def stat_slowly(key: str) -> Any:
        asked.set()
        assert goes_on.wait(60)
        return stat(key)

    wanted = {"asset_id": asset.id, "zone": "open", "replace": True}
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(org.running.objects, "stat", stat_slowly)
        published = pool.submit(admin.post, "/v1/publications", json=wanted)
        try:
            assert asked.wait(30)
            monkeypatch.setattr(org.running.objects, "stat", stat)
            with org.running.database.begin() as session:
                there = session.get_one(schema.Asset, asset.id)
                jobs.create_job(
                    session,
                    organisation_id=org.id,
                    upload=None,
                    asset=there,
                    request={},
                    actor="key_test",
                )
            newer = org.rendition(asset, b"right colours")
            newest = org.client("admin", "b").post("/v1/publications", json=wanted)
        finally:
            goes_on.set()
        problem = refused(published.result(60), 409, "draft_changed")
    assert problem["retryable"] is True
    publication = admin.get(f"/v1/publications/{newest.json()['id']}").json()
    (file,) = publication["files"]
    assert (publication["state"], file["rendition_id"]) == ("published", newer.id)


def test_what_is_stored_for_a_publication_that_fails_is_left_to_the_sweeper(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """A repeated request stores nothing; one that is refused leaves a manifest to be found."""
    org.zone()
    asset = org.asset()
    org.rendition(asset)
    objects, prefix = org.running.objects, f"assets/{asset.id}/publications/"
    with org.running.database.begin() as session:
        jobs.mark_tidied(session, org.job_of(asset).id)
    wanted, again = {"asset_id": asset.id, "zone": "open"}, {"Idempotency-Key": "again"}
    first = admin.post("/v1/publications", json=wanted, headers=again)
    assert admin.post("/v1/publications", json=wanted, headers=again).content == first.content
    assert len(list(objects.list_prefix(prefix))) == 1
    refused(admin.post("/v1/publications", json=wanted), 409, "already_published")
    assert len(list(objects.list_prefix(prefix))) == 2
    assert org.job_of(asset).tidied_at is None


def test_a_closed_gate_gives_every_reason_in_both_languages(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    asset = org.asset()
    org.rendition(asset)
    wanted = {"asset_id": asset.id, "zone": "uhd-4k"}
    body = refused(admin.post("/v1/publications", json=wanted), 409, "gate_closed")
    (reason,) = body["errors"]
    assert reason["code"] == "profile_missing"
    assert "cn4k-hevc-hlg" in reason["detail"]
    headers = {"Accept-Language": "zh-CN"}
    body = refused(admin.post("/v1/publications", json=wanted, headers=headers), 409, "gate_closed")
    assert "请先转码" in body["errors"][0]["detail"]
    assert body["title"] == "专区准入条件未满足"
    assert admin.get("/v1/publications").json()["data"] == []


def test_what_is_gone_from_the_store_is_not_published(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """No centre could pull it; the publication that works is not withdrawn for it."""
    org.zone()
    asset = org.asset()
    rendition = org.rendition(asset, b"whole")
    wanted = {"asset_id": asset.id, "zone": "open"}
    former = admin.post("/v1/publications", json=wanted).json()["id"]
    objects, key = org.running.objects, str(rendition.key)
    for left in (None, b"who"):
        objects.delete(key)
        if left is not None:
            objects.put_bytes(left, key)
        replacing = admin.post("/v1/publications", json={**wanted, "replace": True})
        (reason,) = refused(replacing, 409, "gate_closed")["errors"]
        assert reason["code"] == "file_missing"
        assert "mobile-540p.mp4 of mobile-540p" in reason["detail"]
    assert admin.get(f"/v1/publications/{former}").json()["state"] == "published"
    objects.delete(key)
    objects.put_bytes(b"whole", key)
    replacing = admin.post("/v1/publications", json={**wanted, "replace": True})
    assert replacing.status_code == 201


def test_a_centre_pulls_what_is_new_and_proves_it(
    org: api_world.Organisation, anonymous: httpx.Client
) -> None:
    """From the start, then from its cursor; each file by a signed URL with Range and a hash."""
    org.zone()
    centre = org.client("centre", "foshan")
    first = publish(org, b"first")
    feed = centre.get("/v1/centres/foshan/feed").json()
    (entry,) = feed["data"]
    assert (entry["publication_id"], entry["zone"], entry["title"]) == (first, "open", "岭南春早")
    (file,) = entry["files"]
    answer = anonymous.get(file["url"], headers={"Range": "bytes=1-"})
    assert (answer.status_code, answer.content) == (206, b"irst")
    assert file["sha256"] == api_world.sha256(b"first")

    second = publish(org, b"second")
    since = {"since": feed["next_cursor"]}
    (newer,) = centre.get("/v1/centres/foshan/feed", params=since).json()["data"]
    assert newer["publication_id"] == second
    receipt = {
        "publication_id": first,
        "files": [{"path": file["path"], "sha256": file["sha256"].upper()}],
    }
    recorded = centre.post("/v1/centres/foshan/receipts", json=receipt)
    assert recorded.status_code == 201
    assert recorded.json()["centre"] == "foshan"
    assert recorded.json()["files"] == [{"path": file["path"], "sha256": file["sha256"]}]


def test_a_receipt_must_agree_with_what_was_published(org: api_world.Organisation) -> None:
    org.zone()
    publication = publish(org)
    centre = org.client("centre", "foshan")
    for path, digest in [("mobile-540p.mp4", "0" * 64), ("other.mp4", api_world.sha256(b"x"))]:
        receipt = {"publication_id": publication, "files": [{"path": path, "sha256": digest}]}
        answer = centre.post("/v1/centres/foshan/receipts", json=receipt)
        refused(answer, 409, "receipt_mismatch")
    file = {"path": "mobile-540p.mp4", "sha256": api_world.sha256(b"rendition")}
    twice = {"publication_id": publication, "files": [file, file]}
    answer = refused(centre.post("/v1/centres/foshan/receipts", json=twice), 422, "invalid_request")
    assert "named 2 times" in answer["errors"][0]["detail"]


def test_a_job_for_a_zone_that_it_could_not_enter_is_not_accepted(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Where the asset is there already, or the zone takes none of its profiles: hours later it
    would fail at its last step.
    """
    org.zone(required_profiles=["mobile-540p"])
    asset = org.asset()
    path, wanted = f"/v1/assets/{asset.id}/jobs", {"profiles": ["mobile-720p"], "zone": "open"}
    upload = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, "zone": "open"}
    body = refused(admin.post(path, json=wanted), 409, "gate_closed")
    assert body["errors"][0]["code"] == "profile_missing"
    body = refused(admin.post("/v1/uploads", json={**upload, **wanted}), 409, "gate_closed")
    assert admin.post("/v1/uploads", json=upload).status_code == 201  # the default ladder has it
    org.rendition(asset)  # in mobile-540p
    assert admin.post(path, json=wanted).status_code == 202
    with org.running.database.begin() as session:
        jobs.request_cancel(session, org.job_of(asset), "key_test")
    published = {"asset_id": asset.id, "zone": "open"}
    assert admin.post("/v1/publications", json=published).status_code == 201
    body = refused(admin.post(path, json=wanted), 409, "already_published")
    assert "`replace`" in body["detail"]
    again = admin.post(path, json={**wanted, "replace": True})
    assert (again.status_code, again.json()["request"]["replace"]) == (202, True)
    nowhere = admin.post(path, json={"profiles": wanted["profiles"], "replace": True})
    assert nowhere.status_code == 422
    assert "replace needs a zone" in nowhere.text


def test_a_feed_is_read_page_by_page(org: api_world.Organisation) -> None:
    """Oldest first; `has_more` says to go on at once."""
    org.zone()
    made = [publish(org) for _ in range(3)]
    centre = org.client("centre", "foshan")
    first = centre.get("/v1/centres/foshan/feed", params={"limit": 2}).json()
    assert first["has_more"] is True
    params = {"limit": 2, "since": first["next_cursor"]}
    second = centre.get("/v1/centres/foshan/feed", params=params).json()
    assert second["has_more"] is False
    params = {"limit": 1, "since": first["data"][0]["cursor"]}
    assert centre.get("/v1/centres/foshan/feed", params=params).json()["data"] == first["data"][1:]
    pages = [*first["data"], *second["data"]]
    assert [entry["publication_id"] for entry in pages] == made
    nothing = centre.get("/v1/centres/foshan/feed", params={"since": second["next_cursor"]}).json()
    where = {"organisation_id": org.id, "next_cursor": second["next_cursor"]}
    assert nothing == {**where, "data": [], "has_more": False}


def test_a_feeds_cursor_from_before_a_restore_is_refused(org: api_world.Organisation) -> None:
    """With the way out, where an empty page would hide what is published from now on."""
    org.zone()
    publish(org)
    centre = org.client("centre", "foshan")
    body = refused(
        centre.get("/v1/centres/foshan/feed", params={"since": "5000000"}), 400, "invalid_cursor"
    )
    assert "kapok pull --since 0" in body["detail"]


def test_a_withdrawal_reaches_the_feed_and_takes_the_files_away(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    org.zone()
    publication = publish(org)
    centre = org.client("centre", "foshan")
    cursor = centre.get("/v1/centres/foshan/feed").json()["next_cursor"]
    path = f"/v1/publications/{publication}/withdraw"
    assert admin.post(path).json()["state"] == "withdrawn"
    refused(admin.post(path), 409, "not_published")
    (entry,) = centre.get("/v1/centres/foshan/feed", params={"since": cursor}).json()["data"]
    assert (entry["state"], entry["files"]) == ("withdrawn", [])
    assert entry["withdrawn_at"] is not None


def test_a_centre_sees_its_own_feed_and_zones_only(org: api_world.Organisation) -> None:
    """A key is bound to its centre; a zone may be closed to it, in the feed and for receipts."""
    org.zone("open")
    org.zone("for-zhuhai", centres=["zhuhai"])
    closed = publish(org, zone="for-zhuhai")
    org.zone("for-two", centres=["zhuhai", "foshan"])
    foshan = org.client("centre", "foshan")
    seen = {zone["name"]: zone["centres"] for zone in foshan.get("/v1/zones").json()["data"]}
    assert (seen["open"], seen["for-two"]) == (None, ["foshan"])
    assert "for-zhuhai" not in seen
    body = refused(foshan.get("/v1/zones/for-zhuhai"), 404, "zone_not_found")
    assert "for-zhuhai" not in body["detail"].partition("choose")[2]
    assert foshan.get("/v1/zones/for-two").json()["centres"] == ["foshan"]
    whole = org.client().get("/v1/zones/for-two").json()
    assert whole["centres"] == ["zhuhai", "foshan"]
    refused(foshan.get("/v1/centres/zhuhai/feed"), 403, "forbidden")
    assert foshan.get("/v1/centres/foshan/feed").json()["data"] == []
    receipt = {
        "publication_id": closed,
        "files": [{"path": "mobile-540p.mp4", "sha256": api_world.sha256(b"rendition")}],
    }
    answer = foshan.post("/v1/centres/foshan/receipts", json=receipt)
    refused(answer, 404, "publication_not_found")
    zhuhai = org.client("centre", "zhuhai")
    assert len(zhuhai.get("/v1/centres/zhuhai/feed").json()["data"]) == 1
    assert zhuhai.post("/v1/centres/zhuhai/receipts", json=receipt).status_code == 201
    assert len(org.client().get("/v1/centres/zhuhai/feed").json()["data"]) == 1


def test_a_zone_is_made_once_with_profiles_that_exist(admin: httpx.Client) -> None:
    wanted = {"name": "channel-1", "title": "频道", "required_profiles": ["hd-avc-sdr"]}
    made = admin.post("/v1/zones", json=wanted)
    assert made.status_code == 201
    assert admin.get(made.headers["location"]).json() == made.json()
    refused(admin.post("/v1/zones", json=wanted), 409, "name_taken")
    unknown = {**wanted, "name": "x", "required_profiles": ["betamax"]}
    refused(admin.post("/v1/zones", json=unknown), 422, "unknown_profile")
    spaced = {**wanted, "name": "Channel 1"}
    refused(admin.post("/v1/zones", json=spaced), 422, "invalid_request")


def test_a_zone_can_take_another_centre(org: api_world.Organisation, admin: httpx.Client) -> None:
    """Who is added sees what is published after its cursor, and what was there before by `since` 0,
    once; who is taken off sees nothing.
    """
    org.zone("four", centres=["zhuhai"])
    org.zone("five", centres=["foshan"])
    publication = publish(org, zone="four")
    earlier = publish(org, zone="five")
    foshan, zhuhai = (org.client("centre", name) for name in ("foshan", "zhuhai"))

    def seen(client: httpx.Client, centre: str, since: str = "0") -> list[str]:
        entries = client.get(f"/v1/centres/{centre}/feed", params={"since": since}).json()["data"]
        return [entry["publication_id"] for entry in entries]

    assert (seen(foshan, "foshan"), seen(zhuhai, "zhuhai")) == ([earlier], [publication])
    cursor = foshan.get("/v1/centres/foshan/feed").json()["next_cursor"]
    answer = admin.patch("/v1/zones/four", json={"centres": ["foshan"]})
    assert (answer.status_code, answer.json()["centres"]) == (200, ["foshan"])
    assert seen(foshan, "foshan", cursor) == []
    assert (seen(foshan, "foshan"), seen(zhuhai, "zhuhai")) == ([publication, earlier], [])
    later = publish(org, zone="four")
    assert seen(foshan, "foshan", cursor) == [later]
    paths = admin.get("/openapi.json").json()["paths"]
    assert "`since` 0" in paths["/v1/zones/{name}"]["patch"]["description"]
    assert admin.get(f"/v1/publications/{publication}").json()["state"] == "published"
    assert admin.patch("/v1/zones/four", json={"centres": None}).json()["centres"] is None
    assert seen(zhuhai, "zhuhai") == [publication, later]


def test_only_what_is_given_of_a_zone_changes(
    org: api_world.Organisation, other_org: api_world.Organisation, admin: httpx.Client
) -> None:
    """An admin's edit is an event; nobody else's, and no field that is wrong, changes anything."""
    zone, path = org.zone("four", centres=["zhuhai"]), "/v1/zones/four"
    edited = admin.patch(path, json={"title": "四频道", "required_profiles": ["hd-avc-sdr"]}).json()
    assert (edited["title"], edited["required_profiles"]) == ("四频道", ["hd-avc-sdr"])
    assert edited["centres"] == ["zhuhai"]
    asset = org.asset()
    org.rendition(asset)  # in mobile-540p
    wanted = {"asset_id": asset.id, "zone": "four"}
    refused(admin.post("/v1/publications", json=wanted), 409, "gate_closed")
    for nothing in ({}, {"title": None, "required_profiles": None}):
        assert admin.patch(path, json=nothing).json() == edited
    refused(admin.patch(path, json={"required_profiles": ["betamax"]}), 422, "unknown_profile")
    refused(admin.patch(path, json={"name": "five"}), 422, "invalid_request")
    refused(org.client("publisher").patch(path, json={"title": "x"}), 403, "forbidden")
    refused(other_org.client().patch(path, json={"title": "x"}), 404, "zone_not_found")
    assert admin.get(path).json() == edited
    told = admin.get("/v1/events", params={"limit": 1000}).json()["data"]
    (event,) = [event for event in told if event["type"] == "zone.edited"]
    payload = {name: edited[name] for name in ("name", "title", "required_profiles", "centres")}
    assert (event["subject"], event["payload"]) == (zone.id, payload)
