"""Sound is brought to its profile's loudness by one gain, and to no more than its true peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.inspection.inspect import inspect
from pipelines.media import Loudness, MixLoudness
from pipelines.planning.plan import AudioPlan, Plan, Rung, plan
from pipelines.planning.plan_loudness import Level, Settling
from pipelines.profiles.profile import AudioCodec, AudioProfile, LoudnessTarget, Profile, profile
from pipelines.progress import finish
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, STEREO, call, described, planned, samples, verified
from tests.pipelines.test_audio import CLICKS_S, click_times_s, clicks, wav

RATE = 48000
TARGET = LoudnessTarget(target_lkfs=-24, tolerance_lu=0.5, max_true_peak_dbtp=-1)


def tone(dbfs: float, hertz: float = 997, seconds: float = 3) -> NDArray[np.float64]:
    """In two channels its loudness in LKFS is its peak in dBFS (BS.1770-5, annex 1)."""
    times = np.arange(round(seconds * RATE)) / RATE
    return np.asarray(10 ** (dbfs / 20) * np.sin(2 * np.pi * hertz * times))


def recipe(
    codec: AudioCodec = "aac", channels: int = 2, tracks: tuple[int, ...] | None = None
) -> Profile:
    """Sound alone, in Matroska, with a loudness."""
    exact = codec in ("pcm", "flac")
    bitrate = None if exact else {2: 128_000, 6: 448_000}[channels]
    sound = AudioProfile(codec, channels, RATE, bitrate, tracks=tracks, loudness=TARGET)
    return replace(profile("audio-access-aac"), name="loud", container="mkv", audio=(sound,))


def made(source: Path, folder: Path, own: Profile) -> tuple[Plan, Rung, Path]:
    """A finished file, its rung and its plan."""
    resolved = planned(source, [own], folder)
    (rung,) = resolved.rungs
    sounds = finish(encode_audio(source, resolved, folder)).files
    out = folder / "finished.mkv"
    finish(join(rung, [], [sounds[track.key] for track in rung.audio], out, resolved))
    return resolved, rung, out


def mono_tracks(path: Path, channels: Sequence[NDArray[np.float64]]) -> Path:
    files = [wav(path.with_name(f"{path.stem}{at}.wav"), [one]) for at, one in enumerate(channels)]
    opened = [word for file in files for word in ("-i", str(file))]
    maps = [word for at in range(len(files)) for word in ("-map", str(at))]
    call(*opened, *maps, "-c:a", "pcm_s24le", path)
    return path


@pytest.mark.media
@pytest.mark.parametrize("codec", ["aac", "opus", "ac3", "eac3", "flac", "pcm"])
@pytest.mark.parametrize("dbfs", [-12.0, -33.0])
def test_a_tone_comes_to_its_target(codec: AudioCodec, dbfs: float, tmp_path: Path) -> None:
    """By one gain, which the plan states with what was measured before."""
    source = wav(tmp_path / "tone.wav", [tone(dbfs)] * 2)
    resolved, rung, out = made(source, tmp_path, recipe(codec))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.source_lkfs == pytest.approx(dbfs, abs=0.1)
    assert goal.gain_db == pytest.approx(-24 - dbfs, abs=0.1)
    assert (goal.limited, goal.kept) == (False, None)
    said = f"{dbfs:.1f} LKFS, {-24 - dbfs:+.1f} dB to -24 LKFS, true peaks at most -1 dBTP"
    assert any(text.endswith(said) for text in resolved.decisions)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.25)
    assert facts.true_peak_dbtp == pytest.approx(-24, abs=0.8)


def peaky() -> NDArray[np.float64]:
    """A quiet tone with four bursts whose peaks lie between the samples: 12 kHz, 45° off."""
    sound = tone(-30, seconds=6)
    burst = np.sin(2 * np.pi * 12000 * np.arange(96) / RATE + np.pi / 4) * np.hanning(96)
    for at_s in (1.0, 2.2, 3.4, 4.6):
        sound[round(at_s * RATE) :][:96] += 10 ** (-2 / 20) * burst
    return np.asarray(sound)


@pytest.mark.media
@pytest.mark.parametrize("codec", ["aac", "opus", "ac3", "pcm"])
def test_peaks_that_a_gain_lifts_too_high_are_limited(codec: AudioCodec, tmp_path: Path) -> None:
    """True peaks, also those of the decoded codec; the loudness is reached all the same."""
    source = wav(tmp_path / "peaky.wav", [peaky()] * 2)
    resolved, rung, out = made(source, tmp_path, recipe(codec))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.limited
    assert goal.source_true_peak_dbtp is not None
    assert goal.gain_db is not None
    assert goal.source_true_peak_dbtp + goal.gain_db > 1  # and would be over by this
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.5)
    assert facts.true_peak_dbtp is not None
    assert -3 < facts.true_peak_dbtp <= -1
    before, after = samples(source, 2), samples(out, 2)
    quiet = slice(round(1.5 * RATE), round(2.0 * RATE))  # where no peak is, nothing but the gain
    gain_db = 20 * np.log10(after[quiet].std() / before[quiet].std())
    assert goal.gain_db - 0.1 < gain_db < goal.gain_db + 2  # with what the limiter took


@pytest.mark.media
def test_a_peak_at_the_very_end_is_limited_too(tmp_path: Path) -> None:
    """Within the last tenth of a second, and with nothing behind it."""
    sound = tone(-30, seconds=2.05)
    sound[-1000:-904] += 10 ** (-2 / 20) * np.hanning(96)
    source = wav(tmp_path / "end.wav", [sound] * 2)
    resolved, rung, out = made(source, tmp_path, recipe("pcm"))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.limited
    assert goal.source_true_peak_dbtp == pytest.approx(-1.7, abs=0.2)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.true_peak_dbtp == pytest.approx(-1.1, abs=0.1)
    assert np.abs(samples(out, 2)).max() < 10 ** (-1 / 20)


@pytest.mark.media
def test_a_sound_shorter_than_a_block_has_a_peak(tmp_path: Path) -> None:
    """60 ms are too short for a loudness, and not for a true peak."""
    source = wav(tmp_path / "short.wav", [tone(-6, seconds=0.06)] * 2)
    (heard,) = finish(inspect(source, probe(source), tmp_path)).loudness
    assert heard.integrated_lkfs is None
    assert heard.true_peak_dbtp == pytest.approx(-5.5, abs=0.6)


def lonely_clicks() -> NDArray[np.float64]:
    sound = np.zeros(3 * RATE)
    for at in range(RATE // 2, 3 * RATE, RATE // 2):
        sound[at : at + 8] = 0.5 * np.hanning(8)
    return sound


@pytest.mark.media
@pytest.mark.parametrize("name", ["silent", "short", "room", "clicks"])
def test_what_has_no_loudness_to_reach_is_left(name: str, tmp_path: Path) -> None:
    """Silence, 0.3 s, a noise floor and lonely clicks: not blown up, and the plan says why."""
    sound, why = {
        "silent": (np.zeros(3 * RATE), "nothing in it is loud enough to be measured"),
        "short": (tone(-12, seconds=0.3), "it is too short to be measured"),
        "room": (tone(-60), "it would have to be lifted by more than 30 dB"),
        "clicks": (lonely_clicks(), "its peaks would have to be limited by more than 6 dB"),
    }[name]
    source = wav(tmp_path / "sound.wav", [sound] * 2)
    resolved, rung, out = made(source, tmp_path, recipe("pcm"))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.kept == why
    assert any(why in text for text in resolved.decisions)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    before, after = samples(source, 2), samples(out, 2)
    if name != "clicks":
        assert np.array_equal(after, before)
        return
    assert np.abs(after).max() / np.abs(before).max() == pytest.approx(
        10 ** ((goal.gain_db or 0) / 20), abs=0.01
    )
    assert facts.true_peak_dbtp == pytest.approx(-1.1, abs=0.05)


@pytest.mark.media
def test_clicks_that_swallow_every_gain_stay_below_the_target(tmp_path: Path) -> None:
    """All their loudness is in their peaks: the plan says how far that may be."""
    source = wav(tmp_path / "clicks.wav", [np.tile(clicks(), 2)] * 2)
    resolved, rung, out = made(source, tmp_path, recipe())
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.limited
    assert goal.least_lkfs is not None
    assert goal.least_lkfs < -24.5
    assert any("by a limiter (without it" in text for text in resolved.decisions)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs is not None
    assert goal.least_lkfs - 0.5 <= facts.loudness_lkfs < -24
    assert (facts.true_peak_dbtp or 0) <= -1
    wanted = [*CLICKS_S, *(at + 2 for at in CLICKS_S)]  # a limiter looks ahead, and moves nothing
    assert click_times_s(samples(out, 2)[:, 0]) == pytest.approx(wanted, abs=0.001)


@pytest.mark.media
def test_mixes_are_measured_by_the_inspection(tmp_path: Path) -> None:
    """The stereo of tracks 7-8 and the 5.1 of 1-6 each have a loudness of their own."""
    hertz = (300, 500, 700, 60, 1100, 1300, 1700, 1900)
    source = mono_tracks(tmp_path / "eight.mov", [tone(-30, h) for h in hertz])
    for channels in (2, 6):
        resolved, rung, out = made(source, tmp_path, recipe("ac3", channels))
        (track,) = rung.audio
        assert track.loudness is not None
        assert track.loudness.gain_db is not None
        (facts,) = verified(out, rung, resolved, source).facts.audio
        assert facts.loudness_lkfs == pytest.approx(-24, abs=0.3)
        assert facts.channels == channels
        assert dialnorm(out, channels) == 24


@pytest.mark.media
def test_ac3_does_not_state_a_loudness_that_it_turned_out_not_to_have(tmp_path: Path) -> None:
    """Of a mix that nobody had measured: its peaks would have to be limited by far too much."""
    source = mono_tracks(tmp_path / "clicks.mov", [np.tile(clicks(), 2) ** 3 * 6] * 3)
    wanted = recipe("ac3")
    swapped = replace(wanted, audio=(replace(wanted.audio[0], tracks=(2, 1)),))
    resolved, rung, out = made(source, tmp_path, swapped)
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.gain_db is None
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs is not None
    assert facts.loudness_lkfs < -25
    assert dialnorm(out, 2) == 31  # what ffmpeg writes of its own accord: nothing is turned down


def dialnorm(path: Path, channels: int) -> int:
    """Five bits of AC-3's bsi(), behind fields that depend on acmod (ETSI TS 102 366, 4.3.2)."""
    raw = call("-i", path, "-map", "0:a:0", "-c", "copy", "-f", "ac3", "-")
    bits_before = 16 if channels == 6 else 14
    return int.from_bytes(raw[5:9], "big") >> (32 - bits_before - 5) & 31


