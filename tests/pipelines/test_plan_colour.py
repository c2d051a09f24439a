"""The contract about colour: each rung says whether it keeps or converts, by what, with what."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pipelines.colour.colour_methods import convert, parameters_of
from pipelines.colour.colour_types import ColourDecision, Conversion, Parameter
from pipelines.media import Colour, ContentLight, MasteringDisplay, VideoTrack
from pipelines.planning.plan import Plan, VideoPlan, plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.profiles.profile import DynamicRange, FromSdr, Profile, ladder, profile
from pipelines.records import from_json, to_json
from tests.pipelines.sources import BT709, HD, PQ, UHD, described

SDR_2020 = Colour("bt2020", "bt2020-10", "bt2020nc", "tv")
BY_TABLE: list[Conversion] = [
    "hlg_to_sdr",
    "pq_to_sdr",
    "pq_to_hlg",
    "hlg_to_pq",
    "sdr_to_hlg",
    "sdr_to_pq",
]


def uhd_in(dynamic_range: DynamicRange, from_sdr: FromSdr = "refuse") -> Profile:
    """The 4K profile, but for another range."""
    made = profile("cn4k-hevc-hlg")
    assert made.video is not None
    return replace(made, video=replace(made.video, dynamic_range=dynamic_range, from_sdr=from_sdr))


def planned(picture: VideoTrack, *profiles: Profile, **inspected: object) -> Plan:
    return plan(*described(picture, **inspected), profiles)  # type: ignore[arg-type]


def only(made: Plan) -> VideoPlan:
    (rung,) = made.rungs
    assert rung.video is not None
    return rung.video


def decision(video: VideoPlan) -> ColourDecision:
    assert video.colour_decision is not None
    return video.colour_decision


def numbers(video: VideoPlan) -> dict[str, float]:
    return {one.name: one.value for one in decision(video).parameters}


def mastered_at(peak_cd_m2: int) -> MasteringDisplay:
    return replace(NOMINAL_DISPLAY, max_luminance_cd_m2=Fraction(peak_cd_m2))


def test_an_hlg_ladder_keeps_one_rung_and_converts_the_others() -> None:
    """And the numbers are values, not words alone."""
    made = planned(UHD, *(profile(name) for name in ladder("cn-uhd-zone").profiles))
    kept, hd = (made.rung(name).video for name in ("cn4k-hevc-hlg", "hd-avc-sdr"))
    assert kept is not None
    assert hd is not None
    assert decision(kept) == ColourDecision("preserve", "hlg", "hlg")
    assert decision(hd) == ColourDecision(
        "convert",
        "hlg",
        "sdr-709",
        (
            "BT.2446 method C, ended at the peak signal",
            "bent into BT.709's gamut at constant luminance",
        ),
        (
            Parameter("display_peak_cd_m2", 1000.0),
            Parameter("hlg_system_gamma", 1.2),
            Parameter("sdr_white_cd_m2", 100.0),
            Parameter("sdr_display_gamma", 2.4),
            Parameter("sdr_peak_signal", 1.05),
            Parameter("method_c_slope", 0.83802),
            Parameter("method_c_inflection_signal", 0.8),
            Parameter("gamut_knee", 0.85),
            Parameter("gamut_reach", 2.3),
        ),
    )
    (told,) = [text for text in made.decisions if "HLG becomes" in text]
    assert told.startswith("hd-avc-sdr, mobile-1080p, mobile-720p, mobile-540p, review-proxy: HLG")
    assert "display_peak_cd_m2 1000, hlg_system_gamma 1.2" in told


@pytest.mark.parametrize(
    ("display", "peak"),
    [(None, 4000), (1000, 1000), (600, 600), (10_000, 10_000), (0, 4000), (50_000, 4000)],
)
def test_a_pq_master_is_rolled_off_from_the_peak_that_it_states(
    display: int | None, peak: int
) -> None:
    """4000 cd/m² where it states none, or one that no display has."""
    mastering = None if display is None else mastered_at(display)
    video = only(planned(replace(UHD, colour=PQ, mastering_display=mastering), uhd_in("hlg")))
    assert video.conversion == "pq_to_hlg"
    assert numbers(video)["master_peak_cd_m2"] == peak


def test_hlg_becomes_pq_for_a_display_that_the_plan_states() -> None:
    """BT.2020 with D65, 1000 cd/m²: HLG's nominal one; the decisions say it."""
    made = planned(UHD, uhd_in("pq"))
    video = only(made)
    assert (video.conversion, video.colour) == ("hlg_to_pq", PQ)
    assert decision(video).methods == ("BT.2408 HLG to PQ, the light of the nominal display",)
    assert numbers(video) == {"display_peak_cd_m2": 1000.0, "hlg_system_gamma": 1.2}
    assert video.mastering_display == NOMINAL_DISPLAY
    assert any("0.005 to 1000 cd/m²" in text for text in made.decisions)


