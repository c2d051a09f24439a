"""Uploads: declared here, carried part by part straight into the object store."""

from __future__ import annotations

from base64 import b64decode
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    JsonValue,
    StringConstraints,
    model_validator,
)

from api.models.common import (
    Failure,
    FileName,
    Link,
    Md5,
    Metadata,
    Name,
    Received,
    Sent,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
    Text,
)
from pipelines import languages
from pipelines.colour.colour_types import StatedColour

UploadState = Literal["open", "complete", "verified", "rejected", "aborted", "expired"]

UPLOAD_EXAMPLE: dict[str, JsonValue] = {
    "title": "岭南春早",
    "file_name": "programme.mxf",
    "size_bytes": 48_318_382_080,
    "sha256": "9f86d081884c7d65" * 4,
    "ladder": "cn-uhd-zone",
    "zone": "uhd-4k",
    "metadata": {"creator": "广东广播电视台", "language": "zh"},
}


def _base64(text: str) -> str:
    try:
        b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError("it is not base64") from error
    return text


class SubtitleFile(Received):
    """SubRip, WebVTT, ASS or TTML beside the master, in UTF-8, UTF-16 or GB 18030; its times are
    counted from the first picture.
    """

    language: Annotated[str, StringConstraints(pattern=f"^(?:{languages.TAG.pattern})$")] = Field(
        description="A tag of BCP 47, as `zh` or `zh-Hant`."
    )
    file_name: FileName = Field(description="Kept as a label; never used as a path.")
    content: Annotated[str, AfterValidator(_base64)] = Field(
        description="The file's bytes as base64. A request's files fit into its body of 1 MiB."
    )

    @property
    def raw(self) -> bytes:
        return b64decode(self.content)


class Recipe(Received):
    """Which renditions to make: a ladder, profiles by name, or neither for the source's default."""

    ladder: Name | None = Field(default=None, description="A ladder of `GET /v1/ladders`.")
    profiles: Annotated[list[Name], Field(min_length=1, max_length=50)] | None = Field(
        default=None, description="Profiles of `GET /v1/profiles`; not together with `ladder`."
    )
    zone: Name | None = Field(
        default=None,
        description="Publish to this zone when the job is done and the gate is open. Needs the "
        "right to publish.",
    )

    scores: bool = Field(
        default=True,
        description="False leaves the full-reference scores out; they can take longest.",
    )

    source_colour: StatedColour | None = Field(
        default=None,
        description="What the pictures are, where a person knows better than the tags: the way out "
        "of `colour_in_doubt`. `as-tagged` says that the tags are right after all.",
    )

    programme: Annotated[int, Field(ge=1, le=65_535)] | None = Field(
        default=None,
        description="Of a transport stream with several: the number of the one to take. Without "
        "it, the one with the largest picture.",
    )

    subtitles: Annotated[list[SubtitleFile], Field(min_length=1, max_length=16)] | None = Field(
        default=None,
        description="Files beside the master, which come after its own tracks. They are kept with "
        "the asset; another job of it gets those that it is given.",
    )

    @model_validator(mode="after")
    def _one_choice(self) -> Self:
        if self.ladder is not None and self.profiles is not None:
            raise ValueError("give `ladder` or `profiles`, not both")
        return self


class Checksums(Received):
    """Hashes of the whole file, of any kind that a sidecar or a BagIt manifest may hold; a worker
    proves each over the stored bytes.
    """

    md5: Md5 | None = None
    sha1: Sha1 | None = None
    sha224: Sha224 | None = None
    sha256: Sha256 | None = None
    sha384: Sha384 | None = None
    sha512: Sha512 | None = None

    def declared(self) -> dict[str, str]:
        return self.model_dump(include=set(Checksums.model_fields), exclude_none=True)


class NewUpload(Recipe, Checksums):
    model_config = ConfigDict(json_schema_extra={"examples": [UPLOAD_EXAMPLE]})

    title: Text
    file_name: FileName = Field(description="Kept as a label; never used as a path.")
    size_bytes: int = Field(ge=0, le=2**62, description="Exact size of the file.")
    metadata: Metadata = Field(
        default_factory=dict, description="Free fields; their text can be searched."
    )


class CompleteUpload(Checksums):
    """Hashes that the client learnt while it sent the file; they must agree with earlier ones."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sha256": "9f86d081884c7d65" * 4}]})


class Upload(Sent):
    id: str
    state: UploadState = Field(
        description="`open` takes parts; `complete` waits for proof; `verified` became an asset; "
        "`rejected` did not, and `error` says why."
    )
    asset_id: str = Field(description="Reserved now; the asset exists once the bytes are proven.")
    job_id: str | None
    title: str
    file_name: str
    size_bytes: int
    part_size_bytes: int = Field(description="Every part has this size but the last.")
    part_count: int
    md5: str | None
    sha1: str | None
    sha224: str | None
    sha256: str | None
    sha384: str | None
    sha512: str | None
    error: Failure | None
    created_at: datetime
    expires_at: datetime = Field(description="An upload that is not complete by then is removed.")


class PartNumbers(Received):
    model_config = ConfigDict(json_schema_extra={"examples": [{"numbers": [1, 2, 3, 4]}]})

    numbers: Annotated[
        list[Annotated[int, Field(ge=1, le=10_000)]], Field(min_length=1, max_length=1000)
    ]


class SignedPart(Link):
    """PUT exactly `size_bytes` bytes there, with Content-Length and without an API key."""

    number: int
    size_bytes: int


class SignedParts(Sent):
    parts: list[SignedPart]


class StoredPart(Sent):
    number: int
    size_bytes: int
    etag: str = Field(description="The store's own mark; not a hash of the content.")


class StoredParts(Sent):
    """What the store really holds: the truth when an upload is resumed."""

    parts: list[StoredPart]
