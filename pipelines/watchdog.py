"""Tells a tool that hangs from one that works where its progress lines cannot show it."""

from __future__ import annotations

import time
from collections.abc import Hashable

from pipelines.processes import bytes_moved

_LOOK_EVERY_S = 5.0
_WORK_BYTES = 1 << 20  # ffmpeg's own progress lines are some 100 bytes each


class Watchdog:
    """Bites after `stall_s` in which neither the position changed nor the tool moved data.

    Data counts because ffmpeg shows no position while it rewrites a file at its end (faststart).
    """

    def __init__(self, session: int, stall_s: float) -> None:
        self._session = session
        self._stall_s = stall_s
        self._position: Hashable = None
        self._alive_at = self._looked_at = time.monotonic()
        self._moved = 0

    def stalled(self, position: Hashable) -> bool:
        now = time.monotonic()
        if position != self._position:
            self._position, self._alive_at = position, now
        elif now - self._looked_at > min(_LOOK_EVERY_S, self._stall_s / 3):
            self._looked_at = now
            moved = bytes_moved(self._session)
            if moved - self._moved > _WORK_BYTES:
                self._moved, self._alive_at = moved, now
        return now - self._alive_at > self._stall_s
