"""What each sound codec is called, which file holds it alone, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from pipelines.planning.plan_types import AudioPlan
from pipelines.profiles.codecs import SAMPLE_RATES_HZ
from pipelines.profiles.profile import AudioCodec, SoundCodec

# Suffix and muxer of a container that keeps the codec's priming and its last, shorter block through
# stream copy, and times to the sample: Matroska rounds them to 1 ms, MP4 loses Opus's end.
_FILES: Mapping[SoundCodec, tuple[str, str]] = MappingProxyType(
    {
        "aac": ("m4a", "mp4"),
        "ac3": ("mp4", "mp4"),
        "eac3": ("mp4", "mp4"),
        "opus": ("ogg", "ogg"),
        "flac": ("mka", "matroska"),
        "pcm": ("mov", "mov"),
    }
)
_DEFAULT_RATE_HZ = 48000
_BACK = frozenset({"aac", "opus"})  # these have no side loudspeakers in their 5.1


def suffix(track: AudioPlan) -> str:
    return _file(track)[0]


def muxer(track: AudioPlan) -> str:
    return _file(track)[1]


def _file(track: AudioPlan) -> tuple[str, str]:
    """What is copied has the times of its packets, and MP4 says when it begins."""
    if track.copied:
        return ("mp4", "mp4")
    return _FILES[track.codec]


def encoder(track: AudioPlan) -> str:
    """Ffmpeg's name of the encoder."""
    return {"opus": "libopus"}.get(track.codec, codec_name(track))


def codec_name(track: AudioPlan) -> str:
    """As a finished file says it."""
    return f"pcm_s{track.bit_depth}le" if track.codec == "pcm" else track.codec


def sample_fmt(track: AudioPlan) -> str | None:
    """FLAC takes 24 bits from the upper bits of 32."""
    if track.codec != "flac":
        return None
    return "s16" if track.bit_depth == 16 else "s32"


def layout(codec: AudioCodec, channels: int) -> str:
    """Of mono, stereo and 5.1."""
    surround = "5.1" if codec in _BACK else "5.1(side)"
    return {1: "mono", 2: "stereo", 6: surround}[channels]


def sample_rate_hz(codec: AudioCodec, source_hz: int) -> int:
    """The source's own where the codec takes it."""
    rates = SAMPLE_RATES_HZ.get(codec, (source_hz,))
    return source_hz if source_hz in rates else _DEFAULT_RATE_HZ
