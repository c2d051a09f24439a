"""Where a programme is divided into the units of parallel encoding. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipelines.media import Inspection, MediaInfo, Shot
from pipelines.planning.plan_types import Chunk, Plan
from pipelines.sources.containers import CUT_CODECS, CUT_FORMATS

# [P] Shorter ones cost bits: chunks of 2 s 2 to 6 % more than long ones, of 6 s 0 to 1 %
# (STANDARDS.md, Chunks).
CHUNK_MIN_S = 6.0
_LONGEST = 3  # times the least: no cut for so long, and the shot itself is divided
_USUAL = 2  # times the least: the length of the pieces of such a shot


def chunks_of(
    shots: Sequence[Shot], frames: int, *, least: int, gop: int, step: int
) -> tuple[Chunk, ...]:
    """Whole shots of at least `least` frames together; a shot too long is divided into whole GOPs.

    All in frames of the source. A chunk begins at the first frame of a shot that is a multiple of
    `step`, where every rung has a frame. `least` 0 makes one chunk.
    """
    cuts = sorted({-(-shot.start_frame // step) * step for shot in shots})
    starts = [0]
    while least and (start := _next_start(starts[-1], cuts, frames, least, gop)):
        starts.append(start)
    edges = [*starts, frames]
    return tuple(Chunk(index, *edge) for index, edge in enumerate(pairwise(edges)))


def divided_at(chunks: Sequence[Chunk], frame: int) -> tuple[Chunk, ...]:
    """With one more seam, at a frame that is none yet."""
    edges = sorted({frame, *(edge for one in chunks for edge in (one.start_frame, one.end_frame))})
    return tuple(Chunk(index, *edge) for index, edge in enumerate(pairwise(edges)))


def in_one_piece(plan: Plan, why: str) -> Plan:
    """The plan with a single chunk, which says why."""
    steering = plan.steering
    kept = (one for one in plan.decisions if steering is None or one != steering.told)
    return replace(
        plan,
        chunks=(Chunk(0, 0, plan.frames),),
        decisions=(*kept, f"encoded in one piece: {why}"),
        steering=None,
    )


def _next_start(start: int, cuts: Sequence[int], frames: int, least: int, gop: int) -> int | None:
    """Where the chunk after the one that begins at `start` begins, if there is another one.

    `cuts` are in order.
    """
    end = frames - least
    at = bisect_left(cuts, start + least)
    if at < len(cuts) and cuts[at] <= min(end, start + _LONGEST * least):
        return cuts[at]
    divided = start + max(1, _USUAL * least // gop) * gop
    return divided if divided <= end and frames - start > _LONGEST * least else None


def why_one_chunk(info: MediaInfo, inspection: Inspection) -> str | None:
    """Why a part of the source cannot be decoded by itself, if so.

    The containers and codecs are those whose parts were compared frame by frame with the whole
    (`tests/pipelines/test_cut.py`).
    """
    picture = info.picture
    reasons = {
        "there is no picture": picture is None,
        "the frame rate varies": not inspection.constant_frame_rate,
        "the file's clock jumps": inspection.clock_jumps,
        "its time stamps do not tell which frame is which": not inspection.steady_stamps,
        "the size or the pixel format changes": not inspection.constant_raster,
        "the file asks players to turn its picture": bool(picture and picture.rotation_deg),
        f"parts of {info.format_name} files are not read": CUT_FORMATS.isdisjoint(
            info.format_name.split(",")
        ),
        f"parts of {picture and picture.codec} are not read": bool(
            picture and picture.codec not in CUT_CODECS
        ),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
