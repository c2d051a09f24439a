"""Progress as values: long operations are generators of these, and return their result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """`share` is 0–1 of the operation; `None` when unknown. Yielded at least twice a second."""

    share: float | None
    note: str = ""
    frames: int | None = None
    fps: float | None = None
    eta_s: float | None = None


def finish(operation: Generator[Progress, None, T]) -> T:
    """Run an operation to its end without showing progress, and return its result."""
    while True:
        try:
            next(operation)
        except StopIteration as end:
            result: T = end.value
            return result
