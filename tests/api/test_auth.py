"""Keys, roles, and the walls between organisations."""

from __future__ import annotations

import re
from typing import Any

import api_world
import httpx
import pytest

from api.auth import ROLES
from storage.catalogue import jobs, keys
from storage.schema import Job

UNKNOWN = "0" * 26
SHA256 = "0" * 64

# Who may what: the table that docs/errors.md shows to people.
ALLOWED = {
    "GET /v1/assets": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x": {"admin", "uploader", "publisher"},
    "PATCH /v1/assets/ast_x": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/source": {"admin", "uploader"},
    "GET /v1/assets/ast_x/renditions": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/posters": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/storyboard": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/waveform": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/packages": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/packages/pkg_x/files": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/playback": {"admin", "uploader", "publisher"},
    "GET /v1/assets/ast_x/jobs": {"admin", "uploader", "publisher"},
    "POST /v1/assets/ast_x/jobs": {"admin", "uploader"},
    "GET /v1/uploads": {"admin", "uploader", "publisher"},
    "POST /v1/uploads": {"admin", "uploader"},
    "GET /v1/uploads/upl_x": {"admin", "uploader", "publisher"},
    "DELETE /v1/uploads/upl_x": {"admin", "uploader"},
    "GET /v1/uploads/upl_x/parts": {"admin", "uploader"},
    "POST /v1/uploads/upl_x/parts": {"admin", "uploader"},
    "POST /v1/uploads/upl_x/complete": {"admin", "uploader"},
    "GET /v1/jobs": {"admin", "uploader", "publisher"},
    "GET /v1/jobs/job_x": {"admin", "uploader", "publisher"},
    "GET /v1/jobs/job_x/steps": {"admin", "uploader", "publisher"},
    "POST /v1/jobs/job_x/cancel": {"admin", "uploader"},
    "POST /v1/jobs/job_x/retry": {"admin", "uploader"},
    "GET /v1/renditions/ren_x": {"admin", "uploader", "publisher"},
    "GET /v1/renditions/ren_x/download": {"admin", "uploader", "publisher"},
    "GET /v1/profiles": {"admin", "uploader", "publisher", "centre"},
    "GET /v1/profiles/x": {"admin", "uploader", "publisher", "centre"},
    "POST /v1/profiles": {"admin"},
    "DELETE /v1/profiles/x": {"admin"},
    "GET /v1/ladders": {"admin", "uploader", "publisher", "centre"},
    "GET /v1/zones": {"admin", "uploader", "publisher", "centre"},
    "GET /v1/zones/x": {"admin", "uploader", "publisher", "centre"},
    "POST /v1/zones": {"admin"},
    "PATCH /v1/zones/x": {"admin"},
    "GET /v1/publications": {"admin", "uploader", "publisher"},
    "POST /v1/publications": {"admin", "publisher"},
    "GET /v1/publications/pub_x": {"admin", "uploader", "publisher"},
    "POST /v1/publications/pub_x/withdraw": {"admin", "publisher"},
    "GET /v1/centres/foshan/feed": {"admin", "centre"},
    "POST /v1/centres/foshan/receipts": {"admin", "centre"},
    "GET /v1/events": {"admin", "uploader", "publisher"},
    "POST /v1/organisations": {"admin"},
    "GET /v1/api-keys": {"admin"},
    "POST /v1/api-keys": {"admin"},
    "DELETE /v1/api-keys/key_x": {"admin"},
}
OPEN = {"/health/live", "/health/ready"}  # and the signed URLs, which carry their own right


def test_the_table_covers_every_operation(api: api_world.Running) -> None:
    """A new route without a line in the table fails here."""
    document = api.app.openapi()
    operations = {
        f"{method.upper()} {_example(path)}"
        for path, methods in document["paths"].items()
        for method in methods
        if path not in OPEN and not path.startswith(("/store/", "/v1/playback/"))
    }
    assert operations == set(ALLOWED)


