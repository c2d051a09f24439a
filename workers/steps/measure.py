"""Score a rendition against its source on exactly aligned frames."""

from __future__ import annotations

from sqlalchemy.orm import Session

from pipelines.measure import measure
from pipelines.records import to_json
from storage.catalogue import renditions
from workers.context import StepContext, StepResult
from workers.steps.inputs import plan_of, renditions_of, source_of


def run(context: StepContext) -> StepResult:
    plan, source = plan_of(context), source_of(context)
    rendition = renditions_of(context)[context.step.payload["profile"]]
    with context.fetch(source.key) as reference, context.fetch(str(rendition.key)) as distorted:
        scores, argv = context.follow(
            measure(reference, distorted, rendition.rung, plan, context.folder)
        )
    records = [to_json(score) for score in scores]

    def apply(session: Session) -> None:
        renditions.add_measurements(session, rendition.id, records)

    return StepResult(result={"measurements": records}, apply=apply, command=argv)
