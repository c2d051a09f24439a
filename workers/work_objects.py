"""Objects under `work/`: what one step leaves for the next, and what dead attempts left behind."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from storage.catalogue import jobs
from storage.clock import now
from storage.database import Database
from storage.errors import JobConflict
from storage.objects import ObjectStore
from storage.schema import Job, Step
from workers.outage import each

_FORM = re.compile(r"work/([^/]+)/([^/]+)/(\d+)/", re.ASCII)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One `work/{job}/{step}/{epoch}/` of the store."""

    job_id: str
    step_id: str
    epoch: int

    @property
    def prefix(self) -> str:
        return f"work/{self.job_id}/{self.step_id}/{self.epoch}/"


@dataclass(frozen=True, slots=True)
class Standing:
    """A job as the catalogue knows it; `steps` maps an id to (state, epoch)."""

    state: str
    settled_s: float
    work_deleted: bool
    steps: Mapping[str, tuple[str, int]]


def delete_work_of_done(database: Database, objects: ObjectStore, job_id: str) -> None:
    """Nothing of a done job reads its work again. Nothing happens while the job is not done."""
    with database.read() as session:
        done = session.get_one(Job, job_id).state == "done"
    if done and _told(database, job_id):
        objects.delete_prefix(f"work/{job_id}/")


def sweep_work(database: Database, objects: ObjectStore, failed_ttl_s: float) -> list[str]:
    """Delete what lies under `work/` and nobody can need; returns the prefixes.

    The store is listed before the catalogue is asked: a claim in between only raises the epoch.
    """
    removed: list[str] = []
    for job_id, attempts in _attempts(objects.list_prefix("work/")).items():
        with database.read() as session:
            standing = _standing(session, job_id)
        if standing is not None and _may_go(standing, failed_ttl_s) and _told(database, job_id):
            standing = None
        removed += [one.prefix for one in attempts if not may_be_needed(one, standing)]
    for prefix in removed:
        log.info("nobody needs the objects under %s", prefix)
    each(removed, objects.delete_prefix)
    return removed


def may_be_needed(attempt: Attempt, standing: Standing | None) -> bool:
    """Only the attempt that won, or that still runs, may be read by somebody."""
    if standing is None or standing.work_deleted:
        return False
    state, epoch = standing.steps.get(attempt.step_id, ("unknown", 0))
    return attempt.epoch == epoch and state in {"done", "running"}


def _may_go(standing: Standing, failed_ttl_s: float) -> bool:
    """A retry of a failed or cancelled job reads what its finished steps left."""
    if standing.state == "done":
        return True
    return standing.state in {"failed", "cancelled"} and standing.settled_s > failed_ttl_s


def _told(database: Database, job_id: str) -> bool:
    """Tell the catalogue first: a retry that comes later then makes the objects again."""
    try:
        with database.begin() as session:
            jobs.mark_work_deleted(session, job_id)
    except JobConflict:
        return False  # somebody retried it just now
    return True


def _attempts(keys: Iterable[str]) -> dict[str, set[Attempt]]:
    found: dict[str, set[Attempt]] = defaultdict(set)
    for key in keys:
        if match := _FORM.match(key):  # anything else is a stranger's, such as Thumbs.db
            found[match[1]].add(Attempt(match[1], match[2], int(match[3])))
    return found


def _standing(session: Session, job_id: str) -> Standing | None:
    job = session.get(Job, job_id)
    if job is None:
        return None
    settled_s = (now(session) - job.finished_at).total_seconds() if job.finished_at else 0.0
    rows = session.execute(select(Step.id, Step.state, Step.epoch).where(Step.job_id == job_id))
    steps = {row.id: (row.state, row.epoch) for row in rows}
    return Standing(job.state, settled_s, job.work_deleted_at is not None, steps)
