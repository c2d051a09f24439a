"""Scores are of exactly aligned frames, made as the plan makes them, with the right models."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.errors import ToolKilled, VerificationFailed
from pipelines.facts import Measurement
from pipelines.media import Colour, MediaInfo, VideoTrack
from pipelines.planning.plan_types import Plan, Rung
from pipelines.progress import finish
from pipelines.quality.comparison import (
    Comparison,
    Pair,
    Window,
    compose,
    counting,
    passes_of,
    taps_of,
    windows_of,
)
from pipelines.quality.measure import Scored, Scores, measure, measured_together
from pipelines.quality.metrics import comparison_raster, metrics_for
from pipelines.quality.reference import Reference
from pipelines.quality.scores import measurement, ssim_values, vmaf_values, xpsnr_values
from pipelines.running.run import capture, run
from pipelines.running.tools import ffprobe
from tests.pipelines import handmade
from tests.pipelines.handmade import PLAN, RIGHT, RUNG, VIDEO, encode

HLG = Colour("bt2020", "arib-std-b67", "bt2020nc", "tv")
SAME = Reference((320, 180), "none", deinterlace=False)
EXACT = replace(RIGHT, codec=("-c:v", "libx264", "-preset", "ultrafast", "-qp", "0"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return handmade.make_source(tmp_path_factory.mktemp("source"))


def scored(
    source: Path, rendition: Path, folder: Path, rung: Rung = RUNG, plan: Plan = PLAN
) -> dict[str, Measurement]:
    scores = finish(measure(source, [(rung, rendition)], plan, folder)).of(rung.profile)
    return {score.metric: score for score in scores.measurements}


def frame_times(path: Path) -> list[str]:
    """As ffprobe prints them."""
    argv = [ffprobe(), "-v", "error", "-select_streams", "v:0"]
    argv += ["-show_entries", "frame=pts_time", "-of", "csv=p=0", str(path)]
    return [line.strip(",") for line in capture(argv, readable=[path]).stdout.decode().split()]


def mean(score: Measurement) -> float:
    assert score.mean is not None
    return score.mean


@pytest.mark.media
@pytest.mark.parametrize("rate", [Fraction(25, 2), Fraction(30000, 1001), Fraction(50)], ids=str)
def test_an_exact_copy_scores_the_most_at_every_frame(rate: Fraction, tmp_path: Path) -> None:
    """100 dB stands for equal frames: a single pair that is off by one would show in p5."""
    source = handmade.make_source(tmp_path, rate)
    plan = handmade.plan_at(rate)
    copy = encode(source, tmp_path / "copy.mp4", EXACT)
    scores = scored(source, copy, tmp_path, plan.rungs[0], plan)
    assert scores["xpsnr"] == Measurement("xpsnr", "6:1:1", 100, 100, 100, frames=50)
    assert scores["vmaf"].frames == 50
    assert mean(scores["vmaf"]) > 95


@pytest.mark.media
def test_a_shifted_pair_scores_far_lower(source: Path, tmp_path: Path) -> None:
    """The same encode, one frame late: what a misalignment would cost is what the proof is."""
    late = replace(RIGHT, picture="select='gt(n,0)',tpad=stop=1:stop_mode=clone,setpts=N/25/TB")
    right = scored(source, encode(source, tmp_path / "right.mp4"), tmp_path)
    shifted = scored(source, encode(source, tmp_path / "late.mp4", late), tmp_path)
    assert mean(right["vmaf"]) > 90
    assert mean(right["vmaf"]) > mean(shifted["vmaf"]) + 30
    assert mean(right["xpsnr"]) > mean(shifted["xpsnr"]) + 10


@pytest.mark.media
def test_more_bits_score_higher(source: Path, tmp_path: Path) -> None:
    """And p5 lies below the mean, as it must."""

    def at(crf: int) -> dict[str, Measurement]:
        codec = ("-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), "-g", "25")
        path = encode(source, tmp_path / f"{crf}.mp4", replace(RIGHT, codec=codec))
        return scored(source, path, tmp_path)

    good, poor = at(18), at(40)
    assert mean(good["vmaf"]) > mean(poor["vmaf"]) + 10
    assert mean(good["xpsnr"]) > mean(poor["xpsnr"]) + 5
    assert good["vmaf"].p5 is not None
    assert good["vmaf"].p5 <= mean(good["vmaf"])


@pytest.mark.media
def test_every_second_frame_is_compared_with_every_second_frame(
    source: Path, tmp_path: Path
) -> None:
    """A rung at half rate pairs with source frames 0, 2, 4 …"""
    rate = Fraction(25, 2)
    rung = replace(RUNG, video=replace(VIDEO, frames=25, frame_rate=rate, rate_divisor=2))
    halved = replace(EXACT, picture="select='not(mod(n,2))'")
    scores = scored(source, encode(source, tmp_path / "half.mp4", halved), tmp_path, rung)
    assert scores["xpsnr"] == Measurement("xpsnr", "6:1:1", 100, 100, 100, frames=25)


@pytest.mark.media
def test_an_interlaced_source_is_deinterlaced_for_the_reference(tmp_path: Path) -> None:
    """By the same filter as the rung, so that an exact encode of it scores the most."""
    tape = tmp_path / "tape.mov"
    handmade.call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=50:d=2,interlace=scan=tff", "-frames:v", "50"),
        *("-c:v", "libx264", "-flags", "+ilme+ildct", "-qp", "4", "-pix_fmt", "yuv420p", tape),
    )
    video = replace(VIDEO, deinterlace=True)
    plan = replace(PLAN, source_field_order="tt")
    bwdif = replace(EXACT, picture="bwdif=send_frame:tff:all", audio_codec=("-an",))
    exact = encode(tape, tmp_path / "bwdif.mp4", bwdif)
    weave = encode(tape, tmp_path / "weave.mp4", replace(EXACT, audio_codec=("-an",)))
    rung = replace(RUNG, video=video, audio=())
    right = mean(scored(tape, exact, tmp_path, rung, plan)["xpsnr"])
    wrong = mean(scored(tape, weave, tmp_path, rung, plan)["xpsnr"])
    assert right > 60  # not 100: 8 bits between a filter in 8 bits and another look at them
    assert right > wrong + 20


@pytest.mark.media
def test_an_hlg_source_is_converted_before_an_sdr_rung_is_scored(tmp_path: Path) -> None:
    """The reference goes through the plan's own table; without it the score would be of tone."""
    source = tmp_path / "hlg.mkv"
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    handmade.call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-vf", f"format=yuv420p10le,{tags}"),
        *("-c:v", "ffv1", source),
    )
    video = replace(VIDEO, conversion="hlg_to_sdr", crf=10.0, preset="veryfast", level=None)
    rung = replace(RUNG, video=video, audio=())
    plan = replace(PLAN, source_colour=HLG, rungs=(rung,), video_track=0)
    converted = finish(encode_chunk(source, plan, plan.chunks[0], tmp_path)).files[rung.profile]
    flat = encode(source, tmp_path / "flat.mp4", replace(EXACT, audio_codec=("-an",)))
    right = mean(scored(source, converted, tmp_path, rung, plan)["vmaf"])
    wrong = mean(scored(source, flat, tmp_path, rung, plan)["vmaf"])
    assert right > 90
    assert right > wrong + 20


