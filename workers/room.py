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
        there = self.take(queue)
        try:
            yield there
        finally:
            if there:
                self.leave(queue)
                self.freed.set()

    def take(self, queue: str) -> bool:
        """Take room for a step of that queue, if there is any: it has to be left again."""
        with self._turn:
            there = queue in self._free()
            self._running[queue] += there
        return there

    def leave(self, queue: str) -> None:
        with self._turn:
            self._running[queue] -= 1

    def free_queues(self) -> list[str]:
        """The queues that a step may begin of."""
        with self._turn:
            return self._free()

    def _free(self) -> list[str]:
        if self._running.total() >= self._threads:
            return []
        return [queue for queue in self._queues if self._running[queue] < self._share]
