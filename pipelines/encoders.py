"""The options of each video encoder, from a plan's picture. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pipelines.media import ContentLight, MasteringDisplay
from pipelines.plan import VideoPlan

HANDED_OVER = Fraction(1, 2)  # [P] of the buffer is full at every seam
_WIDE_LINES, _SMALL_LINES = 720, 200


@dataclass(frozen=True, slots=True)
class Seams:
    """Whether chunks come before and after this one, and how long it is."""

    before: bool
    after: bool
    length_s: Fraction


ONE_CHUNK = Seams(before=False, after=False, length_s=Fraction(1))  # whose length says nothing


@dataclass(frozen=True, slots=True)
class _Buffer:
    """The decoder's buffer (VBV) as an encoder must see it, `None` where the rung has no cap."""

    max_bitrate_bps: int | None
    size_bits: int | None
    full_share: float | None  # at the start; `None` leaves the encoder's own


def encoder_options(video: VideoPlan, seams: Seams = ONE_CHUNK) -> dict[str, Any]:
    """Ffmpeg's output options; the colour is not among them (see `colour.signal`)."""
    options = {"c:v": video.encoder, **_BY_CODEC[video.codec](video, _buffer(video, seams))}
    return {name: value for name, value in options.items() if value is not None}


def _buffer(video: VideoPlan, seams: Seams) -> _Buffer:
    """Chunks are encoded apart and played as one, so each leaves the buffer as the next takes it.

    It begins with the buffer half full. Encoded for a cap that is lower by half a buffer over its
    length, it leaves at least that half when it is played at the real cap.
    """
    cap, size = video.max_bitrate_bps, video.buffer_bits
    if cap is None or size is None:
        return _Buffer(None, None, None)
    saved = int(HANDED_OVER * size / seams.length_s) if seams.after else 0
    full = float(HANDED_OVER) if seams.before else None
    return _Buffer(max(cap - saved, cap // 2), size, full)


def _h264(video: VideoPlan, buffer: _Buffer) -> dict[str, Any]:
    full_bits = buffer.full_share and buffer.size_bits and buffer.full_share * buffer.size_bits
    return {
        "preset": video.preset,
        "crf": _number(video.crf),
        "maxrate": buffer.max_bitrate_bps,
        "bufsize": buffer.size_bits,
        "rc_init_occupancy": full_bits and int(full_bits),
        "profile:v": video.codec_profile,
        "level:v": video.level,
        "g": video.gop_frames,
        "keyint_min": video.gop_frames,
        "sc_threshold": 0,  # key frames at the same moments in every rung
        "flags": "+cgop",
        "a53cc": 0,
        "video_track_timescale": _timescale(video.frame_rate),
    }


def _hevc(video: VideoPlan, buffer: _Buffer) -> dict[str, Any]:
    """x265 takes its own names for most; rates are in kb/s."""
    words = {
        "keyint": video.gop_frames,
        "min-keyint": video.gop_frames,
        "scenecut": 0,
        "open-gop": 0,
        "level-idc": video.level,
        "high-tier": 0,
        "vbv-maxrate": buffer.max_bitrate_bps and buffer.max_bitrate_bps // 1000,
        "vbv-bufsize": buffer.size_bits and buffer.size_bits // 1000,
        "vbv-init": _number(buffer.full_share),
        "log-level": "warning",
        **_hdr10(video.mastering_display, video.content_light),
    }
    return {
        "preset": video.preset,
        "crf": _number(video.crf),
        "profile:v": video.codec_profile,
        "x265-params": ":".join(
            f"{name}={value}" for name, value in words.items() if value is not None
        ),
        "dolbyvision": 0,
        "tag:v": "hvc1",  # Apple's players refuse hev1
        "video_track_timescale": _timescale(video.frame_rate),
    }


def _ffv1(video: VideoPlan, _: _Buffer) -> dict[str, Any]:
    """RFC 9043 version 3: every frame by itself, slices with their own checksums."""
    return {
        "level": 3,
        "coder": 1,
        "context": 1,
        "g": 1,
        "slices": 24 if video.height >= _WIDE_LINES else 12 if video.height >= _SMALL_LINES else 4,
        "slicecrc": 1,
        # FFV1 itself knows no range: ffmpeg would convert full-range samples to narrow ones.
        "color_range": video.colour.range,
    }


_BY_CODEC: Mapping[str, Any] = {"h264": _h264, "hevc": _hevc, "ffv1": _ffv1}


def _hdr10(display: MasteringDisplay | None, light: ContentLight | None) -> dict[str, str]:
    """ST 2086 in x265's units: chromaticity in 0.00002, luminance in 0.0001 cd/m²."""
    words = {}
    if display:
        points = zip("GBR", (display.green, display.blue, display.red), strict=True)
        named = [*points, ("WP", display.white)]
        spots = "".join(f"{name}({round(x * 50000)},{round(y * 50000)})" for name, (x, y) in named)
        most, least = (
            value * 10000 for value in (display.max_luminance_cd_m2, display.min_luminance_cd_m2)
        )
        words["master-display"] = f"{spots}L({round(most)},{round(least)})"
    if light:
        words["max-cll"] = f"{light.max_cll_cd_m2},{light.max_fall_cd_m2}"
    return words


def _timescale(rate: Fraction) -> int:
    """Ticks that hold the frame's length exactly, at least 10 000 a second."""
    times = -(-10_000 // rate.numerator)
    return rate.numerator * times


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"
