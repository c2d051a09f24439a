"""Where HDR10's static metadata can stand in a file that Kapok makes, and how finely. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from pipelines.colour.colour_types import HdrMetadata
from pipelines.media import Hdr10, MasteringDisplay

Kinds = frozenset[HdrMetadata]

_DISPLAY: HdrMetadata = "mastering_display"
_LIGHT: HdrMetadata = "content_light"
_BOTH, _NEITHER = Kinds({_DISPLAY, _LIGHT}), Kinds()
# SEI messages (ITU-T H.274) and, of AV1, metadata OBUs. FFV1 and ProRes have no syntax for them, of
# AVS2's libxavs2 writes nothing.
_CODECS = frozenset({"hevc", "h264", "av1", "vvc"})
# Every frame has the one size and layout that its decoders expect, and x264 puts no SEI there.
_FIXED_LAYOUTS = frozenset({"avc-intra-300"})
# ISO/IEC 14496-12, 12.1.5 and 12.1.6; RFC 9559; SMPTE ST 2067-21, whose descriptor knows no light.
# A transport stream leaves all of it to the stream inside.
_CONTAINERS: Mapping[str, Kinds] = MappingProxyType(
    {"mp4": _BOTH, "mov": _BOTH, "mkv": _BOTH, "mxf": Kinds({_DISPLAY})}
)
# AV1 specification, 6.7.4: chromaticities of 0.16 bits, luminances of 24.8 and 18.14.
_AV1_CHROMATICITY, _AV1_MOST, _AV1_LEAST = 1 << 16, 1 << 8, 1 << 14


def stream_holds(codec: str, codec_profile: str | None) -> Kinds:
    able = codec in _CODECS and codec_profile not in _FIXED_LAYOUTS
    return _BOTH if able else _NEITHER


def container_holds(container: str) -> Kinds:
    return _CONTAINERS.get(container, _NEITHER)


def held(words: Hdr10, kinds: Kinds) -> Hdr10:
    """What is left of them where only these kinds can stand."""
    return Hdr10(
        words.mastering_display if _DISPLAY in kinds else None,
        words.content_light if _LIGHT in kinds else None,
    )


def as_coded(words: Hdr10, codec: str) -> Hdr10:
    """As the codec's stream can say them: AV1 counts in steps of its own."""
    display = words.mastering_display
    if codec != "av1" or display is None:
        return words
    coarse = in_steps(display, _AV1_CHROMATICITY, _AV1_LEAST, _AV1_MOST)
    return replace(words, mastering_display=coarse)


def in_steps(
    display: MasteringDisplay, chromaticity: int, least: int, most: int
) -> MasteringDisplay:
    """Rounded to so many steps of each unit."""

    def point(spot: tuple[Fraction, Fraction]) -> tuple[Fraction, Fraction]:
        x, y = (_nearest(value, chromaticity) for value in spot)
        return x, y

    return MasteringDisplay(
        red=point(display.red),
        green=point(display.green),
        blue=point(display.blue),
        white=point(display.white),
        min_luminance_cd_m2=_nearest(display.min_luminance_cd_m2, least),
        max_luminance_cd_m2=_nearest(display.max_luminance_cd_m2, most),
    )


def _nearest(value: Fraction, steps: int) -> Fraction:
    return Fraction(round(value * steps), steps)
