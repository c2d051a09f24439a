"""Upconverted, between bars, cropped: what part of the source a rung shows, where and how large."""

from __future__ import annotations

import struct
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.rung_tree import lay_out
from pipelines.errors import VerificationFailed
from pipelines.media import Area, VideoTrack
from pipelines.planning.plan import Plan, VideoPlan, plan
from pipelines.profiles.profile import Crop, DynamicRange, Profile, VideoCodec, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from tests.pipelines.made import made_of
from tests.pipelines.sources import (
    HD,
    HLG,
    call,
    described,
    framemd5,
    luma,
    planned,
    read_back,
    smaller,
    verified,
)

PAL = replace(HD, width=720, height=576, field_order="tt")
UPCONVERT = profile("uhd-upconvert-hlg")


def cropping(base: Profile, crop: Crop | str) -> Profile:
    assert base.video is not None
    return replace(base, video=replace(base.video, crop=crop))  # type: ignore[arg-type]


def picture_of(made: Plan) -> VideoPlan:
    assert made.rungs, made.refused
    (rung,) = made.rungs
    assert rung.video is not None
    return rung.video


def shaped(picture: VideoTrack, wanted: Profile = UPCONVERT, active: Area | None = None) -> Plan:
    return plan(*described(picture, active_picture=active), [wanted])


@pytest.mark.parametrize(
    ("stored", "change", "active"),
    [
        ((720, 576), {"sample_aspect_ratio": Fraction(64, 45)}, None),
        ((720, 576), {"sample_aspect_ratio": Fraction(16, 15)}, Area(480, 0, 2880, 2160)),
        ((720, 576), {"sample_aspect_ratio": Fraction(12, 11)}, Area(448, 0, 2944, 2160)),
        ((720, 576), {"sample_aspect_ratio": Fraction(16, 11)}, Area(0, 24, 3840, 2112)),
        ((720, 480), {"sample_aspect_ratio": Fraction(8, 9)}, Area(480, 0, 2880, 2160)),
        ((1920, 1080), {}, None),
        ((1440, 1080), {"sample_aspect_ratio": Fraction(4, 3)}, None),
        ((1080, 1920), {}, Area(1312, 0, 1216, 2160)),
        ((1920, 1080), {"rotation_deg": 90}, Area(1312, 0, 1216, 2160)),
        ((2048, 858), {}, Area(0, 276, 3840, 1608)),
        ((4096, 2160), {}, Area(0, 68, 3840, 2024)),
    ],
)
def test_the_whole_picture_stands_in_the_middle_in_its_own_shape(
    stored: tuple[int, int], change: dict[str, object], active: Area | None
) -> None:
    """As large as 3840x2160 allows; bars are equal and even, the shape is off by two samples."""
    picture = replace(HD, width=stored[0], height=stored[1], **change)  # type: ignore[arg-type]
    video = picture_of(shaped(picture))
    assert (video.width, video.height, video.sample_aspect_ratio) == (3840, 2160, 1)
    assert video.active == active
    assert video.upconverted is (stored != (4096, 2160))
    across, down = picture.exact_size(None)
    assert abs(video.shown[0] - video.shown[1] * across / down) <= 4


def test_the_plan_says_what_is_upconverted_and_what_is_black() -> None:
    """In the source's own pixels, and in those of the raster."""
    tape = replace(PAL, sample_aspect_ratio=Fraction(16, 15))
    assert (
        "uhd-upconvert-hlg: 720x576 with pixels of 16:15 is upconverted to 2880x2160 in 3840x2160, "
        "480 columns of black left and right"
    ) in shaped(tape).decisions
    assert (
        "uhd-upconvert-hlg: 4096x2160 stands as 3840x2024 in 3840x2160, 68 lines of black above "
        "and below"
    ) in shaped(replace(HD, width=4096, height=2160)).decisions
    assert "uhd-upconvert-hlg: 1920x1080 is upconverted to 3840x2160" in shaped(HD).decisions


