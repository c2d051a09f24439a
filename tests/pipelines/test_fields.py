"""Interlaced sources: a frame for each field where a profile wants it, at the right moments."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_chunk, encode_part
from pipelines.encoding.graph import compose
from pipelines.media import FieldOrder, VideoTrack
from pipelines.planning.plan import Chunk, Plan, VideoPlan, plan
from pipelines.profiles.profile import Profile, ladder, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from tests.pipelines.made import made_of
from tests.pipelines.sources import (
    HD,
    call,
    described,
    even,
    framemd5,
    luma,
    planned,
    read_back,
    smaller,
    verified,
)

TAPE = replace(HD, field_order="tt")
NTSC = Fraction(30000, 1001)
BAR, SPEED = 16, 2  # pixels wide, and a field: even, for 4:2:0
ORDERS: dict[str, FieldOrder] = {"tff": "tt", "bff": "bb"}


def shaped(tape: VideoTrack, *profiles: Profile, frames: int = 100, least_s: float = 6) -> Plan:
    return plan(*described(tape, frames=frames), profiles, chunk_min_s=least_s)


def picture_of(made: Plan, name: str) -> VideoPlan:
    video = made.rung(name).video
    assert video is not None
    return video


def small(name: str = "hd-avc-sdr", *, fields: str = "each") -> Profile:
    """The recipe at 320x180, with a label that it may carry there."""
    base = smaller(profile(name), 320, 180)
    assert base.video is not None
    video = replace(base.video, fields=fields, target=None)  # type: ignore[arg-type]
    return replace(base, video=video)


def lossless(name: str = "hd-avc-sdr") -> Profile:
    """Its pictures as they come out of the graph, without sound."""
    base = small(name)
    assert base.video is not None
    video = replace(base.video, codec="ffv1", encoder="ffv1")
    return replace(base, container="mkv", video=video, audio=())


def test_50p_profiles_take_each_field_and_25p_ones_two() -> None:
    """Of 1080i25 50 frames a second for HD, 25 for phones, a second's GOP each."""
    made = shaped(TAPE, *(profile(name) for name in ladder("archive").profiles))
    hd, mobile = picture_of(made, "hd-avc-sdr"), picture_of(made, "mobile-720p")
    assert (hd.frame_rate, hd.frames, hd.gop_frames, hd.each_field) == (50, 200, 50, True)
    assert (mobile.frame_rate, mobile.frames, mobile.gop_frames) == (25, 100, 25)
    kept = picture_of(made, "archive-ffv1")
    assert (kept.frame_rate, kept.frames, kept.field_order) == (25, 100, "tt")
    assert (
        "interlaced, the top field first: deinterlaced by bwdif, a frame for each field in "
        "hd-avc-sdr, a frame for two fields in mobile-720p, mobile-540p" in made.decisions
    )


@pytest.mark.parametrize(
    ("frame_rate", "name", "rate", "frames"),
    [
        (NTSC, "hd-avc-sdr", 2 * NTSC, 200),
        (NTSC, "mobile-720p", NTSC, 100),
        (Fraction(50), "hd-avc-sdr", Fraction(50), 100),  # 100 a second are more than its cap
    ],
)
def test_the_rate_family_decides(
    frame_rate: Fraction, name: str, rate: Fraction, frames: int
) -> None:
    """30000/1001 becomes 60000/1001, and no profile gets more than it has room for."""
    video = picture_of(shaped(replace(TAPE, frame_rate=frame_rate), profile(name)), name)
    assert (video.frame_rate, video.frames) == (rate, frames)


def test_a_progressive_source_has_no_fields() -> None:
    """1080p25 stays 25, whatever the profile would take."""
    video = picture_of(shaped(HD, profile("hd-avc-sdr")), "hd-avc-sdr")
    assert (video.frame_rate, video.frames, video.each_field) == (25, 100, False)


