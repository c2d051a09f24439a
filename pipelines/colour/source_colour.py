"""The colour of a source: what its tags leave out, and what no tool here takes as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import av

from pipelines.colour.chroma_siting import unshared
from pipelines.media import Colour, MediaInfo, VideoTrack
from pipelines.planning.plan_types import Plan
from pipelines.profiles.profile import Profile
from pipelines.running.filter_chain import Filters, in_words
from pipelines.words import Words

# Rasters of SD without and with the lines of the vertical interval.
_SD_LINES = {
    **dict.fromkeys((576, 608), "bt470bg"),
    **dict.fromkeys((480, 486, 512), "smpte170m"),
}
# Neither swscale nor zscale brings them to R'G'B', tried one by one with ffmpeg 9.
_ODD_MATRICES = frozenset(
    {"ycgco", "bt2020c", "smpte2085", "chroma-derived-nc", "chroma-derived-c", "ictcp"}
)
_SCANS = frozenset({"dpx", "tiff", "exr"})  # their grey begins at code 0, as R'G'B' does
_ODD_TRANSFERS = frozenset({"bt1361e", "smpte428", "log100", "log316"})
_BLACK, _WHITE = 16, 235  # R'G'B' of narrow range in 8 bits, ITU-R BT.709-6 clause 4.6


def complete_colour(picture: VideoTrack) -> Colour:
    """The track's colour with its gaps filled: by what is tagged, else by the raster."""
    said = picture.colour
    if said.dynamic_range != "sdr":
        assumed = Colour("bt2020", said.transfer, "bt2020nc", "tv")
    elif picture.is_rgb:
        assumed = Colour("bt709", "bt709", "gbr", "pc")
    else:
        family = _family(picture)
        transfer = {"bt709": "bt709", "bt2020": "bt2020-10"}.get(family, "smpte170m")
        matrix = "bt2020nc" if family == "bt2020" else family
        assumed = Colour(family, transfer, matrix, "tv")
    grey_scan = picture.codec in _SCANS and picture.pix_fmt.startswith(("gray", "ya"))
    return Colour(
        said.primaries or assumed.primaries,
        said.transfer or assumed.transfer,
        # DNxHR has a matrix in its header in any case.
        "gbr" if picture.is_rgb else said.matrix or assumed.matrix,
        said.range or ("pc" if picture.is_rgb or grey_scan else assumed.range),
    )


def inconvertible_picture(picture: VideoTrack) -> Words | None:
    """What of a picture cannot be converted, whatever its tags say or leave out, in words."""
    if picture.pix_fmt.startswith("xyz"):
        return Words(
            "space X'Y'Z' (of digital cinema, SMPTE ST 428-1)",
            "空间 X'Y'Z'（数字电影，SMPTE ST 428-1）",
        )
    return inconvertible(complete_colour(picture))


def inconvertible(colour: Colour) -> Words | None:
    """What of a complete colour cannot be converted, in words."""
    if colour.matrix in _ODD_MATRICES:
        return Words(f"matrix {colour.matrix}", f"矩阵 {colour.matrix}")
    if colour.transfer in _ODD_TRANSFERS:
        return Words(f"transfer {colour.transfer}", f"传递特性 {colour.transfer}")
    return None


def readable_colour(colour: Colour) -> Colour:
    """The nearest complete colour that can be shown, for posters and statistics."""
    usual = "bt709" if colour.dynamic_range == "sdr" else "bt2020nc"
    return replace(
        colour,
        matrix=usual if colour.matrix in _ODD_MATRICES else colour.matrix,
        transfer="bt709" if colour.transfer in _ODD_TRANSFERS else colour.transfer,
    )


def as_they_are(colour: Colour, pix_fmt: str, *, stated: bool = False) -> Filters:
    """What frames of a complete colour go through before anything that scales them.

    No scaler takes an odd colour, and a `stated` one is not what their tags say; R'G'B' stays that
    by itself, and told so what is scaled from it would be no picture for an encoder. Swscale takes
    grey for full range whatever it says: of narrow range it is made Y'CbCr without colour, whose
    codes are the same.
    """
    filters: list[tuple[str, dict[str, str]]] = []
    if stated or inconvertible(colour) is not None:
        shown = readable_colour(colour)
        tags = {
            "color_primaries": shown.primaries,
            "color_trc": shown.transfer,
            "colorspace": None if shown.matrix == "gbr" else shown.matrix,
            "range": shown.range,
        }
        filters.append(("setparams", {name: said for name, said in tags.items() if said}))
    if pix_fmt.startswith(("gray", "ya")) and colour.range == "tv":
        filters += [
            ("scale", {"in_range": "pc", "out_range": "pc"}),
            ("format", {"pix_fmts": unshared(pix_fmt)}),
            ("setparams", {"range": "tv"}),
        ]
    return filters


def planned_as_it_is(plan: Plan) -> Filters:
    """`as_they_are` of a plan's source."""
    stated = plan.source_colour_stated
    return as_they_are(plan.source_colour, plan.source_pix_fmt or "", stated=stated)


def source_as_it_is(picture: VideoTrack) -> str:
    """`as_they_are` of a track's pictures, in words."""
    colour = complete_colour(picture)
    return in_words(as_they_are(colour, picture.pix_fmt, stated=picture.colour_stated))


def to_full_range(colour: Colour, pix_fmt: str) -> dict[str, float]:
    """The options of ffmpeg's `colorlevels` for R'G'B' of narrow range in floating point, which
    alone keeps what is brighter than white; none for other pictures.

    Scalers and zscale take R'G'B' at full range whatever it says, which would leave it washed out.
    """
    stored = av.VideoFormat(pix_fmt)
    if not stored.is_rgb or colour.range != "tv":
        return {}
    bits = max(component.bits for component in stored.components)
    black, white = (code * 2 ** (bits - 8) / (2**bits - 1) for code in (_BLACK, _WHITE))
    return {
        f"{channel}i{end}": value
        for channel in "rgb"
        for end, value in (("min", black), ("max", white))
    }


def wants_light(info: MediaInfo, profiles: Sequence[Profile]) -> bool:
    """Whether a PQ rendition may come out of it that has no MaxCLL and MaxFALL from its source."""
    picture = info.picture
    if picture is None or inconvertible_picture(picture) is not None:
        return False
    in_pq = any(one.video and one.video.dynamic_range == "pq" for one in profiles)
    return in_pq and (picture.colour.dynamic_range != "pq" or picture.content_light is None)


def _family(picture: VideoTrack) -> str:
    """The primaries that SDR tags imply, or that the raster does where there are none."""
    said = picture.colour
    if said.primaries:
        return said.primaries if said.primaries != "bt470m" else "smpte170m"
    if said.matrix:
        known = {"bt709", "bt470bg", "smpte170m"}
        return (
            said.matrix if said.matrix in known else "bt2020" if "2020" in said.matrix else "bt709"
        )
    return _SD_LINES.get(picture.height, "bt709")
