"""Profiles and ladders are data; a mistake in one is found when it is read, and named."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import InvalidProfile, UnknownProfile
from pipelines.media import AudioTrack
from pipelines.planning.plan import plan
from pipelines.profiles.levels import LEVELS, Load, beyond
from pipelines.profiles.profile import (
    LARGEST_BYTES,
    Crop,
    choose_profiles,
    ladder,
    load_ladders,
    load_profiles,
    profile,
    read_ladders,
    read_profile,
)
from pipelines.running.tools import ffmpeg
from tests.pipelines.sources import HD, STEREO, described

SHIPPED = {
    "archive-ffv1",
    "audio-access-aac",
    "avs2-8bit-sdr",
    "cn4k-avs2-hlg",
    "cn4k-avs3-hlg",
    "cn4k-hevc-hlg",
    "cn4k-hevc-hlg-ts",
    "cn4k-hevc-pq",
    "cn4k-hevc-pq-ts",
    "cn4k-hevc-vivid-remux",
    "cn4k-hevc-vivid-remux-ts",
    "cn8k-avs3-hlg",
    "cn8k-hevc-hlg",
    "cn8k-hevc-hlg-ts",
    "hd-avc-sdr",
    "hd-avc-sdr-ts",
    "mezz4k-prores422hq",
    "mezz4k-xavc300",
    "mobile-1080p",
    "mobile-540p",
    "mobile-720p",
    "ott4k-av1-hlg",
    "review-proxy",
    "uhd-upconvert-hlg",
    "uhd-vvc",
}
WRONG_LOUDNESS = "loudness = { target_lkfs = -24, tolerance_lu = 0, max_true_peak_dbtp = 1 }"
GOOD = """
name = "made"
version = 1
title_en = "Made"
title_zh = "自制"
container = "mp4"
[video]
codec = "h264"
encoder = "libx264"
fit = "inside"
width = 320
height = 180
pix_fmt = "yuv420p"
dynamic_range = "sdr"
max_frame_rate = "30000/1001"
[[audio]]
codec = "aac"
channels = 2
bitrate_bps = 96000
[[basis]]
what = "all of it"
source = "this test"
certainty = "P"
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "made.toml"
    path.write_text(GOOD, "utf-8")
    return path


def test_every_shipped_profile_loads_under_its_own_name() -> None:
    """The files are the list: none is missing, none is called something else."""
    assert set(load_profiles()) == SHIPPED
    assert all(name == made.name for name, made in load_profiles().items())


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_a_profile_speaks_both_languages_and_cites_its_sources(name: str) -> None:
    """STANDARDS.md: every number has a mark, and text that people read exists twice."""
    made = profile(name)
    assert made.title_en.isascii()
    assert any("\u4e00" <= letter <= "\u9fff" for letter in made.title_zh)
    assert all(basis.what and basis.source for basis in made.basis)


@pytest.mark.parametrize("name", sorted(SHIPPED))
def test_the_numbers_of_a_rate_are_cited_as_they_are(name: str) -> None:
    """Quantiser, cap, buffer and GOP: a number that is changed without its basis is found."""
    made, video = profile(name), profile(name).video
    said = " ".join(basis.what for basis in made.basis)
    if video is None or "CRF and sound are those of" in said:
        return
    if video.crf is not None:
        assert re.search(rf"(CRF|quantiser) {video.crf:g}\b", said)
    if video.max_bitrate_bps is not None:
        assert f"{video.max_bitrate_bps / 1e6:g} Mb/s" in said
    if video.buffer_bits is not None:
        seconds = Fraction(video.buffer_bits, video.max_bitrate_bps or 1)
        words = {1: "one second", 2: "two seconds"}
        assert f"buffer of {seconds} s" in said or f"buffer of {words[int(seconds)]}" in said


