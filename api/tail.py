"""The end of the event chain, watched once for all who listen to it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from starlette.concurrency import run_in_threadpool

from pipelines.errors import KapokError
from storage.catalogue import events
from storage.database import Database

POLL_S = 0.5

log = logging.getLogger(__name__)


class EventTail:
    """One query each `POLL_S` while anybody listens; idle listeners cost no thread and no query.

    Lives on the event loop: only `stop` may be called from elsewhere on that loop as well.
    """

    def __init__(self, database: Database, heartbeat_s: float) -> None:
        self._database = database
        self.heartbeat_s = heartbeat_s
        self._changed = asyncio.Event()
        self._listeners = 0
        self._poller: asyncio.Task[None] | None = None
        self.head = 0
        self.stopped = False

    async def wait_beyond(self, head: int, most_s: float) -> None:
        """Until there are events after `head`, anybody's, but so long at most."""
        async with self._listening():
            with suppress(TimeoutError):
                async with asyncio.timeout(most_s):
                    while self.head <= head and not self.stopped:
                        await self._changed.wait()

    def stop(self) -> None:
        """Wake every listener for the last time."""
        self.stopped = True
        self._announce()

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        self._listeners += 1
        if self._poller is None or self._poller.done():
            self._poller = asyncio.create_task(self._poll())
        try:
            yield
        finally:
            self._listeners -= 1

    async def _poll(self) -> None:
        while self._listeners and not self.stopped:
            try:
                head = await run_in_threadpool(self._read_head)
            except KapokError as error:  # the database will be back; listeners wait for it
                log.warning("the events cannot be read: %s", error)
            else:
                if head > self.head:
                    self.head = head
                    self._announce()
            await asyncio.sleep(POLL_S)

    def _read_head(self) -> int:
        with self._database.read() as session:
            return events.head(session)

    def _announce(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()