@pytest.mark.media
def test_burnt_in_timecode_is_in_both(source: Path, tmp_path: Path) -> None:
    """A proxy with timecode is compared with a reference that has the same timecode."""
    video = replace(VIDEO, burnt_in_timecode=True, crf=10.0, preset="veryfast", level=None)
    rung = replace(RUNG, video=video, audio=())
    plan = replace(PLAN, rungs=(rung,), source_timecode="10:00:00:00")
    proxy = finish(encode_chunk(source, plan, plan.chunks[0], tmp_path)).files[rung.profile]
    plain = replace(rung, video=replace(video, burnt_in_timecode=False))
    right = mean(scored(source, proxy, tmp_path, rung, plan)["xpsnr"])
    wrong = mean(scored(source, proxy, tmp_path, plain, plan)["xpsnr"])
    assert right > wrong + 10


@pytest.mark.media
def test_a_variable_rate_is_resampled_for_the_reference_too(tmp_path: Path) -> None:
    """Frames that the encode repeats are repeated in the reference."""
    source = tmp_path / "vfr.mkv"
    handmade.call(
        *(
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25:d=2",
            "-vf",
            "select='not(eq(mod(n,7),3))'",
        ),
        *("-fps_mode", "vfr", "-c:v", "ffv1", "-pix_fmt", "yuv420p", source),
    )
    rung = replace(RUNG, video=replace(VIDEO, crf=10.0, preset="veryfast", level=None), audio=())
    plan = replace(PLAN, constant_frame_rate=False, rungs=(rung,))
    even = finish(encode_chunk(source, plan, plan.chunks[0], tmp_path)).files[rung.profile]
    assert mean(scored(source, even, tmp_path, rung, plan)["vmaf"]) > 90