def test_chunks_are_counted_in_frames_of_the_source() -> None:
    """Each has twice as many frames in the rung, and none is lost between them."""
    made = shaped(TAPE, profile("hd-avc-sdr"), profile("mobile-720p"), frames=1001)
    video = picture_of(made, "hd-avc-sdr")
    edges = [(chunk.start_frame, chunk.end_frame) for chunk in made.chunks]
    assert edges == [(0, 300), (300, 600), (600, 1001)]
    assert [video.frame_at(end) - video.frame_at(start) for start, end in edges] == [600, 600, 802]
    assert video.frames == 2002
    assert [video.shown_by(frame) for frame in range(5)] == [0, 0, 1, 1, 2]


def test_a_rung_of_two_fields_grows_from_one_of_each() -> None:
    """The first of two pictures is the one that there would be alone: one deinterlacer for all."""
    made = shaped(TAPE, profile("hd-avc-sdr"), profile("mobile-720p"))
    argv = compose(Path("tape.mxf"), made, Chunk(0, 0, 100), Path("/made"))
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.startswith("[0:0]bwdif=deint=all:mode=send_field:parity=tff[s0];")
    assert graph.count("bwdif") == 1
    assert "framestep=2" in graph


def woven(path: Path, scan: str, rate: Fraction = Fraction(25), *, flag: str | None = None) -> Path:
    """A bar that moves `SPEED` pixels a field; 40 frames, without loss, as `scan` weaves them.

    `flag` is the field order that the stream says, where it is another one.
    """
    fields_s = 2 * rate
    bar = f"color=black:s=320x180:r={fields_s}[b];color=white:s={BAR}x180:r={fields_s}[w]"
    moved = f"{bar};[b][w]overlay=x='{SPEED}*n':eval=frame,format=yuv420p"
    graph = f"{moved},interlace=scan={scan}:lowpass=off,setfield=mode={flag or scan}[v]"
    options = ("-c:v", "libx264", "-qp", "0", "-preset", "ultrafast", "-flags", "+ildct+ilme")
    order = ("-x264-params", f"{flag or scan}=1:keyint=12")
    call("-filter_complex", graph, "-map", "[v]", *options, *order, "-frames:v", "40", "-y", path)
    return path


def centres(pictures: NDArray[np.uint8]) -> list[float]:
    """Where the bar is in each picture, by its weight."""
    columns = np.arange(pictures.shape[2])
    light = np.clip(pictures.astype(np.float64) - 16, 0, None).sum(axis=1)
    return [float((row * columns).sum() / row.sum()) for row in light if row.sum() > 0]


def steps_of(tape: Path, made: Plan, folder: Path) -> NDArray[np.float64]:
    """How far the bar moves from frame to frame of the rung."""
    file = finish(encode_chunk(tape, made, made.chunks[0], folder)).files["hd-avc-sdr"]
    return np.diff(centres(luma(file, 320, 180)))


@pytest.mark.media
@pytest.mark.parametrize("rate", [Fraction(25), NTSC], ids=str)
@pytest.mark.parametrize("scan", ["tff", "bff"])
def test_movement_is_even_from_field_to_field(scan: str, rate: Fraction, tmp_path: Path) -> None:
    """The same step between any two frames, with no step back: the order of fields is right."""
    tape = woven(tmp_path / "tape.ts", scan, rate)
    made = planned(tape, [lossless()], tmp_path)
    assert made.source_field_order == ORDERS[scan]
    steps = steps_of(tape, made, tmp_path)
    assert len(steps) == 79
    assert float(np.abs(steps - SPEED).max()) < 0.1
    other = ORDERS["bff" if scan == "tff" else "tff"]
    jumping = steps_of(tape, replace(made, source_field_order=other), tmp_path)
    assert float(jumping.min()) < 0


