"""How many steps a worker runs at once, in all and of each queue."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Room:
    """`threads` steps at once, at most `share` of one queue. `freed` is set whenever one ends."""

    def __init__(self, queues: Sequence[str], threads: int, share: int) -> None:
        self.freed = threading.Event()
        self._queues, self._threads, self._share = tuple(queues), threads, share
        self._running: Counter[str] = Counter()
        self._turn = threading.Lock()

    @contextmanager
    def taken(self, queue: str) -> Iterator[bool]:
        """Whether there is room for a step of that queue; it is taken until the end."""
        with self._turn:
            there = queue in self._free()
            self._running[queue] += there
        try:
            yield there
        finally:
            with self._turn:
                self._running[queue] -= there
            if there:
                self.freed.set()

    def idle_queues(self) -> list[str]:
        """The queues of which no step runs, while there is room for any."""
        with self._turn:
            return [queue for queue in self._free() if not self._running[queue]]

    def _free(self) -> list[str]:
        if self._running.total() >= self._threads:
            return []
        return [queue for queue in self._queues if self._running[queue] < self._share]
