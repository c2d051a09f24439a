"""The sandboxed half of `probe` and `captions`: opens one file with PyAV and prints what it finds
as JSON.

Run as a script by an isolated Python, so it imports nothing of Kapok. Numbers come out raw (H.273
codes, fractions as text); `pipelines.sources.probe` gives them their names.
"""

from __future__ import annotations

import ctypes
import json
import re
import struct
import sys
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import av
from av.container import InputContainer
from av.sidedata.sidedata import Type
from av.stream import Disposition

_MAX_PACKETS = 3000  # enough to reach a picture in a stream that starts inside a long GOP
_MAX_PACKET_BYTES = 256 << 20
_LAST_ENTRIES = 64  # of a sample index: the end of the file, whatever the interleaving
_NOT_PICTURES = Disposition.attached_pic | Disposition.timed_thumbnails
# PyAV raises at a kind of side data that it has no name for, as an image's EXIF is: here it may be
# any that nobody asks for.
Type._missing_ = classmethod(lambda _, __: Type.SEI_UNREGISTERED)  # type: ignore[method-assign, assignment]
_HANDLER_CHARACTERS = 40
_DPX_TRANSFER = 801  # byte of the header, SMPTE ST 268
# ATSC A/53 part 4, 6.2.3: user data of type 3, which SEI (ITU-T T.35) or MPEG-2 user data carry.
CAPTION_MARKS = {
    "h264": b"\xb5\x00\x31GA94\x03",
    "hevc": b"\xb5\x00\x31GA94\x03",
    "mpeg2video": b"\x00\x00\x01\xb2GA94\x03",
}
_CC_DATA, _CC_VALID, _CC_EMPTY = 0x40, 0x04, bytes([0x80, 0x80])
_UNTIMED = 300  # [P] pictures at a stream's start, whose first ones may be cut off
_UNTIMED_WHY = "not every picture has a time stamp"
_MOST_CAPTIONED = 1_000_000  # [P] pictures with letters: a day and night has no more
_CAPTION_PACKETS, _CAPTION_BYTES = 250, 64 << 20  # [P] some seconds
_PLACES = 16  # [P] of a programme, besides its beginning: a leader has no captions
_PLACE_PACKETS, _PLACE_BYTES = 100, 16 << 20
_SEQUENCE, _MOST_SHAPES = b"\0\0\1\xb3", 100
_GROUP, _CODED_PICTURE = b"\0\0\1\xb8", b"\0\0\1\0"
_HAS_GROUPS = ("mpeg1video", "mpeg2video")
_RATIONALS = 10  # AVMasteringDisplayMetadata: primaries 3×2, white 2, minimum, maximum


def main(path: str, formats: str, max_pixels: str) -> None:
    """Print one JSON object: the finding, or `error` with the log that came with it.

    Pictures larger than `max_pixels` are told of and not decoded.
    """
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as log:
        try:
            with _opened(path, formats) as container:
                found = _read(container, int(max_pixels))
        except av.error.FFmpegError as error:
            found = {"error": error.strerror}
    found["log"] = [message for _, _, message in log][-50:]
    json.dump(found, sys.stdout)


def _opened(path: str, formats: str, **options: str) -> InputContainer:
    guards = {"format_whitelist": formats, "protocol_whitelist": "file"}
    return av.open(path, options={**guards, **options}, metadata_errors="replace")


def packets_of(container: InputContainer, streams: Any) -> Iterator[Any]:
    """Where a stream appeared in the middle of the file PyAV has an error behind the last one."""
    try:
        yield from container.demux(streams)
    except IndexError:
        return


def print_captions(path: str, formats: str, track: str) -> None:
    """Print what every picture says in CEA-608, in the order in which pictures are shown, or what a
    track of it says.

    An object of `tick` (seconds) and `pictures`: a time in ticks, and field, first and second byte
    of each pair as hexadecimal digits. Nothing is decoded. `why` says why there are none. Those of
    a track are `unedited`: ffmpeg leaves out a sample in whose middle an edit begins.
    """
    av.logging.set_level(av.logging.ERROR)
    with _opened(path, formats) as container:
        unedited = container.streams[int(track)].type == "subtitle"
    with _opened(path, formats, **({"ignore_editlist": "1"} if unedited else {})) as container:
        stream = container.streams[int(track)]
        found: dict[str, Any] = {"tick": _text(Fraction(stream.time_base or 1)), "pictures": []}
        found["unedited"] = unedited
        try:
            told = _track_pairs if unedited else _pairs
            pairs = sorted(told(container, stream), key=lambda one: one[0])
            found["pictures"] = [(at, said.hex()) for at, said in pairs]
        except _UnreadCaptionsError as why:
            found["why"] = str(why)
    json.dump(found, sys.stdout)


