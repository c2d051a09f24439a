"""Sound starts with the picture, lasts as long, and carries what its source carries."""

from __future__ import annotations

import re
import wave
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.inspection.inspect import inspect
from pipelines.media import AudioTrack
from pipelines.planning.plan import AudioPlan, Plan, plan
from pipelines.profiles.profile import AudioCodec, AudioProfile, LoudnessTarget, Profile, profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.running import tools
from pipelines.sound import sound_mix
from pipelines.sound.audio import encode_audio
from pipelines.sound.audio_graph import audio_files, compose_audio
from pipelines.sound.loudspeakers import is_mixed
from pipelines.sound.track_table import is_surround
from pipelines.sources.containers import FORMATS
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, STEREO, call, described, planned, samples, verified

RATE = 48000
CLICKS_S = (0.5, 1.0, 1.5)
AC3 = AudioPlan("ac3", "ac3", 6, "5.1(side)", RATE, 448_000, (0,), "source")


def wav(path: Path, channels: Sequence[NDArray[np.float64]], rate: int = RATE) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(len(channels))
        file.setsampwidth(2)
        file.setframerate(rate)
        codes = np.rint(np.stack(channels, axis=1) * 32767).astype("<i2")
        file.writeframes(codes.tobytes())
    return path


def clicks(rate: int = RATE) -> NDArray[np.float64]:
    """Two seconds with a click of 1 ms at each half second; its peak is 0.5 ms later."""
    track = np.zeros(2 * rate)
    length = rate // 1000
    for at in CLICKS_S:
        track[round(at * rate) :][:length] = 0.5 * np.hanning(length)
    return track


def tone(hertz: float, level: float = 0.1) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * hertz * np.arange(2 * RATE) / RATE)


def click_times_s(sound: NDArray[np.float32]) -> list[float]:
    level = np.abs(sound)
    loud = np.flatnonzero(level > level.max() / 4)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > RATE // 10) + 1)
    return [float(group[np.argmax(level[group])]) / RATE - 0.0005 for group in groups]


def film(
    folder: Path, sound: Path, name: str, *before_sound: str, codec: str = "pcm_s16le"
) -> Path:
    """Two seconds of 25 fps picture with this sound."""
    path = folder / name
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", *before_sound, "-i", str(sound)),
        *("-map", "0", "-map", "1", "-c:v", "libx264", "-preset", "ultrafast"),
        *("-pix_fmt", "yuv420p", "-c:a", codec, "-y", str(path)),
    )
    return path


def as_it_is(name: str) -> Profile:
    """The profile without a loudness to reach: what is measured here are levels of tones."""
    found = profile(name)
    return replace(found, audio=tuple(replace(one, loudness=None) for one in found.audio))


def heard(source: Path, folder: Path, tracks: tuple[AudioPlan, ...] = ()) -> tuple[Plan, Path]:
    """A finished MP4 of picture and sound, and its plan."""
    made = planned(source, [as_it_is("mobile-540p")], folder)
    rung = made.rungs[0]
    made = replace(made, rungs=(replace(rung, audio=(*rung.audio, *tracks)),))
    rung = made.rungs[0]
    pictures = finish(encode_chunk(source, made, made.chunks[0], folder)).files
    sounds = finish(encode_audio(source, made, folder)).files
    out = folder / "finished.mp4"
    files = [sounds[track.key] for track in rung.audio]
    finish(join(rung, [pictures[rung.profile]], files, out, made))
    return made, out


