"""One clip as MXF OP-Atom: a file with the picture, and one for each track of sound."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from pipelines.encoding.timecode import picture_timecode
from pipelines.errors import IncompleteSource
from pipelines.media import MediaInfo
from pipelines.sources.probe import probe
from pipelines.sources.wrap import Input, Parts
from pipelines.words import Words, joined

# A partition pack: key, length, versions and size of a grid, its own place, that of the one before
# it, that of the footer.
_PARTITION_KEY = bytes.fromhex("060e2b34020501010d010201")
_KEY, _FOOTER_AT, _PARTITION = 16, 24, 64
_GUARDS = ("-protocol_whitelist", "file", "-format_whitelist", "mxf")


@dataclass(frozen=True, slots=True)
class Clip:
    """The picture's file, and the sounds' in the order of their tracks."""

    picture: str
    sounds: tuple[str, ...]


def opatom_parts(folder: Path, names: Sequence[str]) -> Parts:
    """All of these MXF files as one clip; raises `IncompleteSource` and what `probe` raises."""
    for name in names:
        _refuse_cut_short(folder / name)
    infos = {name: probe(folder / name) for name in names}
    clip = one_clip(infos)
    info = infos[clip.picture]
    rate = info.picture.frame_rate if info.picture else None
    files = [folder / name for name in (clip.picture, *clip.sounds)]
    named = joined(file.name for file in files)
    return Parts(
        name=folder.name,
        kind=Words(f"MXF OP-Atom: {named}", f"MXF OP-Atom：{named.zh}"),
        inputs=tuple(Input(_GUARDS, str(file)) for file in files),
        readable=tuple(files),
        size_bytes=sum(file.stat().st_size for file in files),
        frames=_frames(info),
        left_out=tuple(track for name in names for track in infos[name].left_out),
        rate=rate,
        timecode=picture_timecode(info.timecode, rate, 0),
    )


def one_clip(infos: Mapping[str, MediaInfo]) -> Clip:
    """One picture and sound of its length and start, by the numbers in their names. Pure; raises
    `IncompleteSource`.
    """
    pictures = sorted(name for name, info in infos.items() if info.video)
    if len(pictures) != 1:
        told = ", ".join(pictures) or "none"
        raise IncompleteSource(
            f"{len(pictures)} of its MXF files have a picture ({told}): a folder must hold the "
            "files of one clip"
        )
    sounds = tuple(sorted((name for name in infos if name not in pictures), key=_by_number))
    if several := [name for name, info in infos.items() if name in sounds and len(info.audio) > 1]:
        raise IncompleteSource(f"{several[0]} has several tracks, which no OP-Atom file has")
    for name in sounds:
        _refuse_other_length(infos[pictures[0]], name, infos[name])
        _refuse_other_start(infos[pictures[0]], name, infos[name])
    return Clip(pictures[0], sounds)


def _refuse_cut_short(path: Path) -> None:
    """A file's first partition says where its footer begins, once it is closed (SMPTE ST 377-1,
    7.1); zero says that nobody knows.
    """
    with path.open("rb") as file:
        head = file.read(_PARTITION)
    length = head[_KEY : _KEY + 1]
    begins = _KEY + 1 + (length[0] & 0x7F if length and length[0] & 0x80 else 0) + _FOOTER_AT
    footer = int.from_bytes(head[begins : begins + 8], "big")
    if footer >= path.stat().st_size and head.startswith(_PARTITION_KEY):
        raise IncompleteSource(f"{path.name} ends before its footer: copy it again")


def _frames(info: MediaInfo) -> int | None:
    """How many pictures the file says that it has."""
    if info.picture is None or info.duration_s is None:
        return None
    return round(info.duration_s * info.picture.frame_rate)


def _by_number(name: str) -> tuple[list[str | int], str]:
    """A2 comes before A10."""
    words = re.split(r"(\d+)", name)
    return [int(word) if at % 2 else word for at, word in enumerate(words)], name


def _refuse_other_start(picture: MediaInfo, name: str, sound: MediaInfo) -> None:
    """Takes of one scene are as long as each other, and begin at other times."""
    begins, heard = picture.timecode, sound.timecode
    if begins and heard and begins.replace(";", ":") != heard.replace(";", ":"):
        raise IncompleteSource(
            f"{name} begins at timecode {heard} and the picture at {begins}: a folder must hold "
            "the files of one clip"
        )


def _refuse_other_length(picture: MediaInfo, name: str, sound: MediaInfo) -> None:
    """A picture's time apart, at most: files of two clips would play side by side."""
    track, lasts, heard = picture.picture, picture.duration_s, sound.duration_s
    if track and lasts and heard and abs(lasts - heard) > Fraction(1) / track.frame_rate:
        raise IncompleteSource(
            f"{name} lasts {float(heard):.2f} s and the picture {float(lasts):.2f} s: a folder "
            "must hold the files of one clip"
        )
