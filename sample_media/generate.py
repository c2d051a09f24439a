"""`generate` makes a sample by name; `samples` says which there are (manifest.toml)."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from sample_media.recipes import RECIPES

MANIFEST = Path(__file__).with_name("manifest.toml")


class UnknownSample(KeyError):
    """No sample has that name; the text lists those that there are."""

    def __str__(self) -> str:
        return str(self.args[0])


@dataclass(frozen=True, slots=True)
class Sample:
    """One entry of the manifest; `probe` is what ffprobe must say of the file."""

    name: str
    file: str
    title_en: str
    title_zh: str
    height: int
    seconds: Fraction
    exercises: tuple[str, ...]
    probe: Mapping[str, Any]


@cache
def samples() -> Mapping[str, Sample]:
    """Every sample by name, in the order of the manifest."""
    entries = tomllib.loads(MANIFEST.read_text("utf-8"), parse_float=Fraction)
    return {name: _sample(name, entry) for name, entry in entries.items()}


def _sample(name: str, entry: dict[str, Any]) -> Sample:
    exercises, seconds = tuple(entry.pop("exercises")), Fraction(entry.pop("seconds"))
    return Sample(name=name, exercises=exercises, seconds=seconds, **entry)


def generate(
    name: str, folder: Path, *, seconds: float | Fraction | None = None, height: int | None = None
) -> Path:
    """Make one sample in `folder` and return its path (a folder for `dpx_sequence`).

    `height` in lines makes a smaller copy of the same thing, where the format allows another
    raster. The same arguments give the same bytes on one machine.
    """
    sample = samples().get(name)
    if sample is None:
        raise UnknownSample(f"there is no sample {name!r}: choose one of {', '.join(samples())}")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sample.file
    RECIPES[name](path, Fraction(seconds or sample.seconds), height or sample.height)
    return path
