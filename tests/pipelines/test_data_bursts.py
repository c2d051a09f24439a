"""Dolby E and its like are found in PCM tracks, taken for no sound, and kept bit for bit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.inspection.data_bursts import BurstWatch, data_channels
from pipelines.inspection.inspect import inspect
from pipelines.media import Loudness, MixLoudness
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, STEREO, call, described, planned, verified

RATE = 48000
FRAME = RATE // 25
WORDS = {16: (0xF87200, 0x4E1F00), 20: (0x6F8720, 0x54E1F0), 24: (0x96F872, 0xA54E1F)}
MONO = replace(STEREO, codec="pcm_s24le", channels=1, layout="mono", bit_depth=24)


def noise(channels: int, bits: int = 24, seconds: int = 1) -> NDArray[np.int32]:
    """Full scale, in 24 bits, of which the lowest may be empty."""
    rng = np.random.default_rng(channels)
    steps = rng.integers(-(1 << bits - 1), 1 << bits - 1, (seconds * RATE, channels))
    return (steps << (24 - bits)).astype(np.int32)


def bursts(bits: int, *, apart: int = FRAME) -> NDArray[np.int32]:
    """A pair with a burst in each picture's time, and nothing between them."""
    pair = noise(2, bits)
    first, second = ((word ^ 0x800000) - 0x800000 for word in WORDS[bits])
    for at in range(0, len(pair) - FRAME, apart):
        pair[at + 20] = first, second
        pair[at + FRAME - 200 : at + FRAME] = 0
    return pair


def found(*tracks: NDArray[np.int32]) -> tuple[tuple[int, ...], ...]:
    """As the inspection hears it: in floating point, block by block."""
    watches = []
    for track in tracks:
        watch = BurstWatch(track.shape[1], RATE)
        for block in np.array_split(track, 7):
            watch.take((block / (1 << 23)).astype(np.float32))
        watches.append(watch)
    return data_channels(watches)


@pytest.mark.parametrize("bits", [16, 20, 24])
def test_bursts_are_found_in_a_pair_of_channels_of_tracks_and_in_one_channel(bits: int) -> None:
    """Of every length of a word; the sound beside them stays sound."""
    pair, sound = bursts(bits), noise(2, bits)
    assert found(sound, pair) == ((), (0, 1))
    assert found(sound[:, :1], pair[:, :1], pair[:, 1:], sound[:, 1:]) == ((), (0,), (0,), ())
    assert found(np.concatenate([sound, pair, sound], axis=1)) == ((2, 3),)
    alone = noise(1, bits)
    for at in range(0, RATE - FRAME, FRAME):
        alone[at + 20], alone[at + 21] = pair[20]
    assert found(sound, alone) == ((), (0,))


def test_the_words_of_sound_are_no_data() -> None:
    """One of them every picture, or both once a second, is chance."""
    pair = bursts(16)
    assert found(np.stack([pair[:, 0], noise(1, 16)[:, 0]], axis=1)) == ((),)
    assert found(np.concatenate([bursts(16, apart=RATE)] * 5)) == ((),)


def test_data_is_found_behind_any_length_of_sound() -> None:
    """In ordinary sound of 16 bits the words happen by themselves, in a tone all the time."""
    first = (WORDS[16][0] ^ 0x800000) - 0x800000
    ordinary = np.tile(noise(2, 16), (60, 1))
    ordinary[::250] = first, 0
    for sound in (ordinary, np.full((RATE, 2), first)):
        assert found(np.concatenate([sound, bursts(16), sound])) == ((0, 1),)
        assert found(sound) == ((),)


