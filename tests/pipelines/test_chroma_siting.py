"""Samples of colour lie where the rendition says, whatever way it took; told by sharp edges."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.colour.chroma_siting import planned_siting
from pipelines.encoding.encoders import encoder_options
from pipelines.encoding.graph import compose
from pipelines.media import ChromaLocation, Colour
from pipelines.planning.plan import Plan, VideoPlan, plan
from pipelines.profiles.capabilities import prove
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.quality.reference import reference_of
from pipelines.sources.probe import probe
from pipelines.sources.vvc_headers import chroma_of_vvc
from pipelines.verification.expectations import signalling_faults
from pipelines.verification.readback import read_back
from tests.pipelines.made import made_of
from tests.pipelines.sources import BT709, HLG, UHD, described, smaller
from tests.pipelines.sources import call as ffmpeg

WIDTH, HEIGHT = 640, 360
# Where the first sample of colour stands, in pixels of its picture from the upper left corner of
# the first (ITU-T H.273, 8.7, figure 1).
PLACES: dict[str | None, tuple[float, float]] = {
    "left": (0.5, 1.0),
    "center": (1.0, 1.0),
    "topleft": (0.5, 0.5),
    "top": (1.0, 0.5),
    "bottomleft": (0.5, 1.5),
}
TAGS = {
    "hlg": "color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv",
    "pq": "color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc:range=tv",
    "sdr": "color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv",
}
# By its first and its last pixel.
BAND = (150, 250)
# Codes between the two colours: more than rounding, and less than bends. PQ is the steepest.
_STEP = {"hlg": 160, "sdr": 160, "pq": 100}
_MIDDLE = 520
_NEAR = 8  # samples: blurs are shorter, and coding has rounded flat parts a little


def edges(length: int, samples: int, first: float, step: int) -> NDArray[np.float64]:
    """A band with sharp edges on samples that each stand for their share of the length: the mean
    of what they share.
    """
    share = length / samples
    starts = first - share / 2 + np.arange(samples) * share
    inside = np.minimum(starts + share, BAND[1]) - np.maximum(starts, BAND[0])
    return _MIDDLE + step * (np.clip(inside / share, 0, 1) - 0.5)


def source_of(folder: Path, light: str, pix_fmt: str, location: str | None = None) -> Path:
    """Blue of a horizontal band, red of an upright one, on samples of colour that stand there."""
    across, down = (1, 1) if "444" in pix_fmt else (2, 1) if "422" in pix_fmt else (2, 2)
    place = PLACES[location or "left"] if down == 2 else (0.5, 0.5)
    size = (HEIGHT // down, WIDTH // across)
    blue = np.broadcast_to(edges(HEIGHT, size[0], place[1], _STEP[light])[:, None], size)
    red = np.broadcast_to(edges(WIDTH, size[1], place[0], _STEP[light])[None, :], size)
    ten_bits = [np.full((HEIGHT, WIDTH), 500.0), blue, red]
    deep = pix_fmt.endswith("10le")
    planes = [np.rint(one if deep else one / 4).astype("<u2" if deep else "u1") for one in ten_bits]
    raw, out = folder / "source.raw", folder / "source.mkv"
    raw.write_bytes(b"".join(one.tobytes() for one in planes) * 8)
    said = f",setparams=chroma_location={location}" if location else ""
    read = ("-f", "rawvideo", "-pix_fmt", pix_fmt, "-s", f"{WIDTH}x{HEIGHT}", "-r", "50", "-i", raw)
    ffmpeg(*read, "-vf", f"setparams={TAGS[light]}{said}", "-c:v", "ffv1", "-y", out)
    return out


def place_of(path: Path, video: VideoPlan) -> tuple[float, float]:
    """Where the first sample of colour stands in the rendition, by where it has the band.

    What lies before an edge, of all samples together, is as long as it was, whatever blurs it.
    """
    blue, red = colour_of(path, video)
    return _first(red.mean(0), video.width / WIDTH), _first(blue.mean(1), video.height / HEIGHT)


def colour_of(path: Path, video: VideoPlan) -> NDArray[np.float64]:
    """Blue and red of the first picture."""
    raw = ffmpeg("-i", path, "-frames:v", "1", "-pix_fmt", "yuv420p10le", "-f", "rawvideo", "-")
    width, height = video.width, video.height
    colour = np.frombuffer(raw, np.uint16)[width * height :].astype(float)
    return colour.reshape(2, height // 2, width // 2)


def _first(levels: NDArray[np.float64], scale: float = 1.0, band: tuple[int, int] = BAND) -> float:
    """By both edges: what was blurred in light, and not evenly, leans to one side at the one and to
    the other at the other.
    """
    found = []
    for edge in band:
        at = round(edge * scale / 2)
        near = levels[at - 2 * _NEAR : at + 2 * _NEAR]
        before, after = near[:_NEAR].mean(), near[-_NEAR:].mean()
        share = (after - near[_NEAR:-_NEAR]) / (after - before)
        found.append(edge * scale - 2 * (at - _NEAR + float(share.sum())) + 1)
    return (found[0] + found[1]) / 2


def clear(name: str, width: int, height: int) -> Profile:
    """Small, quick and nearly without loss."""
    made = smaller(profile(name), width, height)
    assert made.video is not None
    presets = {"hevc": "ultrafast", "h264": "veryfast", "av1": "12", "vvc": "faster"}
    crf = None if made.video.crf is None else 2.0
    caps = {"max_bitrate_bps": None, "buffer_bits": None} if crf is not None else {}
    preset = presets.get(made.video.codec, made.video.preset)
    free = replace(made.video, crf=crf, preset=preset, target=None, from_sdr="map", **caps)  # type: ignore[arg-type]
    return replace(made, video=free, audio=(), mux_rate_bps=None)


# One decode for all: of the same size, smaller, of other rungs, converted and larger.
WAYS = (
    ("cn4k-hevc-hlg", WIDTH, HEIGHT),
    ("cn4k-hevc-pq", WIDTH, HEIGHT),
    ("ott4k-av1-hlg", 480, 270),
    ("uhd-vvc", 320, 180),
    ("hd-avc-sdr", WIDTH, HEIGHT),
    ("mobile-720p", 480, 270),
    ("mobile-540p", 320, 180),
    ("uhd-upconvert-hlg", 960, 540),
)
MEZZANINE = ("mezz4k-prores422hq", WIDTH, HEIGHT)


def stands(made: Plan, files: dict[str, Path]) -> dict[str, tuple[float, float]]:
    """Of each rendition, how far its colour is from where it says it is."""
    off = {}
    for rung in made.rungs:
        video = rung.video
        assert video is not None
        if video.chroma_location is None:
            continue
        found, said = place_of(files[rung.profile], video), PLACES[video.chroma_location]
        off[rung.profile] = (round(found[0] - said[0], 3), round(found[1] - said[1], 3))
    return off


@pytest.mark.media
@pytest.mark.slow
@pytest.mark.parametrize(
    ("light", "pix_fmt", "location"),
    [
        ("hlg", "yuv420p10le", None),
        ("hlg", "yuv420p10le", "topleft"),
        ("hlg", "yuv420p10le", "center"),
        ("hlg", "yuv422p10le", None),
        ("hlg", "yuv444p10le", None),
        ("pq", "yuv420p10le", "topleft"),
        ("sdr", "yuv420p", None),
        ("sdr", "yuv420p", "topleft"),
        ("sdr", "yuv422p10le", None),
    ],
)
def test_colour_lies_where_the_rendition_says(
    light: str, pix_fmt: str, location: str | None, tmp_path: Path
) -> None:
    """Every way of one decode to a rung, each read back: of BT.2020 top left, of BT.709 left."""
    source = source_of(tmp_path, light, pix_fmt, location)
    ways = WAYS if pix_fmt != "yuv422p10le" else (*WAYS, MEZZANINE)
    made, files = made_of(source, tmp_path, [clear(*way) for way in ways])
    assert made.source_chroma_location == location
    assert not made.refused
    for rung in made.rungs:
        assert rung.video is not None
        in_2020 = rung.video.colour.primaries == "bt2020"
        sited = rung.video.pix_fmt.startswith("yuv420p")
        assert rung.video.chroma_location == (("topleft" if in_2020 else "left") if sited else None)
    off = stands(made, files)
    assert max(abs(one) for both in off.values() for one in both) < 0.1, off


@pytest.mark.parametrize(
    ("colour", "pix_fmt", "encoder", "location"),
    [
        (HLG, "yuv420p10le", "libx265", "topleft"),
        (replace(HLG, transfer="smpte2084"), "yuv420p10le", "libsvtav1", "topleft"),
        (replace(HLG, transfer="bt2020-10"), "yuv420p10le", "libvvenc", "topleft"),
        (HLG, "yuv420p10le", "libx264", "topleft"),
        (HLG, "yuv420p10le", "libxavs2", "left"),  # AVS2 cannot say it
        (BT709, "yuv420p", "libx264", "left"),
        (BT709, "yuv420p10le", "libx265", "left"),
        (HLG, "yuv422p10le", "libx264", None),
    ],
)
def test_the_place_is_that_of_the_colour_where_the_encoder_writes_it(
    colour: Colour, pix_fmt: str, encoder: str, location: ChromaLocation | None
) -> None:
    assert planned_siting(colour, pix_fmt, encoder) == location


@pytest.mark.parametrize(
    ("location", "degrees", "upright"),
    [
        (None, 0, None),
        (None, 90, "top"),
        (None, 270, "bottom"),
        (None, 180, "center"),  # half a column off, for H.273 knows no right
        ("topleft", 270, "bottomleft"),
        ("bottomleft", 90, "topleft"),
        ("bottom", 90, None),
        ("center", 90, "center"),
    ],
)
def test_colour_is_turned_with_its_picture(
    location: ChromaLocation | None, degrees: int, upright: ChromaLocation | None
) -> None:
    """A telephone's upright HLG has it on the first line, between the columns."""
    picture = replace(UHD, chroma_location=location, rotation_deg=degrees)
    assert plan(*described(picture), [profile("hd-avc-sdr")]).source_chroma_location == upright


