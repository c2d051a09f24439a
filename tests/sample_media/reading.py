"""The plainest ways to read a sample back: ffprobe's words, luma, sound."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipelines.running import tools

HEIGHT = 180
SECONDS = 2


def ffprobe(path: Path, *show: str) -> dict[str, Any]:
    argv = [tools.ffprobe(), "-v", "error", *show, "-of", "json", str(path)]
    answer: dict[str, Any] = json.loads(
        subprocess.run(argv, capture_output=True, check=True).stdout
    )
    return answer


def streams(path: Path, kind: str) -> list[dict[str, Any]]:
    return [s for s in ffprobe(path, "-show_streams")["streams"] if s["codec_type"] == kind]


def luma(path: Path, width: int, height: int) -> npt.NDArray[np.uint16]:
    """Every frame's 10-bit luma as (frames, height, width), untouched."""
    argv = [
        tools.ffmpeg(),
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        "0:v",
        "-fps_mode",
        "passthrough",
    ]
    argv += ["-vf", "extractplanes=y,format=gray10le", "-f", "rawvideo", "-"]
    raw = subprocess.run(argv, capture_output=True, check=True).stdout
    return np.frombuffer(raw, "<u2").reshape(-1, height, width)


def samples_of(path: Path, channels: int) -> npt.NDArray[np.float32]:
    """The first sound track as (samples, channels)."""
    argv = [tools.ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-f", "f32le", "-"]
    raw = subprocess.run(argv, capture_output=True, check=True).stdout
    return np.frombuffer(raw, np.float32).reshape(-1, channels)
