"""A lease held on a running step: renewed here, in a thread of its own.

The thread does all the talking to the catalogue while media work goes on, so a slow or absent
database never stops the supervision of ffmpeg: `check` only looks at what the thread last heard.
"""

from __future__ import annotations

import logging
import threading
import time
from types import TracebackType
from typing import Self

from pipelines.errors import KapokError
from pipelines.progress import Progress
from storage.catalogue import steps
from storage.catalogue.steps import Claimed
from storage.database import Database
from storage.errors import CatalogueFull, LeaseLost

TICK_S = 0.4  # how often the catalogue is asked; a cancel is seen within one tick
PROGRESS_S = 1.0  # how often progress is written
PATIENCE = 3  # leases long that an unreachable catalogue is endured before the work is given up

log = logging.getLogger(__name__)


class Cancelled(KapokError):
    """Somebody cancelled the job while this step ran."""

    code = "cancelled"


class Stopping(KapokError):
    """The worker is being stopped; another one may take the step at once."""

    code = "worker_stopping"
    retryable = True


class Lease:
    """Keeps one claimed step ours. `with Lease(…) as lease:` starts and ends the thread.

    An unreachable catalogue cannot give the step to anybody else, so its silence is endured for
    `PATIENCE` leases; what decides in the end is the claim, which every write carries. One whose
    disk is full is not silent: while it says that the step is ours, the work goes on.
    """

    def __init__(
        self,
        database: Database,
        step: Claimed,
        lease_s: float,
        stopping: threading.Event,
    ) -> None:
        self._database = database
        self._step, self._lease_s = step, lease_s
        self._stopping = stopping
        self._ended = threading.Event()
        self._state: steps.LeaseState = "held"
        self._heard_at = self._written_at = time.monotonic()
        self._renewed_at = time.time()  # leases end by the wall clock, which a suspend moves on
        self._progress: Progress | None = None
        self._thread = threading.Thread(target=self._keep, name=f"lease-{step.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._ended.set()

    def check(self) -> None:
        """Raise `LeaseLost`, `Cancelled` or `Stopping` when the work must end now."""
        if time.monotonic() - self._heard_at > PATIENCE * self._lease_s:
            raise self._lost()
        if self._state == "cancel_requested":
            raise Cancelled("the job was cancelled")
        self.check_end()

    def check_end(self) -> None:
        """Raise `LeaseLost` or `Stopping` where how the attempt ended need not be written any more.

        A cancel is such an end itself, and what comes of a silent catalogue the write will tell.
        """
        if self._state == "lost":
            raise self._lost()
        if self._stopping.is_set():
            raise Stopping("the worker is being stopped")

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"step {self._step.id} belongs to another worker now")

    def report(self, progress: Progress) -> None:
        """Keep the newest progress; the thread writes it about once a second."""
        self._progress = progress

    def _keep(self) -> None:
        try:
            while self._state != "lost" and not self._ended.wait(TICK_S):
                self._look()
        finally:
            if not self._ended.is_set():  # also after what nobody foresaw: unkept, it runs out
                self._state = "lost"

    def _look(self) -> None:
        try:
            self._state = self._ask_or_read()
            self._heard_at = time.monotonic()
        except KapokError as error:
            log.warning("the catalogue does not answer about step %s: %s", self._step.id, error)

    def _ask_or_read(self) -> steps.LeaseState:
        try:
            return self._ask()
        except CatalogueFull as error:
            log.warning("nothing can be written about step %s: %s", self._step.id, error)
            return self._read()

    def _ask(self) -> steps.LeaseState:
        """Write what is due: new progress, a renewal at a third of the lease. Else only look."""
        now, progress = time.monotonic(), self._progress
        renewing = abs(time.time() - self._renewed_at) >= self._lease_s / 3
        writing = progress is not None and now - self._written_at >= PROGRESS_S
        if not (renewing or writing):
            return self._read()
        with self._database.begin() as session:
            if progress is not None:
                steps.record_progress(session, self._step, progress)
            state = steps.renew_lease(session, self._step, self._lease_s)
        self._renewed_at, self._written_at = time.time(), now
        if self._progress is progress:
            self._progress = None
        return state

    def _read(self) -> steps.LeaseState:
        with self._database.read() as session:
            return steps.lease_state(session, self._step)
