"""One API for all tests of this folder; each test has an organisation of its own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
import api_world


@pytest.fixture(scope="session")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[api_world.Running]:
    with api_world.local_api(tmp_path_factory.mktemp("api"), heartbeat_s=0.3) as running:
        yield running


@pytest.fixture
def org(api: api_world.Running) -> Iterator[api_world.Organisation]:
    made = api.organisation()
    yield made
    made.close()


@pytest.fixture
def other_org(api: api_world.Running) -> Iterator[api_world.Organisation]:
    made = api.organisation()
    yield made
    made.close()


@pytest.fixture
def admin(org: api_world.Organisation) -> httpx.Client:
    return org.client("admin")


@pytest.fixture
def anonymous(api: api_world.Running) -> Iterator[httpx.Client]:
    """Without a key, as whoever holds a signed URL."""
    with httpx.Client(base_url=api.url, timeout=30, **api_world.LOOPBACK) as client:
        yield client
