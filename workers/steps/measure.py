"""Score the renditions of one reference against their source on exactly aligned frames."""

from __future__ import annotations

from contextlib import ExitStack

from sqlalchemy.orm import Session

from pipelines.quality.measure import measure, together_bytes
from pipelines.records import to_json
from storage.catalogue import renditions
from workers.context import StepContext, StepResult
from workers.steps.inputs import (
    RenditionInput,
    picture_of,
    plan_of,
    renditions_of,
    source_of,
)


def run(context: StepContext) -> StepResult:
    """A rendition that cannot be scored fails the step, by name, and takes no other's scores: they
    are kept in the transaction that records the failure, and another attempt scores only what is
    left. A lost worker has kept nothing, and the whole group is scored again.

    The step waits until each join of the group is done or has failed, and scores what is there. A
    retry of the job joins again what failed, and then runs this step again for the rest.
    """
    wanted = _unscored(context)
    if not wanted:
        return StepResult(result={"measurements": {}})
    plan, source = plan_of(context), source_of(context)
    with ExitStack() as stack:
        reference = stack.enter_context(context.fetch(source.key))
        pairs = [(one.rung, stack.enter_context(context.fetch(str(one.key)))) for one in wanted]
        rungs = [rung for rung, _ in pairs]
        with context.memory(together_bytes(rungs, picture_of(context), context.settings.cores)):
            scored = context.follow(measure(reference, pairs, plan, context.folder))
    by_profile = {one.rung.profile: one for one in wanted}
    records = {
        profile: [to_json(score) for score in scores.measurements]
        for profile, scores in scored.scores.items()
    }

    def apply(session: Session) -> None:
        for profile, found in records.items():
            command = scored.scores[profile].command
            renditions.add_measurements(session, by_profile[profile].id, found, command)

    return StepResult(
        result={"measurements": records},
        apply=apply,
        command=scored.command,
        log_tail=scored.apart,
        fault=scored.fault,
    )


def _unscored(context: StepContext) -> list[RenditionInput]:
    """The step's ready renditions that no earlier attempt has scored."""
    known = renditions_of(context)
    wanted = [known[profile] for profile in context.step.payload["profiles"]]
    wanted = [one for one in wanted if one.state == "ready"]
    scored = context.read(
        lambda session: {one.id for one in wanted if renditions.measurements(session, one.id)}
    )
    return [one for one in wanted if one.id not in scored]
