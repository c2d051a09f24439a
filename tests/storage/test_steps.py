"""Claims, leases, epochs and fan-in: what keeps two workers from doing one thing twice."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import inspect
from sqlalchemy.orm import Session
from worlds import AWAY, BROKEN, WRONG, World, at_once, statements

from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.progress import Progress
from storage.catalogue import events, jobs, messages, steps
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.errors import LeaseLost
from storage.schema import Step
from storage.settings import MOST_LEASE_S
from tests.pipelines.sources import HD, described
from workers.steps.plan import steps_of


def encode() -> NewStep:
    return NewStep("encode", "encode chunk 1 of 1", {"chunk": 0})


def run_out(world: World, step_id: str) -> None:
    """Make the lease of a running step end a minute ago."""

    def change(session: Session) -> None:
        session.get_one(Step, step_id).lease_until = now(session) - timedelta(minutes=1)

    world.write(change)


def test_a_claim_gives_the_step_with_a_new_epoch_and_a_lease(world: World) -> None:
    """Everything that a worker needs is in the claim; the row says who has it."""
    step = encode()
    job = world.job(step)
    claimed = world.claim(step.id, lease_s=30)
    assert (claimed.epoch, claimed.attempts, claimed.max_attempts) == (1, 1, 4)
    assert (claimed.job_id, claimed.kind, claimed.queue) == (job.id, "encode", "encode")
    assert claimed.payload == {"chunk": 0}
    row = world.step(step.id)
    assert (row.state, row.worker, row.epoch) == ("running", "worker", 1)
    assert row.lease_until == claimed.lease_until
    assert world.job_state(job.id) == "running"


def test_of_20_threads_that_claim_one_step_exactly_one_wins(world: World) -> None:
    """The claim is one conditional update, so it has one winner on both databases."""
    step = encode()
    world.job(step)

    def claim(name: str) -> steps.Claimed | None:
        return world.write(lambda session: steps.claim_step(session, step.id, name, 30))

    claims = at_once([lambda name=f"w{number}": claim(name) for number in range(20)])
    winners = [one for one in claims if one is not None]
    assert len(winners) == 1
    assert winners[0].epoch == 1
    row = world.step(step.id)
    assert (row.epoch, row.attempts) == (1, 1)


def test_eight_finishers_at_once_make_their_dependant_ready_exactly_once(world: World) -> None:
    """No finisher may miss that it was the last one, and none may think so falsely."""
    parts = [NewStep("encode", f"encode chunk {number} of 8", {}) for number in range(1, 9)]
    joined = NewStep("join", "join", {}, after=tuple(part.name for part in parts))
    job = world.job(*parts, joined)
    claims = [world.claim(part.id) for part in parts]

    def finish(claimed: steps.Claimed) -> list[steps.ReadyStep]:
        return world.write(lambda session: steps.finish_step(session, claimed, result={}))

    found = at_once([lambda one=one: finish(one) for one in claims])
    assert [ready for ready in found if ready] == [[(joined.id, "package")]]
    assert world.states(job.id)["join"] == "ready"


def test_a_step_that_is_ready_again_is_claimed_under_a_higher_epoch(world: World) -> None:
    """A lease that ran out, and was swept, gives the step to the next who asks."""
    step = encode()
    world.job(step)
    world.claim(step.id)
    run_out(world, step.id)
    world.write(lambda session: steps.free_expired(session, now(session)))
    second = world.claim(step.id)
    assert (second.epoch, second.attempts) == (2, 2)


def test_a_held_step_is_not_claimed(world: World) -> None:
    """Not even by the worker that holds it."""
    step = encode()
    world.job(step)
    world.claim(step.id)
    again = world.write(lambda session: steps.claim_step(session, step.id, "worker", 30))
    assert again is None


def test_a_message_takes_no_step_whose_lease_ran_out(world: World) -> None:
    """Brokers repeat messages, and a clock that is set ends all leases at once: the sweeper alone
    judges them, which lets the holders renew first.
    """
    step = encode()
    world.job(step)
    held = world.claim(step.id)
    run_out(world, step.id)
    assert world.write(lambda session: steps.claim_step(session, step.id, "other", 30)) is None
    assert world.write(lambda session: steps.renew_lease(session, held, 30)) == "held"
    assert world.step(step.id).passed_at is None


def test_a_waiting_step_is_not_claimed(world: World) -> None:
    """A stale message about a step whose time has not come does nothing."""
    first, later = encode(), NewStep("join", "join", {}, after=("encode",))
    world.job(first, later)
    assert world.write(lambda session: steps.claim_step(session, later.id, "worker", 30)) is None


def test_an_unknown_step_is_not_claimed(world: World) -> None:
    """Messages outlive databases."""
    assert world.write(lambda session: steps.claim_step(session, "stp_0", "worker", 30)) is None


@pytest.mark.parametrize("ending", ["finish", "fail", "cancel", "release"])
def test_an_old_epoch_raises_and_changes_nothing(world: World, ending: str) -> None:
    """A worker that lost its lease writes neither the step nor an event."""
    step = encode()
    world.job(step)
    old = world.claim(step.id)
    run_out(world, step.id)
    world.write(lambda session: steps.free_expired(session, now(session)))
    world.claim(step.id)
    calls = {
        "finish": lambda session: steps.finish_step(
            session, old, result={}, new_steps=[NewStep("join", "join", {})]
        ),
        "fail": lambda session: steps.fail_step(session, old, WRONG),
        "cancel": lambda session: steps.cancel_step(session, old),
        "release": lambda session: steps.release_step(session, old),
    }
    before = _picture(world, step.id)
    with pytest.raises(LeaseLost):
        world.write(calls[ending])
    assert _picture(world, step.id) == before


def test_of_two_workers_with_one_epoch_only_the_one_that_holds_the_step_writes(
    world: World,
) -> None:
    """A restored catalogue, or one that lost a claim, gives an epoch again."""
    step = encode()
    world.job(step)
    mine = world.claim(step.id)
    other = replace(mine, worker="other")
    before = _picture(world, step.id)
    with pytest.raises(LeaseLost):
        world.write(lambda session: steps.finish_step(session, other, result={}))
    assert world.read(lambda session: steps.lease_state(session, other)) == "lost"
    assert world.write(lambda session: steps.renew_lease(session, other, 30)) == "lost"
    assert _picture(world, step.id) == before
    world.write(lambda session: steps.fail_step(session, mine, WRONG))
    discards = [
        world.read(lambda session, one=one: steps.may_discard(session, one))
        for one in (mine, other)
    ]
    assert discards == [True, False]  # what lies under that epoch may be the holder's


def _picture(world: World, step_id: str) -> tuple[object, ...]:
    step = world.step(step_id)
    columns = tuple(getattr(step, column.key) for column in Step.__table__.columns)
    return columns, world.read(events.head), world.states(step.job_id)


def test_the_lease_tells_whether_it_is_held_lost_or_unwanted(world: World) -> None:
    """Looking, renewing and writing progress all give the same answer."""
    step = encode()
    job = world.job(step)
    claimed = world.claim(step.id)

    def ask() -> set[str]:
        progress = Progress(0.5, "encoding", 10, 25.0, 1.0)
        return {
            world.read(lambda session: steps.lease_state(session, claimed)),
            world.write(lambda session: steps.renew_lease(session, claimed, 30)),
            world.write(lambda session: steps.record_progress(session, claimed, progress)),
        }

    assert ask() == {"held"}
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    assert ask() == {"cancel_requested"}
    world.write(lambda session: steps.cancel_step(session, claimed))
    assert ask() == {"lost"}


def test_renewing_holds_a_lease_that_ran_out_unnoticed(world: World) -> None:
    """After a pause of the worker nobody else has the step, so it still is its own."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    run_out(world, step.id)
    state = world.write(lambda session: steps.renew_lease(session, claimed, 30))
    assert state == "held"
    until = world.step(step.id).lease_until
    assert until is not None
    assert until > world.read(now) + timedelta(seconds=20)


