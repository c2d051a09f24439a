"""A job as it is sent, with how far it is: pure arithmetic over its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from api.idempotency import Answer
from api.models import jobs as model
from pipelines.plan import Plan
from pipelines.records import from_json
from storage import schema

# [P] What a kind of step costs beside the others, from the demo on 2 cores.
WEIGHTS = {
    "fixity": 2.0,
    "inspect": 8.0,
    "plan": 1.0,
    "encode": 50.0,
    "audio": 3.0,
    "join": 6.0,
    "measure": 12.0,
    "package": 3.0,
    "publish": 1.0,
}
BEFORE_PLAN = ("fixity", "inspect", "plan")  # `plan` adds all other steps
SETTLED = {"done", "failed", "cancelled"}


def job(row: schema.Job, steps: Sequence[schema.Step], now: datetime) -> model.Job:
    plan = from_json(Plan, row.plan) if row.plan else None
    share = 1.0 if row.finished_at else progress_share(steps)
    return model.Job(
        **model.JobSummary.model_validate(row).model_dump(),
        progress_share=share,
        eta_s=None if row.finished_at else eta_s(share, row.created_at, now),
        plan=model.Plan.model_validate(plan) if plan else None,
        refused=plan.refused if plan else (),
    )


def accepted(row: schema.Job, then: Callable[[], None] = lambda: None) -> Answer:
    """202 for a job that goes on by itself."""
    body = model.JobSummary.model_validate(row)
    return Answer(202, body, {"Location": f"/v1/jobs/{row.id}"}, then)


def progress_share(steps: Sequence[schema.Step]) -> float:
    """The done share of all weights; while steps are unknown, the usual ones are expected."""
    total = sum(WEIGHTS.get(step.kind, 1.0) for step in steps)
    done = sum(WEIGHTS.get(step.kind, 1.0) * _share(step) for step in steps)
    present = {step.kind for step in steps}
    if present <= set(BEFORE_PLAN):
        total = sum(WEIGHTS.values())
    return min(1.0, done / total) if total else 0.0


def _share(step: schema.Step) -> float:
    if step.state in SETTLED:
        return 1.0
    if step.state != "running":
        return 0.0
    return min(1.0, max(0.0, (step.progress or {}).get("share") or 0.0))


def eta_s(share: float, began: datetime, now: datetime) -> float | None:
    """What is left if the rest goes as fast as so far; too early to say below 5 %."""
    if share < 0.05:
        return None
    elapsed_s = (now - began).total_seconds()
    return round(max(0.0, elapsed_s * (1 - share) / share), 1)