@pytest.mark.media
def test_a_frame_that_a_tape_lacks_moves_nothing_back(tmp_path: Path) -> None:
    """The last field stands until there is another one, in what it is compared with too."""
    whole, tape = woven(tmp_path / "whole.mkv", "tff"), tmp_path / "tape.mkv"
    fewer = ("-vf", "select='not(eq(n,12)+eq(n,25))'", "-fps_mode", "passthrough")
    kept = ("-c:v", "libx264", "-qp", "0", "-flags", "+ildct+ilme", "-x264-params", "tff=1")
    call("-i", whole, *fewer, *kept, tape)
    made = planned(tape, [lossless()], tmp_path)
    assert (made.constant_frame_rate, made.frames, made.source_field_order) == (False, 40, "tt")
    file = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    steps = np.diff(centres(luma(file, 320, 180)))
    assert len(steps) == 79
    assert float(steps.min()) > -0.1
    scored = finish(measure(tape, [(made.rungs[0], file)], made, tmp_path))
    assert not scored.faults
    (xpsnr,) = (one for one in scored.of("hd-avc-sdr").measurements if one.metric == "xpsnr")
    assert xpsnr.mean is not None
    assert xpsnr.mean > 60, "the very pictures, without loss"


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "rate", "edges"),
    [
        ("tape.ts", Fraction(25), (0, 13, 26, 40)),
        ("tape.mkv", NTSC, (0, 12, 25, 40)),
        ("tape.mov", NTSC, (0, 20, 40)),
    ],
)
def test_chunks_of_fields_are_those_of_the_whole(
    name: str, rate: Fraction, edges: tuple[int, ...], tmp_path: Path
) -> None:
    """Frame by frame the same bits, also beside a seam and where stamps are milliseconds."""
    tape = woven(tmp_path / name, "tff", rate)
    made = planned(tape, [lossless()], tmp_path)
    whole = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    expected, parts, cut = framemd5(whole), list[str](), list[str]()
    assert len(expected) == 80
    for index, edge in enumerate(pairwise(edges)):
        chunk, one, other = Chunk(index, *edge), tmp_path / f"a{index}", tmp_path / f"b{index}"
        one.mkdir()
        other.mkdir()
        parts += framemd5(
            finish(encode_part(LocalFile(tape), made, chunk, one)).files["hd-avc-sdr"]
        )
        cut += framemd5(finish(encode_chunk(tape, made, chunk, other)).files["hd-avc-sdr"])
    assert parts == expected
    assert cut == expected


@pytest.mark.media
def test_each_field_is_verified_and_scored(tmp_path: Path) -> None:
    """An even grid of 50 a second, verified against the source; both rates score together, on a
    reference with the same fields, and one that is a field off scores far less.
    """
    tape = tmp_path / "tape.mov"
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=50:d=2,interlace=scan=bff:lowpass=off"),
        *("-c:v", "libx264", "-qp", "0", "-flags", "+ildct+ilme", "-x264-params", "bff=1"),
        *("-pix_fmt", "yuv420p", tape),
    )
    fine = {
        name: small(name, fields=which)
        for name, which in (("hd-avc-sdr", "each"), ("mobile-720p", "pairs"))
    }
    made = planned(tape, [_fine(one) for one in fine.values()], tmp_path)
    files = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files
    for rung in made.rungs:
        assert verified(files[rung.profile], rung, made, tape).facts.frames == (
            100 if rung.profile == "hd-avc-sdr" else 50
        )
    assert read_back(files["hd-avc-sdr"]).times == even(100, Fraction(50))
    pairs = [(rung, files[rung.profile]) for rung in made.rungs]
    scored = finish(measure(tape, pairs, made, tmp_path))
    assert not scored.faults
    means = {
        name: next(one.mean for one in scored.of(name).measurements if one.metric == "xpsnr")
        for name in fine
    }
    assert min(mean for mean in means.values() if mean) > 45
    (hd,) = (rung for rung in made.rungs if rung.profile == "hd-avc-sdr")
    wrong = replace(made, source_field_order="tt")
    late = finish(measure(tape, [(hd, files["hd-avc-sdr"])], wrong, tmp_path)).of("hd-avc-sdr")
    (xpsnr,) = (one for one in late.measurements if one.metric == "xpsnr")
    assert xpsnr.mean is not None and xpsnr.mean < 35  # noqa: PT018 - one fact


