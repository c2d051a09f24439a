"""Takes steps that were passed over: a message may reach a worker that cannot do its step.

Sending it to all again would only let it be passed over again, so a worker with room looks for such
steps in the catalogue itself, whenever one of its own ends and else every `look_s`. A worker that
can do none of them may have emptied the whole queue: so they are run as many at once as messages
would let it.
"""

from __future__ import annotations

import logging
import threading
import time
from contextlib import ExitStack

from pipelines.errors import KapokError
from storage.catalogue import messages
from storage.catalogue.steps import Claimed, ReadyStep
from storage.database import Database
from workers.engine import Engine
from workers.room import Room

log = logging.getLogger(__name__)


class Finder:
    """A thread that looks, and one for each step that it found, within the worker's room."""

    def __init__(self, engine: Engine, database: Database, room: Room, look_s: float) -> None:
        self._engine, self._database, self._room, self._look_s = engine, database, room, look_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="finder", daemon=True)
        self._at_work: list[threading.Thread] = []

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Look no more; the steps end as the engine's do when it is stopping."""
        end = time.monotonic() + timeout_s
        self._ended.set()
        self._room.freed.set()
        self._thread.join(timeout_s)
        for thread in self._at_work:
            thread.join(max(end - time.monotonic(), 0))

    def _run(self) -> None:
        while not self._ended.is_set():
            self._room.freed.wait(self._look_s)
            self._room.freed.clear()
            try:
                self._look()
            except KapokError as error:
                log.warning("the catalogue is looked through later: %s", error)
            except Exception:
                log.exception("a look through the catalogue failed; it comes again in a while")

    def _look(self) -> None:
        """Begin steps while there is room; what somebody else got first is not asked for again.

        A claim that the catalogue could not write raises and ends the look: the next would not
        fare better.
        """
        seen: set[str] = set()
        while not self._is_ending() and (queues := self._room.free_queues()):
            with self._database.read() as session:
                found = messages.passed_over(session, self._engine.worker, queues, seen)
            if found is None:
                return
            seen.add(found.id)
            self._begin(found)

    def _is_ending(self) -> bool:
        """An engine that is stopping takes nothing, and its steps leave room as they end."""
        return self._ended.is_set() or self._engine.stopping.is_set()

    def _begin(self, found: ReadyStep) -> None:
        """In a thread of its own. Claimed here, so that the next look does not find it again."""
        with ExitStack() as until_it_runs:
            if not self._room.take(found.queue):
                return
            until_it_runs.callback(self._room.leave, found.queue)
            step = self._engine.claim(found.id)
            if step is None:
                return
            thread = threading.Thread(
                target=self._work, args=(step,), name=f"found-{step.id}", daemon=True
            )
            thread.start()
            self._at_work = [*(one for one in self._at_work if one.is_alive()), thread]
            until_it_runs.pop_all()

    def _work(self, step: Claimed) -> None:
        try:
            self._engine.run(step)
        finally:
            self._room.leave(step.queue)
            self._room.freed.set()
