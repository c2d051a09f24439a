"""What a folder, or a pattern of names in one, is as a source: images, an IMF package, OP-Atom."""

from __future__ import annotations

import os
import re
from fractions import Fraction
from pathlib import Path

from pipelines.errors import UnsupportedMedia
from pipelines.sources.image_sequence import IMAGES, matches, sequence_parts
from pipelines.sources.imf import ASSET_MAPS, imf_parts
from pipelines.sources.opatom import opatom_parts
from pipelines.sources.wrap import Parts


def is_many_files(path: Path) -> bool:
    """Whether a path names a source that is more than one file: wrapped, it becomes one."""
    if path.is_file():
        return path.suffix.lower() == ".xml"
    return path.is_dir() or (path.parent.is_dir() and _is_pattern(path.name))


def _is_pattern(name: str) -> bool:
    return "*" in name or re.search(r"%0?\d*d", name) is not None


def parts_of(path: Path, rate: Fraction | None = None) -> Parts:
    """The parts, checked; `rate` is a sequence's, in pictures a second.

    Raises `IncompleteSource`, `UnsupportedMedia` and what `probe` raises.
    """
    path = path.resolve()
    folder, wanted = (path, "") if path.is_dir() else (path.parent, path.name)
    files = _files(folder)
    asset_map = next((name for name in ASSET_MAPS if name in files), None)
    if asset_map and not _is_pattern(wanted):
        return imf_parts(folder, asset_map, wanted)
    named = [name for name in sorted(files) if matches(name, wanted or "*")]
    images = [name for name in named if name.lower().endswith(IMAGES)]
    atoms = [name for name in named if name.lower().endswith(".mxf")]
    if images and atoms:
        message = f"{folder.name} holds images and MXF files: name the images, as FOLDER/*.dpx"
        raise UnsupportedMedia(message)
    if images:
        return sequence_parts(folder, files, wanted or "*", _needed(rate, folder))
    if atoms:
        return opatom_parts(folder, atoms)
    what = f"{wanted} in {folder.name}" if wanted else folder.name
    raise UnsupportedMedia(
        f"{what}: there are no numbered images, no IMF package and no MXF files: name a file"
    )


def _files(folder: Path) -> dict[str, int]:
    """Sizes of the folder's own files by name; what is hidden is nobody's essence."""
    found: dict[str, int] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_symlink():
                message = f"{entry.name} is a link: put the file itself into the folder"
                raise UnsupportedMedia(message)
            if entry.is_file():
                found[entry.name] = entry.stat().st_size
    return found


def _needed(rate: Fraction | None, folder: Path) -> Fraction:
    if rate is None:
        message = f"images do not say how fast they follow each other: give {folder.name} a --rate"
        raise UnsupportedMedia(message)
    return rate
