"""A rendition with anything wrong is refused, and every disagreement is named."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pipelines.errors import VerificationFailed
from pipelines.facts import Measurement, RenditionFacts
from pipelines.inspection.thumbs import Window, picture_places
from pipelines.media import Colour, ContentLight, MasteringDisplay
from pipelines.planning.plan_types import Chunk, LoudnessPlan, Plan, Rung
from pipelines.profiles.profile import Container
from pipelines.verification.decoded import Decoded, DecodedSound
from pipelines.verification.expectations import decoding_faults
from pipelines.verification.samples import sound_spans
from pipelines.verification.verify import told
from tests.pipelines import handmade
from tests.pipelines.handmade import PLAN, RIGHT, RUNG, STEREO, TAGS, VIDEO, Recipe, encode
from tests.pipelines.sources import verified, verifying

pytestmark = pytest.mark.media

LOSSLESS = ("-c:v", "ffv1", "-level", "3", "-g", "1", "-slicecrc", "1")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return handmade.make_source(tmp_path_factory.mktemp("source"))


def checked(path: Path, source: Path, rung: Rung = RUNG, plan: Plan = PLAN) -> RenditionFacts:
    return verified(path, rung, plan, source).facts


def refusal(path: Path, source: Path, rung: Rung = RUNG, plan: Plan = PLAN) -> str:
    with pytest.raises(VerificationFailed) as refused:
        checked(path, source, rung, plan)
    return str(refused.value)


def test_a_rendition_as_planned_gives_its_facts(source: Path, tmp_path: Path) -> None:
    """What the file says, not what the plan says, becomes the facts."""
    path = encode(source, tmp_path / "right.mp4")
    facts = checked(path, source)
    assert (facts.codec, facts.width, facts.height, facts.pix_fmt) == ("h264", 320, 180, "yuv420p")
    assert (facts.frames, facts.frame_rate, facts.duration_s) == (50, 25, 2)
    assert facts.colour == Colour("bt709", "bt709", "bt709", "tv")
    assert facts.size_bytes == path.stat().st_size
    assert facts.bitrate_bps == facts.size_bytes * 4
    assert len(facts.sha256) == 64
    sound = facts.audio[0]
    assert (sound.codec, sound.channels, sound.sample_rate_hz) == ("aac", 2, 48000)
    assert sound.loudness_lkfs == pytest.approx(-13, abs=1)
    assert sound.true_peak_dbtp == pytest.approx(-5, abs=1)


WRONG_PICTURES = {
    "one frame missing": (
        Recipe(picture="select='not(eq(n,20))'"),
        ["49 frames decode, 50 planned", "frame 20 is at 0.8400 s, planned 0.8000 s"],
    ),
    "one frame missing, the rest moved up": (
        Recipe(picture="select='not(eq(n,20))',setpts=N/25/TB"),
        ["49 frames decode, 50 planned"],
    ),
    "one frame twice": (
        Recipe(picture="loop=loop=1:size=1:start=20,setpts=N/25/TB"),
        ["51 frames decode, 50 planned"],
    ),
    "one frame missing and another twice": (
        Recipe(
            picture="select='not(eq(n,10))',setpts=N/25/TB,"
            "loop=loop=1:size=1:start=30,setpts=N/25/TB"
        ),
        ["frame 10 shows source frame 11, planned 10"],
    ),
    "two frames swapped": (
        Recipe(picture="shuffleframes=0 1 3 2 4"),
        ["frame 2 shows source frame 3, planned 2", "frame 3 shows source frame 2, planned 3"],
    ),
    "wrong transfer": (
        Recipe(tags=TAGS.replace("color_trc=bt709", "color_trc=smpte170m")),
        [
            "colour transfer is smpte170m, bt709 planned",
            "colour transfer in the stream is smpte170m, bt709 planned",
            "colour transfer in the container is smpte170m, bt709 planned",
        ],
    ),
    "untagged": (
        Recipe(tags="setparams=color_primaries=unknown:color_trc=unknown:colorspace=unknown"),
        ["colour primaries is None, bt709 planned", "colour matrix is None, bt709 planned"],
    ),
    "wrong pixel format": (
        Recipe(pix_fmt="yuv422p"),
        ["pix_fmt is yuv422p, yuv420p planned", "codec profile is High 4:2:2, high planned"],
    ),
    "wrong size": (
        Recipe(picture="scale=160:90"),
        ["width is 160, 320 planned", "height is 90, 180 planned"],
    ),
    "key frames too far apart": (
        Recipe(codec=("-c:v", "libx264", "-preset", "veryfast", "-g", "40")),
        ["key frames lie 40 frames apart, at most 25 planned"],
    ),
}


@pytest.mark.parametrize("fault", WRONG_PICTURES)
def test_a_wrong_picture_is_refused(fault: str, source: Path, tmp_path: Path) -> None:
    """Each fault is named with what the file has and what was planned."""
    recipe, words = WRONG_PICTURES[fault]
    text = refusal(encode(source, tmp_path / "wrong.mp4", recipe), source)
    assert [word for word in words if word not in text] == []


WRONG_SOUNDS = {
    "mono": (
        Recipe(audio_codec=("-c:a", "aac", "-ac", "1")),
        "audio track 0: channels is 1, 2 planned",
    ),
    "60 ms late": (
        Recipe(sound="adelay=60:all=1,atrim=end=2"),
        "audio track 0: the sound is +60.0 ms off the source",
    ),
    "60 ms early": (
        Recipe(sound="atrim=start=0.06,asetpts=PTS-STARTPTS,apad=whole_dur=2"),
        "audio track 0: the sound is -60.0 ms off the source",
    ),
    "late by the priming of AAC": (
        Recipe(sound="adelay=1024S:all=1,atrim=end=2"),
        "audio track 0: the sound is +21.",
    ),
    "missing": (Recipe(audio_codec=("-an",)), "0 audio tracks, 1 planned"),
    "silent": (Recipe(sound="volume=0"), "audio track 0: channel 0 is silent"),
    "one side silent": (Recipe(sound="pan=stereo|c0=c0"), "audio track 0: channel 1 is silent"),
    "sides swapped": (
        Recipe(sound="channelmap=1|0"),
        "audio track 0: channel 0 carries the source's channel 1",
    ),
    "another sound": (
        Recipe(sound="aeval=0.2*random(2)|0.2*random(3):c=same"),
        "audio track 0: the sound is not the source's",
    ),
    "short": (
        Recipe(sound="atrim=end=1.5"),
        "audio track 0: lasts 1.500 s, 2.000 s planned",
    ),
    "at another rate": (
        Recipe(audio_codec=("-c:a", "aac", "-ar", "44100")),
        "audio track 0: sample rate is 44100, 48000 planned",
    ),
}


@pytest.mark.parametrize("fault", WRONG_SOUNDS)
def test_wrong_sound_is_refused(fault: str, source: Path, tmp_path: Path) -> None:
    """Also where the container's numbers are all right and only the samples have moved."""
    recipe, words = WRONG_SOUNDS[fault]
    assert words in refusal(encode(source, tmp_path / "wrong.mp4", recipe), source)


