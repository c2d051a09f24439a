"""Every sample is what its manifest says, and comes out the same twice."""

from __future__ import annotations

import hashlib
import itertools
import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from sample_media import recipes
from sample_media.__main__ import main
from sample_media.generate import UnknownSample, generate, samples
from sample_media.light import Planes
from sample_media.programme import Format, _add_grain, _grain, pictures
from sample_media.sidecar import write_sidecar
from sample_media.slate import Slate
from sample_media.sound import TONES_HZ
from tests.sample_media.reading import HEIGHT, SECONDS, ffprobe, luma, samples_of, streams

pytestmark = pytest.mark.media
Small = Callable[[str], Path]


def contents(path: Path) -> list[str]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]


@pytest.mark.parametrize("name", samples())
def test_a_sample_probes_as_its_manifest_says(name: str, small: Small) -> None:
    """Codec, pixel format, rate, fields, colour tags and sound tracks, as ffprobe reads them."""
    path = small(name)
    expected = dict(samples()[name].probe)
    sounds = expected.pop("audio")
    file = min(path.iterdir()) if path.is_dir() else path
    if expected:
        picture = streams(file, "video")[0]
        assert {key: picture.get(key) for key in expected} == expected
    found = streams(file, "audio")
    assert [{k: f.get(k) for k in s} for s, f in zip(sounds, found, strict=True)] == sounds


@pytest.mark.parametrize("name", samples())
def test_a_sample_made_twice_is_the_same_bytes(name: str, small: Small, tmp_path: Path) -> None:
    """Nothing of the clock, the host or the thread schedule is in the files."""
    seconds = 0.25 if name == "dpx_sequence" else SECONDS
    again = generate(name, tmp_path, seconds=seconds, height=HEIGHT)
    assert contents(again) == contents(small(name))


def test_the_flash_of_each_second_is_one_frame_in_the_strip(small: Small) -> None:
    """White is 75 % HLG, code value 721, on frames 0 and 50 of 100 and on no other."""
    strip = luma(small("programme_2160p50_hlg"), 320, HEIGHT)[:, -2, 200:300]
    bright = np.flatnonzero(strip.mean(axis=1) > 600)
    assert bright.tolist() == [0, 50]
    assert strip[50].mean() == pytest.approx(721, abs=3)


def test_the_timecode_in_the_picture_is_that_of_its_frame(small: Small) -> None:
    """Of all the timecodes of the clip, the digits in the strip look like the frame's own.

    A flash, black on white, is left out.
    """
    shape = Format((320, HEIGHT), Fraction(50), "hlg", "420", "")
    slate = Slate(shape.size, shape.rate, shape.encoding, shape.chroma, shape.title)
    digits = slice(0, 95)
    written = np.stack([slate.timecode_mask(frame)[2:, digits] for frame in range(SECONDS * 50)])
    strips = luma(small("programme_2160p50_hlg"), 320, HEIGHT)[:, 2 - slate.rows :, digits]
    for frame in set(range(SECONDS * 50)) - {0, 50}:
        seen = (strips[frame].astype(float) - 64) / (slate.white - 64)
        assert np.abs(written - seen).mean(axis=(1, 2)).argmin() == frame


@pytest.mark.parametrize("frame", [20, 75])
def test_the_grain_of_each_frame_is_in_its_picture(small: Small, frame: int) -> None:
    """The sky's finest detail goes with the noise that was added, and with no other frame's."""

    def finest(picture: np.ndarray) -> np.ndarray:
        whole = picture[:20].astype(float)
        around = whole[:-2, 1:-1] + whole[2:, 1:-1] + whole[1:-1, :-2] + whole[1:-1, 2:]
        return (whole[1:-1, 1:-1] - around / 4).ravel()

    shape = Format((320, HEIGHT), Fraction(50), "hlg", "420", "")
    seen = finest(luma(small("programme_2160p50_hlg"), 320, HEIGHT)[frame])
    own, next_ones = (finest(grain_of(shape, number)) for number in (frame, frame + 1))
    assert np.corrcoef(seen, own)[0, 1] > 0.1
    assert abs(np.corrcoef(seen, next_ones)[0, 1]) < 0.05


