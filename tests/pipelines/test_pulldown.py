"""Film in 2:3 fields is found by its cadence, and comes out frame by frame as it went in."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.inspection.inspect import inspect
from pipelines.inspection.pulldown import Cadence, film_frames, judge_repeats
from pipelines.media import FieldOrder, Pulldown
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.sources.probe import probe
from tests.pipelines.sources import (
    HD,
    call,
    described,
    even,
    framemd5,
    luma,
    planned,
    read_back,
    smaller,
    verifying,
)

NTSC, FILM = Fraction(30000, 1001), Fraction(24000, 1001)
ORDERS: dict[str, FieldOrder] = {"top": "tt", "bottom": "bb"}
MOVING = "testsrc2=s=320x180:r=24000/1001,noise=alls=12:allf=t"


def lossless(base: Profile, width: int = 320, height: int = 180) -> Profile:
    made = smaller(base, width, height)
    assert made.video is not None
    video = replace(made.video, codec="ffv1", encoder="ffv1", target=None)
    return replace(made, container="mkv", video=video, audio=())


def telecined(path: Path, first: str = "top", skip: int = 0, pix_fmt: str = "yuv420p") -> Path:
    """126 frames of 101 of film, which lie beside it; the first `skip` of them are cut off."""
    film = path.with_name("film.mkv")
    call("-f", "lavfi", "-i", MOVING, "-frames:v", "101", "-pix_fmt", pix_fmt, "-c:v", "ffv1", film)
    flag = {"top": "tff", "bottom": "bff"}[first]
    cut = f"trim=start_frame={skip},setpts=N*1001/30000/TB,setfield={flag}"
    graph = f"telecine=pattern=23:first_field={first},{cut}"
    options = ("-c:v", "ffv1", "-pix_fmt", pix_fmt, "-field_order", ORDERS[first])
    call("-i", film, "-vf", graph, "-r", "30000/1001", *options, path)
    return path


@pytest.mark.media
@pytest.mark.parametrize(
    ("first", "skip", "pix_fmt"),
    [
        ("top", 0, "yuv420p"),
        ("top", 1, "yuv420p"),
        ("bottom", 2, "yuv420p"),
        ("top", 3, "yuv420p"),
        ("bottom", 4, "yuv422p10le"),
    ],
)
def test_film_comes_out_as_it_went_in(first: str, skip: int, pix_fmt: str, tmp_path: Path) -> None:
    """Every frame bit by bit, wherever in a cycle the source begins, at any depth."""
    tape = telecined(tmp_path / "tape.mkv", first, skip, pix_fmt)
    base = lossless(profile("hd-avc-sdr"))
    assert base.video is not None
    kept = replace(base, video=replace(base.video, pix_fmt=pix_fmt))
    made = planned(tape, [kept], tmp_path)
    assert made.source_pulldown == Pulldown(ORDERS[first], skip)
    (video,) = (rung.video for rung in made.rungs)
    assert video is not None
    assert (video.frame_rate, video.pulldown, video.deinterlace) == (FILM, True, False)
    file = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    film, found = framemd5(tmp_path / "film.mkv"), framemd5(file)
    assert len(found) == video.frames
    lost = 101 - len(found)
    assert found == film[lost:]
    assert lost == {0: 0, 1: 1, 2: 2, 3: 3, 4: 3}[skip]


def test_a_cycle_s_beginning_decides_how_many_frames_are_whole() -> None:
    """Aa Bb Bc Cd Dd: four of five, and what is left of the first and the last cycle."""
    counts = [film_frames(Pulldown("tt", phase), 10) for phase in range(5)]
    assert counts == [8, 8, 8, 7, 8]
    assert [film_frames(Pulldown("tt", 0), frames) for frames in range(7)] == [0, 1, 2, 2, 3, 4, 5]


CYCLES = "nntnb" * 10


@pytest.mark.parametrize(
    ("repeated", "single", "expected"),
    [
        (CYCLES * 4, "t" * 200, Cadence(Pulldown("tt", 0))),
        (("ntnbn" * 10) * 2, "t" * 100, Cadence(Pulldown("tt", 1))),
        (("nnbnt" * 10) * 2, "b" * 100, Cadence(Pulldown("bb", 0))),
        (CYCLES + "n" * 50, "t" * 50 + "u" * 50, Cadence(Pulldown("tt", 0))),  # stands still
        (CYCLES + "n" * 50, "t" * 100, Cadence(broken=True)),  # fields of video
        (CYCLES + "ntnbn" * 10, "t" * 100, Cadence(broken=True)),  # edited after its pulldown
        (CYCLES + "nntnb" * 5 + "ntnbn" * 5, "t" * 100, Cadence(broken=True)),
        ("n" * 200, "t" * 200, Cadence()),
        ("tb" * 50, "t" * 100, Cadence()),
        ("nntnb" * 2, "t" * 10, Cadence()),  # too short to know
    ],
)
def test_only_one_unbroken_cadence_is_film(repeated: str, single: str, expected: Cadence) -> None:
    """Anything else would be woven of the wrong fields."""
    assert judge_repeats(repeated, single) == expected


def test_the_plan_says_that_the_pulldown_is_reversed() -> None:
    """Frames of film for delivery, in one piece; the preservation master keeps the video's."""
    tape = replace(HD, frame_rate=NTSC, field_order="tt")
    wanted = [profile(name) for name in ("archive-ffv1", "hd-avc-sdr", "mobile-720p")]
    pulldown = Pulldown("tt", 0)
    made = plan(*described(tape, frames=1000, pulldown=pulldown), wanted)
    shapes = [(video.frame_rate, video.frames, video.gop_frames) for video in pictures(made)]
    assert shapes == [(NTSC, 1000, 1), (FILM, 800, 24), (FILM, 800, 24)]
    assert len(made.chunks) == 1
    assert any("2:3 fields" in text and "reversed in hd-avc-sdr" in text for text in made.decisions)
    assert made.decisions[-1].startswith("encoded in one piece: frames of film")
    broken = plan(*described(tape, frames=1000, pulldown_broken=True), wanted)
    assert [video.frames for video in pictures(broken)] == [1000, 2000, 1000]
    assert any("its cadence breaks" in text for text in broken.decisions)