WRONG_WORDS = {
    "another language": (
        ("-metadata:s:a:0", "language=eng"),
        "audio track 0: language is eng, zho planned",
    ),
    "no language": (
        ("-metadata:s:a:0", "language="),
        "audio track 0: language is und, zho planned",
    ),
    "a timecode": (("-timecode", "10:00:00:00"), "timecode is 10:00:00:00, None planned"),
}


@pytest.mark.parametrize("fault", WRONG_WORDS)
def test_what_a_file_says_beside_its_essence_is_compared(
    fault: str, source: Path, tmp_path: Path
) -> None:
    """An archive finds and cuts by it."""
    output, words = WRONG_WORDS[fault]
    path = encode(source, tmp_path / "wrong.mp4", replace(RIGHT, output=output))
    assert words in refusal(path, source)


def test_a_planned_timecode_has_to_be_there(source: Path, tmp_path: Path) -> None:
    """At the rung's own rate, in MP4's track for it."""
    plan = replace(PLAN, source_timecode="09:59:50:07")
    right = replace(RIGHT, output=("-timecode", "09:59:50:07"))
    checked(encode(source, tmp_path / "right.mp4", right), source, RUNG, plan)
    text = refusal(encode(source, tmp_path / "bare.mp4"), source, RUNG, plan)
    assert "timecode is None, 09:59:50:07 planned" in text