def print_kinds(path: str, formats: str, track: str) -> None:
    """Print which captions there are at some places of a stream, farther on than `main` looks."""
    av.logging.set_level(av.logging.ERROR)
    with _opened(path, formats) as container:
        found = _farther(container, container.streams[int(track)])
    json.dump(sorted(found), sys.stdout)


def _farther(container: InputContainer, stream: Any) -> set[str]:
    """None of a stream in which nobody can go to a place."""
    length, start = container.duration or 0, container.start_time or 0
    for place in range(1, _PLACES + 1):
        try:
            container.seek(start + length * place // (_PLACES + 1))
        except av.error.FFmpegError:
            return set()
        told = captions_in(container, [stream], packets=_PLACE_PACKETS, most_bytes=_PLACE_BYTES)
        if told[stream.index]:
            return told[stream.index]
    return set()


def print_stream(path: str, formats: str, track: str, *kinds: str) -> None:
    """Print what a picture track says that its container does not: the colour in its own headers,
    the metadata of its first picture, and the captions of its first seconds; of one that has to
    have some `kinds`, those up to where all of them have been found.
    """
    av.logging.set_level(av.logging.ERROR)
    with _opened(path, formats) as container:
        stream = container.streams[int(track)]
        found = _said_alone(container, stream)
    with _opened(path, formats) as container:
        stream = container.streams[int(track)]
        captions = captions_up_to(container, stream, set(kinds))
    json.dump({**found, "captions": sorted(captions)}, sys.stdout)


def _said_alone(container: InputContainer, stream: Any) -> dict[str, Any]:
    """By a decoder that is given the parameter sets and not the container."""
    decoder: Any = av.CodecContext.create(stream.codec_context.codec.name, "r")
    decoder.extradata, decoder.thread_count = stream.codec_context.extradata, 1
    frames = (one for packet in container.demux(stream) for one in decoder.decode(packet))
    first = next(frames, None)
    held = side_data(first) if first is not None else {}
    return {"colour": _colour_codes(decoder), **held}


def print_shapes(path: str, formats: str, track: str) -> None:
    """Print the aspects that a stream of MPEG-2 says one after the other (ISO/IEC 13818-2, table
    6-3), each with its time in seconds from the first picture, where that is known.

    ffmpeg decodes all pictures as of the first one's. Nothing is decoded here.
    """
    av.logging.set_level(av.logging.ERROR)
    told: list[tuple[str | None, int]] = []
    first: int | None = None
    with _opened(path, formats) as container:
        stream = container.streams[int(track)]
        for packet in packets_of(container, stream):
            first = packet.pts if first is None else first
            head = bytes(packet).partition(_SEQUENCE)[2][:4] if packet.size else b""
            if len(head) == 4 and (not told or told[-1][1] != head[3] >> 4):
                at = None
                if packet.pts is not None and first is not None:
                    at = _text((packet.pts - first) * Fraction(stream.time_base or 1))
                told.append((at, head[3] >> 4))
            if len(told) > _MOST_SHAPES:
                break
    json.dump(told, sys.stdout)


def print_later(path: str, formats: str, places: str) -> None:
    """Print the streams that a transport stream has from these places in bytes on, and not at its
    beginning: kind, codec, PID and the first such place of each. The kind of a picture that stands
    beside one of the beginning is `beside`.

    A picture counts if something of it is there: tables name what is never sent.
    """
    av.logging.set_level(av.logging.ERROR)
    with _opened(path, formats) as container:
        known = {stream.id for stream in container.streams}
        pictures = {stream.id for stream in container.streams.video}
    told: list[tuple[str, str | None, int, int]] = []
    for place in map(int, places.split(",")):
        with Path(path).open("rb") as file:
            file.seek(place)
            there = _streams_from(_Pipe(file))
            goes_on = not pictures.isdisjoint(pid for kind, _, pid in there if kind == "video")
            for kind, name, pid in there:
                if pid not in known:
                    known.add(pid)
                    beside = kind == "video" and goes_on
                    told.append(("beside" if beside else kind, name, pid, place))
    json.dump(told, sys.stdout)


class _Pipe:
    """A file in which nobody can go to a place: ffmpeg would look for the end of the whole."""

    def __init__(self, file: BinaryIO) -> None:
        self.read = file.read


def _streams_from(pipe: _Pipe) -> list[tuple[str, str | None, int]]:
    try:
        with av.open(pipe, "r", format="mpegts") as container:
            streams, sent, size = list(container.streams), set(), 0
            for count, packet in enumerate(packets_of(container, streams)):
                sent.add(packet.stream.index)
                size += packet.size
                if count > _PLACE_PACKETS or size > _PLACE_BYTES:
                    break
            there = [one for one in streams if one.index in sent or one.type != "video"]
            return [(one.type, _codec(one), one.id) for one in there]
    except av.error.FFmpegError:
        return []


def _codec(stream: Any) -> str | None:
    """`None` where PyAV has no decoder."""
    context = stream.codec_context
    return str(context.codec.canonical_name) if context is not None else None


class _UnreadCaptionsError(Exception):
    """Says why captions have no times."""


def _pairs(container: InputContainer, stream: Any) -> Iterator[tuple[int, bytes]]:
    """In coding order. One picture without a time is the second field of the one before it; those
    before any time are not there.
    """
    mark = CAPTION_MARKS[stream.codec_context.codec.canonical_name]
    at, untimed, told = None, 0, 0
    for packet in packets_of(container, stream):
        if not packet.size:
            continue
        at, untimed = (at, untimed + 1) if packet.pts is None else (packet.pts, 0)
        triplets = _triplets(bytes(packet), mark)
        said = [one for one in triplets if one[0] & 3 < 2 and one[1:] != _CC_EMPTY]
        if said and at is not None:
            told += 1
            yield at, b"".join(bytes([one[0] & 1]) + one[1:] for one in said)
        if untimed > (_UNTIMED if at is None else 1) or told > _MOST_CAPTIONED:
            raise _UnreadCaptionsError(_UNTIMED_WHY if untimed else "there are too many")
    if at is None:
        raise _UnreadCaptionsError(_UNTIMED_WHY)


def _track_pairs(container: InputContainer, stream: Any) -> Iterator[tuple[int, bytes]]:
    """Of QuickTime's samples: as triplets, one for each field of a picture, or those of several
    pictures one after the other.
    """
    picture_s = Fraction(1001, 30000)
    for packet in packets_of(container, stream):
        coded, counted = bytes(packet) if packet.size else b"", [0, 0]
        for number in range(0, len(coded) - 2, 3):
            field, pair = coded[number] & 1, coded[number + 1 : number + 3]
            later = round(counted[field] * picture_s / Fraction(stream.time_base))
            counted[field] += 1
            if pair != _CC_EMPTY and packet.pts is not None:
                yield packet.pts + later, bytes([field]) + pair


def _read(container: InputContainer, max_pixels: int) -> dict[str, Any]:
    pictures = [s for s in container.streams.video if not s.disposition & _NOT_PICTURES]
    decodable = [s for s in pictures if 0 < _pixels(s) <= max_pixels]
    frames = _first_frames(container, decodable)
    captions = captions_in(container, decodable)
    ends = {stream.index: _end(container, stream) for stream in pictures}
    return {
        "format_name": container.format.name,
        "start_s": _text(Fraction(container.start_time or 0, av.time_base)),
        "duration_s": None
        if not container.duration or container.duration < 0
        else _text(Fraction(container.duration, av.time_base)),
        "streams": len(container.streams),
        "last_byte": _last_byte(container),
        **_start_timecode(container, decodable[:1], frames),
        "video": [
            {
                **_picture(s, frames.get(s.index), captions.get(s.index, set())),
                "end_s": ends[s.index],
            }
            for s in pictures
        ],
        "audio": [_sound(s) for s in container.streams.audio],
        "subtitles": [_subtitle(s) for s in container.streams.subtitles if s.codec_context],
        "unknown_subtitles": [
            _marks(s) for s in container.streams.subtitles if not s.codec_context
        ],
        "ancillary": [s.index for s in container.streams if _is_ancillary(s)],
        "left_out": _left_out(container, pictures),
        "chapters": len(container.chapters()),
    }


def _pixels(stream: Any) -> int:
    """What the container or the stream's header claims; 0 where PyAV has no decoder."""
    context = stream.codec_context
    return 0 if context is None else int(context.width * context.height)


class _First(NamedTuple):
    """A stream's first picture that decodes; of a DPX, what its header calls its light; and of
    MPEG-2 the timecode in the header of its group (25 bits), and its place in that.
    """

    frame: Any
    dpx_transfer: int
    group: tuple[int, int] | None


def _first_frames(container: InputContainer, streams: list[Any]) -> dict[int, _First]:
    """Decoded on one thread to keep memory small."""
    for stream in streams:
        stream.codec_context.thread_count = 1
    groups = {s.index: _Groups() for s in streams if _codec(s) in _HAS_GROUPS}
    found: dict[int, _First] = {}
    if not streams:
        return found
    size = 0
    for count, packet in enumerate(packets_of(container, streams)):
        size += packet.size
        if len(found) == len(streams) or count > _MAX_PACKETS or size > _MAX_PACKET_BYTES:
            break
        index = packet.stream.index
        if index in found:
            continue
        if index in groups:
            groups[index].note(packet)
        if frames := _decoded(packet):
            group = groups[index].of(frames[0]) if index in groups else None
            found[index] = _First(frames[0], _dpx_transfer(packet), group)
    return found


class _Groups:
    """Coded pictures in the order in which they come: time stamp, type, and the group and place in
    it (ISO/IEC 13818-2, 6.3.8 and 6.3.9).

    Decoders are a picture late, and say with one what the header of the next group has told them.
    """

    def __init__(self) -> None:
        self._group: int | None = None
        self._pictures: list[tuple[int | None, int, tuple[int, int] | None]] = []

    def note(self, packet: Any) -> None:
        coded = bytes(packet) if packet.size else b""
        before, _, picture = coded.partition(_CODED_PICTURE)
        header = before.rpartition(_GROUP)
        if header[1] and len(header[2]) >= 4:
            self._group = int.from_bytes(header[2][:4], "big") >> 7
        if len(picture) >= 2:
            bits = int.from_bytes(picture[:2], "big")
            place = None if self._group is None else (self._group, bits >> 6)
            self._pictures.append((packet.pts, bits >> 3 & 7, place))

    def of(self, frame: Any) -> tuple[int, int] | None:
        """By its time stamp, or else the first of its type (I, P and B are 1, 2 and 3)."""
        timed = [place for pts, _, place in self._pictures if pts is not None and pts == frame.pts]
        alike = [place for _, kind, place in self._pictures if kind == int(frame.pict_type)]
        return next(iter([*timed, *alike]), None)


def _dpx_transfer(packet: Any) -> int:
    """A code of SMPTE ST 268, some of which ffmpeg has no name for; 0 of other images."""
    head = bytes(packet)[: _DPX_TRANSFER + 1] if packet.size > _DPX_TRANSFER else b""
    return head[_DPX_TRANSFER] if head[:4] in (b"SDPX", b"XPDS") else 0


def _decoded(packet: Any) -> list[Any]:
    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []  # a damaged packet: a later one may decode


def captions_in(
    container: InputContainer,
    streams: list[Any],
    *,
    packets: int = _CAPTION_PACKETS,
    most_bytes: int = _CAPTION_BYTES,
) -> dict[int, set[str]]:
    """Kinds of captions in the next coded pictures of each stream: encoders write some in each.

    Found by their mark, which needs no decoding.
    """
    marks = {
        stream.index: mark
        for stream in streams
        if (context := stream.codec_context) is not None
        and (mark := CAPTION_MARKS.get(context.codec.canonical_name))
    }
    found: dict[int, set[str]] = {index: set() for index in marks}
    size = 0
    if not marks:
        return found
    for count, packet in enumerate(packets_of(container, [s for s in streams if s.index in marks])):
        size += packet.size
        if count > packets or size > most_bytes:
            break
        found[packet.stream.index] |= caption_kinds(bytes(packet), marks[packet.stream.index])
    return found


def captions_up_to(container: InputContainer, stream: Any, kinds: set[str]) -> set[str]:
    """The same of the first seconds, and on to where all these kinds have been found."""
    mark = CAPTION_MARKS.get(stream.codec_context.codec.canonical_name)
    found: set[str] = set()
    size = 0
    for count, packet in enumerate(packets_of(container, stream) if mark else ()):
        size += packet.size
        if kinds <= found and (count > _CAPTION_PACKETS or size > _CAPTION_BYTES):
            break
        found |= caption_kinds(bytes(packet), mark or b"")
    return found


def caption_kinds(coded: bytes, mark: bytes) -> set[str]:
    """Which captions are in one coded picture."""
    return {"cea-608" if one[0] & 3 < 2 else "cea-708" for one in _triplets(coded, mark)}


def _triplets(coded: bytes, mark: bytes) -> list[bytes]:
    """The valid parts of a picture's `cc_data` (ANSI/CTA-708-E, 4.3), which may be two fields'."""
    found: list[bytes] = []
    for part in coded.split(mark)[1:]:
        # Emulation prevention, ITU-T H.264 7.4.1.1, of at most 31 triplets and their header.
        told = part[:160].replace(b"\0\0\3", b"\0\0")
        if len(told) >= 2 and told[0] & _CC_DATA:
            found += [told[2 + 3 * n : 5 + 3 * n] for n in range(told[0] & 31)]
    return [one for one in found if len(one) == 3 and one[0] & _CC_VALID]


def _picture(stream: Any, first: _First | None, captions: set[str]) -> dict[str, Any]:
    context = stream.codec_context
    frame, dpx_transfer = (first.frame, first.dpx_transfer) if first else (None, 0)
    common = {
        "index": stream.index,
        "id": stream.id,
        "default": bool(stream.disposition & Disposition.default),
        "decoded": frame is not None,
        "pixels": _pixels(stream),
        "rates": [_text(rate) for rate in (stream.average_rate, stream.guessed_rate) if rate],
        "start_s": _start(stream),
        "container_frames": stream.frames or None,
        "sample_aspect_ratio": _aspect(stream.sample_aspect_ratio),
    }
    if context is None or frame is None:
        return common
    return {
        **common,
        "codec": context.codec.canonical_name,
        "codec_tag": context.codec_tag,
        "dpx_transfer": dpx_transfer,
        "codec_profile": stream.profile,
        "width": frame.width,
        "height": frame.height,
        "pix_fmt": frame.format.name,
        "rotation_ccw_deg": frame.rotation,
        "mirrored": _mirrored(frame),
        "field_order": int(context.field_order or 0),
        "interlaced": frame.interlaced_frame,
        "reordered": context.has_b_frames,
        "colour_of_stream": _colour_codes(context),
        "colour_of_frame": _colour_codes(frame),
        "captions": sorted(captions),
        **side_data(frame),
    }


def _mirrored(frame: Any) -> bool:
    """Whether the display matrix (ISO/IEC 14496-12, 6.2.2) turns left and right about."""
    held = {data.type: bytes(data) for data in frame.side_data}
    if Type.DISPLAYMATRIX not in held:
        return False
    a, b, _, c, d, *_ = struct.unpack("=9i", held[Type.DISPLAYMATRIX])
    return bool(a * d < b * c)


def _colour_codes(thing: Any) -> list[int]:
    """Primaries, transfer, matrix, range."""
    names = ("color_primaries", "color_trc", "colorspace", "color_range")
    return [int(getattr(thing, name) or 0) for name in names]


def side_data(frame: Any) -> dict[str, Any]:
    """The HDR metadata that comes with a decoded picture."""
    held = {data.type: bytes(data) for data in frame.side_data}
    return {
        "mastering_display": _mastering(held.get(Type.MASTERING_DISPLAY_METADATA)),
        "content_light": _light(held.get(Type.CONTENT_LIGHT_LEVEL)),
        "dolby_vision": Type.DOVI_RPU_BUFFER in held or Type.DOVI_METADATA in held,
        "hdr10_plus": Type.DYNAMIC_HDR_PLUS in held,
        "hdr_vivid": Type.DYNAMIC_HDR_VIVID in held,
    }


def _mastering(raw: bytes | None) -> list[str] | None:
    """Ten fractions as FFmpeg's AVMasteringDisplayMetadata holds them, if both halves are set."""
    if raw is None:
        return None
    numbers = struct.unpack_from(f"={2 * _RATIONALS}i2i", raw)
    *pairs, has_primaries, has_luminance = numbers
    if not (has_primaries and has_luminance) or 0 in pairs[1::2]:
        return None
    return [f"{over}/{under}" for over, under in zip(pairs[::2], pairs[1::2], strict=True)]


def _light(raw: bytes | None) -> list[int] | None:
    return None if raw is None else list(struct.unpack_from("=2I", raw))


def _sound(stream: Any) -> dict[str, Any]:
    context = stream.codec_context
    common = {"index": stream.index, "id": stream.id, "decoded": False}
    layout = _layout(context) if context is not None and context.sample_rate else None
    if layout is None or not layout.nb_channels:
        return common
    duration = stream.duration and stream.duration * stream.time_base
    return {
        **common,
        "decoded": True,
        "codec": context.codec.canonical_name,
        "channels": layout.nb_channels,
        "layout": layout.name,
        "sample_rate_hz": context.sample_rate,
        "sample_bits": context.format.bits,
        "coded_bits": _coded_bits(context),
        "language": stream.language,
        "visual_impaired": bool(stream.disposition & Disposition.visual_impaired),
        "hearing_impaired": bool(stream.disposition & Disposition.hearing_impaired),
        "comment": bool(stream.disposition & Disposition.comment),
        "start_s": _start(stream),
        "duration_s": _text(duration) if duration else None,
    }


def _layout(context: Any) -> Any:
    """Never given back: PyAV 18.1 frees the map of channels in an order of their own with each
    layout that it made (`context.channels` makes one too), and the codec then frees it once more.
    """
    layout = context.layout
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(layout))
    return layout


