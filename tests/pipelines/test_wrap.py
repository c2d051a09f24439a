"""Many files become one, packet by packet, or nothing at all."""

from __future__ import annotations

import hashlib
import shutil
import struct
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import generated, make

from pipelines.errors import IncompleteSource, UnsupportedMedia
from pipelines.progress import finish
from pipelines.sources.exr_images import is_cut_short
from pipelines.sources.many_files import is_many_files, parts_of
from pipelines.sources.opatom import Clip, one_clip
from pipelines.sources.probe import probe
from pipelines.sources.wrap import wrap
from sample_media.generate import generate
from tests.pipelines.sources import HD, STEREO, call, described

pytestmark = pytest.mark.media

FILM = Fraction(24000, 1001)
IMAGES = {
    "dpx10": ("dpx", "gbrp10le"),
    "dpx12": ("dpx", "gbrp12le"),
    "dpx16": ("dpx", "rgb48be"),
    "dpx-grey": ("dpx", "gray16be"),
    "tiff16": ("tiff", "rgb48le"),
    "tiff-grey": ("tiff", "gray16le"),
    "png16": ("png", "rgb48be"),
    "exr": ("exr", "gbrpf32le"),
}


def images(folder: Path, kind: str, frames: int = 5) -> Path:
    """Noise that fills every bit of the format, so that a lost one shows."""
    codec, pix_fmt = IMAGES[kind]
    folder.mkdir()
    noise = f"nullsrc=s=64x48:r=24,format=gray16le,geq=random(1)*65535,trim=end_frame={frames}"
    pattern = ("-start_number", "998", str(folder / f"f%03d.{codec}"))
    argv = ("-pix_fmt", pix_fmt, "-c:v", codec, *pattern)
    call(*generated(noise), *argv)
    return folder


@pytest.mark.parametrize("kind", IMAGES)
def test_images_become_one_file_that_holds_their_bytes(kind: str, tmp_path: Path) -> None:
    """At their depth and an exact rate; SHA-256 of the stream is that of all files in order."""
    codec, pix_fmt = IMAGES[kind]
    folder = images(tmp_path / kind, kind)
    made = finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov"))
    picture = probe(made.path).picture
    assert picture
    assert (picture.codec, picture.pix_fmt) == (codec, pix_fmt)
    assert (picture.frame_rate, picture.container_frames) == (FILM, 5)
    files = [folder / f"f{number}.{codec}" for number in range(998, 1003)]
    told = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    assert made.hashes == (told,)


def test_the_images_come_back_byte_for_byte(tmp_path: Path) -> None:
    """By ffmpeg, as the guide says it."""
    folder = images(tmp_path / "scan", "dpx10")
    made = finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov"))
    back = tmp_path / "back"
    back.mkdir()
    call("-i", made.path, "-c", "copy", "-start_number", "998", back / "f%03d.dpx")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {path.name: path.read_bytes() for path in back.iterdir()} == files


def test_the_same_images_give_the_same_file(tmp_path: Path) -> None:
    """So that an upload which was broken off can go on."""
    folder = images(tmp_path / "scan", "dpx10")
    one = finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov")).path
    other = finish(wrap(parts_of(folder, FILM), tmp_path / "other.mov")).path
    assert one.read_bytes() == other.read_bytes()


def test_the_sample_of_a_film_scan_is_read(tmp_path: Path) -> None:
    """A header with everything that scanners write, numbered from one hour on."""
    folder = generate("dpx_sequence", tmp_path, seconds=1, height=96)
    parts = parts_of(folder, Fraction(24))
    picture = probe(finish(wrap(parts, tmp_path / "one.mov")).path).picture
    assert picture
    assert (parts.frames, picture.pix_fmt, picture.bit_depth) == (24, "gbrp10le", 10)