def test_tracks_with_data_are_in_no_mix() -> None:
    """A stereo mix on 7-8 that is Dolby E leaves the 5.1, one on 1-2 leaves what comes after."""
    six = tuple(range(6))
    for held, tracks in (((6, 7), six), ((2, 3), (0, 1)), ((0, 1), (2, 3))):
        channels = tuple((0,) if at in held else () for at in range(8))
        info, seen = described(HD, (MONO,) * 8, data_channels=channels)
        planned_here = plan(info, seen, [profile("mobile-540p"), profile("archive-ffv1")])
        (mix,) = planned_here.rungs[0].audio
        assert mix.tracks == tracks
        assert len(planned_here.rungs[1].audio) == 8
        said = "holds data (SMPTE ST 337, such as Dolby E), not sound: kept in preservation"
        assert [said in one for one in planned_here.decisions].count(True) == 2


def test_channels_beside_data_keep_their_loudness() -> None:
    """Channels 1 and 2 of eight, measured as a pair; of six, which are a 5.1, nothing is taken."""
    eight = replace(MONO, channels=8, layout="8 channels")
    loudness, mixes = (Loudness(0, None, None, None),), (MixLoudness((0,), "pair", -28.0, -8.0),)
    held = {"loudness": loudness, "mixes": mixes, "data_channels": ((4, 5),)}
    (mix,) = plan(*described(HD, (eight,), **held), [profile("mobile-540p")]).rungs[0].audio
    assert mix.loudness is not None
    assert (mix.pan, mix.loudness.gain_db, mix.loudness.kept) == ("pair", 4.0, None)
    six = replace(MONO, channels=6, layout="6 channels")
    (refusal,) = plan(*described(HD, (six,), **held), [profile("mobile-540p")]).refused
    assert (refusal.code, "(data)" in refusal.reason) == ("no_fitting_sound", True)


def test_a_profile_that_names_a_track_with_data_is_refused() -> None:
    """Like one that names a track that is not there."""
    own = profile("mobile-540p")
    own = replace(own, audio=(replace(own.audio[0], tracks=(2, 3)),))
    info, seen = described(HD, (MONO,) * 4, data_channels=((), (), (0,), (0,)))
    (refusal,) = plan(info, seen, [own]).refused
    assert (refusal.code, "[2, 3] hold data" in refusal.reason) == ("no_such_tracks", True)


@pytest.mark.media
def test_dolby_e_beside_the_programme_is_kept_and_not_mixed(tmp_path: Path) -> None:
    """Two mono tracks of sound and two of data, from a file to a proven preservation copy."""
    quiet = noise(2) // 16
    tracks = np.concatenate([quiet, bursts(20)], axis=1)
    raw = tmp_path / "tracks.raw"
    raw.write_bytes((tracks << 8).astype("<i4").tobytes())
    source = tmp_path / "tape.mov"
    split = ";".join(f"[1:a]pan=mono|c0=c{channel}[a{channel}]" for channel in range(4))
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=128x72:r=25:d=1", "-f", "s32le", "-ar", str(RATE)),
        *("-ac", "4", "-i", raw, "-filter_complex", split, "-map", "0:v"),
        *(word for channel in range(4) for word in ("-map", f"[a{channel}]")),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "pcm_s24le", source),
    )
    made = planned(source, [profile("audio-access-aac"), profile("archive-ffv1")], tmp_path)
    seen = finish(inspect(source, probe(source), tmp_path, keep_thumbs=False))
    assert [one.integrated_lkfs is None for one in seen.loudness] == [False, False, True, True]
    assert [one for one in seen.findings if "holds data" in one] == [
        f"sound track {position} holds data (SMPTE ST 337), not sound" for position in (2, 3)
    ]
    copy, archive = made.rungs
    assert [one.tracks for one in copy.audio] == [(0, 1)]
    sounds = finish(encode_audio(source, made, tmp_path)).files
    pictures = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    out = tmp_path / "archive.mkv"
    files = [sounds[track.key] for track in archive.audio]
    finish(join(archive, [pictures[archive.profile]], files, out, made))
    assert len(verified(out, archive, made, source).facts.audio) == 4
    for channel in range(4):
        heard = call("-i", out, "-map", f"0:a:{channel}", "-f", "s32le", "-")
        assert np.array_equal(np.frombuffer(heard, "<i4") >> 8, tracks[:, channel])
