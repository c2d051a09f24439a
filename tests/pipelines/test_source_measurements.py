"""The pure parts of `inspect`: time stamps, shots, fields, peaks, the storyboard's text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.inspection.fields import Fields, judge_fields
from pipelines.inspection.frame_times import FrameTimes, Timing
from pipelines.inspection.inspect_command import expected_s
from pipelines.inspection.posters import Candidate, choose
from pipelines.inspection.shots import ShotFinder
from pipelines.inspection.storyboard import Tiles, lay_out, write_storyboard
from pipelines.inspection.waveform import Peaks
from pipelines.media import Loudness, MediaInfo, Shot
from pipelines.running.raw_frames import Frame, FrameShape, RawFrames
from pipelines.sound.loudness import read_loudness
from pipelines.sound.sound_clock import SoundClock

NTSC = Fraction(30000, 1001)
GRAIN = np.random.default_rng(7)


def timing(ticks: Sequence[int], tick: str, claimed: Fraction) -> Timing:
    times = FrameTimes()
    times.feed("".join(f"{pts} {tick}\n" for pts in ticks).encode())
    return times.timing(claimed)


def test_a_clock_that_stands_still_leaves_the_claim() -> None:
    """Fifty pictures with one time stamp: nothing but the file's own rate is known."""
    found = timing([5] * 50, "1/1000", Fraction(25))
    assert (found.frame_rate, found.constant, found.duration_s) == (25, True, 2)


@pytest.mark.parametrize("first_fields", [2, 3])
@pytest.mark.parametrize("frames", [24, 96, 1000])
def test_soft_telecine_is_film_however_short_it_is(first_fields: int, frames: int) -> None:
    """Frames are shown for 2 and 3 fields in turn; no rate is the median of that."""
    fields = [first_fields if at % 2 == 0 else 5 - first_fields for at in range(frames)]
    ticks = [round(Fraction(3003, 2) * sum(fields[:at])) for at in range(frames)]
    found = timing(ticks, "1/90000", NTSC)
    assert (found.frame_rate, found.constant) == (Fraction(24000, 1001), True)


def test_a_lost_frame_is_no_cadence() -> None:
    """One of sixty at 25 fps."""
    ticks = [40 * at for at in range(60) if at != 25]
    found = timing(ticks, "1/1000", Fraction(25))
    assert (found.constant, found.steady) == (False, False)


@pytest.mark.parametrize(("end_ms", "held_ms"), [(400, 0), (420, 0), (439, 0), (440, 80)])
def test_a_last_picture_with_room_for_another_one_is_held(end_ms: int, held_ms: int) -> None:
    """Ten at 25 fps: containers may round the end of the last one, and cadences vary it."""
    times = FrameTimes()
    times.feed("".join(f"{40 * at} 1/1000\n" for at in range(10)).encode())
    found = times.timing(Fraction(25), Fraction(end_ms, 1000))
    assert found.held_s == Fraction(held_ms, 1000)
    assert (found.constant, found.duration_s) == (
        (False, Fraction(440, 1000)) if held_ms else (True, Fraction(400, 1000))
    )


def test_edits_that_are_full_of_frames_are_an_even_rate() -> None:
    """Two of a second: ffmpeg puts what follows the second one two frames late, and one goes back.

    With a frame less than there is room for nobody knows where it is missing.
    """
    ticks = [*range(25), *range(27, 51), 50]
    times = FrameTimes()
    times.feed("".join(f"{at} 1/25\n" for at in ticks).encode())
    found = times.timing(Fraction(25), Fraction(2), edited=True)
    assert (found.constant, found.steady, found.duration_s) == (True, False, 2)
    assert not times.timing(Fraction(25), Fraction(2)).constant
    assert not times.timing(Fraction(25), Fraction(51, 25), edited=True).constant


def scene(seed: int, frames: int, brightness: int = 120) -> list[Frame]:
    """Grainy pictures of one place."""
    place = np.random.default_rng(seed).integers(-60, 60, (1, 18, 32)).repeat(10, 1).repeat(10, 2)
    return [
        np.clip(brightness + place + GRAIN.normal(0, 3, place.shape), 16, 235).astype(np.uint8)
        for _ in range(frames)
    ]


