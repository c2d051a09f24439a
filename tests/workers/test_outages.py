"""Servers that go away in the middle of a real encode and come back: nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import servers
from engine_bench import Bench, eventually, ffmpegs
from small_steps import payload

from storage.catalogue.steps import NewStep

pytestmark = [pytest.mark.media, pytest.mark.services, pytest.mark.slow]

AWAY_S = 20.0


@contextmanager
def away(server: servers.Server) -> Iterator[None]:
    """The server is stopped for `AWAY_S`, and runs again afterwards whatever happens."""
    server.stop()
    try:
        yield
        time.sleep(AWAY_S)
    finally:
        server.start()


def _job(bench: Bench, tries: Path) -> str:
    """An encode that stores its file while the server is away, and a step that follows it."""
    return bench.job(
        NewStep("encode", "one", payload("encode", seconds=4, tries=str(tries))),
        NewStep("join", "join", payload("encode", tries=str(tries)), after=("one",)),
    )


def test_a_killed_redis_with_all_its_data_gone_loses_nothing(
    distributed: Bench, redis_server: servers.Redis, tmp_path: Path
) -> None:
    """The catalogue knows what is ready; the sweeper sends again what the queue forgot."""
    tries = tmp_path / "tries"
    jobs = [_job(distributed, tries) for _ in range(3)]
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
    tries = tmp_path / "tries"
    job = _job(distributed, tries)
    distributed.worker()
    eventually(lambda: ffmpegs(distributed.settings.scratch))
    with away(minio_server.server):
        pass
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
    distributed.env["KAPOK_LEASE_S"] = "10"
    tries = tmp_path / "tries"
    job = _job(distributed, tries)
    distributed.worker()
    eventually(lambda: ffmpegs(distributed.settings.scratch))
    with away(postgres_server.server):
        pass
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
    """Short of disk it answers nobody who sends: the step is done, and the next one sent later."""
    embedded.env["KAPOK_BROKER_URL"] = rabbitmq.url
    job = _job(embedded, tmp_path / "tries")
    embedded.worker()
    eventually(lambda: ffmpegs(embedded.settings.scratch))
    rabbitmq.control("set_disk_free_limit", "1000000GB")
    try:
        eventually(lambda: embedded.steps(job)["one"].state == "done")
        eventually(lambda: "stays unsent" in embedded.log(), 60)
        assert embedded.steps(job)["join"].state == "ready"
    finally:
        rabbitmq.control("set_disk_free_limit", "50MB")
    assert embedded.settled(job) == "done"
    assert (tmp_path / "tries").read_text() == "1\n1\n"
