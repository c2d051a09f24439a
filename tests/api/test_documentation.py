"""The documentation works on a closed network, and says what the API really does."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import api_world
import httpx
import pytest

from api.errors import TABLE

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
        refusal = operation["responses"]["default"]["content"]
        assert list(refusal) == ["application/problem+json"], name
        assert "422" not in operation["responses"], name
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_every_request_body_has_an_example_that_fits(document: dict[str, Any]) -> None:
    """So that "try it out" in the page begins with something that works."""
    import jsonschema

    for name, operation in operations(document):
        for content in operation.get("requestBody", {}).get("content", {}).values():
            schema = content["schema"]
            reference = schema.get("$ref") or schema["anyOf"][0]["$ref"]
            model = document["components"]["schemas"][reference.rpartition("/")[2]]
            assert model.get("examples"), name
            for example in model["examples"]:
                jsonschema.validate(example, {**model, "components": document["components"]})


def test_every_code_is_explained_where_a_problem_points(anonymous: httpx.Client) -> None:
    page = anonymous.get("/docs/errors").text
    assert set(re.findall(r'<tr id="(\w+)">', page)) == set(TABLE)


def test_a_browser_without_a_network_shows_the_operations(
    api: api_world.Running, chromium: str, tmp_path: Path
) -> None:
    """Headless Chromium that can resolve no name but the API's address renders every group."""
    argv = [
        chromium,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        "--virtual-time-budget=15000",
        "--dump-dom",
        f"{api.url}/docs",
    ]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=True).stdout
    assert shown.count('class="opblock-tag-section') == len(api.app.openapi()["tags"])
    assert "/v1/uploads/{upload_id}/complete" in shown
    assert "Failed to load" not in shown