@pytest.mark.media
def test_a_window_of_a_long_programme_is_the_same_frames_of_both(tmp_path: Path) -> None:
    """Reading begins near the window, in a GOP, on a clock that starts at 10 s."""
    plain = handmade.make_source(tmp_path, frames=400)
    source = tmp_path / "late.ts"
    handmade.call("-i", plain, "-map", "0:v", "-c", "copy", "-output_ts_offset", "10", source)
    copy = encode(plain, tmp_path / "copy.mp4", replace(EXACT, audio_codec=("-an",)))
    first_s = Fraction(frame_times(source)[0])
    plan = replace(PLAN, frames=400, first_picture_s=first_s)
    pair = Pair(replace(RUNG, video=replace(VIDEO, frames=400)), copy)
    windows = [Window(301, 321, seek=True)]
    assert xpsnrs(Comparison(source, plan, SAME, (pair,)), windows, tmp_path) == [[100.0] * 20]


@pytest.mark.media
def test_a_window_of_a_transport_stream_is_the_same_frames(tmp_path: Path) -> None:
    """Whose own clock starts somewhere, its sound a little before its picture."""
    source = handmade.make_source(tmp_path, frames=400)
    file = encode(source, tmp_path / "copy.mp4", EXACT)
    stream = tmp_path / "copy.ts"
    handmade.call("-i", file, "-c", "copy", "-muxdelay", "1.2", stream)
    rung = replace(RUNG, container="ts", video=replace(VIDEO, frames=400))
    comparison = Comparison(source, replace(PLAN, frames=400), SAME, (Pair(rung, stream),))
    assert xpsnrs(comparison, [Window(301, 321, seek=True)], tmp_path) == [[100.0] * 20]


@pytest.mark.media
def test_nothing_is_decoded_after_a_window(tmp_path: Path) -> None:
    """Of an hour the rest would be decoded once for each window."""
    source = handmade.make_source(tmp_path, frames=400)
    copy = encode(source, tmp_path / "copy.mp4", EXACT)
    pair = Pair(replace(RUNG, video=replace(VIDEO, frames=400)), copy)
    comparison = Comparison(source, replace(PLAN, frames=400), SAME, (pair,))
    program, *words = compose(comparison, [Window(20, 40, seek=True)], tmp_path)
    words = [re.sub(r"^pipe:\w+$", str(tmp_path / "counts"), word) for word in words]
    done = subprocess.run(
        [program, "-nostdin", "-v", "verbose", *words], capture_output=True, text=True, check=True
    )
    decoded = [int(count) for count in re.findall(r"(\d+) frames decoded", done.stderr)]
    assert len(decoded) == 2
    assert max(decoded) < 100


@pytest.mark.media
def test_a_window_is_the_same_moment_for_rungs_of_other_rates(tmp_path: Path) -> None:
    """Frames 300 … 340 of the source, and of the slow rung those that show them."""
    source = handmade.make_source(tmp_path, frames=400)
    fast = encode(source, tmp_path / "fast.mp4", EXACT)
    slow = encode(source, tmp_path / "slow.mp4", replace(EXACT, picture="framestep=2"))
    video = replace(VIDEO, frames=200, frame_rate=Fraction(25, 2), rate_divisor=2)
    rung = replace(RUNG, video=replace(VIDEO, frames=400))
    pairs = (Pair(rung, fast), Pair(replace(RUNG, profile="slow", video=video), slow))
    comparison = Comparison(source, replace(PLAN, frames=400), SAME, pairs)
    found = xpsnrs(comparison, [Window(300, 341, seek=True)], tmp_path)
    assert found == [[100.0] * 41, [100.0] * 21]


