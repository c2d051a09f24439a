"""A thread that says that its worker lives, and proves what the worker may be asked for."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pydantic import ValidationError

from pipelines.errors import KapokError, ToolKilled, ToolStalled
from pipelines.profiles.profile import Profile, load_profiles
from pipelines.profiles.profile_key import profile_key
from pipelines.records import from_json
from pipelines.running.child import NICENESS
from pipelines.words import Words
from storage.catalogue import profiles, workers
from storage.catalogue.workers import Verdict
from storage.database import Database
from storage.errors import CatalogueUnavailable
from workers.capability import is_remembered, turn_to_prove
from workers.proofs import Proofs

SOON_S = 1.0  # until a beat that the catalogue did not hear is tried again
TURN_S = 0.5  # between two looks whether a proof that another worker makes is made
TRIES = 2  # of a proof whose tool was killed or stood still, which may be the machine's fault
GENTLY = 19  # the niceness of the proofs: the steps of other profiles go on beside them

log = logging.getLogger(__name__)


def every_profile() -> Iterable[Profile]:
    return load_profiles().values()


class Prover:
    """Proves `profiles`, then what organisations added, and what unfinished steps need.

    It looks for such every `beat_s`. With `proves` false it only says that the worker lives: what
    no step of its queues needs is nothing to spend an encode on.
    """

    def __init__(
        self,
        proofs: Proofs,
        database: Database,
        scratch: Path,
        beat_s: float,
        profiles: Callable[[], Iterable[Profile]] = every_profile,
        *,
        proves: bool = True,
    ) -> None:
        self._proofs, self._database, self._scratch = proofs, database, scratch
        self._beat_s, self._profiles, self._proves = beat_s, profiles, proves
        self._beaten_at = 0.0
        self._given_up = Counter[str]()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="prover", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End now; a proof that runs is given up."""
        self._ended.set()
        self._thread.join(timeout=10)
        try:
            self._proofs.retire()
        except KapokError as error:
            log.warning("the worker is known until it is taken for dead: %s", error)

    def _run(self) -> None:
        NICENESS.set(GENTLY)
        while not self._ended.is_set():
            pause_s = self._beat_s
            try:
                self._beat()
                if self._proves:
                    self._prove()
            except KapokError as error:
                log.warning("proofs are put off: %s", error)
                if isinstance(error, CatalogueUnavailable):
                    pause_s = min(SOON_S, self._beat_s)  # others decide by who is known to live
            except Exception:
                log.exception("proofs failed; they come again in a while")
            self._ended.wait(pause_s)

    def _beat(self) -> None:
        self._proofs.beat()
        self._beaten_at = time.monotonic()

    def _prove(self) -> None:
        """Failures are not tried again before the next start, unless a plan asks for them.

        Workers of one machine that begin together take turns, and each proof is made once. The
        plans of jobs do not wait for a turn: these proofs give way to every encode.
        """
        wanted = [*self._profiles(), *self._added(), *self._needed()]
        new = [one for one in wanted if not self._proofs.has_verdict(profile_key(one))]
        new.sort(key=lambda one: self._given_up[profile_key(one)])
        self._prove_all([one for one in new if is_remembered(one)])
        left = [one for one in new if not self._proofs.has_verdict(profile_key(one))]
        while left and not self._ended.is_set():
            others = [one for one in left if not self._prove_in_turn(one)]
            if others == left:
                self._ended.wait(TURN_S)
                self._beat_in_time()
            left = others

    def _prove_in_turn(self, profile: Profile) -> bool:
        """False where another worker of this machine is at it."""
        with turn_to_prove(profile) as ours:
            if ours:
                self._prove_one(profile)
        return ours

    def _prove_one(self, profile: Profile) -> None:
        """One whose tool is killed comes again with the next beat, behind all others, and no more
        after that.
        """
        try:
            self._prove_all([profile])
        except (ToolKilled, ToolStalled) as error:
            log.warning("the proof of %s was given up: %s", profile.name, error)
            key = profile_key(profile)
            self._given_up[key] += 1
            if self._given_up[key] >= TRIES:
                reason = Words(
                    f"its proof was given up {TRIES} times: {error}",
                    f"其验证已放弃 {TRIES} 次：{error}",
                )
                self._proofs.record([Verdict(key, profile.name, profile.version, reason)])

    def _prove_all(self, new: Sequence[Profile]) -> None:
        proving = self._proofs.prove(new, self._scratch)
        try:
            for _ in proving:
                if self._ended.is_set():
                    return
                self._beat_in_time()
        finally:
            proving.close()

    def _beat_in_time(self) -> None:
        if time.monotonic() - self._beaten_at > self._beat_s:
            self._beat()

    def _added(self) -> list[Profile]:
        with self._database.read() as session:
            return profiles.every_own_profile(session)

    def _needed(self) -> Iterator[Profile]:
        """What unfinished steps need beside, as it was when they were planned."""
        with self._database.read() as session:
            needed = workers.needed_definitions(session)
        for key, definition in needed.items():
            if self._proofs.has_verdict(key):
                continue
            try:
                profile = from_json(Profile, definition)
            except ValidationError:
                profile = None
            if profile is None or profile_key(profile) != key:
                name = str(definition.get("name"))
                reason = Words(
                    "it was planned by a version of Kapok that describes profiles in another way: "
                    "cancel the job and start a new one",
                    "它由以另一方式描述方案的 Kapok 版本规划：请取消任务并重新开始",
                )
                self._proofs.record([Verdict(key, name, int(definition["version"]), reason)])
            else:
                yield profile
