"""Organisations and API keys."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.models.common import Received, Sent, Text

Role = Literal["admin", "uploader", "publisher", "centre"]


class NewKey(Received):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "foshan", "role": "centre"}]}
    )

    name: Text = Field(description="For role `centre`: the centre's name, as zones list it.")
    role: Role


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

    name: Text


class Organisation(Sent):
    """A new organisation comes with one admin key, and sees nothing of any other."""

    id: str
    name: str
    created_at: datetime
    admin_key: KeyWithSecret
