"""Profiles and ladders as this installation knows them."""

from __future__ import annotations

from typing import Literal

from api.models.common import Rational, Sent
from pipelines.profile import AudioProfile, Basis


class Availability(Sent):
    """Whether this installation can make it now: proven by tiny real encodes of its workers.

    `unproven`: no worker lives that encodes, or one has yet to prove it.
    """

    state: Literal["available", "unavailable", "unproven"]
    workers: int
    reason: str | None


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
    gop_s: Rational
    level: str | None
    codec_profile: str | None
    burnt_in_timecode: bool


class Profile(Sent):
    """A named, versioned recipe; `basis` cites where its numbers come from."""

    name: str
    version: int
    title_en: str
    title_zh: str
    container: str
    basis: tuple[Basis, ...]
    video: VideoProfile | None
    audio: tuple[AudioProfile, ...]
    packaged: bool
    availability: Availability


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
