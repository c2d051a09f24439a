"""One command for all rungs: what grows from what, and the whole argv of typical jobs."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.encoding.encoders import encoder_options
from pipelines.encoding.graph import compose
from pipelines.encoding.rung_tree import lay_out
from pipelines.encoding.timecode import timecode_at
from pipelines.media import ContentLight, MasteringDisplay, VideoTrack
from pipelines.planning.plan import Chunk, Plan, plan
from pipelines.profiles.profile import ladder, profile
from pipelines.running import tools
from pipelines.sources.containers import FORMATS
from tests.pipelines.sources import HD, UHD, described

NTSC = Fraction(30000, 1001)
FOLDER = Path("/scratch")
SOURCE = Path("/store/source.mov")
OPENED = [
    *("-v", "warning", "-y", "-apply_cropping", "codec"),
    *("-format_whitelist", ",".join(FORMATS), "-max_pixels", "67108864"),
    *("-protocol_whitelist", "file"),
]


def planned(picture: VideoTrack, *names: str, frames: int = 100, timecode: str = "") -> Plan:
    info, seen = described(picture, frames=frames, timecode=timecode or None)
    return plan(info, seen, [profile(name) for name in names or ladder("cn-uhd-zone").profiles])


def grown(made: Plan) -> dict[str, str | None]:
    """Each rung and the rung that it takes its picture from."""
    branches = lay_out(made, FOLDER)
    return {
        branch.path.stem: None if branch.parent is None else branches[branch.parent].path.stem
        for branch in branches
    }


def chain(argv: list[str]) -> str:
    return argv[argv.index("-filter_complex") + 1]


def test_each_rung_grows_from_the_next_larger_one() -> None:
    """HLG: one conversion at 1080p50; the mobile rungs come from its result."""
    assert grown(planned(UHD)) == {
        "cn4k-hevc-hlg": None,
        "hd-avc-sdr": "cn4k-hevc-hlg",
        "mobile-1080p": "hd-avc-sdr",
        "mobile-720p": "mobile-1080p",
        "review-proxy": "mobile-720p",
        "mobile-540p": "mobile-720p",
    }


def test_nothing_grows_from_preservation_nor_from_burnt_in_timecode() -> None:
    """The one is not deinterlaced, the other is written over."""
    tape = replace(HD, field_order="tt")
    made = planned(tape, "review-proxy", "archive-ffv1", "mobile-540p", "hd-avc-sdr")
    assert grown(made) == {
        "archive-ffv1": None,
        "hd-avc-sdr": None,
        "review-proxy": "hd-avc-sdr",
        "mobile-540p": "hd-avc-sdr",
    }


@pytest.mark.parametrize("turn", [1, -1])
def test_a_mezzanine_s_colour_is_not_that_of_4_2_0(turn: int) -> None:
    """In whichever order they are asked for, the 4:2:0 is made of the 4:2:2."""
    fine = replace(UHD, pix_fmt="yuv422p10le")
    made = planned(fine, *["cn4k-hevc-hlg", "mezz4k-prores422hq"][::turn])
    assert grown(made) == {"mezz4k-prores422hq": None, "cn4k-hevc-hlg": "mezz4k-prores422hq"}


def test_4_2_0_of_8k_has_all_the_colour_of_4_2_2_at_4k() -> None:
    """Each is made once, from the next larger one."""
    large = replace(UHD, width=7680, height=4320, pix_fmt="yuv422p10le")
    made = planned(large, "mezz4k-prores422hq", "cn8k-hevc-hlg")
    assert grown(made) == {"cn8k-hevc-hlg": None, "mezz4k-prores422hq": "cn8k-hevc-hlg"}


def test_a_rate_that_does_not_divide_is_taken_from_the_source() -> None:
    """75 fps: every second frame for HD, every third for mobile."""
    made = planned(replace(HD, frame_rate=Fraction(75)), "hd-avc-sdr", "mobile-540p")
    assert grown(made) == {"hd-avc-sdr": None, "mobile-540p": None}


def test_the_whole_command_of_a_plain_source() -> None:
    """1080p25 to two rungs: one input, one graph, two outputs."""
    argv = compose(SOURCE, planned(HD, "mobile-720p", "mobile-540p"), Chunk(0, 0, 100), FOLDER)
    graph = (
        "[0:0]scale=1280:720:flags=bicubic+accurate_rnd:in_chroma_loc=left:out_chroma_loc=left[s0];"
        "[s0]setsar=1[s1];"
        "[s1]format=pix_fmts=yuv420p[s2];"
        "[s2]setparams=chroma_location=left:color_primaries=bt709:color_trc=bt709:"
        "colorspace=bt709:field_mode=prog:range=tv[s3];"
        "[s3]split=2[s4][s5];"
        "[s5]scale=960:540:flags=bicubic+accurate_rnd:in_chroma_loc=left:out_chroma_loc=left[s6];"
        "[s6]setsar=1[s7]"
    )
    common = [
        "-fflags",
        "+bitexact",
        "-flags",
        "+cgop",
        "-fps_mode",
        "passthrough",
        "-g",
        "25",
        "-keyint_min",
        "25",
    ]
    bare = ["-map_chapters", "-1", "-map_metadata", "-1"]
    last = [
        "-preset",
        "medium",
        "-profile:v",
        "high",
        "-psy-rd",
        "0.4:0",
        "-sc_threshold",
        "0",
        "-video_track_timescale",
        "10000",
    ]
    assert argv == [
        *(tools.ffmpeg(), *OPENED, "-r", "25/1", "-i", "/store/source.mov"),
        *("-filter_complex", graph),
        *("-map", "[s4]", "-f", "mp4", "-a53cc", "0", "-bufsize", "5000000", "-c:v", "libx264"),
        *("-crf", "22", *common, *bare, "-maxrate", "2500000", *last),
        "/scratch/mobile-720p.mp4",
        *("-map", "[s7]", "-f", "mp4", "-a53cc", "0", "-bufsize", "2400000", "-c:v", "libx264"),
        *("-crf", "23", *common, *bare, "-maxrate", "1200000", *last),
        "/scratch/mobile-540p.mp4",
    ]


def test_the_whole_command_of_a_preservation_master() -> None:
    """The bare decode, tagged, into FFV1 version 3: no filter that touches a sample."""
    tape = replace(HD, pix_fmt="yuv422p10le", bit_depth=10, field_order="tt")
    tags = "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    argv = compose(SOURCE, planned(tape, "archive-ffv1"), Chunk(0, 0, 100), FOLDER)
    assert argv == [
        *(tools.ffmpeg(), *OPENED, "-r", "25/1", "-i", "/store/source.mov"),
        "-filter_complex",
        f"[0:0]setparams={tags}[s0];[s0]setfield=mode=tff[s1]",
        *("-map", "[s1]", "-f", "matroska", "-c:v", "ffv1", "-coder", "1", "-color_range", "tv"),
        *("-context", "1"),
        *("-fflags", "+bitexact", "-fps_mode", "passthrough", "-g", "1", "-level", "3"),
        *("-map_chapters", "-1", "-map_metadata", "-1", "-slicecrc", "1", "-slices", "24"),
        "/scratch/archive-ffv1.mkv",
    ]


def test_hdr_is_scaled_first_and_converted_after() -> None:
    """At 1080 lines a conversion costs a quarter."""
    graph = chain(compose(SOURCE, planned(UHD, "hd-avc-sdr"), Chunk(0, 0, 100), FOLDER))
    steps = [part.split("]", 1)[1].split("=", 1)[0] for part in graph.split(";")]
    converted = ["zscale", "format", "lut3d", "zscale", "format", "setparams"]
    assert steps == ["scale", "setsar", *converted, "sidedata", "sidedata"]


def test_fields_are_woven_apart_at_full_size_before_anything_is_scaled() -> None:
    """In the order that was inspected, bottom field first here."""
    tape = replace(HD, field_order="bb")
    graph = chain(compose(SOURCE, planned(tape, "mobile-540p"), Chunk(0, 0, 100), FOLDER))
    assert graph.startswith("[0:0]bwdif=deint=all:mode=send_frame:parity=bff[s0];[s0]scale=960:540")


def test_an_uneven_source_is_resampled_before_everything() -> None:
    """Exactly the planned count: repeated, dropped, and the last one held."""
    info, seen = described(HD, duration_s=Fraction(4), constant_frame_rate=False)
    made = plan(info, seen, [profile("mobile-540p")])
    argv = compose(SOURCE, made, made.chunks[0], FOLDER)
    assert "-r" not in argv
    assert chain(argv).startswith(
        "[0:0]setpts=PTS-STARTPTS[s0];[s0]fps=fps=25/1[s1];"
        "[s1]tpad=stop=100:stop_mode=clone[s2];[s2]trim=end_frame=100[s3];[s3]scale="
    )


@pytest.mark.parametrize(
    ("start", "between"),
    [(50, ""), (51, "trim=start_frame=1[s2];[s2]setpts=PTS-STARTPTS[s3];[s3]")],
)
def test_a_chunk_keeps_the_frames_that_the_whole_would_keep(start: int, between: str) -> None:
    """Every second frame counts from the programme's first, wherever a chunk starts."""
    made = planned(replace(HD, frame_rate=Fraction(50)), "mobile-540p")
    cut = f"[0:0]trim=end_frame=100:start_frame={start}[s0];[s0]setpts=PTS-STARTPTS[s1];[s1]"
    graph = chain(compose(SOURCE, made, Chunk(1, start, 100), FOLDER))
    assert graph.startswith(f"{cut}{between}framestep=2")


