"""Sound that is copied: the source's packets, in their place; nothing is encoded without a word."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import VerificationFailed
from pipelines.media import AudioTrack, Loudness
from pipelines.planning.plan import Plan, Rung, plan
from pipelines.profiles.profile import AudioProfile, profile
from pipelines.progress import finish
from pipelines.sound.audio import encode_audio
from pipelines.verification.copied_sound import Packets, packet_faults
from tests.pipelines.sources import UHD, call, described, planned, smaller, verified
from tests.pipelines.test_remux import RATE, messages, vivid

NAMES = ("cn4k-hevc-vivid-remux", "cn4k-hevc-vivid-remux-ts")
VIVID = replace(UHD, hdr_vivid=True)
AC3 = AudioTrack(1, "ac3", 6, "5.1(side)", 48000, language="zh-CN")
PCM = AudioTrack(2, "pcm_s24le", 2, "stereo", 48000, 24, language="en")
FRAMES = 100
# Noise that comes and goes, other noise on each side, so that it fits at one place only.
NOISE = (
    "anoisesrc=a=0.3:seed=1:r=48000:d=3,volume='gt(sin(7*t),0)':eval=frame[l];"
    "anoisesrc=a=0.3:seed=2:r=48000:d=3,volume='gt(sin(5*t),0)':eval=frame[r];"
    "[l][r]join=inputs=2:channel_layout=stereo"
)


def resolved(*tracks: AudioTrack, **inspected: Any) -> Plan:
    return plan(*described(VIVID, tracks, **inspected), [profile(name) for name in NAMES])


def test_what_the_container_holds_is_copied_and_the_rest_is_named() -> None:
    """With its language; PCM beside it is left out, and the plan says so."""
    made = resolved(AC3, PCM)
    for rung in made.rungs:
        (track,) = rung.audio
        assert (track.codec, track.copied, track.tracks) == ("ac3", True, (0,))
        assert (track.language, track.language_tag) == ("zho", "zh-CN")
        assert rung.sound_left_out == ((1, f"pcm_s24le is not held by {rung.container}"),)
        assert (
            f"sound track 1 is left out of {rung.profile}: pcm_s24le is not held by "
            f"{rung.container}" in made.decisions
        )
    assert "sound track 0 (ac3) is copied, packet by packet" in made.decisions


def test_of_a_source_with_nothing_to_be_copied_sound_is_encoded() -> None:
    """At the loudness of broadcast, and said; each container holds what it holds."""
    made = resolved(PCM)
    for rung in made.rungs:
        (track,) = rung.audio
        assert (track.codec, track.copied) == ("aac", False)
        assert track.loudness is not None
        assert track.loudness.tolerance_lu == 0.5
        assert (
            f"sound is encoded in {rung.profile}, for none of it can be copied: of sound track 0, "
            f"pcm_s24le is not held by {rung.container}" in made.decisions
        )
    flac = replace(PCM, index=1, codec="flac")
    kinds = {rung.container: rung.audio[0].codec for rung in resolved(flac).rungs}
    assert kinds == {"mp4": "flac", "ts": "aac"}


def test_sound_with_holes_is_no_copy() -> None:
    """Its gaps are filled by an encode, so that nothing after them moves."""
    made = resolved(AC3, audio_holes=(2,))
    assert [track.copied for rung in made.rungs for track in rung.audio] == [False] * 4
    assert any("its time stamps jump 2 times" in text for text in made.decisions)


def test_a_copy_is_not_filled_up_with_silence() -> None:
    """It begins and ends as its source does, and the plan says so."""
    late, early = Fraction(8, 100), Fraction(-8, 100)
    for start, end in (
        (late, "late: silence comes before it, but not in a copy"),
        (early, "early: that much is cut, of a copy whole packets"),
    ):
        decisions = resolved(AC3, audio_start_s=(start,)).decisions
        assert f"sound track 0 starts 80 ms {end}" in decisions
    made = resolved(AC3, audio_end_s=(Fraction(1),))
    told = "sound track 0 ends 1000 ms before the picture: silence follows it, but not in a copy"
    assert told in made.decisions


def test_without_another_choice_a_rung_without_sound_is_refused() -> None:
    """Rather than a silent rendition of a source that is not."""
    alone = replace(profile(NAMES[0]), audio=(AudioProfile("copy"),))
    made = plan(*described(VIVID, [PCM]), [alone])
    assert [one.code for one in made.refused] == ["sound_not_copied"]
    assert plan(*described(VIVID), [alone]).rungs[0].audio == ()


def test_the_loudness_of_a_copy_is_stated_and_left() -> None:
    """Outside GY/T 282's 2 LU and 2 dB below full scale, and within."""
    loud = (Loudness(0, -16.0, None, -0.5),)
    assert (
        "loudness of sound track 0, copied: -16.0 LKFS, +8.0 LU off -24 ± 2 LKFS and its true peak "
        "of -0.5 dBTP is over -2; it stays so, for a copy changes nothing"
        in resolved(AC3, loudness=loud).decisions
    )
    right = (Loudness(0, -23.0, None, -6.0),)
    assert (
        "loudness of sound track 0, copied: -23.0 LKFS, within -24 ± 2 LKFS"
        in resolved(AC3, loudness=right).decisions
    )


