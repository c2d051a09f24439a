"""The quality target against a fixed rate: bits, what the search costs, and whether it hits.

    KAPOK_SANDBOX=none .venv/bin/python -m benchmarks.quality_target [--json] [--clip FILE …]
                                        [--seconds 60] [--lines 540] [--share 0.07]

Each clip is played again and again up to `--seconds` (nearly lossless, so that all of them are read
alike), at most `--lines` high, and becomes one rung with a target: once as Kapok does it, and twice
as a fixed ladder does, in one pass of capped variable bitrate with the same encoder and preset, the
encoder's own tuning (half as much again as the average at most, two seconds of buffer), at two
averages around the rung's own.

`bits_saved_vs_fixed_ladder`: what the fixed rate takes for the VMAF of the rung (straight between
its two encodes, logarithm of the bits), less the rung's own bits, as a share; mean over the clips.
`xpsnr_more`: XPSNR compared at that place, in dB. `bits_saved_as_delivered`: the same against the
ladder's nominal rate, whatever more than the target it scores.
`search_vs_encode_wall`: wall time of the search, and of the windows of chunks that are scored on
the way (with a first chunk that is encoded again), ÷ that of the encode, median; `cpu` has the CPU
seconds, which a loaded machine leaves alone (0 where a sandbox hides them), of the samples alone
and of all the rest.
A larger `--share` gives a short excerpt the samples of a longer programme; the search then takes
that much more of its encode.
`target_hit_share`: of the rungs whose cap does not bind, those within 0.5 VMAF of their target.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.clips import MEDIA, Clip, encoded, looked_at
from benchmarks.ratios import cpu_of, show
from pipelines.encoding.cut import LocalFile
from pipelines.encoding.graph import compose
from pipelines.planning.plan import Chunk, Plan, plan
from pipelines.planning.plan_types import SEARCH_SHARE
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.quality.sampling import Means
from pipelines.quality.search import search
from pipelines.quality.steering import with_leader, with_steering
from pipelines.running import tools
from pipelines.sources.probe import probe
from sample_media.generate import generate

T = TypeVar("T")
HIT = 0.5  # VMAF
SECONDS = 8  # of each clip, at most
SDR_SAMPLE = "stereo_30000_1001"
RATES = (1.0, 1.3)  # of the rung's own bits
PEAK = 1.5  # of the fixed ladder's average


@dataclass(frozen=True, slots=True)
class Encoded:
    """What an encode takes, and what it scores."""

    bits_s: float
    vmaf: float
    xpsnr: float


def programme(path: Path, seconds: float, lines: int, folder: Path) -> Path:
    """The clip again and again, nearly lossless, with a key frame a second."""
    short, out = folder / f"{path.stem}.mkv", folder / f"{path.stem}-long.mkv"
    quiet = (tools.ffmpeg(), "-nostdin", "-v", "error")
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-crf", "6", "-g", "25", "-an", "-y")
    small = f"scale=-2:min({lines}\\,ih):flags=bicubic+accurate_rnd,setsar=1,format=yuv420p"
    words = ("-t", f"{SECONDS}", "-i", str(path), "-vf", small)
    subprocess.run([*quiet, *words, *coded, str(short)], check=True)
    picture = probe(short).picture
    assert picture is not None, "a clip with a picture"
    rate = f"{picture.frame_rate.numerator}/{picture.frame_rate.denominator}"
    again = ("-stream_loop", "-1", "-i", str(short), "-vf", f"setpts=N/({rate})/TB", "-r", rate)
    frames = str(round(seconds * picture.frame_rate))
    subprocess.run([*quiet, *again, "-frames:v", frames, *coded, str(out)], check=True)
    return out


def rung_at(lines: int) -> Profile:
    """The 720p rung, made smaller with the raster."""
    base = profile("mobile-720p")
    assert base.video is not None, "a rung with a picture"
    cap = round((base.video.max_bitrate_bps or 0) * min(1.0, (lines / 720) ** 1.5))
    video = replace(
        base.video,
        width=lines * 16 // 9,
        height=lines,
        max_bitrate_bps=cap,
        buffer_bits=2 * cap,
    )
    return replace(base, video=video, audio=())


def compared(path: Path, lines: int, folder: Path, share: float) -> dict[str, Any]:
    clip, wanted = looked_at(path, folder), rung_at(lines)
    first = plan(clip.info, clip.inspection, [wanted])
    own = folder / path.stem
    searching = search(LocalFile(path), first, clip.info, clip.inspection, own, Means(share))
    found, search_s, search_cpu_s = timed(lambda: finish(searching))
    made = plan(clip.info, clip.inspection, [wanted], findings=found)
    made = with_leader(made, clip.info, clip.inspection, Means(share))
    made = with_steering(made, clip.info, clip.inspection, Means(share))
    one, took_s, encode_cpu_s = timed(lambda: encoded(clip, made, folder))
    encode_s = took_s - one.probing_s
    search_s += one.probing_s
    ours = scored(clip, made, one.path, folder)
    others = [at_rate(clip, made, round(ours.bits_s * more), folder) for more in RATES]
    (choice,) = made.choices
    nominal = wanted.video.max_bitrate_bps if wanted.video else None
    return {
        "clip": path.stem,
        "limited": found.limited,
        "samples": len(found.probes),
        "steered": [[probe.start_frame, probe.crf, probe.mean] for probe in one.probes],
        "crf": choice.crf,
        "off": round(ours.vmaf - choice.target.value, 2),
        "capped": choice.capped,
        "basis": choice.basis,
        **against(ours, others),
        "as_delivered": round(1 - ours.bits_s / (nominal or 1), 4),
        "mine": shown(ours),
        "fixed": [shown(one) for one in others],
        "predicted_kbps": round(choice.bitrate_bps / 1000, 1),
        "wall": [round(search_s, 2), round(encode_s, 2), round(search_s / encode_s, 4)],
        "cpu": [search_cpu_s, encode_cpu_s],
    }


def shown(one: Encoded) -> dict[str, float]:
    return {"kbps": round(one.bits_s / 1000, 1), "vmaf": one.vmaf, "xpsnr": one.xpsnr}


def against(one: Encoded, others: Sequence[Encoded]) -> dict[str, float]:
    """What the others take for its VMAF, and the XPSNR there: on their straight line."""
    low, high = sorted(others, key=lambda other: other.vmaf)
    place = (one.vmaf - low.vmaf) / (high.vmaf - low.vmaf)
    bits = math.log(low.bits_s) + place * math.log(high.bits_s / low.bits_s)
    xpsnr = low.xpsnr + place * (high.xpsnr - low.xpsnr)
    return {
        "saved": round(1 - one.bits_s / math.exp(bits), 4),
        "xpsnr_more": round(one.xpsnr - xpsnr, 3),
    }


def timed(work: Callable[[], T]) -> tuple[T, float, float]:
    """Its result, wall seconds and the CPU seconds of its children."""
    kept: list[T] = []
    began = time.monotonic()
    cpu_s = cpu_of(lambda: kept.append(work()))
    return kept[0], time.monotonic() - began, cpu_s


def at_rate(clip: Clip, made: Plan, bits_s: int, folder: Path) -> Encoded:
    """The rung in one pass of capped variable bitrate, whatever the picture."""
    own = Path(tempfile.mkdtemp(dir=folder))
    argv = compose(clip.path, made, Chunk(0, 0, made.frames), own)
    argv[argv.index("-crf") : argv.index("-crf") + 2] = ["-b:v", str(bits_s)]
    del argv[argv.index("-psy-rd") : argv.index("-psy-rd") + 2]
    argv[argv.index("-maxrate") + 1] = str(round(bits_s * PEAK))
    argv[argv.index("-bufsize") + 1] = str(round(2 * bits_s * PEAK))
    subprocess.run(argv, check=True, stdin=subprocess.DEVNULL)
    return scored(clip, made, own / f"{made.rungs[0].profile}.mp4", folder)


def scored(clip: Clip, made: Plan, file: Path, folder: Path) -> Encoded:
    own, rung = Path(tempfile.mkdtemp(dir=folder)), made.rungs[0]
    scores = finish(measure(clip.path, [(rung, file)], made, own)).of(rung.profile)
    means = {one.metric: one.mean or 0.0 for one in scores.measurements}
    bits_s = file.stat().st_size * 8 / float(made.duration_s)
    return Encoded(bits_s, round(means["vmaf"], 3), round(means["xpsnr"], 3))


def summary(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The keys of `benchmarks.engine`."""
    hits = [abs(one["off"]) <= HIT for one in results if not one["capped"]]
    return {
        "bits_saved_vs_fixed_ladder": round(statistics.fmean(one["saved"] for one in results), 3),
        "bits_saved_least": min(one["saved"] for one in results),
        "bits_saved_as_delivered": round(
            statistics.fmean(one["as_delivered"] for one in results), 3
        ),
        "xpsnr_more_db": round(statistics.fmean(one["xpsnr_more"] for one in results), 3),
        "search_vs_encode_wall": round(statistics.median(one["wall"][2] for one in results), 3),
        "target_hit_share": round(sum(hits) / len(hits), 3) if hits else None,
    }


def measured(
    paths: Sequence[Path],
    folder: Path,
    seconds: float = 60,
    lines: int = 540,
    share: float = SEARCH_SHARE,
) -> list[dict[str, Any]]:
    """Those clips, or all that there are."""
    results = []
    for path in paths or clips(folder):
        results.append(compared(programme(path, seconds, lines, folder), lines, folder, share))
        print(json.dumps(results[-1]), file=sys.stderr, flush=True)
    return results


def clips(folder: Path) -> list[Path]:
    found = sorted(path for path in MEDIA.glob("*") if path.suffix in {".mp4", ".mkv", ".ts"})
    return [*found, generate(SDR_SAMPLE, folder, height=720, seconds=SECONDS)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, action="append", default=[])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--lines", type=int, default=540)
    parser.add_argument("--share", type=float, default=SEARCH_SHARE)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kapok-bench-") as folder:
        results = measured(args.clip, Path(folder), args.seconds, args.lines, args.share)
    found = {**summary(results), "details": results}
    show(found, as_json=args.json)


if __name__ == "__main__":
    main()
