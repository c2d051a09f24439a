"""Where a programme is divided into the units of parallel encoding. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from pipelines.media import Inspection, MediaInfo, Shot
from pipelines.planning.plan_types import Chunk, Plan
from pipelines.sources.containers import CUT_CODECS, CUT_FORMATS
from pipelines.words import Words, zh_of

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


def in_one_piece(plan: Plan, why: Words) -> Plan:
    """The plan with a single chunk, which says why."""
    steering = plan.steering
    kept = (one for one in plan.decisions if steering is None or one != steering.told)
    told = Words(f"encoded in one piece: {why}", f"不分块编码：{zh_of(why)}")
    return replace(
        plan,
        chunks=(Chunk(0, 0, plan.frames),),
        decisions=(*kept, told),
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


def why_one_chunk(info: MediaInfo, inspection: Inspection) -> Words | None:
    """Why a part of the source cannot be decoded by itself, if so.

    The containers and codecs are those whose parts were compared frame by frame with the whole
    (`tests/pipelines/test_cut.py`).
    """
    picture = info.picture
    reasons = {
        Words("there is no picture", "没有画面"): picture is None,
        Words("the frame rate varies", "帧率可变"): not inspection.constant_frame_rate,
        Words("the file's clock jumps", "文件的时钟跳变"): inspection.clock_jumps,
        Words(
            "its time stamps do not tell which frame is which", "时间戳无法说明各是哪一帧"
        ): not inspection.steady_stamps,
        Words(
            "the size or the pixel format changes", "幅面或像素格式中途改变"
        ): not inspection.constant_raster,
        Words("the file asks players to turn its picture", "文件要求播放器旋转画面"): bool(
            picture and picture.rotation_deg
        ),
        Words(
            f"parts of {info.format_name} files are not read",
            f"{info.format_name} 文件不能只读其中一段",
        ): CUT_FORMATS.isdisjoint(info.format_name.split(",")),
        Words(
            f"parts of {picture and picture.codec} are not read",
            f"{picture and picture.codec} 不能只读其中一段",
        ): bool(picture and picture.codec not in CUT_CODECS),
    }
    return next((reason for reason, holds in reasons.items() if holds), None)
