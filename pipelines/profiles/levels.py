"""What a level of H.264 and H.265 allows, and what of a picture is beyond it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from types import MappingProxyType

from pipelines.words import Words

_MACROBLOCK = 16  # samples of luma each way
_MACROBLOCKS, _SAMPLES = Words("macroblocks", "宏块"), Words("samples", "亮度采样")


@dataclass(frozen=True, slots=True)
class Limits:
    """Of a picture, a second, the rate and the decoder's buffer. `picture` and `second` count
    macroblocks of H.264 and samples of luma of H.265.
    """

    picture: int
    second: int
    bitrate_bps: int
    buffer_bits: int


# ITU-T H.264, table A-1: MaxFS, MaxMBPS, MaxBR and MaxCPB, the latter two of Baseline and Main.
_H264 = {
    "3": Limits(1_620, 40_500, 10_000_000, 10_000_000),
    "3.1": Limits(3_600, 108_000, 14_000_000, 14_000_000),
    "3.2": Limits(5_120, 216_000, 20_000_000, 20_000_000),
    "4": Limits(8_192, 245_760, 20_000_000, 25_000_000),
    "4.1": Limits(8_192, 245_760, 50_000_000, 62_500_000),
    "4.2": Limits(8_704, 522_240, 50_000_000, 62_500_000),
    "5": Limits(22_080, 589_824, 135_000_000, 135_000_000),
    "5.1": Limits(36_864, 983_040, 240_000_000, 240_000_000),
    "5.2": Limits(36_864, 2_073_600, 240_000_000, 240_000_000),
    "6": Limits(139_264, 4_177_920, 240_000_000, 240_000_000),
    "6.1": Limits(139_264, 8_355_840, 480_000_000, 480_000_000),
    "6.2": Limits(139_264, 16_711_680, 800_000_000, 800_000_000),
}
# ITU-T H.264, table A-2: cpbBrVclFactor, of 1000.
_H264_RATES = {
    "high": Fraction(5, 4),
    "high10": Fraction(3),
    "high422": Fraction(4),
}
# ITU-T H.265, tables A.8 and A.9: MaxLumaPs, MaxLumaSr, MaxBR and MaxCPB of the Main tier, which is
# the one that Kapok encodes in. Of 4:2:2 the standard allows 1.667 times the bits (table A.10), and
# x265 no more than of 4:2:0: it would lower the cap by itself.
_H265 = {
    "3": Limits(552_960, 16_588_800, 6_000_000, 6_000_000),
    "3.1": Limits(983_040, 33_177_600, 10_000_000, 10_000_000),
    "4": Limits(2_228_224, 66_846_720, 12_000_000, 12_000_000),
    "4.1": Limits(2_228_224, 133_693_440, 20_000_000, 20_000_000),
    "5": Limits(8_912_896, 267_386_880, 25_000_000, 25_000_000),
    "5.1": Limits(8_912_896, 534_773_760, 40_000_000, 40_000_000),
    "5.2": Limits(8_912_896, 1_069_547_520, 60_000_000, 60_000_000),
    "6": Limits(35_651_584, 1_069_547_520, 60_000_000, 60_000_000),
    "6.1": Limits(35_651_584, 2_139_095_040, 120_000_000, 120_000_000),
    "6.2": Limits(35_651_584, 4_278_190_080, 240_000_000, 240_000_000),
}
LEVELS: Mapping[str, Mapping[str, Limits]] = MappingProxyType(
    {"h264": MappingProxyType(_H264), "hevc": MappingProxyType(_H265)}
)


@dataclass(frozen=True, slots=True)
class Load:
    """What a level has to allow; `None` where it is not known."""

    width: int | None = None
    height: int | None = None
    frame_rate: Fraction | None = None
    bitrate_bps: Fraction | int | None = None
    buffer_bits: Fraction | int | None = None
    pix_fmt: str | None = None


def beyond(codec: str, level: str, codec_profile: str | None, load: Load) -> Iterator[Words]:
    """What does not fit, in words with the limit; nothing of a level without limits here."""
    limits = LEVELS.get(codec, {}).get(level)
    if limits is None:
        return
    if load.width and load.height:
        yield from _raster_beyond(codec, limits, load.width, load.height, load.frame_rate)
    named = codec_profile or _by_x264(load.pix_fmt or "")
    share = _H264_RATES.get(named, Fraction(1)) if codec == "h264" else Fraction(1)
    cap, most = load.bitrate_bps, limits.bitrate_bps * share
    if cap is not None and cap > most:
        yield Words(
            f"a cap of {cap} bit/s (at most {most})", f"{cap} bit/s 的码率上限（最多 {most}）"
        )
    buffer, most = load.buffer_bits, limits.buffer_bits * share
    if buffer is not None and buffer > most:
        yield Words(
            f"a buffer of {buffer} bits (at most {most})", f"{buffer} bit 的缓冲（最多 {most}）"
        )


def _by_x264(pix_fmt: str) -> str:
    """The profile that x264 writes where none is asked for."""
    if "422" in pix_fmt:
        return "high422"
    return "high10" if "10" in pix_fmt else "high"


def _raster_beyond(
    codec: str, limits: Limits, width: int, height: int, rate: Fraction | None
) -> Iterator[Words]:
    """H.264, A.3.1 and A.3.3; H.265, A.4.1: no side may be longer than √8 of a square picture's."""
    unit, name = (_MACROBLOCK, _MACROBLOCKS) if codec == "h264" else (1, _SAMPLES)
    across, down = -(-width // unit), -(-height // unit)
    size, longest = across * down, isqrt(8 * limits.picture)
    if size > limits.picture:
        yield Words(
            f"{width}x{height}, {size} {name} (at most {limits.picture})",
            f"{width}×{height} 的 {size} 个{name.zh}（最多 {limits.picture}）",
        )
    elif max(across, down) > longest:
        yield Words(
            f"{width}x{height} (no side beyond {longest * unit})",
            f"{width}×{height}（任一边最多 {longest * unit}）",
        )
    elif rate is not None and size * rate > limits.second:
        most = f"{float(Fraction(limits.second, size)):.4g}"
        yield Words(
            f"{width}x{height} at {float(rate):g} fps (at most {most})",
            f"{width}×{height} 下的 {float(rate):g} fps（最多 {most}）",
        )
