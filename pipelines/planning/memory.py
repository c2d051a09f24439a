"""How much memory a step will hold at its peak, before it runs. Pure.

Pictures that stand in queues make nearly all of it: a decoder's, a filter's, an encoder's. The
counts are fitted to what the ffmpeg of the wheel was seen to hold with x265 (20 encodes from 540p
to 4320p, of 12 to 80 frames, off by 9 % at most) and x264. `benchmarks/memory.py` measures again.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av

from pipelines.encoding.encode import frames_of
from pipelines.encoding.large_pictures import B_FRAMES, FRAME_THREADS, decoder_threads, is_large
from pipelines.encoding.rung_tree import Branch, lay_out
from pipelines.media import VideoTrack
from pipelines.planning.plan_types import Chunk, Plan, VideoPlan
from pipelines.quality.metrics import metrics_for

_PROGRAM_BYTES = 62_000_000
_DECODER_PICTURES, _HEVC_PICTURES = 7, 12  # and one more for each thread
_THREADS_MOST = 16  # of a decoder: one more than there are cores, up to so many
_QUEUED_PICTURES = 9  # between the filters and an encoder
_SCALED_PICTURES, _LIGHT_PICTURES = 6, 3  # waiting to be scaled, and while they are converted
_LIGHT_BYTES_A_PIXEL = 12
_LOOKED_AT_PICTURES = 1  # beside the decoder, by an inspection or a verification
# An encoder holds a picture about twice: as it came, and as it is decoded again.
_COPIES = 2.14
_LOOKAHEAD = {  # pictures, by each encoder's own presets
    "libx264": {
        "ultrafast": 0,
        "superfast": 0,
        "veryfast": 10,
        "faster": 20,
        "fast": 30,
        "medium": 40,
        "slow": 50,
        "slower": 60,
        "veryslow": 60,
    },
    "libx265": {
        "ultrafast": 5,
        "superfast": 10,
        "veryfast": 15,
        "faster": 15,
        "fast": 15,
        "medium": 20,
        "slow": 25,
        "slower": 40,
        "veryslow": 40,
    },
}
_USUAL_LOOKAHEAD = 40
_X264_PICTURES, _X264_A_THREAD = 10, 3.7
_X265_PICTURES, _X265_A_THREAD = 19, 3
_X265_B_FRAMES, _X265_A_B_FRAME = 4, 2  # in a row, by most presets
_X265_BYTES_A_PICTURE = 1_700_000
_X265_THREADS = ((32, 6), (16, 5), (8, 3), (4, 2))  # pictures at once, by cores: its own rule
_HELD_BY_OTHERS = {"ffv1": 8, "prores_ks": 3, "libvvenc": 72}
_USUALLY_HELD = 40  # SVT-AV1, and what was not looked at
# By VMAF, seen at 1080p: 490 MB with one rendition, 560 MB with two, the decoders' own included.
_VMAF_BYTES_A_PIXEL, _PAIR_BYTES_A_PIXEL = 150, 35
_COMPARED_BYTES_A_PIXEL = 6  # of a pair without VMAF: XPSNR and SSIM at 4320p, 3.2 GB in all


def encode_bytes(source: VideoTrack, plan: Plan, chunk: Chunk, cores: int) -> int:
    """The most memory that encoding one chunk, all rungs at once, holds on so many cores."""
    branches = lay_out(plan, Path())
    encoders = sum(_encoder_bytes(branch.video, chunk, cores) for branch in branches)
    filters = sum(
        _filter_bytes(source if branch.parent is None else branches[branch.parent].video, branch)
        for branch in branches
    )
    decoder = decode_bytes(source.codec, source.width, source.height, source.pix_fmt, cores)
    return decoder + filters + encoders


def score_bytes(
    source: VideoTrack, videos: Sequence[VideoPlan], raster: tuple[int, int], cores: int
) -> int:
    """The most memory that comparing renditions with their source, in that raster, holds."""
    decoders = sum(
        decode_bytes(one.codec, one.width, one.height, one.pix_fmt, cores) - _PROGRAM_BYTES
        for one in videos
    )
    by_vmaf = [any(one.name == "vmaf" for one in metrics_for(video, raster)) for video in videos]
    pairs = sum(_PAIR_BYTES_A_PIXEL if one else _COMPARED_BYTES_A_PIXEL for one in by_vmaf)
    compared = raster[0] * raster[1] * (_VMAF_BYTES_A_PIXEL * any(by_vmaf) + pairs)
    own = decode_bytes(source.codec, source.width, source.height, source.pix_fmt, cores)
    return own + decoders + compared


def look_bytes(picture: VideoTrack | VideoPlan, cores: int) -> int:
    """The most memory that inspecting a source or verifying a rendition holds."""
    size = picture.width, picture.height
    decoder = decode_bytes(picture.codec, *size, picture.pix_fmt, cores)
    return decoder + _LOOKED_AT_PICTURES * picture_bytes(*size, picture.pix_fmt)


def decode_bytes(codec: str, width: int, height: int, pix_fmt: str, cores: int) -> int:
    """The most memory of an ffmpeg that only decodes."""
    pictures = _HEVC_PICTURES if codec == "hevc" else _DECODER_PICTURES
    held = pictures + (decoder_threads((width, height)) or min(cores + 1, _THREADS_MOST))
    return _PROGRAM_BYTES + held * picture_bytes(width, height, pix_fmt)


def picture_bytes(width: int, height: int, pix_fmt: str) -> int:
    """One picture as it lies in memory."""
    return width * height * av.VideoFormat(pix_fmt).padded_bits_per_pixel // 8


def _filter_bytes(giver: VideoTrack | VideoPlan, branch: Branch) -> int:
    """Of a rung that is scaled or converted: large pictures before, and light in floating point."""
    video = branch.video
    pixels = video.width * video.height
    scaled = pixels < giver.width * giver.height
    large = picture_bytes(giver.width, giver.height, giver.pix_fmt) if scaled else 0
    light = pixels * _LIGHT_BYTES_A_PIXEL if video.conversion != "none" else 0
    return _SCALED_PICTURES * large + _LIGHT_PICTURES * light


def _encoder_bytes(video: VideoPlan, chunk: Chunk, cores: int) -> int:
    picture = picture_bytes(video.width, video.height, video.pix_fmt)
    held = min(_held(video, cores), frames_of(video, chunk))
    more = _X265_BYTES_A_PICTURE if video.encoder == "libx265" else 0
    return int(held * (_COPIES * picture + more)) + _QUEUED_PICTURES * picture


def _held(video: VideoPlan, cores: int) -> float:
    """Pictures inside the encoder at once."""
    if video.encoder == "libx264":
        threads = cores * 3 // 2
        return min(_lookahead(video), video.gop_frames) + _X264_PICTURES + _X264_A_THREAD * threads
    if video.encoder == "libx265":
        more = _X265_A_THREAD * (_frame_threads(video, cores) - 1)
        fewer = _X265_B_FRAMES - B_FRAMES if is_large(video.width, video.height) else 0
        return _lookahead(video) + _X265_PICTURES + more - _X265_A_B_FRAME * fewer
    return _HELD_BY_OTHERS.get(video.encoder, _USUALLY_HELD)


def _frame_threads(video: VideoPlan, cores: int) -> int:
    if is_large(video.width, video.height):
        return FRAME_THREADS
    return next((threads for least, threads in _X265_THREADS if cores >= least), 1)


def _lookahead(video: VideoPlan) -> int:
    if video.lookahead_frames is not None:
        return video.lookahead_frames
    return _LOOKAHEAD[video.encoder].get(video.preset or "medium", _USUAL_LOOKAHEAD)
