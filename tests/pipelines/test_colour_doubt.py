"""What is plainly mis-tagged is told, nothing else is, and only a person resolves it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import cv2
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
from sample_media.generate import generate
from tests.pipelines.sources import BT709, HD, HLG, PQ, UHD, described

TAGGED = replace(HD, pix_fmt="yuv422p10le", bit_depth=10)
Floats = NDArray[np.float64]


def counted(signal: Floats) -> NDArray[np.int64]:
    """The histogram of luma signals 0–1, as codes of 10 bits."""
    return np.bincount(np.rint(64 + 876 * signal).astype(int).ravel(), minlength=1024)


def scene(peak_cd_m2: float) -> Floats:
    """Light as programmes have it: mostly dim, some bright, a sun beyond any display."""
    light = np.random.default_rng(1).lognormal(3.0, 1.6, 400_000)
    return np.minimum(light, peak_cd_m2)


def sky() -> Floats:
    """Light that changes slowly, as of a landscape with a bright sky: its heap has an inside."""
    rng = np.random.default_rng(4)
    octaves = [
        cv2.resize(rng.normal(size=(9 << step, 16 << step)), (640, 360)) * 0.5**step
        for step in range(4)
    ]
    field = np.sum(octaves, axis=0)
    return np.asarray(np.exp(3.5 + 2.2 * (field - field.mean()) / field.std()))


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


@pytest.mark.parametrize(("peak", "code"), [(600, 674), (2000, 789), (4000, 855)])
def test_other_displays_clip_as_plainly(peak: int, code: int) -> None:
    """Of 10 000 cd/m² the signal is SDR's white, which is no sign."""
    doubt = colour_doubt(TAGGED, counted(display_to_pq(np.minimum(sky(), peak))))
    assert f"heap at {code}, which is {peak} cd/m² in PQ" in (doubt or "")
    assert colour_doubt(TAGGED, counted(display_to_pq(np.minimum(4 * sky(), 10_000)))) is None


NO_DOUBT = {
    "SDR up to white": (scene(203) / 203) ** (1 / 2.4),
    "SDR that never gets bright": np.minimum((scene(203) / 600) ** (1 / 2.4), 0.74),
    "SDR clipped at 80 %": np.minimum((scene(400) / 203) ** (1 / 2.4), 0.8),
    "PQ of an unusual peak": display_to_pq(scene(700)),
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


def test_hdr10_metadata_beside_sdr_tags_is_told() -> None:
    """Whatever the levels: one of the two is wrong, and a person has to say which."""
    levels = counted((scene(203) / 203) ** (1 / 2.4))
    for found in (
        replace(TAGGED, mastering_display=NOMINAL_DISPLAY),
        replace(TAGGED, content_light=ContentLight(900, 200)),
        replace(TAGGED, colour=replace(BT709, range="pc"), content_light=ContentLight(900, 200)),
    ):
        assert "carries HDR10's metadata, which say up to" in (colour_doubt(found, levels) or "")
    assert colour_doubt(replace(found, bit_depth=8), levels) is None


def test_the_display_that_sdr_was_graded_on_is_no_sign() -> None:
    """Masters in MXF say it too (SMPTE ST 2067-21): 100 cd/m²."""
    dim = replace(NOMINAL_DISPLAY, max_luminance_cd_m2=Fraction(100))
    found = replace(TAGGED, mastering_display=dim, content_light=ContentLight(100, 50))
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
    stated = replace(info.video[0], colour_stated=True)
    assert found["hlg"] == replace(stated, colour=replace(HLG, range="pc"))


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


CODERS = {
    "prores hq": ("mov", "-c:v", "prores_ks", "-profile:v", "hq"),
    "x264 crf 23": ("mp4", "-c:v", "libx264", "-profile:v", "high422", "-crf", "23"),
    "x265 crf 20": ("mp4", "-c:v", "libx265", "-crf", "20", "-x265-params", "log-level=none"),
}


def as_file(folder: Path, signal: Floats, coder: str) -> Path:
    """Five pictures, coded lossily and tagged BT.709."""
    suffix, *words = CODERS[coder]
    luma = np.rint(64 + 876 * signal).astype("<u2")
    raw = folder / "picture.yuv"
    raw.write_bytes((luma.tobytes() + np.full(luma.size, 512, "<u2").tobytes()) * 5)
    shape = ("-f", "rawvideo", "-pix_fmt", "yuv422p10le", "-s", "640x360", "-r", "25")
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    return clips.make(folder / f"coded.{suffix}", *shape, "-i", str(raw), "-vf", tags, *words)


def doubted(path: Path, folder: Path) -> str | None:
    seen = folder / "seen"
    seen.mkdir()
    return finish(inspect(path, probe(path), seen)).colour_in_doubt


@pytest.mark.media
@pytest.mark.parametrize(
    ("peak", "coder"),
    [*((1000, coder) for coder in CODERS), *((peak, "x264 crf 23") for peak in (600, 2000, 4000))],
)
def test_a_heap_outlives_lossy_coding(peak: int, coder: str, tmp_path: Path) -> None:
    path = as_file(tmp_path, display_to_pq(np.minimum(sky(), peak)), coder)
    assert f"is {peak} cd/m² in PQ" in (doubted(path, tmp_path) or "")


PLAIN = {"white": 1.0, "super-white": 1.09, "a limiter's 90 %": 0.9, "70 %": 0.7}
SDR = {"graphics' 75 %": 0.75, **PLAIN}


@pytest.mark.media
@pytest.mark.parametrize(
    ("clip", "coder"),
    [*(("graphics' 75 %", coder) for coder in CODERS), *((clip, "x264 crf 23") for clip in PLAIN)],
)
def test_clipped_sdr_is_not_doubted_when_coded(clip: str, coder: str, tmp_path: Path) -> None:
    """Its heaps are those of SDR, and a title of 75 % before it is all edges."""
    signal = np.minimum((sky() / 203) ** (1 / 2.4), SDR[clip])
    if clip == "graphics' 75 %":
        signal = np.minimum(signal, 0.6)
        letters = np.zeros((360, 640), np.uint8)
        cv2.putText(letters, "KAPOK", (60, 300), cv2.FONT_HERSHEY_SIMPLEX, 1.6, (255,), 4)
        signal[letters > 0] = 0.75
    assert doubted(as_file(tmp_path, signal, coder), tmp_path) is None


@pytest.mark.media
def test_a_retagged_hdr10_file_is_found(tmp_path: Path) -> None:
    """What keeps ST 2086 and MaxCLL, although its codes were smeared and no heap is left."""
    made = generate("programme_pq", tmp_path, seconds=1, height=180)
    tags = "hevc_metadata=colour_primaries=1:transfer_characteristics=1:matrix_coefficients=1"
    path = clips.make(
        tmp_path / "retagged.mp4",
        *("-i", str(made), "-map", "0:v", "-c", "copy", "-bsf:v", tags),
        *("-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709"),
    )
    picture = probe(path).picture
    assert picture is not None
    assert picture.colour == BT709
    assert "HDR10's metadata, which say up to 1050 cd/m²" in (doubted(path, tmp_path) or "")