def _subtitle(stream: Any) -> dict[str, Any]:
    return {**_marks(stream), "codec": stream.codec_context.codec.canonical_name}


def _marks(stream: Any) -> dict[str, Any]:
    """What is said of a subtitle track whether anybody can decode it or not."""
    return {
        "index": stream.index,
        "id": stream.id,
        "language": stream.language,
        "forced": bool(stream.disposition & Disposition.forced),
        "hearing_impaired": bool(stream.disposition & Disposition.hearing_impaired),
    }


def _coded_bits(context: Any) -> int | None:
    """What lossless codecs say in their headers; `None` where one does not."""
    if context.format.name.startswith(("flt", "dbl")):
        return int(context.format.bits)
    head = bytes(context.extradata or b"")
    match context.codec.canonical_name:
        case "flac" if len(head) >= 34:  # STREAMINFO, RFC 9639 section 8.2
            return ((head[12] & 1) << 4 | head[13] >> 4) + 1
        case "alac" if len(head) >= 18:  # ALACSpecificConfig, behind a box header of 12 bytes
            return head[17]
        case "tta" if len(head) >= 10:
            return head[8]
        case _:
            return None


def _left_out(container: InputContainer, pictures: list[Any]) -> list[dict[str, Any]]:
    """The tracks that are neither picture nor decodable sound nor subtitles; a timecode is carried,
    and ancillary data are told of by themselves.
    """
    told = []
    for stream in container.streams:
        taken = stream in pictures or (stream.type == "audio" and _sound(stream)["decoded"])
        if taken or stream.type == "subtitle" or _is_timecode(stream) or _is_ancillary(stream):
            continue
        kind = "cover" if stream.type == "video" else stream.type
        named = {"codec": _codec(stream), "handler": _handler(stream)}
        told.append({"kind": kind, "index": stream.index, **named})
    return told


