"""Every refusal is a problem document: never HTML, never a traceback, never a bare text."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import api_world
import httpx
import pytest

from api.errors import TABLE
from pipelines.errors import KapokError

ROOT = Path(__file__).parent.parent.parent
DOC = ROOT / "docs" / "errors.md"
SERVICE = ("api", "pipelines", "storage", "workers")
UNKNOWN_ID = "ast_00000000000000000000000000"


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem of an answer that must be one of that status and code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code
    assert body["status"] == status
    assert body["type"] == f"/docs/errors#{code}"
    assert len(body["detail"]) > 10
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return body


def service_errors() -> Iterator[type[KapokError]]:
    for package in SERVICE:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found = [KapokError]
    while found:
        error = found.pop()
        found += error.__subclasses__()
        if error.__module__.partition(".")[0] in SERVICE and not error.__name__.startswith("_"):
            yield error


def test_every_error_of_the_service_has_a_status_and_an_explanation() -> None:
    """The code of each public `KapokError` stands in the table and in `docs/errors.md`."""
    documented = set(re.findall(r"^\| `([a-z_]+)` \| \d{3} \|", DOC.read_text(), re.MULTILINE))
    codes = {error.code for error in service_errors()}
    assert codes - set(TABLE) == set()
    assert codes - documented == set()


def test_the_documented_codes_are_those_of_the_table_with_the_same_status() -> None:
    """Neither the table nor the document has a row of its own."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \|", DOC.read_text(), re.MULTILINE)
    assert {code: int(status) for code, status in rows} == {
        code: row.status for code, row in TABLE.items()
    }


def test_a_wrong_path_is_a_problem(anonymous: httpx.Client) -> None:
    problem(anonymous.get("/v1/nothing"), 404, "route_not_found")
    problem(anonymous.get("/"), 404, "route_not_found")
    assert anonymous.head("/v1/nothing").status_code == 404


def test_a_wrong_method_is_a_problem_that_names_the_right_one(anonymous: httpx.Client) -> None:
    answer = anonymous.put("/v1/assets")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b'{"title": }',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"size_bytes": ' + b"9" * 5_000 + b"}",
    ],
    ids=["cut", "no value", "no UTF-8", "deep", "endless number"],
)
def test_malformed_json_is_a_400_with_its_own_code(admin: httpx.Client, body: bytes) -> None:
    """Also what makes a JSON parser itself stumble."""
    headers = {"Content-Type": "application/json"}
    answer = admin.post("/v1/uploads", content=body, headers=headers)
    problem(answer, 400, "malformed_json")


def test_wrong_fields_are_pointed_at(admin: httpx.Client) -> None:
    """A pointer into the body for each; a misspelt field is wrong too."""
    wrong = {"title": "", "size_bytes": -1, "file_name": "a/b", "profile": ["x"]}
    body = problem(admin.post("/v1/uploads", json=wrong), 422, "invalid_request")
    pointers = {item["pointer"] for item in body["errors"]}
    assert pointers == {"#/title", "#/size_bytes", "#/file_name", "#/profile"}


def test_wrong_parameters_are_named(admin: httpx.Client) -> None:
    answer = admin.get("/v1/assets", params={"limit": 0, "created_after": "yesterday"})
    body = problem(answer, 422, "invalid_request")
    assert {item["parameter"] for item in body["errors"]} == {"limit", "created_after"}


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_time_that_cannot_be_compared_is_wrong(admin: httpx.Client, moment: str) -> None:
    """Without a zone, or beyond the calendar once it is in UTC."""
    answer = admin.get("/v1/assets", params={"created_before": moment})
    problem(answer, 422, "invalid_request")


