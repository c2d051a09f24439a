"""Threads for what waits for the object store: a store that hangs may take these, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial, wraps
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, to_thread

T = TypeVar("T")
P = ParamSpec("P")

_threads = CapacityLimiter(16)  # [P] of the 40 that answer all else; each may wait for some minutes


async def in_store_thread(work: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    return await to_thread.run_sync(partial(work, *given, **named), limiter=_threads)


def asks_store(route: Callable[P, T]) -> Callable[P, Awaitable[T]]:
    """A route that calls the store, to be answered in one of these threads."""

    @wraps(route)
    async def apart(*given: P.args, **named: P.kwargs) -> T:
        return await in_store_thread(route, *given, **named)

    return apart
