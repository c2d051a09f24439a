"""The programmes of a transport stream, by ffprobe: PyAV does not tell of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipelines.media import Programme
from pipelines.sources.ask_ffprobe import ask_ffprobe

_NAME_CHARACTERS = 60


def read_programmes(path: Path, tracks: Sequence[Mapping[str, Any]]) -> tuple[Programme, ...]:
    """Those that hold any of the `tracks` (of `probe_child`, by their PIDs), by rising number.

    A recording's tables may name programmes of the multiplex that were not recorded.
    """
    entries = "program=program_num:program_tags=service_name:program_stream=id"
    told = ask_ffprobe(path, "-show_entries", entries)
    indices = {track["id"]: track["index"] for track in tracks}
    found = sorted(_programmes(told.get("programs", []), indices), key=lambda one: one.number)
    return tuple(one for one in found if one.tracks)


def _programmes(
    told: Sequence[Mapping[str, Any]], indices: Mapping[int, int]
) -> Iterator[Programme]:
    for one in told:
        pids = [int(stream["id"], 16) for stream in one.get("streams", []) if "id" in stream]
        yield Programme(
            number=int(one["program_num"]),
            name=_name(one.get("tags", {}).get("service_name", "")),
            tracks=tuple(sorted(indices[pid] for pid in pids if pid in indices)),
        )


def _name(text: str) -> str | None:
    """What can be shown of it: it is anybody's text."""
    shown = "".join(character for character in text if character.isprintable()).strip()
    return shown[:_NAME_CHARACTERS] or None
