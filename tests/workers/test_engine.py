"""One step at a time: what the engine writes, whatever happens to the step. In both modes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import small_steps
from engine_bench import Bench, eventually, ffmpegs
from small_steps import payload
from sqlalchemy.orm import Session

from storage.catalogue import steps
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.database import Database
from storage.errors import CatalogueUnavailable
from storage.objects import never
from storage.objects_local import LocalStore
from workers.context import StepContext, StepResult
from workers.engine import Engine
from workers.kinds import Kind
from workers.steps.package import STORED_AT_ONCE, store_all

pytestmark = pytest.mark.media


def test_a_finished_step_makes_its_dependants_ready_and_sends_them(embedded: Bench) -> None:
    """Fan-in: the join waits for both encodes, and its message is sent by whoever finished last."""
    job = embedded.job(
        NewStep("encode", "one", payload("encode")),
        NewStep("encode", "two", payload("encode")),
        NewStep("join", "join", payload("encode"), after=("one", "two")),
    )
    engine, found = embedded.engine(), embedded.steps(job)
    engine.run_step(found["one"].id)
    assert embedded.steps(job)["join"].state == "waiting"
    engine.run_step(found["two"].id)
    join = embedded.steps(job)["join"]
    assert (join.state, join.sent_at is not None) == ("ready", True)
    engine.run_step(join.id)
    assert embedded.state(job) == "done"


def test_a_step_keeps_its_command_log_and_result(embedded: Bench) -> None:
    """Every number can be traced to the command that made it."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    step = embedded.steps(job)["one"]
    embedded.engine().run_step(step.id)
    done = embedded.steps(job)["one"]
    key = f"made/{step.id}/1/picture.mp4"
    assert done.result == {"files": {"picture": key}}
    assert (done.command or [])[0] == "ffmpeg"
    assert embedded.keys() == [key]


def test_two_workers_on_the_same_message_run_it_once(bench: Bench, tmp_path: Path) -> None:
    """Redis redelivers and the sweeper re-sends: only the claim decides."""
    tries = tmp_path / "tries"
    job = bench.job(NewStep("encode", "one", payload("encode", tries=str(tries))))
    step = bench.steps(job)["one"]
    engines = [bench.engine(), bench.engine()]
    threads = [threading.Thread(target=one.run_step, args=(step.id,)) for one in engines]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tries.read_text() == "1\n"
    assert bench.events("step.done") == [step.id]