def test_burnt_in_timecode_starts_at_the_chunk_s_first_frame() -> None:
    """At the rung's rate: 10:00:00:20 at 50 fps is frame 10 at 25, and chunk 2 is 50 on."""
    made = planned(
        replace(HD, frame_rate=Fraction(50)), "review-proxy", timecode="10:00:00:20", frames=200
    )
    graph = chain(compose(SOURCE, made, Chunk(1, 100, 200), FOLDER))
    assert r"rate=25/1:tc24hmax=1:timecode=10\\:00\\:02\\:10:" in graph


def test_a_rate_without_timecode_shows_the_time() -> None:
    """12.5 frames a second are not counted by ST 12."""
    made = planned(replace(HD, frame_rate=Fraction(25, 2)), "review-proxy")
    assert "timecode=" not in chain(compose(SOURCE, made, Chunk(0, 0, 100), FOLDER))
    assert "pts" in chain(compose(SOURCE, made, Chunk(0, 0, 100), FOLDER))


@pytest.mark.parametrize(
    ("start", "source", "rate", "later", "shown"),
    [
        (None, Fraction(25), Fraction(25), 26, "00:00:01:01"),
        ("10:00:00:30", Fraction(50), Fraction(25), 0, "10:00:00:15"),
        ("23:59:59:24", Fraction(25), Fraction(25), 1, "00:00:00:00"),
        ("01:00:59;29", NTSC, NTSC, 1, "01:01:00;02"),
        ("01:09:59;29", NTSC, NTSC, 1, "01:10:00;00"),
        ("01:00:59:29", NTSC, NTSC, 1, "01:01:00:00"),
        ("00:00:59;59", 2 * NTSC, 2 * NTSC, 1, "00:01:00;04"),
    ],
)
def test_timecode_counts_as_st_12_does(
    start: str | None, source: Fraction, rate: Fraction, later: int, shown: str
) -> None:
    """Drop-frame leaves out two numbers a minute (four at 60), but not every tenth."""
    first = timecode_at(start, source, rate)
    assert first is not None
    assert str(first.later(later)) == shown


