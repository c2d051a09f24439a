"""What a request may hold, beside what its columns hold: SQLite alone takes text of any length."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import api.models
from api.models.common import NAME, Received
from storage.schema import ApiKey, Asset, Organisation, Receipt, Upload, Zone

# Where the free text of requests is kept, by model and field; None: in a JSON document or a file.
KEPT: dict[str, Any] = {
    "AssetEdit.title": Asset.title,
    "NewKey.name": ApiKey.name,
    "NewKey.organisation": Organisation.name,
    "NewOrganisation.name": Organisation.name,
    "NewProfile.toml": None,
    "NewUpload.title": Upload.title,
    "NewUpload.file_name": Upload.file_name,
    "NewZone.title": Zone.title,
    "ZoneEdit.title": Zone.title,
    "ReceivedFile.path": None,
    "SubtitleFile.content": None,
    "SubtitleFile.file_name": None,
}
LIMITED_BY_PATTERN = {NAME: [Zone.name, Receipt.centre]}


def requests(kind: type[Received] = Received) -> Iterator[type[Received]]:
    for one in kind.__subclasses__():
        yield one
        yield from requests(one)


def free_texts() -> Iterator[tuple[str, int | None]]:
    """`Model.field` of all text but identifiers and hashes, with the most characters."""
    for module in pkgutil.iter_modules(api.models.__path__):
        importlib.import_module(f"api.models.{module.name}")
    for model in requests():
        if model.__module__.startswith("api.models."):
            for name, schema in model.model_json_schema()["properties"].items():
                for one in [schema, *schema.get("anyOf", [])]:
                    pattern = one.get("pattern", "[^")  # a file's name excludes some characters
                    if one.get("type") == "string" and "enum" not in one and "[^" in pattern:
                        yield f"{model.__name__}.{name}", one.get("maxLength")


def test_no_request_takes_more_text_than_its_column() -> None:
    """PostgreSQL would refuse it with an error of its own, and the API answer 500."""
    found = dict(free_texts())
    assert set(found) == set(KEPT)
    for name, column in KEPT.items():
        if column is not None and column.type.length is not None:
            assert (found[name] or 10**9) <= column.type.length, name
    for pattern, columns in LIMITED_BY_PATTERN.items():
        assert pattern.endswith("{0,99}$")
        assert all(column.type.length >= 100 for column in columns)


@pytest.mark.parametrize("path", ["/v1/api-keys", "/v1/organisations"])
def test_a_name_that_is_too_long_is_the_callers_mistake(admin: httpx.Client, path: str) -> None:
    """With its limit, on either database."""
    body = {"name": "木" * 201, **({"role": "uploader"} if path == "/v1/api-keys" else {})}
    answer = admin.post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request"), answer.text
    assert "200 characters" in answer.json()["errors"][0]["detail"]
