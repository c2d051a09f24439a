"""What Kapok sets of Dramatiq's brokers, each for a failure that was measured."""

from __future__ import annotations

from pathlib import Path

import pytest
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker

from storage.settings import load_settings
from workers.broker import QUEUES, open_broker
from workers.service import _worker, at_once


@pytest.fixture
def redis_broker(tmp_path: Path) -> RedisBroker:
    """Not connected: nothing listens there."""
    settings = {"KAPOK_BROKER_URL": "redis://127.0.0.1:1/0"}
    broker = open_broker(load_settings(tmp_path, settings))
    assert isinstance(broker, RedisBroker)
    return broker


def test_a_dead_workers_messages_come_back_from_redis_within_a_minute(
    redis_broker: RedisBroker,
) -> None:
    """Each fetch looks for them (of a million draws, all hit); a worker is dead after 60 s."""
    assert redis_broker.maintenance_chance == 1_000_000
    assert redis_broker.heartbeat_timeout == 60_000


def test_dramatiq_neither_retries_nor_ends_a_step(redis_broker: RedisBroker) -> None:
    """The catalogue counts attempts; Dramatiq's time limit of ten minutes would kill a film."""
    assert redis_broker.middleware == []
    assert set(redis_broker.queues) == set(QUEUES)


@pytest.mark.parametrize("threads", [1, 5, 32])
def test_of_a_queue_no_more_messages_are_held_than_may_run(threads: int) -> None:
    """Of the delay queues thousands are: with one, Redis would start a live job twice."""
    worker = _worker(StubBroker(middleware=[]), QUEUES, threads)
    assert worker.queue_prefetch == at_once(threads, len(QUEUES)) <= threads
    assert worker.delay_prefetch == threads * 1000
