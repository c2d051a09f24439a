"""HDR10's static metadata: planned where a file has a place for it, and read back from each."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.encoders import mastering_words
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.media import ContentLight, DynamicRange, Hdr10, Inspection, MasteringDisplay
from pipelines.planning.plan import Plan, plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.profiles.codecs import CONTAINERS
from pipelines.profiles.profile import Container, Profile, profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from pipelines.verification.mp4_boxes import picture_entry
from pipelines.verification.readback import read_back
from tests.pipelines.sources import HLG, PQ, UHD, described, verified

BOTH, DISPLAY, NONE = {"mastering_display", "content_light"}, {"mastering_display"}, set[str]()
LIGHT = ContentLight(987, 123)
# No number of it is a whole one of AV1's steps.
ODD = MasteringDisplay(
    red=(Fraction(34001, 50_000), Fraction(15999, 50_000)),
    green=(Fraction(13249, 50_000), Fraction(34499, 50_000)),
    blue=(Fraction(7501, 50_000), Fraction(2999, 50_000)),
    white=(Fraction(15635, 50_000), Fraction(16451, 50_000)),
    min_luminance_cd_m2=Fraction(1, 10_000),
    max_luminance_cd_m2=Fraction(9_998_881, 10_000),
)
# Encoder, codec, preset, codec profile, quality.
MADE = {
    "hevc": ("libx265", "ultrafast", "main10", 20),
    "h264": ("libx264", "ultrafast", "high10", 20),
    "av1": ("libsvtav1", "12", "main", 30),
    "vvc": ("libvvenc", "faster", None, 30),
    "prores": ("prores_ks", None, "hq", None),
}
PAIRS: list[tuple[Container, str]] = [
    (container, codec)  # type: ignore[misc]
    for container, holds in CONTAINERS.items()
    for codec in holds.video
    if codec in MADE
]


def in_pair(container: Container, codec: str, wanted: DynamicRange = "pq") -> Profile:
    """What an organisation may ask for: any codec, in any container that holds it."""
    base = profile("cn4k-hevc-hlg")
    assert base.video is not None
    encoder, preset, codec_profile, crf = MADE[codec]
    video = replace(
        base.video,
        codec=codec,  # type: ignore[arg-type]
        encoder=encoder,
        preset=preset,
        codec_profile=codec_profile,
        crf=crf,
        pix_fmt="yuv422p10le" if codec == "prores" else "yuv420p10le",
        gop_s=Fraction(1, 50) if codec == "prores" else base.video.gop_s,
        dynamic_range=wanted,
        width=192,
        height=108,
        level=None,
        max_bitrate_bps=None,
        buffer_bits=None,
    )
    # Of a package all would have the key frames of ProRes.
    packaged = container == "mp4" and codec in ("hevc", "h264", "av1")
    name = f"{codec}-{container}"
    return replace(base, name=name, container=container, video=video, audio=(), packaged=packaged)


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cn4k-hevc-hlg", BOTH),
        ("cn4k-hevc-hlg-ts", BOTH),
        ("ott4k-av1-hlg", BOTH),
        ("uhd-vvc", BOTH),
        ("mezz4k-prores422hq", BOTH),
        ("mezz4k-xavc300", DISPLAY),
        ("cn4k-avs2-hlg", NONE),
        ("archive-ffv1", BOTH),
        ("hd-avc-sdr", NONE),
    ],
)
def test_what_a_file_has_no_place_for_is_dropped_by_its_plan(name: str, kept: set[str]) -> None:
    """And not missed when the file is read back."""
    master = replace(UHD, colour=HLG, mastering_display=ODD, content_light=LIGHT)
    made = plan(*described(master), [profile(name)])
    video = made.rungs[0].video
    assert video is not None
    assert video.colour_decision is not None
    words = {"mastering_display": video.mastering_display, "content_light": video.content_light}
    assert {kind for kind, said in words.items() if said is not None} == kept
    assert {*video.colour_decision.dropped} == BOTH - kept


def test_preservation_drops_nothing_of_mistagged_pictures() -> None:
    """Its decision once said so of SDR, while the file kept it."""
    master = replace(UHD, colour=replace(HLG, transfer="bt709"), mastering_display=ODD)
    video = plan(*described(master), [profile("archive-ffv1")]).rungs[0].video
    assert video is not None
    assert video.mastering_display == ODD
    assert video.colour_decision is not None
    assert video.colour_decision.dropped == ()


def source_of(folder: Path, transfer: str, *words: str) -> Path:
    tags = f"color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    picture = f"testsrc2=s=192x108:r=50:d=0.08,format=yuv420p10le,setparams={tags}"
    return clips.make(folder / "master.mkv", *words, "-f", "lavfi", "-i", picture, "-c:v", "ffv1")


def planned(source: Path, profiles: list[Profile]) -> Plan:
    """With light as if it had been measured, where the source says none."""
    info = probe(source)
    assert info.picture is not None
    seen = Inspection(
        duration_s=Fraction(4, 50),
        frames=4,
        frame_rate=Fraction(50),
        light=LIGHT,
        light_colour=info.picture.colour,
    )
    return plan(info, seen, profiles)


def renditions(source: Path, made: Plan, folder: Path) -> dict[str, Path]:
    files = finish(encode_chunk(source, made, made.chunks[0], folder)).files
    joined = {}
    for rung in made.rungs:
        out = folder / f"{rung.profile}.joined.{rung.container}"
        finish(join(rung, [files[rung.profile]], [], out, made))
        joined[rung.profile] = out
    return joined


@pytest.mark.media
@pytest.mark.parametrize("master", ["pq with metadata", "hlg without"])
def test_every_codec_in_every_container_says_what_its_plan_says(
    master: str, tmp_path: Path
) -> None:
    """Kept to the digit, or stated of a conversion: by the encoder, whatever its frames carry."""
    words = ("-mastering_display:v:0", mastering_words(ODD), "-content_light:v:0", "987,123")
    kept = master == "pq with metadata"
    source = (
        source_of(tmp_path, "smpte2084", *words) if kept else source_of(tmp_path, "arib-std-b67")
    )
    made = planned(source, [in_pair(container, codec) for container, codec in PAIRS])
    assert len(made.rungs) == len(PAIRS)
    files = renditions(source, made, tmp_path)
    for rung in made.rungs:
        assert rung.video is not None
        assert rung.video.colour == PQ
        assert rung.video.mastering_display == (ODD if kept else NOMINAL_DISPLAY)
        assert rung.video.content_light == LIGHT
        verified(files[rung.profile], rung, made, source)


@pytest.mark.media
def test_what_an_av1_stream_says_is_read_from_it_alone(tmp_path: Path) -> None:
    """Its metadata OBUs (type 5) taken away, the boxes beside it are not believed."""
    source = source_of(tmp_path, "arib-std-b67")
    made = planned(source, [in_pair("mp4", "av1")])
    whole = renditions(source, made, tmp_path)["av1-mp4"]
    bare = clips.make(
        tmp_path / "bare.mp4",
        *("-i", str(whole), "-c", "copy", "-video_track_timescale", "10000"),
        *("-bsf:v", "filter_units=remove_types=5"),
    )
    entry, picture = picture_entry(bare), finish(read_back(bare)).picture
    assert entry is not None
    assert picture is not None
    assert entry.hdr10 == picture.hdr10_in_container == Hdr10(NOMINAL_DISPLAY, LIGHT)
    assert picture.hdr10_in_stream == Hdr10()
    with pytest.raises(VerificationFailed, match="mastering display in the stream is None"):
        verified(bare, made.rungs[0], made, source)
