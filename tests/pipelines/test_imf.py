"""An IMF package is read as its composition plays, and refused where it is not whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import fromstring

import numpy as np
import pytest

from pipelines.errors import IncompleteSource, UnsupportedMedia
from pipelines.progress import finish
from pipelines.sources.imf import read_composition
from pipelines.sources.many_files import is_many_files, parts_of
from pipelines.sources.probe import probe
from pipelines.sources.wrap import wrap
from tests.pipelines import imf_package
from tests.pipelines.sources import call

pytestmark = pytest.mark.media

PQ = ",setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return imf_package.package(tmp_path_factory.mktemp("imf") / "feature", PQ)


@pytest.fixture
def package(whole: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return shutil.copytree(whole, tmp_path / "feature")


def decoded(*arguments: str | Path) -> np.ndarray:
    raw = call(*arguments, "-map", "0:v:0", "-f", "rawvideo", "-pix_fmt", "yuv422p10le", "-")
    return np.frombuffer(raw, "<u2").reshape(-1, 320 * 180 * 2)


def test_a_composition_becomes_one_file_frame_for_frame(whole: Path, tmp_path: Path) -> None:
    """Frames 2 to 7 of one file, then all ten of another, with the colour that they are tagged."""
    parts = parts_of(whole)
    assert (parts.kind, parts.frames) == ("IMF composition CPL.xml", 16)
    assert parts.left_out == ("MarkerSequence of the composition",)
    made = finish(wrap(parts, tmp_path / "one.mov"))
    info = probe(made.path)
    assert info.picture
    assert (info.picture.codec, info.picture.pix_fmt) == ("jpeg2000", "yuv422p10le")
    assert (info.picture.colour.transfer, info.picture.colour.primaries) == ("smpte2084", "bt2020")
    assert info.picture.container_frames == 16
    assert info.timecode == imf_package.START
    (track,) = info.audio
    assert (track.codec, track.duration_s) == ("pcm_s24le", Fraction(16, 24))
    expected = [decoded("-i", whole / "v0.mxf")[2:8], decoded("-i", whole / "v1.mxf")]
    assert np.array_equal(decoded("-i", made.path), np.concatenate(expected))


def test_a_start_timecode_that_is_not_understood_is_named(tmp_path: Path) -> None:
    """And is no zero, which would pass for the composition's own."""
    pictures = imf_package.sequence("MainImageSequence", imf_package.resource("v1.mxf", 0, 4, 3))
    name = imf_package.composition(tmp_path, "CPL.xml", pictures)
    text = (tmp_path / name).read_text().replace(imf_package.START, "ten")
    composition = read_composition(fromstring(text))
    assert composition.timecode is None
    assert composition.left_out == ("the composition's start timecode, 'ten'",)


@pytest.mark.parametrize(("sound", "rate"), [((0, 6), "24 1"), ((0, 12_000), "48000 1")])
def test_a_composition_whose_sound_is_too_short_says_so(
    sound: tuple[int, int], rate: str, tmp_path: Path
) -> None:
    """Counted in pictures or in samples; it looked as if the pictures were damaged."""
    heard = imf_package.resource("a1.mxf", *sound).replace("24 1", rate)
    sequences = (
        imf_package.sequence("MainImageSequence", imf_package.resource("v1.mxf", 0, 9)),
        imf_package.sequence("MainAudioSequence", heard),
    )
    name = imf_package.composition(tmp_path, "CPL.xml", *sequences)
    with pytest.raises(UnsupportedMedia, match=r"lasts 0\.25 s and its picture 0\.38 s: corr"):
        read_composition(fromstring((tmp_path / name).read_text()))


def test_a_composition_may_be_named_by_its_file(package: Path) -> None:
    """Where a package has two, one must be."""
    other = imf_package.sequence("MainImageSequence", imf_package.resource("v1.mxf", 0, 4, 3))
    imf_package.composition(package, "other.xml", other)
    names = ("v0.mxf", "v1.mxf", "a0.mxf", "a1.mxf", "CPL.xml", "PKL.xml", "other.xml")
    imf_package.asset_map(package, {name: name for name in names})
    with pytest.raises(IncompleteSource, match=r"2 compositions: name one of \['CPL.xml', 'other"):
        parts_of(package)
    assert is_many_files(package / "other.xml")
    assert parts_of(package / "other.xml").frames == 12


def test_ids_are_equal_in_any_case(package: Path) -> None:
    """Some writers have the digits of a UUID in capitals in one table, small in another."""
    text = (package / "CPL.xml").read_text()
    identity = imf_package.identity("v0.mxf")
    capital = identity[:9] + identity[9:].upper()
    assert identity != capital
    (package / "CPL.xml").write_text(text.replace(identity, capital))
    assert parts_of(package).frames == 16


def test_what_else_a_package_lists_as_xml_is_left_out(package: Path, tmp_path: Path) -> None:
    """A sidecar may be large, or have declarations: it is not read."""
    (package / "side.xml").write_text("<!DOCTYPE x><!-- <CompositionPlaylist --><x/>")
    names = ("v0.mxf", "v1.mxf", "a0.mxf", "a1.mxf", "CPL.xml", "PKL.xml", "side.xml")
    imf_package.asset_map(package, {name: name for name in names})
    parts = parts_of(package)
    assert parts.left_out == ("MarkerSequence of the composition", "side.xml of the package")
    assert finish(wrap(parts, tmp_path / "one.mov")).path.is_file()