def test_only_numbers_read_in_a_source_are_marked_so() -> None:
    """AC-3 at 448 kb/s is in wide use and was not read in a standard: it may not say "V"."""
    marks = {basis.what: basis.certainty for basis in profile("cn4k-hevc-hlg").basis}
    assert marks["AC-3 5.1 at 448 kb/s, only from a 5.1 source"] == "?"
    assert marks["36 Mb/s cap"] == "P"
    assert marks["3840x2160, 50p, 10 bits, BT.2020"] == "V"


def test_the_4k_profile_holds_what_its_label_promises() -> None:
    """At least 50 fps, 2160 lines, 10 bits and HDR, within HEVC level 5.1 Main tier (40 Mb/s)."""
    video = profile("cn4k-hevc-hlg").video
    assert video is not None
    assert (video.fit, video.width, video.height) == ("exact", 3840, 2160)
    assert video.min_frame_rate == 50
    assert (video.pix_fmt, video.dynamic_range) == ("yuv420p10le", "hlg")
    assert (video.max_bitrate_bps or 0) <= 40_000_000
    assert [sound.codec for sound in profile("cn4k-hevc-hlg").audio] == ["aac", "ac3"]


@pytest.mark.parametrize("name", ["hd-avc-sdr", "hd-avc-sdr-ts", "avs2-8bit-sdr"])
def test_sdr_has_the_sounds_of_broadcast(name: str) -> None:
    """Of a 5.1 source stereo and 5.1, at -24 LKFS both; of stereo no channel is invented."""
    surround = AudioTrack(1, "pcm_s24le", 6, "5.1", 48000, 24)
    for track, kinds in ((surround, [("aac", 2), ("ac3", 6)]), (STEREO, [("aac", 2)])):
        (rung,) = plan(
            *described(replace(HD, frame_rate=Fraction(50)), [track]), [profile(name)]
        ).rungs
        assert [(one.codec, one.channels) for one in rung.audio] == kinds
        assert {one.loudness and one.loudness.target_lkfs for one in rung.audio} == {-24}


@pytest.mark.parametrize("name", ["cn4k-hevc-hlg", "cn4k-hevc-pq", "cn8k-hevc-hlg", "hd-avc-sdr"])
def test_a_transport_stream_holds_the_essence_of_the_file(name: str) -> None:
    """One recipe in two containers, so that one encode serves both."""
    file, stream = profile(name), profile(f"{name}-ts")
    assert (stream.container, stream.packaged) == ("ts", False)
    assert (file.video, file.audio) == (stream.video, stream.audio)


def test_ladders_name_existing_profiles_best_first() -> None:
    """The ladders of STANDARDS.md, and the one for sound alone."""
    assert {name: made.profiles[0] for name, made in load_ladders().items()} == {
        "cn-uhd-zone": "cn4k-hevc-hlg",
        "cn-uhd-8k": "cn8k-hevc-hlg",
        "ott-av1": "ott4k-av1-hlg",
        "mezzanine": "mezz4k-xavc300",
        "archive": "archive-ffv1",
        "audio": "audio-access-aac",
    }


