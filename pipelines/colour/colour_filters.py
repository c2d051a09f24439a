"""Colour conversions as ffmpeg filters, each a 3D table computed from its formula.

A table takes signals from black (0) to nominal white (1), of SDR up to 1.10, and gives up to 1.05:
so RGB travels as floating point, which costs no more than 16 bits. (zscale takes and gives RGB at
full range whatever its range options say; only Y'CbCr obeys them.) What lies outside in the source
is clipped. Brightness and hue policy stand in `colour_maths`, the numbers in the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.colour.chroma_siting import USUAL, is_sited
from pipelines.colour.colour_methods import INTERVALS, convert, formula, has_formula, parameters_of
from pipelines.colour.colour_types import Conversion, Parameters
from pipelines.media import ChromaLocation, Colour
from pipelines.planning.plan_types import VideoPlan
from pipelines.running.cache_files import kept_file

_TABLE_VERSION = 4  # raised with every change of a formula: tables are kept between runs
SDR_709 = Colour("bt709", "bt709", "bt709", "tv")
HLG_2020 = Colour("bt2020", "arib-std-b67", "bt2020nc", "tv")
PQ_2020 = Colour("bt2020", "smpte2084", "bt2020nc", "tv")

_TARGETS = {
    "pq_to_hlg": HLG_2020,
    "hlg_to_pq": PQ_2020,
    "sdr_to_hlg": HLG_2020,
    "sdr_to_pq": PQ_2020,
}
# One display gamma in practice: converting between them would only darken or lift the picture.
_SDR_TRANSFERS = frozenset({"bt709", "smpte170m", "bt470bg", "bt470m", "bt2020-10", "bt2020-12"})
_RANGES = {"tv": "limited", "pc": "full"}
_Options = dict[str, Any]


def target_colour(conversion: Conversion, source: Colour) -> Colour:
    """What the pictures must say after the conversion. `none` keeps the light, and still gives HDR
    the usual matrix and range.
    """
    if conversion == "none" and source.dynamic_range != "sdr":
        return replace(source, matrix="bt2020nc", range="tv")
    return _TARGETS.get(conversion, SDR_709)


def tables_of(videos: Sequence[VideoPlan]) -> list[Path]:
    """The tables that the filters of these pictures read, each once."""
    wanted = {(video.conversion, numbers_of(video)) for video in videos}
    return sorted(lut_file(*one) for one in wanted if has_formula(one[0]))


def numbers_of(video: VideoPlan) -> Parameters:
    """What the formula of a rung takes; a plan made by hand has the standard's."""
    decision = video.colour_decision
    return decision.parameters if decision else parameters_of(video.conversion, None)


def lut_file(conversion: Conversion, parameters: Parameters, folder: Path | None = None) -> Path:
    """The conversion's table as a .cube file in `folder` (else this user's cache), made once."""
    numbers = sha256(repr(parameters).encode()).hexdigest()[:12]
    make = partial(_cube, conversion, parameters)
    return kept_file(f"{conversion}-{_TABLE_VERSION}-{numbers}.cube", make, folder)


def conversion_filters(
    stream: Any,
    conversion: Conversion,
    parameters: Parameters,
    source: Colour,
    pix_fmt: str,
    folder: Path | None = None,
    enlarged: tuple[int, int] | None = None,
    stands: tuple[ChromaLocation, ChromaLocation] = (USUAL, USUAL),
) -> Any:
    """The ffmpeg-python nodes that bring `source` pictures to `pix_fmt` and `target_colour`.

    `source` must be complete: the plan has filled in what the file leaves out. The frames are
    tagged at the end, for encoders and for filters that would else convert them once more.
    `enlarged` is a size to bring them to in the same step, so that 8 bits are not rounded to 8 bits
    before they become 10. Samples of colour `stands` where they are, and where they are to be.
    """
    target = target_colour(conversion, source)
    sized, sited = _sized(enlarged), {"chromalin": stands[0], "chromal": stands[1]}
    if conversion == "none":
        converted = _same_light(stream, source, pix_fmt, sized, sited)
    elif conversion == "sdr_to_sdr":
        converted = _sdr_to_709(stream, source, pix_fmt, {**sized, **sited})
    else:
        table = lut_file(conversion, parameters, folder)
        converted = _through_table(stream, table, source, target, pix_fmt, sized, sited)
    if enlarged:
        converted = converted.filter("setsar", 1)
    # What is made anew is progressive, whatever its source was flagged as: HEVC would say it again.
    others = {"field_mode": "prog"}
    if is_sited(pix_fmt):  # encoders write what the frames say
        others["chroma_location"] = stands[1]
    return signal(converted.filter("format", pix_fmts=pix_fmt), target, **others)


def _sized(enlarged: tuple[int, int] | None) -> _Options:
    """Of a zscale that enlarges. Lanczos came nearest to the original of what had been made small
    (decision 20).
    """
    if enlarged is None:
        return {}
    width, height = enlarged
    return {"width": width, "height": height, "filter": "lanczos"}


