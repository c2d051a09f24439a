"""A catalogue whose disk is full: what is at work goes on, and is written when there is room."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from engine_bench import Bench, eventually, open_bench
from missing import missing_tool
from small_steps import payload

from storage.catalogue.steps import NewStep
from storage.errors import CatalogueFull
from workers import outage
from workers.engine import Engine
from workers.failure import failure_of
from workers.outage import outlast

LEASES = 4  # more than a silent catalogue is endured


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    argv = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(argv, capture_output=True, check=False).returncode != 0:
        missing_tool("only root may mount a small file system")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def bench(tmp_path: Path, migrated: Path, disk: Path) -> Iterator[Bench]:
    """Its catalogue lies on a disk of its own."""
    shutil.copy(migrated, disk)
    url = f"sqlite:///{disk / migrated.name}"
    with open_bench(tmp_path / "data", {"KAPOK_DATABASE_URL": url}) as found:
        yield found


def fill(bench: Bench, disk: Path) -> None:
    """Until not a page of the journal has room; its own old pages would be room too."""
    with (disk / "all").open("wb", 0) as file:
        for _ in range(2):
            with suppress(OSError):  # the disk's end
                while file.write(bytes(4096)):
                    pass
            with closing(sqlite3.connect(disk / "kapok.db", timeout=10)) as catalogue:
                catalogue.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(CatalogueFull), bench.database.begin() as session:
        session.connection().exec_driver_sql("CREATE TABLE more (more)")


def test_a_step_that_ends_on_a_full_disk_is_finished_when_there_is_room(
    bench: Bench, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither killed for its lease nor done again, and no attempt is counted.

    However long it takes: a person has to come.
    """
    monkeypatch.setattr(outage, "OUTAGE_S", 1.0)
    tries, end = tmp_path / "tries", tmp_path / "end"
    job = bench.job(NewStep("encode", "one", payload("encode", tries=str(tries), until=str(end))))
    step = bench.steps(job)["one"]
    thread = threading.Thread(target=bench.engine().run_step, args=(step.id,))
    thread.start()
    eventually(lambda: (bench.steps(job)["one"].progress or {}).get("note") == "waits for the test")
    fill(bench, disk)
    time.sleep(LEASES * bench.settings.lease_s)
    end.touch()
    eventually(lambda: bench.keys() == [f"made/{step.id}/1/picture.mp4"])
    time.sleep(2.0)
    scratch = list(bench.settings.scratch.glob(f"*/*{step.id}*"))
    waiting = bench.steps(job)["one"].state
    (disk / "all").unlink()  # before anything is asserted: the step waits for ever
    thread.join(30)
    assert (waiting, scratch) == ("running", [])
    found = bench.steps(job)["one"]
    assert (found.state, found.attempts, found.epoch) == ("done", 1, 1)
    assert tries.read_text() == "1\n"


@pytest.mark.parametrize("how", ["fail", "cancel"])
def test_a_step_that_does_not_end_well_on_a_full_disk_says_so_when_there_is_room(
    bench: Bench, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Its reason is not lost after a while, and it is not done again only to end so once more."""
    monkeypatch.setattr(outage, "OUTAGE_S", 1.0)
    end = tmp_path / "end"
    job, thread = _will_fail(bench, bench.engine(), end)
    if how == "cancel":
        bench.cancel(job)
    fill(bench, disk)
    time.sleep(1.0)  # until the lease has seen the cancel
    end.touch()
    time.sleep(4.0)
    waiting, at_work = bench.steps(job)["one"].state, thread.is_alive()
    (disk / "all").unlink()  # before anything is asserted: the step waits for ever
    thread.join(30)
    assert (waiting, at_work) == ("running", True)
    found = bench.steps(job)["one"]
    state, code = ("failed", "bad_picture") if how == "fail" else ("cancelled", None)
    assert (found.state, (found.error or {}).get("code")) == (state, code)
    assert (found.attempts, found.epoch) == (1, 1)


def test_a_worker_that_stops_waits_for_room_no_longer_than_for_a_server(
    bench: Bench, disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or no thread of it would ever end."""
    monkeypatch.setattr(outage, "OUTAGE_S", 1.0)
    engine, end = bench.engine(), tmp_path / "end"
    job, thread = _will_fail(bench, engine, end)
    fill(bench, disk)
    end.touch()
    time.sleep(3.0)
    at_work = thread.is_alive()
    engine.stopping.set()
    thread.join(20)
    ended = not thread.is_alive()
    (disk / "all").unlink()  # before anything is asserted: the step may wait for ever
    thread.join(30)
    assert (at_work, ended, bench.steps(job)["one"].state) == (True, True, "running")


def _will_fail(bench: Bench, engine: Engine, end: Path) -> tuple[str, threading.Thread]:
    """A job whose step runs, and fails for good once `end` is there."""
    deed = payload("fail", how="permanent", until=str(end))
    job = bench.job(NewStep("encode", "one", deed))
    thread = threading.Thread(target=engine.run_step, args=(bench.steps(job)["one"].id,))
    thread.start()
    eventually(lambda: bench.steps(job)["one"].state == "running")
    return job, thread


def test_an_attempt_that_failed_for_the_full_catalogue_is_not_counted(bench: Bench) -> None:
    """It is tried again as after any outage; and the disk is the catalogue's, not the scratch."""
    job = bench.job(NewStep("encode", "one", payload("fail", how="full catalogue")))
    engine = bench.engine()
    for _ in range(2):
        bench.change(bench.steps(job)["one"].id, not_before=None)
        engine.run_step(bench.steps(job)["one"].id)
    step = bench.steps(job)["one"]
    assert (step.state, step.attempts, step.epoch) == ("ready", 0, 2)
    assert (step.error or {})["code"] == "catalogue_full"
    assert failure_of(CatalogueFull("no room")).retryable


def test_what_nobody_can_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk holds no thread for ever that has no lease to look at."""
    monkeypatch.setattr(outage, "OUTAGE_S", 0.0)

    def write() -> None:
        raise CatalogueFull("no room")

    with pytest.raises(CatalogueFull):
        outlast(write)
