"""What may stand in a profile for each encoder and container: closed lists, never arguments."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType

from pipelines.profiles.levels import LEVELS
from pipelines.rates import least_multiple

_X26X = (
    *("ultrafast", "superfast", "veryfast", "faster", "fast"),
    *("medium", "slow", "slower", "veryslow"),
)
# How a transport stream of Kapok calls what it holds: ISO/IEC 13818-1 table 2-34, 0xD2 and 0xD4 of
# AVS2 and AVS3, and 0x81 and 0x87 of ATSC A/53 for AC-3 and E-AC-3.
STREAM_TYPES: Mapping[str, int] = MappingProxyType(
    {
        "h264": 0x1B,
        "hevc": 0x24,
        "avs2": 0xD2,
        "avs3": 0xD4,
        "aac": 0x0F,
        "ac3": 0x81,
        "eac3": 0x87,
        "mp2": 0x03,
        "dvb_subtitle": 0x06,  # private data, told apart by a descriptor (ETSI EN 300 743)
    }
)
_420, _422 = ("yuv420p", "yuv420p10le"), ("yuv422p", "yuv422p10le")
# What x264 and x265 write under the name of a codec profile; of other pictures they say another
# one, or refuse them.
PROFILE_PIX_FMTS: Mapping[tuple[str, str], tuple[str, ...]] = MappingProxyType(
    {
        ("h264", "baseline"): ("yuv420p",),
        ("h264", "main"): ("yuv420p",),
        ("h264", "high"): ("yuv420p",),
        ("h264", "high10"): ("yuv420p10le",),
        ("h264", "high422"): _422,
        ("h264", "avc-intra-300"): ("yuv422p10le",),
        ("hevc", "main"): ("yuv420p",),
        ("hevc", "main10"): ("yuv420p10le",),
        ("hevc", "main422-10"): ("yuv422p10le",),
    }
)


@dataclass(frozen=True, slots=True)
class Encoder:
    """What one encoder of ffmpeg can be asked for; an empty tuple: nothing of the kind.

    `pix_fmts` are those of the codec, so that a profile may ask for what a given build of the
    encoder turns out not to do (see `capabilities`). `crf_step` is the least difference between two
    of its qualities. `constant` are the codec profiles whose every frame is as large as the
    standard says: with them no quality, cap or preset is chosen. `caps` says whether it keeps one
    as Kapok drives it. Pictures with a side of less than
    `least_side` end the encoder or are refused by it. From key frame to key frame there
    are `least_gop` frames or more, and whole mini-GOPs of `mini_gop`.
    """

    codec: str
    pix_fmts: tuple[str, ...]
    presets: tuple[str, ...] = ()
    codec_profiles: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    crf: tuple[float, float] | None = None
    crf_step: float = 1.0
    constant: tuple[str, ...] = ()
    caps: bool = True
    least_side: int = 16
    least_gop: int = 1
    mini_gop: int = 1

    def gop_frames(self, wanted: Fraction, step: Fraction = Fraction(1)) -> int:
        """As near to what is wanted as the encoder can, in whole steps of `step` frames."""
        unit = least_multiple((step, Fraction(self.mini_gop)))
        return int(unit * max(1, math.ceil(self.least_gop / unit), round(wanted / unit)))


_AVS_LEVELS = (
    *("4.0.00", "6.0.00", "6.0.20", "6.2.60"),
    *("8.0.30", "8.2.30", "8.0.60", "8.2.60", "10.0.30", "10.0.60", "10.2.60"),
)
_PRORES = ("proxy", "lt", "standard", "hq")

ENCODERS: Mapping[str, Encoder] = MappingProxyType(
    {
        "libx264": Encoder(
            codec="h264",
            pix_fmts=(*_420, *_422),
            presets=_X26X,
            codec_profiles=("baseline", "main", "high", "high10", "high422", "avc-intra-300"),
            levels=tuple(LEVELS["h264"]),
            crf=(0, 51),
            crf_step=0.1,
            constant=("avc-intra-300",),
        ),
        "libx265": Encoder(
            codec="hevc",
            pix_fmts=(*_420, "yuv422p10le"),
            presets=_X26X,
            codec_profiles=("main", "main10", "main422-10"),
            levels=tuple(LEVELS["hevc"]),
            crf=(0, 51),
            crf_step=0.1,
            least_side=64,  # measured: widths of 34 to 48 overwrite its memory, of 56 no more
            least_gop=2,  # of key frames alone x265 writes a profile of its own, for intra
        ),
        "libsvtav1": Encoder(
            codec="av1",
            pix_fmts=_420,
            presets=tuple(str(number) for number in range(14)),
            codec_profiles=("main",),
            crf=(1, 63),
        ),
        "libvvenc": Encoder(
            codec="vvc",
            pix_fmts=("yuv420p10le",),
            presets=("faster", "fast", "medium", "slow", "slower"),
            crf=(0, 63),
            caps=False,
            least_side=32,  # measured: 20x20 is refused, 22x22 is not
        ),
        "libxavs2": Encoder(
            codec="avs2",
            pix_fmts=_420,
            presets=("0", "1", "2", "3"),  # what the slower ones write ends libdavs2 (decision 11)
            levels=_AVS_LEVELS,
            crf=(1, 63),
            caps=False,  # its rate control gave noise 200 times its rate (decision 11)
            least_side=72,  # measured: 64 ends it, 66 does not
            mini_gop=4,  # a key frame within one may end libdavs2 (decision 11)
        ),
        "libuavs3e": Encoder(
            codec="avs3", pix_fmts=_420, presets=("0", "1", "2", "3"), levels=_AVS_LEVELS
        ),
        "prores_ks": Encoder(
            codec="prores",
            pix_fmts=("yuv422p10le",),
            codec_profiles=_PRORES,
            constant=_PRORES,
            caps=False,
        ),
        "ffv1": Encoder(codec="ffv1", pix_fmts=(), caps=False),
        "copy": Encoder(codec="hevc", pix_fmts=("yuv420p10le",)),
    }
)


@dataclass(frozen=True, slots=True)
class Holds:
    """The codecs that a container holds in Kapok's files."""

    video: tuple[str, ...]
    audio: tuple[str, ...]