def found_shots(frames: Sequence[Frame]) -> list[tuple[int, int]]:
    finder = ShotFinder()
    for frame in frames:
        finder.take(frame)
    return [(shot.start_frame, shot.end_frame) for shot in finder.shots()]


def test_an_even_grid_is_a_constant_rate() -> None:
    """And the frames divide the time."""
    found = timing(range(3600, 3600 * 51, 3600), "1/90000", Fraction(25))
    assert found.constant
    assert (found.frame_rate, found.duration_s) == (Fraction(25), Fraction(2))
    assert found.first_s == Fraction(1, 25)


def test_a_wrong_claim_is_corrected_by_the_stamps() -> None:
    """The container said 25; 250 frames are 29.97 apart."""
    ticks = [round(n * 90000 / NTSC) for n in range(250)]
    assert timing(ticks, "1/90000", Fraction(25)).frame_rate == NTSC


def test_a_short_clip_with_coarse_stamps_keeps_its_claim() -> None:
    """Milliseconds over one second cannot tell 29.97 from 30."""
    ticks = [round(n * 1000 / NTSC) for n in range(30)]
    assert timing(ticks, "1/1000", NTSC).frame_rate == NTSC


def test_one_frame_has_the_claimed_rate() -> None:
    """A still has no interval."""
    found = timing([0], "1/25", Fraction(25))
    assert (found.constant, found.duration_s) == (True, Fraction(1, 25))


def test_a_missing_frame_makes_the_rate_variable() -> None:
    """All after it are a whole frame late."""
    found = timing([0, 1, 2, 3, 5, 6, 7, 8, 9, 10], "1/25", Fraction(25))
    assert (found.constant, found.frame_rate) == (False, Fraction(25))
    assert found.duration_s == Fraction(11, 25)
    assert found.since_first_s(4) == Fraction(5, 25)


def test_a_phone_s_rate_is_what_it_meant() -> None:
    """Most intervals are 1/30 s; a few are longer."""
    steps = [33, 33, 34, 33, 66, 33, 33, 34, 33, 100] * 5
    found = timing(np.cumsum([0, *steps]).tolist(), "1/1000", Fraction(2314, 100))
    assert (found.constant, found.frame_rate) == (False, Fraction(30))


@pytest.mark.parametrize("rate", [Fraction(60), Fraction(24), Fraction(60000, 1001)], ids=str)
def test_milliseconds_of_a_screen_recording_are_the_rate_that_they_round(rate: Fraction) -> None:
    """60 pictures a second are 17 ms more often than 16 apart, which alone is 60000/1001."""
    shown = [*range(200), *range(260, 460), 700]  # while nothing moves there is none
    found = timing([round(at * 1000 / rate) for at in shown], "1/1000", Fraction(1933, 100))
    assert (found.constant, found.frame_rate) == (False, rate)


def test_frames_without_stamps_follow_the_claim() -> None:
    """A bare elementary stream may have none."""
    found = timing([0, 1], "1/25", Fraction(50))
    assert found.frame_rate == 25
    times = FrameTimes()
    times.feed(b"NOPTS 1/25\nNOPTS 1/25\n")
    assert times.timing(Fraction(50)).duration_s == Fraction(1, 25)


def test_a_hard_cut_is_found_on_its_frame() -> None:
    """Neither early nor late, through grain."""
    assert found_shots([*scene(1, 30), *scene(2, 20)]) == [(0, 30), (30, 50)]


def test_a_flash_is_no_cut() -> None:
    """One or two white frames, and the place is still there."""
    flash = [np.full((1, 180, 320), 235, np.uint8)]
    assert found_shots([*scene(1, 20), *flash, *scene(1, 20), *flash * 2, *scene(1, 20)]) == [
        (0, 63)
    ]


