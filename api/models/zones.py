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


Required = Annotated[list[Name], Field(max_length=50)]
Centres = Annotated[list[Name], Field(max_length=1000)]


class NewZone(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [ZONE_EXAMPLE]})

    name: Name
    title: Text
    required_profiles: Required = Field(
        default_factory=list,
        description="Any one of these must be ready before an asset may enter; of an empty list "
        "any rendition.",
    )
    centres: Centres | None = Field(
        default=None,
        description="Centres that may pull; null lets every centre of the organisation pull.",
    )


class ZoneEdit(Received):
    """Only the fields that are given change; each list is replaced as a whole."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"centres": ["foshan", "zhuhai", "zhongshan"]}]}
    )

    title: Text | None = None
    required_profiles: Required | None = Field(
        default=None, description="For what is published from now on; an empty list asks for none."
    )
    centres: Centres | None = Field(
        default=None,
        description="Centres that may pull from now on, also what was published before; a null "
        "that is given lets every centre of the organisation pull.",
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
