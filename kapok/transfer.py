"""How far a transfer has come, as a value that callers show as they like."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Transfer:
    """Bytes that are safe on the other side, of all; `resumed_bytes` were there before this run.

    `trouble` is what was refused last and is tried again.
    """

    name: str
    done_bytes: int
    total_bytes: int
    resumed_bytes: int = 0
    trouble: str = ""


def follow(operation: Generator[Transfer, None, T], show: Callable[[Transfer], None] | None) -> T:
    """Run a transfer to its end, showing each value, and return its result."""
    while True:
        try:
            progress = next(operation)
        except StopIteration as end:
            result: T = end.value
            return result
        if show is not None:
            show(progress)
