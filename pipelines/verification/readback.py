"""What a finished file says about itself, read by tools that did not write it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.colour.colour_codes import MATRICES, PRIMARIES, RANGES, TRANSFERS
from pipelines.colour.static_metadata import stream_holds
from pipelines.media import (
    Colour,
    ContentLight,
    FieldOrder,
    Hdr10,
    MasteringDisplay,
    content_light,
)
from pipelines.progress import Progress
from pipelines.rates import nearest_standard_rate
from pipelines.sources.ask_ffprobe import ask_ffprobe
from pipelines.sources.ask_stream import ask_stream_at_once
from pipelines.sources.first_picture import first_picture
from pipelines.sources.probe import mastering_display
from pipelines.sources.vvc_headers import chroma_of_vvc
from pipelines.verification.mp4_boxes import PictureEntry, picture_entry
from pipelines.verification.transport_stream import Transport, read_transport

# ffprobe's words. "tb" is woven lines with the top field earlier (value 9 in QuickTime, Matroska):
# ffmpeg writes it for ProRes and FFV1 frames flagged top field first, and decodes it so.
_FIELD_ORDERS: dict[str, FieldOrder] = {"tt": "tt", "tb": "tt", "bb": "bb", "bt": "bb"}


# What neither ffprobe nor PyAV has a decoder for: ffmpeg, with the same library's own decoder,
# says what comes out, and nobody what the stream says of its colour.
_FFMPEG_ALONE = frozenset({"avs2"})
_SILENT = _FFMPEG_ALONE | {"ffv1"}  # which has no syntax for it


@dataclass(frozen=True, slots=True)
class PictureReading:
    """One picture track. `colour` is ffprobe's merged view; the other two are each side's own word.

    `colour_in_stream` is `None` where the codec has no colour syntax (FFV1) or no tool reads it
    (AVS2), `container_entry` where the file is no MP4 or MOV; Matroska says no `duration_s` of a
    track, and a transport stream, where it is estimated, neither. Of HDR10's static
    metadata `hdr10` is the merged view, `None` where ffprobe has no decoder (AV1,
    AVS2); `hdr10_in_stream` what PyAV's decoder finds that is given the stream alone, `None` of
    codecs whose stream holds none; `hdr10_in_container` what ffprobe says without decoding.
    """

    codec: str
    codec_profile: str
    level: int
    width: int
    height: int
    pix_fmt: str
    sample_aspect_ratio: Fraction | None
    field_order: FieldOrder
    frame_rates: tuple[Fraction, ...]
    start_s: Fraction
    duration_s: Fraction | None
    colour: Colour
    colour_in_stream: Colour | None
    container_entry: PictureEntry | None
    hdr10: Hdr10 | None
    hdr10_in_stream: Hdr10 | None
    hdr10_in_container: Hdr10
    dynamic_metadata: str | None = None
    chroma_location: str | None = None
    captions: tuple[str, ...] = ()

    def rate_that_means(self, planned: Fraction) -> Fraction | None:
        """What the file says of its rate, if it can only mean the planned one.

        Matroska knows the length of a frame in whole nanoseconds, of which ffmpeg makes a fraction
        of at most 30000: 60000/1001 reads as 19001/317. Elsewhere nothing but the rate itself will
        do.
        """
        if planned in self.frame_rates:
            return planned
        rounds = self.container_entry is None
        meant = [rate for rate in self.frame_rates if nearest_standard_rate(rate) == planned]
        return meant[0] if rounds and meant else None


@dataclass(frozen=True, slots=True)
class SoundReading:
    codec: str
    channels: int
    layout: str | None
    sample_rate_hz: int
    bit_depth: int | None
    language: str | None
    start_s: Fraction


@dataclass(frozen=True, slots=True)
class SubtitleReading:
    """`shown` without anybody asking for it."""

    codec: str
    language: str | None
    forced: bool
    shown: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """`others` are the kinds of all other streams, but for the timecode tracks of MP4 and MXF.

    `transport` is there for a transport stream, whose times begin anywhere: all are counted from
    its first picture.
    """

    picture: PictureReading | None
    sounds: tuple[SoundReading, ...]
    timecode: str | None = None
    others: tuple[str, ...] = ()
    subtitles: tuple[SubtitleReading, ...] = ()
    transport: Transport | None = None


def read_back(path: Path, captions: Sequence[str] = ()) -> Generator[Progress, None, Reading]:
    """Signalling of a file that Kapok made: ffprobe's view, PyAV's of the stream, the MP4 boxes.

    Captions are looked for in the first seconds; of a file that has to have some kinds of them, up
    to where each of these has been found.
    """
    found = ask_ffprobe(path, "-show_streams", "-show_format")
    streams = found.get("streams", [])
    pictures = [stream for stream in streams if stream["codec_type"] == "video"]
    sounds = [stream for stream in streams if stream["codec_type"] == "audio"]
    in_transport = found.get("format", {}).get("format_name") == "mpegts"
    starts = [_start_s(stream) for stream in (*pictures[:1], *sounds)]
    zero_s = starts[0] if in_transport and starts else None
    transport = (yield from read_transport(path)) if in_transport else None
    return Reading(
        picture=_picture(path, pictures[0], zero_s, captions) if pictures else None,
        sounds=tuple(_sound(stream, zero_s) for stream in sounds),
        timecode=_timecode([*streams, found.get("format", {})]),
        others=tuple(_others(streams, pictures[1:])),
        subtitles=tuple(_subtitle(one) for one in streams if one["codec_type"] == "subtitle"),
        transport=transport,
    )


def picture_start_s(path: Path) -> Fraction:
    """When the first picture is shown, on the file's own clock."""
    streams = ask_ffprobe(path, "-show_streams", "-select_streams", "v:0").get("streams", [])
    return _start_s(streams[0]) if streams else Fraction(0)


