"""The documentation works on a closed network, and says what the API really does."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import api_world
import httpx
import pytest

from api import answers
from api.errors import TABLE
from api.models.events import Event

OUTSIDE = re.compile(r"""(?:src|href|url)\s*[=:(]\s*["']?\s*(?:https?:)?//""", re.IGNORECASE)


@pytest.fixture
def document(anonymous: httpx.Client) -> dict[str, Any]:
    found: dict[str, Any] = anonymous.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


@pytest.mark.parametrize("page", ["/docs", "/docs/errors"])
def test_no_page_needs_anything_from_outside(anonymous: httpx.Client, page: str) -> None:
    """Every script, style and icon is served by the API itself."""
    answer = anonymous.get(page)
    assert answer.headers["content-type"].startswith("text/html")
    assert not OUTSIDE.search(answer.text)
    for asset in re.findall(r'(?:src|href)="([^"]+)"', answer.text):
        served = anonymous.get(urljoin(page, asset))
        assert served.status_code == 200, asset
        assert len(served.content) > 100


@pytest.mark.parametrize("page", ["/docs", "/docs/errors"])
def test_no_page_may_be_framed_or_run_scripts_of_others(anonymous: httpx.Client, page: str) -> None:
    """Somebody enters an admin's key in one of them: it is not kept, and goes to this API alone."""
    answer = anonymous.get(page)
    policy = {
        part.split(" ")[0]: part.split(" ")[1:]
        for part in answer.headers["content-security-policy"].split("; ")
    }
    for directive in ("default-src", "base-uri", "form-action", "frame-ancestors"):
        assert policy[directive] == ["'none'"]
    assert {"'unsafe-inline'", "'unsafe-eval'"}.isdisjoint(policy.get("script-src", ()))
    assert policy.get("connect-src", ["'self'"]) == ["'self'"]
    assert "persistAuthorization" not in answer.text


def test_the_style_sheet_needs_nothing_from_outside(anonymous: httpx.Client) -> None:
    assert not OUTSIDE.search(anonymous.get("/docs/assets/swagger-ui.css").text)


def test_the_pages_come_from_a_swagger_ui_that_reads_openapi_3_1(
    anonymous: httpx.Client, document: dict[str, Any]
) -> None:
    bundle = anonymous.get("/docs/assets/swagger-ui-bundle.js").text
    found = re.search(r'PACKAGE_VERSION:"(\d+)\.', bundle)
    assert found is not None
    assert int(found[1]) >= 5
    assert document["openapi"].startswith("3.1")


def test_every_operation_is_described_and_says_how_it_refuses(document: dict[str, Any]) -> None:
    """A summary, a tag, and problem documents as the only refusal."""
    known = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document):
        assert set(operation["tags"]) <= known, name
        assert operation["summary"], name
        assert "default" in operation["responses"], name
        for status, answer in operation["responses"].items():
            assert "X-Request-Id" in answer["headers"], (name, status)
            if status == "default" or int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"], (name, status)
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_request_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    """So that "try it out" in the page begins with something that works."""
    import jsonschema

    for name, operation in operations(document):
        content = operation.get("requestBody", {}).get("content", {})
        if "application/json" in content:
            schema = content["application/json"]["schema"]
            reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
            model = document["components"]["schemas"][reference.rpartition("/")[2]]
            assert model.get("examples"), name
            for example in model["examples"]:
                jsonschema.validate(example, {**model, "components": document["components"]})


def test_what_is_listed_by_name_is_an_operation(document: dict[str, Any]) -> None:
    """The tables of `api/answers.py` name routes and codes that exist."""
    known = {name for name, _ in operations(document)}
    tables = (answers.ANY_ROLE, answers.LOCATION, answers.ETAG, answers.FILES, answers.REDIRECTS)
    tables += (answers.RAW_BODIES, answers.SIGNED, answers.NAMED, set(answers.OWN_CODES))
    for table in tables:
        assert table <= known
    codes = {code for codes in answers.OWN_CODES.values() for code in codes}
    codes |= {*answers.KEY_CODES, *answers.BODY_CODES, *answers.REPEAT_CODES}
    assert codes | set(answers.PATH_CODES.values()) <= set(TABLE)


