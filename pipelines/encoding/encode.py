"""Encode the pictures of one chunk: every rung at once, from one decode."""

from __future__ import annotations

import logging
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pipelines.colour.colour_filters import tables_of
from pipelines.encoding.cut import PART_STARTS_S, CutFailed, Master, Readable, cut, part_file
from pipelines.encoding.graph import compose, compose_look
from pipelines.encoding.rung_tree import chunk_files, lay_out
from pipelines.encoding.vbv import buffer_of, owed_bits
from pipelines.errors import MediaError, NothingToEncode, ToolFailed, ToolKilled, ToolStalled
from pipelines.planning.chunks import in_one_piece
from pipelines.planning.plan import Chunk, Plan, VideoPlan
from pipelines.progress import Progress, part
from pipelines.running.cache_files import timecode_font_file
from pipelines.running.run import Finished, run
from pipelines.sources.ask_ffprobe import ask_ffprobe
from pipelines.sources.written_packets import picture_packets
from pipelines.words import Words

log = logging.getLogger(__name__)
_LOOKED_AT = 25  # frames: a decoder that loses its way does so at the beginning
_LEAD, _LEAD_S = 3, 30  # [P] times its own length, or seconds, may be decoded before a chunk
_AGAIN = 2  # [P] times at most that a chunk is encoded anew for what it leaves in the buffer
_CUT = 0.02  # share of the time: packets are only copied


@dataclass(frozen=True, slots=True)
class EncodedChunk:
    """`files` by profile: pictures alone, from zero on an even grid. `argv` made all of them, at
    last: what was encoded anew for a seam is there once.

    `why_whole` says why the whole source had to be read for a part of it, `peak_bytes` what memory
    it took. `part` is what was cut out of the source, where that is to be kept.
    """

    files: dict[str, Path]
    argv: tuple[str, ...]
    peak_bytes: int
    why_whole: str | None = None
    part: Path | None = None


def encode(
    source: Master, plan: Plan, chunk: Chunk, folder: Path, *, keep_part: bool = False
) -> Generator[Progress, None, EncodedChunk]:
    """Write the chunk's picture of every rung into `folder`; errors are those of `run`.

    Of a source with several chunks only what this one needs is read and decoded. Where that fails,
    all of it is decoded up to the chunk's end: slower, and as right.
    """
    why_whole = None
    if len(plan.chunks) > 1:
        try:
            return (yield from encode_part(source, plan, chunk, folder, keep=keep_part))
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
    source: Readable, plan: Plan, chunk: Chunk, folder: Path, *, keep: bool = False
) -> Generator[Progress, None, EncodedChunk]:
    """`encode`, reading and decoding of the source only what the chunk needs.

    `keep` leaves that part beside the files. Raises `CutFailed` where that does not give exactly
    the chunk's frames, and what `run` raises.
    """
    folder = folder.resolve()
    path, kept = part_file(chunk, folder), None
    try:
        yield from part(cut(source, plan, chunk, path), 0.0, _CUT, "reading the source")
        encoding = _encode(path, plan, chunk, folder, of_part=True)
        encoded = yield from part(encoding, _CUT, 1.0, "encoding")
        for rung in plan.rungs:
            if rung.video is not None:
                _refuse_other_count(encoded.files[rung.profile], frames_of(rung.video, chunk))
        kept = path if keep else None
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError) as error:  # the whole may be read where a part is not
        raise CutFailed(f"{chunk} is not to be had by itself: {error}") from error
    finally:
        if kept is None:
            path.unlink(missing_ok=True)
    return replace(encoded, part=kept)


def with_parts_that_decode(
    source: Readable, plan: Plan, folder: Path
) -> Generator[Progress, None, Plan]:
    """A plan of several chunks, or of one where each would decode all that comes before it.

    Raises as `why_no_parts` does.
    """
    why = yield from why_no_parts(source, plan, folder)
    return in_one_piece(plan, why) if why else plan


