"""What a profile may say, beyond the types of its fields: every fault of one at once. Pure.

All rules read the TOML tables as they are, so that one wrong field does not hide another. What has
the wrong type is left to whoever checks the types.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any

from pipelines.profiles.codecs import (
    CONTAINERS,
    COPIED_SOUND,
    ENCODERS,
    MXF_RATE_HZ,
    PACKAGED_CONTAINER,
    PACKAGED_VIDEO,
    PROFILE_PIX_FMTS,
    SOUNDS,
    UNCOMPRESSED,
    Encoder,
)
from pipelines.profiles.levels import Load, beyond

Table = Mapping[str, Any]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
# Without exponents, whose values may fill the memory.
_RATIONAL = re.compile(r"\d{1,9}(/[1-9]\d{0,8})?")
_RATIONALS = ("max_frame_rate", "min_frame_rate", "gop_s")
_LONGEST_TEXT, _LONGEST_SERVICE = 500, 60
_MUX_OVERHEAD = Fraction(105, 100)  # [P] heads of packets and PES, tables, clock
# Of sound alone, measured: 94 and 124 kb/s stamp the clock every 48 ms, 154 and more as they must.
_MUX_TABLES_BPS, _LEAST_SOUND_MUX_BPS = 60_000, 150_000
_SIDES, _RATES = (16, 8192), (Fraction(1), Fraction(120))
_BITRATES_BPS = (50_000, 4_000_000_000)
_BUFFER_S = (Fraction(1, 10), Fraction(10))
_GOP_S = (Fraction(1, 100), Fraction(10))
_PACKAGED_GOP_S = Fraction(1, 4)  # [P] all rungs of a package have the shortest of theirs
_ONE_FRAME = Fraction(6, 5)  # rounded; of the highest rate, of which a plan takes a fifth more
_LOOKAHEAD_FRAMES = (6, 60)  # more than the B-frames of any preset but the slowest
_TARGETS = {"vmaf": (20, 100), "xpsnr": (20, 60)}
_CROP_SIDES, _CROPPED = ("top", "bottom", "left", "right"), (0, 4096)
_UNTOUCHED = ("ffv1", "copy")
_STEREO, _SURROUND = 2, 6
_LOUDNESS = {
    "target_lkfs": (-40, -5),
    "tolerance_lu": (0.1, 10),
    "max_true_peak_dbtp": (-20, 0),
}
_FIELDS_FPS = 50  # of 1080i25, the fewest of an interlaced format
_UHD_FPS, _HD_FPS = 50, Fraction(24000, 1001)
# Nominal-format rule for UHD labels (STANDARDS.md): the raster that each word promises.
_LABELS = {"4k": (3840, 2160), "8k": (7680, 4320)}


def profile_faults(table: Table, *, shipped: bool = False) -> Iterator[str]:
    """Each as `field is VALUE: what may stand there`.

    One that is `shipped` with Kapok may ask for a cap as its standard does, where the encoder keeps
    none: `capabilities.lacking` then says that nobody here can make it.
    """
    yield from _head_faults(table)
    container = table.get("container")
    holds = CONTAINERS.get(container) if isinstance(container, str) else None
    video = table.get("video")
    if isinstance(video, Mapping):
        yield from _video_faults(video)
        codecs = {encoder.codec for encoder in ENCODERS.values()}
        if holds and (codec := video.get("codec")) in codecs and codec not in holds.video:
            yield _not_one_of("video.codec", codec, holds.video, f"in {container}")
    if container == "mxf":
        yield from _mxf_faults(video)
    for position, sound in enumerate(_tables(table.get("audio"))):
        yield from _sound_faults(f"audio[{position}]", sound)
        if holds and (codec := sound.get("codec")) in SOUNDS and codec not in holds.audio:
            yield _not_one_of(f"audio[{position}].codec", codec, holds.audio, f"in {container}")
        if container == "mxf" and sound.get("sample_rate_hz") not in (None, MXF_RATE_HZ):
            may = f"{MXF_RATE_HZ} in mxf"
            yield _is(f"audio[{position}].sample_rate_hz", sound["sample_rate_hz"], may)
    yield from _copied_sound_faults(table)
    yield from _transport_faults(table)
    if not shipped and isinstance(video, Mapping):
        yield from _unkept_caps(table, video)
    if table.get("packaged") is True:
        yield from _package_faults(container, video)
    yield from _label_faults(table, video if isinstance(video, Mapping) else {})


def without_odd_rationals(video: object) -> object:
    """The table without what stands for a rational and is none, of which `profile_faults` tells."""
    if not isinstance(video, Mapping):
        return video
    return {key: value for key, value in video.items() if not _is_odd_rational(key, value)}


def _is_odd_rational(field: str, value: object) -> bool:
    return field in _RATIONALS and _number(value) is None


def _head_faults(table: Table) -> Iterator[str]:
    name, version = table.get("name"), table.get("version")
    if isinstance(name, str) and not _NAME.fullmatch(name):
        yield _is("name", name, "small letters, digits and hyphens, at most 64")
    if (number := _number(version)) is not None and number < 1:
        yield _is("version", version, "a whole number from 1 on")
    if not table.get("video") and not table.get("audio"):
        yield "video or audio must be there"
    silent = [
        sound
        for sound in _tables(table.get("audio"))
        if not sound.get("channels") and sound.get("codec") != "copy"
    ]
    if not table.get("video") and silent:
        yield "audio.channels must be there where there is no picture"
    basis = _tables(table.get("basis"))
    if not basis:
        yield "basis must cite at least one source"
    texts = {"title_en": table.get("title_en"), "title_zh": table.get("title_zh")}
    for position, entry in enumerate(basis):
        texts |= {f"basis[{position}].{key}": entry.get(key) for key in ("what", "source")}
    for field, text in texts.items():
        if isinstance(text, str) and not _is_text(text):
            yield _is(field, text, f"one line of at most {_LONGEST_TEXT} characters")


def _is_text(text: str) -> bool:
    return bool(text.strip()) and len(text) <= _LONGEST_TEXT and text.isprintable()


def _transport_faults(table: Table) -> Iterator[str]:
    yield from _within(table, "mux_rate_bps", *_BITRATES_BPS)
    name = table.get("service_name")
    if isinstance(name, str) and not (_is_text(name) and len(name.encode()) <= _LONGEST_SERVICE):
        yield _is("service_name", name, f"one line of at most {_LONGEST_SERVICE} bytes")
    for field in ("mux_rate_bps", "service_name"):
        if table.get(field) is not None and table.get("container") != "ts":
            yield f"{field} is {table[field]!r}: only a ts container has one"
    video, rate = table.get("video"), _number(table.get("mux_rate_bps"))
    sounds = [_number(one.get("bitrate_bps")) or 0 for one in _tables(table.get("audio"))]
    if table.get("container") == "ts" and not video and rate is None:
        yield "video or mux_rate_bps must be there in ts: sound alone stamps its clock too rarely"
    if rate is None:
        return
    if not isinstance(video, Mapping):
        least = max(int(sum(sounds) * _MUX_OVERHEAD) + _MUX_TABLES_BPS, _LEAST_SOUND_MUX_BPS)
        if rate < least:
            yield _is("mux_rate_bps", table["mux_rate_bps"], f"at least {least} for sound alone")
        return
    cap = _number(video.get("max_bitrate_bps"))
    if cap is None and _keeps_caps(video):
        yield "video.max_bitrate_bps must be there for a constant mux_rate_bps"
    elif cap is not None and rate < (least := int((cap + sum(sounds)) * _MUX_OVERHEAD)):
        yield _is("mux_rate_bps", table["mux_rate_bps"], f"at least {least} for what it carries")


def _mxf_faults(video: object) -> Iterator[str]:
    """Of long GOPs ffmpeg's muxer loses the order in which pictures are shown."""
    if not isinstance(video, Mapping):
        yield "video must be there in mxf"
        return
    name = video.get("encoder")
    if not isinstance(name, str) or name not in ENCODERS:
        return
    most_s = _ONE_FRAME / (_number(video.get("max_frame_rate")) or _RATES[1])
    gop_s = _number(video.get("gop_s")) or 1
    if video.get("codec_profile") not in ENCODERS[name].constant and gop_s > most_s:
        may = f"at most {most_s} in mxf: key frames alone"
        yield _is("video.gop_s", video.get("gop_s", 1), may)


