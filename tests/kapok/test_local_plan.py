"""`kapok plan`: what would be made of a file, and what it would take, with nothing encoded."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kapok.local import Show
from kapok.local_plan import Looked, keep, plan_record, searched_plan
from pipelines.encoding.encoders import encoder_options
from pipelines.media import Shot
from pipelines.planning.plan import plan
from pipelines.planning.plan_types import Findings, Probe
from pipelines.planning.prediction import predict
from pipelines.profiles.profile import profile
from pipelines.quality.search import key_of
from pipelines.records import to_json
from sample_media.generate import generate
from tests.kapok.test_local import answer, kapok
from tests.pipelines.sources import HD, STEREO, UHD, call, described, smaller


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plan")
    return generate("stereo_30000_1001", folder, seconds=1, height=180)


@pytest.mark.media
def test_plan_shows_rungs_sizes_and_reasons_and_writes_nothing(clip: Path, tmp_path: Path) -> None:
    """Each rung with its CRF and why, its size and its time; what is refused, with the reason."""
    record = answer("plan", clip, folder=tmp_path)

    assert list(tmp_path.iterdir()) == []
    (choice,) = record["plan"]["choices"]
    assert choice["profile"] == "mobile-540p"
    assert choice["basis"] == "predicted"
    assert any("nothing was probed" in text for text in record["plan"]["decisions"])
    codes = {refusal["profile"]: refusal["code"] for refusal in record["plan"]["refused"]}
    assert codes["cn4k-hevc-hlg"] == "would_upscale"
    prediction = record["prediction"]
    rungs = {rung["profile"]: rung for rung in prediction["rungs"]}
    assert set(rungs) == {"mobile-540p", "review-proxy"}
    assert all(rung["size_bytes"] > 1000 for rung in rungs.values())
    assert prediction["size_bytes"] == sum(rung["size_bytes"] for rung in rungs.values())
    assert prediction["disk_bytes"] > prediction["size_bytes"]
    assert prediction["cpu_s"] > 0
    assert 62_000_000 < prediction["memory_bytes"] < 2_000_000_000


@pytest.mark.media
def test_plan_speaks_to_people_in_both_languages(clip: Path) -> None:
    texts = {word: kapok("plan", clip, "--lang", word).stdout for word in ("en", "zh")}

    assert "known by" in texts["en"]
    assert "model" in texts["en"]
    assert "依据" in texts["zh"]
    assert "模型" in texts["zh"]
    assert "VMAF 94" in texts["zh"]


def is_chinese(text: str) -> bool:
    return re.search("[\u4e00-\u9fff]", text) is not None


@pytest.mark.media
def test_a_plan_for_programs_is_told_in_the_language_of_the_run(clip: Path) -> None:
    """Each decision and each reason once, in English or in Chinese."""
    told = {}
    for language in ("en", "zh"):
        made = answer("plan", clip, "--lang", language)["plan"]
        reasons = [refusal["reason"] for refusal in made["refused"]]
        told[language] = [*made["decisions"], *reasons, made["findings"]["limited"]]

    assert len(told["zh"]) == len(told["en"]) > 5
    assert [text for text in told["en"] if is_chinese(text)] == []
    assert [text for text in told["zh"] if not is_chinese(text)] == []
    assert told["en"][-1].startswith("nothing was probed: the programme is so short")
    assert told["zh"][-1].startswith("没有取样：节目太短")


@pytest.mark.media
def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    done = kapok("plan", tmp_path / "none.mp4", "--json")

    assert done.returncode != 0
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "file_not_found"


def looked(path: Path) -> Looked:
    shots = (Shot(0, 3000, 0.01, detail=0.02, coded_bytes=900.0),)
    return Looked(path, *described(HD, [STEREO], 3000, shots=shots), ["mobile-1080p"], None, None)


def silent(_: str) -> Show:
    return lambda _progress: None


def test_what_was_found_for_the_same_bytes_is_not_sought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the content's hash, wherever the file lies: the source here is no media at all."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    path = tmp_path / "film.mp4"
    path.write_bytes(b"essence")
    first = looked(path)
    found = Findings(
        key=key_of(first.plan()), probes=(Probe("mobile-1080p", 0, 25, 25.0, 95.0, 92.0, 60e3),)
    )
    keep(first, found)

    moved = tmp_path / "moved.mp4"
    path.rename(moved)
    made = searched_plan(looked(moved), tmp_path / "scratch", silent)
    assert made.findings == found
    assert made.choices[0].basis == "probed"


@pytest.mark.parametrize(
    ("name", "mbps", "basis"),
    [
        ("mezz4k-prores422hq", 1539, "most"),  # Apple's white paper: 1475 Mb/s at 2160p50
        ("mezz4k-xavc300", 504, "most"),
        ("cn4k-hevc-hlg-ts", 40, "predicted"),
    ],
)
def test_a_constant_rate_is_foreseen_as_it_is(name: str, mbps: int, basis: str) -> None:
    """By the codec's own frame size, or by the rate of the transport stream, with its padding."""
    info, inspection = described(UHD, frames=3000)
    made = plan(info, inspection, [profile(name)])
    (rung,) = predict(made, info, inspection, 4).rungs
    assert rung.basis == basis
    assert rung.size_bytes * 8 / 60e6 == pytest.approx(mbps, rel=0.02)


