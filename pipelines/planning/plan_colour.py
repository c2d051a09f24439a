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
from pipelines.words import Words, joined, zh_of

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
    reason: Words


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


def in_doubt(reason: Words | None) -> Why | None:
    """Where the tags are plainly wrong, a person has to say what the pictures are."""
    if reason is None:
        return None
    return Why(
        "colour_in_doubt",
        Words(
            f"{reason}: look at it, and start a job that states `source_colour` (--source-colour): "
            f"{', '.join(STATED)}",
            f"{zh_of(reason)}：请查看画面，再新建任务，以 `source_colour`（--source-colour）"
            f"说明其色彩：{'、'.join(STATED)}",
        ),
    )


def stated_decisions(info: MediaInfo, stated: StatedColour | None) -> tuple[Words, ...]:
    if stated is None or info.picture is None:
        return ()
    said = info.picture.colour
    tags = "/".join(name or "–" for name in (said.primaries, said.transfer, said.matrix))
    return (
        Words(
            f"the job states the source's colour: {stated}; its tags say {tags}",
            f"任务说明来源的色彩为 {stated}；其标识为 {tags}",
        ),
    )


def light_as(colour: Colour, inspection: Inspection) -> ContentLight | None:
    """What was measured with the source taken as this colour."""
    return inspection.light if inspection.light_colour == colour else None


def inconvertible_source(picture: VideoTrack) -> Why | None:
    """Why no rung can be made of such pictures, but for preservation."""
    if picture.dolby_vision and picture.colour.dynamic_range == "sdr":
        return Why(
            "dolby_vision_only",
            Words(
                "its Dolby Vision has no HLG or PQ base layer (profile 5), and without Dolby's own "
                "mapping the colours would be wrong: export a master in HLG, PQ or SDR, or a "
                "profile 8 file whose base layer says HLG or PQ",
                "其 Dolby Vision 没有 HLG 或 PQ 基础层（profile 5），不经杜比自有的映射，色彩就是"
                "错的：请导出 HLG、PQ 或 SDR 母版，或基础层标明 HLG 或 PQ 的 profile 8 文件",
            ),
        )
    if (odd := inconvertible_picture(picture)) is not None:
        return Why(
            "unsupported_colour",
            Words(
                f"the source's colour {odd} cannot be converted here, and taking it for another "
                "would falsify it: convert the master to BT.709 or to BT.2020 with non-constant "
                "luminance first, or state what it is where only its tags are wrong "
                "(--source-colour)",
                f"此处不能转换来源的色彩{odd.zh}，当作其他色彩就会失真：请先将母版转换为 BT.709 或"
                "非恒定亮度的 BT.2020；若只是标识有误，请说明真实色彩（--source-colour）",
            ),
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
            Words(
                f"{profile.name} needs an HLG or PQ source; this one is SDR "
                f"({picture.colour.transfer or 'untagged'})",
                f"{profile.name} 需要 HLG 或 PQ 来源；该来源为 SDR"
                f"（{picture.colour.transfer or '未标注'}）",
            ),
        )
    if colour.primaries != "bt2020":
        return Why(
            "needs_wide_gamut",
            Words(
                f"{profile.name} needs BT.2020 primaries; this source says {colour.primaries}",
                f"{profile.name} 需要 BT.2020 基色；该来源为 {colour.primaries}",
            ),
        )
    if picture.bit_depth < 10:
        return Why(
            "bit_depth_too_low",
            Words(
                f"{profile.name} stands for 10 bits; this source has {picture.bit_depth}",
                f"{profile.name} 需要 10 位；该来源为 {picture.bit_depth} 位",
            ),
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


def colour_decisions(rungs: Sequence[Rung]) -> list[Words]:
    """Every conversion in words, with the rungs that it is for."""
    told: dict[Words, list[str]] = {}
    for rung in rungs:
        decision = rung.video and rung.video.colour_decision
        if decision and decision.action == "convert":
            told.setdefault(_told(decision), []).append(rung.profile)
    converted = [
        Words(f"{', '.join(names)}: {text}", f"{'、'.join(names)}：{text.zh}")
        for text, names in told.items()
    ]
    return [*converted, *_displays(rungs)]


def _methods(conversion: Conversion, source: Colour) -> tuple[Words, ...]:
    if conversion == "sdr_to_sdr":
        return (_sdr_method(source),)
    if not has_formula(conversion):
        return ()
    first: tuple[Words, ...] = ()
    if source.primaries != "bt2020":
        first = (_into_bt2020(source),)
    return (*first, *formula(conversion).methods)


def _into_bt2020(source: Colour) -> Words:
    if source.dynamic_range == "sdr":
        return Words("BT.2087 into BT.2020", "BT.2087 转为 BT.2020")
    return Words(f"{source.primaries} into BT.2020, linear", f"{source.primaries} 线性转为 BT.2020")


def _sdr_method(source: Colour) -> Words:
    if source.primaries == "bt2020":
        return Words(
            "BT.2407 linear matrix into BT.709, clipped", "BT.2407 线性矩阵转为 BT.709，限幅"
        )
    if source.primaries != "bt709":
        return Words(
            f"{source.primaries} into BT.709 by a linear matrix, clipped",
            f"{source.primaries} 以线性矩阵转为 BT.709，限幅",
        )
    return Words("matrix, range and transfer of BT.709", "BT.709 的矩阵、范围与传递特性")


def _told(decision: ColourDecision) -> Words:
    source, target = _TITLES[decision.source], _TITLES[decision.target]
    kinds = Words(f"{source} becomes {target}", f"{source} 转为 {target}")
    if source == target:
        kinds = Words(f"{source} is brought to the usual form", f"{source} 转为常用形式")
    numbers = joined(f"{one.name} {one.value:g}" for one in decision.parameters)
    methods = joined(decision.methods, "; ", "；")
    text = Words(
        f"{kinds} by {methods}{f' ({numbers})' if numbers else ''}",
        f"{kinds.zh}，方法为 {methods.zh}{f'（{numbers.zh}）' if numbers else ''}",
    )
    if decision.source.startswith("sdr") and decision.target in ("hlg", "pq"):
        mapped = Words("mapped from SDR, and no HDR master", "由 SDR 映射而来，不是 HDR 母版")
        return joined((text, mapped), ": ", "；")
    return text


def _displays(rungs: Sequence[Rung]) -> list[Words]:
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
    return [
        Words(
            f"{', '.join(stated)}: the mastering display is stated as what the light is meant for: "
            f"BT.2020 with D65, {least:g} to {most:g} cd/m²",
            f"{'、'.join(stated)}：母版显示器标注为其显示光所针对的显示器：BT.2020、D65，"
            f"{least:g} 至 {most:g} cd/m²",
        )
    ]