def _package_faults(container: object, video: object) -> Iterator[str]:
    """What cannot be segments of HLS and DASH would be found after its whole encode."""
    if isinstance(container, str) and container in CONTAINERS and container != PACKAGED_CONTAINER:
        yield _is("container", container, f"{PACKAGED_CONTAINER}, or packaged must be false")
    if not video:
        yield "video must be there, or packaged must be false"
    if not isinstance(video, Mapping):
        return
    codecs = {encoder.codec for encoder in ENCODERS.values()}
    if (codec := video.get("codec")) in codecs and codec not in PACKAGED_VIDEO:
        may = f"{', '.join(PACKAGED_VIDEO)}, or packaged must be false"
        yield _is("video.codec", codec, may)
    if video.get("encoder") == "copy":
        may = "packaged must be false, since the key frames of a copy are its source's"
        yield _is("video.encoder", "copy", may)
    if (gop_s := _number(video.get("gop_s"))) is not None and gop_s < _PACKAGED_GOP_S:
        yield _is("video.gop_s", video["gop_s"], f"at least {_PACKAGED_GOP_S} where packaged")


def _video_faults(video: Table) -> Iterator[str]:
    name = video.get("encoder")
    encoder = ENCODERS.get(name) if isinstance(name, str) else None
    if isinstance(name, str) and encoder is None:
        yield _not_one_of("video.encoder", name, tuple(ENCODERS), "")
    if encoder is not None:
        yield from _encoder_faults(video, str(name), encoder)
    yield from _picture_faults(video)
    yield from _within(video, "video.width", *_SIDES)
    yield from _within(video, "video.height", *_SIDES)
    for field in ("width", "height"):
        if (side := _number(video.get(field))) is not None and side % 2:
            yield _is(f"video.{field}", video[field], "an even number")
    for field in _RATIONALS:
        if field in video and _is_odd_rational(field, video[field]):
            yield _is(f"video.{field}", video[field], 'a whole number or two, as "30000/1001"')
    yield from _within(video, "video.max_frame_rate", *_RATES)
    yield from _within(video, "video.min_frame_rate", *_RATES)
    most, least = (_number(video.get(f"{which}_frame_rate")) for which in ("max", "min"))
    if most is not None and least is not None and most < least:
        yield _is("video.max_frame_rate", video["max_frame_rate"], f"at least {least}")
    yield from _field_faults(video, most)
    yield from _upconvert_faults(video)
    yield from _crop_faults(video)
    yield from _within(video, "video.gop_s", *_GOP_S)
    yield from _lookahead_faults(video)
    yield from _cap_faults(video)
    yield from _copy_faults(video)
    yield from _target_faults(video)


