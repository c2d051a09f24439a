"""What a command reads beside what it takes, so that ffmpeg corrects a clock as it was inspected.

Where a clock jumps, ffmpeg corrects it by every track that it reads: of two recordings whose tracks
do not end together a picture alone has another clock after the seam than it has beside its sound.
"""

from __future__ import annotations

from typing import Any

import ffmpeg

from pipelines.planning.plan_types import Plan


def clock_outputs(opened: Any, plan: Plan) -> list[Any]:
    """An output that drops what it reads, where the plan has tracks for that."""
    if not plan.clock_tracks:
        return []
    read = [opened[str(index)] for index in plan.clock_tracks]
    return [ffmpeg.output(*read, "-", c="copy", format="null")]


def clock_output_words(plan: Plan) -> list[str]:
    """The same, of the first input of a command that is written out."""
    tracks = [word for index in plan.clock_tracks for word in ("-map", f"0:{index}")]
    return [*tracks, "-c", "copy", "-f", "null", "-"] if tracks else []