CONTAINERS: Mapping[str, Holds] = MappingProxyType(
    {
        "mp4": Holds(("hevc", "h264", "av1", "vvc"), ("aac", "ac3", "eac3", "opus", "flac")),
        "mkv": Holds(
            ("ffv1", "hevc", "h264", "av1", "avs2", "avs3"),
            ("flac", "aac", "ac3", "eac3", "opus", "pcm"),
        ),
        "m4a": Holds((), ("aac",)),
        "ts": Holds(("hevc", "h264", "avs2", "avs3"), ("aac", "ac3", "eac3")),
        "mxf": Holds(("h264",), ("pcm",)),
        "mov": Holds(("prores", "h264", "hevc"), ("pcm", "aac")),
    }
)


# What Shaka Packager makes segments of, tried with its build in the wheel: no VVC in MP4, and
# nothing of MKV, MOV and MXF.
PACKAGED_CONTAINER, PACKAGED_VIDEO = "mp4", ("hevc", "h264", "av1")

# What of a source's sound these hold packet by packet. MP4 says layer III of MPEG layer II.
COPIED_SOUND: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mp4": ("aac", "ac3", "eac3", "opus", "flac"),
        "ts": ("aac", "ac3", "eac3", "mp2"),
    }
)


@dataclass(frozen=True, slots=True)
class Sound:
    """`bitrates_bps` is `None` for a codec that loses nothing."""

    channels: tuple[int, ...]
    rates_hz: tuple[int, ...]
    bitrates_bps: tuple[int, int] | None = None
    bit_depths: tuple[int, ...] = ()


# Where a codec does not take every rate: ISO/IEC 14496-3 table 1.18 (AAC), ETSI TS 102 366 (AC-3),
# RFC 6716 (Opus). And what ffmpeg writes into MXF, of PCM.
SAMPLE_RATES_HZ: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "aac": (
            *(96000, 88200, 64000, 48000, 44100, 32000, 24000),
            *(22050, 16000, 12000, 11025, 8000, 7350),
        ),
        "ac3": (48000, 44100, 32000),
        "eac3": (48000, 44100, 32000),
        "opus": (48000,),
    }
)
MXF_RATE_HZ = 48000
_RATES = (32000, 44100, 48000, 96000)
SOUNDS: Mapping[str, Sound] = MappingProxyType(
    {
        "aac": Sound((1, 2, 6), _RATES, (32_000, 576_000)),
        "ac3": Sound((1, 2, 6), SAMPLE_RATES_HZ["ac3"], (32_000, 640_000)),
        "eac3": Sound((1, 2, 6), SAMPLE_RATES_HZ["eac3"], (32_000, 3_024_000)),
        "opus": Sound((1, 2, 6), SAMPLE_RATES_HZ["opus"], (6_000, 1_536_000)),
        "flac": Sound((1, 2, 6), _RATES, bit_depths=(16, 24)),
        "pcm": Sound((1, 2, 6), _RATES, bit_depths=(16, 24)),
    }
)
# Sound that decodes to the samples that were put in.
UNCOMPRESSED = frozenset(name for name, sound in SOUNDS.items() if sound.bitrates_bps is None)