@pytest.mark.parametrize(
    ("lines", "said", "shape"),
    [
        (608, Fraction(152, 135), Fraction(4, 3)),  # as ffmpeg reads 4:3 of MPEG-2 and MXF
        (608, Fraction(608, 405), Fraction(16, 9)),
        (608, Fraction(16, 15), Fraction(4, 3)),  # as a MOV says it itself
        (512, Fraction(128, 135), Fraction(4, 3)),
    ],
)
def test_the_blanking_of_d10_does_not_change_the_shape(
    lines: int, said: Fraction, shape: Fraction
) -> None:
    """SMPTE ST 356: 32 lines above those of the picture, which alone is 4:3 or 16:9."""
    tape = replace(PAL, height=lines, codec="mpeg2video", sample_aspect_ratio=said)
    kept = picture_of(shaped(tape))
    whole = shape * (lines - 32) / lines
    assert abs(kept.shown[0] - kept.shown[1] * whole) <= 4
    made = shaped(tape, cropping(UPCONVERT, Crop(top=32)))
    video = picture_of(made)
    assert video.crop == Area(0, 32, 720, lines - 32)
    assert abs(video.shown[0] - video.shown[1] * shape) <= 2
    assert (
        f"the first 32 of its {lines} lines are blanking (D-10), and stay where no profile crops "
        "{ top = 32 }"
    ) in made.decisions
    (whole_tape,) = shaped(tape, profile("archive-ffv1")).rungs
    assert whole_tape.video is not None
    assert (whole_tape.video.height, whole_tape.video.sample_aspect_ratio) == (lines, said)


@pytest.mark.parametrize(
    ("stored", "shape"),
    [
        ((720, 576), Fraction(4, 3)),
        ((704, 576), Fraction(4, 3)),
        ((720, 480), Fraction(4, 3)),
        ((720, 486), Fraction(4, 3)),
        ((720, 608), Fraction(4, 3) * 576 / 608),
        ((720, 512), Fraction(4, 3) * 480 / 512),
        ((768, 576), None),
        ((640, 480), None),
        ((720, 720), None),
    ],
)
def test_sd_that_does_not_say_its_shape_is_4_by_3(
    stored: tuple[int, int], shape: Fraction | None
) -> None:
    """Samples of ITU-R BT.601 are not square; the plan says what was taken. Others are square."""
    picture = replace(HD, width=stored[0], height=stored[1])
    across, down = picture.exact_size(None)
    assert across / down == (shape or Fraction(*stored))
    made = shaped(picture, profile("mobile-540p"))
    told = [one for one in made.decisions if "does not say the shape" in one]
    assert len(told) == (shape is not None)
    square = shaped(replace(picture, sample_aspect_ratio=Fraction(1)), profile("mobile-540p"))
    assert not [one for one in square.decisions if "pixels" in one]
    assert picture_of(shaped(picture, profile("archive-ffv1"))).sample_aspect_ratio is None


def test_the_plan_says_which_shape_was_taken() -> None:
    """Unsaid is not 1:1, which stays square."""
    assert (
        "the source does not say the shape of its pixels: 720x576 is taken as 4:3, pixels of 16/15"
    ) in shaped(PAL).decisions


@pytest.mark.media
def test_a_tape_without_a_shape_is_delivered_as_4_by_3_and_kept_as_it_is(tmp_path: Path) -> None:
    """What is delivered says that its pixels are square, what is preserved says nothing."""
    source = tmp_path / "tape.avi"
    picture = "testsrc2=s=720x576:r=25:d=0.2,setsar=0"
    call("-f", "lavfi", "-i", picture, "-c:v", "rawvideo", source)
    wanted = [profile("archive-ffv1"), smaller(profile("mobile-540p"), 96, 80)]
    made = planned(source, wanted, tmp_path)
    files = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    master, mobile = (read_back(files[rung.profile]).stream for rung in made.rungs)
    assert "sample_aspect_ratio" not in master
    said = (mobile["width"], mobile["height"], mobile["sample_aspect_ratio"])
    assert said == (96, 72, "1:1")


