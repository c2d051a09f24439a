"""Frames that look like another frame of the source are found, and only those."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import (
    FILTER,
    HEIGHT,
    WIDTH,
    Pictures,
    picture_places,
    pictures_of,
    source_pictures,
    thumbs_in,
)
from pipelines.planning.plan import Chunk, plan
from pipelines.planning.plan_types import Plan, VideoPlan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sources.probe import probe
from pipelines.verification.picture_sync import Known
from pipelines.verification.picture_sync import misplaced as misplaced_in
from pipelines.verification.verify import verify
from sample_media.generate import generate
from tests.pipelines.handmade import PLAN, VIDEO
from tests.pipelines.sources import call, planned, thumbs_of

COUNT = 26
SHIFTED = [f"frame {at} shows source frame {at + 1}, planned {at}" for at in range(3)]

# Sixteen rows of thirteen samples of a real film, after which OpenCV's running sum is below zero.
GRAIN = bytes.fromhex(
    "07070707070b0a090602040b100707070707091008010905010b0707070707060c0a0604040711"
    "070707070702000c1205060c0207070707070f0a00113f53484307070707070a1b001a89893829"
    "07070707070c09080000100a010707070707050c03000a0800050707070707030b0a0407002f5b"
    "070707070710000e0a00057f9e07070707070d000a040910918f0707070707000913001012969b"
    "0d0c0e0d0902050f0b070c0a140609040207090602060904030904030103090905040a0905080b"
    "05050506050707090803020405"
)


def moving(samples: int = 2) -> Pictures:
    """Blocks of grey that pass by, so many samples a frame."""
    grey = np.random.default_rng(1).integers(40, 200, (HEIGHT // 5, 60))
    wide = np.kron(grey, np.ones((5, 5))).astype(np.float32)
    return {at: wide[:, samples * at : samples * at + WIDTH].copy() for at in range(COUNT)}


def noisy(pictures: Pictures, deviation: float) -> Pictures:
    chance = np.random.default_rng(2)
    return {
        at: (picture + chance.normal(0, deviation, picture.shape)).astype(np.float32)
        for at, picture in pictures.items()
    }


def misplaced(video: VideoPlan, plan: Plan, ours: Pictures, source: Pictures) -> list[str]:
    return misplaced_in(video, plan, ours, Known(source))


def test_thousands_of_pictures_take_little_more_than_their_bytes() -> None:
    """Three hours have ten thousand beside their seams; in floating point they took gigabytes."""
    count, size = 2000, WIDTH * HEIGHT
    raw = np.random.default_rng(3).bytes(count * size)
    tracemalloc.start()
    source = Known(pictures_of(raw, range(count)))
    ours = pictures_of(raw, range(count))
    window = {at: ours[(at + 900) % count] for at in range(1000, 1008)}
    found = misplaced_in(replace(VIDEO, frames=count), PLAN, window, source)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found[0] == "frame 1000 shows source frame 1900, planned 1000"
    assert peak_bytes < 3 * count * size


@pytest.mark.parametrize("deviation", [0.0, 1.5, 10.0])
def test_a_shift_by_one_frame_is_found_in_exact_and_in_noisy_copies(deviation: float) -> None:
    """A lossless copy has no distance at all, which is no more than the usual one."""
    source = moving()
    late = {at: source[at + 1] for at in range(COUNT - 1)}
    assert misplaced(VIDEO, PLAN, noisy(late, deviation), source) == SHIFTED


def test_one_flat_picture_does_not_hide_a_shift() -> None:
    """The root of a sum that rounding has left below zero is no number, nor is any mean with it."""
    source = moving()
    source[12] = np.full((HEIGHT, WIDTH), 29, np.float32)
    source[12][12:28, 83:96] = np.frombuffer(GRAIN, np.uint8).reshape(16, 13)
    late = {at: source[at + 1] for at in range(COUNT - 1)}
    assert misplaced(VIDEO, PLAN, noisy(late, 1.5), source) == SHIFTED


@pytest.mark.parametrize("deviation", [0.0, 1.5, 10.0])
def test_what_stands_in_its_place_is_not_told(deviation: float) -> None:
    """However coarsely it is coded."""
    assert misplaced(VIDEO, PLAN, noisy(moving(), deviation), moving()) == []


def test_a_picture_filled_up_from_its_neighbour_is_not_taken_for_it() -> None:
    """For want of bits a coder repeats two thirds of what is there."""
    pictures = noisy(moving(), 20)
    starved = {**pictures, 12: 0.65 * pictures[11] + 0.35 * pictures[12]}
    assert misplaced(VIDEO, PLAN, starved, moving()) == []


HALF = replace(VIDEO, rate_divisor=2)


def at_half_rate(pictures: Pictures) -> Pictures:
    return {at // 2: picture for at, picture in pictures.items() if at % 2 == 0}


def test_at_half_the_rate_a_picture_filled_up_is_not_the_one_left_out() -> None:
    """In a slow, soft scene two thirds of frame 12's picture and a third of 14's resemble 13's."""
    source = {at: cv2.GaussianBlur(picture, (0, 0), 1.5) for at, picture in moving(1).items()}
    ours = at_half_rate(noisy(source, 5))
    starved = {**ours, 7: 0.65 * ours[6] + 0.35 * ours[7]}
    assert misplaced(HALF, PLAN, starved, source) == []