def test_a_source_that_takes_more_than_the_stream_has_is_refused() -> None:
    """By its mean; the file in MP4 has no bound. What fills a transport stream up says nothing."""
    info, seen = described(VIVID, [PCM])
    large = replace(info, size_bytes=int(float(seen.duration_s) * 50e6 / 8))
    made = plan(large, seen, [profile(name) for name in NAMES])
    assert [rung.profile for rung in made.rungs] == [NAMES[0]]
    assert [(one.profile, one.code) for one in made.refused] == [(NAMES[1], "bitrate_too_high")]
    stuffed = replace(large, format_name="mpegts")
    assert len(plan(stuffed, seen, [profile(name) for name in NAMES]).rungs) == 2


def packets(names: str) -> Packets:
    """One each tenth of a second, as ffmpeg tells of them; those of one name are equal."""
    made = Packets()
    rows = [f"0, {at}, {at}, 1, 9, {ord(name):032x}" for at, name in enumerate(names)]
    made.feed("\n".join(["#tb 0: 1/10", *rows, ""]).encode())
    return made


@pytest.mark.parametrize(
    ("ours", "fault"),
    [
        ("bc", None),
        ("abcd", None),
        ("c", "1 packets are missing at its beginning"),
        ("b", "1 packets are missing at its end"),
        ("bd", "its 2 packets are not the source's"),
        ("cb", "its 2 packets are not the source's"),
        ("", "it has no packets"),
    ],
)
def test_the_packets_of_the_picture_are_all_there(ours: str, fault: str | None) -> None:
    """Those before and after it may be there: of 0.2 s from 0.05 s on, in order."""
    found = packet_faults(packets(ours), packets("abcd"), Fraction(5, 100), Fraction(2, 10))
    assert found == ([fault] if fault else [])


def test_packets_of_silence_are_in_their_place() -> None:
    """A hundred equal ones before the picture and after it: those of 2 s from 10 s on are the copy,
    with or without the one that comes before it.
    """
    theirs = packets("s" * 220)
    for count in (20, 21):
        assert packet_faults(packets("s" * count), theirs, Fraction(10), Fraction(2)) == []
    found = packet_faults(packets("s" * 17), theirs, Fraction(10), Fraction(2))
    assert found == ["2 packets are missing at its end"]


def source_of(folder: Path, codec: str, container: str, late_s: float) -> Path:
    """HDR Vivid with a track of sound that is longer than its picture."""
    path, picture = folder / f"source.{container}", vivid(folder, FRAMES)
    sound = ("-itsoffset", str(late_s), "-f", "lavfi", "-i", NOISE)
    tracks = ("-map", "0:v", "-map", "1:a", "-t", "2.6", "-c:v", "copy", "-c:a", codec)
    call("-i", picture, *sound, *tracks, "-strict", "-2", "-metadata:s:a", "language=eng", path)
    return path


def remuxed(source: Path, folder: Path) -> tuple[Plan, dict[str, Path]]:
    made = planned(source, [smaller(profile(name), 320, 180) for name in NAMES], folder)
    pictures = finish(encode_chunk(source, made, made.chunks[0], folder)).files
    sounds = finish(encode_audio(source, made, folder)).files
    files = {}
    for rung in made.rungs:
        files[rung.profile] = out = folder / f"joined.{rung.container}"
        finish(join(rung, [pictures[rung.profile]], mine(rung, sounds), out, made))
    return made, files


def mine(rung: Rung, sounds: dict[str, Path]) -> list[Path]:
    return [sounds[track.key] for track in rung.audio]


@pytest.mark.media
@pytest.mark.parametrize(
    ("codec", "container", "late_s"),
    [
        ("aac", "mp4", 0.0),
        ("aac", "mkv", 0.0801),
        ("aac", "ts", -0.123),
        ("aac", "ts", -0.121),
        ("aac", "mkv", -0.031),
        ("ac3", "mp4", 0.0801),
        ("ac3", "mkv", -0.123),
        ("ac3", "ts", 0.0801),
    ],
)
def test_copied_sound_is_the_sources_and_in_place(
    codec: str, container: str, late_s: float, tmp_path: Path
) -> None:
    """In both containers, whatever the source's rounds; it may begin late or early."""
    source = source_of(tmp_path, codec, container, late_s)
    made, files = remuxed(source, tmp_path)
    assert len(made.rungs) == 2
    for rung in made.rungs:
        (track,) = rung.audio
        assert (track.codec, track.copied, track.language) == (codec, True, "eng")
        facts = verified(files[rung.profile], rung, made, source).facts
        assert (facts.frames, facts.audio[0].codec) == (FRAMES, codec)
        assert messages(files[rung.profile]) == messages(source)