@pytest.mark.media
def test_a_long_programme_is_scored_all_over_where_nothing_can_be_sought(tmp_path: Path) -> None:
    """Not by its bars and slate alone: of an AVI whose second half is spoilt that is seen."""
    source = tmp_path / "source.avi"
    bars = f"testsrc2=s=96x54:r=25,{handmade.TAGS}"
    handmade.call("-f", "lavfi", "-i", bars, "-frames:v", "1600", "-c:v", "ffv1", source)
    video = replace(VIDEO, width=96, height=54, frames=1600)
    rung, plan = replace(RUNG, video=video, audio=()), replace(PLAN, frames=1600, video_track=0)
    silent = replace(EXACT, audio_codec=("-an",))
    exact = encode(source, tmp_path / "exact.mp4", silent)
    spoilt = encode(
        source, tmp_path / "spoilt.mp4", replace(silent, picture="boxblur=4:enable='gte(n,800)'")
    )
    right = scored(source, exact, tmp_path, rung, plan)["xpsnr"]
    assert (right.mean, right.p5, right.frames) == (100, 100, 20 * 25)
    wrong = scored(source, spoilt, tmp_path, rung, plan)["xpsnr"]
    assert mean(wrong) < 70


PLACES = [Window(at, at + 20, seek=False) for at in (0, 150, 380)]


@pytest.mark.media
def test_windows_are_counted_where_nothing_can_be_sought(tmp_path: Path) -> None:
    """The same frames of an AVI and of rungs of its rate and half of it, in one command."""
    fast = encode(handmade.make_source(tmp_path, frames=400), tmp_path / "fast.mp4", EXACT)
    source = tmp_path / "source.avi"
    handmade.call("-i", fast, "-map", "0:v", "-c:v", "ffv1", source)
    slow = encode(fast, tmp_path / "slow.mp4", replace(EXACT, picture="framestep=2"))
    video = replace(VIDEO, frames=200, frame_rate=Fraction(25, 2), rate_divisor=2)
    rung = replace(RUNG, video=replace(VIDEO, frames=400))
    pairs = (Pair(rung, fast), Pair(replace(RUNG, profile="slow", video=video), slow))
    comparison = Comparison(source, replace(PLAN, frames=400, video_track=0), SAME, pairs)
    assert xpsnrs(comparison, PLACES, tmp_path) == [[100.0] * 60, [100.0] * 30]


@pytest.mark.media
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(25, 2)])
def test_counted_windows_have_their_own_timecode(rate: Fraction, tmp_path: Path) -> None:
    """In the reference as in the proxy; a rate that timecode does not count shows the time."""
    source = handmade.make_source(tmp_path, rate, frames=400)
    video = replace(VIDEO, frames=400, frame_rate=rate, burnt_in_timecode=True, crf=10.0)
    rung = replace(RUNG, video=video, audio=())
    plan = replace(handmade.plan_at(rate), frames=400, rungs=(rung,), source_timecode="10:00:00:00")
    chunk = replace(plan.chunks[0], end_frame=400)
    proxy = finish(encode_chunk(source, plan, chunk, tmp_path)).files[rung.profile]
    comparison = Comparison(source, plan, SAME, (Pair(rung, proxy),))
    (right,) = xpsnrs(comparison, PLACES, tmp_path)
    one = [Window(380, 400, seek=True)]
    alone = xpsnrs(comparison, one, tmp_path)[0]
    assert right[-len(alone) :][2:] == pytest.approx(alone[2:], abs=0.01)
    head = xpsnrs(comparison, PLACES[:1], tmp_path)[0]
    assert right[: len(head)] == pytest.approx(head, abs=0.01)
    (bare,) = xpsnrs(replace(comparison, pairs=(without_timecode(rung, proxy),)), PLACES, tmp_path)
    assert min(right) > max(bare) + 3


def without_timecode(rung: Rung, rendition: Path) -> Pair:
    assert rung.video is not None
    return Pair(replace(rung, video=replace(rung.video, burnt_in_timecode=False)), rendition)


def xpsnrs(comparison: Comparison, windows: Sequence[Window], folder: Path) -> list[list[float]]:
    """The values of windows, of each pair; both sides had as many frames, by their counts."""
    counts = {tap: bytearray() for at in range(len(comparison.pairs)) for tap in taps_of(at)}
    finish(
        run(
            compose(comparison, windows, folder),
            readable=comparison.files,
            writable=[folder],
            taps={tap: lines.extend for tap, lines in counts.items()},
        )
    )
    expected = [
        sum(len(window.of(pair.video)) for window in windows)
        for pair in comparison.pairs
        for _ in range(2)
    ]
    assert [lines.count(b"\n") for lines in counts.values()] == expected
    logs = [pair.log(comparison.metrics(pair)[1], folder) for pair in comparison.pairs]
    return [xpsnr_values(log.read_text()) for log in logs]


