"""A folder of numbered images is one source, or it is said what is wrong with it."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import IncompleteSource, UnsupportedMedia
from pipelines.sources.dpx_header import DpxHeader, dpx_header
from pipelines.sources.image_sequence import ImageSequence, find_sequence, sequence_parts

SCAN = ImageSequence("scan_", 7, ".dpx", 86400, 24)


def scan(*numbers: int, size: int = 100) -> dict[str, int]:
    return {f"scan_{number:07d}.dpx": size for number in numbers}


def test_numbers_one_after_the_other_are_a_sequence() -> None:
    """Whatever the order of the folder, and with what is no image beside it."""
    files = {"notes.txt": 3, **dict(reversed(scan(*range(86400, 86424)).items()))}
    assert find_sequence(files) == SCAN


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["9.png", "10.png", "11.png"], ImageSequence("", 1, ".png", 9, 3)),
        (["a998.TIF", "a999.TIF", "a1000.TIF"], ImageSequence("a", 3, ".TIF", 998, 3)),
        (["r2_0001.exr"], ImageSequence("r2_", 4, ".exr", 1, 1)),
        (["20261129103000001.tiff"], ImageSequence("20261129", 9, ".tiff", 103000001, 1)),
        (["100%d[*]_1.png"], ImageSequence("100%d[*]_", 1, ".png", 1, 1)),
    ],
)
def test_numbers_are_the_last_digits_of_a_name(names: list[str], found: ImageSequence) -> None:
    """With or without leading zeros; never more than ffmpeg's patterns can count."""
    assert find_sequence(dict.fromkeys(names, 1)) == found


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({}, "no numbered images"),
        ({"a.mov": 1, "cover.png": 1}, "no numbered images"),
        (scan(1, 2, 5, 9, 10), r"5 images are missing between 1 and 10 \(3–4, 6–8\)"),
        (scan(1, 3), r"1 image is missing between 1 and 3 \(2\)"),
        (scan(1, 999_999_999), "999999997 images are missing"),
        (scan(*range(1, 30, 2)), r"\(2, 4, 6, 8, 10 and 9 more\)"),
        ({**scan(1, 2), "scan_2.dpx": 100}, r"twice \(scan_0000002.dpx and scan_2.dpx\)"),
        ({"a1.dpx": 1, "a1.DPX": 1}, "numbers are there twice"),
        ({"a1.dpx": 1, "a2.DPX": 1}, r"names do not go on as a1.dpx does \(a2.DPX\)"),
        ({"a01.png": 1, "a2.png": 1}, r"do not go on as a01.png does \(a01.png\)"),
        ({"a1.png": 1, "b1.png": 1, "b2.png": 1}, r"2 sequences in it: .*a\*.png \(1\), b\*.png"),
        ({**scan(1, 2), **scan(3, size=0)}, r"1 images are empty \(scan_0000003.dpx\)"),
        ({**scan(1, 2), **scan(3, size=60)}, r"do not have the 100 bytes .*\(scan_0000003.dpx\)"),
    ],
)
def test_what_is_wrong_is_named(files: dict[str, int], why: str) -> None:
    """Gaps by their numbers, doubles and odd sizes by their names; a few of many."""
    with pytest.raises(IncompleteSource, match=why):
        find_sequence(files)


def test_compressed_images_differ_in_size() -> None:
    assert find_sequence({"a1.png": 5, "a2.png": 7}).count == 2


@pytest.mark.parametrize("wanted", ["b*.png", "b_%04d.png", "b_*"])
def test_a_pattern_takes_one_of_several_sequences(wanted: str) -> None:
    """What else the folder holds is named as left out, and nothing of a name is a pattern."""
    files = {"a_0001.png": 5, "b_0007.png": 6, "b_0008.png": 7, "sound.wav": 1}
    parts = sequence_parts(Path("/reels/50%"), files, wanted, Fraction(24000, 1001))
    (one,) = parts.inputs
    assert one.path == "/reels/50%%/b_%04d.png"
    assert one.options[-4:] == ("-framerate", "24000/1001", "-start_number", "7")
    assert (parts.frames, parts.size_bytes) == (2, 13)
    assert parts.left_out == ("a_0001.png", "sound.wav")


