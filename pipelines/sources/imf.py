"""An IMF package (SMPTE ST 2067) as one source: which composition, and that its files are whole.

The tables are read here for what must be there; ffmpeg's demuxer plays the composition and is
given no more than the folder.
"""

from __future__ import annotations

import base64
import hashlib
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePosixPath
from xml.etree.ElementTree import Element, ParseError, XMLParser

from pipelines.encoding.timecode import timecode_at
from pipelines.errors import IncompleteSource, UnsupportedMedia
from pipelines.sources.wrap import Input, Parts
from pipelines.words import Words

ASSET_MAPS = ("ASSETMAP.xml", "ASSETMAP")
_XML_BYTES = 16 << 20
_LARGEST = 1 << 32  # of any number in the tables
# Of an IMF package (SMPTE ST 2067-2); its asset map, as a file of its own, is read by its name.
_TABLES = frozenset({b"CompositionPlaylist", b"PackingList"})
_HEAD_BYTES = 64 << 10
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_ELEMENT = re.compile(rb"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)")
_READ = ("MainImageSequence", "MainAudioSequence")


@dataclass(frozen=True, slots=True)
class Composition:
    """`tracks` are the ids of the files that its picture and sound are made of, `timecode` that of
    its first picture, counted at `rate`.
    """

    tracks: tuple[str, ...]
    frames: int
    left_out: tuple[Words, ...]
    rate: Fraction | None = None
    timecode: str | None = None


@dataclass(frozen=True, slots=True)
class _Package:
    """A folder with an asset map: its files by id, and the tables among them by their place."""

    asset_map: Path
    files: Mapping[str, Path]
    tables: Mapping[str, Element]
    left_out: tuple[Words, ...]

    @property
    def folder(self) -> Path:
        return self.asset_map.parent

    def named(self, kind: str) -> list[str]:
        return sorted(name for name, root in self.tables.items() if _local(root) == kind)


def imf_parts(folder: Path, asset_map: str, wanted: str) -> Parts:
    """The composition of the file `wanted`, or the only one of the package.

    What it needs and does not have may lie in the packages that it supplements: folders in it, or
    beside it. Raises `IncompleteSource` or `UnsupportedMedia`.
    """
    package = _package(folder / asset_map)
    name = _chosen(package.named("CompositionPlaylist"), wanted)
    composition = read_composition(package.tables[name])
    packages = [package, *_supplemented(package, composition.tracks)]
    files = {one: path for each in reversed(packages) for one, path in each.files.items()}
    if missing := [track for track in composition.tracks if track not in files]:
        raise IncompleteSource(
            f"{name} needs {len(missing)} track files that {asset_map} does not list "
            f"({missing[0]} …): put the packages that it supplements beside it, into one folder"
        )
    packing = [each.tables[one] for each in packages for one in each.named("PackingList")]
    for track in composition.tracks:
        _refuse_damaged(files[track], _packed(packing, track))
    guards = ("-protocol_whitelist", "file", "-format_whitelist", "imf,mxf", "-f", "imf")
    return Parts(
        name=folder.name,
        kind=Words(f"IMF composition {name}", f"IMF 合成单 {name}"),
        inputs=(Input((*guards, "-assetmaps", _maps(packages)), str(folder / name)),),
        readable=tuple(each.folder for each in packages),
        size_bytes=sum(files[track].stat().st_size for track in composition.tracks),
        frames=composition.frames,
        left_out=(*composition.left_out, *package.left_out),
        rate=composition.rate,
        timecode=composition.timecode,
    )


def _package(asset_map: Path) -> _Package:
    """Its tables are those of IMF alone: a package may have anything beside them, also as XML."""
    folder = asset_map.parent
    places = read_asset_map(_parsed(asset_map))
    for place in places.values():
        _need_inside(folder, place)
    listed = [place for place in places.values() if place.suffix.lower() == ".xml"]
    others = [place for place in listed if _is_no_table(folder / place)]
    return _Package(
        asset_map=asset_map,
        files={one: folder / place for one, place in places.items()},
        tables={str(place): _parsed(folder / place) for place in listed if place not in others},
        left_out=tuple(Words(f"{place} of the package", f"包中的 {place}") for place in others),
    )


def _supplemented(package: _Package, tracks: Sequence[str]) -> list[_Package]:
    """Those packages near by that have what is missing; what else lies there is nobody's matter."""
    missing = set(tracks) - set(package.files)
    found = []
    for asset_map in _maps_near(package.folder) if missing else ():
        try:
            other = _package(asset_map)
        except (IncompleteSource, UnsupportedMedia):
            continue
        if not missing.isdisjoint(other.files):
            found.append(other)
    return found