@pytest.mark.media
def test_a_source_with_fewer_frames_than_planned_is_not_scored(
    source: Path, tmp_path: Path
) -> None:
    """The filters would go on with the last frame; the count says that they did."""
    plan = replace(PLAN, frames=60)
    rung = replace(RUNG, video=replace(VIDEO, frames=60))
    with pytest.raises(VerificationFailed, match="50 frames of the source and 50 of the rendition"):
        scored(source, encode(source, tmp_path / "right.mp4"), tmp_path, rung, plan)


def test_neither_sound_alone_nor_a_lossless_rung_has_scores(tmp_path: Path) -> None:
    """And no command, because nothing was run: `verify` has proven every lossless frame."""
    sound = Rung("audio-access-aac", 1, "m4a", None, RUNG.audio, packaged=False)
    lossless = replace(RUNG, video=replace(VIDEO, codec="ffv1", lossless=True))
    for rung in (sound, lossless):
        assert finish(measure(Path("/no"), [(rung, Path("/no"))], PLAN, tmp_path)) == Scored({}, {})


@pytest.mark.media
@pytest.mark.parametrize("size", ["180x320", "240x180", "192x108"])
def test_xpsnr_is_right_at_every_width(size: str, tmp_path: Path) -> None:
    """Ffmpeg's filter misreads 10-bit rows that are no multiple of 64 wide: 20 dB too little."""
    width, height = (int(side) for side in size.split("x"))
    wide = handmade.make_source(tmp_path)
    source = tmp_path / "upright.mov"
    fit = f"scale={width}:{height},{handmade.TAGS}"
    handmade.call("-i", wide, "-vf", fit, "-c:v", "libx264", "-qp", "4", "-an", source)
    rung = replace(RUNG, video=replace(VIDEO, width=width, height=height), audio=())
    path = encode(source, tmp_path / "upright.mp4", replace(RIGHT, audio_codec=("-an",)))
    assert mean(scored(source, path, tmp_path, rung)["xpsnr"]) > 30


