"""Tells a tool that hangs from one that works where its progress lines cannot show it."""

from __future__ import annotations

import time
from collections.abc import Hashable

from pipelines.running.processes import bytes_moved, cpu_s

_LOOK_EVERY_S = 5.0
_IDLE_SHARE = 0.02  # [P] of the time; a starved encode was seen to get 0.05
_WORK_BYTES = 1 << 20  # ffmpeg's own progress lines are some 100 bytes each


class Watchdog:
    """Bites after `stall_s` in which neither the position changed nor the tool moved data.

    Data counts because ffmpeg shows no position while it rewrites a file at its end (faststart).
    A busy machine may leave a 4320p encode a tenth of its time, and its first frame comes after a
    dozen were looked at: what works gets that long in CPU seconds, what hangs uses next to none.
    """

    def __init__(self, session: int, stall_s: float) -> None:
        self._session = session
        self._stall_s = stall_s
        self._position: Hashable = None
        self._alive_at = self._looked_at = time.monotonic()
        self._moved = 0
        self._cpu_s: float | None = None  # at the first look since it was alive
        self._counted_at = self._alive_at

    def stalled(self, position: Hashable) -> bool:
        now = time.monotonic()
        if position != self._position:
            self._position, self._alive_at, self._cpu_s = position, now, None
        elif now - self._looked_at > min(_LOOK_EVERY_S, self._stall_s / 3):
            self._looked_at = now
            moved = bytes_moved(self._session)
            if moved - self._moved > _WORK_BYTES:
                self._moved, self._alive_at, self._cpu_s = moved, now, None
            elif self._cpu_s is None:
                self._cpu_s, self._counted_at = cpu_s(self._session), now
        return now - self._alive_at > self._stall_s and self._hangs(now)

    def _hangs(self, now: float) -> bool:
        """Counted over half of the time at least: on a busy machine the first look may be late."""
        counted_s = now - self._counted_at
        if self._cpu_s is None or counted_s < self._stall_s / 2:
            return False
        used_s = cpu_s(self._session) - self._cpu_s
        if used_s < 0:  # a process of it has just ended, or all have, and it is done
            self._cpu_s = None
            return False
        return used_s > self._stall_s or used_s < _IDLE_SHARE * counted_s