def test_a_pan_is_no_cut() -> None:
    """Every frame differs from the last, and none more than the others."""
    wide = np.random.default_rng(3).integers(20, 220, (1, 18, 96)).astype(np.uint8)
    wide = wide.repeat(10, 1).repeat(10, 2)
    assert found_shots([wide[:, :, 8 * n : 8 * n + 320] for n in range(60)]) == [(0, 60)]


def test_a_fade_is_no_cut() -> None:
    """The light goes out over a second; the shot ends where the black does."""
    (still,) = scene(4, 1)
    fade = [(16 + (still - 16.0) * (1 - n / 25)).astype(np.uint8) for n in range(26)]
    black = [np.full((1, 180, 320), 16, np.uint8)] * 10
    assert found_shots([*scene(4, 30), *fade, *black, *scene(5, 30)]) == [(0, 66), (66, 96)]


def test_a_still_shot_has_no_complexity_and_grain_has_some() -> None:
    """The mean change a frame, without the cut's own."""
    finder = ShotFinder()
    for frame in [*scene(1, 1) * 20, *scene(2, 20)]:
        finder.take(frame)
    still, grainy = finder.shots()
    assert still.complexity == 0
    assert 0.005 < grainy.complexity < 0.03


@pytest.mark.parametrize(
    ("claimed", "height", "counts", "order", "told"),
    [
        ("tt", 1080, (900, 0, 10, 90), "tt", False),
        ("tt", 1080, (0, 0, 900, 100), "tt", True),  # PsF: told, not changed
        ("progressive", 576, (900, 0, 10, 90), "progressive", True),
        ("progressive", 1080, (0, 0, 0, 500), "progressive", False),
        ("progressive", 720, (900, 0, 10, 90), "progressive", False),  # no such interlaced raster
        (None, 576, (0, 900, 10, 90), "bb", False),
        (None, 576, (0, 0, 900, 90), "progressive", False),
        (None, 576, (300, 5, 600, 90), "tt", False),  # a part is woven
        ("progressive", 1080, (300, 5, 600, 90), "progressive", True),
        ("bb", 1080, (300, 5, 600, 90), "bb", True),
        ("tt", 2160, (0, 0, 0, 0), "tt", True),  # no such interlaced raster
        (None, 2160, (900, 0, 0, 0), "progressive", False),
    ],
)
def test_a_claim_stands_and_a_contradiction_is_told(
    claimed: str | None, height: int, counts: tuple[int, ...], order: str, *, told: bool
) -> None:
    """Only a stream that says nothing is decided by its pictures."""
    kinds = ("tff", "bff", "progressive", "undetermined")
    pairs = zip(kinds, counts, strict=True)
    log = "\n".join(f"lavfi.idet.multiple.{kind}={count}.00" for kind, count in pairs)
    found: Fields = judge_fields(claimed, height, log)  # type: ignore[arg-type]
    assert (found.order, found.finding is not None) == (order, told)


@pytest.mark.parametrize(
    ("claimed", "counts", "seen"),
    [
        ("tt", (0, 0, 1000, 0), "progressive"),
        ("tt", (50, 0, 900, 50), None),  # a still tape with a little motion: fields it has
        ("progressive", (900, 5, 10, 90), "tt"),
        ("progressive", (5, 900, 10, 90), "bb"),
        ("progressive", (410, 350, 200, 0), None),  # fine patterns look woven both ways
        ("tt", (900, 0, 10, 90), None),
        ("bb", (900, 0, 10, 90), "tt"),  # flagged in the wrong order
        ("bb", (500, 400, 10, 90), None),
        ("tt", (0, 850, 150, 0), "bb"),  # and a part of it is progressive
        ("tt", (850, 0, 150, 0), None),
        (None, (900, 0, 10, 90), None),
    ],
)
def test_only_a_plain_contradiction_changes_what_is_deinterlaced(
    claimed: str | None, counts: tuple[int, ...], seen: str | None
) -> None:
    """PsF would lose half its lines, and hidden fields would be combed in every frame."""
    kinds = ("tff", "bff", "progressive", "undetermined")
    pairs = zip(kinds, counts, strict=True)
    log = "\n".join(f"lavfi.idet.multiple.{kind}={count}.00" for kind, count in pairs)
    assert judge_fields(claimed, 1080, log).seen == seen  # type: ignore[arg-type]


