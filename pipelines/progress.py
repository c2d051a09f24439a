"""Progress as values: long operations are generators of these, and return their result."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, replace
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


def part(
    operation: Generator[Progress, None, T], start: float, end: float, note: str
) -> Generator[Progress, None, T]:
    """Run one part of a longer operation: its share is laid into `start`–`end` of the whole."""
    try:
        while True:
            now = next(operation)
            share = start if now.share is None else start + now.share * (end - start)
            yield replace(now, share=share, note=now.note or note, eta_s=None)
    except StopIteration as finished:
        result: T = finished.value
        return result
    finally:
        operation.close()  # closing the whole stops the part at once