def _is_ancillary(stream: Any) -> bool:
    """By ffmpeg's name of SMPTE ST 436-1 in MXF: PyAV does not tell the codec."""
    told = stream.metadata.get("data_type") if stream.type == "data" else None
    return bool(told == "vbi_vanc_smpte_436M")


def _is_timecode(stream: Any) -> bool:
    """A track of timecode alone, in one sample: cameras' metadata, one a picture, have it too."""
    return stream.type == "data" and bool(stream.metadata.get("timecode")) and stream.frames <= 1


def _handler(stream: Any) -> str:
    """What a camera calls its data; it may be anybody's text."""
    text = stream.metadata.get("handler_name", "") if stream.type == "data" else ""
    shown = "".join(character for character in text if character.isprintable()).strip()
    return shown[:_HANDLER_CHARACTERS]


def _start(stream: Any) -> str:
    return _text((stream.start_time or 0) * Fraction(stream.time_base or 1))


def _end(container: InputContainer, stream: Any) -> str | None:
    """When the last picture of a track ends, where that is said: by the length of a track in MP4
    and QuickTime, of a block in Matroska.
    """
    tick = Fraction(stream.time_base or 1)
    if "mov" in container.format.name:
        length = stream.duration
        return _text(((stream.start_time or 0) + length) * tick) if length else None
    if "matroska" in container.format.name and container.duration:
        return _last_block_end(container, stream, tick)
    return None


