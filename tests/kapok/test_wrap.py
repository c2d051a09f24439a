"""Folders as sources of the local commands: images with a rate, IMF packages, OP-Atom clips."""

from __future__ import annotations

from pathlib import Path

import clips
import pytest

from kapok.errors import FAILED, USAGE, Usage
from kapok.local_source import rate_of
from sample_media.generate import generate
from tests.kapok.test_local import answer, kapok
from tests.pipelines import imf_package

pytestmark = pytest.mark.media


@pytest.fixture(scope="module")
def scan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 DPX images."""
    return generate("dpx_sequence", tmp_path_factory.mktemp("film"), seconds=1, height=96)


def test_a_sequence_is_preserved_image_by_image(scan: Path, tmp_path: Path) -> None:
    """Every sample of every 10-bit image, at the rate that was given; the plan says what it was."""
    words = ("encode", scan, "--rate", "23.976", "--profile", "archive-ffv1", "-o", tmp_path)
    record = answer(*words)
    (made,) = record["renditions"]
    assert made["path"] == str(tmp_path / f"{scan.name}.archive-ffv1.mkv")
    assert (made["facts"]["frames"], made["facts"]["frame_rate"]) == (24, "24000/1001")
    assert made["facts"]["pix_fmt"] == "gbrp10le"
    assert [one["equal"] for one in made["measurements"]] == [True]
    assert record["path"] == str(scan)
    assert record["decisions"][0].startswith("24 images scan_0086400.dpx …: made into one file")
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".mkv"]


def test_a_gap_is_named_before_anything_runs(scan: Path, tmp_path: Path) -> None:
    for file in scan.iterdir():
        if not file.name.endswith("5.dpx"):
            (tmp_path / file.name).hardlink_to(file)
    done = kapok("plan", tmp_path, "--rate", "24", "--lang", "zh")
    assert done.returncode == FAILED
    assert "2 images are missing between 86400 and 86423 (86405, 86415)" in done.stderr
    assert "来源的文件不完整或互相不符" in done.stderr


def test_a_package_is_planned_with_what_it_leaves_out(tmp_path: Path) -> None:
    """Its markers are not silently lost."""
    folder = imf_package.package(tmp_path / "feature")
    record = answer("plan", folder, "--profile", "mobile-540p")
    assert record["path"] == str(folder)
    assert record["plan"]["decisions"][:2] == [
        "IMF composition CPL.xml: made into one file, its packets as they are",
        "MarkerSequence of the composition is in no rendition",
    ]
    assert record["plan"]["frames"] == 16


def test_wrap_makes_the_file_that_is_uploaded(scan: Path, tmp_path: Path) -> None:
    """The record has the hash of each stream; a folder itself is not sent."""
    record = answer("wrap", scan, "--rate", "24", "-o", tmp_path / "scan.mov")
    assert (record["frames"], record["kind"]) == (24, "24 images scan_0086400.dpx …")
    assert len(record["hashes"]) == 1
    assert "is there already" in kapok("wrap", scan, "-o", tmp_path / "scan.mov").stderr
    inspected = answer("inspect", tmp_path / "scan.mov")
    assert (inspected["inspection"]["frames"], inspected["said"]) == (24, [])
    done = kapok("upload", scan, "--url", "http://127.0.0.1:9", KAPOK_API_KEY="kpk_none")
    assert "kapok wrap" in done.stderr


@pytest.mark.parametrize(
    "words", [("--rate", "0"), ("--rate", "fast"), ("--rate", "1/0"), ("--rate", "-24")]
)
def test_a_rate_is_a_rate(words: tuple[str, ...], scan: Path) -> None:
    done = kapok("inspect", scan, *words)
    assert done.returncode == USAGE
    assert "is no rate" in done.stderr


def test_only_a_sequence_has_a_rate(tmp_path: Path) -> None:
    """A film's own rate is in it, and is not changed by a word."""
    done = kapok("inspect", clips.programme(tmp_path), "--rate", "25")
    assert done.returncode == USAGE
    done = kapok("wrap", tmp_path / "programme.mov", "-o", tmp_path / "x.mov")
    assert "is not a folder" in done.stderr


def test_rates_are_exact() -> None:
    """What people write for 24000/1001 is that."""
    assert str(rate_of("23.976")) == str(rate_of("24000/1001")) == "24000/1001"
    assert rate_of("18") == 18
    with pytest.raises(Usage):
        rate_of("1e9")
