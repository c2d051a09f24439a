"""Subtitle files that stand beside a file on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kapok.errors import Usage
from kapok.language import t
from kapok.local import need_file
from kapok.names import readable
from pipelines import languages
from pipelines.media import SubtitleTrack


def sidecars(given: Sequence[str], folder: Path) -> tuple[SubtitleTrack, ...]:
    """Of subtitle files that were named as `LANGUAGE:FILE`; `folder` is made to keep them."""
    from pipelines.sidecar import read_sidecar

    folder.mkdir()
    tracks = []
    for number, word in enumerate(given):
        language, _, name = word.partition(":")
        if not name or not languages.TAG.fullmatch(language):
            raise Usage(
                t(
                    f"--subtitles {readable(Path(word))}: give LANGUAGE:FILE, as zh:film.srt",
                    f"--subtitles {readable(Path(word))}：请写成 语言:文件，例如 zh:film.srt",
                )
            )
        need_file(Path(name))
        tracks.append(read_sidecar(Path(name), language, number, folder))
    return tuple(tracks)
