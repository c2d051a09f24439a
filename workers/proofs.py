"""What one worker has proven: in memory, and in the catalogue for whoever plans and claims."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from pathlib import Path

from pipelines.profiles.profile import Profile
from pipelines.profiles.profile_key import profile_key
from pipelines.progress import Progress
from pipelines.running.tools import versions
from pipelines.words import Words
from storage.catalogue import workers
from storage.catalogue.workers import Verdict
from storage.database import Database
from workers.capability import is_remembered, prove_once
from workers.scratch import made


class Proofs:
    """The verdicts of the worker `name`. Its steps and its prover share them, in their threads."""

    def __init__(
        self, database: Database, name: str, queues: Sequence[str], memory_bytes: int
    ) -> None:
        self.worker = name
        self.on_news: Callable[[], None] = lambda: None  # called after each record
        self._database, self._queues, self._memory_bytes = database, tuple(queues), memory_bytes
        self._verdicts: dict[str, Verdict] = {}
        self._turn = threading.Lock()

    def has_verdict(self, key: str) -> bool:
        return key in self._verdicts

    def can_do(self, key: str) -> bool:
        return key in self._verdicts and self._verdicts[key].available

    def prove(self, profiles: Iterable[Profile], scratch: Path) -> Generator[Progress, None, None]:
        """Prove these profiles, each in a folder inside `scratch`, and record what came of it.

        Those that are remembered cost nothing and are recorded together, first.
        """
        wanted = {profile_key(profile): profile for profile in profiles}
        known = {key: profile for key, profile in wanted.items() if is_remembered(profile)}
        if known:
            self.record(_verdict(key, profile) for key, profile in known.items())
        for key, profile in wanted.items():
            if key in known:
                continue
            with made(scratch / f"prove-{key}") as folder:
                capability = yield from prove_once(profile, folder)
            self.record([_verdict(key, profile, capability.reason)])

    def record(self, verdicts: Iterable[Verdict]) -> None:
        """Remember these, and tell the catalogue."""
        with self._turn:
            self._verdicts.update({verdict.key: verdict for verdict in verdicts})
            self._register()
        self.on_news()

    def beat(self) -> None:
        """Say that the worker lives. Who was taken for dead meanwhile tells everything again."""
        with self._turn:
            with self._database.begin() as session:
                known = workers.beat(session, self.worker)
            if not known:
                self._register()

    def retire(self) -> None:
        with self._turn, self._database.begin() as session:
            workers.retire(session, self.worker)

    def _register(self) -> None:
        tools = versions()  # before the transaction: it runs the tools
        with self._database.begin() as session:
            workers.register(
                session,
                self.worker,
                host=socket.gethostname(),
                queues=self._queues,
                tools=tools,
                memory_bytes=self._memory_bytes,
                verdicts=self._verdicts.values(),
            )


def _verdict(key: str, profile: Profile, reason: Words | None = None) -> Verdict:
    return Verdict(key, profile.name, profile.version, reason)
