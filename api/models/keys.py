"""Organisations and API keys."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field, ValidationInfo, field_validator

from api.models.common import NAME, Label, Received, Sent

Role = Literal["admin", "uploader", "publisher", "centre"]


class NewKey(Received):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "foshan", "role": "centre"}]}
    )

    role: Role
    name: Label = Field(
        description="For role `centre`: the centre's name, as zones list it and its URLs carry it."
    )

    organisation: Label | None = Field(
        default=None,
        description="Another organisation's name: only admins of the first organisation may, so "
        "that one whose keys were lost can be entered again.",
    )

    @field_validator("name")
    @classmethod
    def _fits_a_centre(cls, name: str, info: ValidationInfo) -> str:
        if info.data.get("role") == "centre" and not re.fullmatch(NAME, name):
            raise ValueError(
                "a centre's name is a part of its URLs: use a-z, 0-9, '.', '_' and '-', "
                "and begin with a letter or digit"
            )
        return name


class Key(Sent):
    id: str
    name: str
    role: Role
    created_at: datetime
    revoked_at: datetime | None


class KeyWithSecret(Key):
    secret: str | None = Field(
        description="Shown once and stored nowhere; null when an answer is repeated."
    )


class Keys(Sent):
    data: list[Key]


class NewOrganisation(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "佛山市融媒体中心"}]})

    name: Label


class Organisation(Sent):
    """A new organisation comes with one admin key, and sees nothing of any other."""

    id: str
    name: str
    created_at: datetime
    admin_key: KeyWithSecret