def _last_block_end(container: InputContainer, stream: Any, tick: Fraction) -> str | None:
    """Read from the last place that the index knows; `None` where the end is too far from it."""
    try:
        container.seek(stream.start_time or 0, stream=stream)  # which reads the index
        known = _last_entries(stream.index_entries)
        if not known:
            return None
        container.seek(known[-1].timestamp, stream=stream)
    except av.error.FFmpegError:
        return None
    ends, size = [Fraction(0)], 0
    for count, packet in enumerate(packets_of(container, [stream])):
        size += packet.size
        if count > _MAX_PACKETS or size > _MAX_PACKET_BYTES:
            return None
        if packet.pts is not None and packet.duration:
            ends.append((packet.pts + packet.duration) * tick)
    return _text(max(ends)) if max(ends) else None


def _last_byte(container: InputContainer) -> int:
    """Where the container's own index says that its last sample ends; 0 without an index."""
    ends = [
        entry.pos + entry.size
        for stream in container.streams
        for entry in _last_entries(stream.index_entries)
    ]
    return max(ends, default=0)


def _last_entries(entries: Any) -> list[Any]:
    return [entries[at] for at in range(max(0, len(entries) - _LAST_ENTRIES), len(entries))]


def _timecode(container: InputContainer) -> str | None:
    """Matroska's tags are in capitals."""
    places = [s.metadata for s in container.streams] + [container.metadata]
    named = [{key.lower(): value for key, value in place.items()} for place in places]
    return next((place["timecode"] for place in named if place.get("timecode")), None)


