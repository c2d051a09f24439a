"""Whether a file says that its samples of colour stand where the plan has put them. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.colour.chroma_siting import USUAL, is_sited
from pipelines.planning.plan_types import VideoPlan
from pipelines.verification.readback import PictureReading


def siting_faults(planned: VideoPlan, found: PictureReading) -> Iterator[str]:
    """Nothing said means the usual place. Plans that are older than what they say of it call it the
    usual one, of 4:2:2 and of what is kept as it is, too.
    """
    wanted, said = planned.chroma_location, found.chroma_location or USUAL
    of_any = planned.copied or planned.lossless or not is_sited(planned.pix_fmt)
    if wanted != said and not (of_any and wanted in (None, USUAL)):
        yield f"its samples of colour stand at {said}, {wanted} planned"
