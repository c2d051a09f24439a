"""The search on a real file: samples are cut, encoded and scored, and the target is then met."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_chunk
from pipelines.inspection.inspect import inspect
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan import Chunk, plan
from pipelines.planning.plan_types import Findings, Plan
from pipelines.profiles.profile import Profile, Target, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.quality.sampling import Means
from pipelines.quality.search import key_of, search
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe

pytestmark = pytest.mark.media


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds of 320x180p25: a detailed pan, and after a cut the same with grain."""
    path = tmp_path_factory.mktemp("search") / "clip.mkv"
    pan = "mandelbrot=s=640x360:r=25:end_scale=0.05,scale=320:180,format=yuv420p"
    grain = "noise=alls=14:allf=t:enable='gte(t,4)',negate=enable='gte(t,4)'"
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"{pan},{grain}", "-t", "8"]
    argv += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "6", "-g", "25", str(path)]
    subprocess.run(argv, check=True)
    return path


@pytest.fixture(scope="module")
def looked_at(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[MediaInfo, Inspection]:
    info = probe(clip)
    return info, finish(inspect(clip, info, tmp_path_factory.mktemp("inspection")))


def rung(value: float) -> Profile:
    base = profile("mobile-540p")
    assert base.video is not None
    target = Target("vmaf", value, "vmaf_v1.0.16")
    video = replace(base.video, target=target, max_bitrate_bps=None, buffer_bits=None)
    return replace(base, video=video)


def av1(value: float) -> Profile:
    """The rung for the web, of this clip's size and range, judged as HDR is."""
    base = profile("ott4k-av1-hlg")
    assert base.video is not None
    video = replace(
        base.video,
        fit="inside",
        width=320,
        height=180,
        min_frame_rate=None,
        dynamic_range="sdr",
        target=Target("xpsnr", value, "6:1:1"),
        max_bitrate_bps=None,
        buffer_bits=None,
    )
    return replace(base, video=video)


def searched(
    clip: Path,
    looked: tuple[MediaInfo, Inspection],
    wanted: Profile,
    folder: Path,
    share: float,
) -> tuple[Findings, Plan]:
    first = plan(*looked, [wanted])
    found = finish(search(LocalFile(clip), first, *looked, folder, Means(share)))
    return found, plan(*looked, [wanted], findings=found)


@pytest.mark.parametrize(
    ("wanted", "off"), [(rung(88.0), 1.5), (av1(34.0), 0.5)], ids=["H.264 VMAF", "AV1 XPSNR"]
)
def test_the_target_is_met_by_what_the_samples_said(
    wanted: Profile,
    off: float,
    clip: Path,
    looked_at: tuple[MediaInfo, Inspection],
    tmp_path: Path,
) -> None:
    """With time for several samples, the whole rendition scores what was asked for."""
    found, made = searched(clip, looked_at, wanted, tmp_path / "search", share=12.0)
    (choice,) = made.choices

    assert {sample.profile for sample in found.probes} == {wanted.name}
    assert choice.basis == "probed"
    folder = tmp_path / "whole"
    folder.mkdir()
    encoded = finish(encode_chunk(clip, made, Chunk(0, 0, made.frames), folder))
    pairs = [(made.rungs[0], encoded.files[wanted.name])]
    scores = finish(measure(clip, pairs, made, folder)).of(wanted.name)
    (score,) = (one.mean for one in scores.measurements if one.metric == choice.target.metric)
    assert score == pytest.approx(choice.target.value, abs=off)


def test_rungs_of_one_file_are_scored_once(
    clip: Path, looked_at: tuple[MediaInfo, Inspection], tmp_path: Path
) -> None:
    """MP4 and transport stream of one picture: two pairs of one file are no graph for ffmpeg."""
    one = rung(88.0)
    twin = replace(one, name="twin", container="ts", packaged=False, audio=())
    first = plan(*looked_at, [one, twin])
    assert len(first.rungs) == 2
    means = Means(12.0)
    found = finish(search(LocalFile(clip), first, *looked_at, tmp_path / "search", means))
    mine, other = (found.probes_of(name) for name in (one.name, "twin"))
    assert mine
    assert [replace(sample, profile=one.name) for sample in other] == list(mine)


def test_nothing_is_sought_where_it_would_take_longer_than_it_may(
    clip: Path, looked_at: tuple[MediaInfo, Inspection], tmp_path: Path
) -> None:
    found, made = searched(clip, looked_at, rung(88.0), tmp_path / "search", share=0.07)

    assert found.probes == ()
    assert made.choices[0].basis == "predicted"
    assert any("nothing was probed: the programme is so short" in one for one in made.decisions)
    assert not (tmp_path / "search").exists()


def test_the_key_changes_with_all_that_the_findings_depend_on(
    looked_at: tuple[MediaInfo, Inspection],
) -> None:
    keys = [key_of(plan(*looked_at, [rung(value)])) for value in (88.0, 88.0, 90.0)]

    assert keys[0] == keys[1] != keys[2]


def test_a_sample_that_cannot_be_had_fails_no_plan(
    clip: Path, looked_at: tuple[MediaInfo, Inspection], tmp_path: Path
) -> None:
    """The file is cut short after it was inspected: the plan says so and rests on the model."""
    torn = tmp_path / "torn.mkv"
    torn.write_bytes(clip.read_bytes()[:20_000])
    found, made = searched(torn, looked_at, rung(88.0), tmp_path / "search", share=40.0)

    assert (found.limited or "").startswith("a sample could not be probed")
    assert made.choices[0].basis in ("predicted", "probed")
    assert found.limited in made.decisions
