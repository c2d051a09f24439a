"""A title that rolls looks woven to `idet`; whether it is shows within each frame."""

from __future__ import annotations

import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.profiles.profile import profile
from pipelines.running.tools import ffmpeg
from tests.pipelines.sources import planned

PROFILE = profile("mobile-540p")
WIDTH, HEIGHT, FRAMES = 720, 576, 50
NAMES = ("Director of Photography", "Sound", "Museum of Guangdong", "Grip & Electric", "Editor")


def title(lines: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """A tall picture of names."""
    tall = np.full((HEIGHT + lines, WIDTH), 16, np.uint8)
    for at, y in enumerate(range(30, len(tall), 44)):
        place = (60 + at * 37 % 200, y)
        text, font = f"{NAMES[at % len(NAMES)]} {at}", cv2.FONT_HERSHEY_COMPLEX
        cv2.putText(tall, text, place, font, 0.9, 235, 2, cv2.LINE_AA)
    return tall


def rolled(path: Path, lines: int, scan: str, flag: str) -> Path:
    """Two seconds that roll by so many lines from moment to moment; of a woven frame two."""
    moments = FRAMES if scan == "progressive" else 2 * FRAMES
    tall = title(lines * moments)
    seen = [tall[at * lines : at * lines + HEIGHT] for at in range(moments)]
    frames = seen if scan == "progressive" else [
        weave(*(pair if scan == "tt" else pair[::-1]))
        for pair in zip(seen[::2], seen[1::2], strict=True)
    ]  # fmt: skip
    raw = ("-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{WIDTH}x{HEIGHT}", "-r", "25", "-i", "-")
    field = {"tt": "tff", "bb": "bff", "progressive": "prog"}[flag]
    coded = ("-vf", f"format=yuv420p,setfield={field}", "-c:v", "ffv1", "-field_order", flag)
    argv = [ffmpeg(), "-v", "error", *raw, *coded, str(path)]
    subprocess.run(argv, input=b"".join(map(np.ndarray.tobytes, frames)), check=True)
    return path


def weave(
    top: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
    bottom: np.ndarray[tuple[int, int], np.dtype[np.uint8]],
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    woven = top.copy()
    woven[1::2] = bottom[1::2]
    return woven


@pytest.mark.media
@pytest.mark.parametrize(
    ("lines", "scan", "flag", "order"),
    [
        (1, "progressive", "progressive", "progressive"),
        (2, "progressive", "progressive", "progressive"),
        (4, "progressive", "progressive", "progressive"),
        (2, "progressive", "tt", "progressive"),  # PsF
        (1, "tt", "progressive", "tt"),
        (2, "bb", "progressive", "bb"),
        (2, "tt", "bb", "tt"),
    ],
)
def test_a_rolling_title_is_deinterlaced_only_where_its_fields_move(
    lines: int, scan: str, flag: str, order: str, tmp_path: Path
) -> None:
    made = planned(rolled(tmp_path / "roll.mkv", lines, scan, flag), [PROFILE], tmp_path)
    video = made.rungs[0].video
    assert video is not None
    assert (made.source_field_order, video.deinterlace) == (order, order != "progressive")