def grain_of(shape: Format, frame: int) -> np.ndarray:
    """What is added to a grey picture."""
    grey = np.full((shape.height, shape.size[0]), 500, np.uint16)
    picture = Planes(grey, grey, grey)
    _add_grain(picture, _grain(shape), frame)
    return picture.y


def test_a_click_begins_in_the_sample_of_each_flash(small: Small) -> None:
    """In every channel but the LFE, within one sample of the second."""
    sound = samples_of(small("programme_2160p50_hlg"), 6)
    assert len(sound) == SECONDS * 48_000
    for channel in (0, 1, 2, 4, 5):
        loud = np.flatnonzero(np.abs(sound[1000:, channel]) > 0.3)[0] + 1000
        assert abs(loud - 48_000) <= 1
    assert np.abs(sound[:, 3]).max() < 0.3


def test_each_channel_has_its_own_tone(small: Small) -> None:
    """The strongest line of each channel's spectrum, between the clicks, is that channel's tone."""
    sound = samples_of(small("programme_2160p50_hlg"), 6)[12_000:36_000]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))[:, None], axis=0))
    peaks_hz = spectrum.argmax(axis=0) * 48_000 / len(sound)
    assert peaks_hz == pytest.approx(TONES_HZ[:6], abs=2)


def test_the_programme_has_one_hard_cut_and_ends_in_black(small: Small) -> None:
    """The cut is at frame 60 (1.2 s); the last frame's picture area is black but for its grain."""
    picture = luma(small("programme_2160p50_hlg"), 320, HEIGHT)[:, : HEIGHT - 24].astype(float)
    change = np.abs(np.diff(picture, axis=0)).mean(axis=(1, 2))
    assert change.argmax() + 1 == 60
    assert change[59] > 5 * np.delete(change, 59).max()
    assert picture[-1].mean() == pytest.approx(64, abs=2)


