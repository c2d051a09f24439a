"""What chunks cost and give: efficiency, bits, seams, and a kill in the middle.

    .venv/bin/python -m benchmarks.engine [--json] [--quick] [--clip FILE …] [--rounds 3]
                                          [--long-s 600]

`chunk_efficiency`: one worker on one core encodes two equal chunks one after the other, or two
workers on a core each take one: T(1) ÷ (2 · T(2)), alternating, median.
`chunked_vs_unchunked_bits`: bytes of a rendition joined from chunks ÷ those of one encoded whole,
at equal VMAF (read off the whole's own curve between two CRF values), for H.264 and for HEVC.
`seam_vmaf_dip`: how much lower the frames beside seams score than in the whole, mean of the worst
seam, in VMAF.
`kill9_vs_uninterrupted`: a job whose service is killed (SIGKILL) at half its time and started again
÷ the same job left alone, both from `complete` to the end by the catalogue's clock; of a programme
of `--long-s` seconds, the last clip again and again.
`pipeline_vs_bare`, `with_scores_vs_encode_only`, `fanout_saving_share` and their kin: see
`benchmarks/pipeline.py`. Beside the clips they are measured once on the long programme, which has
keys of its own (`long_…`).
`bits_saved_vs_fixed_ladder`, `search_vs_encode_wall`, `target_hit_share` and their kin: see
`benchmarks/quality_target.py`.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import pipeline, quality_target
from benchmarks.clips import CLIPS, Clip, encoded, looked_at, played_again
from benchmarks.ratios import show
from benchmarks.service import Service
from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_part
from pipelines.planning.chunks import CHUNK_MIN_S
from pipelines.planning.plan import Chunk, Plan, Rung, VideoPlan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.quality.comparison import Comparison, Pair, Window, compose, taps_of
from pipelines.quality.reference import reference_of
from pipelines.running.run import run
from sample_media.generate import generate

BESIDE = 4  # frames on each side of a seam
CODECS = ("h264", "hevc")
LONG_S = 600
QUICK_S, QUICK_LINES, QUICK_LONG_S = 40, 360, 120


def rung_of(codec: str, crf_more: float = 0.0) -> Profile:
    """The 720p rung, with its cap far away: at equal CRF only the seams differ."""
    base = profile("mobile-720p")
    assert base.video is not None, "a rung with a picture"
    # A target would choose its own CRF, the same for every point of the curve.
    video = replace(base.video, crf=(base.video.crf or 23) + crf_more, target=None)
    if codec == "hevc":
        video = replace(video, codec="hevc", encoder="libx265", codec_profile="main", level=None)
    return replace(base, video=video, audio=())


# -- chunk_efficiency


def _encode_on(
    core: int, path: Path, made: Plan, chunks: Sequence[Chunk], folder: Path, ready: Barrier
) -> None:
    os.sched_setaffinity(0, {core})
    ready.wait()  # a worker runs already when its step comes
    for chunk in chunks:
        own = Path(tempfile.mkdtemp(dir=folder))
        finish(encode_part(LocalFile(path), made, chunk, own))


def _seconds(clip: Clip, made: Plan, shares: Sequence[Sequence[Chunk]], folder: Path) -> float:
    """Each share on a core of its own, all at once."""
    spawn = multiprocessing.get_context("spawn")
    cores = sorted(os.sched_getaffinity(0))
    ready = spawn.Barrier(len(shares) + 1)
    workers = [
        spawn.Process(target=_encode_on, args=(cores[at], clip.path, made, share, folder, ready))
        for at, share in enumerate(shares)
    ]
    for worker in workers:
        worker.start()
    ready.wait()
    began = time.monotonic()
    for worker in workers:
        worker.join()
        if worker.exitcode != 0:
            raise RuntimeError(f"a worker ended with {worker.exitcode}")
    return time.monotonic() - began


def chunk_efficiency(clip: Clip, rounds: int, folder: Path) -> dict[str, Any]:
    made = clip.planned(rung_of("h264"), 0)
    half = made.frames // 4 * 2
    first, second = Chunk(0, 0, half), Chunk(1, half, half * 2)
    rows = []
    for _ in range(rounds):
        one_s = _seconds(clip, made, [[first, second]], folder)
        two_s = _seconds(clip, made, [[first], [second]], folder)
        rows.append([round(one_s, 2), round(two_s, 2), round(one_s / (2 * two_s), 3)])
    return {"ratio": round(statistics.median(row[2] for row in rows), 3), "rounds": rows}


# -- bits and seams


@dataclass(frozen=True, slots=True)
class Scored:
    size_bytes: int
    vmaf: list[float]

    @property
    def mean(self) -> float:
        return statistics.fmean(self.vmaf)


def scored(clip: Clip, made: Plan, folder: Path) -> Scored:
    """Encoded by the plan's chunks, joined, and scored frame by frame."""
    (rung,), joined = made.rungs, encoded(clip, made, folder).path
    return Scored(joined.stat().st_size, _vmaf(clip, made, rung, joined, joined.parent))