def test_a_permanent_error_fails_at_once_and_says_the_way_out(embedded: Bench) -> None:
    """Trying a bad picture four times would only delay the news."""
    job = embedded.job(NewStep("encode", "one", payload("fail", how="permanent")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    error = {
        "code": "bad_picture",
        "detail": "the picture is bad: send another one",
        "retryable": False,
    }
    assert (embedded.steps(job)["one"].error, embedded.row(job).error) == (error, error)
    assert (embedded.state(job), embedded.steps(job)["one"].attempts) == ("failed", 1)


def test_a_transient_error_waits_and_is_tried_again(embedded: Bench) -> None:
    """The message that comes before the back-off has passed does nothing."""
    job = embedded.job(NewStep("encode", "one", payload("fail", how="transient")))
    step, engine = embedded.steps(job)["one"], embedded.engine()
    engine.run_step(step.id)
    waiting = embedded.steps(job)["one"]
    assert (waiting.state, waiting.attempts) == ("ready", 1)
    assert (waiting.command, waiting.log_tail) == (["ffmpeg", "-x"], "its last words")
    engine.run_step(step.id)
    assert embedded.steps(job)["one"].attempts == 1


def test_the_last_transient_error_is_final(embedded: Bench) -> None:
    """After max_attempts the cause is shown, not the number of tries."""
    job = embedded.job(NewStep("encode", "one", payload("fail", how="transient")))
    step = embedded.steps(job)["one"]
    embedded.change(step.id, attempts=step.max_attempts - 1)
    embedded.engine().run_step(step.id)
    assert (embedded.row(job).error or {})["code"] == "tool_failed"
    assert embedded.state(job) == "failed"


def test_an_unforeseen_error_keeps_its_traceback_out_of_the_error(embedded: Bench) -> None:
    """The API shows the error; the traceback is in the step's log alone."""
    job = embedded.job(NewStep("encode", "one", payload("fail", how="unforeseen")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    step = embedded.steps(job)["one"]
    assert (step.error or {})["code"] == "internal_error"
    assert "secret" not in str(step.error)
    assert "ZeroDivisionError: secret internals" in (step.log_tail or "")


def test_a_cancelled_step_leaves_no_ffmpeg_after_two_seconds(bench: Bench) -> None:
    """The promise of `cancel`, with a real encode that would have lasted a minute."""
    job = bench.job(
        NewStep("encode", "one", payload("encode", seconds=60)),
        NewStep("join", "join", payload("encode"), after=("one",)),
    )
    running = threading.Thread(target=bench.engine().run_step, args=(bench.steps(job)["one"].id,))
    running.start()
    eventually(lambda: ffmpegs(bench.settings.scratch))
    bench.cancel(job)
    asked = time.monotonic()
    eventually(lambda: not ffmpegs(bench.settings.scratch), within_s=2.0)
    running.join(timeout=2.0 - (time.monotonic() - asked))
    assert bench.state(job) == "cancelled"
    assert {step.state for step in bench.steps(job).values()} == {"cancelled"}
    assert bench.keys() == bench.keys("work/") == []


def test_a_late_writer_writes_nothing_and_leaves_no_objects(bench: Bench) -> None:
    """Its lease ran out unnoticed and another worker finished: its result is not used."""
    job = bench.job(NewStep("encode", "one", payload("encode", seconds=3)))
    step = bench.steps(job)["one"]
    other = bench.engine()  # it is there at once: the lease may be renewed
    late = threading.Thread(target=bench.engine().run_step, args=(step.id,))
    late.start()
    eventually(lambda: bench.steps(job)["one"].epoch == 1)
    with bench.database.begin() as session:
        assert steps.free_expired(session, now(session) + timedelta(minutes=1)) == [step.id]
    other.run_step(step.id)
    late.join()
    assert bench.events("step.done") == [step.id]
    assert bench.keys() == [f"made/{step.id}/2/picture.mp4"]
    assert bench.state(job) == "done"


def test_a_full_disk_is_said_before_the_work_begins(embedded: Bench) -> None:
    """Nothing is encoded for an hour only to fail at its end."""
    job = embedded.job(NewStep("encode", "one", payload("need_too_much")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    error = embedded.steps(job)["one"].error or {}
    assert (error["code"], error["retryable"]) == ("disk_full", True)


def test_a_disk_that_fills_up_in_the_middle_says_so_too(embedded: Bench) -> None:
    """The words of ffmpeg for it become the same code, and nothing stays in the scratch folder."""
    job = embedded.job(NewStep("encode", "one", payload("fill_the_disk")))
    embedded.engine().run_step(embedded.steps(job)["one"].id)
    assert (embedded.steps(job)["one"].error or {})["code"] == "disk_full"
    assert list(embedded.settings.scratch.glob("*/stp_*")) == []


def test_retry_runs_only_what_failed(embedded: Bench, tmp_path: Path) -> None:
    """The encode that was done is not done again; what waited behind the failure runs now."""
    heal, tries = tmp_path / "heal", tmp_path / "tries"
    job = embedded.job(
        NewStep("encode", "good", payload("encode", tries=str(tries))),
        NewStep("join", "bad", payload("fail", how="permanent", heal=str(heal)), after=("good",)),
        NewStep("package", "last", payload("encode", tries=str(tries)), after=("bad",)),
    )
    embedded.service()
    assert embedded.settled(job) == "failed"
    assert [step.state for step in embedded.steps(job).values()] == ["done", "failed", "waiting"]
    heal.touch()
    embedded.retry(job)
    assert embedded.settled(job) == "done"
    assert tries.read_text() == "1\n1\n"
    assert embedded.steps(job)["good"].epoch == 1


def test_a_stopped_worker_gives_its_step_back_untried(embedded: Bench) -> None:
    """A deployment must not use up a step's attempts, nor wait for its lease."""
    job = embedded.job(NewStep("encode", "one", payload("encode", seconds=60)))
    step, engine = embedded.steps(job)["one"], embedded.engine()
    running = threading.Thread(target=engine.run_step, args=(step.id,))
    running.start()
    eventually(lambda: ffmpegs(embedded.settings.scratch))
    engine.stopping.set()
    running.join(timeout=20)  # by itself it ends after a minute
    given_back = embedded.steps(job)["one"]
    assert (given_back.state, given_back.attempts) == ("ready", 0)
    assert ffmpegs(embedded.settings.scratch) == []


def test_progress_is_written_with_an_estimate(embedded: Bench) -> None:
    """Somebody waits in front of a screen."""
    job = embedded.job(NewStep("encode", "one", payload("encode", seconds=4)))
    step = embedded.steps(job)["one"]
    running = threading.Thread(target=embedded.engine().run_step, args=(step.id,))
    running.start()
    seen = eventually(
        lambda: (progress := embedded.steps(job)["one"].progress) and progress["share"] and progress
    )
    running.join()
    assert 0 < seen["share"] < 1
    assert seen["frames"] > 0
    assert seen["eta_s"] > 0


class _LosesAnAnswer(Database):
    """A catalogue that commits once without its answer being heard."""

    deaf = False

    @contextmanager
    def begin(self) -> Iterator[Session]:
        with super().begin() as session:
            yield session
        if self.deaf:
            self.deaf = False
            raise CatalogueUnavailable("the answer was lost")


def test_a_finish_whose_answer_was_lost_stands(embedded: Bench) -> None:
    """The second try finds the step done by itself: its objects must not be removed."""
    database = _LosesAnAnswer(embedded.settings.database_url)
    applied: list[int] = []

    def encode(context: StepContext) -> StepResult:
        done = small_steps.encode(context)

        def apply(session: Session) -> None:
            database.deaf = not applied
            applied.append(context.step.epoch)

        return replace(done, apply=apply)

    job = embedded.job(NewStep("encode", "one", payload("encode")))
    kinds = {"encode": Kind(encode)}
    engine = Engine(embedded.settings, database, embedded.objects, embedded.broker, kinds)
    embedded.closing.callback(engine.close)
    step = embedded.steps(job)["one"]
    engine.run_step(step.id)
    database.close()
    assert set(applied) == {1}
    assert embedded.events("step.done") == [step.id]
    assert embedded.keys() == [f"made/{step.id}/1/picture.mp4"]
    assert embedded.state(job) == "done"


class _Slow(LocalStore):
    """A store whose transfers take a minute; they end when their check raises."""

    @contextmanager
    def fetch(self, key: str, scratch: Path, check: Callable[[], None] = never) -> Iterator[Path]:
        for _ in range(600):
            check()
            time.sleep(0.1)
        yield scratch


def test_a_cancel_is_seen_while_an_object_is_fetched(embedded: Bench) -> None:
    """A master of 200 GB is minutes of download; nobody waits for its end to cancel."""
    objects = _Slow(embedded.settings.data / "objects", b"key", "http://kapok.test")

    def fetch(context: StepContext) -> StepResult:
        with context.fetch("assets/master"):
            return StepResult()

    job = embedded.job(NewStep("encode", "one", payload("encode")))
    kinds = {"encode": Kind(fetch)}
    engine = Engine(embedded.settings, embedded.database, objects, embedded.broker, kinds)
    embedded.closing.callback(engine.close)
    running = threading.Thread(target=engine.run_step, args=(embedded.steps(job)["one"].id,))
    running.start()
    eventually(lambda: embedded.steps(job)["one"].state == "running")
    embedded.cancel(job)
    running.join(timeout=30)  # by itself it ends after a minute
    assert embedded.state(job) == "cancelled"


class _Round(LocalStore):
    """A store whose answers are far away: each put waits for the others that are under way."""

    def __init__(self, root: Path, together: int) -> None:
        super().__init__(root, b"key", "http://kapok.test")
        self.barrier, self.puts = threading.Barrier(together), 0

    def put_file(self, path: Path, key: str, check: Callable[[], None] = never) -> None:
        self.puts += 1
        self.barrier.wait(30)
        super().put_file(path, key, check)


def _stores(count: int) -> Callable[[StepContext], StepResult]:
    """A step that stores so many files as a package is stored."""
    names = [f"sound-1/{number:05}.m4s" for number in range(count)]

    def run(context: StepContext) -> StepResult:
        (context.folder / "sound-1").mkdir()
        for name in names:
            (context.folder / name).write_text(name)
        stored = store_all(context, context.folder, "made/pkg", names)
        return StepResult(result={"files": context.follow(stored, start=0.9)})

    return run


def test_segments_are_stored_several_at_once(embedded: Bench) -> None:
    """In the order of their names, whichever came first: ten hours have a hundred thousand."""
    objects = _Round(embedded.settings.data / "objects", STORED_AT_ONCE)
    job = embedded.job(NewStep("package", "one", payload("encode")))
    kinds = {"package": Kind(_stores(STORED_AT_ONCE * 5))}
    engine = Engine(embedded.settings, embedded.database, objects, embedded.broker, kinds)
    embedded.closing.callback(engine.close)

    engine.run_step(embedded.steps(job)["one"].id)

    step = embedded.steps(job)["one"]
    assert step.state == "done", step.error
    files = (step.result or {})["files"]
    assert [file["path"] for file in files] == sorted(file["path"] for file in files)
    assert files[0]["sha256"] == hashlib.sha256(b"sound-1/00000.m4s").hexdigest()
    assert embedded.keys("made/pkg/1/") == [f"made/pkg/1/{file['path']}" for file in files]


def test_no_segment_is_begun_after_a_cancel(embedded: Bench) -> None:
    """And none is under way when the step has ended."""
    objects = _Round(embedded.settings.data / "objects", STORED_AT_ONCE + 1)  # waits for the test
    job = embedded.job(NewStep("package", "one", payload("encode")))
    kinds = {"package": Kind(_stores(100))}
    engine = Engine(embedded.settings, embedded.database, objects, embedded.broker, kinds)
    embedded.closing.callback(engine.close)
    step = threading.Thread(target=engine.run_step, args=(embedded.steps(job)["one"].id,))
    step.start()
    eventually(lambda: objects.barrier.n_waiting == STORED_AT_ONCE)
    embedded.cancel(job)
    time.sleep(2)  # more than the lease takes to see it
    objects.barrier.wait(30)
    step.join(30)
    assert (embedded.state(job), objects.puts) == ("cancelled", STORED_AT_ONCE)
