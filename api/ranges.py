"""Byte ranges (RFC 9110, section 14), purely: headers in, half-open ranges out."""

from __future__ import annotations

import re
from dataclasses import dataclass

# Spaces have one place each: a head may hold 64 KiB of them.
_SINGLE = re.compile(r"bytes\s*=\s*(?:([0-9]+)\s*)?-\s*(?:([0-9]+)\s*)?", re.IGNORECASE)
_DIGITS = 19  # more than any file's size has; Python refuses to read thousands of them


@dataclass(frozen=True, slots=True)
class ByteRange:
    start: int
    end: int


class Unsatisfiable(ValueError):
    """The range lies outside of the file."""


def wanted_range(
    range_header: str | None, if_range: str | None, *, size_bytes: int, etag: str, modified: str
) -> ByteRange | None:
    """The one range to send, or `None` for the whole file. Raises `Unsatisfiable`.

    Several ranges at once and forms that are not understood get the whole file, as the RFC allows;
    so does an `If-Range` that names another version.
    """
    if range_header is None or (if_range is not None and if_range not in {etag, modified}):
        return None
    match = _SINGLE.fullmatch(range_header.strip())
    if match is None or match.groups("") == ("", ""):
        return None
    first, last = match.groups("")
    if not first:
        return _suffix(_number(last), size_bytes)
    start, end = _number(first), _number(last) + 1 if last else size_bytes
    if end <= start and last:
        return None  # not a valid range at all, so it is ignored
    if start >= size_bytes:
        raise Unsatisfiable
    return ByteRange(start, min(end, size_bytes))


def _number(digits: str) -> int:
    """Its value; a number that is longer than any size is merely large."""
    return int(digits.lstrip("0")[:_DIGITS] or "0")


def _suffix(length: int, size_bytes: int) -> ByteRange:
    if length == 0 or size_bytes == 0:
        raise Unsatisfiable
    return ByteRange(max(0, size_bytes - length), size_bytes)


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client already has this version."""
    if if_none_match is None:
        return False
    given = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return "*" in given or etag in given
