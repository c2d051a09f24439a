"""Publications: an asset in a zone, with the exact files that were let through."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ConfigDict, Field

from api.models.common import Id, Link, Name, Received, Sent

PublicationState = Literal["published", "withdrawn"]


class NewPublication(Received):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"asset_id": "ast_01k9z8q4m7c2v5x3n6b1h0t8ye", "zone": "uhd-4k"}]
        }
    )

    asset_id: Id
    zone: Name
    replace: bool = Field(
        default=False,
        description="Take the place of what is there of this asset, in one change: centres learn "
        "of the new one before they learn that the former is withdrawn.",
    )


class PublishedFile(Sent):
    rendition_id: str | None = None
    profile: str | None = None
    path: str
    sha256: str
    size_bytes: int


class Publication(Sent):
    id: str
    asset_id: str
    zone: str
    state: PublicationState
    files: list[PublishedFile]
    manifest: Link = Field(description="The same list as a JSON file in the object store.")
    created_at: datetime
    withdrawn_at: datetime | None
