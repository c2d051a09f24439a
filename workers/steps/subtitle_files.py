"""The subtitle files that a job was given beside the master."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipelines.errors import HashMismatch
from pipelines.media import SubtitleTrack
from pipelines.planning.plan import Plan, Rung
from pipelines.subtitles.sidecar import FIRST_INDEX, read_letters
from pipelines.subtitles.subtitle_tracks import distinct_subtitles
from workers.context import StepContext


def subtitle_files(request: Mapping[str, Any]) -> tuple[SubtitleTrack, ...]:
    """As tracks after those of the master; `file` is the key of the object."""
    return tuple(
        SubtitleTrack(
            FIRST_INDEX + number, one["codec"], text=True, language=one["language"], file=one["key"]
        )
        for number, one in enumerate(request.get("subtitles", ()))
    )


def plan_with_files_here(context: StepContext, plan: Plan, request: Mapping[str, Any]) -> Plan:
    """The plan with local files in the place of stored ones, as UTF-8 and proven to be the same."""
    hashes = {one["key"]: one["sha256"] for one in request.get("subtitles", ())}
    keys = sorted({one.file for one in distinct_subtitles(plan).values() if one.file})
    here = {key: _here(context, key, hashes[key], number) for number, key in enumerate(keys)}
    return replace(plan, rungs=tuple(_with_files(rung, here) for rung in plan.rungs))


def _here(context: StepContext, key: str, sha256: str, number: int) -> str:
    with context.fetch(key) as path:
        name, raw = path.name, path.read_bytes()
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise HashMismatch("a subtitle file is not what was sent: start a job with it again")
    kept = context.folder / f"sidecar-{number}.txt"
    kept.write_text(read_letters(raw, name).text, "utf-8")
    return str(kept)


def _with_files(rung: Rung, here: Mapping[str, str]) -> Rung:
    subtitles = (replace(one, file=here[one.file]) if one.file else one for one in rung.subtitles)
    return replace(rung, subtitles=tuple(subtitles))
