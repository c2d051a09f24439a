"""What a stream copy needs of its source, or why it would not be what its name says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from pipelines.media import Inspection, MediaInfo, VideoTrack
from pipelines.profiles.profile import Profile, VideoProfile


def why_no_copy(
    profile: Profile, wanted: VideoProfile, picture: VideoTrack, inspection: Inspection
) -> tuple[str, str] | None:
    """Code and reason. All that an encode could mend has to be right already."""
    rate = inspection.frame_rate or Fraction(0)
    size, raster = (picture.width, picture.height), (wanted.width, wanted.height)
    shown, name = f"{picture.width}x{picture.height}", profile.name
    reasons: Mapping[str, tuple[bool, str]] = {
        "needs_hevc": (picture.codec != wanted.codec, f"is {picture.codec}, not {wanted.codec}"),
        "needs_dynamic_metadata": (
            not picture.hdr_vivid,
            "has no HDR Vivid metadata to be kept: choose 'cn4k-hevc-hlg' or 'cn4k-hevc-pq'",
        ),
        "needs_hdr": (picture.colour.dynamic_range == "sdr", "is neither HLG nor PQ"),
        "needs_wide_gamut": (picture.colour.primaries != "bt2020", "is not BT.2020"),
        "bit_depth_too_low": (picture.pix_fmt != wanted.pix_fmt, f"is {picture.pix_fmt}"),
        "raster_differs": (None not in raster and size != raster, f"is {shown}"),
        "frame_rate_too_low": (rate < (wanted.min_frame_rate or 0), f"has {float(rate):g} fps"),
        "variable_frame_rate": (not inspection.constant_frame_rate, "has no even frame rate"),
        "clock_jumps": (inspection.clock_jumps, "has a clock that jumps"),
        "rotated": (picture.rotation_deg != 0, "asks players to turn it"),
        "interlaced": (inspection.scan != "progressive", "is interlaced"),
    }
    for code, (holds, why) in reasons.items():
        if holds:
            return code, f"{name} copies the picture as it is, and this source {why}"
    return None


def why_too_fast(
    profile: Profile, wanted: VideoProfile, info: MediaInfo, inspection: Inspection
) -> tuple[str, str] | None:
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
    why = (
        f"{profile.name} copies the picture as it is, and {float(rate_bps) / 1e6:.1f} Mb/s are "
        f"more than the {cap / 1e6:g} that its stream has room for: choose a profile in MP4"
    )
    return "bitrate_too_high", why