def test_every_reference_of_the_document_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in re.findall(r'"#/([^"]+)"', json.dumps(document)):
        found: Any = document
        for step in reference.split("/"):
            found = found[step]
        assert found


def test_files_are_described_with_their_ranges(document: dict[str, Any]) -> None:
    """What a generated client needs to resume a download, to save it, and to send a part."""
    described = dict(operations(document))
    download = described["GET /store/objects/{key}"]
    assert {"200", "206", "304", "403", "404", "416"} <= set(download["responses"])
    assert "Content-Range" in download["responses"]["206"]["headers"]
    assert "Content-Range" in download["responses"]["416"]["headers"]
    taken = {one["name"] for one in download["parameters"]}
    assert taken == {"key", "expires", "signature", "file_name"} | {
        "range", "if-range", "if-none-match",
    }  # fmt: skip
    play = described["GET /v1/playback/{token}/{path}"]
    assert {"200", "206", "302", "304", "416"} <= set(play["responses"])
    part = described["PUT /store/parts/{upload_id}/{number}"]
    assert list(part["requestBody"]["content"]) == ["application/octet-stream"]
    assert "ETag" in part["responses"]["200"]["headers"]


def test_the_example_of_a_stream_is_an_event(document: dict[str, Any]) -> None:
    stream = document["paths"]["/v1/events"]["get"]["responses"]["200"]["content"]
    example = stream["text/event-stream"]["example"]
    (data,) = re.findall("^data: (.+)$", example, re.MULTILINE)
    event = Event.model_validate_json(data)
    assert example == f"id: {event.seq}\ndata: {data}\n\n"


@pytest.mark.parametrize(
    ("call", "operation", "code"),
    [
        ("GET /v1/assets/ast_x", "GET /v1/assets/{asset_id}", "asset_not_found"),
        ("GET /v1/assets?cursor=x", "GET /v1/assets", "invalid_cursor"),
        ("GET /v1/assets?limit=0", "GET /v1/assets", "invalid_request"),
        ("POST /v1/uploads", "POST /v1/uploads", "invalid_request"),
        ("GET /v1/profiles/x", "GET /v1/profiles/{name}", "unknown_profile"),
        ("GET /store/objects/x", "GET /store/objects/{key}", "invalid_signature"),
        (
            "GET /v1/playback/x/y",
            "GET /v1/playback/{token}/{path}",
            "invalid_signature",
        ),
        (
            "PUT /store/parts/x/y",
            "PUT /store/parts/{upload_id}/{number}",
            "invalid_request",
        ),
        ("POST /v1/jobs/job_x/retry", "POST /v1/jobs/{job_id}/retry", "job_not_found"),
    ],
)
def test_what_is_refused_is_described(
    admin: httpx.Client, document: dict[str, Any], call: str, operation: str, code: str
) -> None:
    """The real status of a real refusal, with its code."""
    method, path = call.split()
    answer = admin.request(method, path)
    assert answer.json()["code"] == code
    described = dict(operations(document))[operation]["responses"]
    assert f"`{code}`" in described[str(answer.status_code)]["description"]


def test_a_query_that_no_operation_declares_is_refused(
    admin: httpx.Client, anonymous: httpx.Client, document: dict[str, Any]
) -> None:
    """A slip in the name of a filter would answer with everything: with a key, and only then."""
    keyed = [name for name, operation in operations(document) if "security" in operation]
    assert len([name for name in keyed if name.startswith("GET ")]) > 20
    for name in keyed:
        method, path = name.split()
        path = re.sub(r"{\w+}", "x", path)
        answer = admin.request(method, path, params={"zzz": "1"})
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), name
        (wrong,) = answer.json()["errors"]
        assert wrong["parameter"] == "zzz", name
        assert anonymous.request(method, path, params={"zzz": "1"}).status_code == 401, name
    detail = admin.get("/v1/assets", params={"txt": "zzz"}).json()["detail"]
    assert "txt: there is no such parameter here, only text, state, created_after" in detail