def test_at_half_the_rate_a_frame_between_two_is_told() -> None:
    """One alone, and several side by side, as of a chunk that begins a frame late."""
    source = moving()
    ours, late = at_half_rate(noisy(source, 5)), noisy(source, 5)
    alone = misplaced(HALF, PLAN, {**ours, 7: late[13]}, source)
    assert alone == ["frame 7 shows source frame 13, planned 14"]
    chunk = {**ours, **{number: late[2 * number + 1] for number in (7, 8, 9)}}
    assert misplaced(HALF, PLAN, chunk, source) == [
        f"frame {at} shows source frame {2 * at + 1}, planned {2 * at}" for at in (7, 8, 9)
    ]


def test_the_end_of_a_fade_says_nothing() -> None:
    """Of a picture at 4 % a coder leaves flat blocks, which look like no frame of the source."""
    pictures = moving()
    dark = {at: np.rint(16 + 0.03 * pictures[at]) for at in pictures}
    flat = {at: np.rint(dark[at] / 8) * 8 for at in dark}
    assert misplaced(VIDEO, PLAN, flat, dark) == []


def test_a_fade_to_black_under_a_slate_is_where_the_slate_says() -> None:
    """A coder drops the last of a fade, and frame 24 resembles 25, in which nothing else is left;
    the slate tells, and where it is the next one's too, so is the frame.
    """
    pictures = moving()
    source = {
        at: np.concatenate([faint(picture, 0.02 * max(0, 25 - at)), slate(pictures, at)])
        for at, picture in pictures.items()
    }
    ours, flat = noisy(source, 1.5), faint(pictures[0], 0.0)
    dropped = {**ours, 24: np.concatenate([flat, slate(ours, 24)])}
    assert misplaced(VIDEO, PLAN, dropped, source) == []
    wrong = {**ours, 24: np.concatenate([flat, slate(ours, 25)])}
    assert misplaced(VIDEO, PLAN, wrong, source) == ["frame 24 shows source frame 25, planned 24"]


def faint(picture: np.ndarray, contrast: float) -> np.ndarray:
    """All but the lowest lines of a picture, nearly black."""
    return np.float32(16 + contrast * (picture[:-14] - 120))


def slate(pictures: Pictures, at: int) -> np.ndarray:
    """Those lines: they stand still but for the digits at one end."""
    return np.concatenate([pictures[at][-14:, :16], pictures[0][-14:, 16:]], axis=1)


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        pytest.param("programme_pq", 4, id="the last frame resembles the next: mapping darkens it"),
        pytest.param("programme_2160p50_hlg", 1, id="one is half a repetition of that before it"),
    ],
)
def test_the_end_of_a_tone_mapped_fade_is_where_it_was_planned(
    name: str, seconds: int, tmp_path: Path
) -> None:
    """HDR at half its rate in SDR."""
    source = generate(name, tmp_path, seconds=seconds, height=180)
    info = probe(source)
    seen = finish(inspect(source, info, tmp_path))
    made = plan(info, seen, [profile("mobile-540p")], chunk_min_s=0)
    (rung,) = made.rungs
    file = finish(encode_chunk(source, made, made.chunks[0], tmp_path)).files["mobile-540p"]
    assert rung.video is not None
    thumbs = thumbs_in(tmp_path, seen.thumbs)
    assert thumbs is not None
    true = finish(source_pictures(thumbs, made, picture_places(made)))
    raw = call("-i", file, "-vf", FILTER, "-f", "rawvideo", "-")
    ours = pictures_of(raw, range(rung.video.frames))
    assert misplaced(rung.video, made, ours, true) == []
    late = {number: ours[min(number + 1, max(ours))] for number in ours}
    assert misplaced(rung.video, made, late, true) != []


