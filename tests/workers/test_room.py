"""How many steps a worker takes at once, and what becomes of a message that it has no room for."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import NoReturn

import pytest
from engine_bench import Bench, eventually
from small_steps import payload
from sqlalchemy import update

from storage.catalogue import messages
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.errors import CatalogueFull
from storage.schema import Step
from workers.actors import declare_actors
from workers.context import StepContext, StepResult
from workers.engine import Engine
from workers.finder import Finder
from workers.kinds import Kind
from workers.room import Room
from workers.service import at_once


def test_a_queue_has_its_share_and_the_whole_its_threads() -> None:
    """Two steps in all, one of a queue; a queue that the worker does not serve has none."""
    room = Room(["encode", "measure", "package"], threads=2, share=1)
    with room.taken("encode") as first, room.taken("encode") as again:
        assert (first, again) == (True, False)
        assert room.free_queues() == ["measure", "package"]
        with room.taken("measure") as second, room.taken("package") as third:
            assert (second, third) == (True, False)
            assert room.free_queues() == []
        assert not Room(["encode"], 1, 1).taken("inspect").__enter__()
    assert room.free_queues() == ["encode", "measure", "package"]
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


def test_what_another_worker_passed_over_runs_as_many_at_once_as_there_is_room(
    embedded: Bench,
) -> None:
    """A lame worker empties a queue in no time: three at once of a queue, four in all."""
    together = threading.Barrier(4)

    def wait_for_others(context: StepContext) -> StepResult:
        together.wait(timeout=20)
        return StepResult()

    kinds = {"encode": Kind(wait_for_others), "measure": Kind(wait_for_others)}
    one = [NewStep("encode", f"encode {n}", {}) for n in range(6)]
    other = [NewStep("measure", f"measure {n}", {}) for n in range(2)]
    jobs = [embedded.job(*one), embedded.job(*other)]
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker, kinds)
    embedded.closing.callback(engine.close)
    for job in jobs:
        for step in embedded.steps(job).values():
            engine.pass_over(step.id)
    finder = Finder(engine, embedded.database, Room(["encode", "measure"], 4, 3), look_s=60)
    finder.start()
    embedded.closing.callback(finder.stop, 10)
    finder._room.freed.set()
    assert [embedded.settled(job) for job in jobs] == ["done", "done"]
    assert embedded.events("step.failed") == []


def test_a_step_that_was_found_but_not_claimed_leaves_its_room(embedded: Bench) -> None:
    """Another worker was quicker."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    engine, room = embedded.engine(), Room(["encode"], 1, 1)
    step_id = embedded.steps(job)["one"].id
    engine.pass_over(step_id)
    with embedded.database.read() as session:
        found = messages.passed_over(session, engine.worker, ["encode"], set())
    assert found is not None
    engine.run_step(step_id)
    finder = Finder(engine, embedded.database, room, look_s=60)
    finder._begin(found)
    assert (room.free_queues(), room.freed.is_set()) == (["encode"], False)
    assert embedded.steps(job)["one"].epoch == 1


def test_a_look_ends_at_the_first_claim_that_fails(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full catalogue is read and not written: each of thousands of steps would fail in turn."""
    embedded.job(*(NewStep("encode", f"{n}", payload("encode")) for n in range(50)))
    engine, room = embedded.engine(), Room(["encode"], 5, 2)
    with embedded.database.begin() as session:
        session.execute(update(Step).values(passed_at=now(session)))
    tries = 0

    def begin() -> NoReturn:
        nonlocal tries
        tries += 1
        raise CatalogueFull("no room")

    monkeypatch.setattr(embedded.database, "begin", begin)
    finder = Finder(engine, embedded.database, room, look_s=60)
    with pytest.raises(CatalogueFull):
        finder._look()
    assert (tries, room.free_queues()) == (1, ["encode"])


def test_a_message_whose_claim_fails_is_left_for_later(
    embedded: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its step is ready all the same, and the sweeper sends another message."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    engine = embedded.engine()

    def begin() -> NoReturn:
        raise CatalogueFull("no room")

    with monkeypatch.context() as full:
        full.setattr(embedded.database, "begin", begin)
        engine.run_step(embedded.steps(job)["one"].id)
    assert embedded.steps(job)["one"].state == "ready"


def test_a_worker_that_stops_looks_for_no_steps(embedded: Bench) -> None:
    """Each look would be a write for every step that was ever passed over."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    engine, room = embedded.engine(), Room(["encode"], 1, 1)
    engine.pass_over(embedded.steps(job)["one"].id)
    passed_at = embedded.steps(job)["one"].passed_at
    engine.stopping.set()
    Finder(engine, embedded.database, room, look_s=60)._look()
    step = embedded.steps(job)["one"]
    assert (step.epoch, step.passed_at) == (0, passed_at)


def test_a_worker_that_stops_takes_no_more_steps(embedded: Bench, tmp_path: Path) -> None:
    """A queue of messages is not claimed and given back one by one: each would be two events."""
    never = str(tmp_path / "never")
    jobs = [
        embedded.job(NewStep("encode", "one", payload("encode", until=never))) for _ in range(40)
    ]
    embedded.service()
    eventually(lambda: sum(bool(embedded.steps(job)["one"].sent_at) for job in jobs) >= 38)
    begun = eventually(lambda: len(found := embedded.events("step.started")) >= 2 and found)
    embedded.closing.pop_all().close()
    assert embedded.events("step.started") == begun
    assert sorted(embedded.events("step.released")) == sorted(begun)
    assert {embedded.steps(job)["one"].state for job in jobs} == {"ready"}


def test_the_message_of_a_step_that_a_stopping_worker_took_is_noted(embedded: Bench) -> None:
    """It is gone: others find the step in the catalogue, and need not wait for another message."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    engine = embedded.engine()
    engine.stopping.set()
    engine.run_step(embedded.steps(job)["one"].id)
    step = embedded.steps(job)["one"]
    assert (step.state, step.epoch, step.passed_at is not None) == ("ready", 0, True)