def test_progress_is_kept_as_it_was_reported(world: World) -> None:
    """The row holds what a person sees."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    progress = Progress(0.25, "encoding", 25, 12.5, 6.0)
    world.write(lambda session: steps.record_progress(session, claimed, progress))
    assert world.step(step.id).progress == {
        "share": 0.25,
        "note": "encoding",
        "frames": 25,
        "fps": 12.5,
        "eta_s": 6.0,
    }


def test_finishing_keeps_result_command_and_log_and_adds_what_comes_next(world: World) -> None:
    """The whole graph grows in the transaction that finishes its parent."""
    step = encode()
    job = world.job(step)
    claimed = world.claim(step.id)
    follow = [
        NewStep("join", "join hd", {"profile": "hd"}),
        NewStep("measure", "measure hd", {"profiles": ["hd"]}, after=("join hd",)),
        NewStep("package", "package", {}, after=("join", "encode")),
    ]
    ready = world.write(
        lambda session: steps.finish_step(
            session,
            claimed,
            result={"files": {"hd": "key"}},
            command=("ffmpeg", "-i", "in"),
            log_tail="frame=1",
            new_steps=follow,
        )
    )
    assert ready == [(follow[0].id, "package")]
    row = world.step(step.id)
    assert (row.state, row.result, row.log_tail) == ("done", {"files": {"hd": "key"}}, "frame=1")
    assert row.command == ["ffmpeg", "-i", "in"]
    assert row.lease_until is None
    assert world.states(job.id) == {
        "encode chunk 1 of 1": "done",
        "join hd": "ready",
        "measure hd": "waiting",
        "package": "waiting",
    }


def test_who_adds_no_steps_asks_neither_for_the_plan_nor_for_the_names_of_thousands(
    world: World,
) -> None:
    """The job is locked meanwhile, and every chunk of ten hours ends so."""
    step = encode()
    world.job(step, NewStep("join", "join hd", {}, after=("encode",)))
    claimed = world.claim(step.id)
    with statements(world) as asked:
        ready = world.write(lambda session: steps.finish_step(session, claimed, result={}))
    assert [queue for _, queue in ready] == ["package"]
    assert any(text.startswith("UPDATE steps") for text in asked)
    assert not [text for text in asked if text.startswith("SELECT steps.id, steps.name")]
    assert not [text for text in asked if "jobs.plan" in text]


def test_steps_of_fifty_long_profiles_have_names_that_both_databases_take(world: World) -> None:
    """The first profiles tell them apart; each step still knows all of its own."""
    names = tuple(f"{'long' * 15}-{number:03}" for number in range(50))
    info, seen = described(HD)
    made = plan(info, seen, [profile("mobile-540p")])
    rungs = tuple(replace(made.rungs[0], profile=name) for name in names)
    made = replace(made, rungs=rungs, together=(names[:25], names[25:]))
    new = [*steps_of(made, info, None)]
    job = world.job(*new)
    assert set(world.states(job.id)) == {step.name for step in new}
    of_many = [step for step in new if len(step.payload.get("profiles", ())) > 2]
    assert {step.kind for step in of_many} == {"encode", "measure", "package"}
    assert all(step.name.endswith(" …") for step in of_many if step.kind != "package")
    measured = [name for step in new if step.kind == "measure" for name in step.payload["profiles"]]
    assert measured == [*names]
    joins = [step for step in new if step.kind == "join"]
    encodes = {step.name for step in new if step.kind == "encode"}
    assert {len(encodes.intersection(step.after)) for step in joins} == {len(made.chunks)}


def test_columns_that_nobody_wants_are_not_read(world: World) -> None:
    """To use one all the same is an error, and no question for each of thousands of rows."""
    job = world.job(encode())
    (step,) = world.read(
        lambda session: jobs.job_steps(session, job.id, without=(Step.command, Step.payload))
    )
    assert inspect(step).unloaded == {"command", "payload"}
    assert (step.name, step.state) == ("encode chunk 1 of 1", "ready")


def test_a_transient_error_waits_and_is_tried_again(world: World) -> None:
    """Back-off keeps the step from being claimed at once; the error is shown meanwhile."""
    step = encode()
    job = world.job(step)
    assert world.fail(step.id, BROKEN).again
    row = world.step(step.id)
    assert (row.state, row.error, row.attempts) == ("ready", BROKEN, 1)
    assert row.not_before is not None
    assert timedelta(0) < row.not_before - world.read(now) <= timedelta(seconds=2)
    assert world.write(lambda session: steps.claim_step(session, step.id, "worker", 30)) is None
    assert world.job_state(job.id) == "running"


def test_a_transient_error_fails_the_step_when_attempts_are_used_up(world: World) -> None:
    """Four tries by default; then the job has failed, with the step's error."""
    step = encode()
    job = world.job(step)
    verdicts = []
    for _ in range(4):
        verdicts.append(world.fail(step.id, BROKEN))
        world.write(lambda session: setattr(session.get_one(Step, step.id), "not_before", None))
    assert [verdict.again for verdict in verdicts] == [True, True, True, False]
    failed = world.read(lambda session: jobs.get_job(session, world.organisation_id, job.id))
    assert (failed.state, failed.error) == ("failed", BROKEN)


