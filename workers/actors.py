"""One actor a queue: they differ in nothing but the pool of threads that serves them."""

from __future__ import annotations

import dramatiq

from workers.broker import QUEUES
from workers.engine import Engine
from workers.room import Room


def declare_actors(broker: dramatiq.Broker, engine: Engine, room: Room) -> None:
    """Serve every queue with `engine`; which queues a process takes is its Worker's choice."""
    for queue in QUEUES:
        _declare_actor(broker, engine, room, queue)


def _declare_actor(broker: dramatiq.Broker, engine: Engine, room: Room, queue: str) -> None:
    @dramatiq.actor(broker=broker, queue_name=queue, actor_name=queue)
    def run_step(step_id: str) -> None:
        with room.taken(queue) as there:
            engine.run_step(step_id) if there else engine.pass_over(step_id)
