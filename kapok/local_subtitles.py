"""Subtitle files that stand beside a file on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from kapok.local import need_file
from kapok.subtitle_files import named_subtitles
from pipelines.media import SubtitleTrack


def sidecars(given: Sequence[str], folder: Path) -> tuple[SubtitleTrack, ...]:
    """Of subtitle files that were named as `LANGUAGE:FILE`; `folder` is made to keep them."""
    from pipelines.subtitles.sidecar import read_sidecar

    folder.mkdir()
    tracks = []
    for number, (language, path) in enumerate(named_subtitles(given)):
        need_file(path)
        tracks.append(read_sidecar(path, language, number, folder))
    return tuple(tracks)