def _start_timecode(
    container: InputContainer, streams: list[Any], frames: Mapping[int, _First]
) -> dict[str, Any]:
    """What the container says, or else the first picture itself, which may be some frames later
    than what its group says, counted at the rate of its sequence. Zero is what encoders write that
    know none.
    """
    said, later, rate = _timecode(container), 0, Fraction(25)
    if said is None and streams and streams[0].index in frames:
        first = frames[streams[0].index]
        held = {data.type: bytes(data) for data in first.frame.side_data}
        rate = streams[0].average_rate or rate
        said = st12_timecode(held.get(Type.S12M_TIMECODE), rate)
        if first.group:
            said, later = gop_timecode(first.group[0]), first.group[1]
            rate = streams[0].codec_context.framerate or rate
        said = said if said and re.search("[1-9]", said) else None
    return {"timecode": said, "frames_later": later, "counted_at": _text(rate)}


def gop_timecode(bits: int) -> str:
    """Of the 25 bits of a group of pictures header (ISO/IEC 13818-2, 6.3.8)."""
    hour, minute, second = bits >> 19 & 31, bits >> 13 & 63, bits >> 6 & 63
    return f"{hour:02}:{minute:02}:{second:02}{';' if bits >> 24 & 1 else ':'}{bits & 63:02}"


