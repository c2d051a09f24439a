"""Every profile that this machine can do, from every kind of light at every rate: read back, or
refused for the reason that was to be expected.

At a small raster, from one decode for all; class 300, whose frames have one size only, at that one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.encoders import mastering_words
from pipelines.encoding.join import join
from pipelines.media import ContentLight, Inspection, MasteringDisplay
from pipelines.planning.plan import Chunk, Plan, VideoPlan, plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.planning.plan_picture import AVS2_RATES
from pipelines.profiles.capabilities import lacking
from pipelines.profiles.profile import Profile, load_profiles
from pipelines.profiles.vivid_sample import mark_vivid
from pipelines.progress import finish
from pipelines.rates import nearest_standard_rate
from pipelines.sources.probe import probe
from pipelines.verification.verify import verify
from tests.pipelines.sources import HD, UHD, call, described, smaller, thumbs_of

pytestmark = pytest.mark.media

FRAMES = 8
LARGE_FRAMES = 2
STATIC_METADATA = (
    *("-mastering_display:v:0", mastering_words(NOMINAL_DISPLAY)),
    *("-content_light:v:0", "1000,400"),
)
RATES = [Fraction(25), Fraction(50), Fraction(30000, 1001), Fraction(60000, 1001)]
LIGHT = {
    "sdr": ("yuv420p", "bt709", "bt709", "bt709"),
    "hlg": ("yuv420p10le", "bt2020", "arib-std-b67", "bt2020nc"),
    "pq": ("yuv420p10le", "bt2020", "smpte2084", "bt2020nc"),
}
QUICK = {"hevc": "ultrafast", "h264": "veryfast", "av1": "12", "vvc": "faster", "avs2": "0"}
# So that no profile is another one's twin at these sizes, and one is larger, between bars.
SIZES = {"mobile-720p": (288, 162), "mobile-540p": (256, 144), "uhd-upconvert-hlg": (400, 200)}


def small_profiles() -> list[Profile]:
    """All that make a picture here, at a raster that a test has time for."""
    able = [
        profile
        for profile in load_profiles().values()
        if profile.video is not None
        and profile.video.codec_profile != "avc-intra-300"
        and not lacking([profile])
    ]
    return [quick(small(profile)) for profile in able]


def small(profile: Profile) -> Profile:
    assert profile.video is not None
    if profile.video.width is None:
        return profile
    return smaller(profile, *SIZES.get(profile.name, (320, 180)))


def quick(profile: Profile) -> Profile:
    assert profile.video is not None
    preset = QUICK.get(profile.video.codec)
    return replace(profile, video=replace(profile.video, preset=preset))


def source_of(folder: Path, light: str, rate: Fraction, size: str = "320x180") -> Path:
    """Moving detail, tagged, without loss and without sound; HDR with its static metadata."""
    path = folder / "source.mkv"
    pix_fmt, primaries, transfer, matrix = LIGHT[light]
    tags = f"color_primaries={primaries}:color_trc={transfer}:colorspace={matrix}:range=tv"
    picture = f"testsrc2=s={size}:r={rate}:d=1,format={pix_fmt},setparams={tags}"
    words = () if light == "sdr" else STATIC_METADATA
    frames = FRAMES if size == "320x180" else LARGE_FRAMES
    made = ("-frames:v", str(frames), "-c:v", "ffv1", "-y", path)
    call(*words, "-f", "lavfi", "-i", picture, *made)
    return path


def planned(path: Path, rate: Fraction) -> Plan:
    seen = Inspection(duration_s=FRAMES / rate, frames=FRAMES, frame_rate=rate)
    return plan(probe(path), seen, small_profiles())


def expected_refusals(light: str, rate: Fraction) -> Mapping[str, str]:
    """By profile: no invented range, no invented frames."""
    codes = {}
    for profile in small_profiles():
        assert profile.video is not None
        wanted, least = profile.video.dynamic_range, profile.video.min_frame_rate
        if profile.video.encoder == "copy":
            codes[profile.name] = "needs_hevc"
        elif wanted in ("hlg", "pq") and light == "sdr" and profile.video.from_sdr != "map":
            codes[profile.name] = "needs_hdr"
        elif least and rate < least:
            codes[profile.name] = "frame_rate_too_low"
    return codes


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("light", LIGHT)
def test_every_rendition_says_what_its_plan_says(
    light: str, rate: Fraction, tmp_path: Path
) -> None:
    """Second tools read codec, raster, rate, frames, colour in stream and container, times."""
    source = source_of(tmp_path, light, rate)
    made = planned(source, rate)
    assert {one.profile: one.code for one in made.refused} == expected_refusals(light, rate)
    assert len(made.rungs) + len(made.refused) == len(small_profiles())
    files = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    thumbs = thumbs_of(source, made)
    for rung in made.rungs:
        assert rung.video is not None
        out = tmp_path / f"{rung.profile}.joined.{rung.container}"
        finish(join(rung, [files[rung.profile]], [], out, made))
        facts = finish(verify(out, rung, made, source, thumbs)).facts
        assert (facts.codec, facts.pix_fmt) == (rung.video.codec, rung.video.pix_fmt)
        # Matroska says a frame's length in whole nanoseconds.
        meant = nearest_standard_rate if rung.container == "mkv" else Fraction
        assert meant(facts.frame_rate or 0) == rung.video.frame_rate
        assert facts.frames == FRAMES // rung.video.rate_divisor
        assert rung.video.chroma_location == siting_of(rung.video)
        unsaid = rung.video.codec == "avs2"
        assert facts.colour.transfer == (None if unsaid else rung.video.colour.transfer)

        if light != "sdr":
            assert (rung.video.mastering_display, rung.video.content_light) == said(rung.video)


def siting_of(video: VideoPlan) -> str | None:
    """What verification has then read back: BT.2020's own place for what is in BT.2020."""
    if not video.pix_fmt.startswith("yuv420p"):
        return None
    return "topleft" if video.colour.primaries == "bt2020" and not video.lossless else "left"