def _maps_near(folder: Path) -> list[Path]:
    """In the folders of this one, and of the one that it stands in; of those that can be read."""
    near = {one for place in (folder, folder.parent) for one in _within(place)} - {folder}
    maps = [one for place in near if place.is_dir() for one in _within(place)]
    return sorted(one for one in maps if one.name in ASSET_MAPS and one.is_file())


def _within(place: Path) -> list[Path]:
    """What stands in a folder and is no link; nothing of one that may not be read."""
    try:
        return [one for one in place.iterdir() if not one.is_symlink()]
    except OSError:
        return []


def _maps(packages: Sequence[_Package]) -> str:
    """As ffmpeg takes them, which knows no sign for a comma in a name."""
    maps = [str(package.asset_map) for package in packages]
    if odd := next((name for name in maps if "," in name), None):
        raise UnsupportedMedia(f"{odd!r} has a comma in it: rename the folder")
    return ",".join(maps)


def read_asset_map(root: Element) -> dict[str, PurePosixPath]:
    """Where each id lies in the folder (SMPTE ST 429-9). Pure; raises `IncompleteSource`."""
    places: dict[str, PurePosixPath] = {}
    for asset in _all(root, "Asset"):
        identity, paths = _identity(asset), [path.text or "" for path in _all(asset, "Path")]
        if identity in places or len(paths) != 1:
            raise IncompleteSource(f"the asset map does not say once where {identity} is")
        place = PurePosixPath(paths[0].strip())
        if place.is_absolute() or ".." in place.parts or ":" in str(place) or not place.parts:
            message = f"the asset map names {str(place)!r}, which is not a file of the folder"
            raise UnsupportedMedia(message)
        places[identity] = place
    return places


def read_composition(root: Element) -> Composition:
    """What a composition plays (SMPTE ST 2067-3). Pure; raises `UnsupportedMedia`."""
    tracks: dict[str, None] = {}
    left_out: dict[Words, None] = {}
    frames = 0
    rate = _rate(_optional(root, "EditRate"))
    for sequences in _all(root, "SequenceList"):
        _refuse_short_sound(sequences, rate)
        for sequence in sequences:
            kind = _local(sequence)
            if kind not in _READ:
                left_out[Words(f"{kind} of the composition", f"合成单中的 {kind}")] = None
                continue
            for resource in _all(sequence, "Resource"):
                tracks[_identity(resource, "TrackFileId")] = None
                frames += _edit_units(resource) if kind == "MainImageSequence" else 0
    if not frames:
        raise UnsupportedMedia("the composition has no picture: upload its sound as it is")
    timecode = _timecode(root, rate) if rate else None
    if rate and timecode is None and (address := _start_address(root)):
        said = f"{address!r:.40}"
        unread = Words(f"the composition's start timecode, {said}", f"合成单的起始时码 {said}")
        left_out[unread] = None
    return Composition(tuple(tracks), frames, tuple(left_out), rate, timecode)


def _refuse_short_sound(sequences: Element, rate: Fraction | None) -> None:
    """All sequences of a segment last as long as each other (SMPTE ST 2067-3, 6.11); where a sound
    ends earlier ffmpeg shows no picture after it. One edit unit less is no harm.
    """
    lengths: dict[str, list[Fraction]] = {kind: [] for kind in _READ}
    for sequence in sequences:
        length_s = _length_s(sequence, rate)
        if _local(sequence) in lengths and length_s is not None:
            lengths[_local(sequence)].append(length_s)
    shown, heard = (lengths[kind] for kind in _READ)
    if rate and shown and heard and min(heard) < max(shown) - 1 / rate:
        raise UnsupportedMedia(
            f"its sound lasts {float(min(heard)):.2f} s and its picture {float(max(shown)):.2f} s: "
            "correct the composition"
        )


def _length_s(sequence: Element, rate: Fraction | None) -> Fraction | None:
    """Nothing where nobody says at which rate its edit units count."""
    whole_s = Fraction(0)
    for resource in _all(sequence, "Resource"):
        said = _optional(resource, "EditRate")
        counted = rate if said is None else _rate(said)
        if counted is None:
            return None
        whole_s += _edit_units(resource) / counted
    return whole_s


def _rate(said: str | None) -> Fraction | None:
    """Of two whole numbers, `24000 1001`."""
    words = (said or "").split()
    if not all(word.isdecimal() for word in words) or len(words) != 2 or 0 in map(int, words):
        return None
    return Fraction(int(words[0]), int(words[1]))


