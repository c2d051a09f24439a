"""Steps on one machine never hold more memory together than it may give."""

from __future__ import annotations

import errno
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from engine_bench import Bench, eventually
from missing import missing_tool
from small_steps import payload

from pipelines.progress import Progress
from storage.catalogue import steps, workers
from storage.catalogue.steps import NewStep
from workers.context import StepContext
from workers.lease import Cancelled, Lease
from workers.memory import MemoryAccount, TooLittleMemory
from workers.scratch import Scratch

HOLD = """
import sys, time, pathlib
from workers.memory import MemoryAccount
from workers.scratch import Scratch
account = MemoryAccount(Scratch(pathlib.Path(sys.argv[1])), 100)
with account.given("other", 70, lambda: None):
    print("held", flush=True)
    time.sleep(60)
"""


def never() -> None:
    """A check that finds nothing."""


def account(root: Path) -> MemoryAccount:
    return MemoryAccount(Scratch(root), 100)


def test_what_does_not_fit_waits_for_another_to_end(tmp_path: Path) -> None:
    """In the order of the machine's memory, not of its threads."""
    shared, told = account(tmp_path), list[str]()

    def second() -> None:
        with shared.given("second", 60, never):
            told.append("second begins")

    with shared.given("first", 60, never):
        thread = threading.Thread(target=second)
        thread.start()
        with shared.given("third", 40, never):
            told.append("third fits beside the first")
        thread.join(1.2)
        assert thread.is_alive()
        told.append("first ends")
    thread.join(10)
    assert told == ["third fits beside the first", "first ends", "second begins"]


def test_a_large_step_is_not_passed_for_ever(tmp_path: Path) -> None:
    """Small ones that would fit may pass it for a while, and then wait behind it."""
    shared, told = MemoryAccount(Scratch(tmp_path), 100, patience_s=1.0), list[str]()

    def step(name: str, size_bytes: int) -> threading.Thread:
        def run() -> None:
            with shared.given(name, size_bytes, never):
                told.append(name)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    with shared.given("first", 60, never):
        large = step("large", 80)
        eventually(lambda: any((shared._waiting).iterdir()), 5)
        step("passes it", 40).join(10)
        time.sleep(1.1)
        small = step("waits behind it", 40)
        small.join(1.2)
        assert small.is_alive()
        assert told == ["passes it"]
    large.join(10)
    small.join(10)
    assert told == ["passes it", "large", "waits behind it"]
    assert not list(shared._waiting.iterdir())


def test_a_step_that_is_cancelled_waits_no_longer(tmp_path: Path) -> None:
    def cancelled() -> None:
        raise Cancelled

    shared = account(tmp_path)
    with shared.given("first", 60, never):
        with pytest.raises(Cancelled), shared.given("second", 60, cancelled):
            pytest.fail("there was no room for it")
        with shared.given("third", 40, never):
            pass


def test_what_can_never_fit_is_refused(tmp_path: Path) -> None:
    """Both sizes, and the ways out."""
    with (
        pytest.raises(TooLittleMemory, match=r"needs about 2\.0 GB.*gives 0\.0 GB.*KAPOK_MEMORY"),
        account(tmp_path).given("huge", 2_000_000_000, never),
    ):
        pytest.fail("it has no room")


