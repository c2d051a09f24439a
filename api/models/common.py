"""Words and shapes that every noun shares."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from fractions import Fraction
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
)

from api.language import Told
from pipelines.colour.colour_types import ColourType, HdrMetadata, Parameter
from storage.schema import LABEL_LENGTH

T = TypeVar("T")


class Received(BaseModel):
    """A request: an unknown field is a mistake worth saying, and so is a number sent as text."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Sent(BaseModel):
    """A response; may be read from a row or a frozen value by its attributes."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


def _storable(text: str) -> str:
    """PostgreSQL takes no NUL in text, and neither does any file name."""
    if "\0" in text:
        raise ValueError("it may not contain the NUL character")
    return text


def _written_out(moment: object) -> object:
    """A bare number would be taken for the seconds since 1970: 20261129 for a day in August."""
    if isinstance(moment, str) and ":" not in moment:
        raise ValueError("write a date and a time with a zone: 2026-11-29T08:00:00+08:00")
    return moment


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
Label = Annotated[  # a name for people in a column of a fixed length, as of a key
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LABEL_LENGTH),
    AfterValidator(_storable),
]
FileName = Annotated[
    str,
    StringConstraints(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f/\\]+$"),
]
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,5}_[0-9a-z]{1,40}$")]
NAME = r"^[a-z0-9][a-z0-9._-]{0,99}$"
Name = Annotated[str, StringConstraints(pattern=NAME)]


def _hex(digits: int) -> StringConstraints:
    return StringConstraints(pattern=rf"^[0-9a-fA-F]{{{digits}}}$", to_lower=True)


Md5 = Annotated[str, _hex(32)]
Sha1 = Annotated[str, _hex(40)]
Sha224 = Annotated[str, _hex(56)]
Sha256 = Annotated[str, _hex(64)]
Sha384 = Annotated[str, _hex(96)]
Sha512 = Annotated[str, _hex(128)]
PATTERN_WORDS = {
    NAME: "use a-z, 0-9, '.', '_' and '-', 100 at most, and begin with a letter or digit",
    **{
        _hex(digits).pattern: f"{kind} has {digits} hexadecimal digits"
        for kind, digits in (
            ("an MD5", 32),
            ("a SHA-1", 40),
            ("a SHA-224", 56),
            ("a SHA-256", 64),
            ("a SHA-384", 96),
            ("a SHA-512", 128),
        )
    },
}
Moment = Annotated[AwareDatetime, BeforeValidator(_written_out), AfterValidator(_utc)]


def _metadata_value(value: object) -> object:
    """One check with one message: a union would report what is wrong with each of its members."""
    if isinstance(value, str) or (
        isinstance(value, list) and all(isinstance(item, str) for item in value)
    ):
        return _metadata_text(value)
    if not isinstance(value, int | float):
        raise ValueError("use text, a number, true, false or a list of texts")  # noqa: TRY004 - pydantic's contract
    if not -MAX_EXACT <= value <= MAX_EXACT:  # NaN as well
        raise ValueError("a number beyond ±2^53 would not be kept exactly: send it as text")
    return value


def _metadata_text(value: str | list[str]) -> object:
    texts = [value] if isinstance(value, str) else value
    if len(texts) > MAX_METADATA_TEXTS:
        raise ValueError(f"a list may have {MAX_METADATA_TEXTS} texts")
    for text in texts:
        if len(text) > MAX_METADATA_TEXT:
            raise ValueError(f"a text may have {MAX_METADATA_TEXT} characters")
        _storable(text)
    return value


def _metadata_size(metadata: dict[str, object]) -> dict[str, object]:
    size_bytes = len(json.dumps(metadata, ensure_ascii=False).encode("utf-8", "surrogatepass"))
    if size_bytes > MAX_METADATA_BYTES:
        raise ValueError(
            f"it has {size_bytes} bytes, and may have {MAX_METADATA_BYTES}: keep longer texts in a "
            "file or a catalogue of your own, and name them here"
        )
    return metadata


MAX_METADATA_BYTES = 128 << 10  # every list of assets carries them
MAX_METADATA_TEXT = 4000
MAX_METADATA_TEXTS = 100
MAX_EXACT = 2**53  # RFC 8259, section 6: readers of JSON agree on integers up to there
MetadataText = Annotated[str, Field(max_length=MAX_METADATA_TEXT)]
MetadataKey = Annotated[
    str, StringConstraints(min_length=1, max_length=100), AfterValidator(_storable)
]
MetadataNumber = Annotated[float, Field(ge=-MAX_EXACT, le=MAX_EXACT)]
MetadataInteger = Annotated[int, Field(ge=-MAX_EXACT, le=MAX_EXACT)]
MetadataValue = Annotated[
    bool
    | MetadataInteger
    | MetadataNumber
    | MetadataText
    | Annotated[list[MetadataText], Field(max_length=MAX_METADATA_TEXTS)],
    BeforeValidator(_metadata_value),
]
Metadata = Annotated[
    dict[MetadataKey, MetadataValue], Field(max_length=100), AfterValidator(_metadata_size)
]

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


class ColourDecision(Sent):
    """What becomes of a rung's colour, and with which numbers. `dropped` is what the source has
    and the rendition will not.
    """

    action: Literal["preserve", "convert"]
    source: ColourType
    target: ColourType
    methods: tuple[Told, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    dropped: tuple[HdrMetadata, ...] = ()


class Colour(Sent):
    """ffprobe's words; null where the stream says nothing."""

    primaries: str | None
    transfer: str | None
    matrix: str | None
    range: str | None