def _vmaf(clip: Clip, made: Plan, rung: Rung, path: Path, folder: Path) -> list[float]:
    picture = clip.info.picture
    assert picture is not None, "clips have a picture"
    pair = Pair(rung, path)
    reference = reference_of(pair.video, picture)
    comparison = Comparison(clip.path, made, reference, (pair,))
    metric = comparison.metrics(pair)[0]
    assert metric.name == "vmaf", metric
    finish(
        run(
            compose(comparison, [Window(0, made.frames, seek=False)], folder),
            readable=comparison.files,
            writable=[folder],
            taps=dict.fromkeys(taps_of(0), len),
        )
    )
    return metric.read(pair.log(metric, folder).read_text())


def seams(clip: Clip, codec: str, folder: Path) -> dict[str, Any]:
    chosen = rung_of(codec)
    chunked = clip.planned(chosen, min(CHUNK_MIN_S, float(clip.inspection.duration_s) / 4))
    apart = scored(clip, chunked, folder)
    whole = scored(clip, clip.planned(chosen, 0), folder)
    less = scored(clip, clip.planned(rung_of(codec, 2.0), 0), folder)
    return {
        "chunks": len(chunked.chunks),
        "bits_ratio": round(apart.size_bytes / _size_at(apart.mean, whole, less), 4),
        "size_ratio": round(apart.size_bytes / whole.size_bytes, 4),
        "vmaf": [round(one.mean, 3) for one in (apart, whole, less)],
        "dip": round(_worst_dip(chunked, apart, whole), 3),
    }


def _size_at(vmaf: float, *curve: Scored) -> float:
    """Bytes at that score on a straight line of the logarithm; a little outside it too."""
    (low, small), (high, large) = sorted((one.mean, np.log(one.size_bytes)) for one in curve)
    return float(np.exp(small + (large - small) * (vmaf - low) / (high - low)))


def _worst_dip(made: Plan, apart: Scored, whole: Scored) -> float:
    """Of the seams' neighbourhoods, each a mean."""
    video: VideoPlan | None = made.rungs[0].video
    assert video is not None, "a rung with a picture"
    dips = []
    for _, chunk in pairwise(made.chunks):
        at = video.frame_at(chunk.start_frame)
        around = range(max(0, at - BESIDE), min(len(apart.vmaf), at + BESIDE))
        dips.append(statistics.fmean(whole.vmaf[n] - apart.vmaf[n] for n in around))
    return max(dips, default=0.0)


# -- a kill in the middle


def kill9(path: Path, folder: Path) -> dict[str, Any]:
    own = folder / "kill"
    own.mkdir()
    with Service(own) as service:
        _job_s(service, path)  # proves the profiles, once a machine
        alone_s = _job_s(service, path)
        killed_s = _job_s(service, path, kill_after_s=alone_s / 2)
    return {
        "clip": path.name,
        "seconds": [round(alone_s, 2), round(killed_s, 2)],
        "ratio": round(killed_s / alone_s, 3),
    }


def _job_s(service: Service, path: Path, kill_after_s: float | None = None) -> float:
    job_id = service.upload(path, wait=False)["job"]["id"]
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        service.process.kill()
        service.process.wait()
        service.__enter__()
    while (job := service.get(f"/v1/jobs/{job_id}"))["finished_at"] is None:
        time.sleep(0.2)
    if job["state"] != "done":
        raise RuntimeError(job)
    return pipeline.job_seconds(job)


def told(what: str, clip: Clip, found: dict[str, Any]) -> dict[str, Any]:
    """On stderr as soon as it is known: the whole takes hours."""
    print(json.dumps({"clip": clip.path.name, what: found}), file=sys.stderr, flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--long-s", type=float, default=LONG_S)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="one small clip and one round")
    args = parser.parse_args()
    paths = args.clip or [clip for clip in CLIPS if clip.is_file()]
    if not paths:
        parser.error("../shared/media is not there: name clips with --clip")
    if args.quick:
        paths, args.rounds, args.long_s = paths[-1:], 1, QUICK_LONG_S
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as name:
        folder = Path(name)
        clips = [looked_at(path, folder) for path in paths]
        efficiency = {
            one.path.name: told("efficiency", one, chunk_efficiency(one, args.rounds, folder))
            for one in clips
        }
        beside = {
            f"{one.path.name} {codec}": told(codec, one, seams(one, codec, folder))
            for one in clips
            for codec in CODECS
        }
        programme = played_again(paths[-1], args.long_s, folder)
        killed = kill9(programme, folder)
        print(json.dumps(killed), file=sys.stderr, flush=True)
        programmes = [] if args.quick else [generate("programme_2160p50_hlg", folder, seconds=3)]
        whole = pipeline.measured([*paths, *programmes], args.rounds, folder)
        long = [] if args.quick else pipeline.measured([programme], 1, folder)
        targets = (
            quality_target.measured(paths, folder, QUICK_S, QUICK_LINES)
            if args.quick
            else quality_target.measured([], folder)
        )
    found = {
        **pipeline.summary(whole),
        **({f"long_{key}": value for key, value in pipeline.summary(long).items()} if long else {}),
        "chunk_efficiency": statistics.median(one["ratio"] for one in efficiency.values()),
        "chunked_vs_unchunked_bits": max(one["bits_ratio"] for one in beside.values()),
        "seam_vmaf_dip": max(one["dip"] for one in beside.values()),
        "kill9_vs_uninterrupted": killed["ratio"],
        **quality_target.summary(targets),
        "details": {
            "pipeline": [*whole, *long],
            "efficiency": efficiency,
            "seams": beside,
            "kill9": killed,
            "quality_target": targets,
        },
    }
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()
