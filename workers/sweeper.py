"""The sweeper: what no message told anybody, it finds in the catalogue.

Any number of sweepers may run at once: each thing they do is conditional or can be done twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

import dramatiq
from sqlalchemy.orm import Session

from pipelines.errors import KapokError
from storage.catalogue import idempotency, messages, steps, uploads, workers
from storage.catalogue.steps import ReadyStep
from storage.clock import now
from storage.database import Database
from storage.errors import CatalogueUnavailable
from storage.objects import ObjectStore, is_whole
from storage.ownership import own_store
from storage.schema import Upload
from storage.settings import Settings
from workers.asset_objects import tidy_assets
from workers.broker import BROKEN, QUEUES, messages_waiting, send_ready
from workers.outage import each
from workers.work_objects import sweep_work

BATCH = 500
NEVER_RESEND_S = 10 * 365 * 86_400.0
SILENT_S = 86_400.0  # [P] without a byte: whoever was storing that is dead
STEADY_S = 300.0  # [P] a machine that starts with a wrong clock has been told the time by then
TOLERANCE_S = 1.0  # [P] so far a clock is off that nobody set
LIST_EVERY_S = 600.0  # listing the store is dearer than asking the catalogue

log = logging.getLogger(__name__)


class Sweeper:
    """A thread that sweeps every `settings.sweep_s` and outlives every server it talks to."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        objects: ObjectStore,
        broker: dramatiq.Broker,
        *,
        steady_s: float = STEADY_S,
    ) -> None:
        self._settings, self._database = settings, database
        self._objects, self._broker = objects, broker
        self._ended = threading.Event()
        self._resend_after_s = 0.0  # a new process may follow one whose queue died with it
        self._answering_since = self._steady_since = time.monotonic()
        self._steady_s = steady_s
        self._ahead_s: float | None = None
        self._listed_at = -LIST_EVERY_S
        self._thread = threading.Thread(target=self._run, name="sweeper", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        while not self._ended.wait(self._settings.sweep_s):
            self.sweep()

    def sweep(self) -> None:
        """One round. A chore that fails is left for the next round and holds up no other."""
        self._attempt(self._free_expired)
        self._attempt(self._send_unsent)
        self._attempt(self._send_lost)
        self._attempt(self._remove_dead_workers)
        self._attempt(self._expire_uploads)
        self._attempt(self._clean_uploads)
        if time.monotonic() - self._listed_at >= LIST_EVERY_S:
            self._listed_at = time.monotonic()
            self._attempt(self._sweep_work)
            self._attempt(self._tidy_assets)
            self._attempt(self._forget_answers)
            self._attempt(self._remove_leftovers)

    def _attempt(self, chore: Callable[[], None]) -> None:
        try:
            chore()
        except CatalogueUnavailable as error:
            self._answering_since = time.monotonic()
            log.warning("the sweep is put off: %s", error)
        except KapokError as error:
            log.warning("a part of the sweep is put off: %s", error)
        except Exception:
            log.exception("a part of the sweep failed; it comes again in a while")

    def _free_expired(self) -> None:
        """Not soon after the catalogue was away, its clock was set or this machine slept: the
        holders must get the time to renew first.
        """
        with self._database.begin() as session:
            moment = self._moment(session)
            if time.monotonic() - self._answering_since < self._settings.lease_s / 2:
                return
            for step_id in steps.free_expired(session, moment):
                log.warning("the lease of step %s ran out: another worker may take it", step_id)

    def _send_unsent(self) -> None:
        for queue in QUEUES:
            send_ready(self._broker, self._database, self._due(queue, NEVER_RESEND_S))

    def _send_lost(self) -> None:
        """Send again where the queue holds fewer messages than there are ready steps.

        A long queue is no loss: there each ready step still has its message, and sending it again
        every minute would only make the queue longer.
        """
        for queue in QUEUES:
            due = self._due(queue, self._resend_after_s)
            if not due:
                continue
            try:
                waiting = messages_waiting(self._broker, queue)
            except BROKEN as error:
                log.warning("the broker does not answer: %s", error)
                return
            if len(due) > waiting:
                log.info("%d steps of queue %s are sent again", len(due), queue)
                send_ready(self._broker, self._database, due)
        self._resend_after_s = self._settings.resend_after_s

    def _due(self, queue: str, resend_after_s: float) -> list[ReadyStep]:
        with self._database.read() as session:
            return messages.due_steps(session, queue, now(session), resend_after_s, BATCH)

    def _expire_uploads(self) -> None:
        """An object at the key is there by a client's `complete`, which the catalogue has lost.

        So it is after a restore, and after a failover that lost a commit: the master is taken, as
        its client was told.
        """
        with self._database.read() as session:
            moment = self._moment(session)
            if not self._is_steady():
                return
            late = uploads.late_uploads(session, moment, self._settings.unproven_ttl_s)

        def end(upload: Upload) -> None:
            lost = upload.state == "open" and is_whole(self._objects, upload.key, upload.size_bytes)
            with self._database.begin() as session:
                if lost:
                    uploads.complete_upload(session, upload, uploads.SYSTEM)
                else:
                    uploads.expire_upload(session, upload, moment)

        each(late, end)

    def _is_steady(self) -> bool:
        """Whether the catalogue's clock went on evenly for a while: one that was set days ahead
        would end every upload.
        """
        return time.monotonic() - self._steady_since >= self._steady_s

    def _moment(self, session: Session) -> datetime:
        """The catalogue's time; notes where its clock went on otherwise than time did.

        It was read somewhere between the question and the answer, which may be far apart.
        """
        asked = time.monotonic()
        moment = now(session)
        answered = time.monotonic()
        ahead_s = moment.timestamp() - (asked + answered) / 2
        if self._ahead_s is None:
            self._ahead_s = ahead_s
        if abs(ahead_s - self._ahead_s) > TOLERANCE_S + (answered - asked) / 2:
            self._ahead_s = ahead_s
            self._answering_since = self._steady_since = answered
        return moment

    def _remove_dead_workers(self) -> None:
        """As leases are judged: not soon after the catalogue was away."""
        if time.monotonic() - self._answering_since < self._settings.beat_s:
            return
        with self._database.begin() as session:
            workers.remove_dead(session, self._settings.beat_s)

    def _sweep_work(self) -> None:
        own_store(self._database, self._objects)  # what it does not know may be another's
        sweep_work(self._database, self._objects, self._settings.work_ttl_s)

    def _tidy_assets(self) -> None:
        tidy_assets(self._database, self._objects)

    def _forget_answers(self) -> None:
        """Answers under an Idempotency-Key are kept for a day."""
        with self._database.begin() as session:
            idempotency.expire(session, now(session))

    def _remove_leftovers(self) -> None:
        for name in self._objects.remove_leftovers(SILENT_S):
            log.info("nobody goes on with storing %s", name)

    def _clean_uploads(self) -> None:
        """Remove the parts or the object of what will never be an asset."""
        with self._database.read() as session:
            dead = uploads.uploads_to_clean(session, now(session), BATCH)

        def clean(upload: Upload) -> None:
            if upload.store_upload_id:
                self._objects.abort_multipart(upload.key, upload.store_upload_id)
            for one in upload.request.get("subtitles", ()):
                self._objects.delete(one["key"])
            self._objects.delete(upload.key)
            with self._database.begin() as session:
                uploads.mark_cleaned(session, upload)

        each(dead, clean)
