"""Machines die, servers go away, people change their minds: nothing is lost, nothing is doubled."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
import servers
import stack as stacks

from kapok.client import Client
from kapok.transfer import Transfer

pytestmark = [pytest.mark.services, pytest.mark.media, pytest.mark.slow]

RUNGS = ("mobile-720p", "mobile-540p")
# A third of a job's CPU is its scores, which two of the stories here end with: the others are told
# by what happens before that step.
UNSCORED = "--no-scores"


def start_job(stack: stacks.Stack, clip: Path, *more: str) -> str:
    """Upload through the CLI and return the job's id."""
    options = ("--profiles", ",".join(RUNGS), "--title", clip.name, *more)
    job_id: str = stack.upload(clip, *options)["job"]["id"]
    return job_id


def assert_finished_once(stack: stacks.Stack, job_id: str) -> None:
    """Every rung is ready exactly once, and no ffmpeg of a step is left running."""
    job = stack.wait_job(job_id)
    assert job["state"] == "done", (job, stack.steps(job_id), stack.logs())
    renditions = stack.renditions(job["asset_id"])
    assert sorted(r["profile"] for r in renditions) == sorted(RUNGS)
    assert {r["state"] for r in renditions} == {"ready"}
    assert stacks.ffmpegs_of_steps(str(stack.folder)) == []


def epochs_of_chunks(stack: stacks.Stack, job_id: str) -> list[int]:
    """How often each chunk was begun, in their order."""
    return [step["epoch"] for step in stack.steps(job_id) if step["kind"] == "encode"]


def worker_of(stack: stacks.Stack, step: dict[str, object]) -> stacks.Process:
    """The process whose ffmpeg works in the step's folder."""
    for process in stack.workers:
        if any(str(step["id"]) in line for _, line in stacks.descendants(process.pid)):
            return process
    raise AssertionError(f"nobody encodes {step}")


@pytest.mark.parametrize(
    "embedded",
    # Without a share for the search chunks are encoded in the order of the programme.
    [{"KAPOK_CHUNK_MIN_S": "1.5", "KAPOK_SEARCH_SHARE": "0"}],
    indirect=True,
)
def test_kill_9_of_the_embedded_service_in_the_middle_of_an_encode(
    embedded: stacks.Stack, long_clip: Path
) -> None:
    """The restarted service finishes the job after the lease has run out, with what was done: two
    chunks are encoded at once, so that when the third runs one has ended.
    """
    job_id = start_job(embedded, long_clip)
    embedded.wait_encoding(job_id, "encode chunk 3 of 4")
    embedded.api.kill9()
    time.sleep(1)
    assert stacks.ffmpeg_processes(str(embedded.folder)) == []
    embedded.api.start()
    embedded.wait_ready()
    assert_finished_once(embedded, job_id)
    first, second, third, last = epochs_of_chunks(embedded, job_id)
    assert 1 in (first, second)
    assert third == 2
    assert max(first, second, last) <= 2


def test_kill_9_of_a_worker_in_the_middle_of_an_encode(
    distributed: stacks.Stack, long_clip: Path
) -> None:
    """The other worker finishes the job after the lease has run out."""
    job_id = start_job(distributed, long_clip)
    step = distributed.wait_encoding(job_id)
    victim = worker_of(distributed, step)
    victim.kill9()
    time.sleep(1)
    assert stacks.ffmpeg_processes(victim.env["KAPOK_SCRATCH"]) == []
    assert_finished_once(distributed, job_id)
    assert sorted(epochs_of_chunks(distributed, job_id)) == [1, 2]


def test_kill_9_of_the_api_during_an_upload(distributed: stacks.Stack, tmp_path: Path) -> None:
    """Parts go to MinIO meanwhile; the client goes on by itself, and a worker proves the bytes."""
    file = tmp_path / "noise.mov"
    with file.open("wb") as random:
        for _ in range(200):
            random.write(os.urandom(1 << 20))
    killed: list[int] = []

    def kill_once(progress: Transfer) -> None:
        if not killed and progress.done_bytes:
            killed.append(progress.done_bytes)
            distributed.api.kill9()
            distributed.api.start()

    with Client(distributed.url, distributed.key) as client:
        sent = client.upload(file, on_progress=kill_once)
    assert 0 < killed[0] < file.stat().st_size
    assert distributed.wait_job(sent.job_id)["error"]["code"] == "unsupported_media"
    found = distributed.get(f"/v1/uploads/{sent.upload_id}")
    assert (found["state"], found["sha256"]) == ("verified", sent.sha256)


def test_redis_killed_with_its_data_gone(
    distributed: stacks.Stack, own_redis: servers.Redis, long_clip: Path
) -> None:
    """The queue is a hint: the sweeper sends again what the dead Redis forgot."""
    job_id = start_job(distributed, long_clip, UNSCORED)
    distributed.wait_encoding(job_id)
    own_redis.server.kill()
    time.sleep(2)
    own_redis.server.start()
    assert_finished_once(distributed, job_id)


@pytest.mark.parametrize("which", ["minio", "postgres"])
def test_a_server_stopped_for_20_seconds(
    distributed: stacks.Stack,
    minio_server: servers.Minio,
    postgres_server: servers.Postgres,
    long_clip: Path,
    which: str,
) -> None:
    """Store or catalogue goes away in the middle and comes back; the job still ends well."""
    server = {"minio": minio_server.server, "postgres": postgres_server.server}[which]
    job_id = start_job(distributed, long_clip, UNSCORED)
    distributed.wait_encoding(job_id)
    server.stop()
    time.sleep(20)
    server.start()
    assert_finished_once(distributed, job_id)


def test_cancel_leaves_no_ffmpeg_after_two_seconds_and_a_retry_finishes_the_job(
    embedded: stacks.Stack, long_clip: Path
) -> None:
    """The job says `cancelled`, its process group is dead; `kapok job retry` goes on from there."""
    job_id = start_job(embedded, long_clip, UNSCORED)
    embedded.wait_encoding(job_id)
    assert stacks.ffmpegs_of_steps(str(embedded.folder))
    done = embedded.cli("job", "cancel", job_id)
    assert done.returncode == 0, done.stderr
    stacks.wait_until(
        lambda: not stacks.ffmpegs_of_steps(str(embedded.folder)), 2, "every ffmpeg is dead"
    )
    assert embedded.wait_job(job_id, 10)["state"] == "cancelled"
    inspected = next(s for s in embedded.steps(job_id) if s["kind"] == "inspect")
    done = embedded.cli("job", "retry", job_id)
    assert done.returncode == 0, done.stderr
    assert_finished_once(embedded, job_id)
    again = next(s for s in embedded.steps(job_id) if s["kind"] == "inspect")
    assert again["epoch"] == inspected["epoch"]
