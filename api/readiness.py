"""Whether what stands behind the API answers: asked once for all who want to know."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from anyio import CapacityLimiter, to_thread

from api.problems import WrongField
from pipelines.errors import KapokError

FRESH_S = 2.0  # [P] an answer is everybody's for so long: probes come every few seconds
PATIENCE_S = 4.0  # [P] a check that takes longer goes on, and counts as failed meanwhile

log = logging.getLogger(__name__)


class Readiness:
    """Each check runs once at a time, in a thread of its own, whoever asks: probes need no key, so
    a store that hangs must cost them nothing that other requests wait for.
    """

    def __init__(self, checks: Mapping[str, Callable[[], object]]) -> None:
        self._checks = [_Check(name, ask) for name, ask in checks.items()]

    async def failing(self) -> list[WrongField]:
        found = await asyncio.gather(*(check.failure() for check in self._checks))
        return [failure for failure in found if failure is not None]


class _Check:
    def __init__(self, name: str, ask: Callable[[], object]) -> None:
        self._name, self._ask = name, ask
        self._thread = CapacityLimiter(1)
        self._failure: WrongField | None = None
        self._asked: asyncio.Task[None] | None = None
        self._fresh_until = 0.0

    async def failure(self) -> WrongField | None:
        if time.monotonic() < self._fresh_until:
            return self._failure
        if self._asked is None:
            self._asked = asyncio.create_task(self._again())
        asked = self._asked
        ended, _ = await asyncio.wait({asked}, timeout=PATIENCE_S)
        if not ended:
            log.warning("%s is not ready: it has not answered for %g s", self._name, PATIENCE_S)
            return self._silent()
        asked.result()  # raises what is no failure but a defect
        return self._failure

    async def _again(self) -> None:
        try:
            self._failure = await to_thread.run_sync(
                self._answer, limiter=self._thread, abandon_on_cancel=True
            )
            self._fresh_until = time.monotonic() + FRESH_S
        finally:
            self._asked = None

    def _answer(self) -> WrongField | None:
        try:
            self._ask()
        except KapokError as error:
            log.warning("%s is not ready: %s", self._name, error.detail)
            return self._silent()
        return None

    def _silent(self) -> WrongField:
        return WrongField(parameter=self._name, detail="it does not answer; the log says why")
