"""Who may go on: what a running step is told about its lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from engine_bench import Bench, eventually
from small_steps import payload

from pipelines.progress import Progress
from storage.catalogue import steps
from storage.catalogue.steps import Claimed, NewStep
from storage.errors import LeaseLost
from workers.lease import Cancelled, Lease, Stopping


def _claimed(bench: Bench) -> Claimed:
    job = bench.job(NewStep("encode", "one", payload("encode")))
    with bench.database.begin() as session:
        claimed = steps.claim_step(session, bench.steps(job)["one"].id, "test", 1.0)
    assert claimed is not None
    return claimed


@contextmanager
def _held(bench: Bench, claimed: Claimed, stopping: threading.Event) -> Iterator[Lease]:
    with Lease(bench.database, claimed, 1.0, stopping) as lease:
        yield lease


def _raises(lease: Lease, error: type[Exception]) -> bool:
    try:
        lease.check()
    except error:
        return True
    return False


def test_a_lease_is_renewed_while_the_work_goes_on(embedded: Bench) -> None:
    """Twice its length passes and it is still ours."""
    claimed = _claimed(embedded)
    with _held(embedded, claimed, threading.Event()) as lease:
        time.sleep(2.0)
        lease.check()
        renewed = embedded.steps(claimed.job_id)["one"].lease_until
    assert renewed is not None
    assert (renewed - claimed.lease_until).total_seconds() > 1.0


def test_a_lease_that_somebody_else_took_is_lost(embedded: Bench) -> None:
    """The epoch was raised: whatever is made from now on is not used."""
    claimed = _claimed(embedded)
    with _held(embedded, claimed, threading.Event()) as lease:
        embedded.change(claimed.id, epoch=claimed.epoch + 1)
        eventually(lambda: _raises(lease, LeaseLost), within_s=2.0)


def test_a_cancel_is_seen_within_half_a_second(embedded: Bench) -> None:
    """The other second and a half of the promise belong to ffmpeg's end."""
    claimed = _claimed(embedded)
    with _held(embedded, claimed, threading.Event()) as lease:
        embedded.cancel(claimed.job_id)
        eventually(lambda: _raises(lease, Cancelled), within_s=0.6)


def test_a_worker_that_is_stopped_says_so_at_once(embedded: Bench) -> None:
    """Nobody has to wait for the catalogue to stop."""
    stopping = threading.Event()
    with _held(embedded, _claimed(embedded), stopping) as lease:
        stopping.set()
        with pytest.raises(Stopping):
            lease.check()


def test_the_newest_progress_is_what_gets_written(embedded: Bench) -> None:
    """Two looks a second are plenty for a person; the catalogue is spared the rest."""
    claimed = _claimed(embedded)
    with _held(embedded, claimed, threading.Event()) as lease:
        for percent in range(50):
            lease.report(Progress(percent / 100, frames=percent))
        seen = eventually(lambda: embedded.steps(claimed.job_id)["one"].progress)
    assert (seen["share"], seen["frames"]) == (0.49, 49)


def test_a_silent_catalogue_is_endured_and_then_given_up(embedded: Bench) -> None:
    """It cannot give the step away while it is silent; but nobody may encode for ever unheard."""
    claimed = _claimed(embedded)
    with _held(embedded, claimed, threading.Event()) as lease, embedded.database.begin():
        # This transaction is SQLite's one writer: the lease's renewal waits behind it.
        time.sleep(1.5)
        lease.check()
        eventually(lambda: _raises(lease, LeaseLost), within_s=4.0)
