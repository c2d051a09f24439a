"""What a plan decides about colour, as frozen values: kept, or converted by what and with what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from pipelines.words import Words

Conversion = Literal[
    "none",
    "hlg_to_sdr",
    "pq_to_sdr",
    "pq_to_hlg",
    "hlg_to_pq",
    "sdr_to_hlg",
    "sdr_to_pq",
    "sdr_to_sdr",
]
# "sdr-other" is SDR of BT.601, DCI-P3 and the like.
ColourType = Literal["sdr-709", "sdr-2020", "sdr-other", "hlg", "pq"]
# What a person may say of a source.
StatedColour = Literal["as-tagged", "sdr-709", "sdr-2020", "hlg", "pq"]
STATED: tuple[StatedColour, ...] = get_args(StatedColour)
HdrMetadata = Literal[
    "dolby_vision", "hdr10_plus", "hdr_vivid", "mastering_display", "content_light"
]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One number that a formula takes; its unit stands in its name."""

    name: str
    value: float


Parameters = tuple[Parameter, ...]


@dataclass(frozen=True, slots=True)
class ColourDecision:
    """What becomes of a rung's colour; what cannot be decided honestly is a `Refusal` instead.

    The formulas take their numbers from `parameters`: what is shown is what is used. `dropped` is
    what the source has and the rendition will not.
    """

    action: Literal["preserve", "convert"]
    source: ColourType
    target: ColourType
    methods: tuple[Words, ...] = ()
    parameters: Parameters = ()
    dropped: tuple[HdrMetadata, ...] = ()