def test_processes_share_the_account_and_a_killed_one_gives_back(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    shared, begun = account(tmp_path), threading.Event()

    def wanted() -> None:
        with shared.given("mine", 60, never):
            begun.set()

    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        thread = threading.Thread(target=wanted)
        thread.start()
        assert not begun.wait(1.2)
        other.kill()
    eventually(begun.is_set, 10)
    thread.join()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB."""
    argv = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        missing_tool("only root may mount a small file system")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)


def fill(disk: Path) -> None:
    with suppress(OSError):  # at its end
        (disk / "all").write_bytes(bytes(1 << 20))


def test_a_full_disk_leaves_no_entry_that_nobody_can_read(small_disk: Path) -> None:
    """Neither of a step that is given memory nor of one that waits: no other step feels it."""
    shared, neighbour = account(small_disk), account(small_disk)
    with neighbour.given("first", 60, never):
        fill(small_disk)
        for size_bytes in (40, 50):  # has room; waits
            with (
                pytest.raises(OSError, match="No space left") as full,
                shared.given("second", size_bytes, never),
            ):
                pytest.fail("its entry has no room")
            assert full.value.errno == errno.ENOSPC
        (small_disk / "all").unlink()
        with shared.given("second", 40, never):
            pass


def test_an_empty_entry_of_another_process_holds_nothing(tmp_path: Path) -> None:
    """A process that could not take its entry back, on a disk that is full for that too."""
    shared, neighbour = account(tmp_path), account(tmp_path)
    (neighbour._own / "cut-short").touch()
    (neighbour._waiting / "cut-short").touch()
    with shared.given("mine", 100, never):
        pass


def test_a_step_says_that_it_waits_for_memory_and_counts_its_pace_from_then(
    embedded: Bench,
) -> None:
    """What is left is told by the time of the work alone."""
    job = embedded.job(NewStep("encode", "one", payload("encode")))
    with embedded.database.begin() as session:
        claimed = steps.claim_step(session, embedded.steps(job)["one"].id, "test", 30.0)
    assert claimed is not None
    lease = Lease(embedded.database, claimed, 30.0, threading.Event())
    shared, told = account(embedded.settings.scratch), list[Progress | None]()
    engine = embedded.engine()
    context = StepContext(
        *(claimed, lease, engine.scratch),
        settings=embedded.settings,
        database=embedded.database,
        objects=embedded.objects,
        proofs=engine.proofs,
        memory=shared,
    )

    def half() -> Generator[Progress, None, None]:
        yield Progress(0.5)

    def wait_and_work() -> None:
        with context.memory(60):
            context.follow(half())
            told.append(lease._progress)

    for _ in range(2):  # the second time, work has begun before
        thread = threading.Thread(target=wait_and_work)
        with shared.given("other", 60, never):
            thread.start()
            eventually(lambda: lease._progress == Progress(None, "waits for 0.0 GB of memory"), 5)
            time.sleep(1.0)
        thread.join(10)
    first, second = told
    assert first is not None
    assert second is not None
    assert (first.share, second.share) == (0.5, 0.5)
    assert (first.eta_s or 9) < 0.5
    assert (second.eta_s or 9) < 0.9  # half of it was done in what passed between the two


def held(bench: Bench, size_bytes: int) -> str:
    """A job of one step that needs so much memory."""
    return bench.job(NewStep("encode", "one", payload("hold_memory", bytes=size_bytes)))


def sized(bench: Bench, memory_bytes: int) -> subprocess.Popen[str]:
    """A worker process on a machine of its own that gives so much."""
    scratch = str(bench.settings.data / f"scratch-{memory_bytes}")
    return bench.worker(KAPOK_MEMORY_BYTES=str(memory_bytes), KAPOK_SCRATCH=scratch)


def test_a_small_worker_leaves_a_large_step_to_a_large_one_that_is_busy(bench: Bench) -> None:
    """Once, without a try of it counted; the large one takes it when it has room."""
    sized(bench, 4_000_000)
    with bench.database.begin() as session:
        workers.register(
            session, "busy", host="node", queues=["encode"], tools={}, memory_bytes=9_000_000
        )
    large, small = held(bench, 8_000_000), held(bench, 3_000_000)
    assert bench.settled(small) == "done"
    eventually(lambda: bench.steps(large)["one"].passed_at)
    time.sleep(1.0)
    step = bench.steps(large)["one"]
    assert (step.state, step.attempts, step.epoch) == ("ready", 0, 1)
    worker = sized(bench, 9_000_000)
    assert bench.settled(large) == "done"
    done = bench.steps(large)["one"]
    assert (done.attempts, str(done.worker).split(":")[1]) == (1, str(worker.pid))


def test_a_step_that_is_too_large_for_all_fails_at_once(bench: Bench) -> None:
    """With both numbers and the ways out, where nothing would change by waiting."""
    sized(bench, 4_000_000)
    job = held(bench, 8_000_000)
    assert bench.settled(job, within_s=20) == "failed"
    step = bench.steps(job)["one"]
    assert (step.attempts, (step.error or {})["code"]) == (1, "too_little_memory")
    assert "KAPOK_MEMORY_BYTES" in (step.error or {})["detail"]