@pytest.mark.media
def test_a_track_without_samples_does_not_silence_its_mix(tmp_path: Path) -> None:
    """Of the pair one side has nothing at all: the mix could not be measured before."""
    sides = [wav(tmp_path / f"{at}.wav", [tone(-20)[:count]]) for at, count in ((0, None), (1, 0))]
    source = tmp_path / "half.mkv"
    opened = [word for side in sides for word in ("-i", str(side))]
    call(*opened, "-map", "0", "-map", "1", "-c", "copy", source)
    resolved, rung, out = made(source, tmp_path, recipe())
    assert rung.audio[0].loudness is not None
    assert rung.audio[0].loudness.gain_db is None
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.3)


@pytest.mark.media
def test_a_mix_is_as_loud_as_its_longest_track(tmp_path: Path) -> None:
    """The right side ends after a second of four, and what follows on the left is far louder."""
    left = np.concatenate([tone(-40, seconds=1), tone(-14)])
    sides = [wav(tmp_path / f"{at}.wav", [one]) for at, one in enumerate((left, left[:RATE]))]
    source = tmp_path / "short.mkv"
    opened = [word for side in sides for word in ("-i", str(side))]
    call(*opened, "-map", "0", "-map", "1", "-c", "copy", source)
    resolved, rung, out = made(source, tmp_path, recipe())
    assert rung.audio[0].loudness is not None
    assert rung.audio[0].loudness.gain_db is None  # measured when it is encoded
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.3)


