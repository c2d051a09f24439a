"""Bits and time of an encoder's presets at equal quality: why the profiles ask for theirs.

    .venv/bin/python -m benchmarks.presets [--encoder libx265] [--presets superfast,medium]
                                           [--metric xpsnr|vmaf] [--crf 20,22,24] [--clip FILE]
                                           [--lines 360 --seconds 4] [--json]

Every preset encodes the clip at every CRF, taking turns. The bits at one quality are read off each
preset's own curve (logarithm of the size over the score, straight between two points), on average
over the range that all curves share; the first preset is what the others are compared with.
`medium+psy-rd=0.4:0` is a preset with another option of ffmpeg. `--lines` and `--seconds` make the
clip smaller and shorter first. VMAF is the one of HD and SDR.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.running import tools
from sample_media.generate import generate

PIX_FMTS = {"libx265": "yuv420p10le", "libx264": "yuv420p"}
METRICS = {
    "xpsnr": ("xpsnr", re.compile(r"XPSNR\s+y: (\S+)")),
    "vmaf": (
        "libvmaf=model=version=vmaf_v1.0.16_3d0h:n_threads=2",
        re.compile(r"VMAF score: (\S+)"),
    ),
}
PLACES = 7  # of one range at which curves are compared, without its ends


@dataclass(frozen=True, slots=True)
class Point:
    """One encode: wall seconds, bytes of its picture, VMAF or XPSNR of luma in dB."""

    crf: float
    wall_s: float
    size_bytes: int
    score: float


def encode(clip: Path, encoder: str, preset: str, crf: float, out: Path, metric: str) -> Point:
    name, *more = preset.split("+")
    options = [word for one in more for word in ("-" + one.split("=")[0], one.split("=", 1)[1])]
    words = ("-c:v", encoder, "-preset", name, *options, "-crf", f"{crf:g}", "-g", "50", "-an")
    quiet = ("-x265-params", "log-level=error") if encoder == "libx265" else ()
    prepared = f"format={PIX_FMTS[encoder]}"
    began = time.monotonic()
    _ffmpeg("-i", str(clip), "-vf", prepared, *words, *quiet, "-y", str(out))
    wall_s = time.monotonic() - began
    compared, told = METRICS[metric]
    alike = "settb=AVTB,setpts=N,format=yuv420p10le"  # frame by frame, whatever the clocks say
    graph = f"[1:v]{prepared},{alike}[true];[0:v]{alike}[seen];[seen][true]{compared}"
    said = _ffmpeg("-i", str(out), "-i", str(clip), "-lavfi", graph, "-f", "null", "-")
    found = told.search(said)
    if found is None:
        raise RuntimeError(said)
    return Point(crf, wall_s, out.stat().st_size, float(found[1]))


def _ffmpeg(*words: str) -> str:
    argv = [tools.ffmpeg(), "-nostdin", "-nostats", "-v", "info", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stderr


def small(clip: Path, lines: int, seconds: float, out: Path) -> Path:
    """Without loss, so that every encode begins with the same pictures."""
    words = ("-vf", f"scale=-2:{lines}:flags=bicubic+accurate_rnd,setsar=1", "-an", "-c:v", "ffv1")
    _ffmpeg("-t", f"{seconds}", "-i", str(clip), *words, "-y", str(out))
    return out


def sizes_at(points: list[Point], scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Logarithms of bytes."""
    ordered = sorted(points, key=lambda point: point.score)
    sizes = np.log([point.size_bytes for point in ordered])
    return np.asarray(np.interp(scores, [point.score for point in ordered], sizes))


def compare(
    clip: Path, encoder: str, presets: list[str], crfs: list[float], metric: str
) -> dict[str, Any]:
    curves: dict[str, list[Point]] = {preset: [] for preset in presets}
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        for crf in crfs:
            for preset, points in curves.items():
                out = Path(folder, "out.mp4")
                points.append(encode(clip, encoder, preset, crf, out, metric))
    lowest = max(min(point.score for point in points) for points in curves.values())
    highest = min(max(point.score for point in points) for points in curves.values())
    if lowest > highest:
        raise SystemExit("the curves share no quality: give more or other CRF values")
    scores = np.linspace(lowest, highest, PLACES)[1:-1]
    first = curves[presets[0]]
    base = sizes_at(first, scores)
    return {
        "clip": clip.name,
        "encoder": encoder,
        "metric": metric,
        "scores": [round(lowest, 2), round(highest, 2)],
        "presets": {
            preset: {
                "bits_ratio": round(float(np.exp(np.mean(sizes_at(points, scores) - base))), 3),
                "time_ratio": round(_times_longer(points, first), 2),
                "points": [
                    [one.crf, round(one.wall_s, 1), one.size_bytes, one.score] for one in points
                ],
            }
            for preset, points in curves.items()
        },
    }


def _times_longer(points: list[Point], first: list[Point]) -> float:
    """The median over the encodes at one CRF, which ran one after the other."""
    pairs = zip(points, first, strict=True)
    return statistics.median(one.wall_s / other.wall_s for one, other in pairs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", choices=sorted(PIX_FMTS), default="libx265")
    parser.add_argument("--presets", default="superfast,medium")
    parser.add_argument("--crf", default="20,22,24")
    parser.add_argument("--metric", choices=sorted(METRICS), default="xpsnr")
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--lines", type=int)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    presets = args.presets.split(",")
    crfs = [float(word) for word in args.crf.split(",")]
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        clips = args.clip or [generate("programme_2160p50_hlg", Path(folder), seconds=3)]
        if args.lines:
            clips = [
                small(clip, args.lines, args.seconds, Path(folder, f"{clip.stem}.mkv"))
                for clip in clips
            ]
        results = [compare(clip, args.encoder, presets, crfs, args.metric) for clip in clips]
    if args.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        print(
            f"{result['clip']}, {result['encoder']}, {result['metric']} "
            f"{result['scores'][0]} to {result['scores'][1]}, ÷ {presets[0]}:"
        )
        for preset, found in result["presets"].items():
            print(f"  {preset}: bits {found['bits_ratio']}, time {found['time_ratio']}")


if __name__ == "__main__":
    main()
