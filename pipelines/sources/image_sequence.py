"""A numbered sequence of images as one source: every number once, none missing, none empty."""

from __future__ import annotations

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from fractions import Fraction
from pathlib import Path

from pipelines.errors import IncompleteSource
from pipelines.sources.dpx_header import read_dpx, refuse_other_rate, start_timecode
from pipelines.sources.exr_images import refuse_cut_short
from pipelines.sources.wrap import Input, Parts
from pipelines.words import Words

IMAGES = (".dpx", ".exr", ".png", ".tif", ".tiff")
# At most nine digits count: ffmpeg's numbers have 31 bits.
_NUMBERED = re.compile(r"(.*?)(\d{1,9})(\.(?:dpx|exr|png|tiff?))", re.IGNORECASE | re.DOTALL)
_PLACE = re.compile(r"%0?\d*d")
_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")
_NAMED, _MOST_TOLD = 5, 20
_ONE_SIZE = frozenset({".dpx"})  # without compression, so all frames take the same


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """Files `prefix` + number of at least `digits` digits + `suffix`, from `first` on."""

    prefix: str
    digits: int
    suffix: str
    first: int
    count: int

    def name(self, number: int) -> str:
        return f"{self.prefix}{number:0{self.digits}d}{self.suffix}"


def sequence_parts(folder: Path, files: Mapping[str, int], wanted: str, rate: Fraction) -> Parts:
    """The sequence among a folder's `files` (sizes by name) whose names match `wanted`.

    Raises `IncompleteSource`, and `UnsupportedMedia` where a DPX says another rate.
    """
    chosen = {name: size for name, size in files.items() if matches(name, wanted)}
    found = find_sequence(chosen)
    names = {found.name(found.first + n) for n in range(found.count)}
    if found.suffix.lower() == ".exr":
        refuse_cut_short(folder / name for name in sorted(names))
    left_out = list(_in_groups([name for name in files if name not in names]))
    timecode = None
    if found.suffix.lower() == ".dpx":
        image = folder / found.name(found.first)
        said = read_dpx(image)
        refuse_other_rate(image, said.rates, rate)
        timecode = start_timecode(said.timecode, rate) if said.timecode else None
        if said.timecode and timecode is None:
            told = f"the images' start timecode, {said.timecode}"
            left_out.append(Words(told, f"图像的起始时码 {said.timecode}"))
    pattern = f"{folder}/{found.prefix}".replace("%", "%%")
    options = (
        *("-protocol_whitelist", "file", "-format_whitelist", "image2", "-f", "image2"),
        *("-framerate", str(rate), "-start_number", str(found.first)),
    )
    first = found.name(found.first)
    return Parts(
        name=folder.name,
        kind=Words(f"{found.count} images {first} …", f"{found.count} 幅图像 {first} …"),
        inputs=(Input(options, f"{pattern}%0{found.digits}d{found.suffix}"),),
        readable=(folder,),
        size_bytes=sum(size for name, size in files.items() if name in names),
        frames=found.count,
        left_out=tuple(left_out),
        rate=rate,
        timecode=timecode,
    )


def _in_groups(names: Sequence[str]) -> Iterator[Words]:
    """What differs by its last number alone is told together: another reel has as many images."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in sorted(names):
        path = Path(name)
        groups[f"{_LAST_NUMBER.sub('*', path.stem)}{path.suffix}"].append(name)
    told = [_group(series, members) for series, members in groups.items()]
    yield from sorted(told)[:_MOST_TOLD]
    if len(told) > _MOST_TOLD:
        yield Words(
            f"and what else lies there ({len(names)} files in all)",
            f"以及目录中的其他文件（总计 {len(names)} 个）",
        )


def _group(series: str, members: Sequence[str]) -> Words:
    if len(members) == 1:
        return Words(members[0], members[0])
    return Words(f"{series} ({len(members)} files)", f"{series}（{len(members)} 个文件）")


def matches(name: str, wanted: str) -> bool:
    """`*` and `%06d` stand for the numbers; brackets and other signs for themselves."""
    literal = re.sub(r"[\[?]", lambda sign: f"[{sign[0]}]", wanted)
    return fnmatchcase(name, _PLACE.sub("*", literal))


def find_sequence(files: Mapping[str, int]) -> ImageSequence:
    """The one sequence that these files, sizes by name, are. Pure; raises `IncompleteSource`."""
    groups: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for name in files:
        if numbered := _NUMBERED.fullmatch(name):
            series = f"{numbered[1]}*{numbered[3].lower()}"
            groups[series].append((int(numbered[2]), name))
    if not groups:
        raise IncompleteSource(f"there are no numbered images ({', '.join(IMAGES)}) in it")
    if len(groups) > 1:
        told = ", ".join(f"{name} ({len(groups[name])})" for name in sorted(groups)[:_NAMED])
        raise IncompleteSource(
            f"there are {len(groups)} sequences in it: name one of them, as FOLDER/{told}"
        )
    (members,) = groups.values()
    numbers = sorted(members)
    _refuse_doubles(numbers)
    found = _named_alike(numbers)
    _refuse_gaps([number for number, _ in numbers])
    _refuse_sizes({name: files[name] for _, name in numbers})
    return found


def _refuse_doubles(numbers: Sequence[tuple[int, str]]) -> None:
    doubled = [
        f"{name} and {other}"
        for (number, name), (following, other) in itertools.pairwise(numbers)
        if number == following
    ]
    if doubled:
        raise IncompleteSource(f"numbers are there twice ({_few(doubled)}): take one of each away")


def _named_alike(numbers: Sequence[tuple[int, str]]) -> ImageSequence:
    """All with as many leading zeros and the same letters, as ffmpeg's patterns need it."""
    parts = [part for _, name in numbers if (part := _NUMBERED.fullmatch(name))]
    found = ImageSequence(
        prefix=parts[0][1],
        digits=min(len(part[2]) for part in parts),
        suffix=parts[0][3],
        first=numbers[0][0],
        count=len(numbers),
    )
    if odd := [name for number, name in numbers if name != found.name(number)]:
        first = numbers[0][1]
        raise IncompleteSource(f"names do not go on as {first} does ({_few(odd)}): rename them")
    return found


def _refuse_gaps(numbers: Sequence[int]) -> None:
    gaps = [
        (before + 1, after - 1)
        for before, after in itertools.pairwise(numbers)
        if after != before + 1
    ]
    if gaps:
        missing = sum(last - first + 1 for first, last in gaps)
        told = [f"{first}" if first == last else f"{first}–{last}" for first, last in gaps]
        images = "image is" if missing == 1 else "images are"
        raise IncompleteSource(
            f"{missing} {images} missing between {numbers[0]} and {numbers[-1]} ({_few(told)}): "
            "copy the sequence again"
        )


def _refuse_sizes(sizes: Mapping[str, int]) -> None:
    if empty := [name for name, size in sizes.items() if size == 0]:
        raise IncompleteSource(f"{len(empty)} images are empty ({_few(empty)}): copy them again")
    usual, _ = Counter(sizes.values()).most_common(1)[0]
    other = [name for name, size in sizes.items() if size != usual]
    if other and Path(other[0]).suffix.lower() in _ONE_SIZE:
        raise IncompleteSource(
            f"{len(other)} images do not have the {usual} bytes of the others ({_few(other)}): "
            "copy them again, or take apart what are two sequences"
        )


def _few(words: Sequence[str]) -> str:
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return ", ".join(words[:_NAMED]) + more
