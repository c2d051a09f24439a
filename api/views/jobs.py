"""A job as it is sent, with how far it is: pure arithmetic over its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from api.idempotency import Answer
from api.models import jobs as model
from pipelines.planning.plan import Plan
from pipelines.records import from_json
from storage import schema
from storage.catalogue.waiting import Waiting

# What a step of each kind costs beside the others: seconds of the demo's UHD programme on 2 cores
# (encode 211, join 13 a rendition, inspect 13, plan 6, the rest below 3), halved; to measure the
# renditions of one reference took 0.42 of the encode.
WEIGHTS = {
    "fixity": 1.0,
    "inspect": 7.0,
    "plan": 3.0,
    "encode": 100.0,
    "audio": 1.0,
    "join": 7.0,
    "measure": 42.0,
    "package": 2.0,
    "publish": 1.0,
}
USUAL = ("fixity", "inspect", "plan", "encode", "audio", "package", *["join"] * 4, *["measure"] * 2)
UNSEEN = (schema.Step.payload, schema.Step.result)  # of a step: nobody is shown them
LOG = (schema.Step.command, schema.Step.log_tail)
BEFORE_PLAN = {"fixity", "inspect", "plan"}  # `plan` adds all other steps


def job(
    row: schema.Job, steps: Sequence[schema.Step], now: datetime, waiting: Sequence[Waiting]
) -> model.Job:
    plan = from_json(Plan, row.plan) if row.plan else None
    share = progress_share(steps)
    return model.Job(
        **model.JobSummary.model_validate(row).model_dump(),
        progress_share=share,
        eta_s=None if row.finished_at else eta_s(share, steps, now),
        plan=model.Plan.model_validate(plan) if plan else None,
        refused=tuple(map(model.Refusal.model_validate, plan.refused)) if plan else (),
        waiting=tuple(model.Waiting.model_validate(one) for one in waiting),
    )


def step(row: schema.Step, *, log: bool) -> model.Step:
    """Without `log` its `LOG` is null, read or not."""
    unread = {} if log else {column.key: None for column in LOG}
    shown = {name: getattr(row, name) for name in model.Step.model_fields if name not in unread}
    return model.Step.model_validate({**shown, **unread})


def accepted(row: schema.Job, then: Callable[[], None] = lambda: None) -> Answer:
    """202 for a job that goes on by itself."""
    body = model.JobSummary.model_validate(row)
    return Answer(202, body, {"Location": f"/v1/jobs/{row.id}"}, then)


def progress_share(steps: Sequence[schema.Step]) -> float:
    """The done share of all weights; while steps are unknown, the usual ones are expected."""
    kinds = [step.kind for step in steps]
    expected = USUAL if set(kinds) <= BEFORE_PLAN else kinds
    chunks = max(1, kinds.count("encode"))
    done = sum(_weight(step.kind, chunks) * _share(step) for step in steps)
    return min(1.0, done / sum(_weight(kind, chunks) for kind in expected))


def eta_s(share: float, steps: Sequence[schema.Step], now: datetime) -> float | None:
    """What is left if the rest goes as fast as so far; too early to say below 5 %."""
    if share < 0.05:
        return None
    return round(busy_s(steps, now) * (1 - share) / share, 1)


def busy_s(steps: Sequence[schema.Step], now: datetime) -> float:
    """How long any step was at work; neither waiting for workers nor for a retry counts."""
    spans = sorted(
        (step.started_at, step.finished_at or now)
        for step in steps
        if step.started_at is not None and step.state in {"done", "running"}
    )
    total, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    for start, end in spans:
        total += max(timedelta(), end - max(start, until))
        until = max(until, end)
    return total.total_seconds()


def _weight(kind: str, chunks: int) -> float:
    """The chunks of a programme cost together what an encode costs."""
    return WEIGHTS.get(kind, 1.0) / (chunks if kind == "encode" else 1)


def _share(step: schema.Step) -> float:
    if step.state == "done":
        return 1.0
    if step.state != "running":
        return 0.0
    return min(1.0, max(0.0, (step.progress or {}).get("share") or 0.0))
