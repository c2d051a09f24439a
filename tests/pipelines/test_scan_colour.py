"""Images of films and renders are R'G'B' or grey from code 0 on, whatever light a person states."""

from __future__ import annotations

import struct
import subprocess
from dataclasses import replace
from pathlib import Path

import cv2
import ffmpeg as graph
import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.colour.colour_doubt import believed
from pipelines.colour.colour_filters import conversion_filters, target_colour
from pipelines.colour.colour_methods import parameters_of
from pipelines.colour.colour_types import Conversion
from pipelines.colour.source_colour import complete_colour
from pipelines.encoding.picture_filters import at_full_range
from pipelines.inspection.inspect import inspect
from pipelines.media import Colour, VideoTrack
from pipelines.progress import finish
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe
from tests.kapok.test_local import answer, kapok
from tests.pipelines.handmade import PLAN
from tests.pipelines.sources import HD, call, described

GREY_VIDEO = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
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
        # DNxHR's header has a matrix in any case.
        (replace(SCAN, codec="dnxhd", colour=Colour(matrix="bt709", range="tv")), "gbr", "tv"),
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


def _patches(codes: list[int], pix_fmt: str = "gbrp10le") -> bytes:
    """Raw R'G'B' of 320x180: a grey column for each code."""
    line = np.repeat(codes, 320 // len(codes))
    sample = np.uint8 if pix_fmt == "gbrp" else "<u2"
    return np.tile(line.astype(sample), (3, 180, 1)).tobytes()


def _raw(pix_fmt: str = "gbrp10le") -> tuple[str, ...]:
    return ("-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", "320x180", "-r", "25")


def _through(codes: list[int], source: Colour, conversion: Conversion, pix_fmt: str) -> list[int]:
    """The luma of the patches after the encode's own filters, as they are and enlarged."""
    plan = replace(PLAN, source_colour=source, source_pix_fmt=pix_fmt)
    out = "yuv420p" if pix_fmt == "gbrp" else "yuv420p10le"
    stream = graph.input("pipe:", f="rawvideo", pix_fmt=pix_fmt, s="320x180")
    stream = at_full_range(stream.filter("setparams", range="tv"), plan, conversion)
    stream = conversion_filters(stream, conversion, parameters_of(conversion, None), source, out)
    argv = stream.filter("extractplanes", "y").output("pipe:", f="rawvideo").compile(ffmpeg())
    raw = subprocess.run(
        [*argv, "-v", "error"], input=_patches(codes, pix_fmt), check=True, capture_output=True
    ).stdout
    luma = np.frombuffer(raw, np.uint8 if out == "yuv420p" else "<u2").reshape(180, 320)
    width = 320 // len(codes)
    return [int(code) for code in luma[90, width // 2 :: width]]


@pytest.mark.media
@pytest.mark.parametrize(
    ("transfer", "primaries", "conversion"),
    [
        ("bt709", "bt709", "sdr_to_sdr"),
        ("smpte2084", "bt2020", "none"),
        ("arib-std-b67", "bt2020", "none"),
    ],
)
def test_rgb_of_narrow_range_has_the_codes_of_its_luma(
    transfer: str, primaries: str, conversion: Conversion
) -> None:
    """Black, white and all between them, and what is brighter than white."""
    source = Colour(primaries, transfer, "gbr", "tv")
    codes = [64, 65, 283, 502, 721, 939, 940, 1000]
    assert _through(codes, source, conversion, "gbrp10le") == codes
    if conversion == "sdr_to_sdr":
        codes = [16, 17, 80, 126, 180, 234, 235, 250]
        assert _through(codes, source, conversion, "gbrp") == codes
    full = replace(source, range="pc")
    assert _through([0, 1023] * 4, full, conversion, "gbrp10le") == [64, 940] * 4


@pytest.mark.media
def test_white_of_narrow_rgb_reaches_the_table_as_white() -> None:
    """Through a table: SDR's white is 75 % HLG, black is black."""
    source = Colour("bt709", "bt709", "gbr", "tv")
    assert target_colour("sdr_to_hlg", source).transfer == "arib-std-b67"
    black, white = _through([64, 940], source, "sdr_to_hlg", "gbrp10le")
    assert (black, white) == (64, pytest.approx(64 + 0.75 * 876, abs=1))


def _scanned(folder: Path, codes: list[int], frames: int) -> Path:
    """DPX whose television header says black 64 and white 940 (SMPTE ST 268, 7.6)."""
    folder.mkdir()
    base = [ffmpeg(), "-nostdin", "-v", "error", *_raw(), "-i", "-"]
    raw = _patches(codes) * frames
    coded = ("-pix_fmt", "gbrp10be", "-c:v", "dpx")
    subprocess.run([*base, *coded, str(folder / "f%04d.dpx")], input=raw, check=True)
    for path in folder.iterdir():
        image = path.read_bytes()
        (offset,) = struct.unpack_from(">I", image, 4)
        head = bytearray(image[:offset].ljust(2048, b"\xff"))
        struct.pack_into(">I", head, 4, len(head))
        struct.pack_into(">f", head, 1952, 64)
        struct.pack_into(">f", head, 1964, 940)
        path.write_bytes(bytes(head) + image[offset:])
    return folder


@pytest.mark.media
def test_a_scan_of_narrow_range_is_encoded_and_scored_as_it_looks(tmp_path: Path) -> None:
    """Black at 16 and white at 235, and what it is compared with has the same light."""
    codes = [64, 502, 940, 64, 721, 283, 502, 64]
    scan = _scanned(tmp_path / "scan", codes, 8)
    words = ("encode", scan, "--rate", "25", "--profile", "mobile-540p", "-o", tmp_path / "out")
    (made,) = answer(*words)["renditions"]
    luma = _gray(call("-i", made["path"], "-frames:v", "1", *_PLANE))
    wanted = [round(16 + (code - 64) / 4) for code in codes]
    assert np.abs(luma[90, 20::40] - wanted).max() <= 1
    scores = {one["metric"]: one["mean"] for one in made["measurements"]}
    assert scores["vmaf"] > 95


_PLANE = ("-vf", "extractplanes=y", "-f", "rawvideo", "-")


def _gray(raw: bytes) -> NDArray[np.signedinteger]:
    return np.frombuffer(raw, np.uint8)[: 180 * 320].reshape(180, 320).astype(int)


@pytest.mark.media
@pytest.mark.parametrize("transfer", ["bt709", "smpte2084"])
def test_an_inspection_sees_narrow_rgb_at_full_range(transfer: str, tmp_path: Path) -> None:
    """Its posters from black to white, and PQ's light: code 723 is 1000 cd/m²."""
    source = tmp_path / "a.mkv"
    primaries = "bt709" if transfer == "bt709" else "bt2020"
    tags = f"setparams=color_primaries={primaries}:color_trc={transfer}:colorspace=gbr:range=tv"
    codes = [64, 940] * 4 if transfer == "bt709" else [64, 723] * 4
    argv = [ffmpeg(), "-nostdin", "-v", "error", *_raw(), "-i", "-", "-vf", tags, "-c:v", "ffv1"]
    subprocess.run([*argv, str(source)], input=_patches(codes) * 8, check=True)
    info, images = probe(source), tmp_path / "images"
    images.mkdir()
    assert info.video[0].colour.range == "tv"
    seen = finish(inspect(source, info, images, measure_light=transfer == "smpte2084"))
    poster = cv2.imread(str(images / seen.posters[0].name))
    assert poster is not None
    assert poster.min() <= 3
    if transfer == "bt709":
        assert poster.max() >= 252
    else:
        assert seen.light
        assert seen.light.max_cll_cd_m2 == pytest.approx(1000, rel=0.02)


@pytest.mark.media
@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "gray12le", "ya8"])
def test_grey_video_keeps_its_levels(pix_fmt: str, tmp_path: Path) -> None:
    """Black at 16 and white at 235, in what is inspected, encoded and compared: scalers take grey
    for full range, whatever it says.
    """
    bits = {"gray10le": 10, "gray12le": 12}.get(pix_fmt, 8)
    wanted = [16, 126, 235, 16, 180, 71, 126, 16]
    codes = [code << (bits - 8) for code in wanted]
    line = np.repeat(codes, 40).astype(np.uint8 if bits == 8 else "<u2")
    if pix_fmt == "ya8":
        line = np.stack([line, np.full_like(line, 255)], axis=-1)
    raw, source = np.tile(line.ravel(), (180 * 8, 1)).tobytes(), tmp_path / "grey.mkv"
    argv = [ffmpeg(), "-nostdin", "-v", "error", *_raw(pix_fmt), "-i", "-", "-vf", GREY_VIDEO]
    subprocess.run([*argv, "-c:v", "ffv1", str(source)], input=raw, check=True)
    words = ("encode", source, "--profile", "mobile-540p,archive-ffv1", "-o", tmp_path / "out")
    renditions = {one["profile"]: one for one in answer(*words)["renditions"]}
    assert set(renditions) == {"mobile-540p", "archive-ffv1"}
    small = renditions["mobile-540p"]
    luma = _gray(call("-i", small["path"], "-frames:v", "1", *_PLANE))
    assert np.abs(luma[90, 20::40] - wanted).max() <= 1
    assert renditions["archive-ffv1"]["measurements"][0]["equal"] is True
    (tmp_path / "images").mkdir()
    seen = finish(inspect(source, probe(source), tmp_path / "images")).levels
    assert seen
    assert (seen.luma_min, seen.luma_max) == (codes[0], max(codes))


@pytest.mark.media
@pytest.mark.parametrize("odd", ["colorspace=ycgco", "colorspace=ictcp", "color_trc=log100"])
def test_a_stated_colour_helps_with_tags_that_nothing_reads(odd: str, tmp_path: Path) -> None:
    """HLG, whatever its tags say: inspected, encoded, scored, preserved."""
    source = tmp_path / "odd.mkv"
    picture = f"testsrc2=s=320x180:r=25:d=0.4,format=yuv420p10le,setparams={odd}:range=tv"
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", picture, "-c:v", "ffv1"]
    subprocess.run([*argv, str(source)], check=True)
    words = ("--profile", "mobile-540p,archive-ffv1", "-o", tmp_path / "out")
    made = answer("encode", source, "--source-colour", "hlg", *words)["renditions"]
    small, kept = sorted(made, key=lambda one: one["profile"], reverse=True)
    assert small["facts"]["colour"]["transfer"] == "bt709"
    assert next(one["mean"] for one in small["measurements"] if one["metric"] == "vmaf") > 80
    assert kept["measurements"][0]["equal"] is True
    refused = kapok("encode", source, "--profile", "mobile-540p", "-o", tmp_path / "none")
    assert refused.returncode != 0
    assert "--source-colour" in refused.stderr
