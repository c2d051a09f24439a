"""What becomes of a rung's colour: kept, converted by a named method, or why neither is honest."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

from pipelines.colour.colour_filters import needs_sdr_conversion
from pipelines.colour.colour_methods import formula, has_formula, parameters_of
from pipelines.colour.colour_types import (
    STATED,
    ColourDecision,
    ColourType,
    Conversion,
    HdrMetadata,
    StatedColour,
)
from pipelines.colour.source_colour import inconvertible_picture
from pipelines.colour.static_metadata import (
    Kinds,
    container_holds,
    held,
    in_steps,
    stream_holds,
)
from pipelines.media import (
    Colour,
    ContentLight,
    Hdr10,
    Inspection,
    MasteringDisplay,
    MediaInfo,
    VideoTrack,
)
from pipelines.planning.plan_types import Rung
from pipelines.profiles.profile import Profile

# What the light of a converted PQ rung is meant for: HLG's nominal display (ITU-R BT.2100-2 tables
# 1 to 3: BT.2020 with D65, 1000 cd/m², black of at most 0.005 cd/m²), on which SDR's is shown too.
NOMINAL_DISPLAY = MasteringDisplay(
    red=(Fraction("0.708"), Fraction("0.292")),
    green=(Fraction("0.17"), Fraction("0.797")),
    blue=(Fraction("0.131"), Fraction("0.046")),
    white=(Fraction("0.3127"), Fraction("0.329")),
    min_luminance_cd_m2=Fraction("0.005"),
    max_luminance_cd_m2=Fraction(1000),
)
_TITLES: dict[ColourType, str] = {
    "sdr-709": "SDR BT.709",
    "sdr-2020": "SDR BT.2020",
    "sdr-other": "SDR",
    "hlg": "HLG",
    "pq": "PQ",
}
_BY_RANGES: dict[tuple[str, str], Conversion] = {
    ("hlg", "sdr"): "hlg_to_sdr",
    ("pq", "sdr"): "pq_to_sdr",
    ("pq", "hlg"): "pq_to_hlg",
    ("hlg", "pq"): "hlg_to_pq",
    ("sdr", "hlg"): "sdr_to_hlg",
    ("sdr", "pq"): "sdr_to_pq",
}


class Why(NamedTuple):
    """A refusal that names no profile yet."""

    code: str
    reason: str


def colour_type(colour: Colour) -> ColourType:
    """Of a complete colour: its dynamic range, and of SDR its gamut."""
    if colour.dynamic_range != "sdr":
        return colour.dynamic_range
    sdr: dict[str | None, ColourType] = {"bt709": "sdr-709", "bt2020": "sdr-2020"}
    return sdr.get(colour.primaries, "sdr-other")


def conversion_between(source: Colour, wanted: str) -> Conversion:
    """From a complete colour to a dynamic range."""
    if source.dynamic_range == wanted:
        converted = wanted == "sdr" and needs_sdr_conversion(source)
        return "sdr_to_sdr" if converted else "none"
    return _BY_RANGES[source.dynamic_range, wanted]


def in_doubt(reason: str | None) -> Why | None:
    """Where the tags are plainly wrong, a person has to say what the pictures are."""
    if reason is None:
        return None
    return Why(
        "colour_in_doubt",
        f"{reason}: look at it, and start a job that states `source_colour` (--source-colour): "
        f"{', '.join(STATED)}",
    )


def stated_decisions(info: MediaInfo, stated: StatedColour | None) -> tuple[str, ...]:
    if stated is None or info.picture is None:
        return ()
    said = info.picture.colour
    tags = "/".join(name or "–" for name in (said.primaries, said.transfer, said.matrix))
    return (f"the job states the source's colour: {stated}; its tags say {tags}",)


def light_as(colour: Colour, inspection: Inspection) -> ContentLight | None:
    """What was measured with the source taken as this colour."""
    return inspection.light if inspection.light_colour == colour else None


def inconvertible_source(picture: VideoTrack) -> Why | None:
    """Why no rung can be made of such pictures, but for preservation."""
    if picture.dolby_vision and picture.colour.dynamic_range == "sdr":
        return Why(
            "dolby_vision_only",
            "its Dolby Vision has no HLG or PQ base layer (profile 5), and without Dolby's own "
            "mapping the colours would be wrong: export a master in HLG, PQ or SDR, or a profile 8 "
            "file whose base layer says HLG or PQ",
        )
    if (odd := inconvertible_picture(picture)) is not None:
        return Why(
            "unsupported_colour",
            f"the source's colour {odd} cannot be converted here, and taking it for another would "
            "falsify it: convert the master to BT.709 or to BT.2020 with non-constant luminance "
            "first, or state what it is where only its tags are wrong (--source-colour)",
        )
    return None


def less_than_hdr(profile: Profile, picture: VideoTrack, colour: Colour) -> Why | None:
    """A label that stands for HDR is not given to what was none."""
    wanted = profile.video
    if wanted is None or wanted.dynamic_range == "sdr":
        return None
    if colour.dynamic_range == "sdr":
        if wanted.from_sdr == "map":
            return None
        return Why(
            "needs_hdr",
            f"{profile.name} needs an HLG or PQ source; this one is SDR "
            f"({picture.colour.transfer or 'untagged'})",
        )
    if colour.primaries != "bt2020":
        return Why(
            "needs_wide_gamut",
            f"{profile.name} needs BT.2020 primaries; this source says {colour.primaries}",
        )
    if picture.bit_depth < 10:
        return Why(
            "bit_depth_too_low",
            f"{profile.name} stands for 10 bits; this source has {picture.bit_depth}",
        )
    return None


def places(codec: str, codec_profile: str | None, container: str) -> Kinds:
    """Which static metadata such a file can say at all, in its stream or its container."""
    return stream_holds(codec, codec_profile) | container_holds(container)


def decide(
    conversion: Conversion, source: Colour, target: Colour, picture: VideoTrack, kept: Hdr10
) -> ColourDecision:
    """Typed, with the numbers that the conversion is then done with."""
    return ColourDecision(
        action="preserve" if conversion == "none" else "convert",
        source=colour_type(source),
        target=colour_type(target),
        methods=_methods(conversion, source),
        parameters=parameters_of(conversion, picture.mastering_display),
        dropped=_dropped(conversion, picture, kept),
    )


def _dropped(conversion: Conversion, picture: VideoTrack, kept: Hdr10) -> tuple[HdrMetadata, ...]:
    """No encoder here writes dynamic metadata; the static kind is true of its own light alone, and
    not every file has a place for it.
    """
    other = conversion != "none"
    lost: dict[HdrMetadata, bool] = {
        "dolby_vision": picture.dolby_vision,
        "hdr10_plus": picture.hdr10_plus,
        "hdr_vivid": picture.hdr_vivid,
        "mastering_display": picture.mastering_display is not None
        and (other or kept.mastering_display is None),
        "content_light": picture.content_light is not None
        and (other or kept.content_light is None),
    }
    return tuple(name for name, gone in lost.items() if gone)


def static_metadata(
    conversion: Conversion,
    target: Colour,
    picture: VideoTrack,
    measured: ContentLight | None,
    kinds: Kinds,
) -> Hdr10:
    """The source's where its light is kept, the nominal display's of converted PQ: of the `kinds`
    that the file has a place for.

    What a PQ rung would lack of MaxCLL and MaxFALL is what was measured.
    """
    in_pq = target.dynamic_range == "pq"
    if conversion == "none" and target.dynamic_range != "sdr":
        missing = measured if in_pq else None
        said = Hdr10(_in_units(picture.mastering_display), picture.content_light or missing)
    else:
        said = Hdr10(NOMINAL_DISPLAY, measured) if in_pq else Hdr10()
    return held(said, kinds)


def _in_units(display: MasteringDisplay | None) -> MasteringDisplay | None:
    """As SMPTE ST 2086 can say it: Matroska holds any number."""
    return display and in_steps(display, 50_000, 10_000, 10_000)


def colour_decisions(rungs: Sequence[Rung]) -> list[str]:
    """Every conversion in words, with the rungs that it is for."""
    told: dict[str, list[str]] = {}
    for rung in rungs:
        decision = rung.video and rung.video.colour_decision
        if decision and decision.action == "convert":
            told.setdefault(_told(decision), []).append(rung.profile)
    converted = [f"{', '.join(names)}: {text}" for text, names in told.items()]
    return [*converted, *_displays(rungs)]


def _methods(conversion: Conversion, source: Colour) -> tuple[str, ...]:
    if conversion == "sdr_to_sdr":
        return (_sdr_method(source),)
    if not has_formula(conversion):
        return ()
    first: tuple[str, ...] = ()
    if source.primaries != "bt2020":
        sdr = source.dynamic_range == "sdr"
        first = ("BT.2087 into BT.2020" if sdr else f"{source.primaries} into BT.2020, linear",)
    return (*first, *formula(conversion).methods)


def _sdr_method(source: Colour) -> str:
    if source.primaries == "bt2020":
        return "BT.2407 linear matrix into BT.709, clipped"
    if source.primaries != "bt709":
        return f"{source.primaries} into BT.709 by a linear matrix, clipped"
    return "matrix, range and transfer of BT.709"


def _told(decision: ColourDecision) -> str:
    kinds = f"{_TITLES[decision.source]} becomes {_TITLES[decision.target]}"
    if decision.source == decision.target:
        kinds = f"{_TITLES[decision.source]} is brought to the usual form"
    numbers = ", ".join(f"{one.name} {one.value:g}" for one in decision.parameters)
    text = f"{kinds} by {'; '.join(decision.methods)}{f' ({numbers})' if numbers else ''}"
    if decision.source.startswith("sdr") and decision.target in ("hlg", "pq"):
        text += ": mapped from SDR, and no HDR master"
    return text


def _displays(rungs: Sequence[Rung]) -> list[str]:
    stated = [
        rung.profile
        for rung in rungs
        if rung.video
        and rung.video.conversion != "none"
        and rung.video.mastering_display == NOMINAL_DISPLAY
    ]
    if not stated:
        return []
    most = float(NOMINAL_DISPLAY.max_luminance_cd_m2)
    least = float(NOMINAL_DISPLAY.min_luminance_cd_m2)
    light = f"BT.2020 with D65, {least:g} to {most:g} cd/m²"
    names = ", ".join(stated)
    return [f"{names}: the mastering display is stated as what the light is meant for: {light}"]
