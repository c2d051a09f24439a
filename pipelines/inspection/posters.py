"""Poster candidates: pictures written while the source is decoded; the best few are kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from pipelines.media import Shot, SourceImage, VideoTrack
from pipelines.running.raw_frames import Frame

CANDIDATES = "candidate-%05d.jpg"
KEPT = 5

_LONG_SIDE = 1920
_CANDIDATES_WANTED = 24
_ENDS_SHARE = 0.03  # the first and last of a programme are slates, titles and fades


def poster_size(picture: VideoTrack) -> tuple[int, int]:
    """The display size, at most 1920 on the longer side."""
    width, height = picture.display_size
    scale = min(1.0, _LONG_SIDE / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


def spread(every_frames: int, expected_frames: Fraction) -> int:
    """The multiple of `every_frames` that leaves about `_CANDIDATES_WANTED` of the expected.

    At least the second one: a full picture costs as much as decoding it.
    """
    steps = math.ceil(expected_frames / (every_frames * _CANDIDATES_WANTED))
    return every_frames * max(2, steps)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Frame number `frame`, the `number`-th picture written (from 1). Higher scores are better."""

    number: int
    frame: int
    score: float


class PosterScores:
    """Takes each candidate's small grey frame, and says how much it shows."""

    def __init__(self) -> None:
        self._scores: list[float] = []

    def take(self, frame: Frame) -> None:
        self._scores.append(_look(frame[0]))

    def candidates(
        self, every_frames: int, frames: int, change_at: Callable[[int], float]
    ) -> list[Candidate]:
        """Best first; motion and cuts beside a frame count against it."""
        found = [
            Candidate(at + 1, at * every_frames, score * _calm(change_at(at * every_frames)))
            for at, score in enumerate(self._scores)
        ]
        edge = frames * _ENDS_SHARE
        inner = [one for one in found if edge <= one.frame <= frames - edge]
        return sorted(inner or found, key=lambda one: one.score, reverse=True)


def choose(candidates: Sequence[Candidate], shots: Sequence[Shot]) -> list[Candidate]:
    """The best of each shot first, then others that stand well apart in time, up to `KEPT`."""
    leaders: dict[int, Candidate] = {}
    for one in candidates:
        leaders.setdefault(_shot_of(one.frame, shots), one)
    apart = max((shot.end_frame for shot in shots), default=0) // (2 * KEPT)
    chosen: list[Candidate] = []
    for one in [*leaders.values(), *candidates]:
        if all(abs(one.frame - other.frame) > apart for other in chosen):
            chosen.append(one)
    return chosen[:KEPT]


def keep(
    folder: Path,
    chosen: Sequence[Candidate],
    size: tuple[int, int],
    time_of: Callable[[int], Fraction],
) -> tuple[SourceImage, ...]:
    """Give the chosen pictures their names, best first, and delete the others."""
    kept = tuple(_named(folder, chosen, size, time_of))
    for other in folder.glob(CANDIDATES.replace("%05d", "*")):
        other.unlink()
    return kept


def _named(
    folder: Path,
    chosen: Sequence[Candidate],
    size: tuple[int, int],
    time_of: Callable[[int], Fraction],
) -> Iterator[SourceImage]:
    for place, one in enumerate(chosen, start=1):
        name = f"poster-{place}.jpg"
        (folder / (CANDIDATES % one.number)).rename(folder / name)
        yield SourceImage(name, *size, time_s=round(float(time_of(one.frame)), 6), frame=one.frame)


def _look(luma: Frame) -> float:
    """Contrast, detail and brightness in one number; black, white and blurred ones come last."""
    mean, deviation = float(luma.mean()), float(luma.std())
    detail = float(cv2.Laplacian(luma, cv2.CV_32F).std())
    exposed = max(0.0, 1 - abs(mean - 110) / 110)
    spread = np.count_nonzero(cv2.calcHist([luma], [0], None, [64], [0, 256]) > 0.002 * luma.size)
    return exposed * (min(deviation, 60) / 60 + min(detail, 30) / 30 + int(spread) / 64)


def _calm(change: float) -> float:
    return 1 / (1 + 10 * change)


def _shot_of(frame: int, shots: Sequence[Shot]) -> int:
    return next((n for n, shot in enumerate(shots) if frame < shot.end_frame), len(shots))
