"""Takes steps that were passed over: a message may reach a worker that cannot do its step.

Sending it to all again would only let it be passed over again, so a worker with nothing to do looks
for such steps in the catalogue itself, whenever one of its own ends and else every `look_s`.
"""

from __future__ import annotations

import logging
import threading

from pipelines.errors import KapokError
from storage.catalogue import messages
from storage.database import Database
from workers.engine import Engine
from workers.room import Room

log = logging.getLogger(__name__)


class Finder:
    """A thread that runs them one after another, within the worker's room."""

    def __init__(self, engine: Engine, database: Database, room: Room, look_s: float) -> None:
        self._engine, self._database, self._room, self._look_s = engine, database, room, look_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="finder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._ended.set()
        self._room.freed.set()
        self._thread.join(timeout_s)

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
        queues = self._room.idle_queues()
        if not queues or self._ended.is_set():
            return
        with self._database.read() as session:
            found = messages.passed_over(session, self._engine.worker, queues)
        if found is None:
            return
        with self._room.taken(found.queue) as there:
            if there:
                self._engine.run_step(found.id)
