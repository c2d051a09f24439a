"""Images of films and renders are R'G'B' or grey from code 0 on, whatever light a person states."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipelines.colour.colour_doubt import believed
from pipelines.colour.source_colour import complete_colour
from pipelines.media import Colour, VideoTrack
from pipelines.running.tools import ffmpeg
from tests.kapok.test_local import answer
from tests.pipelines.sources import HD, described

SCAN = replace(HD, codec="dpx", pix_fmt="gbrp10le", bit_depth=10, colour=Colour(matrix="gbr"))


@pytest.mark.parametrize(
    ("picture", "matrix", "value_range"),
    [
        (SCAN, "gbr", "pc"),
        (replace(SCAN, colour=Colour(transfer="smpte2084")), "gbr", "pc"),
        (replace(SCAN, pix_fmt="gray16be", colour=Colour()), "bt709", "pc"),
        (replace(SCAN, pix_fmt="yuv422p10le", colour=Colour()), "bt709", "tv"),
        (replace(HD, pix_fmt="gray", colour=Colour()), "bt709", "tv"),
        (replace(SCAN, colour=Colour(range="tv")), "gbr", "tv"),
    ],
)
def test_what_an_image_leaves_out_is_taken_as_images_are(
    picture: VideoTrack, matrix: str, value_range: str
) -> None:
    """What it says stays; grey of a video codec is video."""
    found = complete_colour(picture)
    assert (found.matrix, found.range) == (matrix, value_range)


def test_a_stated_light_leaves_the_samples_what_they_are() -> None:
    """PQ in R'G'B' is no Y'CbCr of narrow range."""
    info, _ = described(SCAN)
    found = believed(info, "pq").picture
    assert found
    assert found.colour == Colour("bt2020", "smpte2084", "gbr", "pc")


def _ramp(folder: Path) -> tuple[Path, Path]:
    """The same ramp of PQ, up to 80 % of the signal: as DPX images, and as Y'CbCr in ProRes."""
    codes = np.tile(np.linspace(0, 818, 320).astype("<u2"), (180, 1))
    raw = folder / "ramp.raw"
    raw.write_bytes(np.stack([codes] * 3).tobytes() * 6)
    source = ["-f", "rawvideo", "-pix_fmt", "gbrp10le", "-s", "320x180", "-r", "25", "-i", str(raw)]
    scan, film = folder / "scan", folder / "film.mov"
    scan.mkdir()
    base = [ffmpeg(), "-nostdin", "-v", "error", *source]
    subprocess.run([*base, "-c:v", "dpx", str(scan / "f%04d.dpx")], check=True)
    brought = "zscale=matrixin=gbr:rangein=full:matrix=2020_ncl:range=limited:primariesin=2020"
    lights = ":transferin=smpte2084:primaries=2020:transfer=smpte2084,format=yuv422p10le"
    coder = ("-vf", brought + lights, "-c:v", "prores_ks", "-profile:v", "3")
    subprocess.run([*base, *coder, str(film)], check=True)
    return scan, film


@pytest.mark.media
def test_stated_pq_of_images_becomes_the_sdr_that_the_same_video_becomes(tmp_path: Path) -> None:
    """Code by code along a ramp, by the real tools."""
    common = ("--source-colour", "pq", "--profile", "mobile-540p", "--no-scores", "-o", tmp_path)
    made = []
    for source, rate in zip(_ramp(tmp_path), (("--rate", "25"), ()), strict=True):
        (one,) = answer("encode", source, *rate, *common)["renditions"]
        argv = [ffmpeg(), "-nostdin", "-v", "error", "-i", one["path"], "-frames:v", "1"]
        argv += ["-vf", "extractplanes=y", "-f", "rawvideo", "-"]
        raw = subprocess.run(argv, check=True, capture_output=True).stdout
        made.append(np.frombuffer(raw, np.uint8).reshape(180, 320)[90].astype(int))
    assert np.abs(made[0] - made[1]).max() <= 4
    assert made[0][4:].min() >= 16
    assert made[0].max() > 200


@pytest.mark.media
@pytest.mark.parametrize("pix_fmt", ["gray16be", "gbrp12le", "rgb48be"])
def test_scans_are_preserved_sample_for_sample(pix_fmt: str, tmp_path: Path) -> None:
    """Grey too, whose tags outlive the change of byte order; each frame's hash is the source's."""
    scan = tmp_path / "scan"
    scan.mkdir()
    noise = "nullsrc=s=64x48:r=24,format=gray16le,geq=random(1)*65535,trim=end_frame=4"
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", noise, "-pix_fmt", pix_fmt]
    subprocess.run([*argv, "-c:v", "dpx", str(scan / "f%04d.dpx")], check=True)
    words = ("encode", scan, "--rate", "24", "--profile", "archive-ffv1", "-o", tmp_path)
    (made,) = answer(*words)["renditions"]
    assert [one["equal"] for one in made["measurements"]] == [True]
    assert made["facts"]["colour"]["range"] == "pc"
    assert made["facts"]["pix_fmt"] == {"gray16be": "gray16le", "rgb48be": "gbrp16le"}.get(
        pix_fmt, pix_fmt
    )
