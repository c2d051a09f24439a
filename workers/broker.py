"""The queues: where a message says that a step may be ready, and nothing more.

A message is a hint. It carries a step's id; the catalogue alone knows whether the step is ready,
who runs it and how often it was tried. So no middleware of Dramatiq is used: no retries (the
catalogue counts attempts), no time limit (its 10 minutes would kill a film), no age limit.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import dramatiq
import pika.exceptions
import redis
import redis.backoff
import redis.retry
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from dramatiq.brokers.redis import RedisBroker
from dramatiq.brokers.stub import StubBroker
from dramatiq.errors import BrokerError

from pipelines.errors import KapokError
from storage.catalogue import messages
from storage.database import Database
from storage.settings import Settings

QUEUES = ("inspect", "encode", "measure", "package", "deliver")
BLOCKED_S = 3.0  # [P] Dramatiq tries six times
BROKEN = (BrokerError, redis.RedisError, pika.exceptions.AMQPError, OSError)

log = logging.getLogger(__name__)


class UnknownBroker(KapokError):
    """`KAPOK_BROKER_URL` names a kind of broker that Kapok does not speak to."""

    code = "unknown_broker"


def open_broker(settings: Settings) -> dramatiq.Broker:
    """The broker of `settings.broker_url`, not connected; without one, a queue in this process."""
    broker = _broker(settings.broker_url)
    for queue in QUEUES:
        broker.declare_queue(queue)
    return broker


def _broker(url: str | None) -> dramatiq.Broker:
    if url is None:
        return StubBroker(middleware=[])
    scheme, _, rest = url.partition("://")
    if scheme in {"redis", "rediss", "unix"}:
        return _redis_broker(url)
    if scheme in {"amqp", "amqps"}:
        return _rabbitmq_broker(url)
    # What has no scheme may be all password: it is not repeated.
    told = f"begins with '{scheme}:'" if rest and scheme.isalpha() else "has no scheme"
    raise UnknownBroker(f"KAPOK_BROKER_URL {told}: use redis://… or amqp://…")


def _redis_broker(url: str) -> RedisBroker:
    client = redis.Redis.from_url(
        url,
        socket_connect_timeout=3,
        socket_timeout=15,
        health_check_interval=30,
        retry=redis.retry.Retry(redis.backoff.NoBackoff(), 1),
    )
    return RedisBroker(  # type: ignore[no-untyped-call]  # it has no types
        client=client,
        middleware=[],
        maintenance_chance=1_000_000,  # always: only this gives a dead worker's messages back
        heartbeat_timeout=60_000,
    )


def _rabbitmq_broker(url: str) -> RabbitmqBroker:
    """RabbitMQ blocks who sends while its disk or memory is short: that is an error, not a wait.

    A step that has ended must not hold its thread for it. The URL may say another time.
    """
    broker = RabbitmqBroker(url=url, middleware=[], confirm_delivery=True)
    nodes = broker.parameters if isinstance(broker.parameters, list) else [broker.parameters]
    for node in nodes:
        if node.blocked_connection_timeout is None:
            node.blocked_connection_timeout = BLOCKED_S
    return broker


def enqueue(broker: dramatiq.Broker, ready: Iterable[tuple[str, str]]) -> list[str]:
    """Send one message for each (step id, queue) and return the ids that were sent.

    A broken broker is no error here: the step stays unsent and the sweeper sends it later.
    """
    sent: list[str] = []
    for step_id, queue in ready:
        message: dramatiq.Message[None] = dramatiq.Message(
            queue_name=queue, actor_name=queue, args=(step_id,), kwargs={}, options={}
        )
        try:
            broker.enqueue(message)
        except BROKEN as error:
            log.warning("step %s stays unsent, the broker failed: %s", step_id, error)
            break
        sent.append(step_id)
    return sent


def send_ready(
    broker: dramatiq.Broker, database: Database, ready: Iterable[tuple[str, str]]
) -> None:
    """`enqueue`, and note in the catalogue what was sent so that the sweeper need not send it."""
    sent = enqueue(broker, ready)
    if not sent:
        return
    try:
        with database.begin() as session:
            messages.mark_sent(session, sent)
    except KapokError as error:
        log.warning("%d sent steps are not noted, they will be sent twice: %s", len(sent), error)


def messages_waiting(broker: dramatiq.Broker, queue: str) -> int:
    """How many messages nobody has fetched yet. Raises one of `BROKEN`."""
    if isinstance(broker, StubBroker):
        waiting: int = broker.queues[queue].qsize()
        return waiting
    if isinstance(broker, RedisBroker):
        length: int = broker.client.llen(f"{broker.namespace}:{queue}")
        return length
    if isinstance(broker, RabbitmqBroker):
        return _waiting_in_rabbitmq(broker, queue)
    raise UnknownBroker(f"{type(broker).__name__} is no broker that Kapok opens")


def _waiting_in_rabbitmq(broker: RabbitmqBroker, queue: str) -> int:
    try:
        return broker.get_queue_message_counts(queue)[0]
    except pika.exceptions.AMQPError:
        del broker.connection  # an idle thread's connection dies unnoticed; the next call opens one
        raise