def test_fields_become_frames_before_they_are_enlarged() -> None:
    """SD of 25 frames has 50 moments a second, as a UHD channel does."""
    video = picture_of(shaped(PAL))
    assert (video.frame_rate, video.each_field, video.deinterlace) == (50, True, True)


def test_no_rung_is_taken_from_an_enlarged_picture() -> None:
    """It would be less sharp than the source."""
    wanted = [UPCONVERT, replace(UPCONVERT, name="uhd-again", container="mkv"), profile("uhd-vvc")]
    ten_bits = replace(HD, colour=HLG, pix_fmt="yuv420p10le", bit_depth=10)
    made = plan(*described(ten_bits), wanted)
    parents = {branch.path.name: branch.parent for branch in lay_out(made, Path("/made"))}
    assert parents == {
        "uhd-upconvert-hlg.mp4": None,
        "uhd-again.mkv": 0,  # but by one of the same size
        "uhd-vvc.mp4": None,
    }


@pytest.mark.parametrize(
    ("crop", "active", "area", "told"),
    [
        (
            Crop(top=140, bottom=140),
            None,
            Area(0, 140, 1920, 800),
            "140 lines at the top, 140 at the bottom are cropped, which leaves 1920x800",
        ),
        (
            Crop(left=240, right=238),
            None,
            Area(240, 0, 1442, 1080),
            "240 columns at the left, 238 at the right are cropped, which leaves 1442x1080",
        ),
        (
            "bars",
            Area(0, 139, 1920, 803),
            Area(0, 140, 1920, 802),
            "140 lines at the top, 138 at the bottom are cropped, which leaves 1920x802",
        ),
        ("bars", Area(0, 0, 1920, 1080), None, None),
    ],
)
def test_a_profile_crops_what_it_says(
    crop: Crop | str, active: Area | None, area: Area | None, told: str | None
) -> None:
    """Lines and columns, or the black bars that were measured; the mobile rung keeps that shape."""
    made = shaped(HD, cropping(profile("mobile-720p"), crop), active)
    video = picture_of(made)
    assert video.crop == area
    assert [one for one in made.decisions if "cropped" in one] == (
        [f"mobile-720p: {told}"] if told else []
    )
    shape = Fraction(area.width, area.height) if area else Fraction(16, 9)
    assert abs(video.width / video.height / shape - 1) < 0.005


@pytest.mark.parametrize(
    ("crop", "change", "active", "code"),
    [
        (Crop(top=540, bottom=540), {}, None, "crop_too_large"),
        (Crop(left=4000), {}, None, "crop_too_large"),
        (Crop(top=2), {"height": 1081}, None, "crop_odd"),
        (Crop(left=2), {"pix_fmt": "yuv411p"}, None, "crop_odd"),
        (Crop(top=2), {"pix_fmt": "yuv411p", "rotation_deg": 90}, None, "crop_odd"),
        ("bars", {}, None, "bars_unknown"),
        ("bars", {}, Area(700, 0, 500, 1080), "crop_too_large"),
        ("bars", {}, Area(0, 700, 1920, 40), "crop_too_large"),
    ],
)
def test_a_crop_that_cannot_be_is_refused(
    crop: Crop | str, change: dict[str, object], active: Area | None, code: str
) -> None:
    """Nothing left, half a sample of colour, or no bars at all: never another crop instead."""
    picture = replace(HD, **change)  # type: ignore[arg-type]
    made = shaped(picture, cropping(profile("mobile-720p"), crop), active)
    assert [refusal.code for refusal in made.refused] == [code]