def test_what_needs_no_key_takes_any_query(
    org: api_world.Organisation, admin: httpx.Client, anonymous: httpx.Client
) -> None:
    """Players and load balancers add what they like; the store's own URLs are bound as a whole."""
    asset = org.asset()
    org.package(asset, {"master.m3u8": b"#EXTM3U", "manifest.mpd": b"<MPD/>"})
    source = admin.get(f"/v1/assets/{asset.id}/source").json()["url"]
    hls = admin.get(f"/v1/assets/{asset.id}/playback").json()["hls"]
    assert anonymous.get(source).content == b"essence"
    assert anonymous.get(f"{source}&zzz=1").json()["code"] == "invalid_signature"
    for url in (hls, f"{hls}?zzz=1", "/health/live?zzz=1", "/docs?zzz=1"):
        assert anonymous.get(url).status_code == 200, url


SUBTITLES = [{"language": "zh", "file_name": "a.srt", "content": "bm9uZQ=="}]
STORE = {"store_unavailable", "store_refused", "disk_full"}


def test_what_subtitles_are_refused_for_is_described(
    org: api_world.Organisation, admin: httpx.Client, document: dict[str, Any]
) -> None:
    """Of an upload and of a job alike, really refused."""
    wish = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, "subtitles": SUBTITLES}
    job = {"profiles": ["mobile-540p"], "subtitles": SUBTITLES}
    path = f"/v1/assets/{org.asset().id}/jobs"
    for call, body, name in (
        ("/v1/uploads", wish, "POST /v1/uploads"),
        (path, job, "POST /v1/assets/{asset_id}/jobs"),
    ):
        answer = admin.post(call, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "unsupported_media")
        described = dict(operations(document))[name]["responses"]["422"]["description"]
        assert {"`unsupported_media`", "`limit_exceeded`"} <= set(re.findall(r"`\w+`", described))


@pytest.mark.parametrize(
    "name",
    [
        "POST /v1/uploads",
        "POST /v1/uploads/{upload_id}/parts",
        "GET /v1/uploads/{upload_id}/parts",
        "POST /v1/uploads/{upload_id}/complete",
        "POST /v1/assets/{asset_id}/jobs",
        "POST /v1/publications",
    ],
)
def test_what_asks_the_store_says_how_that_may_fail(document: dict[str, Any], name: str) -> None:
    """Whatever writes to it: it is away, it refuses, it is full."""
    answers = dict(operations(document))[name]["responses"].values()
    found = {code for one in answers for code in re.findall(r"`(\w+)`", one.get("description", ""))}
    assert found >= STORE


def test_every_code_is_explained_where_a_problem_points(anonymous: httpx.Client) -> None:
    page = anonymous.get("/docs/errors").text
    assert set(re.findall(r'<tr id="(\w+)">', page)) == set(TABLE)


def test_a_browser_without_a_network_shows_the_operations(
    api: api_world.Running, chromium: str, tmp_path: Path
) -> None:
    """Headless Chromium that can resolve no name but the API's address renders every group, and
    finds nothing that the page's own policy forbids.
    """
    argv = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=15000",
        "--enable-logging=stderr",
        "--dump-dom",
        f"{api.url}/docs",
    ]
    ended = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True)
    shown = ended.stdout
    assert "Content Security Policy" not in ended.stderr
    assert shown.count('class="opblock-tag-section') == len(api.app.openapi()["tags"])
    assert "/v1/uploads/{upload_id}/complete" in shown
    assert "Failed to load" not in shown
