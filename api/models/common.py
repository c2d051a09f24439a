"""Words and shapes that every noun shares."""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

T = TypeVar("T")


class Received(BaseModel):
    """A request: an unknown field is a mistake worth saying, not one to skip."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sent(BaseModel):
    """A response; may be read from a row or a frozen value by its attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL in text, and neither does any file name."""
    if "\0" in text:
        raise ValueError("it may not contain the NUL character")
    return text


def _utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999 with an offset
        raise ValueError("it is too far away") from error


Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    AfterValidator(_storable),
]
FileName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$"),
]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,5}_[0-9a-z]{1,40}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$", to_lower=True)]
Md5 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$", to_lower=True)]
Moment = Annotated[AwareDatetime, AfterValidator(_utc)]

MetadataText = Annotated[str, StringConstraints(max_length=4000), AfterValidator(_storable)]
MetadataKey = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(_storable)
]
MetadataNumber = Annotated[float, Field(allow_inf_nan=False)]
MetadataInteger = Annotated[int, Field(ge=-(2**53), le=2**53)]
MetadataValue = (
    bool
    | MetadataInteger
    | MetadataNumber
    | MetadataText
    | Annotated[list[MetadataText], Field(max_length=100)]
)
Metadata = Annotated[dict[MetadataKey, MetadataValue], Field(max_length=100)]

Rational = Annotated[
    Fraction,
    PlainSerializer(lambda value: f"{value.numerator}/{value.denominator}", return_type=str),
]
Seconds = Annotated[Fraction, PlainSerializer(float, return_type=float)]


class Page(Sent, Generic[T]):
    """One page, newest first; pass `next_cursor` back as `cursor` for the page after it."""

    data: list[T]
    next_cursor: str | None = Field(description="Opaque. Null on the last page.")
    has_more: bool


class Link(Sent):
    """A signed URL: whoever holds it may read the file until it expires. Ranges are served."""

    url: str
    expires_at: datetime


class FileLink(Link):
    sha256: str
    size_bytes: int


class Failure(Sent):
    """Why it failed; the codes are those of `docs/errors.md`."""

    code: str
    detail: str
    retryable: bool = False


class Colour(Sent):
    """ffprobe's words; null where the stream says nothing."""

    primaries: str | None
    transfer: str | None
    matrix: str | None
    range: str | None
