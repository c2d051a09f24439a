"""The engine's bench in both modes: embedded, and distributed over real servers."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import servers

sys.path.insert(0, str(Path(__file__).parent))
from engine_bench import Bench, open_bench

from storage.database import Database


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue without rows: to copy it costs less than to migrate one for each test."""
    path = tmp_path_factory.mktemp("seed") / "kapok.db"
    database = Database(f"sqlite:///{path}")
    database.migrate()
    database.close()
    return path


@pytest.fixture
def embedded(tmp_path: Path, migrated: Path) -> Iterator[Bench]:
    """StubBroker, SQLite, a local folder."""
    (tmp_path / "data").mkdir()
    shutil.copy(migrated, tmp_path / "data")
    with open_bench(tmp_path / "data", {}) as bench:
        yield bench


@pytest.fixture
def distributed(
    tmp_path: Path, postgres_url: str, redis_url: str, minio_server: servers.Minio
) -> Iterator[Bench]:
    """Redis, PostgreSQL, MinIO; a bucket of this test's own."""
    bucket = f"test-{os.urandom(4).hex()}"
    env = {
        "KAPOK_DATABASE_URL": postgres_url,
        "KAPOK_BROKER_URL": redis_url,
        "KAPOK_S3_ENDPOINT": minio_server.endpoint,
        "KAPOK_S3_ACCESS_KEY": minio_server.access_key,
        "KAPOK_S3_SECRET_KEY": minio_server.secret_key,
        "KAPOK_S3_BUCKET": bucket,
    }
    with open_bench(tmp_path / "data", env) as bench:
        yield bench


@pytest.fixture(params=["embedded", pytest.param("distributed", marks=pytest.mark.services)])
def bench(request: pytest.FixtureRequest) -> Bench:
    """The same test in both modes."""
    found: Bench = request.getfixturevalue(request.param)
    return found