def pictures(made: Plan) -> list[object]:
    return [rung.video for rung in made.rungs]


@pytest.mark.media
def test_video_and_edited_film_are_deinterlaced(tmp_path: Path) -> None:
    """60 fields of video have no cadence; film that was cut after its pulldown has two."""
    tape = telecined(tmp_path / "tape.mkv")
    edited = tmp_path / "edited.mkv"
    keep = "select='lt(n,60)+gte(n,63)',setpts=N*1001/30000/TB,setfield=tff"
    call("-i", tape, "-vf", keep, "-r", "30000/1001", "-c:v", "ffv1", "-field_order", "tt", edited)
    video = tmp_path / "video.mkv"
    moving = MOVING.replace("24000", "60000")
    weave = ("-vf", "interlace=scan=tff:lowpass=off,format=yuv420p", "-frames:v", "90")
    call("-f", "lavfi", "-i", moving, *weave, "-c:v", "ffv1", "-field_order", "tt", video)
    found = [inspected(path, tmp_path) for path in (edited, video)]
    assert found == [(None, True), (None, False)]


def inspected(path: Path, folder: Path) -> tuple[Pulldown | None, bool]:
    own = folder / path.stem
    own.mkdir()
    seen = finish(inspect(path, probe(path), own))
    return seen.pulldown, seen.pulldown_broken


