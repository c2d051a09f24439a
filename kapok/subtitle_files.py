"""Subtitle files beside a file, as people name them: `LANGUAGE:FILE`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from kapok.errors import FileMissing, Usage
from kapok.language import t
from kapok.names import declared_name, readable
from kapok.ways_out import os_reason
from pipelines import languages


def named_subtitles(given: Sequence[str]) -> list[tuple[str, Path]]:
    """Languages and files. Raises `Usage`."""
    found = []
    for word in given:
        language, _, name = word.partition(":")
        if not name or not languages.TAG.fullmatch(language):
            raise Usage(
                t(
                    f"--subtitles {readable(Path(word))}: give LANGUAGE:FILE, as zh:film.srt",
                    f"--subtitles {readable(Path(word))}：请写成 语言:文件，例如 zh:film.srt",
                )
            )
        found.append((language, Path(name)))
    return found


def sent_subtitles(given: Sequence[str]) -> tuple[Mapping[str, str], ...]:
    """As the API takes them. Raises `Usage` and `FileMissing`."""
    return tuple(
        {"language": language, "file_name": declared_name(path), "content": _content(path)}
        for language, path in named_subtitles(given)
    )


def _content(path: Path) -> str:
    try:
        return b64encode(path.read_bytes()).decode()
    except OSError as error:
        reason = os_reason(error)
        message = t(f"cannot read {path}: {reason}", f"无法读取 {path}（{reason}）：请检查路径")
        raise FileMissing(message) from error