def test_x265_is_told_everything_that_its_stream_must_say() -> None:
    """Closed GOPs of one length, the level's buffer, and ST 2086 in its own units."""
    info, seen = described(
        replace(
            UHD,
            mastering_display=MasteringDisplay(
                red=(Fraction(708, 1000), Fraction(292, 1000)),
                green=(Fraction(170, 1000), Fraction(797, 1000)),
                blue=(Fraction(131, 1000), Fraction(46, 1000)),
                white=(Fraction(3127, 10000), Fraction(3290, 10000)),
                min_luminance_cd_m2=Fraction(1, 2000),
                max_luminance_cd_m2=Fraction(1000),
            ),
            content_light=ContentLight(1000, 400),
        )
    )
    video = plan(info, seen, [profile("cn4k-hevc-hlg")]).rungs[0].video
    assert video is not None
    assert encoder_options(video)["x265-params"].split(":") == [
        *("keyint=50", "min-keyint=50", "scenecut=0", "open-gop=0"),
        *("level-idc=5.1", "high-tier=0", "vbv-maxrate=36000", "vbv-bufsize=36000"),
        "log-level=warning",
        "master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,5)",
        "max-cll=1000,400",
    ]


@pytest.mark.parametrize(
    ("start", "end", "full", "edges"),
    [
        (0, 300, None, "zones=149,149,b=1.6:stitchable=1"),
        (300, 600, 2_500_000, "zones=0,0,b=1.4/149,149,b=1.6:stitchable=1"),
        (600, 1000, 2_500_000, "zones=0,0,b=1.4:stitchable=1"),
        (0, 1000, None, None),
    ],
)
def test_a_chunk_takes_the_buffer_as_the_one_before_leaves_it(
    start: int, end: int, full: int | None, edges: str | None
) -> None:
    """Half of 5 Mb, at the whole cap. Its first frame is coded like any key frame, and the last one
    before the next chunk as if that one's frames were made of it.
    """
    made = plan(*described(UHD, frames=1000), [profile("mobile-720p")])
    argv = compose(SOURCE, made, Chunk(1, start, end), FOLDER)
    assert value(argv, "-maxrate") == "2500000"
    assert value(argv, "-bufsize") == "5000000"
    assert value(argv, "-rc_init_occupancy") == (None if full is None else str(full))
    assert value(argv, "-x264-params") == edges