def test_rates_are_exact(written: Path) -> None:
    """30000/1001 is no float."""
    video = read_profile(written).video
    assert video is not None
    assert video.max_frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("was", "becomes", "named"),
    [
        ('fit = "inside"', 'fit = "outside"', "video.fit"),
        ('fit = "inside"', 'fitt = "inside"', "video has unknown fields ['fitt']"),
        ("version = 1", 'version = "one"', "version"),
        ("version = 1", "version = 1\nversoin = 2", "the file has unknown fields ['versoin']"),
        ("channels = 2", "channel = 2", "audio[0] has unknown fields ['channel']"),
        ("bitrate_bps = 96000", "bitrate_bps = 96000\nbit_depth = 24", "audio[0].bit_depth is 24"),
        ("channels = 2", "channels = 5", "audio[0].channels is 5: 1, 2, 6 may stand there"),
        ("channels = 2", "channels = 2\ntracks = [0, 1, 2]", "audio[0].tracks is [0, 1, 2]: one"),
        ("channels = 2", "channels = 2\ntracks = [1, 1]", "audio[0].tracks is [1, 1]: one track"),
        ("channels = 2\n", "", "audio[0].channels must be there for aac"),
        (
            'codec = "aac"',
            'codec = "opus"\nsample_rate_hz = 44100',
            "audio[0].sample_rate_hz is 44100: 48000 may stand there for opus",
        ),
        (
            "channels = 2",
            f"channels = 2\n{WRONG_LOUDNESS}",
            "audio[0].loudness.tolerance_lu is 0: 0.1 to 10; audio[0].loudness.max_true_peak_dbtp",
        ),
        (
            'container = "mp4"',
            'container = "mxf"\n[[audio]]\ncodec = "pcm"\nchannels = 2\nsample_rate_hz = 96000',
            "audio[0].sample_rate_hz is 96000: 48000 in mxf",
        ),
        *(
            ('fit = "inside"', f'fit = "inside"\ncodec_profile = "{name}"', named)
            for name, named in (
                ("high10", "video.pix_fmt is 'yuv420p': yuv420p10le may stand there in high10"),
                ("high422", "video.pix_fmt is 'yuv420p': yuv422p, yuv422p10le may stand there in"),
            )
        ),
        *(
            (
                'codec = "h264"\nencoder = "libx264"',
                f'codec = "hevc"\nencoder = "libx265"\ncodec_profile = "{name}"',
                f"video.pix_fmt is 'yuv420p': {named} may stand there in {name}",
            )
            for name, named in (("main10", "yuv420p10le"), ("main422-10", "yuv422p10le"))
        ),
        ('fit = "inside"', 'fit = "source"', "video.fit is 'source': only ffv1 and copy keep it"),
        ('container = "mp4"', 'container = "mxf"', "video.gop_s is 1: at most 1001/25000 in mxf"),
        (
            GOOD[GOOD.index('container = "mp4"') : GOOD.index("[[audio]]")],
            'container = "mxf"\n',
            "video must be there in mxf",
        ),
        (
            GOOD[GOOD.index('container = "mp4"') : GOOD.index("[[audio]]")],
            'container = "ts"\n',
            "video or mux_rate_bps must be there in ts",
        ),
        (
            GOOD[GOOD.index('container = "mp4"') : GOOD.index("[[audio]]")],
            'container = "ts"\nmux_rate_bps = 150_000\n',
            "mux_rate_bps is 150000: at least 160800 for sound alone",
        ),
        ('certainty = "P"', 'certainty = "sure"', "certainty"),
        ('name = "made"', 'name = "other"', "name must be the file's name"),
        ("width = 320", "", "video.width and video.height"),
        ('pix_fmt = "yuv420p"', "", "video.pix_fmt and video.dynamic_range"),
        ("bitrate_bps = 96000", "", "audio[0].bitrate_bps"),
        ('codec = "h264"', 'codec = "h264"\nbuffer_bits = 5', "video.max_bitrate_bps"),
        (
            "width = 320",
            'width = 320\nfrom_sdr = "map"',
            "video.dynamic_range is 'sdr': hlg or pq where video.from_sdr",
        ),
        (
            'fit = "inside"',
            'fit = "inside"\nfields = "each"',
            "video.fields is 'each': pairs where",
        ),
        (
            'fit = "inside"',
            'fit = "source"\nfields = "each"',
            "video.fields is 'each': pairs, since",
        ),
        ('fit = "inside"', 'fit = "inside"\nfields = "yadif"', "video.fields: Input should be"),
        (
            'fit = "inside"',
            'fit = "inside"\nupconvert = true',
            "video.upconvert is True: for an exact",
        ),
        (
            'fit = "inside"',
            'fit = "exact"\nupconvert = true\nburnt_in_timecode = true',
            "video.burnt_in_timecode is True: false beside video.upconvert",
        ),
        ('fit = "inside"', 'fit = "inside"\ncrop = {top = 3}', "video.crop.top is 3: an even"),
        ('fit = "inside"', 'fit = "inside"\ncrop = {left = -2}', "video.crop.left is -2: 0 to"),
        ('fit = "inside"', 'fit = "inside"\ncrop = {up = 2}', "video.crop has unknown fields"),
        ('fit = "inside"', 'fit = "inside"\ncrop = {}', "video.crop must name what is taken"),
        ('fit = "inside"', 'fit = "inside"\ncrop = "auto"', "video.crop is 'auto': 'bars', or"),
        (
            'fit = "inside"',
            'fit = "source"\ncrop = "bars"',
            "video.crop is 'bars': nothing may be taken away where video.fit",
        ),
        (
            'fit = "inside"\nwidth = 320\nheight = 180',
            'fit = "exact"\nlevel = "3"\nwidth = 1920\nheight = 1080',
            "video.level is '3': one that allows 1920x1080, 8160 macroblocks (at most 1620)",
        ),
        (
            'fit = "inside"',
            'fit = "inside"\nlevel = "4"\nmax_bitrate_bps = 30_000_000\nbuffer_bits = 30_000_000',
            "video.level is '4': one that allows a cap of 30000000 bit/s (at most 25000000)",
        ),
        ("[video]", "[video", "is not TOML"),
        ("[video]", "video = 3\n[other]", "video: Input should be a dictionary"),
        ("width = 320", "width = 321", "video.width is 321: an even number"),
        ("width = 320", "width = 99999", "video.width is 99999: 16 to 8192"),
        ('dynamic_range = "sdr"', 'dynamic_range = "hlg"', "video.pix_fmt is 'yuv420p': 10 bits"),
        ('encoder = "libx264"', 'encoder = "-f"', "video.encoder is '-f': libx264, libx265"),
        ('fit = "inside"', 'fit = "inside"\npreset = "a:b"', "video.preset is 'a:b': ultrafast"),
        (
            'codec = "h264"\nencoder = "libx264"',
            'codec = "avs2"\nencoder = "libxavs2"\npreset = "4"',
            "video.preset is '4': 0, 1, 2, 3 may stand there for libxavs2",
        ),
        ('fit = "inside"', 'fit = "inside"\ncrf = nan', "video.crf is nan: 0 to 51"),
        ('fit = "inside"', 'fit = "inside"\ncrf = 52', "video.crf is 52: 0 to 51"),
        (
            'encoder = "libx264"',
            'encoder = "libsvtav1"\ncrf = 31.5',
            "video.crf is 31.5: a whole number for libsvtav1",
        ),
        ('"30000/1001"', '"9e99999999"', "video.max_frame_rate is '9e99999999': a whole"),
        ('"30000/1001"', '"1/0"', "video.max_frame_rate is '1/0': a whole number or two"),
        ("channels = 2", 'channels = "9"', "audio[0].channels is '9': 1, 2, 6 may stand there"),
        ('container = "mp4"', 'container = "m4a"', "video.codec is 'h264': nothing may stand"),
        ('codec = "aac"', 'codec = "pcm"', "audio[0].bitrate_bps is 96000: pcm has none"),
        ('title_en = "Made"', 'title_en = "A 4K one"', "name or title says 4K"),
        ('title_en = "Made"', 'title_en = "A\\nB"', "title_en is 'A\\nB': one line"),
        ("version = 1", "version = " + "9" * 5000, "is not TOML"),
        *(
            (f'container = "mp4"\n[video]\n{was}', f"packaged = true\n{becomes}", named)
            for was, becomes, named in (
                ("", 'container = "mkv"\n[video]\n', "container is 'mkv': mp4, or packaged must"),
                ("", 'container = "mp4"\n[sound]\n', "video must be there, or packaged must"),
                (
                    'codec = "h264"',
                    'container = "mp4"\n[video]\ncodec = "vvc"',
                    "video.codec is 'vvc': hevc, h264, av1, or packaged must be false",
                ),
                (
                    'codec = "h264"\nencoder = "libx264"',
                    'container = "mp4"\n[video]\ncodec = "hevc"\nencoder = "copy"',
                    "video.encoder is 'copy': packaged must be false, since",
                ),
                (
                    "",
                    'container = "mp4"\n[video]\ngop_s = "1/50"\n',
                    "video.gop_s is '1/50': at least 1/4 where packaged",
                ),
            )
        ),
    ],
)
def test_a_mistake_is_named_with_its_file_and_field(
    written: Path, was: str, becomes: str, named: str
) -> None:
    """`InvalidProfile` says where to look."""
    written.write_text(GOOD.replace(was, becomes, 1), "utf-8")
    with pytest.raises(InvalidProfile) as raised:
        read_profile(written)
    assert str(raised.value).startswith("made.toml: ")
    assert named in str(raised.value)