@pytest.mark.media
@pytest.mark.parametrize(
    ("degrees", "across", "down"), [(90, (110, 210), BAND), (270, BAND, (390, 490))]
)
def test_colour_of_a_turned_picture_lies_where_the_rendition_says(
    degrees: int, across: tuple[int, int], down: tuple[int, int], tmp_path: Path
) -> None:
    """Ffmpeg turns it while it decodes."""
    flat, source = source_of(tmp_path, "hlg", "yuv420p10le"), tmp_path / "turned.mov"
    coded = ("-c:v", "libx265", "-x265-params", "lossless=1:log-level=none", "-tag:v", "hvc1")
    ffmpeg("-i", flat, *coded, tmp_path / "flat.mov")
    ffmpeg("-display_rotation", str(-degrees), "-i", tmp_path / "flat.mov", "-c", "copy", source)
    made, files = made_of(source, tmp_path, [clear("uhd-vvc", WIDTH, HEIGHT)])
    (rung,) = made.rungs
    assert rung.video is not None
    assert (rung.video.width, rung.video.height) == (HEIGHT, WIDTH)
    blue, red = colour_of(files["uhd-vvc"], rung.video)
    found = (_first(blue.mean(0), band=across), _first(red.mean(1), band=down))
    assert found == pytest.approx(PLACES["topleft"], abs=0.1)