def test_pcm_is_foreseen_with_all_its_samples() -> None:
    """FLAC makes them fewer bits, PCM does not."""
    info, inspection = described(UHD, [STEREO], frames=3000)
    sizes = {}
    for sounds in ([], [STEREO]):
        made = plan(replace(info, audio=tuple(sounds)), inspection, [profile("mezz4k-prores422hq")])
        (sizes[len(sounds)],) = predict(made, info, inspection, 4).rungs
    sound = sizes[1].size_bytes - sizes[0].size_bytes
    assert sound == pytest.approx(60 * 48_000 * 2 * 3, rel=0.02)


@pytest.mark.media
@pytest.mark.parametrize("name", ["mezz4k-prores422hq", "mezz4k-xavc300"])
def test_noise_takes_about_what_was_foreseen(name: str, tmp_path: Path) -> None:
    """The worst that there is; ProRes at a raster that a test has time for."""
    wanted = profile(name) if "xavc" in name else smaller(profile(name), 640, 360)
    info, inspection = described(UHD, frames=2)
    made = plan(info, inspection, [wanted])
    video = made.rungs[0].video
    assert video is not None
    noise = f"color=gray:s={video.width}x{video.height}:r=50,noise=alls=100:allf=t"
    options = {**encoder_options(video), "f": made.rungs[0].container}
    words = [word for name, value in options.items() for word in (f"-{name}", str(value))]
    file = tmp_path / "noise"
    picture = ("-f", "lavfi", "-i", noise, "-pix_fmt", video.pix_fmt, "-frames:v", "2")
    call(*picture, *words, file)
    (rung,) = predict(made, info, inspection, 4).rungs
    assert file.stat().st_size == pytest.approx(rung.size_bytes, rel=0.1)


def test_the_record_holds_plan_and_prediction(tmp_path: Path) -> None:
    """Chosen rungs are predicted at their chosen rate; sound and container come on top."""
    one = looked(tmp_path / "film.mp4")
    made = one.plan()
    prediction = predict(made, one.info, one.inspection, 4)
    record = plan_record(one, made, prediction, cores=4)

    (rung,) = prediction.rungs
    picture = made.choices[0].bitrate_bps * 120 / 8
    assert rung.size_bytes == pytest.approx((picture + 128_000 / 8 * 120) * 1.01, rel=0.01)
    assert record["prediction"]["wall_s"] == round(prediction.cpu_s / 4, 1)
    assert record["plan"]["choices"] == [to_json(made.choices[0])]