def _lookahead_faults(video: Table) -> Iterator[str]:
    if video.get("lookahead_frames") is None:
        return
    yield from _within(video, "video.lookahead_frames", *_LOOKAHEAD_FRAMES)
    if (name := video.get("encoder")) not in ("libx264", "libx265"):
        yield f"video.lookahead_frames is {video['lookahead_frames']}: {name} has none to be chosen"


def _field_faults(video: Table, most: Fraction | None) -> Iterator[str]:
    if video.get("fields") != "each":
        return
    if video.get("fit") == "source":
        yield _is(
            "video.fields", "each", "pairs, since the fields stay where video.fit is 'source'"
        )
    elif most is not None and most < _FIELDS_FPS:
        may = f"pairs where video.max_frame_rate is below {_FIELDS_FPS}, the fields of a second"
        yield _is("video.fields", "each", may)


def _upconvert_faults(video: Table) -> Iterator[str]:
    if video.get("upconvert") is not True:
        return
    if video.get("fit") != "exact":
        yield _is("video.upconvert", value=True, may="for an exact raster: video.fit 'exact'")
    if video.get("burnt_in_timecode") is True:
        yield _is("video.burnt_in_timecode", value=True, may="false beside video.upconvert")


def _crop_faults(video: Table) -> Iterator[str]:
    """Never in preservation, nor in a copy."""
    crop = video.get("crop")
    if crop is None:
        return
    if video.get("fit") == "source":
        yield _is("video.crop", crop, "nothing may be taken away where video.fit is 'source'")
    if not isinstance(crop, Mapping):
        if crop != "bars":
            yield _is("video.crop", crop, "'bars', or what to take from each side: { top = 2 }")
        return
    for side in _CROP_SIDES:
        yield from _within(crop, f"video.crop.{side}", *_CROPPED)
        if (count := _number(crop.get(side))) is not None and count % 2:
            yield _is(f"video.crop.{side}", crop[side], "an even number")
    if not any(_number(crop.get(side)) for side in _CROP_SIDES):
        yield "video.crop must name what is taken away: top, bottom, left or right"