@pytest.mark.media
@pytest.mark.parametrize("late_s", [0.0, 0.0801, -0.123])
def test_a_click_lands_where_the_source_has_it(late_s: float, tmp_path: Path) -> None:
    """Within 1 ms in AAC and in AC-3 5.1, though the sound starts late or early in the source."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 6)
    source = film(tmp_path, sound, "film.mov", "-itsoffset", str(late_s))
    made, out = heard(source, tmp_path, (AC3,))
    wanted = [at + late_s for at in CLICKS_S]
    stereo, surround = samples(out, 2, 0), samples(out, 6, 1)
    assert click_times_s(stereo[:, 0]) == pytest.approx(wanted, abs=0.001)
    for channel in (0, 1, 2, 4, 5):
        assert click_times_s(surround[:, channel]) == pytest.approx(wanted, abs=0.001)
    assert len(stereo) == made.duration_s * RATE == 2 * RATE


@pytest.mark.media
def test_of_eight_discrete_channels_the_first_two_are_the_pair(tmp_path: Path) -> None:
    """At their own level, and nothing of the other six, as an MXF master names no loudspeakers."""
    tones = [tone(200.0 * (channel + 1)) for channel in range(8)]
    source = film(tmp_path, wav(tmp_path / "eight.wav", tones), "film.mxf")
    made, out = heard(source, tmp_path)
    stereo = samples(out, 2)[RATE // 2 : RATE // 2 + RATE]
    for channel in range(2):
        spectrum = np.abs(np.fft.rfft(stereo[:, channel])) / (RATE / 2)
        levels = [float(spectrum[200 * (at + 1)]) for at in range(8)]
        assert levels[channel] == pytest.approx(0.1, abs=0.01)
        assert max(level for at, level in enumerate(levels) if at != channel) < 0.003
    assert verified(out, made.rungs[0], made, source).facts.frames == 50


@pytest.mark.media
@pytest.mark.parametrize("order", [(1000.0, 0.0), (0.0, 1000.0), (50.0, 50.0), (95442.0, 0.0)])
def test_sound_stays_with_the_picture_where_the_clock_jumps(
    order: tuple[float, float], tmp_path: Path
) -> None:
    """Two recordings put together: back, forth, over the same seconds, and past 33 bits.

    The first one's sound may be up to 30 ms longer than its picture: that much is not cut.
    """
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 2)
    whole = film(tmp_path, sound, "film.mp4", codec="aac")
    parts = [
        call("-i", whole, "-c", "copy", "-output_ts_offset", str(at_s), "-f", "mpegts", "-")
        for at_s in order
    ]
    source = tmp_path / "jumps.ts"
    source.write_bytes(b"".join(parts))
    made, out = heard(source, tmp_path)
    assert made.clock_jumps
    assert any("clock jumps" in decision for decision in made.decisions)
    stereo = samples(out, 2)
    wanted = [*CLICKS_S, *(at + 2 for at in CLICKS_S)]
    assert click_times_s(stereo[:, 0]) == pytest.approx(wanted, abs=0.03)
    rung = made.rungs[0]
    assert verified(out, rung, made, source).facts.frames == 100
    scores = finish(measure(source, [(rung, out)], made, tmp_path)).of(rung.profile)
    assert min(score.p5 or 0 for score in scores.measurements) > 25


@pytest.mark.media
def test_a_33_bit_clock_that_runs_over_is_no_jump(tmp_path: Path) -> None:
    """MPEG-TS counts 26.5 hours; ffmpeg carries on past them."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 2)
    whole = film(tmp_path, sound, "film.mp4", codec="aac")
    source = tmp_path / "over.ts"
    call("-i", whole, "-c", "copy", "-output_ts_offset", "95441.3", "-f", "mpegts", str(source))
    made, out = heard(source, tmp_path)
    assert not made.clock_jumps
    assert click_times_s(samples(out, 2)[:, 0]) == pytest.approx(list(CLICKS_S), abs=0.001)
    assert verified(out, made.rungs[0], made, source).facts.frames == 50


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("film.ts", "mp2", ("-itsoffset", "0.04")),
        ("film.ts", "ac3", ()),
        ("film.mkv", "flac", ("-itsoffset", "0.04")),
        ("film.mp4", "aac", ()),
        ("film.mxf", "pcm_s16le", ()),
    ],
)
def test_every_container_keeps_its_sync(
    name: str, codec: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """The offset of picture and sound is the source's own, by the clock that ffmpeg reads in it."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 2)
    source = film(tmp_path, sound, name, *options, codec=codec)
    made, out = heard(source, tmp_path)
    channels = made.rungs[0].audio[0].channels
    clock = (
        f"aresample={RATE}:async=1:min_comp=0.00001:first_pts={round(made.first_picture_s * RATE)}"
    )
    raw = call("-copyts", "-i", source, "-map", "0:a:0", "-af", clock, "-f", "f32le", "-")
    true = np.frombuffer(raw, np.float32).reshape(-1, channels)
    wanted = click_times_s(true[:, 0])
    assert len(wanted) == 3
    assert click_times_s(samples(out, channels)[:, 0]) == pytest.approx(wanted, abs=0.001)


@pytest.mark.media
def test_sound_is_padded_and_cut_to_the_picture_s_length(tmp_path: Path) -> None:
    """Half a second of sound gets silence, three seconds lose one."""
    for seconds in (0.5, 3.0):
        noise = np.random.default_rng(1).uniform(-0.2, 0.2, round(seconds * RATE))
        sound = wav(tmp_path / "noise.wav", [noise])
        source = film(tmp_path, sound, "film.mov")
        made, out = heard(source, tmp_path)
        track = samples(out, 1)
        assert len(track) == made.duration_s * RATE == 2 * RATE
        assert (np.abs(track[RATE:]).max() > 0.1) == (seconds > 1)


@pytest.mark.media
def test_a_hole_in_the_sound_becomes_silence(tmp_path: Path) -> None:
    """What follows a loss stays in sync with the picture."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 2)
    source = tmp_path / "holed.mkv"
    hole = "aselect='not(between(t,0.6,0.8))'"
    call(
        *(
            "-f",
            "lavfi",
            "-i",
            "testsrc2=s=320x180:r=25:d=2",
            "-i",
            sound,
            "-map",
            "0",
            "-map",
            "1",
        ),
        *("-af", f"asetnsamples=480,{hole}", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
        *("-c:a", "pcm_s16le", source),
    )
    _, out = heard(source, tmp_path)
    assert click_times_s(samples(out, 2)[:, 0]) == pytest.approx(CLICKS_S, abs=0.001)


@pytest.mark.media
def test_a_hole_does_not_shorten_sound_alone(tmp_path: Path) -> None:
    """Two seconds with a loss in them are two seconds, to the last click."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * 2)
    source = tmp_path / "holed.mka"
    hole = "asetnsamples=480,aselect='not(between(t,0.6,0.8))'"
    call("-i", sound, "-af", hole, "-c:a", "pcm_s16le", "-f", "matroska", source)
    made = planned(source, [profile("audio-access-aac")], tmp_path)
    assert made.duration_s == pytest.approx(2, abs=0.001)
    (rung,) = made.rungs
    sounds = finish(encode_audio(source, made, tmp_path)).files
    out = tmp_path / "finished.m4a"
    finish(join(rung, [], [sounds[track.key] for track in rung.audio], out, made))
    assert verified(out, rung, made, source).facts.duration_s == made.duration_s
    assert click_times_s(samples(out, 2)[:, 0]) == pytest.approx(CLICKS_S, abs=0.001)


@pytest.mark.media
def test_the_downmix_has_the_coefficients_of_bs775(tmp_path: Path) -> None:
    """Front at 0 dB, centre and surround at -3 dB, no LFE, and no side on the wrong side."""
    hertz = (300, 500, 700, 60, 1100, 1300)  # FL FR FC LFE SL SR
    sound = wav(tmp_path / "tones.wav", [tone(h) for h in hertz])
    source = film(tmp_path, sound, "film.mov")
    _, out = heard(source, tmp_path)
    mixed = samples(out, 2)[RATE // 2 : 3 * RATE // 2]
    spectrum = np.abs(np.fft.rfft(mixed, axis=0)) / (RATE / 2)
    levels = np.array([spectrum[round(h * len(mixed) / RATE)] for h in hertz]) / 0.1
    half = 0.7071
    wanted = [[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]]
    assert levels == pytest.approx(np.array(wanted), abs=0.02)


@pytest.mark.media
def test_sides_that_cancel_each_other_are_no_fault_of_a_downmix(tmp_path: Path) -> None:
    """Right is left upside down in six mono tracks: the mix has both, and a mono of it neither."""
    left = tone(300)
    parts = [left, -left, 0 * left, 0 * left, left / 2, -left / 2]
    files = [wav(tmp_path / f"{at}.wav", [part]) for at, part in enumerate(parts)]
    source = tmp_path / "six.mov"
    opened = [word for file in files for word in ("-i", str(file))]
    maps = [word for stream in range(7) for word in ("-map", str(stream))]
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2")
    coded = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le")
    call(*picture, *opened, *maps, *coded, source)
    mix = replace(lossless_looking("pcm", 24), tracks=tuple(range(6)), pan="downmix")
    made, out = heard(source, tmp_path, (mix,))
    assert np.abs(samples(out, 2, 1)).max() > 0.1
    assert len(verified(out, made.rungs[0], made, source).facts.audio) == 2


@pytest.mark.media
@pytest.mark.parametrize(
    "layout", ["2.1", "hexagonal", "6.1(front)", "7.1", "7.1(wide-side)", "octagonal", "7.1.2"]
)
def test_a_mix_has_all_that_is_not_for_the_lfe(layout: str) -> None:
    """A tone a loudspeaker: of layouts that are mixed none but the LFE's is missing."""
    told = call("-layouts").decode()
    (speakers,) = re.findall(rf"^{re.escape(layout)} +([A-Z+]+)$", told, re.MULTILINE)
    names = speakers.split("+")
    tones = "|".join(f"0.1*sin(2*PI*t*{100 * at})" for at in range(1, len(names) + 1))
    filters = ",".join(map(str, sound_mix.downmix("stereo")))
    source = ("-f", "lavfi", "-i", f"aevalsrc={tones}:c={layout}:s=8000:d=1")
    raw = call(*source, "-af", filters, "-f", "f32le", "-")
    mixed = np.frombuffer(raw, np.float32).reshape(-1, 2)[:8000]
    levels = np.abs(np.fft.rfft(mixed, axis=0)).max(axis=1) / 400
    missing = [one for at, one in enumerate(names) if levels[100 * (at + 1)] < 0.3]
    assert missing == (["LFE"] if "LFE" in names else [])
    assert is_mixed(layout)


@pytest.mark.media
def test_sound_without_loudspeakers_is_inspected_and_refused(tmp_path: Path) -> None:
    """Ambisonics in Opus: what nobody can mix is measured as a track, and not as a mix."""
    source = tmp_path / "sphere.mka"
    tones = "|".join(f"0.1*sin(2*PI*t*{hertz})" for hertz in (300, 500, 700, 900))
    opened = ("-f", "lavfi", "-i", f"aevalsrc={tones}:c=ambisonic 1:s={RATE}:d=1")
    call(*opened, "-c:a", "libopus", "-mapping_family", "2", source)
    made = planned(source, [profile("audio-access-aac")], tmp_path)
    assert [one.code for one in made.refused] == ["no_fitting_sound"]


@pytest.mark.media
def test_a_loud_downmix_is_limited_and_not_clipped(tmp_path: Path) -> None:
    """All channels at once would be 7.7 dB over: the peak stays below full scale."""
    sound = wav(tmp_path / "loud.wav", [tone(440, 0.9)] * 6)
    source = film(tmp_path, sound, "film.mov")
    _, out = heard(source, tmp_path)
    middle = np.abs(samples(out, 2)[RATE // 2 : 3 * RATE // 2])
    assert 0.70 < middle.max() < 0.9


def mono(codec: AudioCodec = "pcm", **fields: Any) -> Profile:
    """Sound alone, in one channel."""
    wanted = AudioProfile(codec, channels=1, **fields)
    return replace(profile("audio-access-aac"), name="own-mono", container="mov", audio=(wanted,))


def finished(source: Path, own: Profile, folder: Path) -> tuple[Plan, Path]:
    """A rendition of sound alone, verified."""
    made = planned(source, [own], folder)
    (rung,) = made.rungs
    sounds = finish(encode_audio(source, made, folder)).files
    out = folder / f"finished.{rung.container}"
    finish(join(rung, [], [sounds[track.key] for track in rung.audio], out, made))
    assert verified(out, rung, made, source).facts.audio[0].channels == 1
    return made, out


@pytest.mark.media
@pytest.mark.parametrize(
    ("hertz", "name", "wanted", "told"),
    [
        ([300, 500], "film.mov", [0.5, 0.5], "from the two channels of sound track 0"),
        (
            [300, 500, 700, 900],
            "film.mxf",
            [0.5, 0.5, 0, 0],
            "from channels 1 and 2 of 4: the file",
        ),
        (
            *([300, 500, 700, 60, 1100, 1300], "film.mov"),
            *([0.5, 0.5, 0.7071, 0, 0.3536, 0.3536], "from 6 channels by ITU-R BS.775"),
        ),
    ],
)
def test_mono_is_half_the_sum_of_the_stereo(
    hertz: list[int], name: str, wanted: list[float], told: str, tmp_path: Path
) -> None:
    """It was stereo, which a profile of one channel had never asked for."""
    tones = wav(tmp_path / "tones.wav", [tone(h) for h in hertz])
    source = film(tmp_path, tones, name)
    made, out = finished(source, mono(), tmp_path)
    assert any(f"mono, half the sum of left and right, {told}" in one for one in made.decisions)
    heard = samples(out, 1)[RATE // 2 : 3 * RATE // 2, 0]
    spectrum = np.abs(np.fft.rfft(heard)) / (RATE / 2) / 0.1
    assert [float(spectrum[h]) for h in hertz] == pytest.approx(wanted, abs=0.01)


@pytest.mark.media
def test_mono_of_two_mono_tracks_is_half_their_sum_at_its_own_loudness(tmp_path: Path) -> None:
    """What was heard of the stereo is not the loudness of this."""
    parts = [wav(tmp_path / f"{h}.wav", [tone(h, 0.3)]) for h in (997, 1499)]
    source = tmp_path / "tracks.mov"
    opened = [word for part in parts for word in ("-i", str(part))]
    call(*opened, "-map", "0", "-map", "1", "-c:a", "pcm_s24le", source)
    goal = LoudnessTarget(-24, 0.5, -2)
    _, out = finished(source, mono("aac", bitrate_bps=96_000, loudness=goal), tmp_path)
    spectrum = np.abs(np.fft.rfft(samples(out, 1)[RATE // 2 : 3 * RATE // 2, 0]))
    assert spectrum[997] == pytest.approx(spectrum[1499], rel=0.02)


def test_sounds_that_are_made_in_other_ways_share_no_file() -> None:
    """Mono and stereo of one rate: one of the two was in both files."""
    stereo = replace(mono(), name="own-stereo", audio=(AudioProfile("pcm", channels=2),))
    made = plan(*described(None, [STEREO]), [mono(), stereo])
    first, second = (rung.audio[0] for rung in made.rungs)
    assert (first.channels, second.channels) == (1, 2)
    assert (first.key, second.key) == ("pcm_1ch_24bit_t0_pair", "pcm_2ch_24bit_t0")


@pytest.mark.media
def test_two_mono_tracks_become_left_and_right(tmp_path: Path) -> None:
    """Of eight: the first two, each on its side, at its own level."""
    parts = [wav(tmp_path / f"{h}.wav", [tone(h)]) for h in (300, 500, 700)]
    source = tmp_path / "tracks.mov"
    opened = [word for part in parts for word in ("-i", str(part))]
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", *opened),
        *("-map", "0", "-map", "1", "-map", "2", "-map", "3", "-c:v", "libx264"),
        *("-pix_fmt", "yuv420p", "-c:a", "pcm_s16le", source),
    )
    _, out = heard(source, tmp_path)
    middle = samples(out, 2)[RATE // 2 : 3 * RATE // 2]
    spectrum = np.abs(np.fft.rfft(middle, axis=0)) / (RATE / 2) / 0.1
    levels = spectrum[[round(h * len(middle) / RATE) for h in (300, 500, 700)]]
    assert levels == pytest.approx(np.array([[1, 0], [0, 1], [0, 0]]), abs=0.02)


@pytest.fixture(scope="module")
def eight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture and eight mono tracks with a tone each; the fourth lies in the LFE's band."""
    folder = tmp_path_factory.mktemp("eight")
    parts = [wav(folder / f"{hertz}.wav", [tone(hertz)]) for hertz in EIGHT_HZ]
    source = folder / "eight.mov"
    opened = [word for part in parts for word in ("-i", str(part))]
    maps = [word for stream in range(9) for word in ("-map", str(stream))]
    picture = ("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2")
    codecs = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s24le")
    call(*picture, *opened, *maps, *codecs, source)
    return source


EIGHT_HZ = (300, 500, 700, 60, 1100, 1300, 1700, 1900)


def tone_levels(sound: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of each of the eight tones in each channel, where 1 is the level in the source."""
    middle = sound[RATE // 2 : RATE // 2 + RATE].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle, axis=0)) / (RATE / 2) / 0.1
    return np.asarray(spectrum[list(EIGHT_HZ)])


@pytest.mark.media
def test_eight_mono_tracks_become_five_one_and_stereo(eight: Path, tmp_path: Path) -> None:
    """Each tone on its own loudspeaker at its own level, and on no other."""
    surround = AudioPlan("5", "ac3", 6, "5.1(side)", RATE, 448_000, tuple(range(6)), "join")
    opus = replace(surround, key="6", codec="opus", layout="5.1", bitrate_bps=384_000)
    made, out = heard(eight, tmp_path, (surround, opus))
    assert made.rungs[0].audio[0].tracks == (6, 7)
    stereo, ac3, opus_levels = (tone_levels(samples(out, n, at)) for at, n in enumerate((2, 6, 6)))
    wanted = np.eye(8)
    assert stereo == pytest.approx(wanted[:, 6:], abs=0.02)
    assert ac3 == pytest.approx(wanted[:, :6], abs=0.02)
    assert opus_levels == pytest.approx(wanted[:, :6], abs=0.02)
    assert len(verified(out, made.rungs[0], made, eight).facts.audio) == 3


@pytest.mark.media
def test_six_mono_tracks_are_mixed_down_exactly(eight: Path, tmp_path: Path) -> None:
    """The coefficients of BS.775 within 0.1 dB, and nothing else above -60 dB."""
    mix = replace(lossless_looking("pcm", 24), tracks=tuple(range(6)), pan="downmix")
    made, out = heard(eight, tmp_path, (mix,))
    levels = tone_levels(samples(out, 2, 1))[:6]
    half = 10 ** (-3.0103 / 20)
    wanted = np.array([[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]])
    there = wanted > 0
    assert np.abs(20 * np.log10(levels[there] / wanted[there])).max() < 0.1
    assert levels[~there].max() < 0.001
    assert len(verified(out, made.rungs[0], made, eight).facts.audio) == 2


SIX_HZ = dict(zip(("FL", "FR", "FC", "LFE", "SL", "SR"), EIGHT_HZ, strict=False))


def ordered(folder: Path, channels: str) -> Path:
    """A picture and one track whose channels stand in this order, each with its tone."""
    source = folder / "ordered.mov"
    tones = "|".join(f"0.1*sin(2*PI*t*{SIX_HZ[one]})" for one in channels.split("+"))
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2"),
        *("-f", "lavfi", "-i", f"aevalsrc={tones}:c={channels}:s={RATE}:d=2"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s24le", source),
    )
    return source


@pytest.mark.media
@pytest.mark.parametrize("order", ["FL+FC+FR+SL+SR+LFE", "FC+FL+FR+SL+SR+LFE"])
def test_five_one_in_film_and_mpeg_order_comes_out_in_its_own(order: str, tmp_path: Path) -> None:
    """Each tone on its own loudspeaker, also in the downmix, and the proof knows it."""
    source = ordered(tmp_path, order)
    surround = replace(AC3, own_order=f"6 channels ({order})")
    info = probe(source)
    assert [is_surround(track) for track in info.audio] == [True]
    made, out = heard(source, tmp_path, (surround,))
    stereo, six = (tone_levels(samples(out, n, at))[:6] for at, n in enumerate((2, 6)))
    half = 0.7071
    wanted = [[1, 0], [0, 1], [half, half], [0, 0], [half, 0], [0, half]]
    assert stereo == pytest.approx(np.array(wanted), abs=0.02)
    assert six == pytest.approx(np.eye(6), abs=0.02)
    assert len(verified(out, made.rungs[0], made, source).facts.audio) == 2


@pytest.mark.media
def test_a_stereo_track_with_right_before_left_is_turned_about(tmp_path: Path) -> None:
    """As the broadcast profile takes it, by itself; the plan says in which order it was."""
    source = ordered(tmp_path, "FR+FL")
    made, out = heard(source, tmp_path)
    assert tone_levels(samples(out, 2))[:2] == pytest.approx(np.eye(2), abs=0.02)
    assert any("its channels FR+FL in usual order" in one for one in made.decisions)
    assert len(verified(out, made.rungs[0], made, source).facts.audio) == 1


@pytest.mark.media
def test_what_is_no_lfe_is_not_missed_in_it(tmp_path: Path) -> None:
    """A microphone on the fourth track: AC-3 carries little of it, and that is no fault."""
    tones = [tone(hertz) for hertz in (300, 500, 700, 900, 1100, 1300)]
    source = film(tmp_path, wav(tmp_path / "six.wav", tones), "film.mov")
    made, out = heard(source, tmp_path, (AC3,))
    assert len(verified(out, made.rungs[0], made, source).facts.audio) == 2


def narrowed(folder: Path) -> Path:
    """AC-3 that tells players to turn it down by 12 dB: in its first block of each frame `dynrng`
    (ETSI TS 102 366, 4.4.3.3) is put in, and the last eight bits of the last block are taken out.
    """
    bare = folder / "bare.ac3"
    call("-i", wav(folder / "mono.wav", [tone(997)]), "-c:a", "ac3", "-b:a", "640k", bare)
    coded, patched = bare.read_bytes(), b""
    length = 640_000 // 8 * 1536 // RATE
    for at in range(0, len(coded), length):
        bits = "".join(f"{byte:08b}" for byte in coded[at : at + length])
        flag = 67  # of mono without anything that may be left out
        assert bits[flag] == "0"
        bits = bits[:flag] + "1" + "11000000" + bits[flag + 1 : -26] + bits[-18:]
        patched += int(bits, 2).to_bytes(length, "big")
    (folder / "patched.ac3").write_bytes(patched)
    source = folder / "narrowed.mov"
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "ac3"),
        *("-i", folder / "patched.ac3", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
        *("-c:a", "copy", source),
    )
    return source


@pytest.mark.media
def test_ac3_comes_out_with_the_dynamics_of_its_maker(tmp_path: Path) -> None:
    """Not as it tells a living room to play it, in delivery, in measurements and in the proof."""
    source = narrowed(tmp_path)
    copied = AudioPlan("c", "ac3", 1, "mono", RATE, None, (0,), "source", copied=True)
    made, out = heard(source, tmp_path, (copied,))
    played = samples(source, 1)[RATE // 2 : RATE]
    assert np.abs(played).max() == pytest.approx(0.025, abs=0.002)
    assert np.abs(samples(out, 1)[RATE // 2 : RATE]).max() == pytest.approx(0.1, abs=0.01)
    facts = verified(out, made.rungs[0], made, source).facts
    assert [one.loudness_lkfs for one in facts.audio] == pytest.approx([-23, -23], abs=0.3)
    seen = finish(inspect(source, probe(source), tmp_path, keep_thumbs=False))
    assert seen.loudness[0].integrated_lkfs == pytest.approx(-23, abs=0.3)


@pytest.mark.media
def test_high_rate_sound_comes_down_to_48_khz_in_place(tmp_path: Path) -> None:
    """96 kHz, as some cameras record."""
    sound = wav(tmp_path / "clicks.wav", [clicks(96000)] * 2, rate=96000)
    _, out = heard(film(tmp_path, sound, "film.mov"), tmp_path)
    track = samples(out, 2)
    assert len(track) == 2 * RATE
    assert click_times_s(track[:, 0]) == pytest.approx(CLICKS_S, abs=0.001)


@pytest.mark.media
@pytest.mark.parametrize("rate", [44100, 96000])
@pytest.mark.parametrize("late_s", [0.1, -0.1])
def test_another_rate_moves_nothing(rate: int, late_s: float, tmp_path: Path) -> None:
    """Sound that starts late or early is cut or filled before its rate changes."""
    sound = wav(tmp_path / "clicks.wav", [clicks(rate)] * 2, rate=rate)
    _, out = heard(film(tmp_path, sound, "film.mov", "-itsoffset", str(late_s)), tmp_path)
    wanted = [at + late_s for at in CLICKS_S]
    assert click_times_s(samples(out, 2)[:, 0]) == pytest.approx(wanted, abs=0.001)


@pytest.mark.media
def test_soxr_keeps_a_tone_and_adds_nothing(tmp_path: Path) -> None:
    """1 kHz from 44.1 to 48 kHz: its own level within 0.01 dB, anything else below -95 dB."""
    rate = 44100
    hertz = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(2 * rate) / rate)
    source = film(tmp_path, wav(tmp_path / "tone.wav", [hertz] * 2, rate=rate), "film.mov")
    _, out = heard(source, tmp_path, (lossless_looking("flac", 24),))
    middle = samples(out, 2, 1)[RATE // 2 : RATE // 2 + RATE, 0].astype(np.float64)
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(RATE))) * 4 / RATE
    assert 20 * np.log10(spectrum[1000] / 0.5) == pytest.approx(0, abs=0.01)
    spectrum[990:1011] = 0
    assert 20 * np.log10(spectrum.max() / 0.5) < -95


def lossless_looking(codec: AudioCodec, bits: int) -> AudioPlan:
    key = f"{codec}{bits}"
    return AudioPlan(key, codec, 2, "stereo", RATE, None, (0,), "source", bit_depth=bits)


@pytest.mark.media
@pytest.mark.parametrize("late_s", [0.0, 0.08, -0.123])
@pytest.mark.parametrize(
    "track",
    [
        AudioPlan("eac3", "eac3", 6, "5.1(side)", RATE, 448_000, (0,), "source"),
        AudioPlan("opus", "opus", 2, "stereo", RATE, 128_000, (0,), "source"),
        AudioPlan("opus6", "opus", 6, "5.1", RATE, 320_000, (0,), "source"),
        AudioPlan("aac6", "aac", 6, "5.1", RATE, 384_000, (0,), "source"),
    ],
    ids=lambda value: getattr(value, "key", value),
)
def test_each_codec_keeps_clicks_and_is_read_back(
    track: AudioPlan, late_s: float, tmp_path: Path
) -> None:
    """Its priming is cut off; every channel is where it was; the file says what was planned."""
    sound = wav(tmp_path / "clicks.wav", [clicks()] * track.channels)
    source = film(tmp_path, sound, "film.mov", "-itsoffset", str(late_s))
    made, out = heard(source, tmp_path, (track,))
    wanted = [at + late_s for at in CLICKS_S]
    found = samples(out, track.channels, 1)
    for channel in {*range(track.channels)} - ({3} if track.channels == 6 else set()):
        assert click_times_s(found[:, channel]) == pytest.approx(wanted, abs=0.001)
    facts = verified(out, made.rungs[0], made, source).facts
    assert [one.codec for one in facts.audio] == ["aac", track.codec]


@pytest.mark.media
def test_five_one_and_its_stereo_mix_come_out_of_one_track(tmp_path: Path) -> None:
    """Of a QuickTime master of eight channels that stand in an order of their own."""
    order = "FL+FR+DL+DR+BL+BR+FC+LFE"
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, (8, RATE))
    source, own = tmp_path / "eight.mov", replace(profile("audio-access-aac"), container="mov")
    named = f"channelmap=map=0|1|2|3|4|5|6|7:channel_layout={order}"
    plain = wav(tmp_path / "eight.wav", list(noise))
    call("-i", plain, "-af", named, "-c:a", "pcm_s24le", source)
    own = replace(own, audio=tuple(AudioProfile("pcm", n, RATE) for n in (2, 6)))
    made = planned(source, [own], tmp_path)
    files = finish(encode_audio(source, made, tmp_path)).files
    sounds = [files[track.key] for track in made.rungs[0].audio]
    true = samples(source, 8)
    assert np.array_equal(samples(sounds[0], 2), true[:, [2, 3]])
    assert np.array_equal(samples(sounds[1], 6), true[:, [0, 1, 6, 7, 4, 5]])
    out = tmp_path / "finished.mov"
    finish(join(made.rungs[0], [], sounds, out, made))
    assert len(verified(out, made.rungs[0], made, source).facts.audio) == 2


@pytest.mark.media
@pytest.mark.parametrize("bits", [16, 24])
def test_pcm_and_flac_are_the_source_s_samples(bits: int, tmp_path: Path) -> None:
    """Of a rung that is cut to the picture, in MP4 and in Matroska, bit for bit."""
    noise = np.random.default_rng(1).uniform(-0.2, 0.2, 2 * RATE)
    source = film(tmp_path, wav(tmp_path / "noise.wav", [noise] * 2), "film.mov")
    made, out = heard(source, tmp_path, tuple(lossless_looking(c, bits) for c in ("pcm", "flac")))
    wanted = samples(source, 2)
    for position in (1, 2):
        assert np.array_equal(samples(out, 2, position), wanted)
    facts = verified(out, made.rungs[0], made, source).facts
    assert [one.codec for one in facts.audio] == ["aac", f"pcm_s{bits}le", "flac"]
    in_matroska = out.with_suffix(".mkv")
    call("-i", out, "-map", "0", "-c", "copy", in_matroska)
    rung = replace(made.rungs[0], container="mkv")
    assert len(verified(in_matroska, rung, made, source).facts.audio) == 3


@pytest.mark.media
@pytest.mark.parametrize(("channels", "seconds"), [(1, 1), (2, 3), (8, 2)])
def test_a_mezzanine_takes_every_track_for_as_long_as_its_picture(
    channels: int, seconds: int, tmp_path: Path
) -> None:
    """PCM of all channels, cut or filled to the picture, and compared with the source."""
    rng = np.random.default_rng(1)
    noise = [rng.uniform(-0.2, 0.2, seconds * RATE) for _ in range(channels)]
    source = film(tmp_path, wav(tmp_path / "noise.wav", noise), "film.mov")
    own = profile("mobile-540p")
    own = replace(own, audio=(AudioProfile("pcm", sample_rate_hz=RATE),))
    made = planned(source, [own], tmp_path)
    (track,) = made.rungs[0].audio
    assert (track.channels, track.bit_depth, track.lossless) == (channels, 24, False)
    sound = finish(encode_audio(source, made, tmp_path)).files[track.key]
    pictures = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    out = tmp_path / "finished.mp4"
    finish(join(made.rungs[0], [pictures[own.name]], [sound], out, made))
    kept = min(seconds, 2) * RATE
    assert np.array_equal(samples(out, channels)[:kept], samples(source, channels)[:kept])
    assert len(samples(out, channels)) == 2 * RATE
    assert verified(out, made.rungs[0], made, source).facts.audio[0].codec == "pcm_s24le"


@pytest.mark.media
def test_floating_point_above_full_scale_is_lowered_and_not_cut_off(tmp_path: Path) -> None:
    """By one gain that the plan states; what is within full scale stays as it is."""
    own = replace(profile("audio-access-aac"), container="mov")
    own = replace(own, audio=(AudioProfile("pcm", channels=2, sample_rate_hz=RATE),))
    for level, gain_db in ((1.4, -3.1), (0.7, 0.0)):
        source = tmp_path / "over.wav"
        sound = f"aevalsrc={level}*sin(2*PI*t*997)|{level}*sin(2*PI*t*997):s={RATE}:d=2"
        call("-f", "lavfi", "-i", sound, "-c:a", "pcm_f32le", "-y", source)
        made = planned(source, [own], tmp_path)
        (track,) = made.rungs[0].audio
        assert track.gain_db == gain_db
        said = "peaks of +2.9 dBTP, which pcm cannot hold: -3.1 dB for all of it"
        assert any(said in one for one in made.decisions) == bool(gain_db)
        file = finish(encode_audio(source, made, tmp_path)).files[track.key]
        wanted = samples(source, 2) * 10 ** (gain_db / 20)
        assert samples(file, 2) == pytest.approx(wanted, abs=1e-6)
        out = tmp_path / "finished.mov"
        finish(join(made.rungs[0], [], [file], out, made))
        assert verified(out, made.rungs[0], made, source).facts.audio[0].codec == "pcm_s24le"


@pytest.mark.media
@pytest.mark.parametrize("rate", [44100, 96000])
def test_a_gain_of_a_fraction_of_a_decibel_is_proven(rate: int, tmp_path: Path) -> None:
    """At another rate too: noise that is to be lowered by 0.4 dB, and was not, is refused."""
    own = replace(profile("audio-access-aac"), container="mov")
    own = replace(own, audio=(AudioProfile("pcm", channels=2, sample_rate_hz=RATE),))
    source = tmp_path / "over.wav"
    noise = f"anoisesrc=a=0.3:r={rate}:seed=2:d=2,aformat=channel_layouts=stereo"
    call("-f", "lavfi", "-i", noise, "-c:a", "pcm_f32le", source)
    made = planned(source, [own], tmp_path)
    (rung,) = made.rungs
    (track,) = rung.audio
    lowered = replace(rung, audio=(replace(track, gain_db=-0.4),))
    outs = []
    for one in (lowered, rung):
        resolved = replace(made, rungs=(one,))
        file = finish(encode_audio(source, resolved, tmp_path)).files[track.key]
        outs.append(tmp_path / f"{len(outs)}.mov")
        finish(join(one, [], [file], outs[-1], resolved))
    assert verified(outs[0], lowered, made, source).facts.audio
    with pytest.raises(VerificationFailed, match=r"\+0\.4 dB against the source"):
        verified(outs[1], lowered, made, source)


@pytest.mark.media
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_s24le"])
def test_preserved_sound_is_the_source_s_bit_for_bit(codec: str, tmp_path: Path) -> None:
    """FLAC at the same rate and depth: the decoded samples are equal."""
    source = tmp_path / "tape.mov"
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=1"),
        *("-f", "lavfi", "-i", "anoisesrc=a=0.9:r=44100:seed=3:d=1,aformat=channel_layouts=stereo"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", codec, source),
    )
    made = planned(source, [profile("archive-ffv1")], tmp_path)
    (track,) = made.rungs[0].audio
    flac = finish(encode_audio(source, made, tmp_path)).files[track.key]
    wanted = ("-map", "0:a:0", "-f", "s32le", "-c:a", "pcm_s32le", "-")
    assert call("-i", flac, *wanted) == call("-i", source, *wanted)
    assert track.bit_depth == int(codec[5:7])


@pytest.mark.media
def test_a_wav_becomes_a_listening_copy_as_long_as_itself(tmp_path: Path) -> None:
    """Sound alone: its own first sample is where the programme begins."""
    source = wav(tmp_path / "talk.wav", [clicks()] * 2)
    made = planned(source, [profile("audio-access-aac")], tmp_path)
    (file,) = finish(encode_audio(source, made, tmp_path)).files.values()
    track = samples(file, 2)
    assert len(track) == 2 * RATE
    assert click_times_s(track[:, 1]) == pytest.approx(CLICKS_S, abs=0.001)


def pure(audio: Sequence[AudioTrack], *profiles: Profile) -> Plan:
    info, seen = described(HD, audio)
    return plan(info, replace(seen, first_picture_s=Fraction(3, 2)), profiles)


def test_a_silent_plan_runs_nothing(tmp_path: Path) -> None:
    """No tool is started, and there are no files."""
    done = finish(encode_audio(tmp_path / "none.mov", pure((), profile("mobile-540p")), tmp_path))
    assert (done.files, done.argv) == ({}, ())


def test_rungs_share_one_encode_and_encodes_share_one_track() -> None:
    """Three rungs: two keys, one aligned source track."""
    made = pure([STEREO], *map(as_it_is, ("hd-avc-sdr", "mobile-720p", "mobile-540p")))
    assert list(audio_files(made, Path("/scratch")).values()) == [
        Path("/scratch/aac_2ch_192k_t0.m4a"),
        Path("/scratch/aac_2ch_128k_t0.m4a"),
    ]
    argv = compose_audio(Path("/store/s.mov"), made, Path("/scratch"), {})
    graph = argv[argv.index("-filter_complex") + 1]
    assert graph.count("[0:1]") == 1
    assert graph.count("soxr") == 1


def test_the_whole_command_of_one_stereo_track() -> None:
    """Aligned by ffmpeg's clock, which corrects jumps, to the picture at 1.5 s, for exactly 4 s."""
    argv = compose_audio(
        Path("/store/s.mov"), pure([STEREO], as_it_is("mobile-540p")), Path("/scratch"), {}
    )
    graph = (
        "[0:1]asetpts=PTS-1.500000000/TB[s0];"
        "[s0]aresample=async=1:first_pts=0:min_comp=5.208333333333333e-06:min_hard_comp=0.015[s1];"
        "[s1]aresample=48000:precision=28:resampler=soxr[s2];"
        "[s2]aformat=channel_layouts=stereo[s3];[s3]apad[s4];"
        "[s4]atrim=end_sample=192000[s5];[s5]asetpts=N/SR/TB[s6]"
    )
    assert argv == [
        *(tools.ffmpeg(), "-v", "warning", "-y"),
        *("-format_whitelist", ",".join(FORMATS), "-max_pixels", "67108864"),
        *("-protocol_whitelist", "file"),
        *("-i", "/store/s.mov", "-filter_complex", graph, "-map", "[s6]", "-f", "mp4"),
        *("-b:a", "128000", "-c:a", "aac", "-fflags", "+bitexact"),
        *("-map_chapters", "-1", "-map_metadata", "-1", "/scratch/aac_2ch_128k_t0.m4a"),
    ]
