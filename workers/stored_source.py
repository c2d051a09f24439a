"""A stored master, read in parts: only the bytes that a chunk needs cross the network."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import AbstractContextManager
from pathlib import Path

from workers.context import StepContext

BLOCK_BYTES = 1 << 20
BLOCKS = 32  # kept: a demuxer comes back to an index, and reads sound between the pictures


class StoredSource:
    """Blocks of an object, fetched when they are asked for."""

    def __init__(self, context: StepContext, key: str, size_bytes: int) -> None:
        self._context, self._key, self._size_bytes = context, key, size_bytes
        self._blocks: OrderedDict[int, bytes] = OrderedDict()

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    def read(self, start: int, end: int) -> bytes:
        """The bytes `start` … `end - 1`; raises where the step is not ours any more."""
        self._context.check()
        first, last = start // BLOCK_BYTES, (end - 1) // BLOCK_BYTES
        found = b"".join(self._block(number) for number in range(first, last + 1))
        at = start - first * BLOCK_BYTES
        return found[at : at + end - start]

    def whole(self) -> AbstractContextManager[Path]:
        return self._context.fetch(self._key)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            self._blocks[number] = self._context.patiently(lambda: self._fetched(number))
            if len(self._blocks) > BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(number)
        return self._blocks[number]

    def _fetched(self, number: int) -> bytes:
        start = number * BLOCK_BYTES
        end = min(start + BLOCK_BYTES, self._size_bytes)
        return b"".join(self._context.objects.open_range(self._key, start, end))