def _picture_faults(video: Table) -> Iterator[str]:
    """What a picture that is made anew must say of itself."""
    if video.get("fit") == "source":
        return
    if not (video.get("width") and video.get("height")):
        yield "video.width and video.height must be there unless video.fit is 'source'"
    pix_fmt, dynamic_range = video.get("pix_fmt"), video.get("dynamic_range")
    if not (pix_fmt and dynamic_range):
        yield "video.pix_fmt and video.dynamic_range must be there unless video.fit is 'source'"
    if video.get("from_sdr") == "map" and dynamic_range not in ("hlg", "pq"):
        yield _is("video.dynamic_range", dynamic_range, "hlg or pq where video.from_sdr is 'map'")
    if pix_fmt and dynamic_range in ("hlg", "pq") and "10" not in str(pix_fmt):
        yield _is("video.pix_fmt", pix_fmt, f"10 bits, which {dynamic_range} needs")


def _copy_faults(video: Table) -> Iterator[str]:
    """Dynamic metadata belongs to the source's own bits."""
    copied, kept = video.get("encoder") == "copy", video.get("dynamic_metadata")
    if copied != (kept is not None):
        yield "video.encoder 'copy' and video.dynamic_metadata go together"
    if copied and video.get("fit") != "source":
        yield _is("video.fit", video.get("fit"), "source, since nothing is scaled in a copy")


def _target_faults(video: Table) -> Iterator[str]:
    goal = video.get("target")
    if not isinstance(goal, Mapping):
        return
    if video.get("crf") is None:
        yield "video.target needs video.crf, for where nothing can be predicted"
    wanted = "vmaf" if video.get("dynamic_range") == "sdr" else "xpsnr"
    if (metric := goal.get("metric")) in _TARGETS and metric != wanted:
        yield _is("video.target.metric", metric, "vmaf for sdr, xpsnr for hlg and pq")
    for field in ("value", "floor_p5"):
        yield from _within(goal, f"video.target.{field}", *_TARGETS.get(str(metric), (0, 100)))


def _unkept_caps(table: Table, video: Table) -> Iterator[str]:
    """What would be found after the whole encode, or never."""
    if _keeps_caps(video):
        return
    name = video["encoder"]
    if (cap := video.get("max_bitrate_bps")) is not None:
        yield _is("video.max_bitrate_bps", cap, f"none for {name}, which keeps no cap")
    if (rate := table.get("mux_rate_bps")) is not None:
        yield _is("mux_rate_bps", rate, f"none for {name}, which keeps no cap under it")


def _keeps_caps(video: Table) -> bool:
    """What is no encoder is told elsewhere."""
    name = video.get("encoder")
    return not isinstance(name, str) or name not in ENCODERS or ENCODERS[name].caps


def _cap_faults(video: Table) -> Iterator[str]:
    cap, buffer = video.get("max_bitrate_bps"), video.get("buffer_bits")
    if (cap is None) != (buffer is None):
        yield "video.max_bitrate_bps and video.buffer_bits go together"
    yield from _within(video, "video.max_bitrate_bps", *_BITRATES_BPS)
    if (rate := _number(cap)) is not None:
        least, most = (int(rate * seconds) for seconds in _BUFFER_S)
        yield from _within(video, "video.buffer_bits", least, most)