@pytest.mark.parametrize("place", ["original", "feature/original"])
def test_a_package_may_supplement_another_one(place: str, package: Path, tmp_path: Path) -> None:
    """Two packages cannot be in one folder, since each has its asset map: one lies in or beside
    the other.
    """
    original = tmp_path / place
    original.mkdir()
    for name in ("v0.mxf", "a0.mxf"):
        (package / name).rename(original / name)
    imf_package.packing_list(original, ("v0.mxf", "a0.mxf"))
    imf_package.asset_map(original, {name: name for name in ("v0.mxf", "a0.mxf", "PKL.xml")})
    names = ("v1.mxf", "a1.mxf", "CPL.xml", "PKL.xml")
    imf_package.asset_map(package, {name: name for name in names})
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "ASSETMAP.xml").write_text("only words")
    made = finish(wrap(parts_of(package), tmp_path / "one.mov"))
    assert (picture := probe(made.path).picture) is not None
    assert picture.container_frames == 16
    content = (original / "v0.mxf").read_bytes()
    (original / "v0.mxf").write_bytes(content[:-1])
    with pytest.raises(IncompleteSource, match=r"v0.mxf has \d+ bytes of"):
        parts_of(package)


def _cut_short(package: Path) -> None:
    file = package / "v1.mxf"
    file.write_bytes(file.read_bytes()[:-100])


def _flip(package: Path) -> None:
    content = bytearray((package / "a0.mxf").read_bytes())
    content[-2000] ^= 1
    (package / "a0.mxf").write_bytes(content)


def _unlisted(package: Path) -> None:
    imf_package.asset_map(package, {name: name for name in ("CPL.xml", "v0.mxf", "a0.mxf")})


def _outside(package: Path) -> None:
    imf_package.asset_map(package, {"CPL.xml": "CPL.xml", "v0.mxf": "../../etc/passwd"})


def _absolute(package: Path) -> None:
    imf_package.asset_map(package, {"CPL.xml": "CPL.xml", "v0.mxf": "/etc/passwd"})


def _address(package: Path) -> None:
    imf_package.asset_map(package, {"CPL.xml": "http://127.0.0.1/CPL.xml"})


def _link(package: Path) -> None:
    (package / "v0.mxf").unlink()
    (package / "v0.mxf").symlink_to("/etc/passwd")


def _linked_folder(package: Path) -> None:
    (package / ".more").symlink_to("/etc")
    imf_package.asset_map(package, {"CPL.xml": "CPL.xml", "v0.mxf": ".more/passwd"})


def _entities(package: Path) -> None:
    text = (package / "CPL.xml").read_text()
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    (package / "CPL.xml").write_text(
        text.replace("<CompositionPlaylist", f"{bomb}<CompositionPlaylist")
    )


def _no_xml(package: Path) -> None:
    (package / "CPL.xml").write_text("only words")


def _endless(package: Path) -> None:
    text = (package / "CPL.xml").read_text()
    (package / "CPL.xml").write_text(text.replace("<RepeatCount>1<", "<RepeatCount>99999999999<"))


def _no_picture(package: Path) -> None:
    heard = imf_package.sequence("MainAudioSequence", imf_package.resource("a0.mxf"))
    imf_package.composition(package, "CPL.xml", heard)


def _no_composition(package: Path) -> None:
    imf_package.asset_map(package, {"PKL.xml": "PKL.xml"})


@pytest.mark.parametrize(
    ("breaks", "error", "why"),
    [
        (_cut_short, IncompleteSource, r"v1.mxf has \d+ bytes of \d+: copy it again"),
        (_flip, IncompleteSource, "a0.mxf is not what the packing list says"),
        (lambda one: (one / "a1.mxf").unlink(), IncompleteSource, "a1.mxf is missing"),
        (_unlisted, IncompleteSource, "needs 2 track files that ASSETMAP.xml does not list"),
        (_outside, UnsupportedMedia, "'../../etc/passwd', which is not a file of the folder"),
        (_absolute, UnsupportedMedia, "'/etc/passwd', which is not a file of the folder"),
        (_address, UnsupportedMedia, "which is not a file of the folder"),
        (_link, UnsupportedMedia, "v0.mxf is a link"),
        (_linked_folder, UnsupportedMedia, ".more/passwd is a link"),
        (_entities, UnsupportedMedia, "CPL.xml has declarations"),
        (_no_xml, UnsupportedMedia, "CPL.xml is not XML"),
        (_endless, UnsupportedMedia, "RepeatCount of the package is '99999999999'"),
        (_no_picture, UnsupportedMedia, "the composition has no picture"),
        (_no_composition, IncompleteSource, r"no composition \(CPL\)"),
    ],
)
def test_a_broken_or_hostile_package_is_refused_before_it_is_played(
    breaks: Callable[[Path], None], error: type[Exception], why: str, package: Path
) -> None:
    """Nothing outside of its folder is ever opened for it."""
    breaks(package)
    with pytest.raises(error, match=why):
        parts_of(package)