@pytest.mark.parametrize(
    "field",
    [
        {"title": "a\x00b"},
        {"title": "\ud800"},
        {"metadata": {"a": "\x00"}},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {"\ud800": "a"}},
        {"metadata": {"a": float("nan")}},
        {"metadata": {"a": {"b": {}}}},
        {"metadata": {"a": 10**400}},
        {"file_name": "a\x00.mxf"},
        {"file_name": "a\ud800.mxf"},
        {"zone": "\ud800"},
    ],
    ids=repr,
)
def test_what_a_database_cannot_keep_is_refused(admin: httpx.Client, field: Any) -> None:
    """NUL, half a surrogate pair, numbers that are none: refused before they are stored."""
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, **field}
    answer = admin.post(
        "/v1/uploads",
        content=json.dumps(wanted),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in {400, 422}, answer.text
    problem(answer, answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "path",
    [
        "/v1/assets/%00",
        "/v1/assets/a%00b",
        "/v1/assets?text=%00",
        "/v1/assets/%ff%fe",
        "/v1/assets?text=%ff",
        "/v1/assets?cursor=%F0%9F%8E%AC",
        "/v1/assets?cursor=AAAA",
        "/v1/events?after=x",
        "/v1/centres/x/feed?since=-1",
        "/v1/profiles/..%2f..%2fetc%2fpasswd",
        "/v1/assets/" + "a" * 5000,
        "/v1/playback/x/y",
        "/v1/playback/e30.e30/y",
        "/v1/playback/%C3%A4.%C3%A4/y",
        "/store/objects/assets/x",
        "/store/objects/..%2f..%2fetc%2fpasswd",
        "/store/objects/x?expires=x&signature=%ff",
    ],
)
def test_hostile_urls_are_problems_and_never_a_500(admin: httpx.Client, path: str) -> None:
    answer = admin.get(path)
    assert answer.status_code in {200, 400, 403, 404, 422}, answer.text
    if answer.status_code != 200:
        problem(answer, answer.status_code, answer.json()["code"])


def test_a_large_body_is_refused_before_it_is_held(admin: httpx.Client) -> None:
    """With a Content-Length and in chunks alike."""
    large = b'{"title": "' + b"x" * (2 << 20) + b'"}'
    headers = {"Content-Type": "application/json"}
    problem(admin.post("/v1/uploads", content=large, headers=headers), 413, "body_too_large")
    chunks = (large[at : at + 65_536] for at in range(0, len(large), 65_536))
    problem(admin.post("/v1/uploads", content=chunks, headers=headers), 413, "body_too_large")


def test_a_request_id_comes_back_and_a_bad_one_is_replaced(anonymous: httpx.Client) -> None:
    answer = anonymous.get("/health/live", headers={"X-Request-Id": "centre-7.pull_9"})
    assert answer.headers["x-request-id"] == "centre-7.pull_9"
    answer = anonymous.get("/health/live", headers={"X-Request-Id": "a b<script>"})
    assert re.fullmatch(r"req_[0-9a-z]{26}", answer.headers["x-request-id"])


def test_titles_are_chinese_for_whoever_prefers_it(admin: httpx.Client) -> None:
    answer = admin.get(f"/v1/assets/{UNKNOWN_ID}", headers={"Accept-Language": "zh-CN,en;q=0.5"})
    assert problem(answer, 404, "asset_not_found")["title"] == "素材不存在"


def test_an_unforeseen_failure_says_nothing_but_its_request_id(tmp_path: Path) -> None:
    """A route that breaks: 500 with the id, while the traceback is in the log alone."""
    with api_world.local_api(tmp_path) as running:

        @running.app.get("/broken")
        def broken() -> None:
            raise ZeroDivisionError("secret detail")

        answer = httpx.get(f"{running.url}/broken", headers={"X-Request-Id": "r-1"})
        body = problem(answer, 500, "internal_error")
        assert body["request_id"] == "r-1"
        assert "secret" not in answer.text
        assert httpx.get(f"{running.url}/health/live").status_code == 200


def test_a_catalogue_that_is_away_is_a_503_that_may_be_tried_again(tmp_path: Path) -> None:
    """The tables are gone: readiness and requests say so, liveness does not."""
    with api_world.local_api(tmp_path) as running:
        org = running.organisation()
        client = org.client()
        with running.database.begin() as session:
            session.connection().exec_driver_sql("DROP TABLE asset_search")
            session.connection().exec_driver_sql("ALTER TABLE organisations RENAME TO gone")
        ready = client.get("/health/ready")
        body = problem(ready, 503, "not_ready")
        assert body["errors"][0]["parameter"] == "catalogue"
        assert ready.headers["retry-after"] == "5"
        answer = client.get("/v1/assets", params={"text": "x"})
        assert problem(answer, 503, "catalogue_unavailable")["retryable"] is True
        assert client.get("/health/live").json() == {"status": "ok"}
        org.close()


def test_bytes_that_are_no_http_are_turned_away(api: api_world.Running) -> None:
    """The server closes the connection and goes on."""
    host, port = api.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(b"\x16\x03\x01\x02\x00 no http\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400")
    assert httpx.get(f"{api.url}/health/live", trust_env=False).status_code == 200