def test_an_outage_of_a_server_is_not_counted_as_an_attempt(world: World) -> None:
    """However long the store is away, the step waits for it."""
    step = encode()
    world.job(step)
    for _ in range(6):
        assert world.fail(step.id, AWAY).again
        world.write(lambda session: setattr(session.get_one(Step, step.id), "not_before", None))
    row = world.step(step.id)
    assert (row.state, row.attempts, row.epoch) == ("ready", 0, 6)


def test_a_permanent_error_fails_at_once(world: World) -> None:
    """Trying again cannot help when the essence is wrong."""
    step = encode()
    job = world.job(step)
    assert not world.fail(step.id, WRONG).again
    assert world.step(step.id).error == WRONG
    assert world.job_state(job.id) == "failed"


def test_a_released_step_is_ready_at_once_and_was_never_tried(world: World) -> None:
    """Stopping a worker costs no attempt."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    world.write(lambda session: steps.release_step(session, claimed))
    row = world.step(step.id)
    assert (row.state, row.attempts, row.sent_at) == ("ready", 0, None)
    assert world.claim(step.id).epoch == 2


def test_the_sweep_frees_expired_leases_and_only_those(world: World) -> None:
    """A freed step is due at once; a step whose lease runs is left alone."""
    lost, held = encode(), NewStep("audio", "encode the sound", {})
    world.job(lost, held)
    world.claim(lost.id)
    world.claim(held.id)
    run_out(world, lost.id)
    freed = world.write(lambda session: steps.free_expired(session, now(session)))
    assert freed == [lost.id]
    due = world.read(lambda session: messages.due_steps(session, "encode", now(session), 60))
    assert due == [(lost.id, "encode")]
    assert world.step(held.id).state == "running"


def test_a_lease_that_a_wrong_clock_wrote_is_over(world: World) -> None:
    """A worker that died while the clock was a day ahead held its step for that day."""
    step = encode()
    world.job(step)
    world.claim(step.id, lease_s=86_400)
    freed = world.write(lambda session: steps.free_expired(session, now(session)))
    assert freed == [step.id]
    world.claim(step.id, lease_s=MOST_LEASE_S)
    assert world.write(lambda session: steps.free_expired(session, now(session))) == []


def test_a_renewal_that_is_under_way_keeps_its_step(world: World) -> None:
    """The sweep waits for it, and judges by what it wrote."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    run_out(world, step.id)
    with ThreadPoolExecutor(1) as pool:
        with world.database.begin() as session:
            assert steps.renew_lease(session, claimed, 30) == "held"
            session.flush()
            sweep = pool.submit(world.write, lambda other: steps.free_expired(other, now(other)))
            time.sleep(1)
        assert sweep.result(30) == []
    assert world.step(step.id).state == "running"


