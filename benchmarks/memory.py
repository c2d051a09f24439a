"""What encodes hold at their peak, against what was foreseen: `python -m benchmarks.memory`.

Each line is one encode of generated pictures: source and rungs, measured and foreseen in MB, and
the ratio. `--uhd` adds 2160p and 4320p, which take some minutes and 6 GB.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipelines.encoding.encode import encode_chunk
from pipelines.inspection.inspect import inspect
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan import Chunk, plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe

_TAGS = "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
_HLG = f"format=yuv420p10le,setparams={_TAGS}"
_HEVC = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error")
_AVC = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p")


@dataclass(frozen=True, slots=True)
class Case:
    """Rungs are (profile, height) of one source, all 16:9, and `frames` of it are encoded."""

    height: int
    codec: Literal["hevc", "avc"]  # in 10 bits of HLG, or in 8 of BT.709
    rungs: tuple[tuple[str, int], ...]
    frames: int = 80


CASES = (
    Case(540, "hevc", (("cn4k-hevc-hlg", 540),)),
    Case(1080, "hevc", (("cn4k-hevc-hlg", 1080),)),
    Case(1080, "hevc", (("cn4k-hevc-hlg", 1080),), 12),
    Case(1080, "hevc", (("cn4k-hevc-hlg", 540),)),
    Case(1080, "hevc", (("hd-avc-sdr", 1080),)),
    Case(1080, "avc", (("hd-avc-sdr", 1080),)),
    Case(1080, "avc", (("hd-avc-sdr", 540),)),
    Case(1080, "avc", (("mobile-540p", 540),)),
    Case(1080, "avc", (("archive-ffv1", 1080),)),
    Case(1080, "hevc", (("cn4k-hevc-hlg", 1080), ("hd-avc-sdr", 540), ("mobile-540p", 270))),
)
UHD_CASES = (
    Case(2160, "hevc", (("cn4k-hevc-hlg", 2160), ("hd-avc-sdr", 1080)), 24),
    Case(4320, "hevc", (("cn4k-hevc-hlg", 4320),), 12),
)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--uhd", action="store_true")
    cases = CASES + UHD_CASES if parser.parse_args(arguments).uhd else CASES
    for case in cases:
        with tempfile.TemporaryDirectory(prefix="kapok-memory-") as folder:
            measured, foreseen = _compare(case, Path(folder))
        rungs = ", ".join(f"{name} {height}p" for name, height in case.rungs)
        sizes = f"{measured / 1e6:6.0f} MB {foreseen / 1e6:6.0f} MB {foreseen / measured:5.2f}"
        print(f"{sizes}  {case.frames} frames of {case.height}p: {rungs}", flush=True)


def _compare(case: Case, folder: Path) -> tuple[int, int]:
    """Bytes held at the peak, and foreseen."""
    path = _source(case, folder)
    info = probe(path)
    assert info.picture is not None, "it was made with a picture"
    images = folder / "images"
    images.mkdir()
    profiles = [_sized(name, height) for name, height in case.rungs]
    made = plan(info, finish(inspect(path, info, images)), profiles)
    chunk = Chunk(0, 0, case.frames)
    encoded = finish(encode_chunk(path, made, chunk, folder))
    cores = len(os.sched_getaffinity(0))
    return encoded.peak_bytes, encode_bytes(info.picture, made, chunk, cores)


def _source(case: Case, folder: Path) -> Path:
    path = folder / "source.mov"
    pattern = f"testsrc2=s={_wide(case.height)}x{case.height}:r=50,noise=alls=8:allf=t"
    tags, coder = (f",{_HLG}", _HEVC) if case.codec == "hevc" else ("", _AVC)
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"{pattern}{tags}"]
    subprocess.run([*argv, *coder, "-frames:v", str(case.frames), str(path)], check=True)
    return path


def _sized(name: str, height: int) -> Profile:
    base = profile(name)
    assert base.video is not None, "only pictures are looked at"
    if base.video.fit == "source":
        return replace(base, audio=())
    level = "6.1" if height > 2160 else base.video.level
    sized = replace(base.video, width=_wide(height), height=height, level=level)
    return replace(base, audio=(), video=sized)


def _wide(height: int) -> int:
    return height * 16 // 9


if __name__ == "__main__":
    main()