def said(video: VideoPlan) -> tuple[MasteringDisplay | None, ContentLight | None]:
    """Of a master with static metadata: kept with its light, and lost with it."""
    if video.conversion == "none":
        return NOMINAL_DISPLAY, ContentLight(1000, 400)
    return (NOMINAL_DISPLAY if video.colour.dynamic_range == "pq" else None), None


@pytest.mark.parametrize("rate", [Fraction(50), Fraction(60000, 1001)], ids=str)
@pytest.mark.parametrize("light", ["hlg", "pq"])
def test_class_300_says_what_its_plan_says(light: str, rate: Fraction, tmp_path: Path) -> None:
    """Its stream has no place for static metadata, and MXF none for MaxCLL: the plan drops it."""
    source = source_of(tmp_path, light, rate, "3840x2160")
    seen = Inspection(duration_s=LARGE_FRAMES / rate, frames=LARGE_FRAMES, frame_rate=rate)
    made = plan(probe(source), seen, [load_profiles()["mezz4k-xavc300"]])
    video = made.rung("mezz4k-xavc300").video
    assert video is not None
    assert (video.mastering_display, video.content_light) == (
        NOMINAL_DISPLAY if light == "hlg" else None,
        None,
    )
    files = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    out = tmp_path / "joined.mxf"
    finish(join(made.rungs[0], [files["mezz4k-xavc300"]], [], out, made))
    facts = finish(verify(out, made.rungs[0], made, source, thumbs_of(source, made))).facts
    assert (facts.codec, facts.frame_rate, facts.frames) == ("h264", rate, LARGE_FRAMES)


@pytest.mark.parametrize("container", ["mp4", "ts"])
@pytest.mark.parametrize("light", ["hlg", "pq"])
def test_a_copy_says_what_its_source_says(light: str, container: str, tmp_path: Path) -> None:
    """Also of a transport stream, whose static metadata stand in the picture's stream alone."""
    bare, marked = tmp_path / "bare.mp4", tmp_path / "marked.mp4"
    words = "log-level=error:chromaloc=2"  # top left
    coder = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", words)
    call("-i", source_of(tmp_path, light, Fraction(50)), *coder, bare)
    mark_vivid(bare, marked)
    source = tmp_path / f"master.{container}"
    call("-i", marked, "-c", "copy", "-bsf:v", "setts=pts=PTS:dts=DTS", source)
    made = planned(source, Fraction(50))
    rung = made.rung("cn4k-hevc-vivid-remux")
    assert rung.video is not None
    assert (rung.video.mastering_display, rung.video.content_light) == said(rung.video)
    alone = replace(made, rungs=(rung,))
    files = finish(encode_chunk(source, alone, made.chunks[0], tmp_path)).files
    out = tmp_path / "joined.mp4"
    finish(join(rung, [files[rung.profile]], [], out, alone))
    facts = finish(verify(out, rung, alone, source, thumbs_of(source, alone))).facts
    assert (facts.codec, facts.frames) == ("hevc", FRAMES)
    assert facts.colour.transfer == LIGHT[light][2]


