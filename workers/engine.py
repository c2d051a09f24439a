"""The step engine: claim a step, run it under its lease, and write how it ended.

The only place where `Exception` decides what became of a step; the threads beside it (sweeper,
finder, prover) catch it only to live on and come again. Whatever happens, the catalogue ends up
saying one true thing about the step, or says nothing and the lease runs out, so that another worker
takes it.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import dramatiq
from sqlalchemy.orm import Session

from pipelines.errors import KapokError
from storage.catalogue import messages, steps, workers
from storage.catalogue.locks import lock_job
from storage.catalogue.steps import Claimed, ReadyStep
from storage.clock import now
from storage.database import Database
from storage.errors import LeaseLost
from storage.objects import ObjectStore
from storage.settings import Settings
from workers.broker import QUEUES, send_ready
from workers.context import StepContext, StepResult
from workers.failure import Failure, failure_of, storable_text
from workers.kinds import KINDS, Kind
from workers.lease import Cancelled, Lease, Stopping
from workers.memory import MemoryAccount, TooLittleMemory
from workers.outage import outlast
from workers.proofs import Proofs
from workers.scratch import Scratch, made
from workers.work_objects import delete_work_of_done

log = logging.getLogger(__name__)


class Engine:
    """Runs steps, one a thread. `kinds` says what each kind of step does; tests bring their own."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        objects: ObjectStore,
        broker: dramatiq.Broker,
        kinds: Mapping[str, Kind] = KINDS,
        queues: Sequence[str] = QUEUES,
    ) -> None:
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self.stopping = threading.Event()
        self._settings, self._database = settings, database
        self._objects, self._broker = objects, broker
        self._kinds = kinds
        self.proofs = Proofs(database, self.worker, queues, settings.memory_bytes)
        self._scratch = Scratch(settings.scratch)
        self._memory = MemoryAccount(self._scratch, settings.memory_bytes)

    @property
    def scratch(self) -> Path:
        """The folder of this process alone."""
        return self._scratch.folder

    def close(self) -> None:
        self._scratch.close()

    def run_step(self, step_id: str) -> None:
        """Run the step if it is ready and nobody else has it; otherwise the message was stale."""
        try:
            step = self.claim(step_id)
        except KapokError as error:
            log.warning("step %s is left for later: %s", step_id, error)
            return
        if step is not None:
            self.run(step)

    def run(self, step: Claimed) -> None:
        """Run a step that was claimed here, to its end."""
        log.info("step %s (%s) begins, epoch %d", step.id, step.name, step.epoch)
        with Lease(self._database, step, self._settings.lease_s, self.stopping) as lease:
            self._attempt(self._context(step, lease))

    def pass_over(self, step_id: str) -> None:
        """The step gets no room here: whoever has some finds it in the catalogue."""
        try:
            with self._database.begin() as session:
                messages.pass_over(session, step_id, now(session))
        except KapokError as error:
            log.warning("step %s is left for later: %s", step_id, error)

    def claim(self, step_id: str) -> Claimed | None:
        """The step, from now on ours, if `run` may run it. One that is being stopped takes none."""
        if self.stopping.is_set():
            self.pass_over(step_id)
            return None
        with self._database.begin() as session:
            return steps.claim_step(session, step_id, self.worker, self._settings.lease_s)

    def _context(self, step: Claimed, lease: Lease) -> StepContext:
        return StepContext(
            step,
            lease,
            self._scratch.step_folder(step.id, step.epoch),
            settings=self._settings,
            database=self._database,
            objects=self._objects,
            proofs=self.proofs,
            memory=self._memory,
        )

    def _attempt(self, context: StepContext) -> None:
        step = context.step
        try:
            with made(context.folder):
                done = self._kinds[step.kind].run(context)
            # Without its scratch: on a full disk this waits, and that may be the same disk.
            self._finish(context, done)
        except LeaseLost as lost:
            log.warning("step %s is abandoned: %s", step.id, lost)
            self._discard(context)
        except Cancelled:
            self._end(context, lambda session: steps.cancel_step(session, step))
        except Stopping:
            self._end(context, lambda session: steps.release_step(session, step))
        except TooLittleMemory as error:
            self._hand_on(context, error)
        except Exception as error:  # noqa: BLE001 - the one place where every failure is recorded
            self._fail(context, error)

    def _finish(self, context: StepContext, done: StepResult) -> None:
        if done.fault is not None:
            self._fail(context, done.fault, done.apply)
            return
        step = context.step
        try:
            ready = context.patiently(lambda: self._write_finish(step, done))
        except LeaseLost:
            if not self._won(step):
                raise
            ready = []  # an earlier try did commit; what it made ready the sweeper sends
        log.info("step %s (%s) is done", step.id, step.name)
        send_ready(self._broker, self._database, ready)
        self._tidy(context)

    def _write_finish(self, step: Claimed, done: StepResult) -> list[ReadyStep]:
        with self._database.begin() as session:
            lock_job(session, step.job_id)
            if done.apply is not None:
                done.apply(session)
            return steps.finish_step(
                session,
                step,
                result=done.result,
                command=done.command,
                log_tail=storable_text(done.log_tail or "") or None,
                new_steps=done.new_steps,
            )

    def _fail(
        self,
        context: StepContext,
        error: Exception,
        apply: Callable[[Session], None] | None = None,
    ) -> None:
        step, failure = context.step, failure_of(error)
        log.warning("step %s (%s) failed: %s: %s", step.id, step.name, failure.code, failure.detail)
        self._end(context, lambda session: self._write_failure(session, step, failure, apply))

    def _write_failure(
        self,
        session: Session,
        step: Claimed,
        failure: Failure,
        apply: Callable[[Session], None] | None = None,
    ) -> list[ReadyStep]:
        failed = steps.fail_step(
            session,
            step,
            failure.record(),
            log_tail=failure.log_tail,
            command=failure.command,
        )
        if apply is not None:
            apply(session)
        if not failed.again:
            self._kinds[step.kind].failed(session, step, failure.record())
        return failed.ready

    def _hand_on(self, context: StepContext, error: TooLittleMemory) -> None:
        """Leave the step to a larger worker, which may be busy; where none lives it has failed."""
        step, failure, beat_s = context.step, failure_of(error), self._settings.beat_s
        log.warning("step %s (%s) is too large here: %s", step.id, step.name, failure.detail)

        def write(session: Session) -> list[ReadyStep]:
            lock_job(session, step.job_id)
            if workers.larger_lives(session, step.id, step.queue, error.size_bytes, beat_s):
                steps.hand_on_step(session, step, error.size_bytes)
                return []
            return self._write_failure(session, step, failure)

        self._end(context, write)

    def _end(
        self, context: StepContext, write: Callable[[Session], list[ReadyStep] | None]
    ) -> None:
        """Write how an attempt ended without a result, then remove what it had stored.

        `write` returns what may run although this step did not end well. A full catalogue is waited
        for until the worker is stopped; then it is an outage like others.
        """
        step = context.step

        def write_once() -> list[ReadyStep]:
            with self._database.begin() as session:
                return write(session) or []

        try:
            try:
                ready = outlast(write_once, context.check_end)
            except Stopping:
                ready = outlast(write_once)
            send_ready(self._broker, self._database, ready)
        except LeaseLost as lost:
            log.warning("step %s is abandoned: %s", step.id, lost)
        except KapokError as error:
            log.warning("step %s is left to its lease: %s", step.id, error)
            return
        self._discard(context)

    def _won(self, step: Claimed) -> bool:
        with self._database.read() as session:
            return steps.is_done(session, step)

    def _discard(self, context: StepContext) -> None:
        """Remove this attempt's objects, unless it did finish and nobody heard the answer."""
        try:
            with self._database.read() as session:
                unneeded = steps.may_discard(session, context.step)
            if unneeded:
                self._remove(context.written, context.step.epoch)
        except KapokError as error:
            log.warning("objects of step %s stay until swept: %s", context.step.id, error)

    def _tidy(self, context: StepContext) -> None:
        """Remove what earlier attempts stored, and a done job's work. What stays, sweeps remove."""
        step = context.step
        try:
            for epoch in range(1, step.epoch):
                self._remove(context.written, epoch)
            delete_work_of_done(self._database, self._objects, step.job_id)
        except KapokError as error:
            log.warning("objects around step %s stay until swept: %s", step.id, error)

    def _remove(self, bases: Iterable[str], epoch: int) -> None:
        for base in bases:
            self._objects.delete_prefix(f"{base}/{epoch}/")
