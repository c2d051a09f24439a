"""A small real HTTP service for the client, and a home of its own for every test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from fake_service import FakeService

from kapok import language
from kapok.connection import Connection
from kapok.transport import Transport


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the developer's own service, keys, journal or language."""
    for name in ("KAPOK_URL", "KAPOK_API_KEY", "KAPOK_API_KEY_FILE", "KAPOK_DATA", "KAPOK_LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    before = language.language()
    language.use("en")
    yield
    language.use(before)


@pytest.fixture
def service() -> Iterator[FakeService]:
    with FakeService() as running:
        yield running


@pytest.fixture
def transport(service: FakeService) -> Iterator[Transport]:
    opened = Transport(Connection(service.url, "kpk_test"))
    yield opened
    opened.close()