def _encoder_faults(video: Table, name: str, encoder: Encoder) -> Iterator[str]:
    lists = {
        "codec": (encoder.codec,),
        "pix_fmt": encoder.pix_fmts,
        "preset": encoder.presets,
        "codec_profile": encoder.codec_profiles,
        "level": encoder.levels,
    }
    for field, allowed in lists.items():
        value = video.get(field)
        if isinstance(value, str) and value not in allowed:
            yield _not_one_of(f"video.{field}", value, allowed, f"for {name}")
    kept = PROFILE_PIX_FMTS.get((encoder.codec, str(video.get("codec_profile"))))
    if kept and (pix_fmt := video.get("pix_fmt")) in encoder.pix_fmts and pix_fmt not in kept:
        yield _not_one_of("video.pix_fmt", pix_fmt, kept, f"in {video['codec_profile']}")
    if video.get("fit") == "source" and name not in _UNTOUCHED:
        yield _is("video.fit", "source", f"only {' and '.join(_UNTOUCHED)} keep it as it is")
    yield from _level_faults(video, encoder.codec)
    constant = video.get("codec_profile") in encoder.constant
    if encoder.crf and not constant:
        yield from _within(video, "video.crf", *encoder.crf)
        if encoder.crf_step == 1 and (crf := _number(video.get("crf"))) is not None and crf % 1:
            yield _is("video.crf", video["crf"], f"a whole number for {name}")
    for field in ("crf", *(("max_bitrate_bps",) if encoder.caps else ())):
        if video.get(field) is not None and (constant or not (encoder.crf or field != "crf")):
            yield f"video.{field} is {video[field]}: {name} has none to be chosen here"


def _level_faults(video: Table, codec: str) -> Iterator[str]:
    """What a level does not allow of what the profile fixes; the rest is the plan's."""
    level, codec_profile = video.get("level"), video.get("codec_profile")
    if not isinstance(level, str):
        return
    exact = video.get("fit") == "exact"
    fields = ("width", "height", "min_frame_rate", "max_bitrate_bps", "buffer_bits")
    width, height, rate, cap, buffer = (_number(video.get(field)) for field in fields)
    load = Load(
        width=int(width) if width and exact else None,
        height=int(height) if height and exact else None,
        frame_rate=rate,
        bitrate_bps=cap,
        buffer_bits=buffer,
        pix_fmt=pix_fmt if isinstance(pix_fmt := video.get("pix_fmt"), str) else None,
    )
    named = codec_profile if isinstance(codec_profile, str) else None
    for fault in beyond(codec, level, named, load):
        yield _is("video.level", level, f"one that allows {fault}")


def _sound_faults(where: str, sound: Table) -> Iterator[str]:
    codec = sound.get("codec")
    known = SOUNDS.get(codec) if isinstance(codec, str) else None
    if known is None:
        return
    lists: dict[str, tuple[int, ...]] = {
        "channels": known.channels,
        "sample_rate_hz": known.rates_hz,
        "bit_depth": known.bit_depths,
    }
    for field, allowed in lists.items():
        value = sound.get(field)
        if (number := _number(value)) is not None and number not in allowed:
            yield _not_one_of(f"{where}.{field}", value, allowed, f"for {codec}")
    if known.bitrates_bps is None:
        if sound.get("bitrate_bps") is not None:
            yield f"{where}.bitrate_bps is {sound['bitrate_bps']}: {codec} has none to be chosen"
    elif not sound.get("bitrate_bps"):
        yield f"{where}.bitrate_bps must be there for a lossy codec"
    else:
        yield from _within(sound, f"{where}.bitrate_bps", *known.bitrates_bps)
    if codec not in UNCOMPRESSED and not sound.get("channels"):
        yield f"{where}.channels must be there for {codec}"
    yield from _track_faults(where, sound)
    yield from _loudness_faults(where, sound)


def _copied_sound_faults(table: Table) -> Iterator[str]:
    """Nothing about a copy is chosen; and what can be copied is, before anything is encoded."""
    container, sounds = table.get("container"), _tables(table.get("audio"))
    for position, sound in enumerate(sounds):
        where = f"audio[{position}]"
        if sound.get("codec") != "copy":
            continue
        if isinstance(container, str) and container not in COPIED_SOUND:
            may = f"only {' and '.join(COPIED_SOUND)} take sound as it is"
            yield _is(f"{where}.codec", "copy", may)
        if position:
            yield _is(f"{where}.codec", "copy", "it must be the first, and there may be one")
        for field in ("channels", "sample_rate_hz", "bitrate_bps", "bit_depth", "tracks"):
            if sound.get(field) is not None:
                yield f"{where}.{field} is {sound[field]!r}: a copy has what its source has"
        yield from _loudness_bounds(where, sound)
    if not table.get("video") and any(sound.get("codec") == "copy" for sound in sounds):
        yield "video must be there beside sound that is copied"


