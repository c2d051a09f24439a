"""The source's start timecode is found wherever it stands, and said wherever there is a place."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.join import join
from pipelines.encoding.timecode import picture_timecode, rung_timecode
from pipelines.errors import VerificationFailed
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.running.cache_files import timecode_font_file
from pipelines.sources.probe import probe
from pipelines.sources.probe_child import gop_timecode, st12_timecode
from pipelines.verification.expectations import signalling_faults
from pipelines.verification.readback import read_back
from tests.pipelines import handmade
from tests.pipelines.handmade import PLAN, RUNG, VIDEO
from tests.pipelines.made import made_of
from tests.pipelines.sources import HD, call, described, luma, verified
from tests.pipelines.test_markup import edited as with_edits

NTSC, NTSC_60 = Fraction(30000, 1001), Fraction(60000, 1001)
PICTURE = "testsrc2=s=320x180:r={}:d=1"
X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")


@pytest.mark.parametrize(
    ("source_rate", "said", "rate", "kept"),
    [
        (Fraction(25), "10:00:00:12", Fraction(25), "10:00:00:12"),
        (Fraction(25), "10:00:00:12", Fraction(50), "10:00:00:24"),
        (Fraction(50), "10:00:00:24", Fraction(25), "10:00:00:12"),
        (Fraction(60), "10:00:00:59", Fraction(30), "10:00:00:29"),
        (NTSC, "10:01:00;02", NTSC, "10:01:00;02"),
        (NTSC, "10:01:00:02", NTSC, "10:01:00:02"),
        (NTSC_60, "10:01:00;04", NTSC, "10:01:00;02"),
        (NTSC, "10:01:00;02", NTSC_60, "10:01:00;04"),
        (Fraction(30), "10:01:00;02", Fraction(30), "10:01:00:02"),
        (Fraction(25), "10:01:00;02", Fraction(25), "10:01:00:02"),
        (NTSC, "10;01;00;02", NTSC, "10:01:00;02"),
        (Fraction(25), "1:02:03:04", Fraction(25), "01:02:03:04"),
        (Fraction(120), "01:02:03:104", Fraction(60), "01:02:03:52"),
        (Fraction(120), "01:02:03:104", Fraction(120), "01:02:03:104"),
        (Fraction(50), "01:02:03:04", Fraction(120), "01:02:03:009"),
    ],
)
def test_a_rung_counts_at_its_own_rate(
    source_rate: Fraction, said: str, rate: Fraction, kept: str
) -> None:
    """Frames are scaled, hours to seconds stay; drop-frame is for 30000/1001 and its double."""
    rung = replace(RUNG, video=replace(VIDEO, frame_rate=rate))
    made = replace(PLAN, source_timecode=said, frame_rate=source_rate)
    assert rung_timecode(made, rung) == kept


@pytest.mark.parametrize(
    ("start", "rate", "frame", "said"),
    [
        ("10:00:00:12", Fraction(25), 13, "10:00:01:00"),
        ("10:00:59;28", NTSC, 2, "10:01:00;02"),
        ("10:09:59;28", NTSC, 2, "10:10:00;00"),
        ("10:00:59;56", NTSC_60, 4, "10:01:00;04"),
        ("10:00:59:28", NTSC, 2, "10:01:00:00"),
        ("10:00:00:00", Fraction(25, 2), 1, None),
        ("10:00:00:00", None, 1, None),
        (None, Fraction(25), 1, None),
        ("01:00:00", Fraction(25), 1, None),
    ],
)
def test_a_picture_of_the_source_has_a_timecode_where_the_source_has_one(
    start: str | None, rate: Fraction | None, frame: int, said: str | None
) -> None:
    """Drop-frame numbering leaves two, or four, out of each minute but every tenth."""
    assert picture_timecode(start, rate, frame) == said


def test_the_plan_says_where_the_timecode_goes() -> None:
    """A transport stream has no place for it."""
    picture = replace(HD, frame_rate=Fraction(50))
    info, seen = described(picture, timecode="10:00:00:24")
    names = ("hd-avc-sdr", "hd-avc-sdr-ts", "mobile-720p")
    made = plan(info, seen, [profile(name) for name in names])
    assert made.decisions[-1] == (
        "timecode 10:00:00:24: 10:00:00:24 in hd-avc-sdr; 10:00:00:12 in mobile-720p; "
        "left out of hd-avc-sdr-ts"
    )


@pytest.mark.parametrize(
    "said", ["01:00:00", "01:02:03:04.1", "10h", "01:60:00:00", "10:00:00.500", "10:00:00:50"]
)
def test_a_timecode_that_is_not_understood_is_left_out_and_said(said: str) -> None:
    """Zero would pass for the source's own; MXF, which always has one, begins at it."""
    info, seen = described(HD, timecode=said)
    names = ("hd-avc-sdr", "review-proxy", "mezz4k-xavc300")
    made = plan(info, seen, [profile(name) for name in names])
    assert [rung_timecode(made, rung) for rung in made.rungs[:2]] == [None, None]
    mxf = replace(RUNG, container="mxf")
    assert rung_timecode(made, mxf) == "00:00:00:00"
    assert made.decisions[-1] == (
        f"timecode {said} is not of the form HH:MM:SS:FF and is left out; the time since the first "
        "picture is burnt into review-proxy"
    )