def test_a_cropped_rung_is_no_twin_of_a_whole_one() -> None:
    """Both have the source's size, and show other pictures."""
    sides = cropping(replace(profile("mobile-720p"), name="own-sides"), Crop(left=160, right=160))
    box = profile("mobile-720p")
    made = plan(*described(replace(HD, width=640, height=360)), [box, sides])
    assert [rung.profile for rung in made.rungs] == ["mobile-720p", "own-sides"]


def small_upconvert(wanted: DynamicRange, pix_fmt: str) -> Profile:
    """320x180 without loss, of any range, so that code values can be looked at."""
    base = smaller(UPCONVERT, 320, 180)
    assert base.video is not None
    video = replace(base.video, codec="ffv1", encoder="ffv1", dynamic_range=wanted, pix_fmt=pix_fmt)
    return replace(base, container="mkv", video=video, audio=())


TAGS = {
    "sdr": "color_primaries=bt709:color_trc=bt709:colorspace=bt709",
    "hlg": "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc",
    "pq": "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc",
}


@pytest.mark.media
@pytest.mark.parametrize(
    ("source", "coded", "wanted", "pix_fmt"),
    [
        ("sdr", "yuv420p", "sdr", "yuv420p"),
        ("sdr", "yuvj420p", "sdr", "yuv420p"),
        ("sdr", "yuv422p10le", "sdr", "yuv422p10le"),
        ("sdr", "gbrp", "sdr", "yuv420p"),
        ("sdr", "yuv420p", "hlg", "yuv420p10le"),
        ("sdr", "yuv420p", "pq", "yuv420p10le"),
        ("hlg", "yuv420p10le", "hlg", "yuv420p10le"),
        ("hlg", "yuv420p10le", "sdr", "yuv420p"),
        ("pq", "yuv420p10le", "pq", "yuv420p10le"),
        ("pq", "yuv420p10le", "hlg", "yuv422p10le"),
    ],
)
def test_bars_are_neutral_and_legal_black(
    source: DynamicRange, coded: str, wanted: DynamicRange, pix_fmt: str, tmp_path: Path
) -> None:
    """After every conversion: luma 16 or 64, chroma 128 or 512, in each sample beside a picture
    that is lighter up to its very edge.
    """
    path = tmp_path / "square.mkv"
    spread = "pc" if coded in ("yuvj420p", "gbrp") else "tv"
    tags = f"setparams={TAGS[source]}:range={spread}"
    if coded == "gbrp":
        tags = "format=gbrp"
    grey = "color=0xB0A040:s=96x72:r=25:d=0.2"
    call("-f", "lavfi", "-i", grey, "-vf", f"format={coded},{tags}", "-c:v", "ffv1", path)
    made = planned(path, [small_upconvert(wanted, pix_fmt)], tmp_path)
    assert picture_of(made).active == Area(40, 0, 240, 180)
    file = finish(encode_chunk(path, made, made.chunks[0], tmp_path)).files[UPCONVERT.name]
    wide = "10" in pix_fmt
    raw = call("-i", file, "-frames:v", "1", "-f", "rawvideo", "-")
    samples = np.frombuffer(raw, "<u2" if wide else np.uint8)
    high = 180 if "422" in pix_fmt else 90
    y, u, v = np.split(samples, [320 * 180, 320 * 180 + 160 * high])
    black, neutral = (64, 512) if wide else (16, 128)
    for plane, width, value in ((y, 320, black), (u, 160, neutral), (v, 160, neutral)):
        rows, bar = plane.reshape(-1, width), width // 8
        assert set(np.unique(rows[:, :bar])) == set(np.unique(rows[:, -bar:])) == {value}
        assert np.abs(rows[:, bar:-bar].astype(int) - value).min() > 4, "the picture itself"


