"""The options of each video encoder, from a plan's picture. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pipelines.colour.chroma_siting import CODED
from pipelines.encoding.large_pictures import B_FRAMES, FRAME_THREADS, is_large
from pipelines.errors import ToolMissing
from pipelines.media import MasteringDisplay
from pipelines.planning.plan import VideoPlan

# [P] Of the buffer is full at every seam: about what x264 and x265 at their cap have in one piece
# before a key frame (0.4 to 0.7, measured), so that nearly every chunk leaves it by itself.
HANDED_OVER = Fraction(1, 2)
STARTS = Fraction(9, 10)  # of the buffer: what both count on before the programme's first picture
# An encoder leaves half of the buffer that it knows of: to leave more, twice as much is hidden.
_HIDDEN, _MOST_HIDDEN = 2, Fraction(2, 5)
# An encoder gives its very first frame fewer bits than the key frames that come later, whose
# quantiser it takes from the frames before: by this factor of the quantiser's step, measured.
_LIKE_LATER = {"h264": 1.4, "hevc": 1.23}
# x264 gives a frame bits for what later ones take from it (mbtree), and before a key frame goes on
# as if they did. The last of an encode nobody follows: without this factor of its quantiser's step
# it scored 2 to 5.5 VMAF less than in one piece, with it 2.8 less at most (decision 10).
_AS_IF_FOLLOWED = 1.6
# [P] x264's own 1.0 keeps more grain than VMAF and XPSNR thank it for: this takes 4 % fewer bits at
# an equal one of either, in the same time (five clips, `benchmarks/presets.py`, decision 14).
_PSY_RD = "0.4:0"
_WIDE_LINES, _SMALL_LINES = 720, 200


@dataclass(frozen=True, slots=True)
class Seams:
    """Whether there are chunks before this one, at which frame of its own the next one begins if
    there is any, and by how much more it must leave in the buffer for that one than it did when it
    was encoded last.
    """

    before: bool
    next_at: int | None = None
    owed_bits: int = 0


ONE_CHUNK = Seams(before=False)


@dataclass(frozen=True, slots=True)
class _Chunk:
    """What the encoder must know of a chunk: the decoder's buffer (VBV), `None` where the rung has
    no cap, and what lies on both sides of it.
    """

    max_bitrate_bps: int | None
    size_bits: int | None
    full_share: float | None  # at the start; `None` leaves the encoder's own
    seams: Seams


def encoder_options(video: VideoPlan, seams: Seams = ONE_CHUNK) -> dict[str, Any]:
    """Ffmpeg's output options; the colour is not among them (see `colour.signal`)."""
    if video.codec not in _BY_CODEC:
        raise ToolMissing(f"nothing here encodes {video.codec}: choose another profile")
    options = {"c:v": video.encoder, **_BY_CODEC[video.codec](video, _chunk(video, seams))}
    return {name: value for name, value in options.items() if value is not None}


def _chunk(video: VideoPlan, seams: Seams) -> _Chunk:
    """Chunks are encoded apart and played as one, so each leaves the buffer as the next takes it.

    Encoded for a buffer that is smaller by some bits, all of them full at its start, it leaves them
    in the real one whatever it does.
    """
    cap, size = video.max_bitrate_bps, video.buffer_bits
    if cap is None or size is None:
        return _Chunk(None, None, None, seams)
    hidden = min(_HIDDEN * seams.owed_bits, int(_MOST_HIDDEN * size))
    start = (HANDED_OVER if seams.before else STARTS) * size - hidden
    full = float(start / (size - hidden)) if seams.before or hidden else None
    return _Chunk(cap, size - hidden, full, seams)