@pytest.mark.parametrize(("codec", "encoder"), [("vvc", "libvvenc"), ("avs2", "libxavs2")])
def test_a_cap_that_its_encoder_does_not_keep_is_refused(codec: str, encoder: str) -> None:
    """It would be found after the whole encode, or never; so would a rate that needs one."""
    cap = "max_bitrate_bps = 1_000_000\nbuffer_bits = 1_000_000"
    text = GOOD.replace('"h264"', f'"{codec}"').replace('"libx264"', f'"{encoder}"\n{cap}')
    with pytest.raises(InvalidProfile) as capped:
        read_profile(text.encode())
    assert f"video.max_bitrate_bps is 1000000: none for {encoder}" in capped.value.faults[-1]
    stream = text.replace(f"\n{cap}", "").replace("version", "mux_rate_bps = 2_000_000\nversion")
    with pytest.raises(InvalidProfile) as constant:
        read_profile(stream.encode())
    assert f"mux_rate_bps is 2000000: none for {encoder}" in constant.value.faults[-1]
    assert "must be there" not in str(constant.value)


@pytest.mark.parametrize(
    ("codec", "level", "codec_profile", "load", "told"),
    [
        ("h264", "4.2", "high", Load(1920, 1080, Fraction(60), 62_500_000, 78_125_000), []),
        ("h264", "4", "high", Load(1920, 1080, Fraction(30), 25_000_000), []),
        ("h264", "4", "main", Load(bitrate_bps=25_000_000), ["a cap of 25000000 bit/s"]),
        ("h264", "4", "high", Load(1920, 1080, Fraction(50)), ["1920x1080 at 50 fps"]),
        ("h264", "4", None, Load(4112, 320), ["4112x320"]),
        ("hevc", "5.1", "main10", Load(3840, 2160, Fraction(60), 40_000_000, 40_000_000), []),
        ("hevc", "5", "main10", Load(3840, 2160, Fraction(50)), ["3840x2160 at 50 fps"]),
        ("hevc", "6.1", "main10", Load(7680, 4320, Fraction(60), 120_000_000), []),
        ("hevc", "6", "main10", Load(7680, 4320, Fraction(50)), ["7680x4320 at 50 fps"]),
        ("avs2", "8.0.60", None, Load(7680, 4320), []),
    ],
)
def test_a_level_allows_what_its_standard_says(
    codec: str, level: str, codec_profile: str | None, load: Load, told: list[str]
) -> None:
    """ITU-T H.264 and H.265, annexes A: the raster, its rate, the cap and the buffer."""
    found = beyond(codec, level, codec_profile, load)
    assert [fault.partition(" (")[0].partition(",")[0] for fault in found] == told


