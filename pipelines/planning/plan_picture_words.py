"""What a plan says of the source's picture: what was guessed of it, and what it loses. Pure."""

from __future__ import annotations

from pipelines.media import BLANKING_LINES, Colour, Inspection, VideoTrack
from pipelines.words import Words, joined


def picture_decisions(picture: VideoTrack, colour: Colour, inspection: Inspection) -> list[Words]:
    """`colour` is the complete one."""
    gaps = _gaps(picture.colour, colour)
    rate, turned = inspection.frame_rate, _turned(picture)
    aspect, size = picture.pixel_aspect, (picture.width, picture.height)
    facts = {
        Words(
            f"the source does not say its colour in full: taken as {gaps}",
            f"来源未完整说明其色彩：按{gaps.zh} 处理",
        ): bool(gaps),
        Words(
            f"the frame rate varies: resampled to an even {rate}",
            f"帧率可变：重采样为均匀的 {rate}",
        ): not inspection.constant_frame_rate,
        Words(f"{turned}, as the file asks", f"按文件要求{turned.zh}"): (
            picture.mirrored or picture.rotation_deg != 0
        ),
        Words(
            f"the source does not say the shape of its pixels: {size[0]}x{size[1]} is taken as "
            f"4:3, pixels of {aspect}",
            f"来源未说明像素比：{size[0]}×{size[1]} 按 4:3 处理，像素比为 {aspect}",
        ): picture.sample_aspect_ratio is None and picture.has_sd_raster,
        Words(
            f"pixels of aspect {aspect} become square, except in preservation",
            f"像素比 {aspect} 变为方像素，保存母版除外",
        ): aspect != 1,
        Words(
            f"the first {BLANKING_LINES} of its {picture.height} lines are blanking (D-10), and "
            f"stay where no profile crops {{ top = {BLANKING_LINES} }}",
            f"{picture.height} 行中的前 {BLANKING_LINES} 行为消隐行（D-10），"
            f"方案不写明裁切 {{ top = {BLANKING_LINES} }} 则保留",
        ): picture.has_blanking,
        Words(
            "the odd size becomes even by scaling, except in preservation",
            "奇数尺寸经缩放变为偶数，保存母版除外",
        ): picture.width % 2 + picture.height % 2 > 0,
        Words(
            "dynamic HDR metadata (Dolby Vision, HDR10+, HDR Vivid) does not outlive an encode",
            "HDR 动态元数据（Dolby Vision、HDR10+、HDR Vivid）经编码后不保留",
        ): picture.dolby_vision or picture.hdr10_plus or picture.hdr_vivid,
        Words(
            f"HDR light of {colour.primaries} primaries becomes BT.2020's before it is mapped",
            f"{colour.primaries} 基色的 HDR 光先转为 BT.2020 基色，再作映射",
        ): colour.dynamic_range != "sdr" and colour.primaries != "bt2020",
    }
    return [text for text, holds in facts.items() if holds]


def _gaps(said: Colour, taken: Colour) -> Words:
    """What the tags leave out, and what it is taken for; empty where that is nothing."""
    return joined(
        Words(f"{name} {value}", f"{name.zh} {value}")
        for name, tagged, value in (
            (Words("primaries", "基色"), said.primaries, taken.primaries),
            (Words("transfer", "传递特性"), said.transfer, taken.transfer),
            (Words("matrix", "矩阵"), said.matrix, taken.matrix),
            (Words("range", "范围"), said.range, taken.range),
        )
        if tagged is None
    )


def _turned(picture: VideoTrack) -> Words:
    """A mirror's turn by 180 degrees is the difference of left and right from up and down."""
    degrees = picture.rotation_deg
    if not picture.mirrored:
        return Words(f"turned by {degrees} degrees", f"旋转 {degrees} 度")
    ways = {
        180: Words("left and right mirrored", "左右镜像"),
        0: Words("turned upside down in a mirror", "上下镜像"),
    }
    return ways.get(degrees, Words("turned and mirrored", "旋转并镜像"))
