"""Workers, what they have proven, and which steps they may therefore claim."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session
from worlds import World, at_once

from pipelines.words import Words
from storage.catalogue import jobs, messages, steps, workers
from storage.catalogue.steps import Claimed, NewStep
from storage.catalogue.workers import LivingWorker, Verdict
from storage.clock import now
from storage.schema import Capability, Job, WorkerRow

HEVC, AVC = "hevc@1-aa", "avc@1-bb"
BEAT_S = 30.0


def register(
    world: World, name: str, *proven: str, refused: Iterable[str] = (), memory_bytes: int = 4
) -> None:
    verdicts = [Verdict(key, key.partition("@")[0], 1) for key in proven]
    why = Words("no such library", "没有该库")
    verdicts += [Verdict(key, key.partition("@")[0], 1, why) for key in refused]
    world.write(
        lambda session: workers.register(
            session,
            name,
            host="node",
            queues=["encode"],
            tools={"ffmpeg": "9"},
            memory_bytes=memory_bytes,
            verdicts=verdicts,
        )
    )


def needing(world: World, *keys: str) -> str:
    """A ready step that needs these profiles; its id."""
    step = NewStep("encode", "encode chunk 1 of 1", {"chunk": 0}, needs=keys)

    def define(session: Session) -> None:
        workers.keep_definitions(session, {key: {"name": key} for key in keys})

    world.write(define)
    world.job(step)
    return step.id


def claim(world: World, step_id: str, name: str) -> Claimed | None:
    return world.write(lambda session: steps.claim_step(session, step_id, name, 30))


def passed(world: World, name: str) -> str | None:
    """The step that the worker would find."""
    found = world.read(lambda session: messages.passed_over(session, name, ["encode", "measure"]))
    return found.id if found else None


def living(world: World) -> dict[str, LivingWorker]:
    found = world.read(lambda session: workers.living_workers(session, BEAT_S))
    return {worker.name: worker for worker in found}


def silence(world: World, name: str, for_s: float) -> None:
    """The worker was last heard that long ago."""

    def age(session: Session) -> None:
        row = session.scalars(select(WorkerRow).where(WorkerRow.name == name)).one()
        row.seen_at = now(session) - timedelta(seconds=for_s)

    world.write(age)


def test_a_step_is_claimed_only_by_a_worker_that_proved_all_its_profiles(world: World) -> None:
    """Half of them is not enough, a failed proof is none, and a stranger has none."""
    step_id = needing(world, HEVC, AVC)
    register(world, "half", AVC)
    register(world, "failed", AVC, refused=[HEVC])
    register(world, "able", AVC, HEVC)
    for name in ("half", "failed", "stranger"):
        assert claim(world, step_id, name) is None
        assert (world.step(step_id).state, world.step(step_id).attempts) == ("ready", 0)
    assert claim(world, step_id, "able") is not None
    assert world.step(step_id).worker == "able"


def test_a_step_without_needs_is_claimed_by_anybody(world: World) -> None:
    """To probe or to publish takes no encoder."""
    assert claim(world, needing(world), "stranger") is not None


def test_a_step_that_was_passed_over_is_found_by_who_can_do_it(world: World) -> None:
    """Its message is gone; the worker that cannot do it does not find it, and claiming ends it."""
    step_id = needing(world, HEVC)
    register(world, "able", HEVC)
    register(world, "unable", AVC)
    assert passed(world, "able") is None, "nobody has passed it over yet"
    claim(world, step_id, "unable")
    assert passed(world, "unable") is None
    assert passed(world, "able") == step_id
    assert claim(world, step_id, "able") is not None
    assert world.step(step_id).passed_at is None
    assert passed(world, "able") is None


def test_a_stale_message_of_a_step_that_somebody_runs_passes_nothing_over(world: World) -> None:
    """Only a ready step can lose its message."""
    step_id = needing(world, HEVC)
    register(world, "able", HEVC)
    claim(world, step_id, "able")
    assert claim(world, step_id, "unable") is None
    assert world.step(step_id).passed_at is None


def test_a_dead_worker_counts_for_nothing_and_its_rows_go(world: World) -> None:
    """After three beats of silence; one that is late by two still counts."""
    register(world, "late", HEVC)
    register(world, "dead", HEVC)
    silence(world, "late", 2 * BEAT_S)
    silence(world, "dead", 3 * BEAT_S + 1)
    assert list(living(world)) == ["late"]
    world.write(lambda session: workers.remove_dead(session, BEAT_S))
    rows = world.read(lambda session: list(session.scalars(select(WorkerRow.name))))
    proofs = world.read(lambda session: list(session.scalars(select(Capability.worker_id))))
    assert (rows, len(proofs)) == (["late"], 1)


def test_a_worker_that_was_taken_for_dead_notices_at_its_next_beat(world: World) -> None:
    """Then it registers again with all that it knows, and may claim again."""
    step_id = needing(world, HEVC)
    register(world, "slept", HEVC)
    assert world.write(lambda session: workers.beat(session, "slept"))
    silence(world, "slept", 1000)
    world.write(lambda session: workers.remove_dead(session, BEAT_S))
    assert claim(world, step_id, "slept") is None
    assert not world.write(lambda session: workers.beat(session, "slept"))
    register(world, "slept", HEVC)
    assert claim(world, step_id, "slept") is not None


def test_a_later_verdict_takes_the_place_of_an_earlier_one(world: World) -> None:
    """A library came, or went."""
    register(world, "one", refused=[HEVC])
    why = living(world)["one"].verdicts[HEVC].reason
    assert why is not None
    assert (why, why.zh) == ("no such library", "没有该库")
    register(world, "one", HEVC)
    assert living(world)["one"].can_do(HEVC)
    assert living(world)["one"].tools == {"ffmpeg": "9"}


def test_a_worker_that_retires_is_gone_at_once(world: World) -> None:
    """Nobody plans for it any more."""
    register(world, "one", HEVC)
    world.write(lambda session: workers.retire(session, "one"))
    assert living(world) == {}


def test_plans_that_keep_the_same_definition_at_once_keep_it_once(world: World) -> None:
    """Two plan steps of one profile end in the same moment."""

    def keep() -> None:
        world.write(
            lambda session: workers.keep_definitions(
                session, {HEVC: {"name": "hevc"}, AVC: {"name": "avc"}}
            )
        )

    at_once([keep] * 8)
    needing(world, HEVC)
    needed = world.read(workers.needed_definitions)
    assert needed == {HEVC: {"name": "hevc"}}


def test_what_finished_steps_needed_is_not_needed_any_more(world: World) -> None:
    """No worker proves it again for them."""
    step_id = needing(world, HEVC)
    register(world, "worker", HEVC)
    world.finish(step_id)
    assert world.read(workers.needed_definitions) == {}


def hand_on(world: World, claimed: Claimed, memory_bytes: int) -> None:
    world.write(lambda session: steps.hand_on_step(session, claimed, memory_bytes))


def test_a_step_that_was_too_large_is_left_to_larger_workers(world: World) -> None:
    """It counts as untried; the small one neither finds nor takes it again, the large one does."""
    step_id = needing(world)
    register(world, "small", memory_bytes=4)
    register(world, "large", memory_bytes=9)
    claimed = claim(world, step_id, "small")
    assert claimed is not None
    hand_on(world, claimed, 8)
    assert (world.step(step_id).state, world.step(step_id).attempts) == ("ready", 0)
    assert passed(world, "small") is None
    assert claim(world, step_id, "small") is None
    assert passed(world, "stranger") is None
    assert claim(world, step_id, "stranger") is None
    assert passed(world, "large") == step_id
    assert claim(world, step_id, "large") is not None
    assert world.step(step_id).attempts == 1


def test_what_is_left_to_larger_workers_needs_one_that_could_claim_it(world: World) -> None:
    """Alive, of its queue, with its profiles, and so large."""
    step_id = needing(world, HEVC)

    def lives(memory_bytes: int) -> bool:
        return world.read(
            lambda session: workers.larger_lives(session, step_id, "encode", memory_bytes, BEAT_S)
        )

    register(world, "small", HEVC, memory_bytes=4)
    register(world, "unable", AVC, memory_bytes=99)
    register(world, "dead", HEVC, memory_bytes=99)
    silence(world, "dead", 3 * BEAT_S + 1)
    assert not lives(8)
    register(world, "large", HEVC, memory_bytes=8)
    assert lives(8)
    assert not lives(9)


def test_a_retry_asks_anew_how_large_a_step_is(world: World) -> None:
    """A farm that has become small says at once that it cannot, where it would wait for ever."""
    step_id = needing(world, HEVC)
    register(world, "small", HEVC, memory_bytes=4)
    claimed = claim(world, step_id, "small")
    assert claimed is not None
    hand_on(world, claimed, 8)
    job = world.read(lambda session: session.get_one(Job, claimed.job_id))
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    world.write(lambda session: jobs.retry_job(session, job, "key_test"))
    assert claim(world, step_id, "small") is not None
