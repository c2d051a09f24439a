"""Worker processes of which one has an ffmpeg without x265: who gets what, and what is planned."""

from __future__ import annotations

import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest
from engine_bench import Bench, eventually
from small_steps import payload
from uploaded import clip, uploaded

from pipelines.profiles.profile import profile
from pipelines.profiles.profile_key import profile_key
from pipelines.records import to_json
from pipelines.running.tools import ffmpeg
from storage.catalogue import workers
from storage.catalogue.steps import NewStep
from storage.catalogue.workers import LivingWorker
from workers.capability import turn_to_prove

pytestmark = [pytest.mark.media, pytest.mark.slow]

HEVC, AVC = "cn4k-hevc-hlg", "mobile-540p"
KEYS = {name: profile_key(profile(name)) for name in (HEVC, AVC)}
PROVEN = f"{HEVC},{AVC}"
Process = subprocess.Popen[str]


@pytest.fixture
def lame(tmp_path: Path) -> dict[str, str]:
    """What a worker needs to run with an ffmpeg that was built without x265, as Debian may."""
    folder = tmp_path / "tools"  # the sandbox shows a tool the folder that it lies in
    folder.mkdir()
    shutil.copy(ffmpeg(), folder / "whole")
    wrapper = folder / "ffmpeg"
    wrapper.write_text(
        "#!/bin/sh\n"
        'for word in "$@"; do\n'
        '  if [ "$word" = libx265 ]; then echo "Unknown encoder \'libx265\'" >&2; exit 8; fi\n'
        "done\n"
        'exec "${0%/*}/whole" "$@"\n'
    )
    wrapper.chmod(0o755)
    return {"KAPOK_FFMPEG": str(wrapper), "PROVE": PROVEN, "XDG_CACHE_HOME": str(tmp_path)}


def living(bench: Bench) -> list[LivingWorker]:
    with bench.database.read() as session:
        return workers.living_workers(session, bench.settings.beat_s)


def verdicts(bench: Bench, process: Process) -> dict[str, str | None] | None:
    """The reason against each profile of that worker, once it has proven all of them."""
    for worker in living(bench):
        if f":{process.pid}:" in worker.name and len(worker.verdicts) == len(KEYS):
            return {one.profile: one.reason for one in worker.verdicts.values()}
    return None


def needing(bench: Bench, name: str) -> str:
    """A job of one small step that needs the profile."""
    with bench.database.begin() as session:
        workers.keep_definitions(session, {KEYS[name]: to_json(profile(name))})
    return bench.job(NewStep("encode", "one", payload("encode"), needs=(KEYS[name],)))


def ran_on(bench: Bench, job_id: str) -> str:
    """The process id of the worker that ran the job's step."""
    return str(bench.steps(job_id)["one"].worker).split(":")[1]


