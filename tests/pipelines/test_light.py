"""MaxCLL and MaxFALL are what CTA-861.3 says, on pictures whose light is known."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import clips
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.colour.colour_maths import LUMA_2020, display_to_hlg, display_to_pq
from pipelines.colour.source_colour import wants_light
from pipelines.inspection.inspect import inspect
from pipelines.media import ContentLight, Inspection, content_light
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe
from tests.pipelines.sources import HLG, PQ, UHD, described
from tests.pipelines.test_plan_colour import planned, uhd_in

Floats = NDArray[np.float64]
TRANSFERS = {"pq": "smpte2084", "hlg": "arib-std-b67"}


def written(path: Path, frames: list[Floats], transfer: str) -> Path:
    """Frames of R'G'B' signals, (height, width, 3), as lossless 10-bit 4:2:0 of BT.2020."""
    raw = b"".join(coded(frame) for frame in frames)
    height, width, _ = frames[0].shape
    shape = ("-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}", "-r", "25")
    tags = f"setparams=color_primaries=bt2020:color_trc={transfer}:colorspace=bt2020nc:range=tv"
    argv = [ffmpeg(), "-v", "error", *shape, "-i", "-", "-vf", tags, "-c:v", "ffv1", str(path)]
    subprocess.run(argv, input=raw, check=True, capture_output=True)
    return path


def coded(frame: Floats) -> bytes:
    red, _, blue = LUMA_2020
    luma = frame @ LUMA_2020
    cb = ((frame[..., 2] - luma) / (2 * (1 - blue)))[::2, ::2]
    cr = ((frame[..., 0] - luma) / (2 * (1 - red)))[::2, ::2]
    planes = (64 + 876 * luma, 512 + 896 * cb, 512 + 896 * cr)
    return b"".join(np.rint(plane).astype("<u2").tobytes() for plane in planes)


def neutral(light_cd_m2: Floats) -> Floats:
    return np.repeat(light_cd_m2[..., None], 3, axis=-1)


def seen(path: Path, folder: Path) -> Inspection:
    info = probe(path)
    folder.mkdir(exist_ok=True)
    return finish(inspect(path, info, folder, measure_light=True))


def measured(path: Path, folder: Path) -> ContentLight:
    light = seen(path, folder).light
    assert light is not None
    return light


@pytest.mark.media
@pytest.mark.parametrize("kind", ["pq", "hlg"])
@pytest.mark.parametrize(("width", "height"), [(320, 180), (322, 182)])
def test_a_ramp_has_the_light_that_was_painted(
    kind: str, width: int, height: int, tmp_path: Path
) -> None:
    """A ramp to 800 cd/m² in the second of three frames: both numbers within 2 %."""
    ramp = neutral(np.tile(np.linspace(0, 800, width), (height, 1)))
    frames = [ramp * 0.25, ramp, ramp * 0.5]
    signal = display_to_pq if kind == "pq" else display_to_hlg
    path = written(tmp_path / "ramp.mkv", [signal(one) for one in frames], TRANSFERS[kind])
    light = measured(path, tmp_path / "seen")
    assert light.max_cll_cd_m2 == pytest.approx(800, rel=0.02)
    assert light.max_fall_cd_m2 == pytest.approx(400, rel=0.02)


@pytest.mark.media
def test_the_brightest_component_counts_and_not_the_luminance(tmp_path: Path) -> None:
    """A red of 600 cd/m² beside a dim grey, in a patch of two by two pixels."""
    light = np.full((180, 320, 3), 10.0)
    light[90:92, 200:202] = (600, 30, 30)
    path = written(tmp_path / "red.mkv", [display_to_pq(light)] * 2, "smpte2084")
    found = measured(path, tmp_path / "seen")
    assert found.max_cll_cd_m2 == pytest.approx(600, rel=0.02)
    assert found.max_fall_cd_m2 == pytest.approx(10, abs=1)


@pytest.mark.media
def test_a_spark_of_a_uhd_picture_is_not_averaged_away(tmp_path: Path) -> None:
    """Two by two of 3840x2160 pixels: picked whole, not scaled."""
    light = np.full((2160, 3840, 3), 5.0)
    light[1000:1002, 3000:3002] = 2000
    path = written(tmp_path / "spark.mkv", [display_to_pq(light)], "smpte2084")
    assert measured(path, tmp_path / "seen").max_cll_cd_m2 == pytest.approx(2000, rel=0.02)


@pytest.mark.media
def test_what_sdr_becomes_in_pq_is_measured_too(tmp_path: Path) -> None:
    """White is 203 cd/m² there."""
    path = tmp_path / "white.mkv"
    picture = "color=white:s=320x180:r=25:d=0.2,format=yuv420p"
    tags = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
    argv = [ffmpeg(), "-v", "error", "-f", "lavfi", "-i", f"{picture},{tags}", "-c:v", "ffv1"]
    subprocess.run([*argv, str(path)], check=True, capture_output=True)
    found = measured(path, tmp_path / "seen")
    assert found.max_cll_cd_m2 == pytest.approx(203, rel=0.02)
    assert found.max_fall_cd_m2 == pytest.approx(203, rel=0.02)


@pytest.mark.media
def test_a_turned_picture_has_the_light_of_the_flat_one(tmp_path: Path) -> None:
    """Every pixel is looked at, whichever way up."""
    turned = clips.rotated(tmp_path)
    flat = measured(tmp_path / "flat.mov", tmp_path / "flat")
    found = measured(turned, tmp_path / "turned")
    assert found.max_cll_cd_m2 == pytest.approx(flat.max_cll_cd_m2, rel=0.01)
    assert found.max_fall_cd_m2 == pytest.approx(flat.max_fall_cd_m2, rel=0.01)


def test_light_is_measured_only_for_pq_that_lacks_it() -> None:
    """It costs a branch of its own in the one decode."""
    uhd, in_pq = profile("cn4k-hevc-hlg"), uhd_in("pq")
    bare, said = replace(UHD, colour=PQ), replace(UHD, colour=PQ, content_light=ContentLight(9, 5))
    wants = {
        (name, wanted.video.dynamic_range): wants_light(described(picture)[0], [wanted])
        for name, picture in (("hlg", UHD), ("bare", bare), ("said", said))
        for wanted in (uhd, in_pq)
        if wanted.video
    }
    assert {key for key, wanted in wants.items() if wanted} == {("hlg", "pq"), ("bare", "pq")}


def test_measured_light_goes_into_pq_plans_alone() -> None:
    """The source's own word comes first; HLG needs none."""
    light = ContentLight(812, 301)
    for picture, wanted, expected in (
        (UHD, uhd_in("pq"), light),
        (replace(UHD, colour=PQ), uhd_in("pq"), light),
        (
            replace(UHD, colour=PQ, content_light=ContentLight(9, 5)),
            uhd_in("pq"),
            ContentLight(9, 5),
        ),
        (replace(UHD, colour=HLG), uhd_in("hlg"), None),
        (replace(UHD, colour=PQ), uhd_in("hlg"), None),
    ):
        made = planned(picture, wanted, light=light, light_colour=picture.colour)
        video = made.rungs[0].video
        assert video is not None
        assert video.content_light == expected


def test_nought_and_nought_say_nothing() -> None:
    """x265 writes them where nobody told it (CTA-861.3: unknown)."""
    assert content_light((0, 0)) is None
    assert content_light((1000, 0)) == ContentLight(1000, 0)