def filters(source: ChromaLocation | None, *names: str, pix_fmt: str = "yuv420p10le") -> list[str]:
    """Of a UHD source in HLG, all that look at where colour stands."""
    picture = replace(UHD, pix_fmt=pix_fmt, chroma_location=source)
    made = plan(*described(picture), [profile(name) for name in names])
    argv = compose(Path("/in.mov"), made, made.chunks[0], Path("/out"))
    graph = argv[argv.index("-filter_complex") + 1]
    steps = [part.split("]", 1)[1].split("[", 1)[0] for part in graph.split(";")]
    return [step for step in steps if step.startswith(("scale", "zscale"))]


def scale(size: str, source: str, wanted: str) -> str:
    locations = f"in_chroma_loc={source}:out_chroma_loc={wanted}"
    return f"scale={size}:flags=bicubic+accurate_rnd:{locations}"


def test_colour_that_stands_right_goes_through_no_more_filters() -> None:
    """And what is scaled anyway is moved by that, what is converted by that."""
    moved = "zscale=chromal=topleft:chromalin=left:filter=bicubic"
    same, half = scale("3840:2160", "topleft", "topleft"), "1920:1080"
    assert filters("topleft", "cn4k-hevc-hlg") == [same]
    assert filters(None, "cn4k-hevc-hlg") == [moved, same]
    fine = filters(None, "cn4k-hevc-hlg", pix_fmt="yuv422p10le")
    assert fine == [scale("3840:2160", "left", "topleft")]
    first, *steps = filters("topleft", "hd-avc-sdr")
    assert first == scale(half, "topleft", "topleft")
    assert ["chromalin=topleft" in steps[0], "chromal=left" in steps[1]] == [True, True]
    first, *steps = filters(None, "cn4k-hevc-pq")
    assert first == scale("3840:2160", "left", "left")
    assert ["chromalin=left" in steps[0], "chromal=topleft" in steps[1]] == [True, True]


def test_a_mezzanine_gives_its_colour_to_4_2_0_by_one_scaler() -> None:
    """Ffmpeg would put in one of its own, that knows no places."""
    found = filters(None, "mezz4k-prores422hq", "cn4k-hevc-hlg", pix_fmt="yuv422p10le")
    assert found == [scale("3840:2160", "left", "left"), scale("3840:2160", "left", "topleft")]


