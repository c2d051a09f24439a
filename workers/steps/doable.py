"""Which of a job's profiles some living worker can do, and why nobody can do the others."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress

from sqlalchemy.orm import Session

from pipelines.errors import ToolKilled, ToolStalled
from pipelines.planning.plan import Plan
from pipelines.profiles.profile import Profile
from pipelines.profiles.profile_key import profile_key
from pipelines.progress import Progress
from pipelines.words import Words
from storage.catalogue import workers
from storage.catalogue.steps import NewStep, queue_of
from storage.catalogue.workers import LivingWorker, reason_against, serving
from workers.context import StepContext

# Kinds of steps that run a profile's own encoder or decoder. A package copies what was verified.
KINDS = ("encode", "audio", "join", "measure")
QUEUES = frozenset(queue_of(kind) for kind in KINDS)
OTHERS_S = 600.0  # [P] how long the proofs of workers that have just begun are waited for
LOOK_S = 0.5
TOGETHER = Words(
    "no worker can do it together with the others, and one decode feeds them all: "
    "ask for it in a job of its own",
    "没有工作进程能把它与其他方案一起做，而所有方案共用一次解码：请为它另建任务",
)


def needs_of(step: NewStep, made: Plan) -> tuple[str, ...]:
    """The profiles that a worker must have proven before it may take the step."""
    if step.kind == "encode":
        pictures = tuple(rung.profile for rung in made.rungs if rung.video is not None)
        return tuple(step.payload.get("profiles", pictures))
    if step.kind == "audio":
        return tuple(rung.profile for rung in made.rungs if rung.audio)
    if step.kind == "join":
        return (step.payload["profile"],)
    return tuple(step.payload["profiles"]) if step.kind == "measure" else ()


def unavailable(
    context: StepContext, profiles: Sequence[Profile]
) -> Generator[Progress, None, dict[str, Words]]:
    """The profiles that this job cannot get from any living worker, each with its reason.

    This worker proves at once what it has not, unless it failed and another one can do it. Workers
    that are about to prove what nobody can do so far are waited for.
    """
    proofs = context.proofs
    context.patiently(proofs.beat)
    living = _living(context)
    unproven = [one for one in profiles if not proofs.can_do(profile_key(one))]
    wanted = [
        one
        for one in unproven
        if not (proofs.has_verdict(profile_key(one)) and _able(living, profile_key(one)))
    ]
    failed = [one for one in wanted if proofs.has_verdict(profile_key(one))]
    yield from proofs.prove([one for one in wanted if one not in failed], context.folder)
    for one in failed:
        with suppress(ToolKilled, ToolStalled):  # what was said before holds then
            yield from proofs.prove([one], context.folder)
    end = time.monotonic() + OTHERS_S
    keys = {profile_key(one): one.name for one in profiles}
    living = _living(context)
    while undecided(keys, living) and time.monotonic() < end:
        yield Progress(None, "other workers prove what they can do")
        time.sleep(LOOK_S)
        living = _living(context)
    found = reasons_against(list(keys), living)
    return {keys[key]: reason for key, reason in found.items()}


def undecided(keys: Iterable[str], living: Sequence[LivingWorker]) -> bool:
    """Whether some worker of any queue may yet prove what speaks against a profile now."""
    pools = [them for queue in sorted(QUEUES) if (them := serving(living, queue))]
    open_yet = [key for key in keys if not any(_refused_for_good(key, them) for them in pools)]
    return any(_may_change(open_yet, them) for them in pools)


def _refused_for_good(key: str, them: Sequence[LivingWorker]) -> bool:
    return not _able(them, key) and all(key in worker.verdicts for worker in them)


def _may_change(keys: Sequence[str], them: Sequence[LivingWorker]) -> bool:
    able = [key for key in keys if _able(them, key)]
    doubtful = keys if _apart(able, them) else [key for key in keys if key not in able]
    return any(key not in worker.verdicts for worker in them for key in doubtful)


def reasons_against(keys: Sequence[str], living: Sequence[LivingWorker]) -> dict[str, Words]:
    """Of profiles, the best first, those that cannot all be made by these workers, and why.

    One decode feeds every rung, so one worker must be able to do all of a chunk. A queue that
    nobody serves at the moment speaks against nothing: its steps wait.
    """
    against: dict[str, Words] = {}
    for queue in sorted(QUEUES):
        them = serving(living, queue)
        if not them:
            continue
        against |= {key: reason_against(them, key) for key in keys if not _able(them, key)}
        kept = [key for key in keys if key not in against]
        against |= _apart(kept, them)
    return against


def _apart(keys: Sequence[str], them: Sequence[LivingWorker]) -> dict[str, Words]:
    """What the worker that can do the most of them cannot."""
    best = max(them, key=lambda worker: sum(worker.can_do(key) for key in keys))
    return {key: TOGETHER for key in keys if not best.can_do(key)}


def _able(living: Sequence[LivingWorker], key: str) -> bool:
    return any(worker.can_do(key) for worker in living)


def _living(context: StepContext) -> list[LivingWorker]:
    def query(session: Session) -> list[LivingWorker]:
        return workers.living_workers(session, context.settings.beat_s)

    return context.read(query)
