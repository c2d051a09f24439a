"""Encode the pictures of one chunk: every rung at once, from one decode."""

from __future__ import annotations

import logging
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path

import av

from pipelines.cache_files import timecode_font_file
from pipelines.colour import tables_of
from pipelines.cut import CutFailed, Master, Readable, cut, part_file
from pipelines.errors import MediaError, NothingToEncode, ToolFailed, ToolKilled, ToolStalled
from pipelines.graph import chunk_files, compose, lay_out
from pipelines.plan import Chunk, Plan, VideoPlan
from pipelines.progress import Progress, part
from pipelines.run import run

log = logging.getLogger(__name__)
_CUT = 0.02  # share of the time: packets are only copied


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """`files` by profile: pictures alone, from zero on an even grid. `argv` made all of them.

    `why_whole` says why the whole source had to be read for a part of it.
    """

    files: dict[str, Path]
    argv: tuple[str, ...]
    why_whole: str | None = None


def encode(
    source: Master, plan: Plan, chunk: Chunk, folder: Path
) -> Generator[Progress, None, EncodedChunk]:
    """Write the chunk's picture of every rung into `folder`; errors are those of `run`.

    Of a source with several chunks only what this one needs is read and decoded. Where that fails,
    all of it is decoded up to the chunk's end: slower, and as right.
    """
    why_whole = None
    if len(plan.chunks) > 1:
        try:
            return (yield from encode_part(source, plan, chunk, folder))
        except CutFailed as error:
            why_whole = str(error)
            log.warning("the whole source is decoded for %s: %s", chunk, error)
    with source.whole() as path:
        encoded = yield from encode_chunk(path, plan, chunk, folder)
    return replace(encoded, why_whole=why_whole)


def encode_chunk(
    source: Path, plan: Plan, chunk: Chunk, folder: Path
) -> Generator[Progress, None, EncodedChunk]:
    """`encode`, decoding the whole source up to the chunk's end."""
    return (yield from _encode(source, plan, chunk, folder, of_part=False))


def encode_part(
    source: Readable, plan: Plan, chunk: Chunk, folder: Path
) -> Generator[Progress, None, EncodedChunk]:
    """`encode`, reading and decoding of the source only what the chunk needs.

    Raises `CutFailed` where that does not give exactly the chunk's frames, and what `run` raises.
    """
    folder = folder.resolve()
    path = part_file(chunk, folder)
    try:
        yield from part(cut(source, plan, chunk, path), 0.0, _CUT, "reading the source")
        encoding = _encode(path, plan, chunk, folder, of_part=True)
        encoded = yield from part(encoding, _CUT, 1.0, "encoding")
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError) as error:  # the whole may be read where a part is not
        raise CutFailed(f"{chunk} is not to be had by itself: {error}") from error
    finally:
        path.unlink(missing_ok=True)
    for rung in plan.rungs:
        if rung.video is not None:
            _refuse_other_frames(rung.video, chunk, encoded.files[rung.profile])
    return encoded


def _encode(
    source: Path, plan: Plan, chunk: Chunk, folder: Path, *, of_part: bool
) -> Generator[Progress, None, EncodedChunk]:
    source, folder = source.resolve(), folder.resolve()
    files = chunk_files(plan, folder)
    if not files:
        raise NothingToEncode("the plan has no rung with a picture")
    finished = yield from run(
        compose(source, plan, chunk, folder, part=of_part),
        readable=[source, *_looked_up(plan)],
        writable=[folder],
        total_frames=_first_output_frames(plan, chunk),
    )
    return EncodedChunk(files, finished.argv)


def _refuse_other_frames(video: VideoPlan, chunk: Chunk, file: Path) -> None:
    """A decoder that lost its way at the beginning of a part gives fewer."""
    with av.open(str(file)) as container:
        seen = sum(1 for packet in container.demux(video=0) if packet.size)
    if seen != (planned := frames_of(video, chunk)):
        raise CutFailed(f"{seen} frames of {planned} came out of a part of the source")


def _looked_up(plan: Plan) -> list[Path]:
    """The tables and the font that the graph names."""
    pictures = [rung.video for rung in plan.rungs if rung.video]
    fonts = [timecode_font_file()] if any(video.burnt_in_timecode for video in pictures) else []
    return [*tables_of(pictures), *fonts]


def _first_output_frames(plan: Plan, chunk: Chunk) -> int:
    """Ffmpeg's progress counts the frames of its first output: the heaviest rung."""
    return frames_of(lay_out(plan, Path())[0].video, chunk)


def frames_of(video: VideoPlan, chunk: Chunk) -> int:
    """How many frames of a rung show frames of the chunk."""
    first, end = (-(-at // video.rate_divisor) for at in (chunk.start_frame, chunk.end_frame))
    return end - first