@pytest.mark.parametrize("wanted", ["hlg", "pq"])
def test_sdr_becomes_hdr_only_where_a_profile_says_so(wanted: DynamicRange) -> None:
    """And the plan says that it is no HDR master."""
    source = replace(UHD, colour=BT709, pix_fmt="yuv420p", bit_depth=8)
    refused = planned(source, uhd_in(wanted))
    assert [refusal.code for refusal in refused.refused] == ["needs_hdr"]
    made = planned(source, uhd_in(wanted, "map"))
    video = only(made)
    assert video.conversion == f"sdr_to_{wanted}"
    assert (decision(video).source, decision(video).target) == ("sdr-709", wanted)
    assert decision(video).methods[0] == "BT.2087 into BT.2020"
    assert numbers(video)["reference_white_cd_m2"] == 203
    assert any("mapped from SDR, and no HDR master" in text for text in made.decisions)


def test_sdr_of_bt2020_is_a_type_of_its_own() -> None:
    """Into HLG it keeps its primaries; into BT.709 it is cut by BT.2407's matrix."""
    source = replace(UHD, colour=SDR_2020)
    up = decision(only(planned(source, uhd_in("hlg", "map"))))
    assert (up.source, up.methods) == (
        "sdr-2020",
        ("BT.2408 SDR to HLG, direct mapping of display light",),
    )
    down = decision(only(planned(source, profile("hd-avc-sdr"))))
    assert (down.source, down.target) == ("sdr-2020", "sdr-709")
    assert down.methods == ("BT.2407 linear matrix into BT.709, clipped",)


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        (Colour("bt470bg", "smpte170m", "bt470bg", "tv"), "sdr-other"),
        (replace(BT709, range="pc"), "sdr-709"),
    ],
)
def test_other_sdr_is_typed_too(said: Colour, kind: str) -> None:
    found = decision(only(planned(replace(HD, colour=said), profile("mobile-720p"))))
    assert (found.action, found.source, found.target) == ("convert", kind, "sdr-709")
    assert len(found.methods) == 1


def test_what_a_rendition_loses_is_said_by_name() -> None:
    """Dynamic metadata always, static metadata where the light is another."""
    source = replace(
        UHD,
        colour=PQ,
        mastering_display=mastered_at(1000),
        content_light=ContentLight(900, 300),
        hdr_vivid=True,
        hdr10_plus=True,
        dolby_vision=True,
    )
    dynamic = ("dolby_vision", "hdr10_plus", "hdr_vivid")
    kept = only(planned(source, uhd_in("pq")))
    assert decision(kept).dropped == dynamic
    assert (kept.mastering_display, kept.content_light) == (
        source.mastering_display,
        source.content_light,
    )
    changed = only(planned(source, uhd_in("hlg")))
    assert decision(changed).dropped == (*dynamic, "mastering_display", "content_light")


def test_a_kept_mastering_display_is_what_st_2086_can_say() -> None:
    """Matroska holds any number, an SEI message whole units: what is planned can be read back."""
    third = (Fraction(1, 3), Fraction(1, 3))
    odd = replace(NOMINAL_DISPLAY, red=third, min_luminance_cd_m2=Fraction(1, 30_001))
    kept = only(planned(replace(UHD, colour=PQ, mastering_display=odd), uhd_in("pq")))
    assert kept.mastering_display == replace(
        NOMINAL_DISPLAY, red=(Fraction(16667, 50_000),) * 2, min_luminance_cd_m2=Fraction(0)
    )


def test_the_decision_rests_with_the_plan() -> None:
    made = planned(replace(UHD, colour=PQ), uhd_in("hlg"), profile("hd-avc-sdr"))
    assert from_json(Plan, to_json(made)) == made


@pytest.mark.parametrize("conversion", BY_TABLE)
def test_every_number_of_a_plan_is_one_that_the_formula_takes(conversion: Conversion) -> None:
    """Another value gives another picture; without it there is none."""
    axis = np.linspace(0, 1, 9)
    cube = np.stack(np.meshgrid(axis, axis, axis), axis=-1).reshape(-1, 3)
    standard = parameters_of(conversion, None)
    usual = convert(cube, conversion, standard)
    for at, one in enumerate(standard):
        changed = (*standard[:at], Parameter(one.name, one.value * 0.97), *standard[at + 1 :])
        assert np.abs(convert(cube, conversion, changed) - usual).max() > 1e-4, one.name
        with pytest.raises(KeyError, match=one.name):
            convert(cube, conversion, (*standard[:at], *standard[at + 1 :]))
