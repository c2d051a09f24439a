"""Every way in which a file can disagree with its plan, said in words. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction

import numpy as np

from pipelines.colour.static_metadata import as_coded, container_holds, held, stream_holds
from pipelines.encoding.encoders import STARTS
from pipelines.encoding.join import SERVICE
from pipelines.encoding.timecode import counted, rung_timecode
from pipelines.encoding.vbv import buffer_of, played
from pipelines.languages import in_file
from pipelines.media import Colour, Hdr10
from pipelines.planning.plan_types import AudioPlan, Plan, Rung, VideoPlan
from pipelines.profiles.codecs import STREAM_TYPES
from pipelines.sound.sound_codecs import codec_name
from pipelines.verification.decoded import Decoded, DecodedPicture, DecodedSound, Packets
from pipelines.verification.readback import PictureReading, Reading, SoundReading
from pipelines.verification.siting import siting_faults

_START_TOLERANCE_S = Fraction(5, 1000)
_ROUNDING_S = Fraction(2, 1000)
_LONGEST_BLOCK = 1536  # samples: AC-3's
_RATE_SLACK = 1.1  # encoders keep VBV on average, not to the bit
_BUFFER_SLACK = Fraction(1, 10)  # [P] of the buffer: x264 in one piece lacked a twentieth
_BT709 = Colour("bt709", "bt709", "bt709", "tv")
_SURROUND = ("5.1", "5.1(side)")  # AAC and AC-3 each know one, for the same loudspeakers
_PLAIN = ("mono", "stereo")
_LEVEL_STEPS = {"hevc": 30, "h264": 10}  # general_level_idc and level_idc of one level
# Where ffprobe's name of a codec profile is not the one that encoders are asked for.
_PROFILE_NAMES = {
    "avc-intra-300": "High 4:2:2 Intra",
    "high422": "High 4:2:2",
    "high10": "High 10",
    "baseline": "Constrained Baseline",  # the part of it that every decoder has, as x264 writes it
    "main422-10": "Rext",  # H.265's name of all its range extensions; the pixels say which
}
# Of these no tool here reads a profile: VVC's by ffprobe, AVS2's by anything.
_UNREAD_PROFILES = frozenset({"vvc", "avs2"})
_SAMPLE_ENTRIES = {
    "h264": ("avc1",),
    "hevc": ("hvc1",),
    "av1": ("av01",),
    "vvc": ("vvc1",),
    "prores": ("apco", "apcs", "apcn", "apch"),
}
_KNOWS_FORCED, _ENABLES = ("mp4", "mkv"), ("mp4", "mov")
_CLOCK_GAP_S = 0.0405  # rounding included; ETSI TR 101 154, 4.1.5.3
_CLOCK_JITTER_S = 500e-9  # ISO/IEC 13818-1, 2.4.2.2
_MUX_RATE_SLACK = 1e-5


def signalling_faults(rung: Rung, reading: Reading, plan: Plan) -> list[str]:
    """Disagreements in what the file says: codec, raster, colour, levels, tracks, timecode."""
    faults = [f"there is a {kind} track, none is planned" for kind in reading.others]
    timecode = rung_timecode(plan, rung)
    if counted(reading.timecode) != counted(timecode):
        faults.append(f"timecode is {reading.timecode}, {timecode} planned")
    if rung.video is not None and reading.picture is None:
        faults.append("there is no picture track")
    if rung.video is None and reading.picture is not None:
        faults.append("there is a picture track, none is planned")
    if rung.video is not None and reading.picture is not None:
        faults += _picture_faults(rung, rung.video, reading.picture)
    faults += _transport_faults(rung, reading)
    if len(reading.sounds) != len(rung.audio):
        faults.append(f"{len(reading.sounds)} audio tracks, {len(rung.audio)} planned")
    faults += _subtitle_faults(rung, reading)
    for position, (planned, found) in enumerate(zip(rung.audio, reading.sounds, strict=False)):
        faults += [
            f"audio track {position}: {fault}"
            for fault in _sound_faults(rung, planned, found, plan.late_s(planned))
        ]
    return faults


def _subtitle_faults(rung: Rung, reading: Reading) -> Iterator[str]:
    """By number, order, codec and language, and forced ones where there is a mark for them; of all
    others nobody sees any without asking.
    """
    if len(reading.subtitles) != len(rung.subtitles):
        yield f"{len(reading.subtitles)} subtitle tracks, {len(rung.subtitles)} planned"
        return
    for position, (planned, found) in enumerate(
        zip(rung.subtitles, reading.subtitles, strict=True)
    ):
        wanted = {
            "codec": (planned.codec, found.codec),
            "language": (in_file(planned.language, rung.container), found.language or "und"),
            "forced": (planned.forced and rung.container in _KNOWS_FORCED, found.forced),
            "shown unasked": (planned.forced and rung.container in _ENABLES, found.shown),
        }
        for name, (plan, file) in wanted.items():
            if plan != file:
                yield f"subtitle track {position}: {name} is {file}, {plan} planned"


def decoding_faults(rung: Rung, plan: Plan, decoded: Decoded) -> list[str]:
    """Disagreements in what really decodes: frames, their times, key frames, bits, lengths."""
    faults: list[str] = []
    if rung.video is not None and decoded.picture is not None:
        faults += _timing_faults(rung, rung.video, decoded.picture)
        faults += _packet_faults(rung.video, decoded.picture)
        faults += _seam_faults(rung.video, plan, decoded.picture.packets)
    for position, (planned, sound) in enumerate(zip(rung.audio, decoded.sounds, strict=False)):
        off_s = sound.duration_s - float(plan.duration_s)
        lost_lu = _first_block_lu(rung, planned, sound)
        faults += [
            f"audio track {position}: {one}" for one in _loudness_faults(planned, sound, lost_lu)
        ]
        if planned.lossless or planned.copied:  # as long as the source's: its proof counts all
            continue
        if abs(off_s) > Fraction(_LONGEST_BLOCK, planned.sample_rate_hz) + _START_TOLERANCE_S:
            faults.append(
                f"audio track {position}: lasts {sound.duration_s:.3f} s,"
                f" {float(plan.duration_s):.3f} s planned"
            )
    return faults


def _first_block_lu(rung: Rung, planned: AudioPlan, found: DecodedSound) -> float:
    """What a short sound in a transport stream may be quieter, where its beginning is as loud as
    the rest: AAC's first block decodes there without the one before it (decision 12), and the
    first of the blocks that BS.1770 takes the mean of (0.4 s, each 0.1 s) lacks that.
    """
    if rung.container != "ts" or planned.codec != "aac":
        return 0.0
    blocks = max(2.0, (found.duration_s - 0.4) / 0.1 + 1)
    return 10 * math.log10(blocks / (blocks - 1))


def _loudness_faults(planned: AudioPlan, found: DecodedSound, lost_lu: float) -> Iterator[str]:
    """Where the target is not sought, the limit of true peaks is promised all the same.

    What nobody had measured before may turn out to be silent: that it is so in the source, too, is
    seen where the two are compared.
    """
    goal = planned.loudness
    if goal is None or planned.copied:
        return
    lkfs, peak, least = found.loudness_lkfs, found.true_peak_dbtp, goal.least_lkfs
    most = goal.target_lkfs + goal.tolerance_lu
    bound = (goal.target_lkfs if least is None else least) - goal.tolerance_lu - lost_lu
    unmeasured_silence = goal.gain_db is None and lkfs is None
    if least is not None and not unmeasured_silence and (lkfs is None or not bound <= lkfs <= most):
        said = "not to be measured" if lkfs is None else f"{lkfs:.2f} LKFS"
        wanted = f"{goal.target_lkfs:g} ± {goal.tolerance_lu:g}"
        allowed = f" or, for its peaks, down to {least:.1f}" if least < goal.target_lkfs else ""
        yield f"loudness is {said}, {wanted} planned{allowed}"
    if peak is not None and peak > goal.max_true_peak_dbtp:
        yield f"true peak is {peak:.2f} dBTP, at most {goal.max_true_peak_dbtp:g} planned"


def off_target(planned: AudioPlan, lkfs: float | None) -> bool:
    """Whether a track that was measured when it was encoded is not as loud as its profile wants it,
    as its peaks, or how quiet it is, may not allow.
    """
    goal = planned.loudness
    if goal is None or planned.copied or goal.gain_db is not None or lkfs is None:
        return False
    return abs(lkfs - goal.target_lkfs) > goal.tolerance_lu


def _transport_faults(rung: Rung, reading: Reading) -> Iterator[str]:
    """A receiver finds streams by their types, and runs dry or over where times do not hold."""
    if rung.container != "ts":
        return
    found = reading.transport
    if found is None:
        yield "it is no transport stream"
        return
    codecs = [
        *([rung.video.codec] if rung.video else []),
        *(track.codec for track in rung.audio),
        *(track.codec for track in rung.subtitles),
    ]
    types = [STREAM_TYPES[codec] for codec in codecs]
    if list(found.stream_types) != types:
        yield f"stream types are {_hex(found.stream_types)}, {_hex(types)} planned"
    name = rung.service_name or SERVICE
    if found.service_name != name:
        yield f"the service is called {found.service_name}, {name} planned"
    if found.clock_gap_s > _CLOCK_GAP_S:
        yield f"{found.clock_gap_s * 1000:.0f} ms lie between two clock stamps, at most 40 may"
    if found.late_s > 0:
        yield f"data arrives {found.late_s * 1000:.0f} ms after it has to be decoded"
    if rung.mux_rate_bps is not None:
        if abs(found.rate_bps / rung.mux_rate_bps - 1) > _MUX_RATE_SLACK:
            yield f"it runs at {found.rate_bps:.0f} bit/s, {rung.mux_rate_bps} planned"
        if found.clock_jitter_s > _CLOCK_JITTER_S:
            yield f"its rate is not constant: {found.clock_jitter_s * 1e6:.1f} µs off its clock"


def _hex(types: Iterable[int]) -> str:
    return ", ".join(f"0x{one:02X}" for one in types)


def _picture_faults(rung: Rung, planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    wanted = {
        "codec": (planned.codec, found.codec),
        "width": (planned.width, found.width),
        "height": (planned.height, found.height),
        "pix_fmt": (planned.pix_fmt, found.pix_fmt),
        "sample aspect ratio": (planned.sample_aspect_ratio, _shape(planned, found)),
        "field order": (planned.field_order, found.field_order),
        "dynamic metadata": (planned.dynamic_metadata, found.dynamic_metadata),
    }
    for name, (plan, file) in wanted.items():
        if plan != file:
            yield f"{name} is {file}, {plan} planned"
    yield from siting_faults(planned, found)
    if found.rate_that_means(planned.frame_rate) is None:
        rates = " or ".join(map(str, found.frame_rates)) or "unknown"
        yield f"frame rate is {rates}, {planned.frame_rate} planned"
    if abs(found.start_s) > _START_TOLERANCE_S:
        yield f"the picture starts at {float(found.start_s):.3f} s"
    length_s = planned.frames / planned.frame_rate
    if found.duration_s is not None and abs(found.duration_s - length_s) > _ROUNDING_S:
        yield f"the picture lasts {float(found.duration_s):.3f} s, {float(length_s):.3f} s planned"
    yield from _caption_faults(planned, found)
    yield from _colour_faults(rung, planned, found)
    yield from _level_faults(planned, found)
    yield from dict.fromkeys(_hdr10_faults(rung, planned, found))


def _shape(planned: VideoPlan, found: PictureReading) -> Fraction | None:
    """What the container of AVS2 leaves out its own headers say, and ffprobe does not read them. Of
    a master that says nothing plans said 1 before.
    """
    unsaid = planned.codec == "avs2" or (planned.lossless and planned.sample_aspect_ratio == 1)
    return found.sample_aspect_ratio or (planned.sample_aspect_ratio if unsaid else None)


def _caption_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """A copy may have more kinds than its first seconds show, and so may what was made of them."""
    if set(planned.captions) - set(found.captions) or bool(planned.captions) != bool(
        found.captions
    ):
        file, plan = (", ".join(kinds) or "none" for kinds in (found.captions, planned.captions))
        yield f"captions in the pictures are {file}, {plan} planned"


def _colour_faults(rung: Rung, planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """Stream and container each have to say it: players disagree about whom to believe.

    A transport stream says nothing itself, nor does AVS2 as libxavs2 writes it: together they may
    be nothing but BT.709, which receivers take it for.
    """
    said: dict[str, Colour | None] = {"": found.colour, " in the stream": found.colour_in_stream}
    if rung.container == "ts" and planned.codec == "avs2":
        if planned.colour != _BT709 or found.colour != Colour():
            yield f"colour is {found.colour}, none planned for BT.709 in AVS2"
        return
    if found.container_entry is not None:
        said[" in the container"] = found.container_entry.colour or Colour()
    in_mov = rung.container == "mov"
    for where, colour in said.items():
        if colour is None:
            continue
        for name in ("primaries", "transfer", "matrix", "range"):
            plan, file = getattr(planned.colour, name), getattr(colour, name)
            unsaid = name == "range" and (plan is None or (in_mov and where == " in the container"))
            if plan != file and not unsaid:
                yield f"colour {name}{where} is {file}, {plan} planned"


def _level_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    name = planned.codec_profile or ""
    profile = _plain(_PROFILE_NAMES.get(name, name))
    if planned.codec in _UNREAD_PROFILES:
        profile = ""
    names = {profile}
    if planned.codec == "h264" and planned.gop_frames == 1:
        names.add(f"{profile}intra")  # as x264 says it of key frames alone
    if profile and _plain(found.codec_profile) not in names:
        yield f"codec profile is {found.codec_profile}, {planned.codec_profile} planned"
    steps = _LEVEL_STEPS.get(planned.codec)
    if planned.level and steps and found.level > Fraction(planned.level) * steps:
        yield f"level is {found.level / steps:g}, at most {planned.level} planned"
    entry = found.container_entry
    if entry is not None and entry.kind not in _SAMPLE_ENTRIES.get(planned.codec, ()):
        yield f"sample entry is {entry.kind}, which Apple's players refuse"


def _hdr10_faults(rung: Rung, planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """What ffprobe makes of both together is not enough: each side has to say what it can."""
    words = Hdr10(planned.mastering_display, planned.content_light)
    in_stream = held(words, stream_holds(planned.codec, planned.codec_profile))
    in_container = held(words, container_holds(rung.container))
    if planned.copied and found.hdr10_in_stream == Hdr10():
        in_stream = Hdr10()  # where the source's container alone said it
    entry = found.container_entry
    said = (
        ("", words, found.hdr10),
        (" in the stream", as_coded(in_stream, planned.codec), found.hdr10_in_stream),
        (" in the container", in_container, found.hdr10_in_container),
        (" in the container", in_container, entry.hdr10 if entry else None),
    )
    for where, plan, file in said:
        if file is None:
            continue
        if plan.mastering_display != file.mastering_display:
            display = f"{file.mastering_display}, {plan.mastering_display} planned"
            yield f"mastering display{where} is {display}"
        if plan.content_light != file.content_light:
            yield f"content light{where} is {file.content_light}, {plan.content_light} planned"


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _sound_faults(
    rung: Rung, planned: AudioPlan, found: SoundReading, late_s: Fraction
) -> Iterator[str]:
    wanted = {
        "codec": (codec_name(planned), found.codec),
        "channels": (planned.channels, found.channels),
        "sample rate": (planned.sample_rate_hz, found.sample_rate_hz),
    }
    for name, (plan, file) in wanted.items():
        if plan != file:
            yield f"{name} is {file}, {plan} planned"
    if planned.bit_depth and found.bit_depth != planned.bit_depth:
        yield f"samples have {found.bit_depth} bits, {planned.bit_depth} planned"
    # MP4 holds no other codes than these.
    if rung.container != "mxf" and re.fullmatch("[a-z]{3}", planned.language or "und"):
        wanted_language = in_file(planned.language, rung.container)
        language = found.language or "und"
        if wanted_language != language:
            yield f"language is {language}, {wanted_language} planned"
    yield from _layout_faults(rung, planned, found)
    block_s = Fraction(_LONGEST_BLOCK, planned.sample_rate_hz)
    # What precedes sample 0: nothing cuts it away in a stream, nor before a copy that begins late.
    early_s = block_s if rung.container == "ts" or planned.copied else Fraction(0)
    if not -early_s - _START_TOLERANCE_S <= found.start_s - late_s <= _START_TOLERANCE_S:
        yield f"starts at {float(found.start_s):.3f} s"


def _layout_faults(rung: Rung, planned: AudioPlan, found: SoundReading) -> Iterator[str]:
    if rung.container == "mxf":
        return  # it knows channels, whose number is compared, and no loudspeakers
    if planned.codec == "pcm" and found.layout is None:
        return  # nor does Matroska say one
    if planned.layout in _PLAIN and found.layout != planned.layout:
        yield f"layout is {found.layout}, {planned.layout} planned"
    if planned.layout in _SURROUND and found.layout not in _SURROUND:
        yield f"layout is {found.layout}, {planned.layout} planned"


def _timing_faults(rung: Rung, planned: VideoPlan, found: DecodedPicture) -> Iterator[str]:
    if len(found.ticks) != planned.frames:
        yield f"{len(found.ticks)} frames decode, {planned.frames} planned"
    grid = np.arange(len(found.ticks)) * float(1 / planned.frame_rate / found.tick_s)
    # Rounding to the container's clock, which in a transport stream has rounded the first one too.
    rounding = 1.0001 if rung.container == "ts" else 0.5001
    off = np.flatnonzero(np.abs(found.ticks - grid) > rounding)
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
            return
    yield from _buffer_faults(planned, packets)


def _seam_faults(planned: VideoPlan, plan: Plan, packets: Packets) -> Iterator[str]:
    """Each chunk begins with a picture that needs nothing before it: an IDR where there are such.

    Without one it is not the chunk that was encoded, or cannot be begun with.
    """
    fresh = packets.pts_s[packets.key] if packets.idr_pts_s is None else packets.idr_pts_s
    begins = set(np.rint(fresh * float(planned.frame_rate)).astype(int).tolist())
    seams = [planned.frame_at(chunk.start_frame) for chunk in plan.chunks[1:]]
    missing = [seam for seam in seams if seam not in begins and seam < planned.frames]
    if missing:
        word = "a key frame" if packets.idr_pts_s is None else "an IDR picture"
        count = f"{len(missing)} of {len(seams)} seams"
        yield f"frame {missing[0]} begins a chunk and is not {word} ({count})"


def _buffer_faults(planned: VideoPlan, packets: Packets) -> Iterator[str]:
    """Whether a decoder that is fed at the cap has every picture in time, across seams too."""
    buffer = buffer_of(planned)
    if buffer is None:
        return
    seen = played(packets.size_bytes.tolist(), buffer, STARTS)
    if seen.lowest_bits < -_BUFFER_SLACK * buffer.size_bits:
        yield (
            f"the decoder's buffer of {buffer.size_bits / 1e6:.2f} Mb lacks"
            f" {float(-seen.lowest_bits) / 1e6:.2f} Mb at"
            f" {float(seen.lowest_at / planned.frame_rate):.2f} s, fed at"
            f" {buffer.rate_bps / 1e6:.2f} Mb/s"
        )