def _h264(video: VideoPlan, chunk: _Chunk) -> dict[str, Any]:
    if video.codec_profile == "avc-intra-300":
        return _avc_intra(video)
    full_bits = chunk.full_share and chunk.size_bits and chunk.full_share * chunk.size_bits
    return {
        "preset": video.preset,
        "crf": _number(video.crf),
        "maxrate": chunk.max_bitrate_bps,
        "bufsize": chunk.size_bits,
        "rc_init_occupancy": full_bits and int(full_bits),
        "profile:v": video.codec_profile,
        "level:v": video.level,
        "g": video.gop_frames,
        "keyint_min": video.gop_frames,
        "rc-lookahead": video.lookahead_frames,
        "sc_threshold": 0,  # key frames at the same moments in every rung
        "flags": "+cgop",
        "psy-rd": _PSY_RD,
        "a53cc": int(bool(video.captions)),
        "x264-params": _told(
            {
                "zones": _h264_zones(chunk.seams),
                # Else its headers hold the quantiser that a chunk begins with, and only one
                # chunk's are kept: the CRF may differ from chunk to chunk.
                "stitchable": 1 if chunk.seams != ONE_CHUNK else None,
                **_hdr10(video, _X264),
            }
        ),
        "video_track_timescale": timescale(video.frame_rate),
    }


def _h264_zones(seams: Seams) -> str | None:
    first = [f"0,0,b={_LIKE_LATER['h264']}"] if seams.before else []
    last = [f"{seams.next_at - 1},{seams.next_at - 1},b={_AS_IF_FOLLOWED}"] if seams.next_at else []
    return "/".join([*first, *last]) or None


def _avc_intra(video: VideoPlan) -> dict[str, Any]:
    """Every frame by itself and of one size, in the layout that Sony's decoders expect."""
    return {
        "preset": video.preset,
        "g": 1,
        "x264-params": "avcintra-class=300:avcintra-flavor=sony",
        "a53cc": int(bool(video.captions)),
    }


def _hevc(video: VideoPlan, chunk: _Chunk) -> dict[str, Any]:
    """x265 takes its own names for most; rates are in kb/s."""
    large = is_large(video.width, video.height)
    words = {
        "keyint": video.gop_frames,
        "min-keyint": video.gop_frames,
        "scenecut": 0,
        "open-gop": 0,
        "rc-lookahead": video.lookahead_frames,
        "frame-threads": FRAME_THREADS if large else None,
        "bframes": B_FRAMES if large else None,
        "level-idc": video.level,
        "high-tier": 0,
        "vbv-maxrate": chunk.max_bitrate_bps and chunk.max_bitrate_bps // 1000,
        "vbv-bufsize": chunk.size_bits and chunk.size_bits // 1000,
        "vbv-init": _number(chunk.full_share),
        "zones": f"0,1,b={_LIKE_LATER['hevc']}" if chunk.seams.before else None,
        "log-level": "warning",
        **_hdr10(video, _X265),
    }
    return {
        "preset": video.preset,
        "crf": _number(video.crf),
        "profile:v": video.codec_profile,
        "x265-params": _told(words),
        "a53cc": int(bool(video.captions)),
        "dolbyvision": 0,
        "tag:v": "hvc1",  # Apple's players refuse hev1
        "video_track_timescale": timescale(video.frame_rate),
    }


def _av1(video: VideoPlan, chunk: _Chunk) -> dict[str, Any]:
    """SVT-AV1 knows no fill of a buffer: its chunks begin with one of their own."""
    # Closed, and nothing between.
    words = {"scd": 0, "irefresh-type": 2, **_hdr10(video, _SVT_AV1)}
    return {
        "preset": video.preset,
        "crf": _number(video.crf),
        "maxrate": chunk.max_bitrate_bps,
        "bufsize": chunk.size_bits,
        "g": video.gop_frames,
        "svtav1-params": _told(words),
        "dolbyvision": 0,
        "video_track_timescale": timescale(video.frame_rate),
    }


def _vvc(video: VideoPlan, _: _Chunk) -> dict[str, Any]:
    words = {
        "decodingrefreshtype": "idr_no_radl",  # others show frames before the key
        **_siting(video),
        **_hdr10(video, _VVENC),
    }
    return {
        "preset": video.preset,
        "qp": _number(video.crf),
        "g": video.gop_frames,
        "vvenc-params": _told(words),
        "video_track_timescale": timescale(video.frame_rate),
    }