def why_no_parts(
    source: Readable, plan: Plan, folder: Path
) -> Generator[Progress, None, Words | None]:
    """Why the chunks of this source are not to be had by themselves, if so.

    Of a source whose every part is refused each chunk would decode all that comes before it. So the
    first frames of a chunk in the middle are decoded now. Raises what `run` raises of a tool that
    was killed or stalled.
    """
    middle = plan.chunks[len(plan.chunks) // 2]
    chunk = replace(middle, end_frame=min(middle.end_frame, middle.start_frame + _LOOKED_AT))
    folder = folder.resolve()
    path, seen = part_file(chunk, folder), folder / "look.mkv"
    try:
        yield from part(cut(source, plan, chunk, path), 0.0, 0.5, "reading the source")
        lead_s = _lead_s(path)
        length_s = middle.frames / (plan.frame_rate or 1)
        if lead_s > max(_LEAD_S, _LEAD * length_s):
            return Words(
                f"key frames are so rare that {float(lead_s):.0f} s are decoded before a chunk",
                f"关键帧过稀，每个分块之前都要先解码 {float(lead_s):.0f} s",
            )
        looking = run(compose_look(path, plan, chunk, seen), readable=[path], writable=[folder])
        yield from part(looking, 0.5, 1.0, "looking at a part")
        _refuse_other_count(seen, chunk.frames)
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError, CutFailed) as error:
        return Words(
            f"its parts do not decode by themselves: {error}", f"各段无法单独解码：{error}"
        )
    finally:
        path.unlink(missing_ok=True)
        seen.unlink(missing_ok=True)
    return None


def _lead_s(path: Path) -> Fraction:
    """How much of a part is decoded before its chunk begins."""
    words = ("-select_streams", "v:0", "-show_entries", "packet=pts_time,dts_time")
    (packet,) = ask_ffprobe(path, *words, "-read_intervals", "%+#1")["packets"]
    return PART_STARTS_S - Fraction(packet.get("pts_time") or packet["dts_time"])


def _encode(
    source: Path, plan: Plan, chunk: Chunk, folder: Path, *, of_part: bool
) -> Generator[Progress, None, EncodedChunk]:
    source, folder = source.resolve(), folder.resolve()
    files = chunk_files(plan, folder)
    if not files:
        raise NothingToEncode("the plan has no rung with a picture")

    def encoding(owed: Mapping[Path, int]) -> Generator[Progress, None, Finished]:
        return run(
            compose(source, plan, chunk, folder, part=of_part, owed_bits=owed),
            readable=[source, *_looked_up(plan)],
            writable=[folder],
            total_frames=_first_output_frames(plan, chunk),
        )

    finished = yield from encoding({})
    peak_bytes, owed = finished.peak_bytes, dict.fromkeys(files.values(), 0)
    for _ in range(_AGAIN):
        more = _owed_bits(plan, chunk, files)
        if not more:
            break
        owed = {path: bits + more.get(path, 0) for path, bits in owed.items()}
        log.info("encoding %s again, which left too little in the decoder's buffer", chunk)
        finished = yield from part(encoding(owed), 1.0, 1.0, "encoding again, for a seam")
        peak_bytes = max(peak_bytes, finished.peak_bytes)
    return EncodedChunk(files, finished.argv, peak_bytes)


def _owed_bits(plan: Plan, chunk: Chunk, files: Mapping[str, Path]) -> dict[Path, int]:
    """By file, how much the chunk leaves too little for the next one, where it does."""
    owed: dict[Path, int] = {}
    for rung in plan.rungs:
        buffer = buffer_of(rung.video) if rung.video else None
        if buffer is not None and chunk.end_frame < plan.frames:
            path = files[rung.profile]
            owed[path] = owed_bits(_sizes(path), buffer, before=chunk.start_frame > 0)
    return {path: bits for path, bits in owed.items() if bits}


def _sizes(file: Path) -> list[int]:
    """Bytes of every picture, in the order of decoding."""
    return [packet.size for packet in picture_packets(file)]


def _refuse_other_count(file: Path, planned: int) -> None:
    """A decoder that lost its way at the beginning of a part gives fewer."""
    seen = len(_sizes(file))
    if seen != planned:
        raise CutFailed(f"{seen} frames of {planned} came out of a part of the source")


def _looked_up(plan: Plan) -> list[Path]:
    """The tables and the font that the graph names."""
    pictures = [rung.video for rung in plan.rungs if rung.video]
    fonts = [timecode_font_file()] if any(video.burnt_in_timecode for video in pictures) else []
    return [*tables_of(pictures), *fonts]


def _first_output_frames(plan: Plan, chunk: Chunk) -> int:
    """Ffmpeg's progress counts the frames of its first output: the heaviest rung."""
    branches = lay_out(plan, Path())
    return frames_of(branches[0].video, chunk) if branches else plan.frames


def frames_of(video: VideoPlan, chunk: Chunk) -> int:
    """How many frames of a rung show frames of the chunk."""
    return video.frame_at(chunk.end_frame) - video.frame_at(chunk.start_frame)