def signal(stream: Any, colour: Colour, **others: str) -> Any:
    """End a chain with the colour that encoders write: output options do not reach them.

    `others` are more options of ffmpeg's `setparams`.
    """
    return stream.filter(
        "setparams",
        color_primaries=colour.primaries,
        color_trc=colour.transfer,
        colorspace=colour.matrix,
        range=colour.range,
        **others,
    )


def needs_sdr_conversion(source: Colour) -> bool:
    """Whether complete SDR colour differs from narrow-range BT.709 in more than the name."""
    same_gamma = source.transfer in _SDR_TRANSFERS
    return (source.primaries, source.matrix, source.range) != ("bt709", "bt709", "tv") or (
        not same_gamma
    )


def _same_light(stream: Any, source: Colour, pix_fmt: str, sized: _Options, sited: _Options) -> Any:
    """Only the usual matrix and range, where HDR comes with others."""
    usual = target_colour("none", source)
    if source.dynamic_range == "sdr" or source == usual:
        if not sized:
            return stream
        return stream.filter("zscale", **sized, **sited, dither=_dither(pix_fmt))
    return stream.filter(
        "zscale",
        matrixin=source.matrix,
        rangein=_RANGES[source.range or "tv"],
        matrix=usual.matrix,
        range="limited",
        **sized,
        **sited,
    )


def to_table(source: Colour) -> dict[str, str | None]:
    """The options of the zscale that makes R'G'B' of BT.2020, which every table takes.

    RGB is at full range in zscale. SDR's light is that of a BT.1886 display (ITU-R BT.2087).
    """
    options = {
        "matrixin": source.matrix,
        "rangein": _RANGES[source.range or "tv"],
        "matrix": "gbr",
    }
    sdr = source.dynamic_range == "sdr"
    usual = "bt709" if source.transfer in _SDR_TRANSFERS else source.transfer
    if source.primaries == "bt2020" and (not sdr or usual == "bt709"):
        return options
    return {
        **options,
        "primariesin": source.primaries,
        "transferin": usual,
        "primaries": "bt2020",
        "transfer": "bt709" if sdr else usual,
    }


def to_709(source: Colour) -> dict[str, str | None]:
    """The options of the zscale that brings complete SDR colour to BT.709's light and transfer."""
    same_gamma = source.transfer in _SDR_TRANSFERS
    return {
        "matrixin": source.matrix,
        "primariesin": source.primaries,
        "transferin": "bt709" if same_gamma else source.transfer,
        "rangein": _RANGES[source.range or "tv"],
        "primaries": "bt709",
        "transfer": "bt709",
    }


def _through_table(
    stream: Any,
    table: Path,
    source: Colour,
    target: Colour,
    pix_fmt: str,
    sized: _Options,
    sited: _Options,
) -> Any:
    """The chroma's bicubic is for its missing samples."""
    return (
        stream.filter(
            "zscale",
            **{"filter": "bicubic", **to_table(source), **sized},
            chromalin=sited["chromalin"],
        )
        .filter("format", pix_fmts="gbrpf32le")
        .filter("lut3d", file=str(table), interp="tetrahedral")
        .filter(
            "zscale",
            matrixin="gbr",
            matrix=target.matrix,
            range="limited",
            chromal=sited["chromal"],
            dither=_dither(pix_fmt),
        )
    )


def _sdr_to_709(stream: Any, source: Colour, pix_fmt: str, others: _Options) -> Any:
    options = {**to_709(source), **others}
    return stream.filter(
        "zscale", **options, matrix="bt709", range="limited", dither=_dither(pix_fmt)
    )


def _dither(pix_fmt: str) -> str:
    """8 bits band without; ordered costs nothing and stays the same from frame to frame."""
    return "none" if "10" in pix_fmt or "12" in pix_fmt or "16" in pix_fmt else "ordered"


def _cube(conversion: Conversion, parameters: Parameters) -> bytes:
    """An Adobe/IRIDAS .cube text: red runs fastest."""
    values = {parameter.name: parameter.value for parameter in parameters}
    top = formula(conversion).top(values)
    nodes = np.linspace(0.0, top, INTERVALS + 1)
    blue, green, red = np.meshgrid(nodes, nodes, nodes, indexing="ij")
    signals = np.stack([red, green, blue], axis=-1).reshape(-1, 3)
    out = convert(signals, conversion, parameters)
    rows = "\n".join(f"{r:.6f} {g:.6f} {b:.6f}" for r, g, b in out.tolist())
    head = f'TITLE "Kapok {conversion}"\nLUT_3D_SIZE {len(nodes)}'
    domain = f"DOMAIN_MIN 0 0 0\nDOMAIN_MAX {top:.9f} {top:.9f} {top:.9f}"
    return f"{head}\n{domain}\n{rows}\n".encode()