def test_what_a_running_attempt_has_stored_is_never_discarded(world: World) -> None:
    """Its finish may have been written although nobody heard so, and be seen in a while."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    assert not world.read(lambda session: steps.may_discard(session, claimed))
    run_out(world, step.id)
    world.write(lambda session: steps.free_expired(session, now(session)))
    assert world.read(lambda session: steps.may_discard(session, claimed))
    other = world.claim(step.id)
    assert world.read(lambda session: steps.may_discard(session, claimed))
    world.write(lambda session: steps.finish_step(session, other, result={}))
    assert not world.read(lambda session: steps.may_discard(session, other))


def test_who_alone_works_on_a_catalogue_waits_for_no_lease(world: World) -> None:
    """After a crash of the embedded service every running step is due, and its attempt counts."""
    first, second, waiting = encode(), NewStep("audio", "sound", {}), NewStep("plan", "plan", {})
    world.job(first, second, waiting)
    world.claim(first.id, lease_s=600)
    world.claim(second.id, lease_s=600)
    freed = world.write(steps.free_orphans)
    assert sorted(freed) == sorted([first.id, second.id])
    assert [world.step(one).state for one in freed] == ["ready", "ready"]
    assert world.claim(first.id).attempts == 2
    assert world.write(steps.free_orphans) == [first.id]


def test_a_step_that_kills_every_worker_fails_as_worker_lost(world: World) -> None:
    """A file that crashes its worker must not do so for ever."""
    step = encode()
    job = world.job(step)
    for _ in range(4):
        world.claim(step.id)
        run_out(world, step.id)
        world.write(lambda session: steps.free_expired(session, now(session)))
    row = world.step(step.id)
    assert row.state == "failed"
    assert row.error == steps.WORKER_LOST
    found = world.read(lambda session: jobs.get_job(session, world.organisation_id, job.id))
    assert (found.state, found.error) == ("failed", steps.WORKER_LOST)


def test_an_expired_step_of_a_cancelling_job_is_cancelled_by_the_sweep(world: World) -> None:
    """A dead worker cannot confirm the cancel, so the sweeper does."""
    step = encode()
    job = world.job(step)
    world.claim(step.id)
    world.write(lambda session: jobs.request_cancel(session, job, "key_test"))
    run_out(world, step.id)
    world.write(lambda session: steps.free_expired(session, now(session)))
    assert (world.step(step.id).state, world.job_state(job.id)) == ("cancelled", "cancelled")


def test_due_steps_are_unsent_or_sent_long_ago(world: World) -> None:
    """What was just sent is not sent again; what waits for its back-off is not due."""
    unsent, sent, old, backing_off = (
        NewStep("encode", f"encode {name}", {}) for name in ("unsent", "sent", "old", "backing off")
    )
    world.job(unsent, sent, old, backing_off)
    world.fail(backing_off.id, BROKEN)
    world.write(lambda session: messages.mark_sent(session, [sent.id, old.id]))

    def age(session: Session) -> None:
        session.get_one(Step, old.id).sent_at = now(session) - timedelta(minutes=5)

    world.write(age)
    due = world.read(lambda session: messages.due_steps(session, "encode", now(session), 60))
    assert due == [(unsent.id, "encode"), (old.id, "encode")]
    assert world.read(
        lambda session: messages.due_steps(session, "encode", now(session), 60, limit=1)
    ) == [(unsent.id, "encode")]
    measured = world.read(lambda session: messages.due_steps(session, "measure", now(session), 60))
    assert measured == []


def test_a_clock_that_was_ahead_and_is_set_back_keeps_no_step_waiting(world: World) -> None:
    """What it sent counts as lost, and a wait longer than any is over."""
    sent, waiting = encode(), encode()
    world.job(sent, waiting)
    ahead = world.read(now) + timedelta(days=3)
    world.write(lambda session: setattr(session.get_one(Step, sent.id), "sent_at", ahead))
    world.write(lambda session: setattr(session.get_one(Step, waiting.id), "not_before", ahead))
    due = world.read(lambda session: messages.due_steps(session, "encode", now(session), 60))
    assert {step_id for step_id, _ in due} == {sent.id, waiting.id}
    assert world.claim(waiting.id).epoch == 1


def test_is_done_means_done_by_this_very_attempt(world: World) -> None:
    """So a worker whose commit got no answer can find out whether it won."""
    step = encode()
    world.job(step)
    claimed = world.claim(step.id)
    assert not world.read(lambda session: steps.is_done(session, claimed))
    world.write(lambda session: steps.finish_step(session, claimed, result={}))
    assert world.read(lambda session: steps.is_done(session, claimed))
    assert not world.read(lambda session: steps.is_done(session, replace(claimed, epoch=2)))


def test_cancel_and_finish_at_once_never_deadlock_or_lose_a_step(world: World) -> None:
    """Both lock the job first, so one simply waits for the other."""
    made = [world.job(encode()) for _ in range(8)]
    claims = [
        world.claim(world.read(lambda session, job=job: jobs.ready_steps(session, job.id))[0].id)
        for job in made
    ]
    follow = NewStep("join", "join", {})

    def finish(claimed: steps.Claimed) -> str:
        again = NewStep(follow.kind, follow.name, {})
        world.write(
            lambda session: steps.finish_step(session, claimed, result={}, new_steps=[again])
        )
        return "finished"

    def cancel(index: int) -> str:
        world.write(lambda session: jobs.request_cancel(session, made[index], "key_test"))
        return "cancelled"

    at_once(
        [lambda one=one: finish(one) for one in claims]
        + [lambda index=index: cancel(index) for index in range(8)]
    )
    for job in made:
        assert world.job_state(job.id) == "cancelled"
        assert world.states(job.id) == {"encode chunk 1 of 1": "done", "join": "cancelled"}
