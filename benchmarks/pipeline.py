"""Whole job ÷ the best single bare ffmpeg command; one decode for all rungs ÷ separate commands.

    .venv/bin/python -m benchmarks.pipeline [--rounds 3] [--clip FILE] [--json] [--no-fanout]

The job is timed from the answer to `complete` until it has settled, by the catalogue's own clock:
fixity, inspect, plan, encode, sound, join, verify and package, without scores. The bare command
makes the same files in one ffmpeg from one decode: the job's plan as one chunk, with the sound
added to each output, and the posters and the storyboard that the job leaves too
(`pipeline_vs_bare`); `pipeline_vs_renditions_alone` is the same without these images. The separate
commands are one such ffmpeg a rung. A and B alternate; medians count.
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
from pipelines.graph import compose
from pipelines.inspect_command import image_chains, image_files, picture_taps
from pipelines.plan import Chunk, Plan
from pipelines.probe import probe
from pipelines.records import from_json

RATIOS = ("pipeline_vs_bare", "pipeline_vs_renditions_alone", "fanout_vs_separate")
SOUND = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", "192k")


def timed(argv: Sequence[str]) -> float:
    started = time.monotonic()
    subprocess.run(argv, check=True, capture_output=True)
    return time.monotonic() - started


def job_seconds(job: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(job[key]) for key in ("created_at", "finished_at"))
    return (ended - began).total_seconds()


def encode_command(service: Service, job_id: str, clip: Path, folder: Path) -> list[str]:
    """The one command that encodes the whole picture of the job's plan."""
    plan = from_json(Plan, service.get(f"/v1/jobs/{job_id}")["plan"])
    return compose(clip, plan, Chunk(0, 0, plan.frames), folder)


def images(source: Path, folder: Path) -> list[str]:
    """Outputs for the bare command: posters and storyboard as `inspect` makes them."""
    info = probe(source)
    assert info.picture is not None, "only pictures are compared"
    chains = image_chains(info.picture, picture_taps(info, info.picture, keep_thumbs=False))
    graph = ";".join([f"[0:{info.picture.index}]null[b]", *chains])
    return ["-filter_complex", graph, *image_files(folder)]


def bare(service: Service, job_id: str, source: Path, folder: Path) -> list[str]:
    """The job's encode as one plain ffmpeg command, with sound in each output."""
    argv = [tools.ffmpeg(), "-nostdin", "-y", "-v", "error"]
    for word in encode_command(service, job_id, source, folder)[1:]:
        argv += [*SOUND, word] if word.startswith(str(folder)) else [word]
    return argv


def one_job(service: Service, clip: Path, profiles: str | None) -> dict[str, Any]:
    options = ["--no-scores", *(("--profiles", profiles) if profiles else ())]
    record = service.upload(clip, *options)
    job: dict[str, Any] = record["job"]
    assert job["state"] == "done", job
    return {**job, "made": [one["profile"] for one in record["renditions"]]}


def compare(service: Service, clip: Path, rounds: int, *, fanout: bool) -> dict[str, Any]:
    first = one_job(service, clip, None)  # also proves the profiles, which is done once a machine
    made = [profile for profile in first["made"] if profile != "archive-ffv1"]
    separate = [bare_of_one(service, clip, profile) for profile in made] if fanout else []
    rows = []
    for _ in range(rounds):
        job = one_job(service, clip, None)
        with tempfile.TemporaryDirectory() as folder:
            renditions = bare(service, job["id"], clip, Path(folder))
            row = {
                "job_s": job_seconds(job),
                "bare_s": timed([*renditions, *images(clip, Path(folder))]),
                "renditions_alone_s": timed(renditions),
            }
        if fanout:
            row["separate_s"] = sum(timed(argv) for argv in separate)
        rows.append(row)
    ratios = {
        "pipeline_vs_bare": median_ratio(rows, "job_s", "bare_s"),
        "pipeline_vs_renditions_alone": median_ratio(rows, "job_s", "renditions_alone_s"),
    }
    if fanout:
        ratios["fanout_vs_separate"] = median_ratio(rows, "renditions_alone_s", "separate_s")
    return {"clip": clip.name, **ratios, "rounds": rows, "bare_command": renditions}


def median_ratio(rows: Sequence[dict[str, float]], over: str, under: str) -> float:
    return round(statistics.median(row[over] / row[under] for row in rows), 3)


def bare_of_one(service: Service, clip: Path, profile: str) -> list[str]:
    job = one_job(service, clip, profile)
    folder = Path(tempfile.mkdtemp(prefix="kapok-bench-"))
    return bare(service, job["id"], clip, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--no-fanout", action="store_true", help="leave out separate commands")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder, Service(Path(folder)) as up:
        clips = args.clip or [up.programme()]
        results = [compare(up, clip, args.rounds, fanout=not args.no_fanout) for clip in clips]
    if args.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        for name in RATIOS:
            if name in result:
                print(f"{result['clip']}: {name} {result[name]}")


if __name__ == "__main__":
    main()