def _start_s(stream: Mapping[str, Any]) -> Fraction:
    """Exact in ticks, where the stream says them."""
    if "start_pts" in stream and "time_base" in stream:
        return int(stream["start_pts"]) * Fraction(stream["time_base"])
    return Fraction(stream.get("start_time", "0"))


def _timecode(holders: Sequence[Mapping[str, Any]]) -> str | None:
    """MP4 has a track for it, Matroska a tag, whose name it writes in capitals."""
    tags = [{key.lower(): value for key, value in one.get("tags", {}).items()} for one in holders]
    return next((str(one["timecode"]) for one in tags if one.get("timecode")), None)


def _others(
    streams: Sequence[Mapping[str, Any]], pictures: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    yield from ("picture" for _ in pictures)
    for stream in streams:
        if (
            stream["codec_type"] not in ("video", "audio", "subtitle")
            and stream.get("codec_tag_string") != "tmcd"
        ):
            yield stream["codec_type"]


def _picture(
    path: Path, stream: Mapping[str, Any], zero_s: Fraction | None, captions: Sequence[str]
) -> PictureReading:
    first = ("-show_frames", "-select_streams", "v:0", "-read_intervals", "%+#1")
    shown = next(iter(ask_ffprobe(path, *first).get("frames", [])), None)
    codec = stream["codec_name"]
    alone = None if codec in _SILENT else ask_stream_at_once(path, stream["index"], captions)
    return PictureReading(
        codec=codec,
        codec_profile=str(stream.get("profile", "")),
        level=int(stream.get("level", 0)),
        width=int(stream.get("width", 0)),
        height=int(stream.get("height", 0)),
        pix_fmt=_pix_fmt(path, stream),
        sample_aspect_ratio=_ratio(stream.get("sample_aspect_ratio")),
        field_order=_FIELD_ORDERS.get(stream.get("field_order", ""), "progressive"),
        frame_rates=tuple(
            rate for key in ("avg_frame_rate", "r_frame_rate") if (rate := _ratio(stream.get(key)))
        ),
        start_s=_start_s(stream) - (zero_s or 0),
        duration_s=None
        if zero_s is not None or "duration" not in stream
        else Fraction(stream["duration"]),
        colour=_ffprobe_colour(stream),
        colour_in_stream=_alone_colour(alone["colour"]) if alone else None,
        container_entry=picture_entry(path),
        hdr10=None if shown is None else _hdr10(shown),
        hdr10_in_stream=_alone_hdr10(alone) if alone and stream_holds(codec, None) else None,
        hdr10_in_container=_hdr10(stream),
        chroma_location=_chroma_location(path, stream),
        dynamic_metadata="hdr_vivid" if shown and _has_vivid(shown) else None,
        captions=tuple(alone["captions"]) if alone else (),
    )


def _chroma_location(path: Path, stream: Mapping[str, Any]) -> str | None:
    """`None` where nothing says it; of VVC ffprobe does not tell."""
    if stream["codec_name"] == "vvc":
        return chroma_of_vvc(path, int(stream["index"]))
    said = stream.get("chroma_location")
    return None if said == "unspecified" else said


def _pix_fmt(path: Path, stream: Mapping[str, Any]) -> str:
    """What is decoded, where ffprobe only knows the name of the codec."""
    if stream["codec_name"] not in _FFMPEG_ALONE:
        return str(stream.get("pix_fmt", "unknown"))
    shown = first_picture(path, int(stream["index"]))
    return shown.pix_fmt if shown else "unknown"


def _sound(stream: Mapping[str, Any], zero_s: Fraction | None) -> SoundReading:
    return SoundReading(
        codec=stream["codec_name"],
        channels=int(stream["channels"]),
        layout=stream.get("channel_layout"),
        sample_rate_hz=int(stream["sample_rate"]),
        # FLAC says the first, PCM of 16 bits only the second; lossy codecs say 0.
        bit_depth=int(stream.get("bits_per_raw_sample") or stream.get("bits_per_sample", 0))
        or None,
        language=stream.get("tags", {}).get("language"),
        start_s=_start_s(stream) - (zero_s or 0),
    )


def _subtitle(stream: Mapping[str, Any]) -> SubtitleReading:
    return SubtitleReading(
        codec=stream["codec_name"],
        language=stream.get("tags", {}).get("language"),
        forced=bool(stream.get("disposition", {}).get("forced")),
        shown=bool(stream.get("disposition", {}).get("default")),
    )


def _ffprobe_colour(stream: Mapping[str, Any]) -> Colour:
    def said(key: str) -> str | None:
        value = stream.get(key)
        return None if value in (None, "unknown", "unspecified") else str(value)

    return Colour(
        said("color_primaries"), said("color_transfer"), said("color_space"), said("color_range")
    )


def _alone_colour(codes: Sequence[int]) -> Colour:
    """Of `probe_child.print_stream`."""
    primaries, transfer, matrix, value_range = codes
    return Colour(
        PRIMARIES.get(primaries),
        TRANSFERS.get(transfer),
        MATRICES.get(matrix),
        RANGES.get(value_range),
    )


def _alone_hdr10(said: Mapping[str, Any]) -> Hdr10:
    light = said.get("content_light")
    return Hdr10(
        mastering_display(said.get("mastering_display")),
        content_light((light[0], light[1]) if light else None),
    )


def _hdr10(holder: Mapping[str, Any]) -> Hdr10:
    """Of ffprobe's stream or frame."""
    held = {data["side_data_type"]: data for data in holder.get("side_data_list", [])}
    return Hdr10(
        _mastering(held.get("Mastering display metadata")),
        _light(held.get("Content light level metadata")),
    )


def _has_vivid(frame: Mapping[str, Any]) -> bool:
    return any("Vivid" in data["side_data_type"] for data in frame.get("side_data_list", []))


def _mastering(data: Mapping[str, Any] | None) -> MasteringDisplay | None:
    if data is None or "red_x" not in data or "max_luminance" not in data:
        return None

    def point(name: str) -> tuple[Fraction, Fraction]:
        return (Fraction(data[f"{name}_x"]), Fraction(data[f"{name}_y"]))

    return MasteringDisplay(
        red=point("red"),
        green=point("green"),
        blue=point("blue"),
        white=point("white_point"),
        min_luminance_cd_m2=Fraction(data["min_luminance"]),
        max_luminance_cd_m2=Fraction(data["max_luminance"]),
    )


def _light(data: Mapping[str, Any] | None) -> ContentLight | None:
    return content_light((data["max_content"], data["max_average"]) if data else None)


def _ratio(text: str | None) -> Fraction | None:
    """`30000/1001` or `1:1`; `None` for ffprobe's `0/0`, `0:1` and N/A."""
    over, _, under = (text or "").replace(":", "/").partition("/")
    if not over.isdigit() or not under.isdigit() or not int(over) or not int(under):
        return None
    return Fraction(int(over), int(under))
