"""A part of a source as a small file of its own, read from wherever the source lies.

Packets are copied, from the last key frame but one before the part, so nothing is decoded here and
only the bytes that the part needs are read.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipelines.planning.plan_types import Chunk, Plan
from pipelines.progress import Progress
from pipelines.running import isolated_python
from pipelines.running.run import Finished, run
from pipelines.running.sandbox import MEDIA_LIMITS
from pipelines.sources.containers import FORMATS

# Where a part's first frame stands on the part's own clock: what is decoded before it, from a key
# frame on, must not stand before zero.
PART_STARTS_S = 3600
# After the part: a deinterlacer looks one frame ahead, and where a container has no decoding times
# those of packets are guessed, by up to as many frames as codecs keep back.
_MARGIN_FRAMES = 18
_MEMORY_BYTES = 2 << 30  # it holds what stands between two key frames, and refuses half of this
_CHILD = Path(__file__).with_name("cut_child.py")


class CutFailed(Exception):
    """A part could not be taken out of the source, or does not decode to its frames.

    Nobody is told: `pipelines.encoding.encode` then decodes the whole.
    """


class Readable(Protocol):
    """The bytes of a source, wherever they lie."""

    @property
    def size_bytes(self) -> int: ...

    def read(self, start: int, end: int) -> bytes:
        """Exactly the bytes `start` … `end - 1`."""


class Master(Readable, Protocol):
    """A source that can also be had as a whole."""

    def whole(self) -> AbstractContextManager[Path]:
        """A local path of all of it, while the context lasts."""


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine."""

    path: Path

    def whole(self) -> AbstractContextManager[Path]:
        return nullcontext(self.path)

    @property
    def size_bytes(self) -> int:
        return self.path.stat().st_size

    def read(self, start: int, end: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(start)
            return file.read(end - start)


def part_file(chunk: Chunk, folder: Path) -> Path:
    """Where the chunk's part lies while it is encoded."""
    return folder / f"frames-{chunk.start_frame}-{chunk.end_frame}.mkv"


def cut(
    source: Readable, plan: Plan, chunk: Chunk, out: Path
) -> Generator[Progress, None, Finished]:
    """Write the packets of the chunk's picture; errors are `run`'s.

    The chunk's first frame stands at `PART_STARTS_S`; frames before it are only decoded for it.
    """
    assert plan.frame_rate is not None, "a plan with a chunk has a rate"
    start_s, end_s = (
        plan.first_picture_s + frame / plan.frame_rate
        for frame in (chunk.start_frame, chunk.end_frame + _MARGIN_FRAMES)
    )
    return (
        yield from run(
            isolated_python.command(
                _CHILD,
                *("pipe:source", str(source.size_bytes), ",".join(FORMATS)),
                *(str(plan.video_track), str(start_s), str(end_s), str(PART_STARTS_S), str(out)),
            ),
            readable=isolated_python.files(_CHILD),
            writable=[out.parent],
            served={"source": source.read},
            limits=replace(MEDIA_LIMITS, memory_bytes=_MEMORY_BYTES),
        )
    )
