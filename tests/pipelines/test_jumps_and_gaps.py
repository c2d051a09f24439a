"""Picture and sound stay together where recordings are joined, and where one of them pauses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode
from pipelines.encoding.join import join
from pipelines.inspection.decoder_words import DecoderWords
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import thumbs_in
from pipelines.inspection.track_gaps import Pause, Pauses, Presence, judge_pauses
from pipelines.media import Inspection
from pipelines.planning.plan import Plan, plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.quality.measure import measure
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from pipelines.verification.verify import verify
from tests.pipelines.sources import HD, STEREO, call, described, luma, samples

RATE = 48000
LENGTH_S = 16
MARKS_S = (0.6, 1.4, 13.8, 15.0)  # a click, and a picture that is white
TO_TS = ("-f", "mpegts", "-")
LOST = "noise=drop='gte(pts*tb,2)*lt(pts*tb,13.5)'"
GAP, JUMP = Pauses(gaps=True, jumps=False), Pauses(gaps=False, jumps=True)
NOTHING = Pauses(gaps=False, jumps=False)
PICTURE = "testsrc2=s=128x72:r=25:d={0},drawbox=c=white:t=fill:enable='{1}'"


def recording(folder: Path, codec: str) -> Path:
    """With a click and a white picture at the same moments."""
    path, sound = folder / "whole.mkv", np.zeros(LENGTH_S * RATE, "<i2")
    for at_s in MARKS_S:
        sound[round(at_s * RATE) :][:48] = 16000
    (folder / "clicks.raw").write_bytes(sound.tobytes())
    white = "+".join(f"eq(n,{round(at_s * 25)})" for at_s in MARKS_S)
    call(
        *("-f", "lavfi", "-i", PICTURE.format(LENGTH_S, white)),
        *("-f", "s16le", "-ar", str(RATE), "-ac", "1", "-i", folder / "clicks.raw"),
        *("-c:v", codec, "-preset", "ultrafast", "-g", "25", "-bf", "0", "-pix_fmt", "yuv420p"),
        *("-c:a", "mp2", "-y", path),
    )
    return path


def paused(folder: Path, name: str, track: str) -> Path:
    """The same without what one track has from 2 to 13.5 s."""
    path = folder / name
    whole = recording(folder, "libx264" if name.endswith(".ts") else "mpeg2video")
    call("-i", whole, "-c", "copy", f"-bsf:{track}", LOST, "-y", path)
    return path


def inspected(source: Path, folder: Path) -> Inspection:
    folder.mkdir(exist_ok=True)
    return finish(inspect(source, probe(source), folder))


def made_of(source: Path, folder: Path, chunk_min_s: float) -> tuple[Plan, Path]:
    """A verified rendition, and its plan."""
    seen = inspected(source, folder / "images")
    made = plan(probe(source), seen, [profile("mobile-540p")], chunk_min_s=chunk_min_s)
    (rung,) = made.rungs
    pictures = []
    for chunk in made.chunks:
        (part := folder / f"chunk{chunk.index}").mkdir()
        encoded = finish(encode(LocalFile(source), made, chunk, part))
        assert encoded.why_whole is None
        pictures.append(encoded.files[rung.profile])
    sounds = finish(encode_audio(source, made, folder)).files
    out = folder / "finished.mp4"
    finish(join(rung, pictures, [sounds[track.key] for track in rung.audio], out, made))
    finish(verify(out, rung, made, source, thumbs_in(folder / "images", seen.thumbs)))
    return made, out


def clicks_s(out: Path) -> list[float]:
    level = np.abs(samples(out, 1)[:, 0])
    loud = np.flatnonzero(level > level.max() / 4)
    groups = np.split(loud, np.flatnonzero(np.diff(loud) > RATE // 10) + 1)
    return [float(group[0]) / RATE for group in groups]


def flashes_s(out: Path) -> list[float]:
    means = luma(out, 128, 72).mean(axis=(1, 2))
    white = np.flatnonzero(means > 215)
    return [float(at) / 25 for at in white if at - 1 not in white]


@pytest.mark.media
@pytest.mark.parametrize(("name", "chunk_min_s"), [("gap.ts", 0), ("gap.ts", 4), ("gap.mpg", 0)])
def test_sound_after_a_pause_of_its_track_stays_with_the_picture(
    name: str, chunk_min_s: float, tmp_path: Path
) -> None:
    """Within half a frame, in one piece and in parts; silence fills the pause."""
    made, out = made_of(paused(tmp_path, name, "a"), tmp_path, chunk_min_s)
    assert made.track_gaps
    assert not made.clock_jumps
    assert len(made.chunks) > 1 or not chunk_min_s
    assert clicks_s(out) == pytest.approx(list(MARKS_S), abs=0.02)
    assert flashes_s(out) == pytest.approx(list(MARKS_S), abs=0.02)
    assert any("pauses while others go on" in one for one in made.decisions)


@pytest.mark.media
def test_a_picture_after_a_pause_of_its_track_stays_with_the_sound(tmp_path: Path) -> None:
    """The last picture fills the pause, in scores too."""
    source = paused(tmp_path, "gap.ts", "v")
    made, out = made_of(source, tmp_path, 0)
    assert made.track_gaps
    assert clicks_s(out) == pytest.approx(list(MARKS_S), abs=0.02)
    assert flashes_s(out) == pytest.approx(list(MARKS_S), abs=0.02)
    scores = finish(measure(source, [(made.rungs[0], out)], made, tmp_path)).of("mobile-540p")
    (ssim,) = (one for one in scores.measurements if one.metric == "ssim")
    assert (ssim.p5 or 0) > 0.9


@pytest.mark.media
@pytest.mark.parametrize("first_s", [0, 1000])
def test_recordings_are_joined_whose_picture_ends_before_their_sound(
    first_s: int, tmp_path: Path
) -> None:
    """The clock goes back, and forth, by as much for both; the picture stands still meanwhile."""
    whole = recording(tmp_path, "libx264")
    ends = ("-bsf:v", "noise=drop='gte(pts*tb,2)'", "-t", "2.4")
    source = tmp_path / "joined.ts"
    source.write_bytes(
        b"".join(
            call("-i", whole, "-c", "copy", *ends, "-output_ts_offset", str(at_s), *TO_TS)
            for at_s in (first_s, 1000 - first_s)
        )
    )
    made, out = made_of(source, tmp_path, 0)
    assert made.clock_jumps
    assert not made.constant_frame_rate
    assert flashes_s(out) == pytest.approx(clicks_s(out), abs=0.03)
    assert len(clicks_s(out)) == 4
    scores = finish(measure(source, [(made.rungs[0], out)], made, tmp_path)).of("mobile-540p")
    (ssim,) = (one for one in scores.measurements if one.metric == "ssim")
    assert (ssim.p5 or 0) > 0.9


@pytest.mark.media
def test_a_preservation_master_of_sound_with_a_pause_is_refused(tmp_path: Path) -> None:
    source = paused(tmp_path, "gap.ts", "a")
    seen = inspected(source, tmp_path / "images")
    seen = replace(seen, audio_start_s=(seen.first_picture_s,))  # MP2's first block is early
    (refused,) = plan(probe(source), seen, [profile("archive-ffv1")]).refused
    assert refused.code == "sound_has_holes"


@pytest.mark.media
def test_a_station_with_a_picture_every_twelve_seconds_is_encoded(tmp_path: Path) -> None:
    """A transport stream of sound with pictures of who speaks."""
    source = tmp_path / "station.ts"
    call(
        *("-f", "lavfi", "-i", "testsrc2=s=128x72:r=1/12:d=36"),
        *("-f", "lavfi", "-i", "anoisesrc=a=0.1:r=48000:d=36"),
        *("-c:v", "libx264", "-pix_fmt", "yuv420p", "-x264-params", "keyint=1:bframes=0"),
        *("-c:a", "mp2", source),
    )
    made, _ = made_of(source, tmp_path, 0)
    assert (made.frame_rate, made.frames) == (Fraction(1, 12), 3)


@pytest.mark.media
def test_a_file_whose_clock_jumps_and_whose_track_pauses_is_refused(tmp_path: Path) -> None:
    """Nobody can tell the one from the other in it."""
    source = tmp_path / "both.ts"
    gap = paused(tmp_path, "gap.ts", "a")
    again = call("-i", tmp_path / "whole.mkv", "-c", "copy", *TO_TS)
    source.write_bytes(gap.read_bytes() + again)
    seen = inspected(source, tmp_path / "images")
    (refused,) = plan(probe(source), seen, [profile("mobile-540p")]).refused
    assert (refused.code, seen.clock_jumps, seen.track_gaps) == ("clock_in_doubt", True, True)


def test_both_findings_refuse_sound_alone_too() -> None:
    info, seen = described(None, [STEREO])
    seen = replace(seen, clock_jumps=True, track_gaps=True)
    made = plan(info, seen, [profile("audio-access-aac")])
    assert [one.code for one in made.refused] == ["clock_in_doubt"]


def test_a_track_that_pauses_does_not_keep_a_source_in_one_piece() -> None:
    info, seen = described(HD, [STEREO], frames=1000, track_gaps=True)
    made = plan(info, seen, [profile("mobile-540p")])
    assert made.track_gaps


def presence(*bounds: float) -> Presence:
    """A track by when it begins, begins and ends to pause, …, and ends."""
    start, *pauses, end = map(Fraction, bounds)
    both = zip(pauses[::2], pauses[1::2], strict=True)
    return Presence(start, end, tuple(Pause(*one) for one in both))


@pytest.mark.parametrize(
    ("tracks", "pauses"),
    [
        ([(0, 40), (0, 10, 25, 40)], GAP),
        ([(0, 10, 25, 40), (0, 10.3, 25.1, 40)], JUMP),  # both, nearly at once
        ([(0, 10, 25, 40), (0, 10, 25, 40), (0, 40)], GAP),
        ([(0, 10, 50, 60), (0, 30, 50, 60)], Pauses(gaps=True, jumps=True)),
        ([(0, 40), (0, 25)], NOTHING),
        ([(0, 9), (0, 10, 25, 30)], JUMP),  # the other one has ended
    ],
)
def test_a_pause_is_a_gap_where_another_track_goes_on(
    tracks: list[tuple[float, ...]], pauses: Pauses
) -> None:
    assert judge_pauses([presence(*one) for one in tracks]) == pauses


def test_ffmpeg_s_words_tell_a_step_that_another_track_undoes() -> None:
    """As ffmpeg says them of a pause of sound, and where two recordings are joined."""
    words = DecoderWords()
    line = (
        "[aist#0:1/mp2 @ 0x1] [warning] timestamp discontinuity (stream id={}): {}, new offset= 0\n"
    )
    for track, step_us in ((257, 2991920000), (256, -316000)):
        words.feed(f"{line.format(track, step_us)}\n".encode())
    assert (words.jumps, words.answered) == (True, 0)
    for track, step_us in ((257, 15000000), (256, -14960000)):
        words.feed(f"{line.format(track, step_us)}\n".encode())
    assert words.answered == 1
