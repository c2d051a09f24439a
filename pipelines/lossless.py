"""The proof of a lossless rendition: every decoded frame has the same MD5 as the source's."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

from pipelines.containers import INPUT_GUARDS
from pipelines.facts import Measurement
from pipelines.plan_types import Plan
from pipelines.progress import Progress
from pipelines.run import run
from pipelines.tools import ffmpeg


class _Hashes:
    """The last column of ffmpeg's framehash, line by line."""

    def __init__(self) -> None:
        self.of_frames: list[bytes] = []
        self._rest = b""

    def feed(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        self.of_frames += [
            line.rpartition(b",")[2].strip() for line in lines if not line.startswith(b"#")
        ]


def compare_frames(
    source: Path, rendition: Path, plan: Plan
) -> Generator[Progress, None, tuple[Measurement, tuple[str, ...]]]:
    """A `framemd5` measurement, equal or not, and the command that decoded both files."""
    ours, theirs = _Hashes(), _Hashes()
    hashed = ("-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5")
    finished = yield from run(
        [
            *(ffmpeg(), "-v", "error", *INPUT_GUARDS, "-i", str(source), "-i", str(rendition)),
            *("-map", f"0:{plan.video_track}", *hashed, "pipe:source"),
            *("-map", "1:v:0", *hashed, "pipe:rendition"),
        ],
        readable=[source, rendition],
        total_frames=plan.frames,
        taps={"source": theirs.feed, "rendition": ours.feed},
    )
    equal = bool(ours.of_frames) and ours.of_frames == theirs.of_frames
    frames = len(ours.of_frames)
    return Measurement("framemd5", None, None, None, None, frames, equal=equal), finished.argv
