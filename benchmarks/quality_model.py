"""What a CRF gives and costs, by what `inspect` measures: fits `quality/quality_model.toml`.

    .venv/bin/python -m benchmarks.quality_model [--codec CODEC …] [--clip FILE …] [--seconds 3]
                                                 [--rows FILE]

Excerpts of at most 720 lines are inspected, encoded at several CRFs by the rungs' own commands and
scored as renditions are; each encode is a row. Rows go to `--rows`, and are read from there when
the file exists; the coefficients go to stdout, and to stderr what the model is off by for a clip
that it was not fitted to (each clip left out in turn).
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips import MEDIA, Clip, looked_at
from benchmarks.ratios import cpu_of
from pipelines.encoding.graph import compose
from pipelines.planning.plan import Chunk
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.quality.quality_model import (
    FEATURES,
    Material,
    Metric,
    Shape,
    features,
    loss_of,
    score_of,
)
from pipelines.running import tools
from sample_media.generate import generate

LINES = 720
CRFS = {
    "h264": (18.0, 24.0, 30.0, 36.0),
    "hevc": (18.0, 24.0, 30.0, 36.0),
    "av1": (20.0, 30.0, 40.0, 50.0),
    "vvc": (22.0, 28.0, 34.0, 40.0),
}
HEIGHTS = {"h264": (720, 540, 360), "hevc": (720,), "av1": (720, 360), "vvc": (360,)}
DEEP = {"hevc": "cn4k-hevc-hlg", "av1": "ott4k-av1-hlg", "vvc": "uhd-vvc"}
METRICS: tuple[Metric, ...] = ("vmaf", "xpsnr")
LOW, HIGH = 50.0, 99.7  # beyond, VMAF saturates
SURE = ("constant", "crf")
SHRINK = ("shrink", "shrink_crf")
# Of what tells clips apart, what makes the answer for a clip that was left out better.
HELPFUL = {
    "vmaf": ("coded", "detail"),
    "xpsnr": ("coded", "size"),
    "bits": ("coded", "size"),
    "time": ("coded", "size"),
}
HELD = 0.05
SAMPLES = ("programme_2160p50_hlg", "tape_1080i25")


def excerpt(path: Path, seconds: float, folder: Path) -> Path:
    """The beginning of a clip, nearly lossless, quick to decode, at most 720 lines."""
    out = folder / f"{path.stem}.mkv"
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "6", "-g", "25")
    small = f"scale=-2:min({LINES}\\,ih):flags=bicubic+accurate_rnd"
    words = ("-i", str(path), "-t", f"{seconds:g}", "-an", "-vf", small, *coded, "-y", str(out))
    argv = [tools.ffmpeg(), "-nostdin", "-v", "error", *words]
    subprocess.run(argv, check=True)
    return out


def rung(codec: str, height: int, crf: float, *, hdr: bool) -> Profile:
    """A rung without a cap, so that its CRF alone decides."""
    base = profile(DEEP.get(codec, "mobile-720p"))
    assert base.video is not None, "a rung with a picture"
    video = replace(
        base.video,
        fit="inside",
        width=height * 16 // 9,
        height=height,
        crf=crf,
        max_bitrate_bps=None,
        buffer_bits=None,
        level=None,
        min_frame_rate=None,
        target=None,
    )
    if codec in DEEP:
        video = replace(video, dynamic_range="hlg" if hdr else "sdr")
    return replace(base, container="mp4", video=video, audio=(), packaged=False)


def rows_of(clip: Clip, codecs: Sequence[str], folder: Path) -> Iterator[dict[str, Any]]:
    hdr = bool(clip.info.picture and clip.info.picture.colour.dynamic_range != "sdr")
    assert clip.info.picture is not None, "a clip with a picture"
    lines = clip.info.picture.display_size[1]
    for codec in codecs:
        for height in sorted({min(height, lines) for height in HEIGHTS[codec]}):
            for crf in CRFS[codec]:
                yield row_of(clip, rung(codec, height, crf, hdr=hdr), folder)


def row_of(clip: Clip, wanted: Profile, folder: Path) -> dict[str, Any]:
    made = clip.planned(wanted, 0)
    (planned,) = made.rungs
    video = planned.video
    assert video is not None, "a rung with a picture"
    own = Path(tempfile.mkdtemp(dir=folder))
    argv = compose(clip.path, made, Chunk(0, 0, made.frames), own)
    encode_cpu_s = cpu_of(lambda: subprocess.run(argv, check=True, stdin=subprocess.DEVNULL))
    file = own / f"{planned.profile}.mp4"
    scores = finish(measure(clip.path, [(planned, file)], made, own)).of(planned.profile)
    assert clip.info.picture is not None, "a clip with a picture"
    return {
        "clip": clip.path.stem,
        "codec": video.codec,
        "crf": video.crf,
        "size": [video.width, video.height],
        "source": list(clip.info.picture.display_size),
        "rate": float(video.frame_rate),
        "divisor": video.rate_divisor,
        "frames": video.frames,
        "bytes": file.stat().st_size,
        "scores": {one.metric: [one.mean, one.p5] for one in scores.measurements},
        "encode_cpu_s": encode_cpu_s,
        "shots": [
            [one.end_frame - one.start_frame, one.complexity, one.detail, one.coded_bytes]
            for one in clip.inspection.shots
        ],
    }


def rows_of_all(
    paths: Sequence[Path], codecs: Sequence[str], seconds: float, folder: Path
) -> list[dict[str, Any]]:
    clips = [*paths] or [
        *sorted(path for path in MEDIA.glob("*") if path.suffix in {".mp4", ".mkv", ".ts"}),
        *(generate(name, folder, height=LINES, seconds=seconds) for name in SAMPLES),
    ]
    found = []
    for path in clips:
        clip = looked_at(excerpt(path, seconds, folder), folder)
        for row in rows_of(clip, codecs, folder):
            print(row["clip"], row["codec"], row["size"], row["crf"], file=sys.stderr, flush=True)
            found.append(row)
    return found


# -- the fit


def features_of(row: dict[str, Any]) -> list[float]:
    """Those of the model, the mean over the shots."""
    width, height = row["size"]
    source = row["source"][0] * row["source"][1]
    screen = min(source, 1920 * 1080) if width * height <= 1920 * 1080 else source
    shape = Shape(row["codec"], width * height, math.log2(screen / (width * height)) / 2)
    frames = sum(shot[0] for shot in row["shots"])
    each = [
        np.array(features(row["crf"], Material(shot[0] / frames, shot[3], shot[2]), shape))
        * (shot[0] / frames)
        for shot in row["shots"]
    ]
    return [float(value) for value in np.sum(each, axis=0)]


def wanted(row: dict[str, Any], what: str) -> float | None:
    """What a row says of it, as the model counts; `None` where that says nothing."""
    pixels = row["size"][0] * row["size"][1] * row["frames"]
    match what:
        case "vmaf":
            score = row["scores"].get("vmaf", [None])[0]
            return loss_of("vmaf", score) if score is not None and LOW < score < HIGH else None
        case "xpsnr":
            return loss_of("xpsnr", row["scores"]["xpsnr"][0])
        case "bits":
            return math.log(row["bytes"] * 8 / pixels)
        case _:
            return math.log(row["encode_cpu_s"] / pixels * 1e6)


def fit(rows: Sequence[dict[str, Any]], what: str) -> np.ndarray[Any, Any]:
    """Least squares over the features that help (the others get 0), those of the clips held
    towards zero: there are few clips.
    """
    known = [(features_of(row), wanted(row, what)) for row in rows]
    x = np.array([one for one, value in known if value is not None])
    y = np.array([value for _, value in known if value is not None])
    used = [at for at, name in enumerate(FEATURES) if name in (*SURE, *SHRINK, *HELPFUL[what])]
    middle = x[:, used].mean(axis=0) * [FEATURES[at] != "constant" for at in used]
    spans = (x[:, used] - middle).std(axis=0)
    spans[spans < 1e-9] = 1.0
    scaled = (x[:, used] - middle) / spans
    held = np.diag([0.0 if FEATURES[at] in SURE else HELD * len(y) for at in used])
    tiny = 1e-6 * np.eye(len(used))  # all clips may have one shrink
    found = np.linalg.solve(scaled.T @ scaled + held + tiny, scaled.T @ y) / spans
    factors = np.zeros(len(FEATURES))
    factors[used] = found
    factors[FEATURES.index("constant")] -= float(np.dot(found, middle))
    return factors


def left_out(rows: Sequence[dict[str, Any]], what: str) -> list[tuple[str, float, float]]:
    """Clip, what is wanted and what a model that has not seen the clip says."""
    found = []
    for clip in sorted({row["clip"] for row in rows}):
        others = [row for row in rows if row["clip"] != clip]
        factors = fit(others, what)
        for row in rows:
            value = wanted(row, what) if row["clip"] == clip else None
            if value is not None:
                found.append((clip, value, float(np.dot(features_of(row), factors))))
    return found


def spread(rows: Sequence[dict[str, Any]], metric: Metric) -> float:
    scores = [row["scores"][metric] for row in rows if metric in row["scores"]]
    return float(np.median([mean - p5 for mean, p5 in scores]))


def tell(rows: Sequence[dict[str, Any]]) -> None:
    """The coefficients as TOML on stdout, errors on stderr."""
    for codec in sorted({row["codec"] for row in rows}):
        mine = [row for row in rows if row["codec"] == codec]
        for what in ("vmaf", "xpsnr", "bits", "time"):
            factors = fit(mine, what)
            print(f"[{codec}.{what}]")
            for name, factor in zip(FEATURES, factors, strict=True):
                print(f"{name} = {factor:.5f}")
            print()
            _tell_errors(codec, what, left_out(mine, what))
    print("[spread]")
    for metric in METRICS:
        print(f"{metric} = {spread(rows, metric):.2f}")


def _tell_errors(codec: str, what: str, found: Sequence[tuple[str, float, float]]) -> None:
    if what in METRICS:
        off = [abs(score_of(what, one) - score_of(what, other)) for _, one, other in found]
    else:
        off = [abs(math.expm1(one - other)) for _, one, other in found]
    middle, most = np.percentile(off, [50, 90])
    print(f"{codec} {what}: off by {middle:.2f}, of nine in ten {most:.2f}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codec", choices=HEIGHTS, action="append")
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rows", type=Path)
    args = parser.parse_args()
    if args.rows and args.rows.is_file():
        rows = json.loads(args.rows.read_text("utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
            rows = rows_of_all(args.clip, args.codec or [*HEIGHTS], args.seconds, Path(folder))
    if args.rows:
        args.rows.write_text(json.dumps(rows), "utf-8")
    tell(rows)


if __name__ == "__main__":
    main()
