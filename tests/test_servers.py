"""The servers that other tests stand on really start, answer and come back on the same port."""

from __future__ import annotations

import psycopg
import pytest
import redis
import servers

pytestmark = pytest.mark.services


def test_postgres_gives_each_test_a_database_of_its_own(postgres_server: servers.Postgres) -> None:
    """Two URLs lead to two databases on PostgreSQL 15 or newer."""
    first, second = postgres_server.url("one"), postgres_server.url("two")
    with psycopg.connect(first.replace("+psycopg", "")) as connection:
        connection.execute("CREATE TABLE here (x int)")
        assert connection.info.server_version >= 150000
    with psycopg.connect(second.replace("+psycopg", "")) as connection:
        rows = connection.execute("SELECT to_regclass('here')").fetchone()
    assert rows == (None,)


def test_redis_starts_empty(redis_url: str) -> None:
    """The fixture flushes what an earlier test left."""
    with redis.Redis.from_url(redis_url) as client:
        assert client.dbsize() == 0


def test_minio_can_be_stopped_and_started_on_its_port(minio_server: servers.Minio) -> None:
    """Tests that pull the store away need it back at the same address."""
    minio_server.server.stop()
    port = int(minio_server.endpoint.rsplit(":", 1)[1])
    assert not servers.listens(port)
    minio_server.server.start()
    assert servers.http_ok(port, "/minio/health/live")


def test_rabbitmq_listens(rabbitmq: servers.RabbitMQ) -> None:
    """The optional broker starts with its own node name and folder."""
    assert servers.listens(int(rabbitmq.url.rsplit(":", 1)[1].strip("/")))
