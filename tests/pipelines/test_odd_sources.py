"""Sources that are seldom met and whole: what was refused, failed or shown wrongly of them once."""

from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.inspection.inspect import inspect
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sound.sound_levels import LOSSY_DB, Levels, LevelTrack, level_faults
from pipelines.sources.probe import probe
from tests.pipelines.made import made_of
from tests.pipelines.sources import call, planned, read_back, samples, smaller

pytestmark = pytest.mark.media

RATE_HZ = 8000
NTSC = Fraction(30000, 1001)


def raw_dv(folder: Path, seconds: float = 1.0) -> Path:
    """Of 525 lines in 16:9, as a camcorder streams it: four pixels share a sample of colour."""
    out = folder / "tape.dv"
    picture = f"testsrc2=s=720x480:r=30000/1001:d={seconds},setsar=32/27"
    sound = f"sine=r=48000:d={seconds}"
    call("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", sound, "-target", "ntsc-dv", out)
    return out


def test_wide_dv_of_525_lines_is_inspected_and_encoded(tmp_path: Path) -> None:
    """854 pixels are no multiple of four, which zscale asks of 4:1:1."""
    made, files = made_of(raw_dv(tmp_path), tmp_path, [profile("mobile-540p")])
    assert made.source_pix_fmt == "yuv411p"
    shown = read_back(files["mobile-540p"])
    assert (shown.stream["width"], shown.stream["height"]) == (854, 480)
    assert len(shown.times) == made.frames


def test_the_clock_of_raw_dv_is_not_its_rate(tmp_path: Path) -> None:
    """At 60000 pictures a second there would be one tile a minute, and one look at its fields."""
    path = raw_dv(tmp_path, seconds=3)
    info = probe(path)
    assert info.picture is not None
    assert info.picture.frame_rate == NTSC
    folder = tmp_path / "images"
    folder.mkdir()
    seen = finish(inspect(path, info, folder, keep_thumbs=False))
    assert seen.storyboard is not None
    assert (folder / seen.storyboard.vtt).read_text().count("-->") == 8  # one each 0.4 s


def metered(*blocks: NDArray[np.float32]) -> Levels:
    meter = LevelTrack(1, RATE_HZ)
    for block in blocks:
        meter.take(block)
    return meter.levels()


def test_sound_that_ends_within_a_window_is_as_loud_with_silence_behind_it() -> None:
    """A rendition goes on in silence to the picture's end, where 50 ms of sound do not."""
    tone = np.sin(np.arange(400, dtype=np.float32))[:, np.newaxis]
    silence = np.zeros((RATE_HZ, 1), np.float32)
    assert level_faults(metered(tone, silence), metered(tone), within_db=LOSSY_DB) == []


def test_the_tail_of_a_last_packet_is_no_sound_that_the_source_lacks() -> None:
    """16 ms behind the end count as much as they last: an LFE's filter rings that long."""
    silence, ringing = np.zeros((800, 1), np.float32), np.full((128, 1), 0.005, np.float32)
    assert level_faults(metered(silence, ringing), metered(silence), within_db=None) == []


def test_six_channels_that_nobody_names_are_five_one_as_well_as_their_downmix(
    tmp_path: Path,
) -> None:
    """PCM in Matroska has no layout: the downmix was made of it and the 5.1 left out unsaid."""
    source = tmp_path / "six.mkv"
    hertz = (200, 400, 600, 60, 1000, 1200)
    tones = "|".join(f"0.1*sin(2*PI*{pitch}*t)" for pitch in hertz)
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2")
    sound = ("-f", "lavfi", "-i", f"aevalsrc='{tones}':s=48000:d=2:c=5.1")
    coder = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
    call(*picture, *sound, *coder, source)
    assert [track.layout for track in probe(source).audio] == ["6 channels"]
    made, files = made_of(source, tmp_path, [smaller(profile("hd-avc-sdr-ts"), 320, 180)])
    assert [track.codec for track in made.rungs[0].audio] == ["aac", "ac3"]
    heard = samples(files["hd-avc-sdr-ts"], 6, track=1)[24_000:72_000]
    loudest = np.abs(np.fft.rfft(heard, axis=0)).argmax(axis=0)
    assert loudest.tolist() == list(hertz)


def test_the_pcm_of_a_dvd_is_preserved(tmp_path: Path) -> None:
    """Its samples are 24 bits at most, whatever they are decoded into."""
    source = tmp_path / "disc.vob"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=352x288:r=25:d=1")
    sound = ("-f", "lavfi", "-i", "sine=r=48000:d=1")
    coder = ("-c:v", "mpeg2video", "-c:a", "pcm_dvd", "-sample_fmt", "s32", "-ac", "2")
    call(*picture, *sound, *coder, source)
    assert [track.bit_depth for track in probe(source).audio] == [24]
    made, _ = made_of(source, tmp_path, [profile("archive-ffv1")])
    assert made.refused == ()


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_chapters_are_not_lost_without_a_word(suffix: str, tmp_path: Path) -> None:
    """No rendition has them, not even the one that preserves."""
    listed = tmp_path / "chapters.txt"
    spans = "".join(f"[CHAPTER]\nTIMEBASE=1/1\nSTART={at}\nEND={at + 1}\n" for at in range(2))
    listed.write_text(f";FFMETADATA1\n{spans}")
    source = tmp_path / f"film.{suffix}"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2")
    call(*picture, "-i", listed, "-map_chapters", "1", "-c:v", "libx264", source)
    assert "the list of chapters (2)" in probe(source).left_out


def test_pictures_of_digital_cinema_are_inspected_and_refused(tmp_path: Path) -> None:
    """Of JPEG 2000 the profile of a DCP says X'Y'Z' (Rsiz 3), and nothing else does."""
    source = tmp_path / "dcp.mov"
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=24:d=0.2")
    call(*picture, "-pix_fmt", "xyz12le", "-c:v", "jpeg2000", source)
    size = rb"(\xff\x4f\xff\x51..)\0\0"  # the first markers of each picture, then Rsiz
    coded = re.sub(size, lambda one: one[1] + b"\0\3", source.read_bytes(), flags=re.DOTALL)
    source.write_bytes(coded)
    assert probe(source).video[0].pix_fmt == "xyz12le"
    made = planned(source, [profile("mobile-540p"), profile("archive-ffv1")], tmp_path)
    assert [one.code for one in made.refused] == ["unsupported_colour", "unsupported_pix_fmt"]


@pytest.mark.media
def test_sparse_5_1_has_its_loudness_in_a_transport_stream(tmp_path: Path) -> None:
    """AC-3 begins 256 samples before the picture there, and a meter's blocks with it."""
    burst = "0.4*sin(2*PI*500*t)*lt(mod(t,1),0.1)"
    sound = f"aevalsrc='{'|'.join([burst] * 6)}':c=5.1:s=48000:d=6"
    source = tmp_path / "sparse.mov"
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=6", "-itsoffset", "0.107"),
        *("-f", "lavfi", "-i", sound, "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", source),
    )
    made, _ = made_of(source, tmp_path, [smaller(profile("hd-avc-sdr-ts"), 320, 180)])
    assert [track.codec for track in made.rungs[0].audio] == ["aac", "ac3"]
