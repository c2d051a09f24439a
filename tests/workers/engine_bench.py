"""A bench for the engine: catalogue, store and queue, and jobs of small real steps on them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from small_steps import KINDS

from storage.catalogue import jobs, keys, steps
from storage.catalogue.steps import NewStep
from storage.clock import now
from storage.database import Database
from storage.ids import new_id
from storage.objects import ObjectStore, open_store
from storage.objects_local import LocalStore
from storage.schema import Asset, Event, Job, Step
from storage.settings import Settings, load_settings
from workers.broker import open_broker
from workers.engine import Engine
from workers.kinds import Kind
from workers.service import WorkerService

HERE = Path(__file__).parent
FAST = {"KAPOK_LEASE_S": "2", "KAPOK_SWEEP_S": "0.3", "KAPOK_RESEND_AFTER_S": "2"}


def eventually(fact: Callable[[], Any], within_s: float = 30.0) -> Any:
    """The first true answer of `fact`; fails when none came in time."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if answer := fact():
            return answer
        time.sleep(0.05)
    pytest.fail(f"{fact} did not come true within {within_s} s")


def ffmpegs(folder: Path) -> list[int]:
    """Process ids whose command names a path in `folder`; nothing else on the machine does."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"ffmpeg" in command and os.fsencode(folder) in command:
                found.append(int(process.name))
    return found


@dataclass
class Bench:
    """One installation. `env` is what another process needs to work in it."""

    env: dict[str, str]
    settings: Settings
    database: Database
    objects: ObjectStore
    broker: dramatiq.Broker
    organisation_id: str = ""
    closing: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def engine(self) -> Engine:
        engine = Engine(self.settings, self.database, self.objects, self.broker, KINDS)
        self.closing.callback(engine.close)
        return engine

    def service(self, kinds: Mapping[str, Kind] = KINDS) -> WorkerService:
        """Workers in this process, begun; stopped with the test."""
        service = WorkerService(
            self.settings,
            database=self.database,
            objects=self.objects,
            broker=self.broker,
            kinds=kinds,
            profiles=tuple,
        )
        service.start()
        self.closing.callback(service.stop)
        return service

    def worker(self, *queues: str, **more_env: str) -> subprocess.Popen[str]:
        """A worker process of its own, ready to take steps: see `worker_main.py`."""
        argv = [sys.executable, str(HERE / "worker_main.py"), *queues]
        log = (self.settings.data / "worker.log").open("a")
        process = subprocess.Popen(
            argv,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, **self.env, **more_env, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        self.closing.callback(_end, process, log)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", self.log()
        return process

    def job(self, *new_steps: NewStep) -> str:
        """A job on a fresh asset; its ready steps are unsent, as after a lost message."""
        with self.database.begin() as session:
            moment = now(session)
            asset = Asset(
                id=new_id("ast"),
                organisation_id=self.organisation_id,
                state="processing",
                title="clip",
                search_text="clip",
                metadata_={},
                file_name="clip.mp4",
                source_key="assets/none",
                size_bytes=1,
                sha256="0" * 64,
                created_at=moment,
                updated_at=moment,
            )
            session.add(asset)
            session.flush()
            job = jobs.create_job(
                session,
                organisation_id=self.organisation_id,
                upload=None,
                asset=asset,
                request={},
                actor="test",
            )
            steps.add_steps(session, job, new_steps)
            return job.id

    def row(self, job_id: str) -> Job:
        with self.database.read() as session:
            return session.get_one(Job, job_id)

    def steps(self, job_id: str) -> dict[str, Step]:
        """The job's steps by their name."""
        with self.database.read() as session:
            return {step.name: step for step in jobs.job_steps(session, job_id)}

    def change(self, step_id: str, **values: Any) -> None:
        """Put a step's row into a state that only time or a crash would bring about."""
        with self.database.begin() as session:
            for name, value in values.items():
                setattr(session.get_one(Step, step_id), name, value)

    def let_lease_run_out(self, step_id: str) -> None:
        with self.database.begin() as session:
            session.get_one(Step, step_id).lease_until = now(session) - timedelta(seconds=1)

    def state(self, job_id: str) -> str:
        return self.row(job_id).state

    def settled(self, job_id: str, within_s: float = 60.0) -> str:
        """The job's final state."""
        done, end = {"done", "failed", "cancelled"}, time.monotonic() + within_s
        while self.state(job_id) not in done:
            if time.monotonic() > end:
                found = [(one.name, one.state, one.epoch) for one in self.steps(job_id).values()]
                pytest.fail(f"no end within {within_s} s: {found}\n{self.log()[-8000:]}")
            time.sleep(0.05)
        return self.state(job_id)

    def log(self) -> str:
        """What the worker processes have said."""
        path = self.settings.data / "worker.log"
        return path.read_text() if path.exists() else ""

    def events(self, kind: str) -> list[str]:
        """Subjects of the events of that type, oldest first."""
        with self.database.read() as session:
            rows = session.query(Event).filter(Event.type == kind).order_by(Event.seq)
            return [row.subject for row in rows]

    def cancel(self, job_id: str) -> None:
        with self.database.begin() as session:
            jobs.request_cancel(session, session.get_one(Job, job_id), "test")

    def retry(self, job_id: str) -> None:
        with self.database.begin() as session:
            jobs.retry_job(session, session.get_one(Job, job_id), "test")

    def keys(self, prefix: str = "made/") -> list[str]:
        return list(self.objects.list_prefix(prefix))

    def stored(self, key: str | None) -> Path:
        """The file that an object of the local store is."""
        assert isinstance(self.objects, LocalStore)
        return self.objects.path(str(key))


def _end(process: subprocess.Popen[str], log: Any) -> None:
    process.kill()
    process.wait()
    log.close()
    if process.stdout is not None:
        process.stdout.close()


@contextlib.contextmanager
def open_bench(folder: Path, env: dict[str, str]) -> Iterator[Bench]:
    env = {**FAST, "KAPOK_DATA": str(folder), **env}
    settings = load_settings(env=env)
    settings.data.mkdir(parents=True, exist_ok=True)
    database, objects = Database(settings.database_url), open_store(settings)
    database.migrate()
    objects.prepare()
    bench = Bench(env, settings, database, objects, open_broker(settings))
    with database.begin() as session:
        bench.organisation_id = keys.create_organisation(session, "test", actor="test").id
    try:
        yield bench
    finally:
        bench.closing.close()
        bench.broker.close()
        for thread in threading.enumerate():  # a lease ends within a tick, in a thread of its own:
            if thread.name.startswith("lease-"):  # what it asks then would outlive the pool
                thread.join(5)
        database.close()
