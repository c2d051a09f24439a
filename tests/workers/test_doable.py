"""What a plan may count on: pure decisions over the living workers and their verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from engine_bench import Bench, eventually
from test_able_workers import living
from test_layout import SOURCE, _plan, _rung

from pipelines.errors import ToolKilled
from pipelines.profiles.profile import load_profiles
from pipelines.profiles.profile_key import profile_key
from pipelines.progress import Progress, finish
from pipelines.words import Words
from storage.catalogue.steps import queue_of
from storage.catalogue.workers import LivingWorker, Verdict
from workers.context import StepContext
from workers.service import WorkerService
from workers.steps.doable import (
    QUEUES,
    TOGETHER,
    needs_of,
    reasons_against,
    unavailable,
    undecided,
)
from workers.steps.plan import steps_of

EVERY = tuple(sorted(QUEUES))


def worker(
    name: str, *able: str, unable: tuple[str, ...] = (), queues: tuple[str, ...] = EVERY
) -> LivingWorker:
    verdicts = {key: Verdict(key, key, 1) for key in able}
    verdicts |= {
        key: Verdict(key, key, 1, Words(f"{name} lacks {key}", f"{name} 缺少 {key}"))
        for key in unable
    }
    return LivingWorker(name, "node", queues, {}, verdicts)


def test_what_one_worker_can_do_is_planned() -> None:
    """Also where another one cannot."""
    living = [worker("a", "avc", unable=("hevc",)), worker("b", "avc", "hevc")]
    assert reasons_against(["hevc", "avc"], living) == {}


def test_what_nobody_can_do_has_a_reason() -> None:
    """One worker's own; of several the first one's and how many they are."""
    one, two = worker("a", unable=("hevc",)), worker("b", unable=("hevc",))
    assert reasons_against(["hevc"], [one]) == {"hevc": "a lacks hevc"}
    told = {"hevc": "none of 2 workers can do it: a lacks hevc"}
    assert reasons_against(["hevc"], [one, two]) == told
    unsaid = {"hevc": "no living worker has proven that it can do it"}
    assert reasons_against(["hevc"], [worker("c")]) == unsaid


class GivenUp:
    """A context of a worker whose proof of each profile is killed, as often as it is tried."""

    settings = SimpleNamespace(beat_s=1.0)
    folder = Path()

    def __init__(self, *keys: str) -> None:
        self.proofs, self._keys = self, keys

    def patiently(self, ask: Callable[[], None]) -> None:
        ask()

    def beat(self) -> None:
        """Heard."""

    def can_do(self, _key: str) -> bool:
        return False

    def has_verdict(self, key: str) -> bool:
        return key in self._keys

    def read(self, _query: object) -> list[LivingWorker]:
        return [worker("one", unable=self._keys)]

    def prove(self, profiles: Sequence[object], _folder: Path) -> Generator[Progress, None, None]:
        for _ in profiles:
            yield Progress(None)
            raise ToolKilled("ffmpeg was killed by SIGKILL: the machine may lack memory")


def test_a_profile_whose_proof_was_given_up_is_refused_and_fails_no_plan() -> None:
    """It is tried again, as nobody else can do it; that it is killed again says nothing new."""
    hevc = load_profiles()["cn4k-hevc-hlg"]
    context = cast("StepContext", GivenUp(profile_key(hevc)))
    assert finish(unavailable(context, [hevc])) == {hevc.name: f"one lacks {profile_key(hevc)}"}
    with pytest.raises(ToolKilled):
        finish(unavailable(cast("StepContext", GivenUp()), [hevc]))


def test_rungs_of_one_decode_need_one_worker_that_can_do_them_all() -> None:
    """The worker that can do the most keeps its rungs, the others are for a job of their own."""
    living = [worker("a", "avs2"), worker("b", "hevc", "avc")]
    assert reasons_against(["avs2", "hevc", "avc"], living) == {"avs2": TOGETHER}
    assert reasons_against(["avs2"], living) == {}


def test_a_worker_of_another_queue_encodes_nothing() -> None:
    """Each queue of the steps must have somebody who can; one without anybody waits."""
    encodes = worker("a", "avc", unable=("hevc",), queues=("encode",))
    joins = worker("b", "avc", "hevc", queues=("package", "measure"))
    assert reasons_against(["hevc", "avc"], [encodes, joins]) == {"hevc": "a lacks hevc"}
    assert reasons_against(["hevc"], [joins]) == {}
    assert reasons_against(["hevc"], []) == {}


@pytest.mark.parametrize(
    ("living", "waits"),
    [
        ([worker("a", unable=("hevc",)), worker("b")], True),
        ([worker("a", unable=("hevc",)), worker("b", "hevc")], False),
        ([worker("a", "hevc"), worker("b")], False),
        ([worker("a", unable=("hevc",)), worker("b", queues=("measure",))], False),
        ([worker("a", "hevc", queues=("encode",)), worker("b", queues=("measure",))], True),
        ([worker("a", "hevc", queues=("encode",)), worker("b", queues=("deliver",))], False),
    ],
)
def test_only_a_proof_that_may_yet_help_is_waited_for(
    living: list[LivingWorker], *, waits: bool
) -> None:
    assert undecided(["hevc"], living) == waits


def test_two_that_can_do_a_half_each_are_waited_for_while_one_may_do_both() -> None:
    """One decode feeds all rungs of a chunk."""
    one, other = worker("a", "hevc"), worker("b", "avc", unable=("hevc",))
    assert undecided(["hevc", "avc"], [one, other])
    assert not undecided(["hevc", "avc"], [worker("a", "hevc", unable=("avc",)), other])


def test_each_step_needs_the_profiles_that_it_makes_or_reads() -> None:
    """A chunk all rungs with a picture, a join its own, a package none: it copies."""
    plan = _plan(_rung("a", packaged=True), _rung("b"), _rung("sound", picture=False))
    needs = {step.name: needs_of(step, plan) for step in steps_of(plan, SOURCE, "vault")}
    assert needs == {
        "encode chunk 1 of 1": ("a", "b"),
        "encode the sound": ("a", "b", "sound"),
        "join a": ("a",),
        "join b": ("b",),
        "join sound": ("sound",),
        "measure a, b": ("a", "b"),
        "package for HLS and DASH": (),
        "publish to vault": (),
    }
    kinds = {step.kind for step in steps_of(plan, SOURCE, "vault") if needs_of(step, plan)}
    assert {queue_of(kind) for kind in kinds} == QUEUES


def test_a_worker_without_queues_that_encode_proves_nothing(embedded: Bench) -> None:
    """It is known and alive, and spends no encode; it is gone when it ends."""
    service = WorkerService(
        embedded.settings,
        ("deliver",),
        database=embedded.database,
        objects=embedded.objects,
        broker=embedded.broker,
    )
    service.start()
    embedded.closing.callback(service.stop)
    (found,) = eventually(lambda: living(embedded))
    time.sleep(2 * embedded.settings.beat_s)  # long enough for the proofs that it remembers
    assert (found.queues, living(embedded)[0].verdicts) == (("deliver",), {})