def _example(path: str) -> str:
    """A path with each parameter filled in, as the table writes it."""
    nouns = {"asset": "ast", "upload": "upl", "job": "job", "rendition": "ren"}
    nouns |= {"publication": "pub", "key": "key", "package": "pkg"}
    path = path.replace("/centres/{name}", "/centres/foshan").replace("{name}", "x")
    return re.sub(r"{(\w+)_id}", lambda match: f"{nouns[match[1]]}_x", path)


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_exactly_what_the_table_says(org: api_world.Organisation, role: str) -> None:
    """403 with the roles that may; anything else means that the door was open."""
    client = org.client(role)
    for operation, allowed in ALLOWED.items():
        method, path = operation.split()
        answer = client.request(method, path)
        if role in allowed:
            assert answer.status_code not in {401, 403}, (operation, answer.text)
        else:
            assert answer.status_code == 403, (operation, answer.text)
            assert answer.json()["code"] == "forbidden"
            assert all(f"'{name}'" in answer.json()["detail"] for name in allowed)


@pytest.mark.parametrize("operation", ALLOWED)
def test_nothing_answers_without_a_key(anonymous: httpx.Client, operation: str) -> None:
    method, path = operation.split()
    answer = anonymous.request(method, path)
    assert answer.status_code == 401
    assert answer.json()["code"] == "api_key_missing"
    assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(
    "header", ["Bearer kpk_wrong", "Bearer", "Basic YTpi", "Bearer \xff", "kpk_x", "Bearer a b"]
)
def test_a_bad_key_is_a_401(anonymous: httpx.Client, header: str) -> None:
    sent = {b"Authorization": header.encode("latin-1")}
    answer = anonymous.get("/v1/assets", headers=sent)
    assert answer.status_code == 401
    assert answer.json()["code"] in {"api_key_missing", "api_key_invalid"}


def test_a_revoked_key_opens_nothing_any_more(org: api_world.Organisation) -> None:
    admin, uploader = org.client("admin"), org.client("uploader")
    listed = {key["role"]: key for key in admin.get("/v1/api-keys").json()["data"]}
    assert uploader.get("/v1/assets").status_code == 200
    revoked = admin.delete(f"/v1/api-keys/{listed['uploader']['id']}").json()
    assert revoked["revoked_at"] is not None
    answer = uploader.get("/v1/assets")
    assert (answer.status_code, answer.json()["code"]) == (401, "api_key_invalid")


def test_the_last_admin_key_stays(org: api_world.Organisation, admin: httpx.Client) -> None:
    """Whoever revokes it would lock the organisation for good."""
    (own,) = admin.get("/v1/api-keys").json()["data"]
    answer = admin.delete(f"/v1/api-keys/{own['id']}")
    assert (answer.status_code, answer.json()["code"]) == (409, "last_admin_key")
    assert "kapok key create" in answer.json()["detail"]
    second = org.client("admin", "second")
    assert second.delete(f"/v1/api-keys/{own['id']}").status_code == 200
    assert admin.get("/v1/assets").status_code == 401