def test_models_follow_raster_rate_and_range() -> None:
    """STANDARDS.md: 1d5h_2160 for 4K, 3d0h for HD, hfr from 50 fps; no VMAF on HLG and PQ."""

    def names(height: int, rate: int, colour: Colour = VIDEO.colour) -> list[str | None]:
        video = replace(VIDEO, frame_rate=Fraction(rate), colour=colour)
        return [metric.model for metric in metrics_for(video, (height * 16 // 9, height))]

    assert names(270, 25) == ["vmaf_v1.0.16_3d0h", "6:1:1, 8 bits"]  # 480 is no multiple of 64

    assert names(1080, 25) == ["vmaf_v1.0.16_3d0h", "6:1:1"]
    assert names(1080, 50) == ["vmaf_v1.0.16_hfr_3d0h", "6:1:1"]
    assert names(2160, 25) == ["vmaf_v1.0.16_1d5h_2160", "6:1:1"]
    assert names(2160, 60) == ["vmaf_v1.0.16_hfr_1d5h_2160", "6:1:1"]
    assert names(2160, 50, HLG) == ["luma", "6:1:1"]
    assert names(108, 25) == ["luma", "6:1:1"]  # VMAF v1 sees nothing below 216x160


def test_a_long_programme_is_scored_in_contiguous_windows() -> None:
    """Of 25 frames, from the first to the last; up to 1500 frames all are scored."""
    plan = replace(PLAN, frames=9000)
    windows = windows_of(plan, {1}, "mov,mp4,m4a,3gp,3g2,mj2")
    starts = [window.start_frame for window in windows]
    assert (len(starts), starts[:3], starts[-1]) == (24, [0, 390, 780], 8975)
    assert {len(window.of(replace(VIDEO, frames=9000))) for window in windows} == {25}
    counts = [len(windows_of(replace(plan, frames=n), {1}, "mxf")) for n in (1501, 15000, 90000)]
    assert counts == [20, 40, 80]
    assert windows_of(replace(plan, frames=1500), {1}, "mxf") == (Window(0, 1500, seek=False),)


def test_windows_are_as_long_for_the_slowest_rung() -> None:
    """No rung is scored on fewer frames than alone, and each has the window's first frame."""
    whole, half, third = (
        replace(VIDEO, rate_divisor=divisor, frames=-(-9001 // divisor)) for divisor in (1, 2, 3)
    )
    windows = windows_of(replace(PLAN, frames=9001), {1, 2}, "mxf")
    assert [len(window.of(half)) for window in windows] == [25] * 20
    assert [len(window.of(whole)) for window in windows] == [50] * 19 + [49]
    assert windows[-1].end_frame == 9001
    assert windows_of(replace(PLAN, frames=9001), {2}, "mxf") == windows
    assert windows_of(replace(PLAN, frames=3000), {1, 2}, "mxf") == (Window(0, 3000, seek=False),)
    windows = windows_of(replace(PLAN, frames=9000), {2, 3}, "mxf")
    assert {window.start_frame % 6 for window in windows} == {0}
    assert {len(window.of(third)) for window in windows} == {25}


def test_where_seeking_is_not_exact_the_same_moments_are_scored_in_one_decode() -> None:
    """AVI has no presentation times, and a resampled source no fixed ones."""
    plan = replace(PLAN, frames=9000)
    sought = windows_of(plan, {1, 2}, "mxf")
    # Each but the first begins with two frames that do not count.
    counted = tuple(
        Window(one.start_frame, min(one.start_frame + 54, 9000), seek=False) for one in sought
    )
    assert windows_of(plan, {1, 2}, "avi") == counted
    counts = list(counting(counted[:2], replace(VIDEO, frames=9000)))
    assert [at for at, yes in enumerate(counts) if not yes] == [54, 55]
    assert windows_of(replace(plan, constant_frame_rate=False), {1, 2}, "mxf") == counted
    assert passes_of(sought) == tuple((window,) for window in sought)
    assert passes_of(counted) == (counted,)
    film = windows_of(replace(plan, clock_jumps=True), {Fraction(5, 4), Fraction(5, 2)}, "mxf")
    assert {window.start_frame % 5 for window in film} == {0}
    assert {(window.end_frame - window.start_frame) % 5 for window in film} == {0}


UHD = MediaInfo(
    "mov", 1, None, (VideoTrack(0, "prores", None, 3840, 2160, "p10", 10, Fraction(50), HLG),), ()
)


def test_rungs_of_one_reference_are_measured_together() -> None:
    """Rate and timecode branch off; another raster, conversion or scan is another reference."""
    hd = replace(VIDEO, width=1920, height=1080)
    rungs = {
        "uhd": replace(hd, width=3840, height=2160),
        "hd": hd,
        "sdr": replace(hd, conversion="hlg_to_sdr"),
        "half": replace(hd, rate_divisor=2),
        "master": replace(hd, lossless=True),
        "proxy": replace(hd, width=640, height=360, burnt_in_timecode=True),
        "bwdif": replace(hd, deinterlace=True),
    }
    planned = [replace(RUNG, profile=name, video=video) for name, video in rungs.items()]
    groups = measured_together([*planned, replace(RUNG, video=None)], UHD)
    assert [[rung.profile for rung in group] for group in groups] == [
        ["uhd"],
        ["hd", "half", "proxy"],
        ["sdr"],
        ["bwdif"],
    ]


def test_so_few_are_measured_together_that_their_pictures_fit_into_memory() -> None:
    """Six of HD, one of UHD."""

    def sizes(width: int, height: int) -> list[int]:
        video = replace(VIDEO, width=width, height=height)
        rungs = [replace(RUNG, profile=f"p{at}", video=video) for at in range(8)]
        return [len(group) for group in measured_together(rungs, UHD)]

    assert sizes(1920, 1080) == [6, 2]
    assert sizes(3840, 2160) == [1] * 8


@pytest.mark.media
def test_together_rungs_have_the_scores_that_they_have_alone(source: Path, tmp_path: Path) -> None:
    """To the last digit, at other rates, sizes and with timecode; all from one command."""
    coded = replace(VIDEO, crf=30.0, preset="veryfast", level=None)
    half = {"frames": 25, "frame_rate": Fraction(25, 2), "rate_divisor": 2}
    videos = {
        "full": coded,
        "half": replace(coded, **half),
        "proxy": replace(coded, width=240, height=136, burnt_in_timecode=True, **half),
    }
    rungs = tuple(
        replace(RUNG, profile=name, video=video, audio=()) for name, video in videos.items()
    )
    plan = replace(PLAN, rungs=rungs, source_timecode="10:00:00:00")
    files = finish(encode_chunk(source, plan, plan.chunks[0], tmp_path)).files
    pairs = [(rung, files[rung.profile]) for rung in rungs]
    together = finish(measure(source, pairs, plan, tmp_path))
    for rung, path in pairs:
        alone = finish(measure(source, [(rung, path)], plan, tmp_path)).of(rung.profile)
        assert together.of(rung.profile).measurements == alone.measurements
        assert {score.frames for score in alone.measurements} == {videos[rung.profile].frames}
    (command,) = {scores.command for scores in together.scores.values()}
    assert command.count(str(source)) == 1


@pytest.mark.media
def test_a_rendition_that_cannot_be_scored_takes_no_other_score(
    source: Path, tmp_path: Path
) -> None:
    """One has lost frames, the other is no media at all: each says so, and the third is scored."""
    right = encode(source, tmp_path / "right.mp4")
    short = encode(source, tmp_path / "short.mp4", replace(RIGHT, output=("-frames:v", "40")))
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no media")
    paths = {"right": right, "short": short, "broken": broken}
    pairs = [(replace(RUNG, profile=name), path) for name, path in paths.items()]
    alone = scored(source, right, tmp_path)

    with_short = finish(measure(source, pairs[:2], PLAN, tmp_path))
    found = finish(measure(source, pairs, PLAN, tmp_path))

    for one in (with_short, found):
        assert {score.metric: score for score in one.of("right").measurements} == alone
        with pytest.raises(VerificationFailed, match="50 frames of the source and 40 of the"):
            one.of("short")
    assert set(found.faults) == {"short", "broken"}
    assert with_short.apart is None
    assert str(found.apart).startswith("3 renditions were scored one by one, not together: ")
    assert found.fault is not None
    assert found.fault.detail.startswith("short: 50 frames")
    assert "; broken: " in found.fault.detail


def test_of_many_faults_the_one_to_be_retried_is_told_with_all_names() -> None:
    """So that the step is tried again where that may help."""
    faults = {"a": VerificationFailed("lost"), "b": ToolKilled("killed", ("ffmpeg",), "log")}
    fault = Scored({"c": Scores((), ())}, faults).fault
    assert isinstance(fault, ToolKilled)
    assert (fault.detail, fault.argv, fault.log_tail) == ("a: lost; b: killed", ("ffmpeg",), "log")
    assert faults["b"].detail == "killed"
    assert Scored({}, {}).fault is None


def test_the_raster_of_a_comparison_never_exceeds_the_source() -> None:
    """HD and below on an HD screen, what is larger at its own size, portrait upright."""

    def raster(width: int, height: int, display: tuple[int, int]) -> tuple[int, int]:
        return comparison_raster(replace(VIDEO, width=width, height=height), display)

    assert raster(3840, 2160, (3840, 2160)) == (3840, 2160)
    assert raster(960, 540, (3840, 2160)) == (1920, 1080)
    assert raster(540, 960, (2160, 3840)) == (1080, 1920)
    assert raster(768, 432, (768, 432)) == (768, 432)
    assert raster(720, 540, (768, 576)) == (768, 576)


def test_the_mean_of_scores_is_not_the_whole_story() -> None:
    """Harmonic mean and 5th percentile fall where a few frames are bad."""
    assert measurement("vmaf", "m", [90.0] * 95 + [0.0] * 5) == Measurement(
        "vmaf", "m", mean=85.5, harmonic_mean=15.5455, p5=85.5, frames=100
    )


def test_logs_of_the_filters_are_read_a_frame_at_a_time() -> None:
    """As this ffmpeg writes them; infinite XPSNR counts as 100 dB."""
    vmaf = '{"frames": [{"frameNum": 0, "metrics": {"motion": 1.0, "vmaf": 93.5}}]}'
    xpsnr = "n:    1  XPSNR y: 40.0000  XPSNR u: 44.0000  XPSNR v: 44.0000\n"
    equal = (
        "n:    2  XPSNR y: inf  XPSNR u: inf  XPSNR v: inf\n\nXPSNR average, 2 frames  y: 40.0\n"
    )
    ssim = "n:1 Y:0.985372 U:0.992408 V:0.995905 All:0.988300 (19.318235)\n"
    assert vmaf_values(vmaf) == [93.5]
    assert xpsnr_values(xpsnr + equal) == [41.0, 100.0]
    assert ssim_values(ssim) == [0.985372]
