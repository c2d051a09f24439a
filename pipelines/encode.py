"""Encode the pictures of one chunk: every rung at once, from one decode."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from pipelines.cache_files import timecode_font_file
from pipelines.colour import is_by_table, lut_file
from pipelines.errors import NothingToEncode
from pipelines.graph import chunk_files, compose, lay_out
from pipelines.plan import Chunk, Plan
from pipelines.progress import Progress
from pipelines.run import run


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """`files` by profile: pictures alone, from zero on an even grid. `argv` made all of them."""

    files: dict[str, Path]
    argv: tuple[str, ...]


def encode_chunk(
    source: Path, plan: Plan, chunk: Chunk, folder: Path
) -> Generator[Progress, None, EncodedChunk]:
    """Write the chunk's picture of every rung into `folder`; errors are those of `run`."""
    source, folder = source.resolve(), folder.resolve()
    files = chunk_files(plan, folder)
    if not files:
        raise NothingToEncode("the plan has no rung with a picture")
    finished = yield from run(
        compose(source, plan, chunk, folder),
        readable=[source, *_looked_up(plan)],
        writable=[folder],
        total_frames=_first_output_frames(plan, chunk),
    )
    return EncodedChunk(files, finished.argv)


def _looked_up(plan: Plan) -> list[Path]:
    """The tables and the font that the graph names."""
    pictures = [rung.video for rung in plan.rungs if rung.video]
    tables = {video.conversion for video in pictures if is_by_table(video.conversion)}
    fonts = [timecode_font_file()] if any(video.burnt_in_timecode for video in pictures) else []
    return [*(lut_file(conversion) for conversion in sorted(tables)), *fonts]


def _first_output_frames(plan: Plan, chunk: Chunk) -> int:
    """Ffmpeg's progress counts the frames of its first output: the heaviest rung."""
    first = lay_out(plan, Path())[0].video
    return -(-(chunk.end_frame - chunk.start_frame) // first.rate_divisor)