def test_a_track_that_nobody_planned_is_refused(source: Path, tmp_path: Path) -> None:
    """Subtitles that came along are in no plan."""
    words = tmp_path / "words.srt"
    words.write_text("1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    right = encode(source, tmp_path / "right.mp4")
    path = tmp_path / "more.mp4"
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text")
    handmade.call("-i", right, "-i", words, *maps, path)
    assert "1 subtitle tracks, 0 planned" in refusal(path, source)


def test_the_bits_of_flac_are_compared(source: Path, tmp_path: Path) -> None:
    """16 of 24 would be a loss that no ear notices."""
    sound = replace(STEREO, codec="flac", bit_depth=24)
    rung = replace(RUNG, container="mkv", audio=(sound,))
    path = encode(source, tmp_path / "a.mkv", replace(RIGHT, audio_codec=("-c:a", "flac")))
    assert "audio track 0: samples have 16 bits, 24 planned" in refusal(path, source, rung)


def test_sound_that_the_container_delays_is_refused(source: Path, tmp_path: Path) -> None:
    """The samples are right, and the edit list puts them late."""
    right = encode(source, tmp_path / "right.mp4")
    late = tmp_path / "late.mp4"
    handmade.call(
        *("-i", right, "-itsoffset", "0.1", "-i", right),
        *("-map", "0:v", "-map", "1:a", "-c", "copy", late),
    )
    assert "audio track 0: starts at 0.079 s" in refusal(late, source)  # 0.1 less the priming


@pytest.mark.parametrize("share", [0.98, 0.5, 0.01])
def test_a_truncated_file_is_refused(share: float, source: Path, tmp_path: Path) -> None:
    """With its index in front a cut file still opens, so that only decoding shows it."""
    path = encode(source, tmp_path / "cut.mp4", replace(RIGHT, output=("-movflags", "+faststart")))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    assert refusal(path, source).startswith("hd-avc-sdr cannot be read back: ")


def test_damaged_bytes_are_refused(source: Path, tmp_path: Path) -> None:
    """A decoder would conceal them; here the first damaged packet ends it."""
    path = encode(source, tmp_path / "damaged.mp4")
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\x55" * 400
    path.write_bytes(data)
    assert refusal(path, source).startswith("hd-avc-sdr cannot be read back: ")


def test_the_sample_entry_has_to_be_hvc1(source: Path, tmp_path: Path) -> None:
    """What ffmpeg writes by itself for HEVC in MP4 is hev1, which Apple's players refuse."""
    codec = (
        "-c:v",
        "libx265",
        "-preset",
        "ultrafast",
        "-x265-params",
        "log-level=none",
        "-g",
        "25",
    )
    path = encode(source, tmp_path / "hev1.mp4", replace(RIGHT, codec=codec))
    video = replace(VIDEO, codec="hevc", codec_profile="main")
    assert "sample entry is hev1" in refusal(path, source, replace(RUNG, video=video))


def test_an_hdr_rendition_carries_its_static_metadata(source: Path, tmp_path: Path) -> None:
    """ST 2086 and MaxCLL are compared with the plan; a file without them is refused."""
    colour = Colour("bt2020", "smpte2084", "bt2020nc", "tv")
    tags = "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv"
    master = "G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50)"

    def recipe(parameters: str) -> Recipe:
        return replace(
            RIGHT,
            tags=tags,
            pix_fmt="yuv420p10le",
            codec=(
                *("-c:v", "libx265", "-preset", "ultrafast", "-g", "25", "-tag:v", "hvc1"),
                *("-x265-params", f"log-level=none:keyint=25{parameters}"),
            ),
        )

    def at(x: int, y: int) -> tuple[Fraction, Fraction]:
        return (Fraction(x, 50000), Fraction(y, 50000))  # the unit of the SEI message

    display = MasteringDisplay(
        red=at(34000, 16000),
        green=at(13250, 34500),
        blue=at(7500, 3000),
        white=at(15635, 16450),
        min_luminance_cd_m2=Fraction(50, 10000),
        max_luminance_cd_m2=Fraction(1000),
    )
    video = replace(
        VIDEO,
        codec="hevc",
        codec_profile="main10",
        pix_fmt="yuv420p10le",
        colour=colour,
        mastering_display=display,
        content_light=ContentLight(1000, 400),
    )
    rung = replace(RUNG, video=video)
    told = recipe(f":master-display={master}:max-cll=1000,400")
    half = encode(source, tmp_path / "half.mp4", told)
    assert "mastering display in the container is None" in refusal(half, source, rung)
    whole = tmp_path / "whole.mp4"
    words = ("-mastering_display:v:0", master, "-content_light:v:0", "1000,400")
    copied = ("-c", "copy", "-tag:v", "hvc1", "-map_metadata", "0")
    handmade.call(*words, "-i", half, *copied, "-y", whole)
    assert checked(whole, source, rung).colour == colour
    text = refusal(encode(source, tmp_path / "bare.mp4", recipe("")), source, rung)
    assert "mastering display is None" in text
    assert "content light is None, ContentLight(max_cll_cd_m2=1000, max_fall_cd_m2=400)" in text


def test_a_level_above_the_planned_one_is_refused(source: Path, tmp_path: Path) -> None:
    """A player that is promised 3.1 may not be given 4.0; a lower level harms nobody."""
    codec = (*RIGHT.codec, "-level", "4.0")
    path = encode(source, tmp_path / "level.mp4", replace(RIGHT, codec=codec))
    text = refusal(path, source, replace(RUNG, video=replace(VIDEO, level="3.1")))
    assert "level is 4, at most 3.1 planned" in text
    checked(path, source, replace(RUNG, video=replace(VIDEO, level="4.1")))


def test_a_rendition_over_its_bitrate_cap_is_refused(source: Path, tmp_path: Path) -> None:
    """The cap holds over the whole file, plus what the decoder's buffer holds."""
    path = encode(source, tmp_path / "fat.mp4")
    video = replace(VIDEO, max_bitrate_bps=50_000, buffer_bits=50_000)
    text = refusal(path, source, replace(RUNG, video=video))
    assert re.search(r"\d\.\d\d Mb/s, capped at 0\.05", text)


def test_a_picture_that_comes_too_late_for_the_decoder_is_refused(
    source: Path, tmp_path: Path
) -> None:
    """The whole is under its cap, but its first picture does not fit into the buffer."""
    path = encode(source, tmp_path / "late.mp4")
    first = packet_sizes(path)[0] * 8
    video = replace(VIDEO, max_bitrate_bps=50_000_000, buffer_bits=first * 2 // 3)
    text = refusal(path, source, replace(RUNG, video=video))
    assert re.search(r"buffer of \d\.\d\d Mb lacks \d\.\d\d Mb at 0\.00 s, fed at 50\.00", text)
    checked(path, source, replace(RUNG, video=replace(video, buffer_bits=first * 2)))


def packet_sizes(path: Path) -> list[int]:
    with av.open(str(path)) as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def test_half_the_frame_rate_keeps_every_second_frame(source: Path, tmp_path: Path) -> None:
    """Frame n of a rung at half rate is source frame 2n, and its neighbour is refused."""
    video = replace(VIDEO, frames=25, frame_rate=Fraction(25, 2), rate_divisor=2, gop_frames=13)
    rung = replace(RUNG, video=video)
    codec = ("-c:v", "libx264", "-preset", "veryfast", "-g", "12")
    even = replace(RIGHT, codec=codec, picture="framestep=2")
    odd = replace(RIGHT, codec=codec, picture="trim=start_frame=1,framestep=2,setpts=N*2/25/TB")
    assert checked(encode(source, tmp_path / "even.mp4", even), source, rung).frames == 25
    text = refusal(encode(source, tmp_path / "odd.mp4", odd), source, rung)
    assert "frame 1 shows source frame 3, planned 2" in text


def test_places_in_a_long_source_are_compared_one_by_one(tmp_path: Path) -> None:
    """Head, middle and tail of a source are compared; one lost frame between them shows."""
    source = handmade.make_source(tmp_path, frames=300)
    plan = replace(PLAN, frames=300, duration_s=Fraction(12))
    rung = replace(RUNG, video=replace(VIDEO, frames=300))
    checked(encode(source, tmp_path / "right.mp4"), source, rung, plan)
    late = "select='not(eq(n,40))',setpts=N/25/TB,tpad=stop=1:stop_mode=clone"
    text = refusal(
        encode(source, tmp_path / "late.mp4", replace(RIGHT, picture=late)), source, rung, plan
    )
    assert "frame 138 shows source frame 139, planned 138" in text


def test_the_places_that_are_compared() -> None:
    """Head, middle, tail and seams; all of a short source."""
    assert picture_places(PLAN) == (Window(0, 50),)
    chunks = (Chunk(0, 0, 90), Chunk(1, 90, 150))
    longer = replace(PLAN, frames=150, duration_s=Fraction(6), chunks=chunks)
    windows = (Window(0, 24), Window(63, 87), Window(78, 102), Window(126, 150))
    assert picture_places(longer) == windows


def test_places_between_far_ones_are_compared_too() -> None:
    """Twelve frames every 20 s, and a hundred places at most, however long it lasts."""
    long = replace(PLAN, frames=1250, duration_s=Fraction(50))
    head, tail = Window(0, 24), Window(1226, 1250)
    between = (Window(306, 318), Window(613, 637), Window(931, 943))
    assert picture_places(long) == (head, *between, tail)
    hours = replace(PLAN, frames=3 * 3600 * 25, duration_s=Fraction(3 * 3600))
    assert len(picture_places(hours)) == 101


def test_the_spans_of_sound_that_are_compared() -> None:
    """Head and tail, which may overlap, and five seconds a minute between them."""
    spans = {
        length_s: [
            (float(one.start_s), float(one.end_s)) for one in sound_spans(Fraction(length_s))
        ]
        for length_s in (20, 21, 50, 180)
    }
    assert spans[20] == [(0, 20)]
    assert spans[21] == [(0, 20), (1, 21)]
    assert spans[50] == [(0, 20), (30, 50)]
    assert spans[180] == [(0, 20), (57.5, 62.5), (117.5, 122.5), (160, 180)]
    assert len(sound_spans(Fraction(24 * 3600))) == 32


@pytest.mark.slow
def test_what_goes_wrong_within_a_minute_is_found(tmp_path: Path) -> None:
    """Sound that is late from 21 s on, and a picture that stands still for 23 s."""
    source = handmade.make_source(tmp_path, frames=1250)
    plan = replace(PLAN, frames=1250, duration_s=Fraction(50))
    rung = replace(RUNG, video=replace(VIDEO, frames=1250))
    checked(encode(source, tmp_path / "right.mp4"), source, rung, plan)
    late = (
        "asplit[x][y];[x]atrim=end=21[a];[y]atrim=start=20.8,asetpts=PTS-STARTPTS[b];"
        "[a][b]concat=v=0:a=1,atrim=end=50"
    )
    path = encode(source, tmp_path / "late.mp4", replace(RIGHT, sound=late))
    assert "the sound is +200.0 ms off the source" in refusal(path, source, rung, plan)
    frozen = "select='not(between(n,31,600))',fps=25:round=near"
    path = encode(source, tmp_path / "frozen.mp4", replace(RIGHT, picture=frozen))
    assert "planned 308" in refusal(path, source, rung, plan)


def test_a_seam_is_where_a_picture_needs_nothing_before_it(source: Path, tmp_path: Path) -> None:
    """Neither any picture nor the key frame of an open GOP may begin a chunk."""

    def divided(at: int) -> Plan:
        return replace(PLAN, chunks=(Chunk(0, 0, at), Chunk(1, at, PLAN.frames)))

    closed = encode(source, tmp_path / "closed.mp4")  # key frames at 0 and 25
    checked(closed, source, plan=divided(25))
    text = refusal(closed, source, plan=divided(20))
    assert "frame 20 begins a chunk and is not an IDR picture (1 of 1 seams)" in text
    coding = (*RIGHT.codec, "-x264-params", "open-gop=1")
    opened = encode(source, tmp_path / "open.mp4", replace(RIGHT, codec=coding))
    text = refusal(opened, source, plan=divided(25))
    assert "frame 25 begins a chunk and is not an IDR picture" in text


@pytest.mark.parametrize(
    ("container", "seconds", "allowed"), [("mp4", 2, 0.5), ("ts", 2, 0.76), ("ts", 60, 0.51)]
)
def test_a_short_transport_stream_may_lack_its_first_block(
    container: Container, seconds: int, allowed: float
) -> None:
    """AAC begins there without the block before; of a long programme that is nothing."""
    goal = LoudnessPlan(-24, 0.5, -2, least_lkfs=-24)
    rung = replace(RUNG, container=container, video=None, audio=(replace(STEREO, loudness=goal),))
    plan = replace(PLAN, duration_s=Fraction(seconds))

    def faults(lkfs: float) -> list[str]:
        sound = DecodedSound(float(seconds), lkfs, -6.0, (), np.zeros((0, 2)))
        return decoding_faults(rung, plan, Decoded(None, (sound,), ()))

    assert faults(-24 - allowed + 0.01) == []
    assert ["loudness is" in fault for fault in faults(-24 - allowed - 0.01)] == [True]


def test_a_clock_that_starts_late_moves_nothing(tmp_path: Path) -> None:
    """An MPEG-TS whose first picture is at 10 s, with sound that began 110 ms before it."""
    plain = handmade.make_source(tmp_path)
    source = tmp_path / "late.ts"
    handmade.call(
        *("-i", plain, "-itsoffset", "-0.1", "-i", plain, "-map", "0:v", "-map", "1:a"),
        *("-c:v", "libx264", "-qp", "4", "-preset", "ultrafast", "-c:a", "mp2", "-b:a", "384k"),
        *("-output_ts_offset", "10", "-muxdelay", "0", source),
    )
    sound_s = Fraction(989, 100)
    late = replace(PLAN, first_picture_s=Fraction(10), audio_start_s=(sound_s,))
    plan = replace(late, start_s=sound_s, clock_of_tracks=True)
    aligned = replace(RIGHT, sound="atrim=start=0.1,asetpts=PTS-STARTPTS,apad=whole_dur=2")
    checked(encode(plain, tmp_path / "right.mp4", aligned), source, RUNG, plan)
    text = refusal(encode(plain, tmp_path / "wrong.mp4"), source, RUNG, plan)
    assert "audio track 0: the sound is +100.0 ms off the source" in text


def test_an_interlaced_master_keeps_its_fields(source: Path, tmp_path: Path) -> None:
    """FFV1 in Matroska: field order is the container's word, times are whole milliseconds."""
    recipe = replace(
        RIGHT,
        tags=f"{TAGS},setfield=tff",
        codec=LOSSLESS,
        audio_codec=("-c:a", "flac"),
        output=("-field_order", "tt"),
    )
    path = encode(source, tmp_path / "tape.mkv", recipe)
    video = replace(
        VIDEO, codec="ffv1", codec_profile=None, field_order="tt", gop_frames=1, lossless=True
    )
    rung = Rung("archive-ffv1", 1, "mkv", video, (replace(STEREO, codec="flac"),), packaged=False)
    assert checked(path, source, rung).audio[0].codec == "flac"
    text = refusal(path, source, replace(rung, video=replace(video, field_order="bb")))
    assert "field order is tt, bb planned" in text


def archived(folder: Path, source: Path, recipe: Recipe = RIGHT) -> tuple[Path, Rung]:
    """A lossless rendition, perhaps with a fault, and the rung that it should be."""
    recipe = replace(recipe, codec=LOSSLESS, audio_codec=("-an",))
    video = replace(VIDEO, codec="ffv1", codec_profile=None, gop_frames=1, lossless=True)
    rung = Rung("archive-ffv1", 1, "mkv", video, (), packaged=False)
    return encode(source, folder / "archive.mkv", recipe), rung


def test_a_lossless_rendition_is_proven_by_the_hash_of_every_frame(
    source: Path, tmp_path: Path
) -> None:
    """The proof is kept with its commands."""
    path, rung = archived(tmp_path, source)
    proven = verified(path, rung, PLAN, source)
    equal = Measurement("framemd5", None, None, None, None, frames=50, equal=True)
    assert proven.proofs == (equal,)
    hashed = [argv[argv.index("-i") + 1] for argv in proven.commands]
    assert hashed == [str(path), str(source)]


def test_one_changed_sample_is_not_lossless(source: Path, tmp_path: Path) -> None:
    """Too small to be seen in a thumbnail, and it is refused with its place."""
    dot = replace(RIGHT, picture="drawbox=w=1:h=1:t=fill:enable='eq(n,31)'")
    path, rung = archived(tmp_path, source, dot)
    text = refusal(path, source, rung)
    assert "not lossless: 1 of 50 frames are not the source's, the first is frame 31" in text


def test_a_delivery_rung_needs_no_proof(source: Path, tmp_path: Path) -> None:
    """It is scored, and never equal."""
    path = encode(source, tmp_path / "right.mp4")
    proven = verified(path, RUNG, PLAN, source)
    assert (proven.proofs, proven.commands) == ((), ())


def test_sound_alone_is_verified_too(source: Path, tmp_path: Path) -> None:
    """A rung without a picture has facts without a picture."""
    rung = Rung("audio-access-aac", 1, "m4a", None, (STEREO,), packaged=False)
    path = handmade.encode_sound(source, tmp_path / "sound.m4a")
    facts = checked(path, source, rung)
    assert (facts.codec, facts.frames, facts.duration_s) == (None, None, 2)
    assert facts.audio[0].codec == "aac"
    picture = encode(source, tmp_path / "picture.mp4")
    assert "there is a picture track, none is planned" in refusal(picture, source, rung)


def test_a_source_with_fewer_frames_than_planned_proves_nothing(
    source: Path, tmp_path: Path
) -> None:
    """What cannot be compared is not taken for right."""
    short = handmade.make_source(tmp_path, frames=30)
    text = refusal(encode(source, tmp_path / "right.mp4"), short)
    assert "20 of 50 frames of the source are not found" in text


def test_sound_that_cannot_be_compared_is_not_taken_for_right(source: Path, tmp_path: Path) -> None:
    """By the plan's clock the source has none of it."""
    path = encode(source, tmp_path / "right.mp4")
    text = refusal(path, source, plan=replace(PLAN, first_picture_s=Fraction(100)))
    assert "audio track 0: nothing of the source's sound decodes" in text


LONG_SOUND = {
    "silent in the middle": (
        "volume=0:enable='between(t,25,35)'",
        "audio track 0: channel 0 is silent in the 5 s from 30 s, the source is not",
    ),
    "silent between": (
        "volume=0:enable='between(t,21,28)'",
        "audio track 0: channel 0 is silent from 21.2 s (6.7 s in all), the source is not",
    ),
    "louder": ("volume=3dB", "audio track 0: +3.0 dB against the source"),
    "longer": ("apad=pad_dur=1", "audio track 0: lasts 65.0"),
}


@pytest.fixture(scope="module")
def long_sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Rung, Plan]:
    """A minute of a swelling tone, what is planned of it, and that a right encode passes."""
    folder = tmp_path_factory.mktemp("long-sound")
    source = folder / "long.wav"
    tone = "sine=440:d=64:r=48000,volume='0.5+0.4*sin(t)':eval=frame,aformat=channel_layouts=stereo"
    handmade.call("-f", "lavfi", "-i", tone, source)
    rung = Rung("audio-access-aac", 1, "m4a", None, (STEREO,), packaged=False)
    plan = replace(PLAN, duration_s=Fraction(64), audio_tracks=(0,), rungs=(rung,))
    checked(handmade.encode_sound(source, folder / "right.m4a"), source, rung, plan)
    return source, rung, plan


@pytest.mark.parametrize("fault", LONG_SOUND)
def test_all_of_a_long_sound_is_compared(
    fault: str, long_sound: tuple[Path, Rung, Plan], tmp_path: Path
) -> None:
    """Head and tail are alike; what lies between them is not."""
    source, rung, plan = long_sound
    chain, words = LONG_SOUND[fault]
    wrong = handmade.encode_sound(source, tmp_path / "wrong.m4a", ("-c:a", "aac", "-af", chain))
    assert words in refusal(wrong, source, rung, plan)


def test_mono_tracks_joined_to_stereo_are_compared_side_by_side(
    source: Path, tmp_path: Path
) -> None:
    """Each channel is compared with the source track that it comes from."""
    tracks = tmp_path / "mono.mov"
    split = "[0:a]channelsplit=channel_layout=stereo[left][right]"
    handmade.call(
        *("-i", source, "-filter_complex", split, "-map", "0:v", "-map", "[left]"),
        *("-map", "[right]", "-c:v", "copy", "-c:a", "pcm_s16le", tracks),
    )
    joined = replace(STEREO, tracks=(0, 1), pan="join")
    plan = replace(PLAN, audio_tracks=(1, 2))
    path = encode(source, tmp_path / "stereo.mp4")
    checked(path, tracks, replace(RUNG, audio=(joined,)), plan)
    crossed = replace(joined, tracks=(1, 0))
    text = refusal(path, tracks, replace(RUNG, audio=(crossed,)), plan)
    assert "channel 0 carries the source's channel 1" in text


def test_closing_the_check_stops_the_decoder(source: Path, tmp_path: Path) -> None:
    """Cancel is a close of the generator, wherever it stands."""
    path = encode(source, tmp_path / "right.mp4")
    checking = verifying(path, RUNG, PLAN, source)
    next(checking)
    checking.close()
    with pytest.raises(StopIteration):
        next(checking)


def test_of_a_thousand_disagreements_the_first_are_told() -> None:
    """A wrong source of three hours disagrees at every seam; an error is read by people."""
    faults = [f"fault {number}" for number in range(1000)]
    assert told(faults[:12]) == "; ".join(faults[:12])
    assert told(faults) == "; ".join([*faults[:12], "and 988 more"])
