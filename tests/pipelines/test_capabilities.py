"""A profile is available when a tiny encode of it was made, read back and agreed with its plan."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.media import ContentLight
from pipelines.planning.plan import plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.profiles.capabilities import lacking, prove, prove_all
from pipelines.profiles.profile import Container, load_profiles
from pipelines.running.tools import versions
from pipelines.sources.probe import probe
from tests.pipelines.sources import UHD, described

pytestmark = pytest.mark.media


BEYOND_IT = {
    "cn4k-avs2-hlg": "libxavs2 of ffmpeg {} takes only yuv420p: AVS2 of yuv420p10le cannot be made",
    "cn4k-avs3-hlg": "ffmpeg {} has no encoder libuavs3e, and of encoders of AVS3 none at all",
    "cn8k-avs3-hlg": "ffmpeg {} has no encoder libuavs3e, and of encoders of AVS3 none at all",
}


def test_this_machine_can_do_every_profile_but_those_beyond_its_libraries(tmp_path: Path) -> None:
    """With the pinned ffmpeg, so that another refusal here is a regression."""
    found = prove_all(tmp_path)
    assert {one.profile for one in found} == set(load_profiles())
    reasons = {one.profile: one.reason or "" for one in found if not one.available}
    assert set(reasons) == set(BEYOND_IT)
    for name, reason in BEYOND_IT.items():
        assert reasons[name].startswith(reason.format(versions()["ffmpeg"]))
    assert all(one.tools == versions() for one in found)


@pytest.mark.parametrize(
    ("name", "container", "least", "most"),
    [
        ("hd-avc-sdr", "ts", "24000/1001", "50"),  # without a constant rate from 25 on
        ("mobile-540p", "mp4", "1", "5"),
        ("mezz4k-xavc300", "mxf", "24", "50"),  # knows 50 and 60000/1001 alone
    ],
)
def test_a_profile_is_proven_at_a_rate_that_it_can_have(
    name: str, container: Container, least: str, most: str, tmp_path: Path
) -> None:
    """The least that it takes may be one that its container or codec does not know."""
    base = load_profiles()[name]
    assert base.video is not None
    rates = {"min_frame_rate": Fraction(least), "max_frame_rate": Fraction(most)}
    video = replace(base.video, **rates)  # type: ignore[arg-type]
    own = replace(base, name="own", container=container, mux_rate_bps=None, video=video)
    assert prove(own, tmp_path).reason is None


def test_the_sample_of_an_hdr_profile_has_what_hdr_masters_have(tmp_path: Path) -> None:
    """Or what cannot be read back of their static metadata would be found after whole encodes."""
    for name in ("ott4k-av1-hlg", "cn4k-hevc-vivid-remux"):
        folder = tmp_path / name
        folder.mkdir()
        assert prove(load_profiles()[name], folder).available
        picture = probe(folder / "source.mkv").picture
        assert picture is not None
        assert picture.mastering_display == NOMINAL_DISPLAY
        assert picture.content_light == ContentLight(1000, 400)


def test_the_sample_of_an_upconverting_profile_is_enlarged_between_bars_and_mapped(
    tmp_path: Path,
) -> None:
    """It was a picture of the raster itself, in HLG: that enlarging works was not proven."""
    profile = load_profiles()["uhd-upconvert-hlg"]
    assert prove(profile, tmp_path).reason is None
    before = probe(tmp_path / "source.mkv").picture
    assert before is not None
    assert (before.width, before.height) == (160, 128)
    assert before.colour.dynamic_range == "sdr"
    (after,) = (probe(path).picture for path in tmp_path.glob("joined.*"))
    assert after is not None
    assert (after.width, after.height, after.colour.dynamic_range) == (320, 180, "hlg")


@pytest.mark.parametrize(
    ("name", "codec_profile", "pix_fmt"),
    [("mobile-540p", "baseline", "yuv420p"), ("cn4k-hevc-hlg", "main422-10", "yuv422p10le")],
)
def test_a_codec_profile_is_read_back_by_its_longer_name(
    name: str, codec_profile: str, pix_fmt: str, tmp_path: Path
) -> None:
    """Constrained Baseline, and the range extensions."""
    base = load_profiles()[name]
    assert base.video is not None
    changed = {"codec_profile": codec_profile, "pix_fmt": pix_fmt, "level": None}
    video = replace(base.video, **changed)  # type: ignore[arg-type]
    assert prove(replace(base, name="own-x", video=video), tmp_path).reason is None


def test_ffmpeg_is_asked_and_not_the_name(tmp_path: Path) -> None:
    """The same promise under any name is refused, and 8 bits under this one are not."""
    profile = load_profiles()["cn4k-avs2-hlg"]
    assert profile.video is not None
    renamed = replace(profile, name="x")
    assert lacking([renamed]).keys() == {"x"}
    assert not prove(renamed, tmp_path).available
    eight = replace(profile.video, pix_fmt="yuv420p", max_bitrate_bps=None, buffer_bits=None)
    assert lacking([replace(profile, video=eight, mux_rate_bps=None)]) == {}
    capped = replace(eight, max_bitrate_bps=36_000_000, buffer_bits=36_000_000)
    found = lacking([replace(profile, video=capped)])[profile.name]
    assert found.startswith("libxavs2 keeps no cap as Kapok drives it, and cn4k-avs2-hlg promises")


def test_a_plan_refuses_what_ffmpeg_rules_out_with_its_reason() -> None:
    """Nobody gets 8 bits that are called 10."""
    wanted = [load_profiles()["cn4k-avs2-hlg"], load_profiles()["cn4k-avs3-hlg"]]
    made = plan(*described(UHD), wanted, lacking(wanted))
    assert made.rungs == ()
    told = {refusal.profile: (refusal.code, refusal.reason) for refusal in made.refused}
    assert told["cn4k-avs2-hlg"][0] == told["cn4k-avs3-hlg"][0] == "unavailable_here"
    assert "takes only yuv420p" in told["cn4k-avs2-hlg"][1]
    assert "no encoder libuavs3e" in told["cn4k-avs3-hlg"][1]


def test_an_encoder_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    """Never an error of the caller: the planner refuses the profile with this text."""
    profile = load_profiles()["mobile-540p"]
    assert profile.video is not None
    absent = replace(profile, video=replace(profile.video, encoder="libnothing"))
    found = prove(absent, tmp_path)
    assert not found.available
    assert "libnothing" in (found.reason or "")


def test_a_profile_that_promises_what_the_encoder_does_not_do_is_unavailable(
    tmp_path: Path,
) -> None:
    """Nothing is emitted under a name that it does not meet: here 8 bits for a 10-bit promise."""
    profile = load_profiles()["cn4k-hevc-hlg"]
    assert profile.video is not None
    wrong = replace(profile, video=replace(profile.video, codec_profile="main"))
    found = prove(wrong, tmp_path)
    assert not found.available
    assert found.reason