@pytest.mark.media
def test_a_copy_may_end_long_before_its_picture(tmp_path: Path) -> None:
    """The last block of a stream came with the file's end, more than a second late."""
    source, sound = tmp_path / "source.mkv", f"{NOISE},atrim=end=0.4"
    coded = ("-c:v", "copy", "-c:a", "aac")
    call("-i", vivid(tmp_path, FRAMES), "-f", "lavfi", "-i", sound, *coded, source)
    made, files = remuxed(source, tmp_path)
    assert any("before the picture" in decision for decision in made.decisions)
    for rung in made.rungs:
        assert verified(files[rung.profile], rung, made, source).facts.frames == FRAMES


@pytest.mark.media
@pytest.mark.parametrize(
    ("codec", "container", "copied"),
    [
        ("eac3", "ts", [True, True]),
        ("mp2", "ts", [False, True]),
        ("libopus", "mkv", [True, False]),
        ("flac", "mkv", [True, False]),
        ("pcm_s24le", "mkv", [False, False]),
    ],
)
def test_each_container_copies_what_it_holds(
    codec: str, container: str, copied: list[bool], tmp_path: Path
) -> None:
    """And the other has AAC from it, that is verified too."""
    source = source_of(tmp_path, codec, container, 0.0)
    made, files = remuxed(source, tmp_path)
    assert [track.copied for rung in made.rungs for track in rung.audio] == copied
    for rung in made.rungs:
        assert verified(files[rung.profile], rung, made, source).facts.frames == FRAMES


@pytest.mark.media
@pytest.mark.parametrize("block_ms", ["2.5", "5", "60"])
def test_short_blocks_of_opus_follow_each_other_exactly(block_ms: str, tmp_path: Path) -> None:
    """Matroska rounds 120 samples to 2 or 3 ms; in MP4 each block lasts what it lasts."""
    source, coded = tmp_path / "source.mkv", ("-c:a", "libopus", "-frame_duration", block_ms)
    call("-i", vivid(tmp_path, 50), "-f", "lavfi", "-i", NOISE, "-c:v", "copy", *coded, source)
    (name, *_) = NAMES
    made = planned(source, [smaller(profile(name), 320, 180)], tmp_path)
    ((file),) = finish(encode_audio(source, made, tmp_path)).files.values()
    told = call("-i", file, "-c", "copy", "-f", "framecrc", "-").decode().splitlines()
    times = [int(line.split(",")[1]) for line in told if not line.startswith("#")]
    steps = {after - before for before, after in pairwise(times)}
    assert steps == {round(float(block_ms) * 48)}


@pytest.mark.media
def test_sound_that_was_encoded_again_is_no_copy(tmp_path: Path) -> None:
    """As loud, as long and in its place: but not the source's packets."""
    source = source_of(tmp_path, "ac3", "mp4", 0.0)
    made, files = remuxed(source, tmp_path)
    again, rung = tmp_path / "again.mp4", made.rung(NAMES[0])
    kept = ("-map", "0", "-c", "copy", "-tag:v", "hvc1", "-c:a", "ac3", "-b:a", "448k")
    call("-i", files[NAMES[0]], *kept, again)
    with pytest.raises(VerificationFailed, match=r"not copied: audio track 0: its .* packets are"):
        verified(again, rung, made, source)


@pytest.mark.media
def test_a_picture_that_outruns_the_stream_is_found(tmp_path: Path) -> None:
    """What the plan could not know of a source's peaks: the finished file is read back whole."""
    source = source_of(tmp_path, "ac3", "ts", 0.0)
    slow = smaller(profile(NAMES[1]), 320, 180)
    assert slow.video is not None
    video = replace(slow.video, max_bitrate_bps=60_000, buffer_bits=60_000)
    made = planned(source, [replace(slow, video=video, mux_rate_bps=700_000)], tmp_path)
    pictures = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files
    sounds, rung = finish(encode_audio(source, made, tmp_path)).files, made.rungs[0]
    out = tmp_path / "joined.ts"
    finish(join(rung, [pictures[rung.profile]], mine(rung, sounds), out, made))
    with pytest.raises(VerificationFailed, match=r"capped at 0\.06"):
        verified(out, rung, made, source)
    assert made.frame_rate == RATE