def _timecode(root: Element, rate: Fraction) -> str | None:
    """Its start address (SMPTE ST 2067-3), which is counted at a rate of its own."""
    stated, address = next(_all(root, "CompositionTimecode"), None), _start_address(root)
    if stated is None or address is None:
        return None
    if _optional(stated, "TimecodeDropFrame") in ("1", "true"):
        address = f"{address[:-3]};{address[-2:]}"
    counted = Fraction(_number(stated, "TimecodeRate", round(rate)) or round(rate))
    start = timecode_at(address, counted, rate)
    return str(start) if start else None


def _start_address(root: Element) -> str | None:
    stated = next(_all(root, "CompositionTimecode"), None)
    return _optional(stated, "TimecodeStartAddress") if stated is not None else None


def _edit_units(resource: Element) -> int:
    entry = _number(resource, "EntryPoint", 0)
    whole = _number(resource, "IntrinsicDuration", 0) - entry
    return _number(resource, "SourceDuration", whole) * _number(resource, "RepeatCount", 1)


def _chosen(lists: Sequence[str], wanted: str) -> str:
    named = [name for name in lists if wanted in ("", name)]
    if len(named) == 1:
        return named[0]
    if not lists:
        raise IncompleteSource("the package has no composition (CPL): copy it again")
    raise IncompleteSource(f"the package has {len(lists)} compositions: name one of {lists}")


def _need_inside(folder: Path, place: PurePosixPath) -> None:
    """A regular file below the folder, by no link."""
    path = folder
    for word in place.parts:
        path = path / word
        if path.is_symlink():
            raise UnsupportedMedia(f"{place} is a link: put the file itself into the folder")
    if not path.is_file():
        raise IncompleteSource(f"{place} is missing, which the asset map lists: copy it again")


def _is_no_table(path: Path) -> bool:
    """Whether its first element is plainly another one's; what is broken is read, and refused."""
    with path.open("rb") as file:
        head = _COMMENT.sub(b"", file.read(_HEAD_BYTES))
    first = _ELEMENT.search(head)
    return first is not None and first[1] not in _TABLES


def _packed(packing: Sequence[Element], track: str) -> Element | None:
    assets = (asset for root in packing for asset in _all(root, "Asset"))
    return next((asset for asset in assets if _identity(asset) == track), None)


def _refuse_damaged(path: Path, packed: Element | None) -> None:
    """By size and hash of the packing list (SMPTE ST 2067-2), where it says them."""
    if packed is None:
        return
    if (size := _number(packed, "Size", path.stat().st_size)) != path.stat().st_size:
        found = path.stat().st_size
        raise IncompleteSource(f"{path.name} has {found} bytes of {size}: copy it again")
    algorithms = [one.get("Algorithm", "") for one in _all(packed, "HashAlgorithm")]
    name = "sha256" if any(one.endswith("sha256") for one in algorithms) else "sha1"
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, name).digest()
    told = _optional(packed, "Hash")
    if told and told != base64.b64encode(digest).decode():
        raise IncompleteSource(f"{path.name} is not what the packing list says: copy it again")


def _parsed(path: Path) -> Element:
    """The root of a table; a document that declares entities is none."""
    if path.stat().st_size > _XML_BYTES:
        raise UnsupportedMedia(f"{path.name} is too large for a table of an IMF package")
    content, parser = path.read_bytes(), XMLParser()  # noqa: S314 - no entity is ever declared
    if b"<!" in content.replace(b"<!--", b"") or b"\0" in content:
        raise UnsupportedMedia(f"{path.name} has declarations that no IMF table has")
    try:
        parser.feed(content)
        root: Element = parser.close()
    except ParseError as error:
        raise UnsupportedMedia(f"{path.name} is not XML ({error}): copy it again") from error
    return root


def _local(element: Element) -> str:
    """The name without its namespace, of which there is one a year."""
    return element.tag.rpartition("}")[2]


def _all(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element.iter() if _local(one) == name)


def _optional(element: Element, name: str) -> str | None:
    found = next((one.text for one in element if _local(one) == name), None)
    return found.strip() if found else None


def _identity(element: Element, name: str = "Id") -> str:
    """A UUID in its one spelling: writers differ in the case of its digits."""
    said = _text(element, name)
    try:
        return uuid.UUID(said).urn
    except ValueError as error:
        raise UnsupportedMedia(f"{said!r} in a table of the package is no UUID") from error


def _text(element: Element, name: str) -> str:
    found = _optional(element, name)
    if not found:
        raise UnsupportedMedia(f"a table of the package has {_local(element)} without {name}")
    return found


def _number(element: Element, name: str, otherwise: int) -> int:
    text = _optional(element, name)
    value = otherwise if text is None else int(text) if text.isdecimal() else -1
    if not 0 <= value <= _LARGEST:
        raise UnsupportedMedia(f"{name} of the package is {text!r}, which is no number of frames")
    return value