def test_loudness_is_read_from_the_last_block_before_the_added_one() -> None:
    """True peak comes as a linear value, and from all of them."""
    log = (
        "lavfi.r128.I=-70.000\nlavfi.r128.true_peak=0.000\n"
        "lavfi.r128.I=-23.021\nlavfi.r128.LRA=4.200\nlavfi.r128.LRA.low=-30.000\n"
        "lavfi.r128.true_peaks_ch0=0.100\nlavfi.r128.true_peak=0.301\n"
        "lavfi.r128.I=-24.000\nlavfi.r128.LRA=5.200\nlavfi.r128.true_peak=0.501"
    )
    assert read_loudness(2, log, 9.0) == Loudness(2, -23.021, 4.2, -6.0)
    assert read_loudness(2, log, 2.0).range_lu is None


def test_holes_in_the_sound_are_told() -> None:
    """Rounding of a container is no hole, 100 ms are one."""
    clock = SoundClock(48000)
    clock.feed(b"480 1/48000 1024\n1504 1/48000 1024\n2530 1/48000 1024\n8354 1/48000 1024\n")
    assert clock.start_s == Fraction(1, 100)
    assert clock.holes == [Fraction(8354, 48000)]


def clock_of(ahead_ticks: Callable[[int], int], blocks: int) -> SoundClock:
    """Blocks of MPEG-1 layer II at 48 kHz, on a clock of 90 kHz: 2160 ticks each."""
    clock = SoundClock(48000)
    clock.feed(
        "".join(f"{2160 * n + ahead_ticks(n)} 1/90000 1152\n" for n in range(blocks)).encode()
    )
    return clock


def test_small_steps_that_add_up_are_a_drift() -> None:
    """Half a per cent: a fifth of a second in forty, no step of which is a tenth of a hole."""
    clock = clock_of(lambda n: round(2160 * n / 200), 1666)
    assert (clock.holes, clock.slips) == ([], 13)
    assert float(clock.drift_s) == pytest.approx(0.197, abs=0.003)
    slow = clock_of(lambda n: -round(2160 * n / 1000), 1666)
    assert (slow.slips, float(slow.drift_s)) == (2, pytest.approx(-0.0395, abs=0.001))


def test_jitter_and_rounding_are_no_drift() -> None:
    """Each block up to 7 ms off its place, as streams come over a network."""
    off = np.random.default_rng(5).integers(-630, 630, 4000)
    clock = clock_of(lambda n: int(off[n]), len(off))
    assert (clock.holes, clock.slips) == ([], 0)
    assert abs(clock.drift_s) < Fraction(5, 1000)


def test_what_a_hole_moves_is_no_drift() -> None:
    """A tenth of a second is missing in the middle."""
    clock = clock_of(lambda n: 9000 * (n >= 100), 200)
    assert (len(clock.holes), clock.slips, clock.drift_s) == (1, 0, 0)


def test_frames_are_cut_from_any_blocks() -> None:
    """A pipe knows no frames."""
    seen: list[int] = []
    frames = RawFrames(FrameShape(1, 2, 2, wide_samples=True), lambda f: seen.append(int(f.sum())))
    stream = np.arange(12, dtype="<u2").tobytes()
    for at in range(0, len(stream), 5):
        frames.feed(stream[at : at + 5])
    assert seen == [6, 22, 38]


def test_peaks_keep_the_extremes_of_every_bucket() -> None:
    """Both signs, the louder channel, and the rest at the end."""
    peaks = Peaks(channels=2, sample_rate_hz=100, expected_s=Fraction(1))
    samples = np.zeros((5, 2), "<f4")
    samples[1] = (0.5, -1.0)
    samples[4] = (0.0, 1.0)
    for byte in samples.tobytes():
        peaks.feed(bytes([byte]))
    record = peaks.record()
    assert (record["samples_per_pixel"], record["length"], peaks.samples) == (2, 3, 5)
    assert record["data"] == [-127, 64, 0, 0, 0, 127]


