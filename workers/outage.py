"""Waiting for a server that is away: a restart must not cost an hour of encoding."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from pipelines.errors import KapokError
from storage.errors import CatalogueUnavailable, StoreUnavailable

T = TypeVar("T")

OUTAGE_S = 180.0  # [P] how long a store or catalogue that is away is waited for
PAUSE_S = 1.0
LOOK_S = 0.25

log = logging.getLogger(__name__)


def is_outage(error: Exception) -> bool:
    """Whether a server is away, which says nothing about the work itself."""
    return isinstance(error, StoreUnavailable | CatalogueUnavailable)


def outlast(call: Callable[[], T], check: Callable[[], None] = lambda: None) -> T:
    """Call until it works, while what fails is a store or catalogue that is away.

    `check` is called every `LOOK_S` of the waiting and ends it by raising. Other errors are raised
    at once, and an outage's own after `OUTAGE_S`.
    """
    give_up_at = time.monotonic() + OUTAGE_S
    while True:
        try:
            return call()
        except KapokError as error:
            if not is_outage(error) or time.monotonic() > give_up_at:
                raise
            log.warning("waiting: %s", error)
        _pause(check)


def _pause(check: Callable[[], None]) -> None:
    end = time.monotonic() + PAUSE_S
    while time.monotonic() < end:
        check()
        time.sleep(LOOK_S)
