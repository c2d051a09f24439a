"""Bits and time of an encoder's presets at equal XPSNR: why the profiles ask for the ones they do.

    .venv/bin/python -m benchmarks.presets [--encoder libx265] [--presets superfast,medium]
                                           [--crf 20,22,24] [--clip FILE] [--json]

Every preset encodes the clip at every CRF, taking turns. The bits at one quality are read off each
preset's own curve (logarithm of the size over XPSNR, straight between two points), at the middle of
the range that all curves share; the first preset is what the others are compared with.
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

from pipelines import tools
from sample_media.generate import generate

PIX_FMTS = {"libx265": "yuv420p10le", "libx264": "yuv420p"}
_XPSNR = re.compile(r"XPSNR\s+y: (\S+)")


@dataclass(frozen=True, slots=True)
class Point:
    """One encode: wall seconds, bytes of its picture, XPSNR of luma in dB."""

    crf: float
    wall_s: float
    size_bytes: int
    xpsnr_db: float


def encode(clip: Path, encoder: str, preset: str, crf: float, out: Path) -> Point:
    words = ("-c:v", encoder, "-preset", preset, "-crf", f"{crf:g}", "-g", "50", "-an")
    quiet = ("-x265-params", "log-level=error") if encoder == "libx265" else ()
    prepared = f"format={PIX_FMTS[encoder]}"
    began = time.monotonic()
    _ffmpeg("-i", str(clip), "-vf", prepared, *words, *quiet, "-y", str(out))
    wall_s = time.monotonic() - began
    graph = f"[1:v]{prepared}[true];[0:v][true]xpsnr"
    said = _ffmpeg("-i", str(out), "-i", str(clip), "-lavfi", graph, "-f", "null", "-")
    found = _XPSNR.search(said)
    if found is None:
        raise RuntimeError(said)
    return Point(crf, wall_s, out.stat().st_size, float(found[1]))


def _ffmpeg(*words: str) -> str:
    argv = [tools.ffmpeg(), "-nostdin", "-nostats", "-v", "info", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True).stderr


def size_at(points: list[Point], xpsnr_db: float) -> float:
    ordered = sorted(points, key=lambda point: point.xpsnr_db)
    sizes = np.log([point.size_bytes for point in ordered])
    return float(np.exp(np.interp(xpsnr_db, [point.xpsnr_db for point in ordered], sizes)))


def compare(clip: Path, encoder: str, presets: list[str], crfs: list[float]) -> dict[str, Any]:
    curves: dict[str, list[Point]] = {preset: [] for preset in presets}
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        for crf in crfs:
            for preset, points in curves.items():
                points.append(encode(clip, encoder, preset, crf, Path(folder, "out.mp4")))
    lowest = max(min(point.xpsnr_db for point in points) for points in curves.values())
    highest = min(max(point.xpsnr_db for point in points) for points in curves.values())
    if lowest > highest:
        raise SystemExit("the curves share no quality: give more or other CRF values")
    quality = (lowest + highest) / 2
    first = curves[presets[0]]
    return {
        "clip": clip.name,
        "encoder": encoder,
        "xpsnr_db": round(quality, 2),
        "presets": {
            preset: {
                "bits_ratio": round(size_at(points, quality) / size_at(first, quality), 3),
                "time_ratio": round(_times_longer(points, first), 2),
                "points": [
                    [one.crf, round(one.wall_s, 1), one.size_bytes, one.xpsnr_db] for one in points
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
    parser.add_argument("--clip", type=Path, action="append")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    presets = args.presets.split(",")
    crfs = [float(word) for word in args.crf.split(",")]
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        clips = args.clip or [generate("programme_2160p50_hlg", Path(folder))]
        results = [compare(clip, args.encoder, presets, crfs) for clip in clips]
    if args.json:
        print(json.dumps(results, indent=2))
        return
    for result in results:
        print(
            f"{result['clip']}, {result['encoder']} at {result['xpsnr_db']} dB XPSNR, "
            f"÷ {presets[0]}:"
        )
        for preset, found in result["presets"].items():
            print(f"  {preset}: bits {found['bits_ratio']}, time {found['time_ratio']}")


if __name__ == "__main__":
    main()
