"""Plan; or first have the source inspected again, where its inspection lacks what the job needs.

An asset has one inspection, and each job that has one made replaces it: one that stated another
colour, or that came before this job had planned, may have measured less.
"""

from __future__ import annotations

import logging

from storage.catalogue.steps import NewStep
from workers.context import StepContext, StepResult
from workers.steps import plan
from workers.steps.inputs import InspectionLacks

log = logging.getLogger(__name__)


def run(context: StepContext) -> StepResult:
    try:
        return plan.run(context)
    except InspectionLacks as lacking:
        log.info("job %s has its source inspected again for %s", context.step.job_id, lacking)
        # Its own inspection it takes as it is, so this ends.
        look = NewStep("inspect", f"inspect the source again for {lacking}", {})
        again = NewStep("plan", "plan the renditions after that", {}, after=(look.name,))
        return StepResult(result={"inspected_again_for": str(lacking)}, new_steps=(look, again))
