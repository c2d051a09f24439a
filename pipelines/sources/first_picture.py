"""ffmpeg's word on a picture track that PyAV cannot decode, read from its `showinfo` log."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.media import Colour, FieldOrder
from pipelines.running.run import capture
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import PICTURE_INPUT

_FIELD_ORDERS: dict[str, FieldOrder] = {"P": "progressive", "T": "tt", "B": "bb"}
_AVS_CODECS = ("avs2", "avs3", "cavs")
_TELLING = "[Parsed_showinfo"  # a title in the log may say all that a picture does


@dataclass(frozen=True, slots=True)
class FirstPicture:
    codec: str
    width: int
    height: int
    pix_fmt: str
    sample_aspect_ratio: Fraction | None
    field_order: FieldOrder
    colour: Colour


def first_picture(path: Path, index: int) -> FirstPicture | None:
    """Decode one picture of stream `index`; `None` when there is none."""
    argv = [
        *(ffmpeg(), "-nostdin", "-hide_banner", "-threads", "1", *PICTURE_INPUT),
        *("-i", str(path), "-map", f"0:{index}", "-vf", "showinfo=checksum=0"),
        *("-frames:v", "1", "-f", "null", "-"),
    ]
    return read_log(capture(argv, readable=[path]).stderr, index)


def read_log(log: str, index: int) -> FirstPicture | None:
    """The first picture that a `showinfo` log tells of, and the codec of its stream."""
    codec = re.search(rf"^ *Stream #0:{index}\b.*?: Video: (\w+)", log, re.MULTILINE)
    told = "\n".join(line for line in log.split("\n") if line.startswith(_TELLING))
    shown = re.search(r"\bfmt:(\w+) .*?\bsar:(\d+)/(\d+) s:(\d+)x(\d+) i:(\w)", told)
    if not (codec and shown):
        return None
    pix_fmt, over, under, width, height, fields = shown.groups()
    return FirstPicture(
        codec=codec[1],
        width=int(width),
        height=int(height),
        pix_fmt=pix_fmt,
        sample_aspect_ratio=Fraction(int(over), int(under)) if int(over) else None,
        field_order=_FIELD_ORDERS.get(fields, "progressive"),
        colour=_colour(told, codec[1]),
    )


def _colour(log: str, codec: str) -> Colour:
    keys = ("color_primaries", "color_trc", "color_space", "color_range")
    primaries, transfer, matrix, value_range = (_named(log, key) for key in keys)
    if codec in _AVS_CODECS and matrix == "ycgco":
        matrix = "bt2020nc"  # AVS code 8 is BT.2020 NCL, ISO's code 8 is YCgCo (STANDARDS.md)
    return Colour(primaries, transfer, matrix, value_range)


def _named(log: str, key: str) -> str | None:
    found = re.search(rf"\b{key}:(\S+)", log)
    return found[1] if found and found[1] not in ("unknown", "unspecified") else None
