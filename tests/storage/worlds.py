"""A small catalogue for tests: one organisation, and the short ways to a job in some state."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from storage.catalogue import assets, jobs, keys, steps, uploads
from storage.catalogue.steps import Claimed, NewStep
from storage.clock import now
from storage.database import Database
from storage.ids import new_id
from storage.schema import Asset, Job, Organisation, Step, Upload

T = TypeVar("T")

BROKEN = {"code": "tool_failed", "detail": "the tool failed", "retryable": True}
WRONG = {"code": "invalid_media", "detail": "the essence is wrong", "retryable": False}
AWAY = {"code": "store_unavailable", "detail": "the store is away", "retryable": True}


def at_once(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Start every call at the same moment, each in its own thread; results in their order."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], T]) -> T:
        barrier.wait(30)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


@dataclass
class World:
    database: Database
    organisation_id: str

    def write(self, change: Callable[[Session], T]) -> T:
        with self.database.begin() as session:
            return change(session)

    def read(self, query: Callable[[Session], T]) -> T:
        with self.database.read() as session:
            return query(session)

    def upload(self, **given: Any) -> Upload:
        """An open upload of 100 bytes."""
        asset_id = new_id("ast")

        def create(session: Session) -> Upload:
            values: dict[str, Any] = {
                "organisation_id": self.organisation_id,
                "asset_id": asset_id,
                "title": "岭南春早",
                "file_name": "programme.mxf",
                "size_bytes": 100,
                "part_size_bytes": 64 * 1024 * 1024,
                "key": f"assets/{asset_id}/source/source",
                "declared": {},
                "request": {},
                "expires_at": now(session) + timedelta(hours=1),
                "actor": "key_test",
            }
            return uploads.create_upload(session, **{**values, **given})

        return self.write(create)

    def job(self, *new_steps: NewStep) -> Job:
        """A job without upload or asset, with these steps."""

        def create(session: Session) -> Job:
            job = jobs.create_job(
                session,
                organisation_id=self.organisation_id,
                upload=None,
                asset=None,
                request={},
                actor="key_test",
            )
            steps.add_steps(session, job, new_steps)
            return job

        return self.write(create)

    def asset(self, **given: Any) -> Asset:
        """An asset whose ingest job has proven its bytes and waits to be inspected."""
        upload = self.upload(**given)
        job = self.write(lambda session: uploads.complete_upload(session, upload, "key_test"))
        [(step_id, _)] = self.read(lambda session: jobs.ready_steps(session, job.id))
        claimed = self.claim(step_id)

        def finish(session: Session) -> Asset:
            found = uploads.get_upload(session, self.organisation_id, upload.id)
            made = assets.create_asset(session, found, self._job(session, job.id), sha256="ab" * 32)
            follow = [
                NewStep("inspect", "inspect the source", {}),
                NewStep("plan", "plan the renditions", {}, after=("inspect",)),
            ]
            steps.finish_step(session, claimed, result={}, new_steps=follow)
            return made

        return self.write(finish)

    def claim(self, step_id: str, lease_s: float = 30) -> Claimed:
        """Take a step that must be there to take."""
        claimed = self.write(lambda session: steps.claim_step(session, step_id, "worker", lease_s))
        assert claimed is not None
        return claimed

    def finish(self, step_id: str, *new_steps: NewStep) -> list[steps.ReadyStep]:
        """Claim a step and finish it."""
        claimed = self.claim(step_id)
        return self.write(
            lambda session: steps.finish_step(session, claimed, result={}, new_steps=new_steps)
        )

    def fail(self, step_id: str, error: dict[str, Any]) -> steps.Failed:
        """Claim a step and fail it."""
        claimed = self.claim(step_id)
        return self.write(lambda session: steps.fail_step(session, claimed, error))

    def jobs_of(self, asset: Asset) -> list[Job]:
        """Its jobs, the newest first."""
        return self.read(
            lambda session: jobs.list_jobs(session, self.organisation_id, asset_id=asset.id)
        ).data

    def fail_job_of(self, asset: Asset) -> None:
        """Fail the ready step of the asset's newest job for good."""
        job = self.jobs_of(asset)[0]
        [(step_id, _)] = self.read(lambda session: jobs.ready_steps(session, job.id))
        self.fail(step_id, WRONG)

    def finish_all(self, job_id: str) -> None:
        """Run whatever is ready until nothing is."""
        while ready := self.read(lambda session: jobs.ready_steps(session, job_id)):
            for step_id, _ in ready:
                self.finish(step_id)

    def step(self, step_id: str) -> Step:
        return self.read(lambda session: session.get_one(Step, step_id))

    def states(self, job_id: str) -> dict[str, str]:
        """State of each step by its name."""
        return self.read(
            lambda session: {step.name: step.state for step in jobs.job_steps(session, job_id)}
        )

    def job_state(self, job_id: str) -> str:
        return self.read(lambda session: self._job(session, job_id).state)

    def asset_state(self, asset_id: str) -> str:
        return self.read(
            lambda session: assets.get_asset(session, self.organisation_id, asset_id).state
        )

    def _job(self, session: Session, job_id: str) -> Job:
        return jobs.get_job(session, self.organisation_id, job_id)


def open_world(url: str) -> World:
    """A migrated, empty catalogue with its first organisation."""
    database = Database(url)
    database.migrate()
    with database.begin() as session:
        organisation = keys.create_organisation(session, "岭南台")
    return World(database, organisation.id)


def enter_world(url: str) -> World:
    """A copy of a catalogue that `open_world` made."""
    database = Database(url)
    with database.read() as session:
        organisation_id = session.scalars(select(Organisation.id)).one()
    return World(database, organisation_id)


@contextmanager
def statements(world: World) -> Iterator[list[str]]:
    """What the database is asked meanwhile."""
    engine = world.database._engine
    asked: list[str] = []

    def note(*details: Any) -> None:
        asked.append(details[2])

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)