def test_rungs_of_one_essence_are_encoded_once(tmp_path: Path) -> None:
    """The MP4 and the transport stream take the very same file of the chunk."""
    source = source_of(tmp_path, "hlg", Fraction(50))
    made = planned(source, Fraction(50))
    encoded = finish(encode_chunk(source, made, made.chunks[0], tmp_path))
    assert encoded.files["cn4k-hevc-hlg"] == encoded.files["cn4k-hevc-hlg-ts"]
    assert encoded.argv.count("libx265") == 4  # 4K, 8K and enlarged in HLG, 4K in PQ


SEAMED = ("avs2-8bit-sdr", "cn4k-hevc-hlg-ts", "ott4k-av1-hlg", "uhd-vvc", "mezz4k-prores422hq")


@pytest.mark.parametrize("rate", [Fraction(50), Fraction(60000, 1001)], ids=str)
def test_chunks_of_every_codec_are_one_rendition(rate: Fraction, tmp_path: Path) -> None:
    """Encoded apart and joined by stream copy: all frames, on the grid, in their order."""
    source = source_of(tmp_path, "hlg", rate)
    whole = planned(source, rate)
    made = replace(whole, chunks=(Chunk(0, 0, 5), Chunk(1, 5, FRAMES)))
    parts = []
    for chunk in made.chunks:
        folder = tmp_path / f"chunk-{chunk.index}"
        folder.mkdir()
        parts.append(finish(encode_chunk(source, made, chunk, folder)).files)
    thumbs = thumbs_of(source, made)
    for name in SEAMED:
        rung = made.rung(name)
        out = tmp_path / f"{name}.joined.{rung.container}"
        finish(join(rung, [files[name] for files in parts], [], out, made))
        assert finish(verify(out, rung, made, source, thumbs)).facts.frames == FRAMES


def test_class_300_has_no_size_at_60_frames() -> None:
    """x264 would refuse it in the middle of a job; 60000/1001 is one of its rates."""
    profile = load_profiles()["mezz4k-xavc300"]
    at_60 = plan(*described(replace(UHD, frame_rate=Fraction(60))), [profile])
    assert [one.code for one in at_60.refused] == ["frame_rate_unsupported"]
    at_59 = plan(*described(replace(UHD, frame_rate=Fraction(60000, 1001))), [profile])
    assert [rung.profile for rung in at_59.rungs] == ["mezz4k-xavc300"]


@pytest.mark.parametrize(
    ("rate", "code"),
    [
        ("25/2", "frame_rate_too_low"),
        ("24000/1001", "frame_rate_too_low"),
        ("24", "frame_rate_too_low"),
        ("48", "frame_rate_unsupported"),
        ("25", None),
        ("30000/1001", None),
        ("60", None),
    ],
)
def test_avs2_is_refused_at_rates_that_its_file_cannot_say(rate: str, code: str | None) -> None:
    """By the plan: verification would find 24000/1001 or 50 in the stream, or a clock too rare."""
    made = plan(
        *described(replace(HD, frame_rate=Fraction(rate))), [load_profiles()["avs2-8bit-sdr"]]
    )
    assert [one.code for one in made.refused] == ([code] if code else [])


@pytest.mark.parametrize("rate", AVS2_RATES, ids=str)
def test_an_avs2_stream_says_each_of_its_rates(rate: Fraction, tmp_path: Path) -> None:
    """As ffmpeg's decoder reads it back, where the container says none."""
    path = tmp_path / "picture.ts"
    generated = f"testsrc2=s=320x180:r={rate}:d=0.5,format=yuv420p"
    call("-f", "lavfi", "-i", generated, "-c:v", "libxavs2", "-bf", "0", path)
    picture = probe(path).picture
    assert picture is not None
    assert picture.frame_rate == rate