@pytest.mark.parametrize(
    ("codes", "colour", "noted"),
    [
        ((6, 6), ("bt709", "bt709"), ""),
        ((2, 2), (None, "linear"), ""),
        ((1, 1), (None, None), "its DPX header says printing density"),
        ((3, 6), ("bt709", None), "its DPX header says logarithmic light"),
    ],
)
def test_the_light_that_a_dpx_header_states_is_read_or_said(
    codes: tuple[int, int], colour: tuple[str | None, str | None], noted: str, tmp_path: Path
) -> None:
    """Transfer and primaries; what ffmpeg has no name for is a finding."""
    folder = images(tmp_path / "scan", "dpx10")
    for file in folder.iterdir():
        content = bytearray(file.read_bytes())
        content[801:803] = bytes(codes)
        file.write_bytes(content)
    info = probe(finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov")).path)
    assert info.picture
    assert (info.picture.colour.primaries, info.picture.colour.transfer) == colour
    assert [noted in note for note in info.notes] == ([True] if noted else [])


def test_the_timecode_of_dpx_images_is_that_of_the_file(tmp_path: Path) -> None:
    """Which a copy of their packets loses."""
    folder = images(tmp_path / "scan", "dpx10")
    for file in folder.iterdir():
        number, content = int(file.stem[1:]) - 998, bytearray(file.read_bytes())
        content[1664:1664] = b"\xff" * 256 + bytes([number, 3, 2, 1]) + b"\xff" * 124
        content[4:8] = content[24:28] = (2048).to_bytes(4, "little")
        file.write_bytes(content)
    made = finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov"))
    assert probe(made.path).timecode == "01:02:03:00"


def test_a_folder_whose_name_looks_like_a_pattern_is_read(tmp_path: Path) -> None:
    folder = images(tmp_path / "scan", "png16").rename(tmp_path / "100% [a] %03d *")
    made = finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov"))
    assert probe(made.path).picture


@pytest.mark.parametrize("number", [998, 1000, 1002])
@pytest.mark.parametrize("kind", ["png16", "tiff16"])
def test_an_image_that_does_not_decode_leaves_no_file(
    kind: str, number: int, tmp_path: Path
) -> None:
    """A decoder would go on without it, and the programme would be shorter."""
    folder = images(tmp_path / "scan", kind)
    (file,) = folder.glob(f"f{number}.*")
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(IncompleteSource, match="4 of the 5 pictures of scan can be decoded"):
        finish(wrap(parts_of(folder, FILM), tmp_path / "one.mov"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["scan"]


@pytest.mark.parametrize("compression", ["none", "zip16"])
def test_an_exr_that_ends_early_is_named(compression: str, tmp_path: Path) -> None:
    """Ffmpeg makes a whole picture of it, black from there on, and says nothing."""
    folder = tmp_path / "scan"
    folder.mkdir()
    noise = "nullsrc=s=64x48:r=24,format=gray16le,geq=random(1)*65535,trim=end_frame=3"
    pattern = folder / "f%03d.exr"
    call(*generated(noise), "-c:v", "exr", "-compression", compression, pattern)
    parts_of(folder, FILM)
    file = folder / "f002.exr"
    whole = file.read_bytes()
    for spoilt in (whole[:-1], whole[: len(whole) // 2], whole[:300], whole[:20]):
        file.write_bytes(spoilt)
        with pytest.raises(IncompleteSource, match=r"f002.exr ends before its table"):
            parts_of(folder, FILM)


def exr(*, tiled: bool, parts: bool) -> bytes:
    """Of 64 by 64 pixels in four chunks with three bytes each: tiles, or lines of two parts."""
    said = {"dataWindow": struct.pack("<4i", 0, 0, 63, 63), "compression": b"\0"}
    said |= {"tiles": struct.pack("<2IB", 32, 32, 0)} if tiled else {}
    said |= {"chunkCount": struct.pack("<i", 2)} if parts else {}
    header = b"".join(
        name.encode() + b"\0any\0" + struct.pack("<i", len(value)) + value
        for name, value in said.items()
    )
    flags = 2 | (0x200 if tiled else 0) | (0x1000 if parts else 0)
    headers = 2 * (header + b"\0") + b"\0" if parts else header + b"\0"
    head = b"v/1\x01" + struct.pack("<i", flags) + headers
    chunk = bytes(4 * ((4 if tiled else 1) + parts)) + struct.pack("<i", 3) + b"abc"
    begin = len(head) + 4 * 8
    table = struct.pack("<4Q", *(begin + n * len(chunk) for n in range(4)))
    return head + table + 4 * chunk


@pytest.mark.parametrize(
    "whole",
    [exr(tiled=True, parts=False), exr(tiled=False, parts=True), exr(tiled=True, parts=True)],
    ids=["tiles", "parts", "both"],
)
def test_tiles_and_parts_of_an_exr_are_counted(whole: bytes, tmp_path: Path) -> None:
    """Where a renderer was broken off, zeros stand in the table."""
    file = tmp_path / "a.exr"
    last = struct.pack("<Q", len(whole) - len(whole.split(b"abc")[1]) - 3)
    assert whole.count(last) == 1
    for content, cut in ((whole, False), (whole[:-1], True), (whole.replace(last, bytes(8)), True)):
        file.write_bytes(content)
        assert is_cut_short(file) == cut


def test_links_are_not_followed(tmp_path: Path) -> None:
    """A folder that somebody sent may point anywhere."""
    folder = images(tmp_path / "scan", "png16")
    (folder / "f1003.png").symlink_to("/etc/passwd")
    with pytest.raises(UnsupportedMedia, match=r"f1003.png is a link"):
        parts_of(folder, FILM)


def test_a_rate_is_needed_and_a_folder_of_nothing_is_said_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedMedia, match="give scan a --rate"):
        parts_of(images(tmp_path / "scan", "png16"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UnsupportedMedia, match="empty: there are no numbered images, no IMF"):
        parts_of(empty)


def test_what_was_named_is_what_is_taken(tmp_path: Path) -> None:
    """A table of no package, or a pattern that nothing meets, is not the rest of its folder."""
    folder = images(tmp_path / "scan", "png16")
    (folder / "words.xml").write_text("<a/>")
    with pytest.raises(UnsupportedMedia, match=r"words.xml in scan: there are no numbered images"):
        parts_of(folder / "words.xml", FILM)
    with pytest.raises(UnsupportedMedia, match=r"b_\*.png in scan: there are no numbered"):
        parts_of(folder / "b_*.png", FILM)
    (folder / "clip.mxf").write_bytes(b"")
    with pytest.raises(UnsupportedMedia, match="scan holds images and MXF files"):
        parts_of(folder, FILM)
    assert parts_of(folder / "f*.png", FILM).left_out == ("clip.mxf", "words.xml")


def test_what_is_one_file_is_not_many(tmp_path: Path) -> None:
    """A missing file with a per cent sign is missing, no pattern."""
    file = tmp_path / "100%.mov"
    assert not is_many_files(file)
    file.touch()
    assert not is_many_files(file)
    assert is_many_files(tmp_path)
    assert is_many_files(tmp_path / "a_%06d.dpx")
    assert is_many_files(tmp_path / "a_*.dpx")


def atoms(folder: Path, coder: tuple[str, ...], sounds: int = 2) -> Path:
    """A clip of ten frames as OP-Atom, with a tone of its own on each track."""
    folder.mkdir()
    picture = "testsrc2=s=1920x1080:r=25,trim=end_frame=10"
    make(folder / "clip.V1.mxf", *generated(picture), *coder, "-f", "mxf_opatom")
    for number in range(1, sounds + 1):
        tone = f"sine={440 * number}:sample_rate=48000,atrim=end_sample=19200"
        coded = ("-c:a", "pcm_s24le", "-f", "mxf_opatom", "-mxf_audio_edit_rate", "25")
        make(folder / f"clip.A{number}.mxf", *generated(tone), *coded)
    return folder


@pytest.mark.parametrize(
    ("codec", "coder"),
    [
        ("dnxhd", ("-pix_fmt", "yuv422p", "-c:v", "dnxhd", "-b:v", "120M")),
        (
            "h264",
            ("-pix_fmt", "yuv422p10le", "-c:v", "libx264", "-x264-params", "avcintra-class=100"),
        ),
    ],
)
def test_the_files_of_an_opatom_clip_become_one(
    codec: str, coder: tuple[str, ...], tmp_path: Path
) -> None:
    """The picture, then the sound in the order of the names."""
    folder = atoms(tmp_path / "clip", coder)
    parts = parts_of(folder)
    assert parts.kind == "MXF OP-Atom: clip.V1.mxf, clip.A1.mxf, clip.A2.mxf"
    made = finish(wrap(parts, tmp_path / "one.mov"))
    info = probe(made.path)
    assert info.picture
    assert (info.picture.codec, info.picture.container_frames) == (codec, 10)
    for number, track in enumerate(info.audio, start=1):
        raw = call("-i", made.path, "-map", f"0:{track.index}", "-f", "s16le", "-")
        spectrum = np.abs(np.fft.rfft(np.frombuffer(raw, "<i2")))
        assert float(np.argmax(spectrum)) * 48000 / (len(raw) // 2) == pytest.approx(
            440 * number, 0.01
        )
    assert len(info.audio) == 2


def test_files_of_two_clips_are_not_mixed(tmp_path: Path) -> None:
    """Two pictures, or sound of another length, tell it."""
    folder = atoms(tmp_path / "clip", ("-pix_fmt", "yuv422p", "-c:v", "dnxhd", "-b:v", "120M"), 1)
    shutil.copy(folder / "clip.V1.mxf", folder / "other.V1.mxf")
    with pytest.raises(IncompleteSource, match=r"2 of its MXF files have a picture \(clip.V1"):
        parts_of(folder)


@pytest.mark.parametrize("coder", [("jpeg2000",), ("dnxhd", "-profile:v", "dnxhr_sq")])
def test_a_clip_begins_at_its_timecode(coder: tuple[str, ...], tmp_path: Path) -> None:
    """JPEG 2000 in MXF has no rate to ffmpeg, which then writes no track of timecode."""
    folder = tmp_path / "clip"
    folder.mkdir()
    source = generated("testsrc2=s=320x180:r=30000/1001,trim=end_frame=5,format=yuv422p")
    stated = ("-timecode", "01:00:00;02", "-f", "mxf_opatom")
    make(folder / "clip.V1.mxf", *source, "-c:v", *coder, *stated)
    made = finish(wrap(parts_of(folder), tmp_path / "one.mov"))
    assert probe(made.path).timecode == "01:00:00;02"


DNXHD = ("-pix_fmt", "yuv422p", "-c:v", "dnxhd", "-b:v", "120M")


def test_a_clip_that_ends_early_does_not_become_a_shorter_one(tmp_path: Path) -> None:
    """By where its footer should be, or, of a file that was never closed, by its pictures."""
    folder = atoms(tmp_path / "clip", DNXHD, 1)
    assert parts_of(folder).frames == 10
    for name in ("clip.A1.mxf", "clip.V1.mxf"):
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(IncompleteSource, match=f"{name} ends before its footer"):
            parts_of(folder)
        (folder / name).write_bytes(whole)
    footer = whole[44:52]  # behind key, length, versions and two places of 8 bytes
    assert int.from_bytes(footer, "big") > len(whole) // 2
    (folder / name).write_bytes(whole[:44] + bytes(8) + whole[52 : len(whole) // 2])
    with pytest.raises(IncompleteSource, match=r"[45] of the 10 pictures of clip can be decoded"):
        finish(wrap(parts_of(folder), tmp_path / "one.mov"))


def test_the_picture_comes_first_and_sound_by_its_name() -> None:
    """Pure: whatever the folder's order."""
    picture, _ = described(HD)
    sound, _ = described(None, [STEREO])
    infos = {"b.A10.mxf": sound, "z.mxf": picture, "b.A2.mxf": sound, "a.mxf": sound}
    assert one_clip(infos) == Clip("z.mxf", ("a.mxf", "b.A2.mxf", "b.A10.mxf"))
    with pytest.raises(IncompleteSource, match=r"0 of its MXF files have a picture \(none\)"):
        one_clip({"a.mxf": sound})


def test_sound_that_begins_at_another_timecode_is_another_clip_s() -> None:
    """Two takes may well be equally long."""
    picture, _ = described(HD, timecode="10:00:00:00")
    sound, _ = described(None, [STEREO], timecode="10:00:00;00")
    assert one_clip({"v.mxf": picture, "a.mxf": sound}).sounds == ("a.mxf",)
    other, _ = described(None, [STEREO], timecode="10:03:00:00")
    with pytest.raises(IncompleteSource, match=r"b.mxf begins at timecode 10:03:00:00 and"):
        one_clip({"v.mxf": picture, "a.mxf": sound, "b.mxf": other})
