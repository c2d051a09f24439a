"""Filters one after the other, for graphs in words and for those that ffmpeg-python composes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Filters = Sequence[tuple[str, Mapping[str, str]]]  # names and options


def in_words(filters: Filters) -> str:
    """With a comma after each filter."""
    return "".join(
        f"{name}{'=' if options else ''}{':'.join(map('='.join, options.items()))},"
        for name, options in filters
    )


def applied(stream: Any, filters: Filters) -> Any:
    for name, options in filters:
        stream = stream.filter(name, **options)
    return stream
