"""The proof of a lossless rendition: every decoded frame has the same MD5 as the source's."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Proof:
    """`fault` says how the frames differ, `None` where they are equal; `argv` hashed them."""

    measurement: Measurement
    fault: str | None
    argv: tuple[str, ...]


def compare_frames(source: Path, rendition: Path, plan: Plan) -> Generator[Progress, None, Proof]:
    """Decode both files whole: a `framemd5` measurement, equal or not."""
    ours, theirs = _Hashes(), _Hashes()
    # Without -noautoscale a frame of another raster would be scaled to the first one's, and hashed.
    hashed = ("-noautoscale", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5")
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
    fault = _difference(ours.of_frames, theirs.of_frames)
    equal = fault is None
    measured = Measurement("framemd5", None, None, None, None, len(ours.of_frames), equal=equal)
    return Proof(measured, fault, finished.argv)


def _difference(ours: Sequence[bytes], theirs: Sequence[bytes]) -> str | None:
    if len(ours) != len(theirs) or not ours:
        return f"{len(ours)} frames decode, {len(theirs)} of the source"
    other = [
        number for number, pair in enumerate(zip(ours, theirs, strict=True)) if len({*pair}) > 1
    ]
    if not other:
        return None
    return f"{len(other)} of {len(ours)} frames are not the source's, the first is frame {other[0]}"