@pytest.mark.media
@pytest.mark.parametrize("rate", [32000, 44100])
def test_a_block_of_ac3_lasts_longer_at_lower_rates(rate: int, tmp_path: Path) -> None:
    """1536 samples are 48 ms at 32 kHz: the last one may be that much longer."""
    source = wav(tmp_path / "tone.wav", [tone(-20, seconds=2.011)] * 2)
    own = recipe("ac3")
    own = replace(own, audio=(replace(own.audio[0], sample_rate_hz=rate),))
    resolved, rung, out = made(source, tmp_path, own)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.sample_rate_hz == rate


@pytest.mark.media
def test_a_mix_that_only_a_profile_asks_for_is_measured_when_it_is_encoded(tmp_path: Path) -> None:
    """Its first encode is the first pass."""
    source = mono_tracks(tmp_path / "four.mov", [tone(-30, h) for h in (300, 500, 700, 900)])
    resolved, rung, out = made(source, tmp_path, recipe("aac", tracks=(2, 3)))
    assert rung.audio[0].loudness is not None
    assert rung.audio[0].loudness.gain_db is None
    assert any("measured when it is encoded" in text for text in resolved.decisions)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.3)


def beside_picture(folder: Path, sound: NDArray[np.float64], seconds: float) -> Path:
    """Sound that outlasts its picture, so that nobody knows its loudness before it is encoded."""
    heard, out = wav(folder / "long.wav", [sound] * 2), folder / "long.mkv"
    picture = ("-f", "lavfi", "-i", f"testsrc2=s=320x180:r=25:d={seconds}")
    call(*picture, "-i", heard, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy", out)
    return out


def metronome(seconds: int, decay_s: float, hertz: float) -> NDArray[np.float64]:
    """Two ticks a second and nothing between them."""
    times = np.arange(round(0.03 * RATE)) / RATE
    tick = 0.9 * np.exp(-times / decay_s) * np.sin(2 * np.pi * hertz * times)
    sound = np.zeros(seconds * RATE)
    for at in range(0, len(sound), RATE // 2):
        sound[at : at + len(tick)] += tick
    return sound


def single_samples(seconds: int) -> NDArray[np.float64]:
    sound = np.zeros(seconds * RATE)
    sound[:: round(0.7 * RATE)] = 0.9
    return sound


@pytest.mark.media
@pytest.mark.parametrize("codec", ["aac", "ac3"])
@pytest.mark.parametrize(
    ("sound", "least"),
    [
        (metronome(10, 0.0005, 4000), -29.9),
        (single_samples(10), -40.0),
        (tone(-58, 997, 10), -58.5),
    ],
    ids=["swallowed", "kept", "room"],
)
def test_what_is_measured_when_it_is_encoded_has_the_same_bounds(
    codec: AudioCodec, sound: NDArray[np.float64], least: float, tmp_path: Path
) -> None:
    """A limiter that swallows the gain, peaks that would have to be limited by more than 6 dB, and
    a room: as quiet as they may be where the inspection has measured them, and no quieter.
    """
    source = beside_picture(tmp_path, sound, 8)
    resolved, rung, out = made(source, tmp_path, recipe(codec))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.gain_db is None
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs is not None
    assert least < facts.loudness_lkfs < least + 4
    if least < -50:  # of a room nothing is asked
        return
    quieter = tmp_path / "quieter.mkv"
    coded = ("-af", "volume=-9dB", "-c:a", codec, "-b:a", "192k", "-fflags", "+bitexact")
    call("-i", out, *coded, quieter)
    with pytest.raises(VerificationFailed, match=r"loudness is -.* LKFS, -24 ± 0.5 planned"):
        verified(quieter, rung, resolved, source)


@pytest.mark.media
@pytest.mark.parametrize("codec", ["aac", "opus", "ac3", "eac3", "pcm"])
def test_what_a_codec_takes_of_clicks_is_made_up_for(codec: AudioCodec, tmp_path: Path) -> None:
    """Of single samples the highest tones are lost, loudness and peak with them: as loud as the
    plan says that their peaks allow they come out all the same.
    """
    source = wav(tmp_path / "single.wav", [single_samples(8)] * 2)
    resolved, rung, out = made(source, tmp_path, recipe(codec))
    goal = rung.audio[0].loudness
    assert goal is not None
    assert goal.kept == "its peaks would have to be limited by more than 6 dB"
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert goal.least_lkfs is not None
    assert facts.loudness_lkfs == pytest.approx(goal.least_lkfs, abs=0.5)
    assert (facts.true_peak_dbtp or 0) <= -1


@pytest.mark.media
def test_a_rendition_off_its_loudness_is_refused(tmp_path: Path) -> None:
    """Encoded as it was, and verified against a plan that brings it to -24 LKFS."""
    source = wav(tmp_path / "tone.wav", [tone(-0.2)] * 2)
    as_it_was = recipe()
    as_it_was = replace(as_it_was, audio=(replace(as_it_was.audio[0], loudness=None),))
    _, _, out = made(source, tmp_path, as_it_was)
    resolved = planned(source, [recipe()], tmp_path)
    with pytest.raises(VerificationFailed) as refused:
        verified(out, resolved.rungs[0], resolved, source)
    text = str(refused.value)
    assert "audio track 0: loudness is -0." in text
    assert "LKFS, -24 ± 0.5 planned" in text
    assert "dBTP, at most -1 planned" in text


@pytest.mark.media
def test_what_fell_silent_is_found_behind_a_gain(tmp_path: Path) -> None:
    """20 dB of gain are no excuse for half a second of silence."""
    sound = tone(-44, seconds=4)
    source = wav(tmp_path / "tone.wav", [sound] * 2)
    resolved, rung, _ = made(source, tmp_path, recipe("pcm"))
    sound[2 * RATE : round(2.5 * RATE)] = 0
    holed = wav(tmp_path / "holed.wav", [sound * 10.0] * 2)
    wrong = tmp_path / "wrong.mkv"
    call("-i", holed, "-c:a", "pcm_s24le", "-fflags", "+bitexact", wrong)
    with pytest.raises(VerificationFailed, match=r"channel 0 is silent from 2\.1 s"):
        verified(wrong, rung, resolved, source)


def pure(loudness: Loudness, *mixes: MixLoudness, duration_s: Fraction | None = None) -> AudioPlan:
    info, seen = described(HD, (replace(STEREO, index=1),))
    seen = replace(seen, loudness=(loudness,), mixes=mixes)
    if duration_s is not None:
        seen = replace(seen, duration_s=duration_s)
    (track,) = plan(info, seen, [profile("mobile-540p")]).rungs[0].audio
    return track


def test_what_is_loud_enough_is_only_turned_down() -> None:
    """No limiter where the gain is negative, however high the peaks were."""
    goal = pure(Loudness(0, -14.0, 8.0, 0.3)).loudness
    assert goal is not None
    assert (goal.gain_db, goal.limited, goal.least_lkfs) == (-10.0, False, -24)


def test_a_codec_s_overshoot_is_taken_down_once() -> None:
    """The ceiling goes down by what was over, the gain by what was off."""
    settling = Settling(pure(Loudness(0, -28.0, 8.0, -4.0)))
    assert settling.level == Level(4.0, -1.5)
    assert settling.heard(-24.1, -0.6)
    assert settling.level == Level(4.0, pytest.approx(-2.0))
    assert not settling.heard(-24.1, -1.1)
    assert settling.heard(-24.4, -1.1)
    assert settling.level.gain_db == pytest.approx(4.4)


def test_a_gain_that_the_limiter_swallows_is_given_up() -> None:
    """Without pumping it up for ever."""
    settling = Settling(pure(Loudness(0, -28.0, 8.0, -4.0)))
    assert settling.heard(-26.0, -1.2)
    assert settling.level.gain_db == pytest.approx(6.0)
    assert settling.heard(-25.9, -1.2)
    assert settling.level.gain_db == pytest.approx(4.0)
    assert not settling.heard(-26.0, -1.2)


def test_what_its_first_encode_tells_is_not_sought_any_more() -> None:
    """Of a mix that nobody had measured: its peaks allow 5 dB of 20, and its codec not all."""
    track = pure(Loudness(0, -28.0, 8.0, -4.0))
    assert track.loudness is not None
    goal = replace(track.loudness, source_lkfs=None, gain_db=None, limited=False)
    settling = Settling(replace(track, loudness=goal))
    assert settling.heard(-44.0, -6.5)
    assert settling.level == Level(5.0, sought=False)
    assert settling.heard(-39.5, 0.4)
    assert settling.level == Level(pytest.approx(3.5), sought=False)
    assert not settling.heard(-41.0, -1.1)


@pytest.mark.media
def test_sound_of_an_unknown_codec_is_left_out_and_said(tmp_path: Path) -> None:
    """Audio Vivid in MP4: the second track is used as it is, the first is named."""
    tracks = tmp_path / "two.mp4"
    sounds = [wav(tmp_path / f"{at}.wav", [tone(-20)] * 2) for at in range(2)]
    opened = [word for sound in sounds for word in ("-i", str(sound))]
    call(*opened, "-map", "0", "-map", "1", "-c:a", "aac", tracks)
    boxes = tracks.read_bytes()
    at = boxes.index(b"mp4a", boxes.index(b"moov"))
    descriptor = boxes.index(b"esds", at)
    unknown = bytearray(boxes)
    unknown[at : at + 4] = b"av3a"
    unknown[descriptor : descriptor + 4] = b"dca3"
    source = tmp_path / "vivid.mp4"
    source.write_bytes(unknown)
    resolved, rung, out = made(source, tmp_path, recipe())
    assert any("sound track 0 (no decoder) is in no rendition" in one for one in resolved.decisions)
    (facts,) = verified(out, rung, resolved, source).facts.audio
    assert facts.loudness_lkfs == pytest.approx(-24, abs=0.3)
