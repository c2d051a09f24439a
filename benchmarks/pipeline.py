"""Whole job ÷ the best single bare ffmpeg command; what one decode for all rungs saves.

    .venv/bin/python -m benchmarks.pipeline [--rounds 3] [--clip FILE …] [--json]

The job is timed from the answer to `complete` until it has settled, by the catalogue's own clock:
fixity, inspect, plan, encode, sound, join, verify and package. The bare command makes the same
files in one ffmpeg from one decode: the job's plan as one chunk, with the sound added to each
output. Everything alternates; medians count.

`pipeline_vs_bare`: the job without scores ÷ the bare command with the posters and the storyboard
that the job leaves too. `pipeline_vs_renditions_alone`: the same without these images.
`with_scores_vs_encode_only`: the job with scores ÷ the bare command without images.
`fanout_saving_share`: what one command for all rungs saves against one command a rung, as a share
of all decodes but one; in CPU seconds, which add up where wall time overlaps on several cores. More
than 1 where scaling once saves too. `fanout_vs_separate` is their ratio in wall time.
"""

from __future__ import annotations

import argparse
import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.ratios import cpu_of, show
from benchmarks.service import Service
from pipelines.encoding.graph import compose
from pipelines.inspection.inspect_command import image_chains, image_files, picture_taps
from pipelines.planning.plan import Chunk, Plan
from pipelines.records import from_json
from pipelines.running import tools
from pipelines.sources.probe import probe

RATIOS = (
    "pipeline_vs_bare",
    "pipeline_vs_renditions_alone",
    "with_scores_vs_encode_only",
    "fanout_saving_share",
    "fanout_vs_separate",
)
QUIET = (tools.ffmpeg(), "-nostdin", "-y", "-v", "error")
SOUND = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", "192k")


def timed(argv: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    started = time.monotonic()
    cpu_s = cpu_of(lambda: subprocess.run(argv, check=True, capture_output=True))
    return time.monotonic() - started, cpu_s


def job_seconds(job: dict[str, Any]) -> float:
    began, ended = (datetime.fromisoformat(job[key]) for key in ("created_at", "finished_at"))
    return (ended - began).total_seconds()


def plan_of(service: Service, job: dict[str, Any]) -> Plan:
    """The catalogue's: the API shows less of it."""
    with closing(sqlite3.connect(service.data / "kapok.db")) as catalogue:
        (found,) = catalogue.execute("SELECT plan FROM jobs WHERE id = ?", (job["id"],)).fetchone()
    return from_json(Plan, json.loads(found))


def images(source: Path, folder: Path) -> list[str]:
    """Outputs for the bare command: posters and storyboard as `inspect` makes them."""
    info = probe(source)
    assert info.picture is not None, "only pictures are compared"
    chains = image_chains(info.picture, picture_taps(info, info.picture, keep_thumbs=False))
    graph = ";".join([f"[0:{info.picture.index}]null[b]", *chains])
    return ["-filter_complex", graph, *image_files(folder)]


def bare(plan: Plan, source: Path, folder: Path) -> list[str]:
    """The plan's encode as one plain ffmpeg command, with sound in each output."""
    argv = list(QUIET)
    for word in compose(source, plan, Chunk(0, 0, plan.frames), folder)[1:]:
        argv += [*SOUND, word] if word.startswith(str(folder)) else [word]
    return argv


def one_job(service: Service, clip: Path, *options: str) -> dict[str, Any]:
    job: dict[str, Any] = service.upload(clip, *options)["job"]
    if job["state"] != "done":
        raise RuntimeError(job)
    return job


def compare(service: Service, clip: Path, rounds: int) -> dict[str, Any]:
    first = one_job(service, clip)  # also proves the profiles, which is done once a machine
    made = plan_of(service, first)
    rows = [one_round(service, clip, made) for _ in range(rounds)]
    ratios = {
        "pipeline_vs_bare": median_ratio(rows, "job_s", "bare_s"),
        "pipeline_vs_renditions_alone": median_ratio(rows, "job_s", "renditions_alone_s"),
        "with_scores_vs_encode_only": median_ratio(rows, "scored_job_s", "renditions_alone_s"),
        "fanout_saving_share": round(statistics.median(row["saving_share"] for row in rows), 3),
        "fanout_vs_separate": median_ratio(rows, "renditions_alone_s", "separate_s"),
    }
    commands = {"bare": bare(made, clip, Path("OUT")), "images": images(clip, Path("OUT"))}
    return {"clip": clip.name, **ratios, "rounds": rows, "commands": commands}


def one_round(service: Service, clip: Path, made: Plan) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name:
        folder = Path(name)
        renditions = bare(made, clip, folder)
        job_s = job_seconds(one_job(service, clip, "--no-scores"))
        bare_s, _ = timed([*renditions, *images(clip, folder)])
        scored_job_s = job_seconds(one_job(service, clip))
        alone_s, alone_cpu_s = timed(renditions)
        apart = [timed(bare(replace(made, rungs=(one,)), clip, folder)) for one in made.rungs]
        _, decode_cpu_s = timed([*QUIET, "-i", str(clip), "-map", "0:v:0", "-f", "null", "-"])
    saved_s = sum(cpu_s for _, cpu_s in apart) - alone_cpu_s
    row = {
        "job_s": job_s,
        "scored_job_s": scored_job_s,
        "bare_s": bare_s,
        "renditions_alone_s": alone_s,
        "separate_s": sum(wall_s for wall_s, _ in apart),
        "saved_cpu_s": saved_s,
        "decode_cpu_s": decode_cpu_s,
        "saving_share": saved_s / (decode_cpu_s * (len(apart) - 1)),
    }
    rounded = {key: round(value, 3) for key, value in row.items()}
    print(json.dumps({"clip": clip.name, **rounded}), file=sys.stderr, flush=True)
    return rounded


def median_ratio(rows: Sequence[dict[str, float]], over: str, under: str) -> float:
    return round(statistics.median(row[over] / row[under] for row in rows), 3)


def summary(results: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Of all clips, the median of each ratio."""
    return {key: round(statistics.median(result[key] for result in results), 3) for key in RATIOS}


def measured(clips: Sequence[Path], rounds: int, folder: Path) -> list[dict[str, Any]]:
    """Those clips, or the generated 2160p50 programme."""
    own = Path(tempfile.mkdtemp(prefix="pipeline-", dir=folder))
    with Service(own) as service:
        return [compare(service, clip, rounds) for clip in clips or [service.programme()]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        results = measured(args.clip, args.rounds, Path(folder))
    show({**summary(results), "details": results}, as_json=args.json)


if __name__ == "__main__":
    main()
