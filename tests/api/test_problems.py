"""Every refusal is a problem document: never HTML, never a traceback, never a bare text."""

from __future__ import annotations

import importlib
import json
import pkgutil
import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import api_world
import httpx
import pytest

from api.errors import TABLE
from api.problems import PUBLIC_DETAILS
from kapok.errors import CODE_EXITS, FAILED, ApiError
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


def errors_of(packages: Sequence[str]) -> Iterator[type[KapokError]]:
    for package in packages:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if "migrations" not in module.name and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found = [KapokError]
    while found:
        error = found.pop()
        found += error.__subclasses__()
        if error.__module__.partition(".")[0] in packages and not error.__name__.startswith("_"):
            yield error


def test_every_error_of_the_service_has_a_status_and_an_explanation() -> None:
    """The code of each public `KapokError` stands in the table and in `docs/errors.md`."""
    documented = set(re.findall(r"^\| `([a-z_]+)` \| \d{3} \|", DOC.read_text(), re.MULTILINE))
    codes = {error.code for error in errors_of(SERVICE)}
    assert codes - set(TABLE) == set()
    assert codes - documented == set()


def test_every_error_of_the_command_line_has_its_exit_status_and_an_explanation() -> None:
    """Each stands in `docs/errors.md`, with what the command ends with, and so do no others."""
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d) \|", DOC.read_text(), re.MULTILINE)
    codes = {error.code for error in errors_of(["kapok"])} - {ApiError.code} | {"range_ignored"}
    assert {code: int(status) for code, status in rows} == {
        code: CODE_EXITS.get(code, FAILED) for code in codes
    }


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
    ("method", "path", "allowed"),
    [
        ("DELETE", "/v1/uploads", ["GET", "POST"]),
        ("PUT", f"/v1/assets/{UNKNOWN_ID}", ["GET", "PATCH"]),
        ("PUT", "/v1/uploads/upl_x", ["GET", "DELETE"]),
        ("POST", "/store/objects/x", ["GET", "HEAD"]),
        ("POST", "/health/live", ["GET", "HEAD"]),
        ("PUT", "/openapi.json", ["GET", "HEAD"]),
    ],
)
def test_a_wrong_method_lists_every_right_one(
    anonymous: httpx.Client, method: str, path: str, allowed: list[str]
) -> None:
    """In `Allow` and in words, however many routes share the path."""
    answer = anonymous.request(method, path)
    body = problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == ", ".join(allowed)
    assert f"use {' or '.join(allowed)}." in body["detail"]


def test_health_may_be_asked_for_without_a_body(anonymous: httpx.Client) -> None:
    for path in ("/health/live", "/health/ready"):
        answer = anonymous.head(path)
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("path", ["/v1/assets/", "/health/live/", "/docs/"])
def test_a_slash_too_many_leads_nowhere(anonymous: httpx.Client, path: str) -> None:
    """Least of all to the host that the request names."""
    answer = anonymous.get(path, headers={"Host": "evil.example"})
    problem(answer, 404, "route_not_found")
    assert "location" not in answer.headers
    assert "evil" not in answer.text


@pytest.mark.parametrize("host", ["[", "a b", "x/y?z#", ""])
def test_a_host_that_is_none_is_no_failure(
    admin: httpx.Client, anonymous: httpx.Client, host: str
) -> None:
    headers = {"Host": host}
    problem(anonymous.get("/v1/nothing", headers=headers), 404, "route_not_found")
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10}
    assert admin.post("/v1/uploads", json=wanted, headers=headers).status_code == 201


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


@pytest.mark.parametrize(
    "wrong",
    [
        {"size_bytes": True},
        {"size_bytes": "10"},
        {"size_bytes": 10.5},
        {"scores": "off"},
        {"scores": 0},
        {"source_colour": "purple"},
        {"programme": 0},
        {"programme": "101"},
        {"title": 7},
        {"profiles": "mobile-540p"},
    ],
    ids=repr,
)
def test_a_value_of_another_type_is_wrong(admin: httpx.Client, wrong: dict[str, Any]) -> None:
    """A client that sends text for a number would be surprised later: it is told now."""
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, **wrong}
    body = problem(admin.post("/v1/uploads", json=wanted), 422, "invalid_request")
    assert [item["pointer"] for item in body["errors"]] == [f"#/{name}" for name in wrong]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"ladder": "广州"}, "use a-z, 0-9"),
        ({"profiles": ["HD AVC"]}, "use a-z, 0-9"),
        ({"sha256": "12"}, "a SHA-256 has 64 hexadecimal digits"),
        ({"md5": "xyz"}, "an MD5 has 32 hexadecimal digits"),
        ({"sha1": "0" * 41}, "a SHA-1 has 40 hexadecimal digits"),
        ({"sha512": "0" * 64}, "a SHA-512 has 128 hexadecimal digits"),
    ],
)
def test_a_name_or_hash_that_cannot_be_one_is_told_in_words(
    admin: httpx.Client, wrong: dict[str, Any], words: str
) -> None:
    """A regular expression says little to whoever typed a zone's name in Chinese."""
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, **wrong}
    body = problem(admin.post("/v1/uploads", json=wanted), 422, "invalid_request")
    assert body["errors"][0]["detail"].startswith(words)
    assert "pattern" not in body["detail"]


