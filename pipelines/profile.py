"""Profiles and ladders: TOML data in `pipelines/profiles/`, validated when loaded."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from pipelines.media import DynamicRange

VideoCodec = Literal["hevc", "h264", "ffv1"]
AudioCodec = Literal["aac", "ac3", "flac"]
Container = Literal["mp4", "mkv", "m4a"]
Fit = Literal["exact", "inside", "source"]
Certainty = Literal["V", "?", "P"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a number comes from: [V] read in a source, [?] widely used, [P] the project's choice."""

    what: str
    source: str
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class VideoProfile:
    """`fit`: `exact` needs that raster and never upscales; `inside` fits without upscaling;
    `source` keeps raster, rate, fields, sampling and colour untouched (preservation)."""

    codec: VideoCodec
    encoder: str
    fit: Fit
    width: int | None = None
    height: int | None = None
    max_frame_rate: Fraction | None = None
    min_frame_rate: Fraction | None = None
    pix_fmt: str | None = None
    dynamic_range: DynamicRange | None = None
    preset: str | None = None
    crf: float | None = None
    max_bitrate_bps: int | None = None
    buffer_bits: int | None = None
    gop_s: Fraction = Fraction(1)
    level: str | None = None
    codec_profile: str | None = None
    burnt_in_timecode: bool = False


@dataclass(frozen=True, slots=True)
class AudioProfile:
    """`channels` `None` keeps every track as it is (preservation)."""

    codec: AudioCodec
    channels: int | None
    sample_rate_hz: int | None
    bitrate_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A named, versioned recipe that cites its standard."""

    name: str
    version: int
    title_en: str
    title_zh: str
    container: Container
    basis: tuple[Basis, ...]
    video: VideoProfile | None
    audio: tuple[AudioProfile, ...]
    packaged: bool = False  # taken into the HLS and DASH package


@dataclass(frozen=True, slots=True)
class Ladder:
    """An ordered set of profiles for one delivery, best first."""

    name: str
    title_en: str
    title_zh: str
    profiles: tuple[str, ...]
