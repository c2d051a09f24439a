"""Fixtures that every test folder may use: real servers, and the clips beside the checkout."""

from __future__ import annotations

import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import servers
from missing import missing_tool

T = TypeVar("T")

SHARED_MEDIA = Path(__file__).parent.parent.parent / "shared" / "media"


def _serve(server: AbstractContextManager[T]) -> Iterator[T]:
    try:
        entered = server.__enter__()
    except servers.ServerMissing as missing:
        missing_tool(str(missing))
    try:
        yield entered
    finally:
        server.__exit__(None, None, None)


@pytest.fixture(scope="session")
def minio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Minio]:
    yield from _serve(servers.minio(tmp_path_factory.mktemp("minio")))


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[servers.Postgres]:
    """In a folder of its own: another pytest session would close pytest's to PostgreSQL's user."""
    with tempfile.TemporaryDirectory(prefix="kapok-postgres-") as folder:
        yield from _serve(servers.postgres(Path(folder)))


@pytest.fixture
def postgres_url(postgres_server: servers.Postgres) -> str:
    """A fresh, empty database on the session's server."""
    return postgres_server.url(f"kapok_{secrets.token_hex(6)}")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Redis]:
    yield from _serve(servers.redis(tmp_path_factory.mktemp("redis")))


@pytest.fixture
def redis_url(redis_server: servers.Redis) -> str:
    """The session's Redis, emptied for this test."""
    import redis

    with redis.Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.RabbitMQ]:
    yield from _serve(servers.rabbitmq(tmp_path_factory.mktemp("rabbitmq")))


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        missing_tool("Chromium is missing: run `make test-servers` (Debian: chromium)")
    return found


@pytest.fixture
def shared_clip(request: pytest.FixtureRequest) -> Path:
    """A real clip of `../shared/media`, named by `@pytest.mark.parametrize(..., indirect=True)`.

    The folder lies beside the checkout and is no part of it: without it these tests skip and the
    generated samples cover the same ground.
    """
    path: Path = SHARED_MEDIA / request.param
    if not path.is_file():
        pytest.skip(f"{path} is absent: only generated samples are tested")
    return path