def test_two_fields_of_the_tape_are_two_instants(small: Small) -> None:
    """The crawl moves between the fields of one frame, the top field first, always leftwards."""
    frames = luma(small("tape_1080i25"), 320, HEIGHT)
    band = slice(round(HEIGHT * 0.89) // 2, round(HEIGHT * 0.93) // 2)
    fields = (
        frames[10:20].reshape(10, HEIGHT // 2, 2, 320).transpose(0, 2, 1, 3).reshape(20, -1, 320)
    )
    profile = fields[:, band].astype(float).mean(axis=1)
    profile -= profile.mean(axis=1, keepdims=True)
    shifts = [
        int(np.argmax(np.correlate(before[40:280], after[45:275], "valid"))) - 5
        for before, after in itertools.pairwise(profile)
    ]
    assert all(0 <= shift <= 3 for shift in shifts)
    assert sum(shifts) == pytest.approx(19 * 0.0035 * 320, abs=4)


def test_head_switching_noise_is_in_the_bottom_lines_alone(small: Small) -> None:
    """Line-to-frame differences are several times larger there than in the wall above."""
    frames = luma(small("tape_1080i25"), 320, HEIGHT).astype(float)
    flicker = np.abs(np.diff(frames[:, :, :60], axis=0)).mean(axis=(0, 2))
    assert flicker[-2:].mean() > 4 * flicker[40:80].mean()


def test_the_sidecar_satisfies_md5sum(small: Small) -> None:
    """Museums check with md5sum; so does this test."""
    sidecar = write_sidecar(small("tape_1080i25"))
    assert sidecar.name == "tape_1080i25.mxf.md5"
    done = subprocess.run(["md5sum", "-c", sidecar.name], cwd=sidecar.parent, check=False)
    assert done.returncode == 0


def test_the_phone_video_is_upright_when_it_is_shown(small: Small) -> None:
    """Stored wide, shown tall, and the slate's flash is at the bottom."""
    path = small("phone_rotated")
    assert (streams(path, "video")[0]["width"], streams(path, "video")[0]["height"]) == (320, 180)
    shown = luma(path, 180, 320)
    assert shown[30, -4:].mean() > 3 * shown[29, -4:].mean()


def test_variable_frame_rate_really_varies_but_keeps_each_flash_on_its_second(small: Small) -> None:
    """No two thirds of the gaps are equal, and a frame lies exactly at 0 s and 1 s."""
    packets = ffprobe(small("vfr"), "-select_streams", "v", "-show_entries", "frame=pts_time")
    times = [Fraction(frame["pts_time"]) for frame in packets["frames"]]
    gaps = [b - a for a, b in itertools.pairwise(times)]
    assert len({round(gap, 4) for gap in gaps}) > len(gaps) // 3
    assert Fraction(0) in times
    assert Fraction(1) in times


def test_the_edit_list_hides_what_lies_before_the_cut(small: Small) -> None:
    """Seventy frames are stored, fifty are shown; the flash of the second second is at 0.2 s."""
    path = small("mov_edit_list")
    assert streams(path, "video")[0]["nb_frames"] == "70"
    shown = luma(path, 320, HEIGHT)
    assert len(shown) == 50
    assert np.flatnonzero(shown[:, -2, 200:300].mean(axis=1) > 600).tolist() == [5, 30]


def test_the_transport_stream_starts_at_ten_hours_with_late_sound(small: Small) -> None:
    """Sound begins 80 ms after the picture, less AC-3's 256 samples of priming."""
    path = small("ts_nonzero_start")
    picture, sound = (Fraction(streams(path, k)[0]["start_time"]) for k in ("video", "audio"))
    assert picture == recipes.TS_START_S
    assert sound - picture == pytest.approx(0.08 - 256 / 48_000, abs=1e-4)


def test_hdr10_light_levels_are_those_of_the_pictures() -> None:
    """MaxCLL and MaxFALL bound what the frames hold, closely (CTA-861.3 annex P)."""
    shape = Format((640, 360), Fraction(50), "pq", "420", "KAPOK")
    lit = [
        brightest_cd_m2(picture) for picture in itertools.islice(pictures(shape, 100), 0, 100, 4)
    ]
    peak = np.quantile(np.stack(lit), 0.9999)
    average = max(frame.mean() for frame in lit)
    assert 0.9 * recipes.MAX_CLL < peak <= recipes.MAX_CLL
    assert 0.9 * recipes.MAX_FALL < average <= recipes.MAX_FALL


def brightest_cd_m2(picture: Planes) -> np.ndarray:
    """The largest of R, G and B of each sample, by the PQ EOTF (BT.2100-2 table 4)."""
    y = (picture.y.astype(float) - 64) / 876
    cb, cr = (
        (c.repeat(2, 0).repeat(2, 1).astype(float) - 512) / 896 for c in (picture.cb, picture.cr)
    )
    red, blue = y + 1.4746 * cr, y + 1.8814 * cb
    green = (y - 0.2627 * red - 0.0593 * blue) / 0.6780
    power = np.clip(np.maximum.reduce([red, green, blue]), 0, 1) ** (32 / 2523)
    share = np.maximum(power - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * power)
    return np.asarray(share ** (16384 / 2610) * 10_000)


def test_an_unknown_sample_is_named_with_those_that_there_are(tmp_path: Path) -> None:
    """The text is the way out."""
    with pytest.raises(
        UnknownSample, match=r"no sample 'vhs': choose one of programme_2160p50_hlg"
    ):
        generate("vhs", tmp_path)


def test_the_command_line_lists_and_makes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--list` names every sample; a name makes it and prints its path."""
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in samples())
    assert main(["wav_24bit", "-o", str(tmp_path), "--seconds", "0.5"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'wav_24bit.wav'}\n"
    assert streams(tmp_path / "wav_24bit.wav", "audio")[0]["duration"] == "0.500000"
