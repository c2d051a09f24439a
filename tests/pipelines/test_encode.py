"""Real encodes: every planned frame is there, on the even grid, and says what it is."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.timecode_font import timecode_font
from pipelines.media import ContentLight, MasteringDisplay
from pipelines.planning.plan import Chunk, Plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import Progress, finish
from tests.pipelines.sources import call, even, framemd5, luma, planned, read_back, smaller

pytestmark = pytest.mark.media

NTSC = Fraction(30000, 1001)
MOBILE = [profile("mobile-540p")]
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-bf", "3")
HLG_TAGS = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
DISPLAY = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"


def source(folder: Path, name: str, rate: str, frames: int, *more: str) -> Path:
    """Moving detail; `more` are ffmpeg's output options."""
    path = folder / name
    pattern = f"testsrc2=s=320x180:r={rate}"
    call("-f", "lavfi", "-i", pattern, "-frames:v", str(frames), *(more or X264), "-y", path)
    return path


def encoded(
    path: Path, folder: Path, profiles: Sequence[Profile] = MOBILE
) -> tuple[Plan, dict[str, Path]]:
    made = planned(path, profiles, folder)
    return made, finish(encode_chunk(path, made, made.chunks[0], folder)).files


def small_uhd() -> Profile:
    """The 4K recipe on a picture that two cores encode in a moment; any rate."""
    made = smaller(profile("cn4k-hevc-hlg"), 320, 180)
    assert made.video is not None
    return replace(made, video=replace(made.video, min_frame_rate=None))


def edited(folder: Path) -> Path:
    """A MOV whose edit list starts in the middle of a GOP."""
    whole = source(folder, "whole.mov", "25", 75, *X264, "-g", "50")
    path = folder / "edited.mov"
    call("-ss", "0.52", "-i", whole, "-t", "1.2", "-c", "copy", "-y", path)
    return path