def test_a_still_scene_says_nothing() -> None:
    """Every frame fits everywhere."""
    still = dict.fromkeys(range(COUNT), moving()[0])
    assert misplaced(VIDEO, PLAN, still, still) == []


GRAINY = noisy(moving(), 40)  # every frame with its own


def test_grain_that_is_lost_or_shown_again_moves_no_frame() -> None:
    """As where bits are few: no grain at all, or every second frame with that of the one before."""
    assert misplaced(VIDEO, PLAN, noisy(moving(), 1), GRAINY) == []
    still, source = moving(0), noisy(moving(0), 40)
    grain = {at: source[at] - still[at] for at in still}
    again = {at: still[at] + grain[at // 2 * 2] / 2 for at in still}
    assert misplaced(VIDEO, PLAN, again, source) == []


def test_of_grainy_pictures_a_shift_is_found_by_the_grain_and_without() -> None:
    late = {at: GRAINY[min(at + 1, COUNT - 1)] for at in GRAINY}
    assert misplaced(VIDEO, PLAN, late, GRAINY) == SHIFTED
    smooth = {at: moving()[min(at + 12, COUNT - 1)] for at in GRAINY}
    assert misplaced(VIDEO, PLAN, smooth, GRAINY) != []


def test_of_a_still_and_grainy_scene_a_shift_is_found_on_either_side() -> None:
    """Half the grain is left, and no frame alone tells; one that its coder repeats is no shift."""
    still = moving(0)
    source = noisy(still, 20)
    ours = {at: still[at] + (source[at] - still[at]) / 2 for at in still}
    repeated = {at: ours[at - 1 if at % 4 == 3 else at] for at in ours}
    assert misplaced(VIDEO, PLAN, repeated, source) == []
    late = {at: ours[at if at < 16 else at + 1] for at in range(COUNT - 1)}
    told = [f"frame {at} shows source frame {at + 1}, planned {at}" for at in (16, 17, 18)]
    assert misplaced(VIDEO, PLAN, late, source) == told
    early = {at: ours[at - 1 if at < 10 else at] for at in range(1, COUNT)}
    told = [f"frame {at} shows source frame {at - 1}, planned {at}" for at in (1, 2, 3)]
    assert misplaced(VIDEO, PLAN, early, source) == told


@pytest.mark.media
@pytest.mark.parametrize(
    "chain",
    [
        pytest.param("testsrc=s=320x240:r=15", id="one thin gradient moves: shown early"),
        pytest.param("testsrc=s=320x240:r=25", id="the same at 25"),
        pytest.param("testsrc=s=320x240:r=30", id="the same at 30"),
        pytest.param("nullsrc=s=640x360:r=25,geq=random(1)*255:128:128", id="tape without signal"),
        pytest.param("mandelbrot=s=640x360:r=25,noise=alls=40:allf=t", id="coarse grain"),
    ],
)
def test_what_coders_cannot_show_in_its_frame_is_not_misplaced(chain: str, tmp_path: Path) -> None:
    source = tmp_path / "source.mp4"
    coded = ("-c:v", "libx264", "-crf", "12", "-preset", "ultrafast")
    call("-f", "lavfi", "-i", f"{chain},format=yuv420p", "-t", "5", *coded, source)
    made = planned(source, [replace(profile("mobile-540p"), audio=())], tmp_path)
    (rung,) = made.rungs
    whole = Chunk(0, 0, made.frames)
    files = finish(encode_chunk(source, made, whole, tmp_path)).files
    out = tmp_path / "joined.mp4"
    finish(join(rung, [files["mobile-540p"]], [], out, made))
    finish(verify(out, rung, made, source, thumbs_of(source, made)))
