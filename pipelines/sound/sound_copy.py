"""How a sound track is taken packet by packet: in its place, on a grid, as long as the picture.

Containers round the times of packets, Matroska to 1 ms: each packet begins where the one before it
ends, unless a hole lies between them.
"""

from __future__ import annotations

from typing import Any

from pipelines.planning.plan_types import AudioPlan, Plan
from pipelines.sound.sound_clock import HOLE_S
from pipelines.sound.sound_codecs import muxer

# Samples: all blocks of AAC, AC-3 and MPEG-1 layer II are so many times 64, those of Opus so many
# times 2.5 ms (RFC 6716, 2.1.4).
_BLOCK_STEP, _OPUS_STEP = 64, 120


def copy_options(track: AudioPlan, plan: Plan) -> dict[str, Any]:
    """Ffmpeg's options of an output that holds the track alone."""
    return {
        "c:a": "copy",
        "bsf:a": f"{_within(plan)},{_in_place(track, plan)}",
        "map_metadata": -1,
        "map_chapters": -1,
        "fflags": "+bitexact",
        "f": muxer(track),
    }


def _zero_s(plan: Plan) -> float:
    """The first picture on ffmpeg's clock."""
    return float(plan.first_picture_s - plan.start_s)


def _within(plan: Plan) -> str:
    """What ends before the picture begins is dropped, but for the block that the next one needs."""
    zero_s = _zero_s(plan)
    early = f"lte((pts+2*duration)*tb,{zero_s:.9f})"
    late = f"gte(pts*tb,{zero_s + float(plan.duration_s):.9f})"
    return f"noise=drop='{early}+{late}'"


def _in_place(track: AudioPlan, plan: Plan) -> str:
    """In samples from the first picture."""
    rate_hz = track.sample_rate_hz
    here = f"(PTS-{round(_zero_s(plan) * rate_hz)})"
    due = "PREV_OUTPTS+PREV_OUTDURATION"
    follows = f"gt(N,0)*lt(abs({here}-({due})),{round(HOLE_S * rate_hz)})"
    at = f"if({follows},{due},{here})"
    step = _OPUS_STEP if track.codec == "opus" else _BLOCK_STEP
    lasts = f"round(DURATION/{step})*{step}"
    return f"setts=prescale=1:time_base=1/{rate_hz}:pts='{at}':dts='{at}':duration='{lasts}'"
