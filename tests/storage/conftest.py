"""Every catalogue test runs on SQLite and on PostgreSQL, every store test on both stores."""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import servers

sys.path.insert(0, str(Path(__file__).parent))
import worlds

from storage.objects import ObjectStore
from storage.objects_local import LocalStore
from storage.objects_minio import MinioStore

POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.services)
MINIO = pytest.param("minio", marks=pytest.mark.services)


@pytest.fixture(params=["sqlite", POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A fresh database, without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'kapok.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url


@pytest.fixture(params=["sqlite", POSTGRESQL])
def world(request: pytest.FixtureRequest) -> worlds.World:
    """A catalogue with one organisation; a copy of one that was migrated once."""
    opened: worlds.World = request.getfixturevalue(f"{request.param}_world")
    return opened


@pytest.fixture(scope="session")
def sqlite_seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("seed") / "kapok.db"
    worlds.open_world(f"sqlite:///{path}").database.close()
    return path


@pytest.fixture
def sqlite_world(sqlite_seed: Path, tmp_path: Path) -> Iterator[worlds.World]:
    shutil.copy(sqlite_seed, tmp_path / "kapok.db")
    opened = worlds.enter_world(f"sqlite:///{tmp_path / 'kapok.db'}")
    yield opened
    opened.database.close()


@pytest.fixture(scope="session")
def postgres_seed(postgres_server: servers.Postgres) -> str:
    name = f"kapok_seed_{secrets.token_hex(6)}"
    worlds.open_world(postgres_server.url(name)).database.close()
    return name


@pytest.fixture
def postgresql_world(
    postgres_server: servers.Postgres, postgres_seed: str
) -> Iterator[worlds.World]:
    name = f"kapok_{secrets.token_hex(6)}"
    place = f"host=127.0.0.1 port={postgres_server.port} user=kapok dbname=postgres"
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_seed}"')
    url = f"postgresql+psycopg://kapok@127.0.0.1:{postgres_server.port}/{name}"
    opened = worlds.enter_world(url)
    yield opened
    opened.database.close()


@pytest.fixture
def local_store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store", b"signing key", "http://kapok.test")


@pytest.fixture
def minio_store(request: pytest.FixtureRequest) -> MinioStore:
    """A fresh bucket on the session's server."""
    server = request.getfixturevalue("minio_server")
    return MinioStore(
        server.endpoint,
        server.endpoint,
        access_key=server.access_key,
        secret_key=server.secret_key,
        bucket=f"kapok-{secrets.token_hex(6)}",
        region="us-east-1",
    )


@pytest.fixture(params=["local", MINIO])
def store(request: pytest.FixtureRequest) -> ObjectStore:
    found: ObjectStore = request.getfixturevalue(f"{request.param}_store")
    return found