@pytest.mark.media
@pytest.mark.parametrize("coded", ["yuv420p", "yuv420p10le", "yuv411p"])
def test_pictures_of_an_odd_width_are_enlarged_and_scored(coded: str, tmp_path: Path) -> None:
    """As players made them, 427x240 for one: no scaler with colours in 4:2:0 takes such a width."""
    path = tmp_path / "odd.mkv"
    tags = f"scale=107:61,format={coded},setparams={TAGS['sdr']}:range=tv"
    call("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=0.4", "-vf", tags, "-c:v", "ffv1", path)
    made = planned(path, [small_upconvert("hlg", "yuv420p10le")], tmp_path)
    assert (made.source_whole, made.source_pix_fmt) == (Area(0, 0, 107, 61), coded)
    file = finish(encode_chunk(path, made, made.chunks[0], tmp_path)).files[UPCONVERT.name]
    scored = finish(measure(path, [(made.rungs[0], file)], made, tmp_path))
    assert not scored.faults
    (xpsnr,) = (one for one in scored.of(UPCONVERT.name).measurements if one.metric == "xpsnr")
    assert xpsnr.mean is not None
    assert xpsnr.mean > 60, "the very pictures, without loss"


@pytest.mark.media
@pytest.mark.parametrize("flag", ["prog", "tff"])
def test_what_is_enlarged_keeps_its_place_luma_and_chroma_alike(flag: str, tmp_path: Path) -> None:
    """A red square in the middle of 16:9 SD, flagged as PsF too: within half a sample of where it
    was, in each plane.
    """
    path = tmp_path / "square.mkv"
    square = (
        "color=gray:s=90x72:r=25:d=0.2,format=yuv444p,drawbox=x=30:y=24:w=30:h=24:color=red:t=fill"
    )
    left = "zscale=chromal=left,format=yuv420p"
    tags = f"setparams={TAGS['sdr']}:range=tv,setfield={flag},setsar=64/45"
    call("-f", "lavfi", "-i", square, "-vf", f"{left},{tags}", "-c:v", "ffv1", path)
    info, seen = described(
        replace(HD, width=90, height=72, sample_aspect_ratio=Fraction(64, 45)), frames=5
    )
    made = plan(info, seen, [small_upconvert("sdr", "yuv420p")])
    assert picture_of(made).active is None
    file = finish(encode_chunk(path, made, made.chunks[0], tmp_path)).files[UPCONVERT.name]
    raw = np.frombuffer(call("-i", file, "-frames:v", "1", "-f", "rawvideo", "-"), np.uint8)
    y, u, v = np.split(raw.astype(float), [320 * 180, 320 * 180 + 160 * 90])
    for plane, (height, width), left in (
        (y, (180, 320), 0.0),
        (u, (90, 160), 0.5),
        (v, (90, 160), 0.5),
    ):
        off = np.abs(plane.reshape(height, width) - plane[0])
        columns, lines = off.sum(axis=0), off.sum(axis=1)
        step = 320 / width
        # A chroma sample of 4:2:0 lies on the left one of its luma samples (H.273, type 0).
        across = (columns * np.arange(width)).sum() / columns.sum() * step + step / 2 - left
        down = ((lines * np.arange(height)).sum() / lines.sum() + 0.5) * step
        assert abs(across - 160) < 0.5
        assert abs(down - 90) < 0.5


def tape_of(folder: Path) -> Path:
    """Half a second of 4:3, interlaced, with pixels of 16:15; every picture moves."""
    path = folder / "tape.mkv"
    moving = "testsrc2=s=90x72:r=50:d=0.6,format=yuv420p,interlace=scan=tff:lowpass=off"
    tags = f"setparams={TAGS['sdr']}:range=tv:field_mode=tff,setsar=16/15"
    call("-f", "lavfi", "-i", moving, "-vf", tags, "-frames:v", "14", "-c:v", "ffv1", path)
    return path


