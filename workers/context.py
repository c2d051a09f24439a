"""What a step may use while it runs: its row, its scratch folder, the store, and its lease."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from pipelines.errors import KapokError
from pipelines.progress import Progress
from storage.catalogue.steps import Claimed, NewStep
from storage.database import Database
from storage.objects import ObjectStore
from storage.settings import Settings
from workers.lease import Lease
from workers.memory import MemoryAccount
from workers.outage import outlast
from workers.proofs import Proofs
from workers.scratch import need_bytes

T = TypeVar("T")

MUCH_BYTES = 1_000_000_000  # [P]
ETA_FROM_SHARE = 0.02  # before that the guess is noise


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step that succeeded wants written, all of it in the one transaction that finishes it.

    `apply` changes the catalogue's other rows inside that transaction, and may run again when the
    transaction has to be tried again. With a `fault` the step has failed with it, and of the result
    only what `apply` writes is kept: what was made of other things than the faulty.
    """

    result: Mapping[str, Any] = field(default_factory=dict)
    new_steps: tuple[NewStep, ...] = ()
    apply: Callable[[Session], None] | None = None
    command: tuple[str, ...] | None = None
    log_tail: str | None = None
    fault: KapokError | None = None


class StepContext:
    """One attempt of one step. What it stores lies under a prefix that ends in its epoch."""

    def __init__(
        self,
        step: Claimed,
        lease: Lease,
        folder: Path,
        *,
        settings: Settings,
        database: Database,
        objects: ObjectStore,
        proofs: Proofs,
        memory: MemoryAccount,
    ) -> None:
        self.step = step
        self.folder = folder
        self.settings = settings
        self.database = database
        self.objects = objects
        self.proofs = proofs
        self.written: list[str] = []  # prefixes without their epoch, in the order of first use
        self._lease, self._memory = lease, memory
        self._began: float | None = None  # its first operation, without the waits for memory

    def follow(
        self, operation: Generator[Progress, None, T], *, start: float = 0.0, end: float = 1.0
    ) -> T:
        """Run an operation to its end, showing its progress as `start`…`end` of the step's.

        Between two of its progress values the lease is looked at; when it is gone the operation is
        closed, which kills its ffmpeg, and `LeaseLost`, `Cancelled` or `Stopping` is raised.
        """
        if self._began is None:
            self._began = time.monotonic()
        try:
            while True:
                self.check()
                try:
                    progress = next(operation)
                except StopIteration as finished:
                    result: T = finished.value
                    return result
                self._lease.report(self._within(progress, start, end))
        finally:
            operation.close()

    def _within(self, progress: Progress, start: float, end: float) -> Progress:
        if progress.share is None or self._began is None:
            return progress
        share = start + progress.share * (end - start)
        passed_s = time.monotonic() - self._began
        eta_s = passed_s * (1 - share) / share if share > ETA_FROM_SHARE else None
        return replace(progress, share=share, eta_s=eta_s)

    def check(self) -> None:
        """Raise `LeaseLost`, `Cancelled` or `Stopping` when the work must end now."""
        self._lease.check()

    def check_end(self) -> None:
        """`check` of what is left to be written of an attempt that has no result."""
        self._lease.check_end()

    def patiently(self, call: Callable[[], T]) -> T:
        """Call until it works while a server is away, as long as the step stays ours."""
        return outlast(call, self.check)

    def read(self, query: Callable[[Session], T]) -> T:
        """Ask the catalogue. The answer must not be lazy: the session is closed when it returns."""

        def ask() -> T:
            with self.database.read() as session:
                return query(session)

        return self.patiently(ask)

    @contextmanager
    def fetch(self, key: str) -> Iterator[Path]:
        """A readable local path of a stored object; without a copy where the store is a folder."""
        folder = Path(tempfile.mkdtemp(prefix="fetch-", dir=self.folder))
        with ExitStack() as stack:
            fetching = self.objects.fetch
            yield self.patiently(lambda: stack.enter_context(fetching(key, folder, self.check)))

    def prefix(self, base: str) -> str:
        """`base/{epoch}`, under which this attempt alone writes."""
        if base not in self.written:
            self.written.append(base)
        return f"{base}/{self.step.epoch}"

    def put(self, path: Path, base: str, name: str) -> str:
        """Store a finished file as `base/{epoch}/{name}` and return that key."""
        key = f"{self.prefix(base)}/{name}"
        self.patiently(lambda: self.objects.put_file(path, key, self.check))
        return key

    @property
    def work(self) -> str:
        """Base of what only later steps of the same job read."""
        return f"work/{self.step.job_id}/{self.step.id}"

    @contextmanager
    def memory(self, size_bytes: int) -> Iterator[None]:
        """So much of this machine's memory, as soon as other steps leave it.

        Until then that is what the step's progress says, and the wait tells nothing of its pace.
        """
        came = time.monotonic()

        def wait() -> None:
            self._lease.report(Progress(None, f"waits for {size_bytes / 1e9:.1f} GB of memory"))
            self.check()

        with self._memory.given(f"{self.step.id}-{self.step.epoch}", size_bytes, wait):
            if self._began is not None:
                self._began += time.monotonic() - came
            yield

    def memory_if_much(self, size_bytes: int) -> AbstractContextManager[None]:
        """`memory` of a step that only decodes: of HD and most of UHD that is too little to ask."""
        return nullcontext() if size_bytes < MUCH_BYTES else self.memory(size_bytes)

    def need_scratch(self, size_bytes: int) -> None:
        need_bytes(self.folder, size_bytes)
