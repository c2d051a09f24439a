"""How many steps a worker takes at once, and what becomes of a message that it has no room for."""

from __future__ import annotations

import pytest
from engine_bench import Bench, eventually
from small_steps import payload

from storage.catalogue.steps import NewStep
from workers.actors import declare_actors
from workers.finder import Finder
from workers.room import Room
from workers.service import at_once


def test_a_queue_has_its_share_and_the_whole_its_threads() -> None:
    """Two steps in all, one of a queue; a queue that the worker does not serve has none."""
    room = Room(["encode", "measure", "package"], threads=2, share=1)
    with room.taken("encode") as first, room.taken("encode") as again:
        assert (first, again) == (True, False)
        assert room.idle_queues() == ["measure", "package"]
        with room.taken("measure") as second, room.taken("package") as third:
            assert (second, third) == (True, False)
            assert room.idle_queues() == []
        assert not Room(["encode"], 1, 1).taken("inspect").__enter__()
    assert room.idle_queues() == ["encode", "measure", "package"]
    assert room.freed.is_set()


@pytest.mark.parametrize(
    ("threads", "queues", "steps"),
    [(1, 1, 1), (1, 5, 1), (2, 1, 2), (2, 5, 1), (5, 5, 2), (32, 5, 7)],
)
def test_two_steps_of_a_queue_run_at_once_where_a_thread_is_left(
    threads: int, queues: int, steps: int
) -> None:
    """On a small machine, as far as the threads go; on a large one its even share."""
    assert at_once(threads, queues) == steps


def test_a_message_that_found_no_room_is_found_in_the_catalogue(embedded: Bench) -> None:
    """It is gone, but the step is not: whoever is free takes it."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    step = embedded.steps(job)["one"]
    engine, room = embedded.engine(), Room(["encode"], 1, 1)
    declare_actors(embedded.broker, engine, room)
    run_step = embedded.broker.get_actor("encode")
    finder = Finder(engine, embedded.database, room, look_s=0.1)
    with room.taken("encode"):
        run_step(step.id)
        assert embedded.steps(job)["one"].passed_at is not None
        assert embedded.steps(job)["one"].state == "ready"
        finder.start()
        embedded.closing.callback(finder.stop, 10)
    eventually(lambda: embedded.state(job) == "done")