@pytest.mark.media
def test_an_upconverted_tape_is_verified_and_its_picture_alone_is_scored(tmp_path: Path) -> None:
    """HLG of an SDR tape: bars full of snow change no score, and a late picture is found."""
    tape = tape_of(tmp_path)
    base = smaller(UPCONVERT, 320, 180)
    assert base.video is not None
    quick = replace(base, video=replace(base.video, preset="ultrafast", crf=12), audio=())
    made, files = made_of(tape, tmp_path, [quick])
    (rung,), video = made.rungs, picture_of(made)
    assert (video.active, video.frame_rate) == (Area(40, 0, 240, 180), 50)
    file = files[rung.profile]
    snow = tmp_path / "snow.mkv"
    bars = "geq=lum='if(between(X,40,279),lum(X,Y),64+random(1)*800)':cb='cb(X,Y)':cr='cr(X,Y)'"
    call("-i", file, "-vf", bars, "-c:v", "ffv1", snow)
    pairs = [(rung, file), (replace(rung, profile="snow"), snow)]
    scored = finish(measure(tape, pairs, made, tmp_path))
    scores = scored.of(rung.profile).measurements
    assert scores == scored.of("snow").measurements
    assert {one.metric: one.frames for one in scores} == {"xpsnr": 28, "ssim": 28}
    assert min(one.p5 or 0 for one in scores) > 0.95, "of SSIM: the reference is made alike"
    late = tmp_path / "late.mp4"
    moved = "select='gt(n,1)',setpts=N/50/TB,tpad=stop=2:stop_mode=clone"
    coded = ("-c:v", "libx265", "-preset", "ultrafast", "-crf", "12", "-tag:v", "hvc1")
    params = "log-level=error:keyint=50:min-keyint=50:open-gop=0:level-idc=5.1:scenecut=0"
    vbv = ":high-tier=0:vbv-maxrate=36000:vbv-bufsize=36000"
    grid = ("-video_track_timescale", "10000", "-fps_mode", "passthrough")
    call("-i", file, "-vf", moved, *coded, "-x265-params", params + vbv, *grid, late)
    with pytest.raises(VerificationFailed, match=r"shows source frame 1, planned 0"):
        verified(late, rung, made, tape)


def letterboxed(folder: Path, pix_fmt: str, tags: str) -> Path:
    """320x180, of which 320x134 is a picture from line 23 on, which is faded in."""
    path = folder / "scope.mkv"
    scope = f"testsrc2=s=320x134:r=25:d=0.6,format={pix_fmt},setparams={tags}:range=tv"
    box = "fade=in:0:10,pad=320:180:0:23,fillborders=top=23:bottom=23:mode=fixed"
    call("-f", "lavfi", "-i", scope, "-vf", box, "-c:v", "ffv1", path)
    return path


@pytest.mark.media
@pytest.mark.parametrize(("pix_fmt", "light"), [("yuv420p", "sdr"), ("yuv422p10le", "pq")])
def test_bars_are_measured_and_cropped(pix_fmt: str, light: DynamicRange, tmp_path: Path) -> None:
    """To the line, from the lightest pictures; what remains is verified and scored as it is."""
    path = letterboxed(tmp_path, pix_fmt, TAGS[light])
    wanted = cropping(smaller(profile("mobile-720p"), 320, 180), "bars")
    assert wanted.video is not None
    quick = replace(wanted.video, preset="veryfast", target=None, crf=10)
    wanted = replace(wanted, audio=(), video=quick)
    made, files = made_of(path, tmp_path, [wanted])
    video = picture_of(made)
    assert video.crop == Area(0, 24, 320, 132)
    assert (video.width, video.height) == (320, 132)
    shown = luma(files["mobile-720p"], 320, 132)[-1]
    assert min(shown[0].mean(), shown[-1].mean()) > 30, "no line of a bar is left"
    (rung,) = made.rungs
    (score, *_) = (
        finish(measure(path, [(rung, files["mobile-720p"])], made, tmp_path))
        .of("mobile-720p")
        .measurements
    )
    assert score.mean is not None
    assert score.mean > 0.95
    late = tmp_path / "late.mp4"
    moved = "select='gt(n,1)',setpts=N/25/TB,tpad=stop=2:stop_mode=clone"
    coded = (
        "-c:v",
        "libx264",
        "-profile:v",
        "high",
        "-crf",
        "10",
        "-g",
        "25",
        "-sc_threshold",
        "0",
    )
    grid = ("-video_track_timescale", "10000", "-fps_mode", "passthrough")
    call("-i", files["mobile-720p"], "-vf", moved, *coded, *grid, late)
    with pytest.raises(VerificationFailed, match=r"shows source frame \d+, planned \d+"):
        verified(late, rung, made, path)


