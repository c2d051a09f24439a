"""What a stream copy needs of its source, or why it would not be what its name says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pipelines.media import Inspection, MediaInfo, VideoTrack
from pipelines.profiles.profile import Profile, VideoProfile
from pipelines.words import Words


def why_no_copy(
    profile: Profile, wanted: VideoProfile, picture: VideoTrack, inspection: Inspection
) -> tuple[str, Words] | None:
    """Code and reason. All that an encode could mend has to be right already."""
    rate = inspection.frame_rate or Fraction(0)
    width, height = size = (picture.width, picture.height)
    raster = (wanted.width, wanted.height)
    reasons: Mapping[str, tuple[bool, Words]] = {
        "needs_hevc": (
            picture.codec != wanted.codec,
            Words(
                f"is {picture.codec}, not {wanted.codec}",
                f"是 {picture.codec}，不是 {wanted.codec}",
            ),
        ),
        "needs_dynamic_metadata": (
            not picture.hdr_vivid,
            Words(
                "has no HDR Vivid metadata to be kept: choose 'cn4k-hevc-hlg' or 'cn4k-hevc-pq'",
                "没有可保留的 HDR Vivid 元数据：请选用 cn4k-hevc-hlg 或 cn4k-hevc-pq",
            ),
        ),
        "needs_hdr": (
            picture.colour.dynamic_range == "sdr",
            Words("is neither HLG nor PQ", "既不是 HLG 也不是 PQ"),
        ),
        "needs_wide_gamut": (
            picture.colour.primaries != "bt2020",
            Words("is not BT.2020", "不是 BT.2020"),
        ),
        "bit_depth_too_low": (
            picture.pix_fmt != wanted.pix_fmt,
            Words(f"is {picture.pix_fmt}", f"是 {picture.pix_fmt}"),
        ),
        "raster_differs": (
            None not in raster and size != raster,
            Words(f"is {width}x{height}", f"是 {width}×{height}"),
        ),
        "frame_rate_too_low": (
            rate < (wanted.min_frame_rate or 0),
            Words(f"has {float(rate):g} fps", f"是 {float(rate):g} fps"),
        ),
        "variable_frame_rate": (
            not inspection.constant_frame_rate,
            Words("has no even frame rate", "帧率不恒定"),
        ),
        "clock_jumps": (
            inspection.clock_jumps,
            Words("has a clock that jumps", "时钟有跳变"),
        ),
        "rotated": (
            picture.rotation_deg != 0,
            Words("asks players to turn it", "要求播放器旋转画面"),
        ),
        "interlaced": (inspection.scan != "progressive", Words("is interlaced", "是隔行的")),
    }
    for code, (holds, why) in reasons.items():
        if holds:
            return code, Words(
                f"{profile.name} copies the picture as it is, and this source {why}",
                f"{profile.name} 直接复制画面，而来源{why.zh}",
            )
    return None


def why_too_fast(
    profile: Profile, wanted: VideoProfile, info: MediaInfo, inspection: Inspection
) -> tuple[str, Words] | None:
    """Code and reason where the source's bits cannot pass through a stream of constant rate.

    By its mean, of files that hold no more than the picture and sound: what a transport stream is
    filled up with says nothing, and peaks are found when the finished file is read back.
    """
    cap = wanted.max_bitrate_bps
    if cap is None or "mpegts" in info.format_name or len(info.video) != 1:
        return None
    sound_bps = sum(
        track.sample_rate_hz * track.channels * (track.bit_depth or 0) for track in info.audio
    )
    rate_bps = info.size_bytes * 8 / (inspection.duration_s or 1) - sound_bps
    if rate_bps <= cap:
        return None
    has = f"{float(rate_bps) / 1e6:.1f} Mb/s"
    why = Words(
        f"{profile.name} copies the picture as it is, and {has} are "
        f"more than the {cap / 1e6:g} that its stream has room for: choose a profile in MP4",
        f"{profile.name} 直接复制画面，而 {has} 超出其码流可容纳的 {cap / 1e6:g} Mb/s："
        "请选用 MP4 方案",
    )
    return "bitrate_too_high", why