@pytest.mark.media
def test_film_is_verified_scored_and_in_time(tmp_path: Path) -> None:
    """A lossy tape with a flash and a click: every count, the even grid, and half a frame."""
    tape = tmp_path / "tape.mov"
    light = "drawbox=t=fill:c=white:enable='between(n,48,49)'"
    at_s = 48 / float(FILM)
    call(
        *("-f", "lavfi", "-i", f"{MOVING},{light},format=yuv420p,telecine=pattern=23"),
        *("-f", "lavfi", "-i", f"aevalsrc='0.8*between(t,{at_s},{at_s}+0.01)':s=48000:d=4"),
        *("-vf", "setfield=tff", "-c:v", "libx264", "-crf", "16", "-flags", "+ildct+ilme"),
        *("-x264-params", "tff=1", "-c:a", "pcm_s16le", "-t", "4", tape),
    )
    base = smaller(profile("hd-avc-sdr"), 320, 180)
    assert base.video is not None
    video = replace(base.video, crf=8.0, max_bitrate_bps=None, buffer_bits=None, target=None)
    made = planned(tape, [replace(base, video=video, audio=())], tmp_path)
    assert made.source_pulldown == Pulldown("tt", 0)
    (rung,) = made.rungs
    file = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files["hd-avc-sdr"]
    assert finish(verifying(file, rung, made, tape)).facts.frame_rate == FILM
    assert read_back(file).times == even(len(read_back(file).times), FILM)
    bright = luma(file, 320, 180).mean(axis=(1, 2)) > 200
    assert abs(int(np.flatnonzero(bright)[0]) / FILM - Fraction(at_s)) < 1 / FILM / 2
    scores = finish(measure(tape, [(rung, file)], made, tmp_path)).of("hd-avc-sdr")
    (xpsnr,) = (one for one in scores.measurements if one.metric == "xpsnr")
    assert xpsnr.mean is not None
    assert xpsnr.mean > 40


def flagged(film: bytes) -> bytes:
    """MPEG-2 of film with the flags of 2:3 pulldown (ISO/IEC 13818-2, 6.2.2 and 6.2.3)."""
    stream, number, sequence, extension = bytearray(film), 0, 0xB3, 0xB5
    at = stream.find(b"\0\0\1")
    while at >= 0:
        kind, identifier = stream[at + 3], stream[at + 4] >> 4
        if kind == sequence:
            stream[at + 7] = stream[at + 7] & 0xF0 | 4  # frame_rate_code of 30000/1001
        if kind == extension and identifier == 1:
            stream[at + 5] &= ~0x08  # progressive_sequence
        if kind == extension and identifier == 8:
            top_first, repeat = number % 4 in (0, 1), number % 2 == 1
            stream[at + 7] = stream[at + 7] & ~0x82 | 0x80 * top_first | 0x02 * repeat
            number += 1
        at = stream.find(b"\0\0\1", at + 3)
    return bytes(stream)


@pytest.mark.media
def test_soft_telecine_is_film_already(tmp_path: Path) -> None:
    """Each coded frame once, at the rate of film, in preservation too: the flags repeat fields."""
    film, soft, tape = (tmp_path / name for name in ("film.m2v", "soft.m2v", "tape.ts"))
    coder = ("-c:v", "mpeg2video", "-b:v", "4M", "-bf", "0", "-pix_fmt", "yuv420p")
    call("-f", "lavfi", "-i", MOVING, "-frames:v", "100", *coder, film)
    soft.write_bytes(flagged(film.read_bytes()))
    call("-fflags", "+genpts", "-i", soft, "-c", "copy", tape)
    base = lossless(profile("hd-avc-sdr"))
    made = planned(tape, [base, profile("archive-ffv1")], tmp_path)
    assert made.source_pulldown is None
    shapes = [(rung.video.frame_rate, rung.video.frames) for rung in made.rungs if rung.video]
    assert shapes == [(FILM, 100), (FILM, 100)]
    files = finish(encode_chunk(tape, made, made.chunks[0], tmp_path)).files
    assert framemd5(files["hd-avc-sdr"]) == framemd5(files["archive-ffv1"]) == framemd5(film)