def _fine(base: Profile) -> Profile:
    assert base.video is not None
    video = replace(base.video, crf=4.0, preset="veryfast", max_bitrate_bps=None, buffer_bits=None)
    return replace(base, video=video, audio=())


@pytest.mark.media
def test_sound_stays_with_its_field(tmp_path: Path) -> None:
    """A flash in a second field and a click at that moment, 1.02 s: frame 51 of 50 a second."""
    tape = tmp_path / "tape.mov"
    flash = "color=black:s=320x180:r=50:d=2,drawbox=t=fill:c=white:enable='between(n,51,52)'"
    click = "aevalsrc='0.8*between(t,1.02,1.03)':s=48000:d=2"
    call(
        *("-f", "lavfi", "-i", f"{flash},interlace=scan=tff:lowpass=off,format=yuv420p"),
        *("-f", "lavfi", "-i", click, "-c:v", "libx264", "-qp", "0", "-x264-params", "tff=1"),
        *("-flags", "+ildct+ilme", "-c:a", "pcm_s16le", tape),
    )
    made = planned(tape, [_fine(small())], tmp_path)
    file = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    bright = luma(file, 320, 180).mean(axis=(1, 2)) > 60
    assert int(np.flatnonzero(bright)[0]) == 51
    assert bright.sum() <= 3


def test_a_profile_says_what_becomes_of_fields() -> None:
    """`each` is in those of 50 frames a second, and only there."""
    each = {
        name
        for name in ladder("cn-uhd-zone").profiles
        if (video := profile(name).video) and video.fields == "each"
    }
    assert each == {"hd-avc-sdr"}


@pytest.mark.media
@pytest.mark.parametrize(
    ("scan", "flag", "claimed", "expected", "words"),
    [
        (
            "tff",
            "bff",
            "bb",
            "tt",
            "flagged as interlaced with the bottom field first, but the top",
        ),
        (
            "bff",
            "tff",
            "tt",
            "bb",
            "flagged as interlaced with the top field first, but the bottom",
        ),
        ("tff", "prog", "progressive", "tt", "flagged as progressive, but interlaced, the top"),
        (None, "tff", "tt", "progressive", "(PsF): not deinterlaced"),
        ("half", "tff", "tt", "tt", "some of its pictures are progressive: they are deinterlaced"),
        ("half", "prog", "progressive", "progressive", "some of its pictures look interlaced"),
    ],
)
def test_the_order_of_fields_is_found_out(
    scan: str | None, flag: str, claimed: str, expected: str, words: str, tmp_path: Path
) -> None:
    """Whatever the stream says of itself; and the plan tells what was found."""
    moving = "mandelbrot=s=96x288:start_scale=0.05:end_pts=20"  # fine patterns deceive idet
    fast, slow = (
        f"{moving}:r={rate},trim=end_frame={rate * 6 // 5},scale=192:576" for rate in (50, 25)
    )
    weave = f"{fast},interlace=scan={'tff' if scan == 'half' else scan}:lowpass=off"
    graph = {
        None: f"{slow},{tagged(flag)}",
        "half": f"{weave}[a];{slow}[b];[a][b]concat,{tagged(flag)}",
    }.get(scan, f"{weave},{tagged(flag)}")
    tape = tmp_path / "tape.mkv"
    call("-filter_complex", graph, "-map", "[v]", "-c:v", "ffv1", "-field_order", claimed, tape)
    made = planned(tape, [profile("mobile-540p")], tmp_path)
    video = picture_of(made, "mobile-540p")
    assert (made.source_field_order, video.deinterlace) == (expected, expected != "progressive")
    assert any(words in text for text in made.decisions), made.decisions


