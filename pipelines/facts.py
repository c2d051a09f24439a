"""What was read back or measured from something that Kapok made."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pipelines.media import Colour


@dataclass(frozen=True, slots=True)
class AudioFacts:
    codec: str
    channels: int
    sample_rate_hz: int
    loudness_lkfs: float | None
    true_peak_dbtp: float | None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SubtitleFacts:
    codec: str
    language: str | None
    forced: bool


@dataclass(frozen=True, slots=True)
class RenditionFacts:
    """A finished file as a second tool reads it; picture fields are `None` for sound alone.

    What has a default was not read back of renditions that older versions made.
    """

    codec: str | None
    width: int | None
    height: int | None
    frame_rate: Fraction | None
    frames: int | None
    pix_fmt: str | None
    colour: Colour
    duration_s: Fraction
    bitrate_bps: int
    size_bytes: int
    sha256: str
    audio: tuple[AudioFacts, ...]
    timecode: str | None = None  # of the first picture
    captions: tuple[str, ...] = ()  # within the pictures: "cea-608", "cea-708"
    subtitles: tuple[SubtitleFacts, ...] = ()


@dataclass(frozen=True, slots=True)
class Measurement:
    """One full-reference score of one rendition; `equal` is set for `framemd5` alone."""

    metric: str  # "vmaf", "xpsnr", "ssim", "framemd5"
    model: str | None
    mean: float | None
    harmonic_mean: float | None
    p5: float | None
    frames: int
    equal: bool | None = None


@dataclass(frozen=True, slots=True)
class Verified:
    """A rendition that agrees with its plan; `commands` made the `proofs` that it is lossless."""

    facts: RenditionFacts
    proofs: tuple[Measurement, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """Paths relative to the package's folder."""

    hls: str
    dash: str
    files: tuple[str, ...]