def with_aperture(path: Path, width: int, height: int) -> Path:
    """The same MOV, which asks players to show its middle alone (ISO/IEC 14496-12, 12.1.4)."""
    raw = bytearray(path.read_bytes())
    assert raw.find(b"moov") > raw.find(b"mdat"), "no sample moves"
    asked = struct.pack(">I4s8I", 40, b"clap", width, 1, height, 1, 0, 1, 0, 1)
    boxes = [raw.find(kind) - 4 for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")]
    entry = boxes[-1] + 16
    end = entry + int.from_bytes(raw[entry : entry + 4], "big")
    for at in (*boxes, entry):
        size = int.from_bytes(raw[at : at + 4], "big") + len(asked)
        raw[at : at + 4] = size.to_bytes(4, "big")
    raw[end:end] = asked
    out = path.with_name("asked.mov")
    out.write_bytes(raw)
    return out


@pytest.mark.media
@pytest.mark.parametrize("container", ["mov", "mkv"])
def test_what_a_container_asks_players_to_hide_is_picture_too(
    container: str, tmp_path: Path
) -> None:
    """A clean aperture of 80 columns of 96: nothing is stretched over the whole, nor left out of
    preservation.
    """
    bare = tmp_path / "bare.mov"
    tags = f"format=yuv422p10le,setparams={TAGS['sdr']}:range=tv,setsar=12/11"
    call("-f", "lavfi", "-i", "testsrc2=s=96x72:r=25:d=0.4", "-vf", tags, "-c:v", "prores", bare)
    path = with_aperture(bare, 80, 72)
    if container == "mkv":  # which says so in elements of its own
        call("-i", path, "-c", "copy", tmp_path / "asked.mkv")
        path = tmp_path / "asked.mkv"
    assert len(call("-i", path, "-frames:v", "1", "-f", "rawvideo", "-")) == 80 * 72 * 4, "ffmpeg's"
    wanted = [profile("archive-ffv1"), replace(profile("mobile-720p"), audio=())]
    made, files = made_of(path, tmp_path, wanted)
    assert framemd5(files["archive-ffv1"]) == framemd5(bare)
    own = tmp_path / "own"
    own.mkdir()
    true, as_bare = made_of(bare, own, wanted)
    assert picture_of(replace(made, rungs=made.rungs[1:])).shown == (104, 72)
    assert framemd5(files["mobile-720p"]) == framemd5(as_bare["mobile-720p"]), true.decisions


@pytest.mark.parametrize(
    ("codec", "encoder", "least"),
    [("avs2", "libxavs2", 72), ("hevc", "libx265", 64), ("vvc", "libvvenc", 32)],
)
def test_a_picture_too_small_for_an_encoder_is_refused_and_the_others_are_made(
    codec: VideoCodec, encoder: str, least: int
) -> None:
    """It would end the command that makes all of them."""
    small = profile("mobile-540p")
    assert small.video is not None
    video = replace(small.video, codec=codec, encoder=encoder, codec_profile=None, level=None)
    own = replace(small, name="own-x", packaged=False, video=video)
    for side in (least - 2, least):
        planned = plan(*described(replace(HD, width=400, height=side)), [small, own])
        refused = {one.profile: one.code for one in planned.refused}
        assert refused == ({"own-x": "picture_too_small"} if side < least else {})
        assert "mobile-540p" in [rung.profile for rung in planned.rungs]
