"""Zones: publish targets with their own required profiles."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field, JsonValue

from api.models.common import Name, Received, Sent, Text

ZONE_EXAMPLE: dict[str, JsonValue] = {
    "name": "uhd-4k",
    "title": "4K 超高清专区",
    "required_profiles": ["cn4k-hevc-hlg"],
    "centres": ["foshan", "zhuhai"],
}


class NewZone(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [ZONE_EXAMPLE]})

    name: Name
    title: Text
    required_profiles: Annotated[list[Name], Field(max_length=50)] = Field(
        default_factory=list,
        description="Any one of these must be ready before an asset may enter.",
    )
    centres: Annotated[list[Name], Field(max_length=1000)] | None = Field(
        default=None,
        description="Centres that may pull; null lets every centre of the organisation pull.",
    )


class Zone(Sent):
    id: str
    name: str
    title: str
    required_profiles: list[str]
    centres: list[str] | None
    created_at: datetime


class Zones(Sent):
    data: list[Zone]