SOURCES: dict[str, tuple[Callable[[Path], Path], Fraction]] = {
    "25 fps": (lambda folder: source(folder, "a.mp4", "25", 31), Fraction(25)),
    "30000/1001 in mp4": (lambda folder: source(folder, "a.mp4", "30000/1001", 31), NTSC),
    "24000/1001 in mkv": (lambda folder: source(folder, "a.mkv", "24000/1001", 31), NTSC * 4 / 5),
    "12.5 fps": (lambda folder: source(folder, "a.mp4", "25/2", 31), Fraction(25, 2)),
    "50 fps, odd count": (lambda folder: source(folder, "a.mp4", "50", 31), Fraction(25)),
    "60000/1001 in TS": (
        lambda folder: source(
            folder, "a.ts", "60000/1001", 31, "-c:v", "mpeg2video", "-bf", "2", "-b:v", "4M"
        ),
        NTSC,
    ),
    "TS that starts after an hour": (
        lambda folder: source(folder, "a.ts", "25", 31, *X264, "-output_ts_offset", "3600.5"),
        Fraction(25),
    ),
    "raw H.264": (lambda folder: source(folder, "a.h264", "25", 31), Fraction(25)),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_every_frame_is_there_on_the_even_grid(kind: str, tmp_path: Path) -> None:
    """Whatever clock the source has: frame n is at n ÷ rate, and the count is exact."""
    make, rate = SOURCES[kind]
    made, files = encoded(make(tmp_path), tmp_path)
    picture = read_back(files["mobile-540p"])
    divisor = made.frames // 31 and round(made.frame_rate / rate) if made.frame_rate else 1
    assert made.frames == 31
    assert picture.times == even(-(-31 // divisor), rate)
    assert Fraction(picture.stream["avg_frame_rate"]) == rate
    assert Fraction(picture.stream["duration"]) == pytest.approx(len(picture.times) / rate, 1e-6)


def test_an_edit_list_shows_what_a_player_would_show(tmp_path: Path) -> None:
    """Frames before the edit are decoded and not shown; the first one shown is frame 0."""
    path = edited(tmp_path)
    made, files = encoded(path, tmp_path)
    picture = read_back(files["mobile-540p"])
    assert picture.times == even(made.frames, Fraction(25))
    ours = luma(files["mobile-540p"], 320, 180)[0].astype(int)
    theirs = luma(path, 320, 180)[0].astype(int)
    assert np.abs(ours - theirs).mean() < 3


def test_a_varying_rate_lasts_as_long_and_shows_each_moment(tmp_path: Path) -> None:
    """Dropped frames are filled by the one before; the picture at 2 s is the one of 2 s."""
    lossy = "select='not(eq(mod(n,7),3))*not(between(n,40,48))'"
    options = ("-vf", lossy, "-fps_mode", "passthrough", *X264)
    path = source(tmp_path, "vfr.mkv", "30", 69, *options)
    made, files = encoded(path, tmp_path)
    assert not made.constant_frame_rate
    picture = read_back(files["mobile-540p"])
    assert picture.times == even(90, Fraction(30))
    true = luma(source(tmp_path, "even.mkv", "30", 90), 320, 180).astype(int)
    ours = luma(files["mobile-540p"], 320, 180).astype(int)
    assert np.abs(ours[60] - true[60]).mean() < np.abs(ours[60] - true[58]).mean()
    assert np.abs(ours[47] - true[39]).mean() < 3


def test_all_rungs_come_from_one_command_and_start_each_second(tmp_path: Path) -> None:
    """Key frames at the same moments, GOPs closed, colour said by every one of them."""
    path = source(tmp_path, "hd.mp4", "50", 110)
    profiles = [smaller(profile("hd-avc-sdr"), 320, 180), *MOBILE, profile("review-proxy")]
    made, files = encoded(path, tmp_path, profiles)
    keys = {name: read_back(file).keys for name, file in files.items()}
    assert keys == {
        "hd-avc-sdr": [0, 50, 100],
        "mobile-540p": [0, 25, 50],
        "review-proxy": [0, 25, 50],
    }
    for name, file in files.items():
        stream = read_back(file).stream
        colour = [stream[key] for key in ("color_primaries", "color_transfer", "color_space")]
        assert colour == ["bt709"] * 3
        assert (stream["color_range"], stream["pix_fmt"]) == ("tv", "yuv420p")
        assert (stream["field_order"], stream["sample_aspect_ratio"]) == ("progressive", "1:1")
        assert len(made.rung(name).video.colour.primaries or "") > 0  # type: ignore[union-attr]


def test_untagged_pictures_keep_their_code_values(tmp_path: Path) -> None:
    """Taken as BT.709 and tagged so: nothing on the way converts them."""
    path = source(tmp_path, "untagged.mkv", "25", 5, "-c:v", "ffv1", "-pix_fmt", "yuv420p")
    _, files = encoded(path, tmp_path)
    ours, theirs = (luma(file, 320, 180).astype(int) for file in (files["mobile-540p"], path))
    assert np.abs(ours - theirs).mean() < 2


def test_hlg_says_so_in_stream_and_container(tmp_path: Path) -> None:
    """x265 at the 4K profile's settings; metadata of a mastering display is carried."""
    hdr = f"log-level=error:master-display={DISPLAY}:max-cll=1000,400"
    options = ("-vf", f"format=yuv420p10le,{HLG_TAGS}", "-c:v", "libx265", "-x265-params", hdr)
    path = source(tmp_path, "hlg.mp4", "50", 60, *options)
    made, files = encoded(path, tmp_path, [small_uhd()])
    picture = read_back(files["cn4k-hevc-hlg"])
    stream = picture.stream
    assert picture.times == even(60, Fraction(50))
    assert picture.keys == [0, 50]
    assert (stream["codec_name"], stream["profile"], stream["codec_tag_string"]) == (
        "hevc",
        "Main 10",
        "hvc1",
    )
    assert (stream["color_primaries"], stream["color_transfer"], stream["color_space"]) == (
        "bt2020",
        "arib-std-b67",
        "bt2020nc",
    )
    video = made.rungs[0].video
    assert video is not None
    assert isinstance(video.mastering_display, MasteringDisplay)
    assert video.content_light == ContentLight(1000, 400)
    kinds = {data["side_data_type"] for data in stream["side_data_list"]}
    assert kinds >= {"Mastering display metadata", "Content light level metadata"}


def test_pq_becomes_hlg_and_sdr_without_its_metadata(tmp_path: Path) -> None:
    """The encoders would else copy a mastering display that is no longer true."""
    hdr = f"log-level=error:master-display={DISPLAY}:max-cll=1000,400"
    tags = HLG_TAGS.replace("arib-std-b67", "smpte2084")
    options = ("-vf", f"format=yuv420p10le,{tags}", "-c:v", "libx265", "-x265-params", hdr)
    path = source(tmp_path, "pq.mp4", "50", 10, *options)
    _, files = encoded(path, tmp_path, [small_uhd(), *MOBILE])
    hlg, sdr = (read_back(files[name]).stream for name in ("cn4k-hevc-hlg", "mobile-540p"))
    assert (hlg["color_transfer"], sdr["color_transfer"]) == ("arib-std-b67", "bt709")
    assert (hlg["pix_fmt"], sdr["pix_fmt"]) == ("yuv420p10le", "yuv420p")
    assert not hlg.get("side_data_list")
    assert not sdr.get("side_data_list")


@pytest.mark.parametrize(
    ("pix_fmt", "fields"),
    [("yuv422p10le", "tff"), ("yuv422p", "bff"), ("yuv420p", None), ("gbrp10le", None)],
)
def test_ffv1_gives_back_every_bit(pix_fmt: str, fields: str | None, tmp_path: Path) -> None:
    """The framemd5 of both is equal; fields, colour and pixel shape are kept."""
    weave = f"interlace=scan={fields}:lowpass=off," if fields else ""
    tags = "setparams=color_primaries=bt470bg:color_trc=smpte170m:colorspace=bt470bg:range=tv"
    rgb = pix_fmt.startswith("gbr")
    chain = f"{weave}format={pix_fmt},{'' if rgb else tags + ','}setsar=16/15"
    path = source(tmp_path, "tape.mkv", "50", 15, "-vf", chain, "-c:v", "ffv1", "-g", "1")
    made, files = encoded(path, tmp_path, [profile("archive-ffv1"), *MOBILE])
    access_video = made.rung("mobile-540p").video
    assert access_video is not None
    archive = files["archive-ffv1"]
    assert framemd5(archive) == framemd5(path)
    stream = read_back(archive).stream
    assert (stream["pix_fmt"], stream["sample_aspect_ratio"]) == (pix_fmt, "16:15")
    if not rgb:
        assert (stream["color_primaries"], stream["color_space"]) == ("bt470bg", "bt470bg")
    # ffprobe says "tb" and "bt" for woven lines of which the first letter's field is earlier.
    assert stream["field_order"][0] == {"tff": "t", "bff": "b", None: "p"}[fields]
    assert made.rung("archive-ffv1").video.field_order[0] == stream["field_order"][0]  # type: ignore[union-attr]
    access = read_back(files["mobile-540p"])
    assert access.times == even(access_video.frames, access_video.frame_rate)
    assert access.stream["field_order"] == "progressive"


def test_motion_jpeg_of_a_camera_is_preserved_too(tmp_path: Path) -> None:
    """Full-range 4:2:0, which ffmpeg names apart: the same samples, and the range is said."""
    path = source(tmp_path, "camera.avi", "25", 10, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p")
    _, files = encoded(path, tmp_path, [profile("archive-ffv1")])
    assert framemd5(files["archive-ffv1"]) == framemd5(path)
    assert read_back(files["archive-ffv1"]).stream["color_range"] == "pc"


def test_a_turned_phone_video_stands_upright(tmp_path: Path) -> None:
    """The display matrix is obeyed once and not written again."""
    flat = source(tmp_path, "flat.mp4", "25", 10)
    path = tmp_path / "turned.mp4"
    call("-display_rotation", "90", "-i", flat, "-c", "copy", path)
    _, files = encoded(path, tmp_path)
    stream = read_back(files["mobile-540p"]).stream
    assert (stream["width"], stream["height"]) == (180, 320)
    assert not stream.get("side_data_list")


def test_chunks_make_the_frames_of_the_whole(tmp_path: Path) -> None:
    """Cut at an odd frame, at half the rate: nothing twice, nothing missing, the same pictures."""
    path = source(tmp_path, "long.mp4", "50", 60)
    made = planned(path, MOBILE, tmp_path)
    parts = []
    for chunk in (Chunk(0, 0, 31), Chunk(1, 31, 60)):
        folder = tmp_path / f"chunk-{chunk.index}"
        folder.mkdir()
        file = finish(encode_chunk(path, made, chunk, folder)).files["mobile-540p"]
        assert read_back(file).times[0] == 0
        parts.append(luma(file, 320, 180).astype(int))
    assert [len(part) for part in parts] == [16, 14]
    true = luma(path, 320, 180)[::2].astype(int)
    assert np.abs(np.concatenate(parts) - true).mean() < 3


def test_the_same_source_makes_the_same_bytes(tmp_path: Path) -> None:
    """A step that is done again gives the file that it gave before."""
    path = source(tmp_path, "a.mp4", "25", 25)
    files = []
    for name in ("first", "second"):
        folder = tmp_path / name
        folder.mkdir()
        files.append(encoded(path, folder)[1]["mobile-540p"].read_bytes())
    assert files[0] == files[1]


def test_the_timecode_in_the_picture_counts_frames(tmp_path: Path) -> None:
    """Digits change with every frame, and only where they stand."""
    path = tmp_path / "grey.mp4"
    call("-f", "lavfi", "-i", "color=gray:s=640x360:r=25", "-frames:v", "12", *X264, path)
    _, files = encoded(path, tmp_path, [profile("review-proxy")])
    frames = luma(files["review-proxy"], 640, 360).astype(int)
    assert np.ptp(frames[:, :250]) <= 4
    box = frames[:, 290:345, 150:490]
    assert box.max() > 200
    changes = np.abs(np.diff(box, axis=0)).max(axis=(1, 2))
    assert (changes > 60).all()


def test_the_timecode_font_is_a_sound_truetype_file() -> None:
    """Every table's checksum and place, as the OpenType specification wants them."""
    font = timecode_font()
    count = struct.unpack(">H", font[4:6])[0]
    tags = []
    for number in range(count):
        tag, total, at, length = struct.unpack(">4sIII", font[12 + 16 * number :][:16])
        table = font[at : at + length] + b"\0" * (-length % 4)
        assert at % 4 == 0
        assert sum(struct.unpack(f">{len(table) // 4}I", table)) % (1 << 32) == total
        tags.append(tag)
    assert tags == [b"cmap", b"glyf", b"head", b"hhea", b"hmtx", b"loca", b"maxp"]


def test_progress_is_a_share_of_the_frames(tmp_path: Path) -> None:
    """A share of the whole, never more."""
    path = source(tmp_path, "a.mp4", "25", 50)
    made = planned(path, MOBILE, tmp_path)
    seen: list[Progress] = list(encode_chunk(path, made, made.chunks[0], tmp_path))
    assert seen
    assert all(0 <= (step.share or 0) <= 1 for step in seen)


@pytest.mark.parametrize(
    "shared_clip",
    ["jellyfish_360p_avs3_10bit.mkv", "tracks_720p50_422_8xmono.mp4"],
    indirect=True,
)
def test_real_clips_keep_their_frames(shared_clip: Path, tmp_path: Path) -> None:
    """AVS3 of 10 bits and 4:2:2 of 10 bits come out as planned."""
    made, files = encoded(shared_clip, tmp_path)
    video = made.rungs[0].video
    assert video is not None
    assert read_back(files["mobile-540p"]).times == even(video.frames, video.frame_rate)
