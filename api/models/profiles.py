"""Profiles and ladders as this installation knows them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints

from api.language import Told
from api.models.common import Rational, Received, Sent
from pipelines.profiles.profile import LARGEST_BYTES, AudioProfile, Basis, Crop, Target

PROFILE_EXAMPLE: dict[str, JsonValue] = {
    "toml": """name = "own-listening-copy"
version = 1
title_en = "Listening copy of the archive"
title_zh = "馆内试听"
container = "m4a"

[[audio]]
codec = "aac"
channels = 2
sample_rate_hz = 48000
bitrate_bps = 96000

[[basis]]
what = "AAC-LC stereo 96 kb/s"
source = "house rule of the archive"
certainty = "P"
"""
}


class Availability(Sent):
    """Whether this installation can make it now: proven by tiny real encodes of its workers.

    `unproven`: no worker lives that encodes, or one has yet to prove it.
    """

    state: Literal["available", "unavailable", "unproven"]
    workers: int
    reason: Told | None


class VideoProfile(Sent):
    codec: str
    encoder: str
    fit: str
    width: int | None
    height: int | None
    max_frame_rate: Rational | None
    min_frame_rate: Rational | None
    pix_fmt: str | None
    dynamic_range: str | None
    preset: str | None
    crf: float | None
    max_bitrate_bps: int | None
    buffer_bits: int | None
    gop_s: Rational
    lookahead_frames: int | None
    level: str | None
    codec_profile: str | None
    burnt_in_timecode: bool
    fields: str
    from_sdr: str
    target: Target | None
    dynamic_metadata: str | None
    upconvert: bool = Field(
        description="Whole in that raster, enlarged where it is smaller, between black bars."
    )
    crop: Crop | Literal["bars"] | None = Field(
        description="What is taken from each side of the source's picture; `bars`: black ones."
    )


class Profile(Sent):
    """A named, versioned recipe; `basis` cites where its numbers come from."""

    name: str
    version: int
    title_en: str
    title_zh: str
    container: str
    mux_rate_bps: int | None
    service_name: str | None
    basis: tuple[Basis, ...]
    video: VideoProfile | None
    audio: tuple[AudioProfile, ...]
    packaged: bool
    own: bool = Field(description="Added by this organisation, and seen by it alone.")
    availability: Availability


class NewProfile(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [PROFILE_EXAMPLE]})

    toml: Annotated[str, StringConstraints(min_length=1, max_length=LARGEST_BYTES)] = Field(
        description="The profile as `kapok profile validate FILE` takes it. Its name begins with "
        "`own-`, and its version is higher than every earlier one of that name."
    )


class Profiles(Sent):
    data: list[Profile]


class Ladder(Sent):
    """An ordered set of profiles for one delivery, best first."""

    name: str
    title_en: str
    title_zh: str
    profiles: tuple[str, ...]


class Ladders(Sent):
    data: list[Ladder]
