"""Assets: what a source is, what one decode of it measured, and the pictures made from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.language import Told
from api.models.common import (
    Colour,
    FileLink,
    Link,
    Metadata,
    Rational,
    Received,
    Seconds,
    Sent,
    Text,
)
from pipelines.media import Area, CaptionChannel, Captions, Levels, Loudness, Span

AssetState = Literal["processing", "ready", "failed", "cancelled"]


class AudioTrack(Sent):
    codec: str
    channels: int
    layout: str | None
    sample_rate_hz: int
    bit_depth: int | None
    language: str | None


class Programme(Sent):
    number: int
    name: str | None


class SubtitleTrack(Sent):
    codec: str
    text: bool = Field(description="Letters, or else pictures of letters.")
    language: str | None
    forced: bool
    hearing_impaired: bool
    page: int | None = Field(default=None, description="Of DVB teletext.")


class Source(Sent):
    """The picture and sound of the master; frames, rate and fields as they really decode.

    What describes the picture is null for sound alone.
    """

    format_name: str
    duration_s: float | None
    timecode: str | None
    audio: list[AudioTrack]
    subtitles: list[SubtitleTrack] = Field(
        default_factory=list, description="Tracks of their own, in the file's order."
    )
    captions: list[Captions] = Field(
        default_factory=list, description="Inside the pictures, as ATSC A/53 has them."
    )
    caption_channels: list[CaptionChannel] = Field(
        default_factory=list,
        description="Of CEA-608, in the pictures or ancillary data, in which something is said.",
    )
    sandbox: str = Field(description="What confined the tools that read this file.")
    codec: str | None = None
    width: int | None = Field(
        default=None, description="As stored, before rotation and pixel aspect."
    )
    height: int | None = None
    display_width: int | None = Field(default=None, description="In square pixels, after rotation.")
    display_height: int | None = None
    pix_fmt: str | None = None
    bit_depth: int | None = None
    frame_rate: Rational | None = None
    constant_frame_rate: bool | None = None
    frames: int | None = Field(default=None, description="Null until the source was inspected.")
    field_order: str | None = None
    sample_aspect_ratio: Rational | None = None
    rotation_deg: int | None = None
    colour: Colour | None = None
    dynamic_range: Literal["sdr", "hlg", "pq"] | None = None
    programme: int | None = Field(
        default=None, description="Which of several `programmes` all of this describes."
    )
    programmes: list[Programme] = Field(
        default_factory=list, description="What a transport stream holds."
    )


class Shot(Sent):
    """Frames between two cuts, half-open; timecodes are null where the source has none."""

    start_frame: int
    start_timecode: str | None = None
    end_frame: int
    end_timecode: str | None = None
    complexity: float = Field(description="Mean change of luma a frame, 0 to 1.")
    detail: float = Field(description="Mean step of luma between neighbouring samples, 0 to 1.")
    coded_bytes: float | None = Field(description="Of a frame's thumbnail, on average.")


class Inspection(Sent):
    """Measured in one decode of the whole source."""

    duration_s: Seconds
    frames: int
    frame_rate: Rational | None
    constant_frame_rate: bool
    field_order: str
    shots: tuple[Shot, ...]
    black: tuple[Span, ...]
    freeze: tuple[Span, ...]
    levels: Levels | None
    active_picture: Area | None = Field(
        default=None, description="What was ever lighter than black, after rotation."
    )
    loudness: tuple[Loudness, ...]
    findings: tuple[Told, ...]


class AssetSummary(Sent):
    id: str
    state: AssetState
    title: str
    file_name: str
    size_bytes: int
    sha256: str
    created_at: datetime
    updated_at: datetime


class Asset(AssetSummary):
    metadata: dict[str, Any]
    version: int = Field(description="The ETag of this asset: send it as If-Match to edit.")
    source: Source | None = Field(description="Null until the source was inspected.")
    inspection: Inspection | None


class AssetEdit(Received):
    """Only the fields that are given change; `metadata` is replaced as a whole."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "岭南春早 · 第一集"}]})

    title: Text | None = None
    metadata: Metadata | None = None


class Poster(Link):
    width: int
    height: int
    time_s: float
    frame: int
    timecode: str | None = Field(description="Null where the source has none.")


class Posters(Sent):
    data: list[Poster] = Field(description="Best first.")


class NamedLink(Link):
    name: str


class Storyboard(Sent):
    """WebVTT cues point at sprite sheets beside it: relative names in `vtt.url` resolve."""

    vtt: NamedLink
    images: list[NamedLink]


class Waveform(NamedLink):
    """JSON of peaks for each audio track."""


class PackageFile(FileLink):
    path: str


class Package(Sent):
    id: str
    asset_id: str
    job_id: str
    hls: str = Field(description="Path of the HLS master playlist in the package.")
    dash: str = Field(description="Path of the DASH manifest in the package.")
    created_at: datetime


class PackageFiles(Sent):
    """One page, by path; pass `next_cursor` back as `cursor` for the page after it."""

    data: list[PackageFile]
    next_cursor: str | None = Field(description="Opaque. Null on the last page.")
    has_more: bool


class Playback(Sent):
    """Relative URLs in both manifests resolve under one signed prefix: give either to a player."""

    package_id: str
    hls: str
    dash: str
    expires_at: datetime