def tagged(flag: str) -> str:
    return f"format=yuv420p,setfield={flag}[v]"


def turned(tape: Path, degrees: int) -> Path:
    """The same stream, of which the file says that players turn it clockwise."""
    path = tape.with_name(f"turned-{degrees}.mov")
    call("-display_rotation", str(-degrees), "-i", tape, "-c", "copy", path)
    return path


@pytest.mark.media
@pytest.mark.parametrize(("degrees", "scan"), [(90, "tff"), (180, "bff"), (270, "bff")])
def test_fields_are_taken_apart_before_the_picture_is_turned(
    degrees: int, scan: str, tmp_path: Path
) -> None:
    """The frames that the upright tape gives, turned: bit by bit, in the order that was flagged."""
    turns = {90: "transpose=clock", 180: "hflip,vflip", 270: "transpose=cclock"}
    tape = woven(tmp_path / "tape.mov", scan)
    wanted = lossless()
    assert wanted.video is not None
    if degrees != 180:
        wanted = replace(wanted, video=replace(wanted.video, width=180, height=320))
    path = turned(tape, degrees)
    made = planned(path, [wanted], tmp_path)
    assert (made.source_field_order, made.source_rotation_deg) == (ORDERS[scan], degrees)
    file = finish(encode_chunk(path, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    true = tmp_path / "true.mkv"
    apart = f"bwdif=mode=send_field:parity={scan}:deint=all,{turns[degrees]}"
    call("-i", tape, "-vf", apart, "-c:v", "ffv1", true)
    assert framemd5(file) == framemd5(true)
    assert f"turned by {degrees} degrees, as the file asks" in made.decisions


@pytest.mark.media
def test_a_turned_tape_is_verified_and_scored(tmp_path: Path) -> None:
    """Its thumbnails and its reference stand upright too."""
    path = turned(woven(tmp_path / "tape.mov", "tff"), 90)
    base = small()
    assert base.video is not None
    upright = replace(base, video=replace(base.video, width=180, height=320), audio=())
    made, files = made_of(path, tmp_path, [upright])
    (rung,) = made.rungs
    scores = finish(measure(path, [(rung, files[rung.profile])], made, tmp_path))
    found = {one.metric: one for one in scores.of(rung.profile).measurements}
    assert found["xpsnr"].frames == 80
    assert found["xpsnr"].mean is not None
    assert found["xpsnr"].mean > 40


@pytest.mark.parametrize("change", [{"mirrored": True}, {"rotation_deg": 45}])
def test_fields_that_are_to_be_mirrored_are_refused(change: dict[str, object]) -> None:
    """Nothing here turns them so; progressive pictures are left to ffmpeg."""
    odd = replace(TAPE, **change)  # type: ignore[arg-type]
    made = shaped(odd, profile("mobile-720p"))
    assert [refusal.code for refusal in made.refused] == ["rotated_fields"]
    assert not shaped(replace(odd, field_order="progressive"), profile("mobile-720p")).refused


@pytest.mark.media
def test_progressive_pictures_that_are_flagged_as_fields_become_progressive(tmp_path: Path) -> None:
    """PsF: the flag of the source would else stand in HEVC's stream, and its plan be broken."""
    path = tmp_path / "psf.mkv"
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    moving = "mandelbrot=s=320x180:r=50:end_pts=100,trim=duration=0.3,format=yuv420p10le"
    call("-f", "lavfi", "-i", moving, "-vf", f"{tags}:field_mode=tff", "-c:v", "ffv1", path)
    base = smaller(profile("cn4k-hevc-hlg"), 320, 180)
    assert base.video is not None
    quick = replace(base, video=replace(base.video, preset="ultrafast"), audio=())
    made, files = made_of(path, tmp_path, [quick])
    assert any("PsF" in decision for decision in made.decisions)
    assert read_back(files[quick.name]).stream.get("field_order", "progressive") == "progressive"