@pytest.mark.parametrize("name", ["a/b", "..", "two words", "佛山", "Foshan", "-x", "x" * 101])
def test_a_centre_needs_a_name_that_its_urls_can_carry(admin: httpx.Client, name: str) -> None:
    """Any other key may be called anything."""
    answer = admin.post("/v1/api-keys", json={"name": name, "role": "centre"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    (wrong,) = answer.json()["errors"]
    assert wrong["pointer"] == "#/name"
    assert "a centre's name" in wrong["detail"]
    made = admin.post("/v1/api-keys", json={"name": name, "role": "uploader"})
    assert made.status_code == 201


def test_a_feed_of_a_centre_that_cannot_be_is_refused(admin: httpx.Client) -> None:
    answer = admin.get("/v1/centres/two%20words/feed")
    assert (answer.status_code, answer.json()["errors"][0]["parameter"]) == (422, "name")


def test_only_a_hash_of_a_key_is_stored(
    api: api_world.Running, org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Not in the keys, not in an event, not in the answer kept for an Idempotency-Key."""
    wanted = {"name": "佛山", "role": "uploader"}
    headers = {"Idempotency-Key": "k-1"}
    secret = admin.post("/v1/api-keys", json=wanted, headers=headers).json()["secret"]
    assert secret.startswith("kpk_")
    again = admin.post("/v1/api-keys", json=wanted, headers=headers).json()
    assert again["secret"] is None
    assert len(admin.get("/v1/api-keys").json()["data"]) == 2
    with api.database.read() as session:
        found = keys.find_key(session, secret)
        assert found is not None
        assert (found.id, found.name) == (again["id"], "佛山")
    stored = (api.settings.data / "kapok.db").read_bytes()
    stored += (api.settings.data / "kapok.db-wal").read_bytes()
    assert secret.encode() not in stored
    assert found.key_sha256.encode() in stored


def masked(answer: httpx.Response, *ids: str) -> dict[str, Any]:
    """The body without what must differ: the ids that were asked for and the request's own."""
    body: dict[str, Any] = answer.json()
    for one in ids:
        body["detail"] = body["detail"].replace(one, "ID")
    return {**body, "request_id": None}


def test_what_belongs_to_others_is_answered_like_what_is_not_there(
    org: api_world.Organisation, other_org: api_world.Organisation
) -> None:
    """Status and body are the same for another organisation's id and for one that never was."""
    asset = other_org.asset()
    rendition = other_org.rendition(asset)
    other_org.package(asset, {"master.m3u8": b"#EXTM3U\n"})
    other_org.zone()
    theirs = other_org.client()
    published = {"asset_id": asset.id, "zone": "open"}
    publication = theirs.post("/v1/publications", json=published).json()["id"]
    wanted = {"title": "t", "file_name": "f", "size_bytes": 10}
    upload = theirs.post("/v1/uploads", json=wanted).json()["id"]
    key = theirs.get("/v1/api-keys").json()["data"][0]["id"]
    ids = {
        "ast": asset.id,
        "ren": rendition.id,
        "pub": publication,
        "upl": upload,
        "job": other_org.job_of(asset).id,
        "key": key,
    }
    bodies: dict[str, Any] = {
        "PATCH /v1/assets/ast_x": {"title": "mine"},
        "POST /v1/uploads/upl_x/parts": {"numbers": [1]},
        "POST /v1/assets/ast_x/jobs": {"profiles": ["mobile-540p"]},
    }
    mine = org.client()
    tried = 0
    for operation in ALLOWED:
        found = re.search(r"/(\w{3})_x", operation)
        if found is None:
            continue
        method, path = operation.split()
        foreign, missing = ids[found[1]], f"{found[1]}_{UNKNOWN}"
        body = bodies.get(operation)
        sent = [
            mine.request(method, path.replace(f"{found[1]}_x", one), json=body)
            for one in (foreign, missing)
        ]
        assert sent[0].status_code == 404, (operation, sent[0].text)
        assert sent[0].json()["code"] != "route_not_found", operation
        assert masked(sent[0], foreign) == masked(sent[1], missing), operation
        tried += 1
    assert tried == 26
    assert theirs.get(f"/v1/assets/{asset.id}").json()["title"] == "岭南春早"


def test_ids_in_bodies_do_not_cross_organisations_either(
    org: api_world.Organisation, other_org: api_world.Organisation
) -> None:
    asset = other_org.asset()
    other_org.rendition(asset)
    other_org.zone()
    org.zone()
    published = {"asset_id": asset.id, "zone": "open"}
    publication = other_org.client().post("/v1/publications", json=published).json()["id"]
    mine = org.client()
    answer = mine.post("/v1/publications", json=published)
    assert (answer.status_code, answer.json()["code"]) == (404, "asset_not_found")
    receipt = {
        "publication_id": publication,
        "files": [{"path": "mobile-540p.mp4", "sha256": SHA256}],
    }
    answer = mine.post("/v1/centres/foshan/receipts", json=receipt)
    assert (answer.status_code, answer.json()["code"]) == (404, "publication_not_found")
    assert mine.get("/v1/assets").json()["data"] == []
    assert mine.get("/v1/centres/foshan/feed").json()["data"] == []


def test_a_zone_can_only_be_named_by_who_may_publish(org: api_world.Organisation) -> None:
    """A job that ends in a zone publishes by itself, so an uploader may not ask for it."""
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, "zone": "uhd-4k"}
    refused = org.client("uploader").post("/v1/uploads", json=wanted)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert org.client("admin").post("/v1/uploads", json=wanted).status_code == 201


def failed_job(org: api_world.Organisation, request: dict[str, Any]) -> str:
    """The path that retries a job of that request, which has failed."""
    job = org.job_of(org.asset(request=request))
    with org.running.database.begin() as session:
        session.get_one(Job, job.id).state = "failed"
        for step in jobs.job_steps(session, job.id):
            step.state = "failed"
    return f"/v1/jobs/{job.id}/retry"


def test_a_job_that_ends_in_a_zone_is_retried_only_by_who_may_publish(
    org: api_world.Organisation,
) -> None:
    """Else an uploader would publish by retrying what an admin had asked for."""
    published, kept = failed_job(org, {"zone": "uhd-4k"}), failed_job(org, {})
    refused = org.client("uploader").post(published)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert "may not publish" in refused.json()["detail"]
    assert org.client("admin").post(published).status_code == 202
    assert org.client("uploader").post(kept).status_code == 202


def test_an_upload_for_a_zone_is_filled_only_by_who_may_publish(
    org: api_world.Organisation,
) -> None:
    """Else an uploader would publish its own bytes by an upload that an admin began."""
    admin, uploader, publisher = (org.client(role) for role in ("admin", "uploader", "publisher"))
    org.zone()
    content = b"somebody's own bytes"
    wanted = {"title": "t", "file_name": "a.mxf", "size_bytes": len(content), "zone": "open"}
    path = f"/v1/uploads/{admin.post('/v1/uploads', json=wanted).json()['id']}"
    for refused in (
        uploader.post(f"{path}/parts", json={"numbers": [1]}),
        uploader.post(f"{path}/complete", json={}),
        publisher.post(f"{path}/complete", json={}),
    ):
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    (part,) = admin.post(f"{path}/parts", json={"numbers": [1]}).json()["parts"]
    assert httpx.put(part["url"], content=content).status_code == 200
    assert admin.post(f"{path}/complete", json={}).status_code == 202


def test_only_the_first_organisation_makes_others(tmp_path: Any) -> None:
    """The first admin key belongs to the installation; an admin of a tenant makes no tenants."""
    with api_world.local_api(tmp_path) as running:
        with running.database.begin() as session:
            first = keys.ensure_first_admin(session)
        operator = httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {first}"})
        made = operator.post("/v1/organisations", json={"name": "佛山"})
        assert made.status_code == 201
        tenant = {"Authorization": f"Bearer {made.json()['admin_key']['secret']}"}
        zones = httpx.get(f"{running.url}/v1/zones", headers=tenant).json()["data"]
        assert "uhd-4k" in {zone["name"] for zone in zones}
        again = operator.post("/v1/organisations", json={"name": "佛山"})
        assert (again.status_code, again.json()["code"]) == (409, "name_taken")
        url = f"{running.url}/v1/organisations"
        refused = httpx.post(url, json={"name": "x"}, headers=tenant)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        operator.close()


def test_an_organisation_whose_keys_were_lost_is_entered_by_another_one(tmp_path: Any) -> None:
    """The answer with its first secret may be lost; an admin of a tenant makes keys of no other."""
    with api_world.local_api(tmp_path) as running:
        with running.database.begin() as session:
            first = keys.ensure_first_admin(session)
        url = f"{running.url}/v1/api-keys"
        operator = httpx.Client(headers={"Authorization": f"Bearer {first}"})
        operator.post(f"{running.url}/v1/organisations", json={"name": "佛山"})
        wanted = {"name": "second", "role": "admin", "organisation": "佛山"}
        tenant = {"Authorization": f"Bearer {operator.post(url, json=wanted).json()['secret']}"}
        listed = httpx.get(url, headers=tenant).json()["data"]
        assert [one["name"] for one in listed] == ["admin", "second"]
        for name, sender, code in (
            ("default", tenant, "forbidden"),
            ("佛山", tenant, "forbidden"),
            ("none", dict(operator.headers), "organisation_not_found"),
        ):
            refused = httpx.post(url, json={**wanted, "organisation": name}, headers=sender)
            assert refused.json()["code"] == code
        operator.close()
