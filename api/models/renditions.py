"""Renditions: the files that were made, read back by a second tool, and their scores."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from api.models.common import Colour, ColourDecision, Failure, Rational, Seconds, Sent
from pipelines.facts import AudioFacts, Measurement, SubtitleFacts


class Facts(Sent):
    """The finished file as a second tool reads it; picture fields are null for sound alone."""

    codec: str | None
    width: int | None
    height: int | None
    frame_rate: Rational | None
    frames: int | None
    pix_fmt: str | None
    colour: Colour
    duration_s: Seconds
    bitrate_bps: int = Field(description="Of the whole file.")
    size_bytes: int
    sha256: str
    audio: tuple[AudioFacts, ...]
    timecode: str | None = Field(
        description="Of the first picture, where the container has a place for it."
    )
    captions: tuple[str, ...] = Field(description="Kinds within the pictures: cea-608, cea-708.")
    subtitles: tuple[SubtitleFacts, ...]


class Rendition(Sent):
    id: str
    asset_id: str
    job_id: str
    profile: str
    profile_version: int
    programme: int | None = Field(
        description="Of a transport stream with several: the one that was read."
    )
    state: Literal["planned", "ready", "failed", "cancelled"]
    container: str
    file_name: str | None = Field(description="A good name for the downloaded file.")
    sha256: str | None
    size_bytes: int | None
    facts: Facts | None
    colour_decision: ColourDecision | None = Field(
        description="Kept, or converted by which methods with which numbers; null for sound alone."
    )
    measurements: list[Measurement] = Field(description="Each score with the model that gave it.")
    commands: list[Any] | None = Field(
        description="The exact argv of each tool that made it, encode first. Null in lists: ask "
        "for the rendition itself."
    )
    tools: dict[str, Any] | None = Field(description="Versions of those tools.")
    error: Failure | None
    created_at: datetime
    ready_at: datetime | None


class Renditions(Sent):
    data: list[Rendition]
