"""Waiting for a server that is away: a restart must not cost an hour of encoding."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from pipelines.errors import KapokError
from storage.errors import CatalogueFull, CatalogueUnavailable, StoreUnavailable

T = TypeVar("T")

OUTAGE_S = 180.0  # [P] how long a store or catalogue that is away is waited for
PAUSE_S = 1.0
LOOK_S = 0.25
FAILING_S = 5.0  # [P] a sweep also frees leases: it must not stand still

log = logging.getLogger(__name__)


def is_outage(error: Exception) -> bool:
    """Whether a server is away, or its disk full, which says nothing about the work itself."""
    return isinstance(error, StoreUnavailable | CatalogueUnavailable)


def each(things: Sequence[T], act: Callable[[T], object]) -> None:
    """`act` on each thing; one that fails is left for the next time and holds up none after it.

    But a server that is away lets its callers wait: after `FAILING_S` of that the rest is left too.
    So the order is another one each time: what fails slowly every time would hide what follows it.
    """
    lost_s = 0.0
    for thing in random.sample(things, len(things)):
        began = time.monotonic()
        try:
            act(thing)
        except CatalogueUnavailable:
            raise
        except KapokError as error:
            lost_s += time.monotonic() - began
            if lost_s > FAILING_S:
                raise
            log.warning("it is left for the next time: %s", error)


def outlast(call: Callable[[], T], check: Callable[[], None] | None = None) -> T:
    """Call until it works, while what fails is a store or catalogue that is away.

    `check` is called every `LOOK_S` of the waiting and ends it by raising. Other errors are raised
    at once, and an outage's own after `OUTAGE_S` of it (a call may have gone well for an hour
    before); but who has a `check` waits for a catalogue whose disk is full as long as that lets it,
    because somebody has to come and free some space.
    """
    began: float | None = None
    while True:
        try:
            return call()
        except KapokError as error:
            began = began or time.monotonic()
            late = time.monotonic() - began > OUTAGE_S
            endless = check is not None and isinstance(error, CatalogueFull)
            if not is_outage(error) or (late and not endless):
                raise
            log.warning("waiting: %s", error)
        _pause(check)


def _pause(check: Callable[[], None] | None) -> None:
    end = time.monotonic() + PAUSE_S
    while time.monotonic() < end:
        if check is not None:
            check()
        time.sleep(LOOK_S)
