"""Worker processes that die with kill -9 in the middle of a real encode. In both modes."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench, eventually, ffmpegs
from small_steps import payload

from storage.catalogue.steps import NewStep

pytestmark = [pytest.mark.media, pytest.mark.slow]


def test_another_worker_finishes_what_a_killed_one_began(bench: Bench, tmp_path: Path) -> None:
    """After the lease: one result, by the second attempt; no ffmpeg and no scratch left behind."""
    tries = tmp_path / "tries"
    job = bench.job(
        NewStep("encode", "one", payload("encode", seconds=3, tries=str(tries))),
        NewStep("join", "join", payload("encode"), after=("one",)),
    )
    doomed = bench.worker()
    eventually(lambda: ffmpegs(bench.settings.scratch))
    doomed.kill()
    eventually(lambda: not ffmpegs(bench.settings.scratch), within_s=2.0)
    bench.worker()
    assert bench.settled(job) == "done"
    found = bench.steps(job)
    assert tries.read_text() == "1\n2\n"
    assert bench.events("step.done") == [found["one"].id, found["join"].id]
    assert bench.events("step.lost") == [found["one"].id]
    assert len(list(bench.settings.scratch.iterdir())) == 1  # the living worker's own folder


def test_a_step_that_kills_its_workers_is_given_up(bench: Bench) -> None:
    """Poison must not go round for ever: the error says what happened and what to look at."""
    job = bench.job(NewStep("encode", "poison", payload("kill_the_worker")))
    step = bench.steps(job)["poison"]
    bench.change(step.id, max_attempts=2)
    for _ in range(2):
        bench.worker("encode").wait(20)
    bench.worker("inspect")  # its sweeper frees leases; it takes no encodes
    assert bench.settled(job) == "failed"
    error = bench.row(job).error or {}
    assert (error["code"], error["retryable"]) == ("worker_lost", False)
    assert bench.steps(job)["poison"].attempts == 2


def test_a_terminated_worker_ends_by_itself_and_gives_back_its_step(bench: Bench) -> None:
    """SIGTERM, as systemd and Kubernetes send it: no ffmpeg stays, the step waits for nobody.

    Within the half minute that Kubernetes gives: 4 s here, 16 s beside six busy processes.
    """
    job = bench.job(NewStep("encode", "one", payload("encode", seconds=60)))
    worker = bench.worker()
    eventually(lambda: ffmpegs(bench.settings.scratch))
    worker.terminate()
    assert worker.wait(30) == 0
    given_back = bench.steps(job)["one"]
    assert (given_back.state, given_back.attempts) == ("ready", 0)
    assert ffmpegs(bench.settings.scratch) == []
    assert list(bench.settings.scratch.iterdir()) == []