def test_sound_of_few_samples_a_second_has_a_peak_for_each() -> None:
    """As a track of sensor data has them."""
    peaks = Peaks(channels=1, sample_rate_hz=49, expected_s=Fraction(1))
    peaks.feed(np.array([0.5, -1.0], "<f4").tobytes())
    record = peaks.record()
    assert (record["samples_per_pixel"], record["data"]) == (1, [64, 64, -127, -127])


def test_the_storyboard_s_cues_follow_each_other(tmp_path: Path) -> None:
    """Over the edge of a sheet, and to the end of the programme."""
    tiles = Tiles(every_frames=250, width=240, height=136, rows=1)
    board = write_storyboard(tmp_path, tiles, [Fraction(10 * n) for n in range(6)], Fraction(3661))
    assert board.images == ("sprite-001.jpg", "sprite-002.jpg")
    assert (tmp_path / board.vtt).read_text() == (
        "WEBVTT\n\n"
        "00:00:00.000 --> 00:00:10.000\nsprite-001.jpg#xywh=0,0,240,136\n\n"
        "00:00:10.000 --> 00:00:20.000\nsprite-001.jpg#xywh=240,0,240,136\n\n"
        "00:00:20.000 --> 00:00:30.000\nsprite-001.jpg#xywh=480,0,240,136\n\n"
        "00:00:30.000 --> 00:00:40.000\nsprite-001.jpg#xywh=720,0,240,136\n\n"
        "00:00:40.000 --> 00:00:50.000\nsprite-001.jpg#xywh=960,0,240,136\n\n"
        "00:00:50.000 --> 01:01:01.000\nsprite-002.jpg#xywh=0,0,240,136\n"
    )


@pytest.mark.parametrize(
    ("seconds", "every", "rows"),
    [(3, 20, 2), (60, 25, 5), (7200, 500, 5), (Fraction(1, 50), 20, 1)],
)
def test_a_long_programme_gets_no_more_than_a_tile_each_ten_seconds(
    seconds: Fraction, every: int, rows: int
) -> None:
    """And a short one enough of them to scrub."""
    tiles = lay_out((3840, 2160), Fraction(50), Fraction(seconds))
    assert (tiles.every_frames, tiles.rows) == (every, rows)
    assert (tiles.width, tiles.height) == (240, 136)


@pytest.mark.parametrize(
    ("format_name", "claimed", "lasts"),
    [("mpegts", 1, 2880), ("mpegts", 36000, 36000), ("mov,mp4", 1, 1), ("h264", None, 2880)],
)
def test_a_clock_that_begins_anew_says_nothing_of_how_long_it_is(
    format_name: str, claimed: int | None, lasts: int
) -> None:
    """Ten hours of 8 Mbit/s, whose first and last stamps are a second apart, would have become
    90000 tiles and 45000 posters.
    """
    size_bytes = 36_000_000_000
    duration_s = None if claimed is None else Fraction(claimed)
    assert expected_s(MediaInfo(format_name, size_bytes, duration_s, (), ())) == lasts


def test_posters_come_from_different_shots_first() -> None:
    """Three good frames of one shot do not crowd out another shot."""
    shots = (Shot(0, 100, 0), Shot(100, 200, 0))
    ranked = [Candidate(n, frame, 1 - n / 10) for n, frame in enumerate((50, 60, 90, 120))]
    assert [one.frame for one in choose(ranked, shots)] == [50, 120, 90]


def test_stamps_tell_which_frame_is_which_where_they_are_near_their_grid() -> None:
    """Constant all the same: what is half a frame off is one frame's or the next one's."""
    near = timing([5, *range(40, 4000, 40)], "1/1000", Fraction(25))
    assert (near.constant, near.steady) == (True, True)
    off = timing([20, *range(40, 4000, 40)], "1/1000", Fraction(25))
    assert (off.constant, off.steady) == (True, False)
    assert not timing([5] * 50, "1/1000", Fraction(25)).steady
