"""What is plainly mis-tagged is told, nothing else is, and only a person resolves it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.colour.colour_doubt import believed, colour_doubt
from pipelines.colour.colour_maths import display_to_pq
from pipelines.colour.colour_types import STATED, StatedColour
from pipelines.inspection.inspect import inspect
from pipelines.media import Colour, ContentLight
from pipelines.planning.plan import Plan, plan
from pipelines.planning.plan_colour import NOMINAL_DISPLAY
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from tests.pipelines.sources import BT709, HD, HLG, PQ, UHD, described

TAGGED = replace(HD, pix_fmt="yuv422p10le", bit_depth=10)
Floats = NDArray[np.float64]


def counted(signal: Floats) -> NDArray[np.int64]:
    """The histogram of luma signals 0–1, as codes of 10 bits."""
    return np.bincount(np.rint(64 + 876 * signal).astype(int), minlength=1024)


def scene(peak_cd_m2: float) -> Floats:
    """Light as programmes have it: mostly dim, some bright, a sun beyond any display."""
    light = np.random.default_rng(1).lognormal(3.0, 1.6, 400_000)
    return np.minimum(light, peak_cd_m2)


def test_pq_under_the_tags_of_sdr_is_told() -> None:
    """Its codes end in a heap at 723: 1000 cd/m²."""
    doubt = colour_doubt(TAGGED, counted(display_to_pq(scene(1000))))
    assert doubt == (
        "its tags say bt709, but its codes end in a heap at 723, which is 1000 cd/m² in PQ"
    )
    untagged = replace(TAGGED, colour=Colour())
    assert "its tags say nothing" in (
        colour_doubt(untagged, counted(display_to_pq(scene(1000)))) or ""
    )


NO_DOUBT = {
    "SDR up to white": (scene(203) / 203) ** (1 / 2.4),
    "SDR that never gets bright": np.minimum((scene(203) / 600) ** (1 / 2.4), 0.74),
    "SDR clipped at 80 %": np.minimum((scene(400) / 203) ** (1 / 2.4), 0.8),
    "PQ of another peak": display_to_pq(scene(600)),
    "PQ that never reaches the peak": display_to_pq(scene(1000)[scene(1000) < 800]),
    "bars of 75 %": np.repeat([0.75, 0.69, 0.56, 0.48, 0.26, 0.19, 0.06, 0.0], 1000),
    "a logarithmic curve, whose black is grey": 0.2 + 0.7 * display_to_pq(scene(1000)),
    "one grey": np.full(1000, 0.7518),
}


@pytest.mark.parametrize("name", NO_DOUBT)
def test_a_false_alarm_would_stop_work(name: str) -> None:
    """So what may be SDR is believed to be SDR."""
    assert colour_doubt(TAGGED, counted(NO_DOUBT[name])) is None


def test_only_deep_narrow_sdr_is_doubted() -> None:
    luma = counted(display_to_pq(scene(1000)))
    for change in ({"bit_depth": 8}, {"colour": replace(BT709, range="pc")}, {"colour": PQ}):
        assert colour_doubt(replace(TAGGED, **change), luma) is None  # type: ignore[arg-type]


def test_hdr10_metadata_beside_sdr_tags_is_told_where_the_levels_fit() -> None:
    """A down-converted file may keep it, but its codes then go beyond."""
    dim = counted(display_to_pq(np.minimum(scene(1000), 400)))
    for found in (
        replace(TAGGED, mastering_display=NOMINAL_DISPLAY),
        replace(TAGGED, content_light=ContentLight(900, 200)),
    ):
        assert "carries HDR10's metadata" in (colour_doubt(found, dim) or "")
        assert colour_doubt(found, counted((scene(203) / 203) ** (1 / 2.4))) is None


def resolved(stated: StatedColour | None, **inspected: object) -> Plan:
    source = replace(UHD, colour=BT709)
    info, seen = described(source, **inspected)  # type: ignore[arg-type]
    profiles = [profile(name) for name in ("cn4k-hevc-hlg", "hd-avc-sdr", "archive-ffv1")]
    return plan(info, seen, profiles, source_colour=stated)


def test_a_doubt_refuses_every_picture_until_somebody_says_what_it_is() -> None:
    """The way out stands in the reason."""
    made = resolved(None, colour_in_doubt="its codes end in a heap")
    assert not made.rungs
    assert {refusal.code for refusal in made.refused} == {"colour_in_doubt"}
    assert "--source-colour" in made.refused[0].reason
    assert "as-tagged, sdr-709, sdr-2020, hlg, pq" in made.refused[0].reason


@pytest.mark.parametrize(
    ("stated", "conversions"),
    [
        ("as-tagged", {"hd-avc-sdr": "none", "archive-ffv1": "none"}),
        ("sdr-709", {"hd-avc-sdr": "none", "archive-ffv1": "none"}),
        ("sdr-2020", {"hd-avc-sdr": "sdr_to_sdr", "archive-ffv1": "none"}),
        ("hlg", {"cn4k-hevc-hlg": "none", "hd-avc-sdr": "hlg_to_sdr", "archive-ffv1": "none"}),
        ("pq", {"cn4k-hevc-hlg": "pq_to_hlg", "hd-avc-sdr": "pq_to_sdr", "archive-ffv1": "none"}),
    ],
)
def test_what_a_person_states_is_what_is_planned(
    stated: StatedColour, conversions: dict[str, str]
) -> None:
    """And the plan says so, beside what the tags say."""
    made = resolved(stated, colour_in_doubt="its codes end in a heap")
    assert {
        rung.profile: rung.video and rung.video.conversion for rung in made.rungs
    } == conversions
    told = f"the job states the source's colour: {stated}; its tags say bt709/bt709/bt709"
    assert told in made.decisions


def test_stating_a_colour_changes_the_tags_and_nothing_else() -> None:
    info, _ = described(replace(UHD, colour=replace(BT709, range="pc")))
    found = {stated: believed(info, stated).video[0] for stated in STATED}
    assert found["as-tagged"] == info.video[0]
    assert found["hlg"] == replace(info.video[0], colour=replace(HLG, range="pc"))


@pytest.mark.media
def test_a_mistagged_file_is_found_by_its_inspection(tmp_path: Path) -> None:
    """PQ code values of 4:2:2, coded lossily and tagged BT.709; tagged rightly they pass."""
    found = {}
    for transfer in ("bt709", "smpte2084"):
        path = clips.pq_codes(tmp_path, transfer)
        folder = tmp_path / transfer
        folder.mkdir()
        found[transfer] = finish(inspect(path, probe(path), folder))
    assert "heap at 723" in (found["bt709"].colour_in_doubt or "")
    assert found["bt709"].colour_in_doubt in found["bt709"].findings
    assert found["smpte2084"].colour_in_doubt is None
