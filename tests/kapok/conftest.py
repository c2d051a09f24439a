"""The real service for the client, and a home of its own for every test."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent / "api"))
import api_world
from faulty_proxy import FaultyProxy
from real_service import PART_BYTES, Service, real_service

from kapok import language
from kapok.transport import Transport
from storage.catalogue import uploads


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


@pytest.fixture(scope="session")
def _running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[api_world.Running, FaultyProxy]]:
    with real_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture
def service(
    _running: tuple[api_world.Running, FaultyProxy], monkeypatch: pytest.MonkeyPatch
) -> Service:
    """One service for all tests; each has an organisation of its own in it, and small parts."""
    monkeypatch.setattr(uploads, "SMALLEST_PART_BYTES", PART_BYTES)
    return Service(*_running)


@pytest.fixture
def other_service(service: Service, _running: tuple[api_world.Running, FaultyProxy]) -> Service:
    """Another organisation in the same service."""
    return Service(*_running)


@pytest.fixture
def transport(service: Service) -> Iterator[Transport]:
    opened = Transport(service.connection)
    yield opened
    opened.close()
