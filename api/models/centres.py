"""What a centre pulls, and the proof that it has it."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, field_validator

from api.models.common import FileLink, Id, Received, Sent, Sha256, Text


class FeedFile(FileLink):
    path: str = Field(description="Relative, unique in the publication, safe as a file name.")
    rendition_id: str | None = None
    profile: str | None = None


class FeedEntry(Sent):
    publication_id: str
    asset_id: str
    title: str
    zone: str
    state: Literal["published", "withdrawn"] = Field(
        description="`withdrawn` means: remove it; then `files` is empty."
    )
    published_at: datetime
    withdrawn_at: datetime | None
    cursor: str = Field(description="As `since`: everything after this entry. Opaque.")
    files: list[FeedFile]


class Feed(Sent):
    """Changes since the cursor, oldest first. Keep `next_cursor`: the next pull begins there."""

    organisation_id: str = Field(
        description="Whose feed it is. Its cursors are refused by every other feed: keep one each."
    )
    data: list[FeedEntry]
    next_cursor: str = Field(description="Opaque.")
    has_more: bool


class ReceivedFile(Received):
    path: Text
    sha256: Sha256


RECEIPT_EXAMPLE: dict[str, JsonValue] = {
    "publication_id": "pub_01k9z8q4m7c2v5x3n6b1h0t8ye",
    "files": [{"path": "cn4k-hevc-hlg.mp4", "sha256": "9f86d081884c7d65" * 4}],
}


class NewReceipt(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [RECEIPT_EXAMPLE]})

    publication_id: Id
    files: Annotated[list[ReceivedFile], Field(min_length=1, max_length=10_000)]

    @field_validator("files")
    @classmethod
    def _each_once(cls, files: list[ReceivedFile]) -> list[ReceivedFile]:
        path, times = Counter(file.path for file in files).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{path!r} is named {times} times: name each file once")
        return files


class ReceiptFile(Sent):
    path: str
    sha256: str


class Receipt(Sent):
    id: str
    publication_id: str
    centre: str
    files: list[ReceiptFile]
    created_at: datetime