def test_part_numbers_are_numbers(admin: httpx.Client) -> None:
    for wrong in (True, "1", 1.0):
        answer = admin.post("/v1/uploads/upl_x/parts", json={"numbers": [wrong]})
        body = problem(answer, 422, "invalid_request")
        assert [item["pointer"] for item in body["errors"]] == ["#/numbers/0"]


@pytest.mark.parametrize(
    ("metadata", "pointer", "hint"),
    [
        ({"a": 2**53 + 1}, "#/metadata/a", "send it as text"),
        ({"a": -(2**53) - 1}, "#/metadata/a", "send it as text"),
        ({"a": 10**30}, "#/metadata/a", "send it as text"),
        ({"a": 1e300}, "#/metadata/a", "send it as text"),
        ({"a": None}, "#/metadata/a", "use text"),
        ({"a": {"b": 1}}, "#/metadata/a", "use text"),
        ({"a": ["x", 1]}, "#/metadata/a", "use text"),
        ({"a": "x" * 4001}, "#/metadata/a", "4000 characters"),
        ({"a": ["x"] * 101}, "#/metadata/a", "100 texts"),
        ({"a": ["木" * 4000] * 11}, "#/metadata", "may have 131072: keep longer texts in a file"),
        ({"a/b": ["x\0"]}, "#/metadata/a~1b", "NUL"),
        ({"[key]": None}, "#/metadata/[key]", "use text"),
        ({"x" * 101: 1}, f"#/metadata/{'x' * 101}", "at most 100 characters"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_wrong_metadata_is_one_error_with_the_way_out(
    admin: httpx.Client, metadata: Any, pointer: str, hint: str
) -> None:
    wanted = {"title": "t", "file_name": "f.mxf", "size_bytes": 10, "metadata": metadata}
    body = problem(admin.post("/v1/uploads", json=wanted), 422, "invalid_request")
    (wrong,) = body["errors"]
    assert wrong["pointer"] == pointer
    assert hint in wrong["detail"]
    assert body["detail"].startswith(f"One field is wrong, the first is {pointer}: ")


def test_good_metadata_comes_back_as_it_was_sent(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    metadata = {
        "text": "广东",
        "yes": True,
        "one": 1,
        "share": 0.5,
        "largest": 2**53,
        "smallest": -(2**53),
        "texts": ["a", "b"],
        "none": [],
        "long": "x" * 4000,
    }
    path = f"/v1/assets/{org.asset().id}"
    answer = admin.patch(path, json={"metadata": metadata})
    assert answer.status_code == 200, answer.text
    kept = admin.get(path).json()["metadata"]
    assert kept == metadata
    assert {name: type(value) for name, value in kept.items()} == {
        name: type(value) for name, value in metadata.items()
    }


@pytest.mark.parametrize(
    "given", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None]
)
def test_json_under_another_name_is_a_415(admin: httpx.Client, given: str | None) -> None:
    """`curl -d` does so: the detail says what to send."""
    headers = {} if given is None else {"Content-Type": given}
    upload = b'{"title": "t", "file_name": "f.mxf", "size_bytes": 10}'
    for path, content in (("/v1/uploads", upload), ("/v1/uploads/upl_x/complete", b"{}")):
        answer = admin.post(path, content=content, headers=headers)
        body = problem(answer, 415, "unsupported_content_type")
        assert "send 'Content-Type: application/json'" in body["detail"]


def test_wrong_parameters_are_named(admin: httpx.Client) -> None:
    answer = admin.get("/v1/assets", params={"limit": 0, "created_after": "yesterday"})
    body = problem(answer, 422, "invalid_request")
    assert {item["parameter"] for item in body["errors"]} == {"limit", "created_after"}


@pytest.mark.parametrize("moment", ["20261129", "0.5", "-1.5", "2026"])
def test_a_number_is_no_time(admin: httpx.Client, moment: str) -> None:
    """It would be taken for the seconds since 1970, and find nothing or everything."""
    answer = admin.get("/v1/assets", params={"created_before": moment})
    body = problem(answer, 422, "invalid_request")
    assert "2026-11-29T08:00:00+08:00" in body["errors"][0]["detail"]


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


def test_details_that_are_kept_from_callers_belong_to_codes_that_exist() -> None:
    """A code that is spelt otherwise would let its detail through."""
    assert set(PUBLIC_DETAILS) <= set(TABLE)
    hidden = {"disk_full", "store_unavailable", "store_refused", "catalogue_unavailable"}
    hidden |= {"catalogue_full"}
    assert set(PUBLIC_DETAILS) == hidden
