"""Servers that go away in the middle of a real encode and come back: nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import servers
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from engine_bench import Bench, eventually, ffmpegs
from small_steps import payload

from storage.catalogue.steps import NewStep
from storage.settings import load_settings
from workers.broker import open_broker

pytestmark = [pytest.mark.media, pytest.mark.services, pytest.mark.slow]

LEASE_S = 6.0
AWAY_S = 2 * LEASE_S


@contextmanager
def away(server: servers.Server) -> Iterator[None]:
    """The server is stopped, and runs again afterwards whatever happens."""
    server.stop()
    try:
        yield
    finally:
        server.start()


def _job(bench: Bench, tries: Path, **of_first: Any) -> str:
    """A real encode, and a step that follows it."""
    return bench.job(
        NewStep("encode", "one", payload("encode", tries=str(tries), **of_first)),
        NewStep("join", "join", payload("encode", tries=str(tries)), after=("one",)),
    )


def test_a_killed_redis_with_all_its_data_gone_loses_nothing(
    distributed: Bench, redis_server: servers.Redis, tmp_path: Path
) -> None:
    """The catalogue knows what is ready; the sweeper sends again what the queue forgot."""
    tries = tmp_path / "tries"
    jobs = [_job(distributed, tries, seconds=2) for _ in range(3)]
    distributed.worker()
    eventually(lambda: ffmpegs(distributed.settings.scratch))
    redis_server.server.kill()
    redis_server.server.start()  # empty: nothing was saved
    assert [distributed.settled(job) for job in jobs] == ["done"] * 3
    assert tries.read_text() == "1\n" * 6


def test_a_stopped_minio_costs_time_and_no_work(
    distributed: Bench, minio_server: servers.Minio, tmp_path: Path
) -> None:
    """The encode ends while the store is away: its file waits, and the step is not tried twice."""
    tries, gone = tmp_path / "tries", tmp_path / "gone"
    job = _job(distributed, tries, until=str(gone))
    distributed.worker()
    eventually(lambda: distributed.steps(job)["one"].state == "running")
    with away(minio_server.server):
        gone.touch()
        eventually(lambda: "waiting: " in distributed.log())
    assert distributed.settled(job) == "done"
    assert tries.read_text() == "1\n1\n"
    found = distributed.steps(job)
    assert distributed.keys() == sorted(
        f"made/{found[name].id}/1/picture.mp4" for name in ("one", "join")
    )


def test_a_stopped_postgres_costs_time_and_no_work(
    distributed: Bench, postgres_server: servers.Postgres, tmp_path: Path
) -> None:
    """Leases cannot be renewed, nor can anybody take them; the finish is written when it is back.

    The lease is half as long as the outage: the step stays ours as nobody else was given it.
    """
    distributed.env["KAPOK_LEASE_S"] = str(LEASE_S)
    tries, gone = tmp_path / "tries", tmp_path / "gone"
    job = _job(distributed, tries, until=str(gone))
    distributed.worker()
    eventually(lambda: distributed.steps(job)["one"].state == "running")
    with away(postgres_server.server):
        gone.touch()
        time.sleep(AWAY_S)
        assert "waiting: " in distributed.log()
    assert distributed.settled(job) == "done"
    assert tries.read_text() == "1\n1\n"
    assert distributed.events("step.done") == [
        distributed.steps(job)[name].id for name in ("one", "join")
    ]


def test_workers_that_start_before_their_servers_begin_when_these_come(
    distributed: Bench, redis_server: servers.Redis, tmp_path: Path
) -> None:
    """Compose and Kubernetes promise no order."""
    job = _job(distributed, tmp_path / "tries")
    redis_server.server.stop()
    try:
        distributed.worker()
    finally:
        redis_server.server.start()
    assert distributed.settled(job) == "done"


def test_a_job_goes_through_rabbitmq(
    embedded: Bench, rabbitmq: servers.RabbitMQ, tmp_path: Path
) -> None:
    """One smoke test: the broker is a setting and nothing else changes."""
    tries = tmp_path / "tries"
    embedded.env["KAPOK_BROKER_URL"] = rabbitmq.url
    job = _job(embedded, tries)
    embedded.worker()
    assert embedded.settled(job) == "done"
    assert tries.read_text() == "1\n1\n"


def test_a_rabbitmq_that_takes_no_messages_holds_no_worker(
    embedded: Bench, rabbitmq: servers.RabbitMQ, tmp_path: Path
) -> None:
    """Short of disk it answers nobody who sends: the step is done, and the next one sent later.

    The URL says a shorter time than `BLOCKED_S`, as each of Dramatiq's six tries lasts for it.
    """
    embedded.env["KAPOK_BROKER_URL"] = f"{rabbitmq.url}?blocked_connection_timeout=0.5"
    full = tmp_path / "full"
    job = _job(embedded, tmp_path / "tries", until=str(full))
    embedded.worker()
    eventually(lambda: embedded.steps(job)["one"].state == "running")
    rabbitmq.control("set_disk_free_limit", "1000000GB")
    full.touch()
    try:
        eventually(lambda: embedded.steps(job)["one"].state == "done")
        eventually(lambda: "stays unsent" in embedded.log(), 60)
        assert embedded.steps(job)["join"].state == "ready"
    finally:
        rabbitmq.control("set_disk_free_limit", "50MB")
    assert embedded.settled(job) == "done"
    assert (tmp_path / "tries").read_text() == "1\n1\n"


def test_a_rabbitmq_that_takes_no_messages_is_given_up_after_three_seconds(tmp_path: Path) -> None:
    """For every node of the URL, and unless it says another time."""
    url = "amqp://one;amqp://two?blocked_connection_timeout=0.5"
    broker = open_broker(load_settings(tmp_path, {"KAPOK_BROKER_URL": url}))
    assert isinstance(broker, RabbitmqBroker)
    assert [node.blocked_connection_timeout for node in broker.parameters] == [3.0, 0.5]
