"""Whole job ÷ the best single bare ffmpeg command; one decode for all rungs ÷ separate commands.

    .venv/bin/python -m benchmarks.pipeline [--rounds 3] [--clip FILE] [--json]

The job is timed from the answer to `complete` until it has settled, by the catalogue's own clock:
fixity, inspect, plan, encode, sound, join, verify and package, without scores. The bare command
is the one that the job recorded for its encode (all rungs from one decode) with the sound added to
each output; the separate commands are one such ffmpeg a rung. A and B alternate; medians count.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.service import Service
from pipelines import tools

SOUND = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", "192k")


def timed(argv: Sequence[str]) -> float:
    started = time.monotonic()
    subprocess.run(argv, check=True, capture_output=True)
    return time.monotonic() - started


def job_seconds(job: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(job[key]) for key in ("created_at", "finished_at"))
    return (ended - began).total_seconds()


def encode_command(service: Service, job_id: str) -> list[str]:
    """The argv that the job recorded for its encode."""
    steps = service.get(f"/v1/jobs/{job_id}/steps")["data"]
    found: list[str] = next(step["command"] for step in steps if step["kind"] == "encode")
    return found


def bare(recorded: Sequence[str], source: Path, folder: Path) -> list[str]:
    """The recorded encode as one plain ffmpeg command, with sound in each output."""
    argv = [tools.ffmpeg(), "-nostdin", "-y", "-v", "error"]
    words = list(recorded[1:])
    for place, word in enumerate(words):
        if words[place - 1] == "-i":
            argv.append(str(source))
        elif word.endswith((".mp4", ".mkv")) and "/" in word:
            argv += [*SOUND, str(folder / Path(word).name)]
        else:
            argv.append(word)
    return argv


def one_job(service: Service, clip: Path, profiles: str | None) -> dict[str, Any]:
    options = ["--no-scores", *(("--profiles", profiles) if profiles else ())]
    record = service.upload(clip, *options)
    job: dict[str, Any] = record["job"]
    assert job["state"] == "done", job
    return {**job, "made": [one["profile"] for one in record["renditions"]]}


def compare(service: Service, clip: Path, rounds: int) -> dict[str, Any]:
    ratios, fanout, rows = [], [], []
    first = one_job(service, clip, None)  # also proves the profiles, which is done once a machine
    made = [profile for profile in first["made"] if profile != "archive-ffv1"]
    separate = [bare_of_one(service, clip, profile) for profile in made]
    for _ in range(rounds):
        job = one_job(service, clip, None)
        with tempfile.TemporaryDirectory() as folder:
            together = bare(encode_command(service, job["id"]), clip, Path(folder))
            together_s = timed(together)
        apart_s = sum(timed(argv) for argv in separate)
        ratios.append(job_seconds(job) / together_s)
        fanout.append(together_s / apart_s)
        rows.append({"job_s": job_seconds(job), "bare_s": together_s, "separate_s": apart_s})
    return {
        "clip": clip.name,
        "pipeline_vs_bare": round(statistics.median(ratios), 3),
        "fanout_vs_separate": round(statistics.median(fanout), 3),
        "rounds": rows,
        "bare_command": together,
    }


def bare_of_one(service: Service, clip: Path, profile: str) -> list[str]:
    job = one_job(service, clip, profile)
    folder = Path(tempfile.mkdtemp(prefix="kapok-bench-"))
    return bare(encode_command(service, job["id"]), clip, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder, Service(Path(folder)) as up:
        clips = args.clip or [up.programme()]
        results = [compare(up, clip, args.rounds) for clip in clips]
    if args.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        print(f"{result['clip']}: whole job ÷ one bare ffmpeg = {result['pipeline_vs_bare']}")
        print(f"{result['clip']}: one decode ÷ separate commands = {result['fanout_vs_separate']}")


if __name__ == "__main__":
    main()
