"""Subtitle files beside a file, as people name them: `LANGUAGE:FILE`."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path

from kapok.errors import FileMissing, Usage
from kapok.language import t
from kapok.names import declared_name, readable
from kapok.units import size
from kapok.ways_out import os_reason
from pipelines import languages

_MOST_BYTES = 720 << 10  # in base64 they fit into a request of 1 MiB, with all else in it


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
    found, room = [], _MOST_BYTES
    for language, path in named_subtitles(given):
        raw = _content(path, room)
        room -= len(raw)
        content = b64encode(raw).decode()
        found.append({"language": language, "file_name": declared_name(path), "content": content})
    return tuple(found)


def _content(path: Path, room: int) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(room + 1)
    except OSError as error:
        reason = os_reason(error)
        message = t(f"cannot read {path}: {reason}", f"无法读取 {path}（{reason}）：请检查路径")
        raise FileMissing(message) from error
    if len(raw) > room:
        most = size(_MOST_BYTES)
        raise Usage(
            t(
                f"--subtitles {readable(path)}: subtitle files may have {most} together: "
                "is it one?",
                f"--subtitles {readable(path)}：字幕文件合计不能超过 {most}，请确认它是字幕文件",
            )
        )
    return raw
