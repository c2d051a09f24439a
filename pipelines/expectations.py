"""Every way in which a file can disagree with its plan, said in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from pipelines.decoded import Decoded, DecodedPicture
from pipelines.media import Colour
from pipelines.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.readback import PictureReading, Reading, SoundReading
from pipelines.timecode import rung_timecode

_START_TOLERANCE_S = Fraction(5, 1000)
_ROUNDING_S = Fraction(2, 1000)
_AUDIO_FRAME_S = Fraction(1536, 48000)  # AC-3, the longest block of the codecs here
_RATE_SLACK = 1.1  # encoders keep VBV on average, not to the bit
_SURROUND = ("5.1", "5.1(side)")  # AAC and AC-3 each know one, for the same loudspeakers
_PLAIN = ("mono", "stereo")
_LEVEL_STEPS = {"hevc": 30, "h264": 10}  # general_level_idc and level_idc of one level


def signalling_faults(rung: Rung, reading: Reading, plan: Plan) -> list[str]:
    """Disagreements in what the file says: codec, raster, colour, levels, tracks, timecode."""
    faults = [f"there is a {kind} track, none is planned" for kind in reading.others]
    timecode = rung_timecode(plan, rung.video) if rung.video else None
    if reading.timecode != timecode:
        faults.append(f"timecode is {reading.timecode}, {timecode} planned")
    if rung.video is not None and reading.picture is None:
        faults.append("there is no picture track")
    if rung.video is None and reading.picture is not None:
        faults.append("there is a picture track, none is planned")
    if rung.video is not None and reading.picture is not None:
        faults += _picture_faults(rung.video, reading.picture)
    if len(reading.sounds) != len(rung.audio):
        faults.append(f"{len(reading.sounds)} audio tracks, {len(rung.audio)} planned")
    for position, (planned, found) in enumerate(zip(rung.audio, reading.sounds, strict=False)):
        faults += [f"audio track {position}: {fault}" for fault in _sound_faults(planned, found)]
    return faults


def decoding_faults(rung: Rung, plan: Plan, decoded: Decoded) -> list[str]:
    """Disagreements in what really decodes: frames, their times, key frames, bits, lengths."""
    faults: list[str] = []
    if rung.video is not None and decoded.picture is not None:
        faults += _timing_faults(rung.video, decoded.picture)
        faults += _packet_faults(rung.video, decoded.picture)
    for position, (planned, sound) in enumerate(zip(rung.audio, decoded.sounds, strict=False)):
        off_s = sound.duration_s - float(plan.duration_s)
        if planned.lossless:  # as long as the source's: its proof counts every sample
            continue
        if abs(off_s) > _AUDIO_FRAME_S + _START_TOLERANCE_S:
            faults.append(
                f"audio track {position}: lasts {sound.duration_s:.3f} s,"
                f" {float(plan.duration_s):.3f} s planned"
            )
    return faults


def _picture_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    wanted = {
        "codec": (planned.codec, found.codec),
        "width": (planned.width, found.width),
        "height": (planned.height, found.height),
        "pix_fmt": (planned.pix_fmt, found.pix_fmt),
        "sample aspect ratio": (planned.sample_aspect_ratio, found.sample_aspect_ratio),
        "field order": (planned.field_order, found.field_order),
        "mastering display": (planned.mastering_display, found.mastering_display),
        "content light": (planned.content_light, found.content_light),
    }
    for name, (plan, file) in wanted.items():
        if plan != file:
            yield f"{name} is {file}, {plan} planned"
    if found.rate_that_means(planned.frame_rate) is None:
        rates = " or ".join(map(str, found.frame_rates)) or "unknown"
        yield f"frame rate is {rates}, {planned.frame_rate} planned"
    if abs(found.start_s) > _START_TOLERANCE_S:
        yield f"the picture starts at {float(found.start_s):.3f} s"
    length_s = planned.frames / planned.frame_rate
    if found.duration_s is not None and abs(found.duration_s - length_s) > _ROUNDING_S:
        yield f"the picture lasts {float(found.duration_s):.3f} s, {float(length_s):.3f} s planned"
    yield from _colour_faults(planned, found)
    yield from _level_faults(planned, found)
    yield from _hdr10_faults(planned, found)


def _colour_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """Stream and container each have to say it: players disagree about whom to believe."""
    said: dict[str, Colour | None] = {"": found.colour, " in the stream": found.colour_in_stream}
    if found.container_entry is not None:
        said[" in the container"] = found.container_entry.colour or Colour()
    for where, colour in said.items():
        if colour is None:
            continue
        for name in ("primaries", "transfer", "matrix", "range"):
            plan, file = getattr(planned.colour, name), getattr(colour, name)
            if plan != file and not (name == "range" and plan is None):
                yield f"colour {name}{where} is {file}, {plan} planned"


def _level_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    profile = _plain(planned.codec_profile or "")
    if profile and _plain(found.codec_profile) != profile:
        yield f"codec profile is {found.codec_profile}, {planned.codec_profile} planned"
    steps = _LEVEL_STEPS.get(planned.codec)
    if planned.level and steps and found.level > Fraction(planned.level) * steps:
        yield f"level is {found.level / steps:g}, at most {planned.level} planned"
    entry = found.container_entry
    if entry is not None and entry.kind not in ("hvc1", "avc1"):
        yield f"sample entry is {entry.kind}, which Apple's players refuse"


def _hdr10_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """What ffprobe reads of either is not enough: each side has to say the same."""
    entry = found.container_entry
    in_container = entry.hdr10 if entry else None
    for where, words in (("stream", found.hdr10_in_stream), ("container", in_container)):
        if words is None:
            continue
        if planned.mastering_display != words.mastering_display:
            display = f"{words.mastering_display}, {planned.mastering_display} planned"
            yield f"mastering display in the {where} is {display}"
        if planned.content_light != words.content_light:
            light = f"{words.content_light}, {planned.content_light} planned"
            yield f"content light in the {where} is {light}"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _sound_faults(planned: AudioPlan, found: SoundReading) -> Iterator[str]:
    wanted = {
        "codec": (planned.codec, found.codec),
        "channels": (planned.channels, found.channels),
        "sample rate": (planned.sample_rate_hz, found.sample_rate_hz),
    }
    for name, (plan, file) in wanted.items():
        if plan != file:
            yield f"{name} is {file}, {plan} planned"
    if planned.bit_depth and found.bit_depth != planned.bit_depth:
        yield f"samples have {found.bit_depth} bits, {planned.bit_depth} planned"
    # MP4 holds no other codes than these.
    if re.fullmatch("[a-z]{3}", planned.language or "und"):
        wanted_language, language = planned.language or "und", found.language or "und"
        if wanted_language != language:
            yield f"language is {language}, {wanted_language} planned"
    if planned.layout in _PLAIN and found.layout != planned.layout:
        yield f"layout is {found.layout}, {planned.layout} planned"
    if planned.layout in _SURROUND and found.layout not in _SURROUND:
        yield f"layout is {found.layout}, {planned.layout} planned"
    if abs(found.start_s) > _START_TOLERANCE_S:
        yield f"starts at {float(found.start_s):.3f} s"


def _timing_faults(planned: VideoPlan, found: DecodedPicture) -> Iterator[str]:
    if len(found.ticks) != planned.frames:
        yield f"{len(found.ticks)} frames decode, {planned.frames} planned"
    grid = np.arange(len(found.ticks)) * float(1 / planned.frame_rate / found.tick_s)
    off = np.flatnonzero(np.abs(found.ticks - grid) > 0.5001)  # rounding to the container's clock
    if len(off):
        first = int(off[0])
        tick_s = float(found.tick_s)
        yield (
            f"frame {first} is at {found.ticks[first] * tick_s:.4f} s, planned"
            f" {grid[first] * tick_s:.4f} s ({len(off)} frames are off the even grid)"
        )


def _packet_faults(planned: VideoPlan, found: DecodedPicture) -> Iterator[str]:
    packets = found.packets
    if not len(packets.pts_s):
        return
    keys = np.sort(np.rint(packets.pts_s[packets.key] * float(planned.frame_rate)))
    gaps = np.diff(np.append(keys, planned.frames))
    if not len(keys) or keys[0] != 0:
        yield "the first frame is not a key frame"
    elif gaps.max() > planned.gop_frames:
        yield f"key frames lie {gaps.max():.0f} frames apart, at most {planned.gop_frames} planned"
    if planned.max_bitrate_bps:
        bits = float(packets.size_bytes.sum()) * 8
        seconds = float(planned.frames / planned.frame_rate)
        allowed = planned.max_bitrate_bps * seconds + (planned.buffer_bits or 0)
        if bits > allowed * _RATE_SLACK:
            yield f"{bits / seconds / 1e6:.2f} Mb/s, capped at {planned.max_bitrate_bps / 1e6:.2f}"