def _track_faults(where: str, sound: Table) -> Iterator[str]:
    tracks, channels = sound.get("tracks"), sound.get("channels")
    if not isinstance(tracks, list) or not all(isinstance(one, int) for one in tracks):
        return
    counts = {1, channels, *((_SURROUND,) if channels == _STEREO else ())}
    if len(tracks) not in counts or len({*tracks}) < len(tracks) or min(tracks) < 0:
        may = "one track, or as many different ones as channels, or six for stereo, from 0"
        yield _is(f"{where}.tracks", tracks, may)


def _loudness_faults(where: str, sound: Table) -> Iterator[str]:
    goal = sound.get("loudness")
    if not isinstance(goal, Mapping):
        return
    if not sound.get("channels"):
        yield f"{where}.loudness is not for tracks that stay as they are: {where}.channels is empty"
    yield from _loudness_bounds(where, sound)


def _loudness_bounds(where: str, sound: Table) -> Iterator[str]:
    goal = sound.get("loudness")
    if isinstance(goal, Mapping):
        for field, bounds in _LOUDNESS.items():
            yield from _within(goal, f"{where}.loudness.{field}", *bounds)


def _label_faults(table: Table, video: Table) -> Iterator[str]:
    """No file carries a label that it falls short of."""
    titles = (table.get("name"), table.get("title_en"), table.get("title_zh"))
    words = _in_plain_letters(" ".join(text for text in titles if isinstance(text, str)))
    size = (video.get("width"), video.get("height"))
    rate = _number(video.get("min_frame_rate")) or 0
    for label, raster in _LABELS.items():
        wide = video.get("dynamic_range") in ("hlg", "pq") or video.get("dynamic_metadata")
        hdr = wide and "10" in str(video.get("pix_fmt"))
        made = video.get("fit") != "inside" and video.get("upconvert") is not True
        number = label.removesuffix("k")
        if re.search(rf"(?<!\d)(?:{label}(?!hz|b)|{number} k(?![a-z]))", words) and not (
            size == raster and rate >= _UHD_FPS and hdr and made
        ):
            yield (
                f"name or title says {label.upper()}, which stands for exactly "
                f"{raster[0]}x{raster[1]}, not upconverted, video.min_frame_rate of at least "
                f"{_UHD_FPS}, 10 bits and hlg or pq"
            )
    if re.search(r"(?<![a-z0-9])hd(?![a-z0-9])", words) and (
        size != (1920, 1080) or rate < _HD_FPS or video.get("fit") == "inside"
    ):
        yield "name or title says HD, which stands for exactly 1920x1080 and at least 24000/1001"


def _in_plain_letters(text: str) -> str:
    """Small ones, in the width of ASCII, and 四K and 八K by their digits."""
    plain = unicodedata.normalize("NFKC", text).lower()
    return re.sub("[四八](?=k)", lambda found: {"四": "4", "八": "8"}[found[0]], plain)


def _within(table: Table, field: str, least: Any, most: Any) -> Iterator[str]:
    value = table.get(field.rpartition(".")[2])
    number = _number(value)
    infinite = isinstance(value, float) and number is None
    if infinite or (number is not None and not least <= number <= most):
        yield _is(field, value, f"{least} to {most}")


def _number(value: object) -> Fraction | None:
    """Also of `"30000/1001"`; `None` for what is no number, which the types refuse."""
    if isinstance(value, str):
        return Fraction(value) if _RATIONAL.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return Fraction(value) if math.isfinite(value) else None


def _tables(value: object) -> Sequence[Table]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _not_one_of(field: str, value: object, allowed: Sequence[object], where: str) -> str:
    may = ", ".join(map(str, allowed)) or "nothing"
    return _is(field, value, f"{may} may stand there{f' {where}' if where else ''}")


def _is(field: str, value: object, may: str) -> str:
    shown = repr(value) if len(repr(value)) <= 80 else f"{repr(value)[:77]}..."
    return f"{field} is {shown}: {may}"