def test_only_what_can_be_read_of_it_is_said() -> None:
    """A tag may be anybody's text."""
    info, seen = described(HD, timecode="10\n\x1b[31m" + "x" * 100)
    (told,) = plan(info, seen, [profile("mobile-540p")]).decisions[-1:]
    assert told == f"timecode 10[31m{'x' * 34} is not of the form HH:MM:SS:FF and is left out"


def test_headers_of_groups_and_sei_are_read_as_the_standards_have_them() -> None:
    """Drop-frame flags too; at 50 and 60 a bit tells the frames of one number apart."""
    assert gop_timecode(0x01503004) == "10:01:00;04"
    fields = 0x10 | 0x01 << 8 | 0x59 << 16 | 0x12 << 24
    words = (1).to_bytes(4, "little")
    assert st12_timecode(words + fields.to_bytes(4, "little"), Fraction(25)) == "10:01:59:12"
    dropped = (fields | 1 << 30).to_bytes(4, "little")
    assert st12_timecode(words + dropped, NTSC) == "10:01:59;12"
    second = (fields | 1 << 7).to_bytes(4, "little")
    assert st12_timecode(words + second, Fraction(50)) == "10:01:59:25"
    assert st12_timecode(bytes(8), Fraction(25)) is None


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mov", X264),
        ("a.mxf", ("-c:v", "mpeg2video", "-b:v", "2M")),
        ("a.ts", ("-c:v", "mpeg2video", "-b:v", "2M")),
        ("a.mkv", X264),
    ],
)
def test_a_drop_frame_timecode_is_found_and_kept(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """Of a track, a package, a group of pictures or a tag; in MP4, Matroska and the proxy."""
    source = tmp_path / name
    picture = ("-f", "lavfi", "-i", PICTURE.format(NTSC))
    call(*picture, *options, "-timecode", "10:01:00;04", source)
    assert probe(source).timecode == "10:01:00;04"
    profiles = [profile("mobile-540p"), profile("archive-ffv1"), profile("review-proxy")]
    made, files = made_of(source, tmp_path, profiles)
    assert {finish(read_back(path)).timecode for path in files.values()} == {"10:01:00;04"}
    proven = verified(files["mobile-540p"], made.rung("mobile-540p"), made, source)
    assert proven.facts.timecode == "10:01:00;04"
    other = replace(made, source_timecode="10:01:00:04")
    with pytest.raises(VerificationFailed, match="timecode is 10:01:00;04, 10:01:00:04 planned"):
        verified(files["mobile-540p"], made.rung("mobile-540p"), other, source)


@pytest.mark.media
@pytest.mark.parametrize(("said", "kept"), [("1:02:03:04", "01:02:03:04"), ("01:02:03:04.1", None)])
def test_a_tag_is_kept_where_it_is_a_timecode(said: str, kept: str | None, tmp_path: Path) -> None:
    """Matroska's holds any text; of what is none nothing is drawn that looks like one."""
    source = tmp_path / "a.mkv"
    call("-f", "lavfi", "-i", PICTURE.format(25), *X264, "-metadata", f"timecode={said}", source)
    assert probe(source).timecode == said
    _, files = made_of(source, tmp_path, [profile("review-proxy"), profile("archive-ffv1")])
    assert [finish(read_back(path)).timecode for path in files.values()] == [kept, kept]


@pytest.mark.media
@pytest.mark.parametrize(("rate", "said"), [(120, "01:02:03:104"), (10, "01:02:03:04")])
def test_files_of_unusual_rates_count_in_other_digits(rate: int, said: str, tmp_path: Path) -> None:
    """Of MP4 three or one are read where two were meant."""
    made = replace(handmade.plan_at(Fraction(rate)), source_timecode=said)
    (rung,) = made.rungs
    rung = replace(rung, audio=())
    source = handmade.make_source(tmp_path, Fraction(rate))
    out = tmp_path / "out.mp4"
    finish(join(rung, handmade.encode_parts(source, tmp_path, X264, (0,), "mp4"), [], out, made))
    faults = signalling_faults(rung, finish(read_back(out)), made)
    assert [fault for fault in faults if "timecode" in fault] == []


@pytest.mark.media
def test_a_timecode_in_sei_is_found(tmp_path: Path) -> None:
    """HEVC's time code message (ITU-T H.265, D.2.27), which no encoder here writes."""
    source = tmp_path / "a.265"
    x265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:info=0")
    call("-f", "lavfi", "-i", PICTURE.format(25), *x265, "-f", "hevc", source)
    bits = "01" + "1" + "0" + "00000" + "1" + "0" + "0" + f"{7:09b}"
    bits += f"{59:06b}{58:06b}{9:05b}" + "00000"
    payload = int(bits.ljust(48, "0"), 2).to_bytes(6, "big")
    message = b"\0\0\0\1\x4e\x01" + bytes([136, len(payload)]) + payload + b"\x80"
    stream = source.read_bytes()
    starts = [at for at in range(len(stream) - 4) if stream[at : at + 3] == b"\0\0\1"]
    first = next(at for at in starts if stream[at + 3] >> 1 & 63 < 32)
    zero = first - 1 if stream[first - 1] == 0 else first
    source.write_bytes(stream[:zero] + message + stream[zero:])
    assert probe(source).timecode == "09:58:59:07"


@pytest.mark.media
def test_an_encoder_that_knows_no_timecode_says_zero(tmp_path: Path) -> None:
    """Which is no timecode: every MPEG-2 file has a header for it."""
    source = tmp_path / "a.ts"
    call("-f", "lavfi", "-i", PICTURE.format(25), "-c:v", "mpeg2video", source)
    assert probe(source).timecode is None


@pytest.mark.media
@pytest.mark.parametrize(("start", "said"), [("10:00:00:00", "10:00:00:00"), (None, None)])
@pytest.mark.parametrize("name", ["a.ts", "a.m2v"])
def test_the_first_picture_of_many_groups_is_the_one_asked(
    name: str, start: str | None, said: str | None, tmp_path: Path
) -> None:
    """Where each picture is a group, decoders have read the next header when the first comes out,
    which would also make a frame of the zeros of those who know no timecode.
    """
    source = tmp_path / name
    stated = ("-timecode", start) if start else ()
    intra = ("-c:v", "mpeg2video", "-g", "1", "-b:v", "4M")
    call("-f", "lavfi", "-i", PICTURE.format(25), *intra, *stated, source)
    assert probe(source).timecode == said


@pytest.mark.media
@pytest.mark.parametrize("name", ["cut.ts", "cut.m2v"])
@pytest.mark.parametrize(
    ("rate", "start", "said"),
    [
        (Fraction(25), "10:00:00:00", "10:00:00:12"),
        (NTSC, "10:00:59;18", "10:01:00;02"),
        (Fraction(25), None, "00:00:00:12"),
    ],
)
def test_a_cut_at_a_group_begins_with_its_first_whole_picture(
    name: str, rate: Fraction, start: str | None, said: str, tmp_path: Path
) -> None:
    """The two before it need the group that has been cut off, and its header counts from them."""
    whole, bare, cut = tmp_path / "whole.m2v", tmp_path / "bare.m2v", tmp_path / name
    stated = ("-timecode", start) if start else ()
    coded = ("-c:v", "mpeg2video", "-g", "12", "-bf", "2", "-sc_threshold", "1000000000")
    call("-f", "lavfi", "-i", PICTURE.format(rate), *coded, *stated, whole)
    stream, sequence, group = whole.read_bytes(), b"\0\0\1\xb3", b"\0\0\1\xb8"
    second = stream.index(group, stream.index(group) + 4)
    bare.write_bytes(stream[stream.rindex(sequence, 0, second) :])
    call("-fflags", "+genpts", "-r", str(rate), "-i", bare, "-c", "copy", cut)
    first, twelfth = luma(cut, 320, 180)[0], luma(whole, 320, 180)[12]
    assert np.array_equal(first, twelfth)
    assert probe(cut).timecode == said


@pytest.mark.media
@pytest.mark.parametrize("container", ["mxf", "mov"])
@pytest.mark.parametrize(
    ("rate", "said"), [(NTSC_60, "10:01:00;04"), (Fraction(50), "09:59:58:49")]
)
def test_post_production_files_keep_it_too(
    container: str, rate: Fraction, said: str, tmp_path: Path
) -> None:
    """In the track of MXF's material package and of QuickTime."""
    made = replace(handmade.plan_at(rate), source_timecode=said)
    (rung,) = made.rungs
    rung = replace(rung, container=container, audio=())  # type: ignore[arg-type]  # by parameter
    source = handmade.make_source(tmp_path, rate)
    codec = ("-c:v", "prores_ks") if container == "mov" else ("-c:v", "mpeg2video", "-q:v", "2")
    chunks = handmade.encode_parts(source, tmp_path, codec, (0,), container)
    out = tmp_path / f"out.{container}"
    finish(join(rung, chunks, [], out, made))
    assert finish(read_back(out)).timecode == said


@pytest.mark.media
def test_the_review_proxy_begins_with_the_sources_timecode(tmp_path: Path) -> None:
    """Its first and last pictures are those on which just these digits are drawn."""
    grey = ("-f", "lavfi", "-i", "color=gray:s=640x360:r=30000/1001")
    frames = proxied(tmp_path, grey, "10:00:59;20")
    for number, digits in ((0, r"10\:00\:59;20"), (10, r"10\:01\:00;02")):
        expected = drawn(tmp_path / f"{number}.mkv", grey, digits)
        assert np.abs(frames[number] - expected).mean() < 1
        assert np.abs(frames[number + 1] - expected).max() > 60


@pytest.mark.media
def test_the_review_proxy_counts_on_from_zero_at_midnight(tmp_path: Path) -> None:
    """As the file's own timecode does, and as the next chunk begins."""
    grey = ("-f", "lavfi", "-i", "color=gray:s=640x360:r=25")
    frames = proxied(tmp_path, grey, "23:59:59:20")

    def off(number: int, digits: str) -> float:
        expected = drawn(tmp_path / f"{number}-{digits[:2]}.mkv", grey, digits)
        return float(((frames[number] - expected) ** 2).mean())

    assert off(4, r"23\:59\:59\:24") < off(4, r"00\:59\:59\:24") / 4
    assert off(5, r"00\:00\:00\:00") < off(5, r"24\:00\:00\:00") / 4


def proxied(folder: Path, picture: tuple[str, ...], timecode: str) -> NDArray[np.signedinteger]:
    """The luma of the review proxy of twelve pictures that begin with this timecode."""
    source = folder / "grey.mov"
    call(*picture, "-frames:v", "12", *X264, "-timecode", timecode, source)
    _, files = made_of(source, folder, [profile("review-proxy")])
    return luma(files["review-proxy"], 640, 360).astype(int)


def drawn(path: Path, picture: tuple[str, ...], digits: str) -> NDArray[np.signedinteger]:
    """The same picture with a text that does not count."""
    look = "fontsize=18:fontcolor=white:borderw=2:bordercolor=black:x=(w-tw)/2:y=h-th-18"
    text = f"drawtext=fontfile={timecode_font_file()}:text='{digits}':{look}"
    lossless = ("-c:v", "ffv1", "-pix_fmt", "yuv420p")
    call(*picture, "-frames:v", "1", "-vf", text, *lossless, path)
    return luma(path, 640, 360)[0].astype(int)


@pytest.mark.media
@pytest.mark.parametrize(
    ("numbers", "rate", "said", "starts"),
    [
        ("25", "50", "10:00:00:20", "10:00:00:40"),
        ("50", "50", "10:00:00:20", "10:00:00:20"),
        ("30000/1001", "60000/1001", "10:00:00:20", "10:00:00:40"),
    ],
)
def test_a_track_may_number_every_second_picture(
    numbers: str, rate: str, said: str, starts: str, tmp_path: Path
) -> None:
    """As cameras do above 30 pictures a second (SMPTE ST 12-1); the track has a rate of its own."""
    picture, track, path = (tmp_path / name for name in ("v.mov", "tc.mov", "both.mov"))
    for file, each, more in ((picture, rate, ()), (track, numbers, ("-timecode", said))):
        moving = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r={each}:d=1")
        call(*moving, "-c:v", "libx264", "-preset", "ultrafast", *more, file)
    maps = ("-map", "0:v", "-map", "1:d", "-c", "copy", "-write_tmcd", "0")
    call("-i", picture, "-i", track, *maps, path)
    assert probe(path).timecode == starts


@pytest.mark.media
@pytest.mark.parametrize(
    ("edits", "starts", "left_out"),
    [
        ([(1520, 480)], "10:00:01:13", ()),
        (
            [(0, 1000), (1520, 480)],
            None,
            ("the timecode from 10:00:00:00 on (its track has several edits)",),
        ),
    ],
    ids=["one", "several"],
)
def test_a_trim_without_an_encode_trims_the_timecode(
    edits: list[tuple[int, int]], starts: str | None, left_out: tuple[str, ...], tmp_path: Path
) -> None:
    """The edit list of the track of timecode, of whose first number ffmpeg knows alone."""
    path = tmp_path / "a.mov"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", *X264)
    call(*picture, "-timecode", "10:00:00:00", path)
    ticks = Fraction(12_800, 1000)  # a millisecond of its track, which is the last
    path.write_bytes(with_edits(path.read_bytes(), [(round(at * ticks), ms) for at, ms in edits]))
    info = probe(path)
    assert (info.timecode, info.left_out) == (starts, left_out)