def test_workers_of_one_machine_take_turns_and_make_each_proof_once(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another process is at a profile nobody else is; then one makes it, and both know."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    at_work: set[Path] = set()

    def both_know() -> bool:
        at_work.update(bench.settings.scratch.glob("worker-*/prove-*"))
        return [KEYS[AVC] in one.verdicts for one in living(bench)] == [True, True]

    with turn_to_prove(profile(AVC)) as ours:
        assert ours
        for _ in range(2):
            bench.worker(PROVE=AVC)
        eventually(lambda: len(living(bench)) == 2)
        time.sleep(1.5)  # three looks of each
        assert not both_know()
        assert at_work == set()
    eventually(both_know, 60)
    assert len(at_work) == 1


def test_a_chunk_is_given_only_to_a_worker_that_proved_its_profile(
    bench: Bench, lame: dict[str, str]
) -> None:
    """The one that cannot passes it over and does the others'; the one that can finds it soon."""
    first = bench.worker(**lame)
    reasons = eventually(lambda: verdicts(bench, first), within_s=60)
    assert reasons[AVC] is None
    assert "libx265" in reasons[HEVC]
    hevc, avc = [[needing(bench, name) for _ in range(4)] for name in (HEVC, AVC)]
    assert {bench.settled(job) for job in avc} == {"done"}
    passed = eventually(lambda: bench.steps(hevc[0])["one"].passed_at)
    assert {bench.steps(job)["one"].state for job in hevc} == {"ready"}
    assert {bench.steps(job)["one"].attempts for job in hevc} == {0}

    second = bench.worker(PROVE=PROVEN)
    assert eventually(lambda: verdicts(bench, second), within_s=60) == {HEVC: None, AVC: None}
    more = [needing(bench, name) for name in (HEVC, AVC, HEVC, AVC)]
    assert {bench.settled(job) for job in [*hevc, *more]} == {"done"}
    assert {ran_on(bench, job) for job in (*hevc, more[0], more[2])} == {str(second.pid)}
    assert {ran_on(bench, job) for job in avc} == {str(first.pid)}
    assert passed is not None


def test_what_a_dead_worker_could_do_expires(bench: Bench, lame: dict[str, str]) -> None:
    """Killed: its capability is gone after three beats, and its rows with it."""
    able, other = bench.worker(PROVE=PROVEN), bench.worker(**lame)
    eventually(lambda: verdicts(bench, able) and verdicts(bench, other), within_s=60)
    able.kill()
    eventually(lambda: not any(one.can_do(KEYS[HEVC]) for one in living(bench)))
    assert [f":{other.pid}:" in one.name for one in living(bench)] == [True]
    job = needing(bench, HEVC)
    eventually(lambda: bench.steps(job)["one"].passed_at)
    assert bench.steps(job)["one"].state == "ready"


def test_a_worker_that_ends_by_itself_is_gone_at_once(bench: Bench) -> None:
    """A rolling update leaves no names of workers behind."""
    worker = bench.worker(PROVE=AVC)
    eventually(lambda: living(bench))
    worker.terminate()
    assert worker.wait(20) == 0
    assert living(bench) == []


def test_a_job_that_was_planned_before_its_profile_changed_goes_on(bench: Bench) -> None:
    """Its definition was kept with the plan, and whoever lives proves that one too."""
    old = replace(profile(AVC), version=99)
    key = profile_key(old)
    assert key not in KEYS.values()
    with bench.database.begin() as session:
        workers.keep_definitions(session, {key: to_json(old)})
    job = bench.job(NewStep("encode", "one", payload("encode"), needs=(key,)))
    bench.worker(PROVE=AVC)
    assert bench.settled(job) == "done"


def test_a_definition_that_this_version_cannot_read_is_said_to_be_one(bench: Bench) -> None:
    """Nobody guesses what it meant; a new job is planned by this version's own."""
    key = f"{AVC}@99-0123456789abcdef"
    with bench.database.begin() as session:
        workers.keep_definitions(session, {key: {"name": AVC, "version": 99, "odd": True}})
    bench.job(NewStep("encode", "one", payload("encode"), needs=(key,)))
    bench.worker(PROVE=AVC)
    (worker,) = eventually(lambda: [one for one in living(bench) if key in one.verdicts])
    reason = worker.verdicts[key].reason or ""
    assert reason.endswith("in another way: cancel the job and start a new one")


def test_the_plan_refuses_what_no_living_worker_can_do(
    bench: Bench, lame: dict[str, str], tmp_path: Path
) -> None:
    """With its reason; the rest of the job is done. Asked for nothing else, the job fails so."""
    bench.worker(KINDS="real", **lame)
    both = uploaded(bench, clip(tmp_path / "clip.mp4"), {"profiles": [HEVC, AVC]})
    alone = uploaded(bench, tmp_path / "clip.mp4", {"profiles": [HEVC]})
    assert bench.settled(both, 180) == "done", bench.row(both).error
    (refused,) = (bench.row(both).plan or {})["refused"]
    assert (refused["profile"], refused["code"]) == (HEVC, "unavailable_here")
    assert "libx265" in refused["reason"]["en"]
    assert bench.settled(alone, 180) == "failed"
    error = bench.row(alone).error or {}
    assert error["code"] == "nothing_to_encode"
    assert f"{HEVC}: " in error["detail"]
    assert "libx265" in error["detail"]


def test_a_profile_that_only_another_worker_can_do_is_planned(
    bench: Bench, lame: dict[str, str], tmp_path: Path
) -> None:
    """The plan is made by a worker that lacks the encoder, and refuses for the source's sake."""
    able = bench.worker("encode", "package", "measure", KINDS="real", PROVE=PROVEN)
    eventually(lambda: verdicts(bench, able), within_s=60)
    bench.worker("inspect", KINDS="real", **lame)
    job = uploaded(bench, clip(tmp_path / "clip.mp4"), {"profiles": [HEVC, AVC]})
    assert bench.settled(job, 180) == "done", bench.row(job).error
    (refused,) = (bench.row(job).plan or {})["refused"]
    assert (refused["profile"], refused["code"] != "unavailable_here") == (HEVC, True)
    joined = bench.steps(job)[f"join {AVC}"]
    assert f":{able.pid}:" in str(joined.worker)