def st12_timecode(raw: bytes | None, rate: Fraction) -> str | None:
    """SMPTE ST 12-1 in BCD, as decoders give an SEI's: above 30 a second a bit tells the two
    frames of a number apart (ST 12-1, 12.2), at 50 another one than at 60.
    """
    count, bits = struct.unpack_from("=2I", raw) if raw and len(raw) >= 8 else (0, 0)
    if not count:
        return None
    hour, minute, second = _bcd(bits & 63), _bcd(bits >> 8 & 127), _bcd(bits >> 16 & 127)
    frame = _bcd(bits >> 24 & 63)
    if rate > 30:
        frame = 2 * frame + (bits >> (7 if rate == 50 else 23) & 1)
    return f"{hour:02}:{minute:02}:{second:02}{';' if bits >> 30 & 1 else ':'}{frame:02}"


def _aspect(said: Fraction | None) -> str | None:
    """0 is what a file says that says nothing."""
    return _text(said) if said else None


def _bcd(bits: int) -> int:
    return 10 * (bits >> 4) + (bits & 15)


def _text(value: Any) -> str:
    fraction = Fraction(value)
    return f"{fraction.numerator}/{fraction.denominator}"


if __name__ == "__main__":
    _ASKED = {
        "captions": print_captions,
        "kinds": print_kinds,
        "later": print_later,
        "shapes": print_shapes,
        "stream": print_stream,
    }
    _ASKED.get("".join(sys.argv[4:5]), main)(*sys.argv[1:4], *sys.argv[5:])