def test_x265_is_told_the_same_of_a_chunk() -> None:
    made = plan(*described(UHD, frames=1000), [profile("cn4k-hevc-hlg")])
    words = x265_words(compose(SOURCE, made, Chunk(1, 300, 600), FOLDER))
    assert words["vbv-maxrate"] == words["vbv-bufsize"] == "36000"
    assert words["vbv-init"] == "0.5"
    assert words["zones"] == "0,1,b=1.23"
    whole = x265_words(compose(SOURCE, made, Chunk(0, 0, 1000), FOLDER))
    assert not {"zones", "vbv-init"} & set(whole)


def test_of_a_chunk_that_left_too_little_the_encoder_sees_less_of_the_buffer() -> None:
    """Of the rung that owes 0.5 Mb alone: 1 Mb of 5 is hidden, all of it full at the start."""
    made = plan(*described(UHD, frames=1000), [profile("mobile-720p"), profile("mobile-540p")])
    owed = {FOLDER / "mobile-720p.mp4": 500_000}
    argv = compose(SOURCE, made, Chunk(1, 300, 600), FOLDER, owed_bits=owed)
    assert values(argv, "-maxrate") == ["2500000", "1200000"]
    assert values(argv, "-bufsize") == ["4000000", "2400000"]
    assert values(argv, "-rc_init_occupancy") == ["1500000", "1200000"]
    first = compose(SOURCE, made, Chunk(0, 0, 300), FOLDER, owed_bits=owed)
    assert values(first, "-rc_init_occupancy") == ["3500000"], "nine tenths, less what is hidden"
    much = {FOLDER / "mobile-720p.mp4": 60_000_000}
    least = compose(SOURCE, made, Chunk(1, 300, 600), FOLDER, owed_bits=much)
    assert value(least, "-bufsize") == "3000000", "never more than two fifths"


def test_x265_sees_less_of_the_buffer_too() -> None:
    """Of 36 Mb it knows 32, of which 14 are full."""
    made = plan(*described(UHD, frames=1000), [profile("cn4k-hevc-hlg")])
    owed = {FOLDER / "cn4k-hevc-hlg.mp4": 2_000_000}
    words = x265_words(compose(SOURCE, made, Chunk(1, 300, 600), FOLDER, owed_bits=owed))
    assert (words["vbv-maxrate"], words["vbv-bufsize"], words["vbv-init"]) == (
        *("36000", "32000"),
        "0.4375",
    )


def values(argv: list[str], option: str) -> list[str]:
    return [argv[at + 1] for at, word in enumerate(argv) if word == option]


def value(argv: list[str], option: str) -> str | None:
    return next(iter(values(argv, option)), None)


def x265_words(argv: list[str]) -> dict[str, str]:
    return dict(word.split("=", 1) for word in argv[argv.index("-x265-params") + 1].split(":"))


def test_a_part_is_found_by_its_clock_and_counted_from_there() -> None:
    """The frames before it are decoded and dropped, half a frame before the first is the cut."""
    made = plan(*described(UHD, frames=1000), [profile("mobile-720p")])
    argv = compose(SOURCE, made, Chunk(1, 300, 600), FOLDER, part=True)
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.startswith(
        "[0:0]trim=end=3605.990000:start=3599.990000[s0];[s0]settb=1/50[s1];[s1]setpts=N[s2];"
        "[s2]fps=fps=50/1[s3];[s3]framestep=2[s4];"
    )
    assert "-copyts" in argv
    assert "-r" not in argv