def _avs2(video: VideoPlan, _: _Chunk) -> dict[str, Any]:
    """Without B-frames, of which ffmpeg's wrapper does not know the times; and by a constant
    quantiser, since the library's rate control does not hold: it gave noise 200 times its rate.
    """
    return {
        "speed_level": video.preset,
        "qp": _number(video.crf),
        "bf": 0,
        "g": video.gop_frames,
        "xavs2-params": "OpenGOP=0",
        "log_level": -1,
    }


def _prores(video: VideoPlan, _: _Chunk) -> dict[str, Any]:
    return {
        "profile:v": video.codec_profile,
        "vendor": "apl0",  # players ask for it
        "video_track_timescale": timescale(video.frame_rate),
    }


def _ffv1(video: VideoPlan, _: _Chunk) -> dict[str, Any]:
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


_BY_CODEC: Mapping[str, Any] = {
    "h264": _h264,
    "hevc": _hevc,
    "av1": _av1,
    "vvc": _vvc,
    "avs2": _avs2,
    "prores": _prores,
    "ffv1": _ffv1,
}


def _siting(video: VideoPlan) -> dict[str, int]:
    """For VVenC, which looks at no frame's word and says of all HLG and PQ that it is top left."""
    if video.chroma_location is None:
        return {}
    return {"ChromaLocInfoPresent": 1, "ChromaSampleLocType": CODED.index(video.chroma_location)}


def _hdr10(video: VideoPlan, words: _Words) -> dict[str, str]:
    """The plan's static metadata for the stream, whatever comes with the frames."""
    display, light = video.mastering_display, video.content_light
    said = {}
    if display:
        said[words.display] = words.of_display(display)
    if light:
        said[words.light] = f"{light.max_cll_cd_m2},{light.max_fall_cd_m2}"
    return said


def _told(words: Mapping[str, Any]) -> str | None:
    """In the form that the encoders' own parameters have, if there are any."""
    return ":".join(f"{name}={said}" for name, said in words.items() if said is not None) or None


def mastering_words(display: MasteringDisplay) -> str:
    """ST 2086 in its units, as x264, x265 and ffmpeg read them: 0.00002, and 0.0001 cd/m²."""
    (gx, gy, bx, by, rx, ry, wx, wy), (most, least) = _in_units(display)
    return f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"


def _plain_mastering_words(display: MasteringDisplay) -> str:
    """Chromaticities and cd/m², as SVT-AV1 reads them."""
    spots, lights = _in_units(display)
    gx, gy, bx, by, rx, ry, wx, wy = (f"{spot / 50_000:.5f}" for spot in spots)
    most, least = (f"{light / 10_000:.4f}" for light in lights)
    return f"G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})"


def _listed_mastering(display: MasteringDisplay) -> str:
    """ST 2086's units in a row, as VVenC reads them."""
    spots, lights = _in_units(display)
    return ",".join(map(str, (*spots, *lights)))


def _in_units(display: MasteringDisplay) -> tuple[list[int], list[int]]:
    """Green, blue, red and white in 0.00002; most and least in 0.0001 cd/m²."""
    spots = (display.green, display.blue, display.red, display.white)
    lights = (display.max_luminance_cd_m2, display.min_luminance_cd_m2)
    return (
        [round(value * 50_000) for spot in spots for value in spot],
        [round(value * 10_000) for value in lights],
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """What an encoder calls the static metadata of its stream."""

    display: str
    light: str
    of_display: Callable[[MasteringDisplay], str]


_X264 = _Words("mastering-display", "cll", mastering_words)
_X265 = _Words("master-display", "max-cll", mastering_words)
_SVT_AV1 = _Words("mastering-display", "content-light", _plain_mastering_words)
_VVENC = _Words("MasteringDisplayColourVolume", "MaxContentLightLevel", _listed_mastering)


def timescale(rate: Fraction) -> int:
    """Ticks that hold the frame's length exactly, at least 10 000 a second."""
    times = -(-10_000 // rate.numerator)
    return rate.numerator * times


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"