def test_a_source_that_is_too_fast_for_a_level_is_refused() -> None:
    """1080p25 is made at level 4, and 1080p50 not under a level that is a lie."""
    base = profile("hd-avc-sdr")
    assert base.video is not None
    low = replace(base, video=replace(base.video, level="4"))
    slow, fast = (
        plan(*described(replace(HD, frame_rate=Fraction(rate))), [low]) for rate in (25, 50)
    )
    assert [rung.profile for rung in slow.rungs] == ["hd-avc-sdr"]
    (refused,) = fast.refused
    assert refused.code == "level_too_low"
    assert refused.reason.startswith(
        "level 4 of hd-avc-sdr does not allow 1920x1080 at 50 fps (at most 30.12): choose another"
    )


@pytest.mark.media
@pytest.mark.parametrize("codec", sorted(LEVELS))
def test_the_encoders_know_the_same_limits(codec: str, tmp_path: Path) -> None:
    """X264 warns of a cap or a buffer beyond its level, x265 lowers them."""
    for level, limits in LEVELS[codec].items():
        options = {
            "h264": ("libx264", "-profile:v", "main", "-level:v", level),
            "hevc": ("libx265", "-x265-params", f"level-idc={level}:high-tier=0"),
        }[codec]
        picture = ("-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=0.04", "-pix_fmt", "yuv420p")
        argv = [ffmpeg(), "-nostdin", *picture, "-c:v", *options]
        argv += ["-maxrate", "2G", "-bufsize", "2G", "-f", "null", "-"]
        log = subprocess.run(argv, check=True, capture_output=True, text=True).stderr
        said = re.findall(r"level limit \((\d+)\)|lowering VBV.* to (\d+)", log)
        kilobits = [int(one or other) for one, other in said]
        assert kilobits == [limits.bitrate_bps // 1000, limits.buffer_bits // 1000], level


def test_every_fault_is_told_at_once_with_what_may_stand_there() -> None:
    """Types, closed lists, bounds and labels: one reading finds all, in any bytes."""
    text = GOOD.replace('"libx264"', '"libx266"').replace("width = 320", "width = 31")
    text = text.replace('"inside"', '"outside"').replace('"aac"', '"mp3"').replace('"P"', '"X"')
    with pytest.raises(InvalidProfile) as raised:
        read_profile(text.encode())
    assert str(raised.value).startswith("the profile: ")
    assert [fault.split()[0].rstrip(":") for fault in raised.value.faults] == [
        "basis[0].certainty",
        "video.fit",
        "audio[0].codec",
        "video.encoder",
        "video.width",
    ]
    assert read_profile(GOOD.encode()).name == "made"


@pytest.mark.parametrize("data", [b"\xff", b"a" * 70_000, b"x = " + b"[" * 5000, b""])
def test_bytes_that_are_no_profile_are_an_error_that_says_so(data: bytes) -> None:
    """Whatever an organisation sends: never anything but `InvalidProfile`."""
    with pytest.raises(InvalidProfile, match=r"^the profile: "):
        read_profile(data)


@pytest.mark.parametrize(
    ("begin", "part", "end"),
    [(b"", b"a.", b"a = 1"), (b"[", b"'' . ", b"a]"), (b"x = {", b'"a".', b"a = 1}")],
)
def test_a_key_of_thousands_of_parts_is_refused_before_it_is_read(
    begin: bytes, part: bytes, end: bytes
) -> None:
    """The parser takes the square of its parts: 64 kB were 4 GiB, and 21 s."""
    parts = part * ((LARGEST_BYTES - len(begin + end) - len(GOOD.encode()) - 1) // len(part))
    with pytest.raises(InvalidProfile, match="line 1 has more than 64 dots"):
        read_profile(begin + parts + end + b"\n" + GOOD.encode())


def test_a_profile_has_at_most_16_kib() -> None:
    """The longest that is shipped has 3 kB."""
    assert read_profile(GOOD.encode() + b"#" * (LARGEST_BYTES - len(GOOD.encode()))).name == "made"
    with pytest.raises(InvalidProfile, match="longer than the 16384 bytes"):
        read_profile(GOOD.encode() + b"#" * (LARGEST_BYTES - len(GOOD.encode()) + 1))


def test_a_profile_without_a_basis_is_refused(written: Path) -> None:
    """A number without a source is not shipped."""
    written.write_text("basis = []\n" + GOOD[: GOOD.index("[[basis]]")], "utf-8")
    with pytest.raises(InvalidProfile, match="basis must cite at least one source"):
        read_profile(written)


def test_a_ladder_of_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    """The message names the rung and what there is."""
    path = tmp_path / "ladders.toml"
    path.write_text('[x]\ntitle_en = "X"\ntitle_zh = "某"\nprofiles = ["cn8k"]\n', "utf-8")
    with pytest.raises(InvalidProfile, match=r"x\.profiles names \['cn8k'\]: there are archive"):
        read_ladders(path, load_profiles())


def test_an_unknown_name_lists_the_known_ones() -> None:
    """The way out of a typing error."""
    with pytest.raises(UnknownProfile, match=r"no profile 'cn4k': choose from archive-ffv1, "):
        profile("cn4k")
    with pytest.raises(UnknownProfile, match="no ladder 'hd': choose from cn-uhd-zone, "):
        ladder("hd")


def test_asked_for_nothing_a_picture_gets_the_default_ladder_and_sound_gets_audio() -> None:
    """The default ladders."""
    picture, _ = described(HD)
    sound, _ = described(None, [STEREO])
    assert [made.name for made in choose_profiles(picture)] == list(ladder("cn-uhd-zone").profiles)
    assert [made.name for made in choose_profiles(sound)] == ["audio-access-aac"]


def test_profiles_are_chosen_by_names_or_by_a_ladder_and_each_once() -> None:
    """Order is the caller's; a name given twice makes one rendition."""
    info, _ = described(HD)
    named = choose_profiles(info, ["review-proxy", "mobile-540p", "review-proxy"])
    assert [made.name for made in named] == ["review-proxy", "mobile-540p"]
    assert choose_profiles(info, "archive")[0].name == "archive-ffv1"
    with pytest.raises(UnknownProfile, match="no profile was named"):
        choose_profiles(info, [])


def test_an_upconverted_picture_is_never_called_4k() -> None:
    """The word stands for one that was made in 4K; what was not is told apart by its name."""
    made = load_profiles()["cn4k-hevc-hlg"]
    text = (Path("pipelines/profiles") / f"{made.name}.toml").read_text("utf-8")
    with pytest.raises(InvalidProfile, match=r"name or title says 4K, .* not upconverted"):
        read_profile(text.replace('fit = "exact"', 'fit = "exact"\nupconvert = true').encode())


@pytest.mark.parametrize(
    ("title", "label"),
    [
        *((title, "HD") for title in ("HD高清频道 720p", "720p高清HD", "ＨＤ", "Ultra HD")),
        *((title, "4K") for title in ("４Ｋ超高清", "4KUHD", "4k60", "4 K", "四K超高清")),
        *((title, "8K") for title in ("八K", "8Ｋ频道", "8KTV")),
        *(
            (title, None)
            for title in ("HDR 高清", "UHD", "8kHz", "64k", "4 kinds", "4kb/s", "4 块")
        ),
    ],
)
def test_a_label_is_read_however_it_is_written(title: str, label: str | None) -> None:
    """Full width, beside Chinese without a space, in Chinese numerals, before other letters."""
    text = GOOD.replace("自制", title).encode()
    if label is None:
        assert read_profile(text).title_zh == title
        return
    with pytest.raises(InvalidProfile, match=f"name or title says {label}, which stands for"):
        read_profile(text)


def test_mxf_takes_key_frames_alone_at_any_rate() -> None:
    """The shortest GOP that a profile may have is a frame of the highest rate."""
    text = GOOD.replace('"mp4"', '"mxf"').replace(
        'max_frame_rate = "30000/1001"', 'gop_s = "1/100"'
    )
    sound = text.replace('"aac"', '"pcm"').replace("bitrate_bps = 96000\n", "")
    assert read_profile(sound.encode()).container == "mxf"


def test_crops_are_read_as_lines_or_as_bars() -> None:
    """The rest of the sides is left alone."""
    base = 'fit = "inside"'
    lines = read_profile(GOOD.replace(base, f"{base}\ncrop = {{ top = 4 }}").encode()).video
    bars = read_profile(GOOD.replace(base, f'{base}\ncrop = "bars"').encode()).video
    assert lines is not None
    assert bars is not None
    assert (lines.crop, bars.crop) == (Crop(top=4), "bars")