def test_another_reel_is_left_out_as_one(tmp_path: Path) -> None:
    """A plan has a decision for each thing that is left out, not for each of 100000 images."""
    (tmp_path / "scan_0000001.dpx").write_bytes(b"SDPX")
    other = {f"b_{number:07d}.dpx": 5 for number in range(2000)}
    odd = {f"{chr(ord('a') + number)}.txt": 1 for number in range(26)}
    wanted = sequence_parts(tmp_path, {**scan(1, 2), **other}, "scan_*", Fraction(24))
    assert wanted.left_out == ("b_*.dpx (2000 files)",)
    wanted = sequence_parts(tmp_path, {**scan(1, 2), **other, **odd}, "scan_*", Fraction(24))
    assert len(wanted.left_out) == 21
    assert wanted.left_out[-1] == "and what else lies there (2026 files in all)"


def test_brackets_of_a_pattern_are_brackets() -> None:
    files = {"a[1]_1.png": 5, "a1_1.png": 6}
    assert sequence_parts(Path("/r"), files, "a[1]_*.png", Fraction(24)).size_bytes == 5


def header(order: str, begin: int = 2048, **said: float) -> bytes:
    """A DPX header that says these things alone (SMPTE ST 268-1), and where the picture begins; all
    else is all ones.
    """
    made = bytearray(b"\xff" * 2048)
    made[:4] = b"SDPX" if order == ">" else b"XPDS"
    struct.pack_into(f"{order}I", made, 4, begin)
    for name, value in said.items():
        at, form = {"film": (1724, "f"), "video": (1940, "f"), "timecode": (1920, "I")}[name]
        struct.pack_into(f"{order}{form}", made, at, value)
    return bytes(made)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_dpx_header_says_rate_and_timecode(order: str) -> None:
    """In either order of bytes; all ones and zero are nothing."""
    found = dpx_header(header(order, film=24, video=25, timecode=0x01020324))
    assert found == DpxHeader((25, 24), "01020324")
    assert dpx_header(header(order, 1920, film=24, video=25, timecode=1)) == DpxHeader((24,))
    for nothing in (
        header(order, 1664, film=24),
        header(order),
        header(order, film=0, video=0, timecode=0),
        b"SDPX",
        b"\x89PNG",
    ):
        assert dpx_header(nothing) == DpxHeader()


def test_a_rate_that_the_images_contradict_is_refused(tmp_path: Path) -> None:
    """Headers round 24000/1001, so that this is no contradiction."""
    image = tmp_path / "scan_0000001.dpx"
    image.write_bytes(header(">", film=24))
    for rate in (Fraction(24), Fraction(24000, 1001)):
        assert sequence_parts(tmp_path, scan(1), "*", rate).rate == rate
    why = "scan_0000001.dpx says 24 pictures a second in its header, and --rate is 25: give the"
    with pytest.raises(UnsupportedMedia, match=why):
        sequence_parts(tmp_path, scan(1), "*", Fraction(25))


@pytest.mark.parametrize(
    ("coded", "timecode", "left_out"),
    [
        (0x01020323, "01:02:03:23", ()),
        (0xFFFFFFFF, None, ()),
        (0x0102033A, None, ("the images' start timecode, 0102033a",)),
        (0x01020325, None, ("the images' start timecode, 01020325",)),
    ],
)
def test_the_first_image_says_where_the_timecode_starts(
    coded: int, timecode: str | None, left_out: tuple[str, ...], tmp_path: Path
) -> None:
    """What is none at this rate is named."""
    (tmp_path / "scan_0000001.dpx").write_bytes(header(">", timecode=coded))
    parts = sequence_parts(tmp_path, scan(1), "*", Fraction(24))
    assert (parts.timecode, parts.left_out) == (timecode, left_out)