def test_rungs_of_two_places_have_two_references() -> None:
    """Of a 4:2:2 rung both sides become 4:2:0 where its colour has that, beside the 4:2:0 rung."""
    made = plan(*described(UHD), [profile(name) for name in ("cn4k-hevc-hlg", "hd-avc-sdr")])
    sdr, hlg = (made.rung(name).video for name in ("hd-avc-sdr", "cn4k-hevc-hlg"))
    assert sdr is not None
    assert hlg is not None
    assert reference_of(hlg, UHD).chroma_location == "topleft"
    assert reference_of(sdr, UHD).chroma_location == "left"
    mezzanine = replace(hlg, pix_fmt="yuv422p10le", chroma_location=None)
    assert reference_of(mezzanine, UHD) == reference_of(hlg, UHD)
    older = replace(hlg, chroma_location="left")  # its plan did not say it
    assert reference_of(older, UHD) != reference_of(hlg, UHD)


def test_vvenc_is_told_by_its_own_words() -> None:
    """It writes top left for all HLG and PQ whatever the frames say."""
    made = plan(*described(UHD), [profile("uhd-vvc")])
    video = made.rungs[0].video
    assert video is not None
    for location, number in (("topleft", 2), ("left", 0)):
        words = encoder_options(replace(video, chroma_location=location))["vvenc-params"]
        assert f"ChromaLocInfoPresent=1:ChromaSampleLocType={number}" in words


@pytest.mark.media
@pytest.mark.parametrize("codec", ["hevc", "av1", "vvc"])
def test_a_file_that_says_another_place_is_refused(codec: str, tmp_path: Path) -> None:
    """Each codec's word is read by a tool that did not write it, of a source as of a rendition."""
    names = {"hevc": "cn4k-hevc-hlg", "av1": "ott4k-av1-hlg", "vvc": "uhd-vvc"}
    source = source_of(tmp_path, "hlg", "yuv420p10le")
    made, files = made_of(source, tmp_path, [clear(names[codec], 320, 180)])
    (rung,) = made.rungs
    path = files[rung.profile]
    found, picture = finish(read_back(path)), probe(path).picture
    assert found.picture is not None
    assert picture is not None
    assert found.picture.chroma_location == picture.chroma_location == "topleft"
    for said in (None, "left"):
        other = replace(found, picture=replace(found.picture, chroma_location=said))
        faults = signalling_faults(rung, other, made)
        assert faults == ["its samples of colour stand at left, topleft planned"]


@pytest.mark.media
def test_the_word_of_vvc_is_found_behind_long_headers(tmp_path: Path) -> None:
    """Of a picture of many slices or with many messages ffmpeg's parser tells more than is kept."""
    made = prove(profile("uhd-vvc"), tmp_path)
    assert made.available, made.reason
    told = finish(read_back(tmp_path / "joined.mp4")).picture
    assert told is not None
    assert told.chroma_location == "topleft"
    stream = tmp_path / "stream.ts"
    ffmpeg("-i", tmp_path / "joined.mp4", "-map", "0:v", "-c", "copy", stream)
    assert chroma_of_vvc(stream, 0) == "topleft"


@pytest.mark.media
def test_the_reference_has_its_colour_where_the_rendition_has_it(tmp_path: Path) -> None:
    """A reference with colour half a line off takes XPSNR's decibels for the encoder's fault."""
    source = source_of(tmp_path, "hlg", "yuv420p10le")
    made, files = made_of(source, tmp_path, [clear("cn4k-hevc-hlg", WIDTH, HEIGHT)])
    (rung,) = made.rungs
    assert rung.video is not None
    beside = replace(rung, video=replace(rung.video, chroma_location="left"))
    scores = []
    for number, one in enumerate((rung, beside)):
        folder = tmp_path / str(number)
        folder.mkdir()
        measured = finish(measure(source, [(one, files[rung.profile])], made, folder))
        found = {one.metric: one.mean or 0 for one in measured.of(rung.profile).measurements}
        scores.append(found["xpsnr"])
    assert scores[0] > scores[1] + 2, scores


@pytest.mark.media
@pytest.mark.parametrize("location", ["topleft", "center", "top", "bottomleft", "bottom"])
def test_a_preservation_master_keeps_the_place_of_its_source(
    location: ChromaLocation, tmp_path: Path
) -> None:
    """Of H.264, whose stream says it: FFV1's says nothing, and Matroska does."""
    source = tmp_path / "source.mkv"
    picture = f"testsrc2=s=320x180:r=50:d=0.2,format=yuv420p,setparams=chroma_location={location}"
    ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "libx264", source)
    made, files = made_of(source, tmp_path, [profile("archive-ffv1")])
    video, found = made.rungs[0].video, finish(read_back(files["archive-ffv1"])).picture
    assert video is not None
    assert found is not None
    said = None if location.startswith("bottom") else location
    assert video.chroma_location == said
    assert found.chroma_location == said
    told = f"archive-ffv1 cannot say that samples of colour stand at {location}"
    assert (told in made.decisions) is (said is None)
