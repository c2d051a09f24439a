"""What VVC's own headers say and its decoders here do not tell."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.colour.chroma_siting import CODED
from pipelines.media import ChromaLocation
from pipelines.running.run import capture
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import PICTURE_INPUT

_PARAMETERS = 15  # SPS_NUT, ITU-T H.266 table 5
_LOOKED_AT_S = 1  # where the pictures have none, what stands before them has been read by then
# Of the line that ffmpeg's parser writes of the first sequence parameter set (ITU-T H.274, 7.2).
_TYPE = re.compile(r"\bvui_chroma_sample_loc_type_frame +[01]+ = (\d)$", re.MULTILINE)


def chroma_of_vvc(path: Path, index: int) -> ChromaLocation | None:
    """Where the samples of colour of stream `index` stand, read and not decoded."""
    argv = [
        *(ffmpeg(), "-nostdin", "-hide_banner", "-nostats", *PICTURE_INPUT),
        *("-t", str(_LOOKED_AT_S), "-i", str(path), "-map", f"0:{index}", "-c", "copy"),
        # Of all that it says no more than the end is kept: a picture's head alone has 2000 lines.
        *("-bsf:v", f"filter_units=pass_types={_PARAMETERS},trace_headers"),
        *("-frames:v", "1", "-f", "null", "-"),
    ]
    told = _TYPE.findall(capture(argv, readable=[path]).stderr)
    return CODED[int(told[-1])] if told and int(told[-1]) < len(CODED) else None
