"""Chunks are whole shots, long enough, and begin where every rung has a frame."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_part
from pipelines.encoding.encoders import STARTS
from pipelines.encoding.join import join
from pipelines.encoding.vbv import Buffer, played
from pipelines.media import Shot
from pipelines.planning.chunks import chunks_of, why_one_chunk
from pipelines.planning.plan import Chunk, Plan, plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from tests.pipelines.sources import HD, UHD, call, described, planned

LEAST, GOP = 300, 50  # 6 s and 1 s at 50 fps


def starts(*cuts: int, frames: int, step: int = 1, least: int = LEAST) -> list[int]:
    edges = [0, *cuts, frames]
    shots = [Shot(start, end, 0.0) for start, end in pairwise(edges)]
    made = chunks_of(shots, frames, least=least, gop=GOP, step=step)
    assert [chunk.index for chunk in made] == list(range(len(made)))
    assert [chunk.end_frame for chunk in made] == [
        *(chunk.start_frame for chunk in made[1:]),
        frames,
    ], "nothing is left out and nothing is in two chunks"
    return [chunk.start_frame for chunk in made]


def test_random_cuts_give_the_chunks_that_the_rule_says() -> None:
    """Each cut is asked in turn here, as the rule is worded."""

    def next_start(start: int, cuts: Sequence[int], frames: int, least: int) -> int | None:
        for cut in cuts:
            if start + least <= cut <= min(frames - least, start + 3 * least):
                return cut
        divided = start + max(1, 2 * least // GOP) * GOP
        return divided if divided <= frames - least and frames - start > 3 * least else None

    chance = random.Random(7)
    for _ in range(200):
        frames, least = chance.randint(1000, 20_000), chance.randint(20, 500)
        cuts = sorted(chance.sample(range(1, frames), chance.randint(0, 60)))
        expected, start = [], 0
        while start is not None:
            expected.append(start)
            start = next_start(start, cuts, frames, least)
        assert starts(*cuts, frames=frames, least=least) == expected


def test_ten_hours_of_short_shots_are_divided_at_once() -> None:
    """60 000 of them: to ask each for every chunk took seconds."""
    began = time.process_time()
    made = starts(*range(30, 1_800_000, 30), frames=1_800_000)
    assert len(made) == 1_800_000 // LEAST
    assert time.process_time() - began < 2


def test_a_chunk_ends_at_the_first_cut_after_its_least_length() -> None:
    assert starts(100, 310, 400, 720, frames=1100) == [0, 310, 720]


def test_what_is_left_after_a_cut_is_never_too_short() -> None:
    """The last shot of 200 frames goes with the one before."""
    assert starts(400, 800, frames=1000) == [0, 400]


def test_a_short_programme_is_one_chunk() -> None:
    assert starts(200, frames=599) == [0]


def test_a_long_shot_is_divided_into_whole_gops() -> None:
    """Twelve seconds each, and what is left is not too short."""
    assert starts(frames=3000) == [0, 600, 1200, 1800, 2400]
    assert starts(frames=1190) == [0, 600]
    assert starts(frames=900) == [0]


def test_a_chunk_begins_where_every_rung_has_a_frame() -> None:
    """A rung at half the rate has no frame 311: the chunk begins one frame after the cut."""
    assert starts(311, frames=1000, step=2) == [0, 312]


def test_no_least_length_makes_one_chunk() -> None:
    assert starts(310, 720, frames=3000, least=0) == [0]


def test_the_plan_counts_in_frames_of_the_source() -> None:
    """From 50 fps with a rung at 25: 6 s are 300 frames, and a chunk begins at an even one."""
    shots = (Shot(0, 301, 0.1), Shot(301, 700, 0.1))
    info, seen = described(UHD, frames=700, shots=shots)
    made = plan(info, seen, [profile("cn4k-hevc-hlg"), profile("mobile-540p")])
    assert [(one.start_frame, one.end_frame) for one in made.chunks] == [(0, 302), (302, 700)]
    forced = plan(info, seen, [profile("mobile-540p")], chunk_min_s=0)
    assert [(one.start_frame, one.end_frame) for one in forced.chunks] == [(0, 700)]


@pytest.mark.parametrize(
    ("picture", "inspected", "reason"),
    [
        (HD, {"constant_frame_rate": False}, "the frame rate varies"),
        (HD, {"clock_jumps": True}, "the file's clock jumps"),
        (HD, {"steady_stamps": False}, "its time stamps do not tell which frame is which"),
        (HD, {"constant_raster": False}, "the size or the pixel format changes"),
        (replace(HD, rotation_deg=90), {}, "the file asks players to turn its picture"),
        (replace(HD, codec="avs3"), {}, "parts of avs3 are not read"),
    ],
)
def test_what_cannot_be_read_in_parts_is_one_chunk(
    picture: object, inspected: dict[str, bool], reason: str
) -> None:
    """And the plan says why, where there would have been more."""
    info, seen = described(picture, frames=1000, **inspected)  # type: ignore[arg-type]
    made = plan(info, seen, [profile("mobile-540p")])
    assert [(one.start_frame, one.end_frame) for one in made.chunks] == [(0, made.frames)]
    assert f"encoded in one piece: {reason}" in made.decisions
    assert why_one_chunk(info, seen) == reason
    brief, seen = described(picture, frames=100, **inspected)  # type: ignore[arg-type]
    said = plan(brief, seen, [profile("mobile-540p")]).decisions
    assert not any("piece" in decision for decision in said)


def test_sound_alone_has_no_chunks() -> None:
    info, seen = described(None)
    assert plan(info, seen, [profile("audio-access-aac")]).chunks == ()


@pytest.fixture
def one_core() -> Iterator[None]:
    """x264 takes one thread there: with several the bits of a frame depend on which is faster."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.media
@pytest.mark.usefixtures("one_core")
@pytest.mark.parametrize("name", ["mobile-540p", "cn4k-hevc-hlg"])
def test_chunks_at_the_cap_never_empty_the_decoder_s_buffer(name: str, tmp_path: Path) -> None:
    """Played as one they keep the rung's cap and buffer, as x264 and x265 understand them."""
    source = tmp_path / "source.mp4"
    noise = "testsrc2=s=320x180:r=25,noise=alls=60:allf=t"
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "10")
    call("-f", "lavfi", "-i", noise, "-frames:v", "200", *coding, "-y", source)
    made = planned(source, [small(name)], tmp_path)
    apart = replace(made, chunks=(Chunk(0, 0, 100), Chunk(1, 100, 200)))
    pieces = [encoded(source, apart, chunk, tmp_path) for chunk in apart.chunks]
    assert lowest(pieces, apart, tmp_path / "apart.mp4") > 0
    # Two pieces that know of no seam do empty it: the cap is reached, and the test can fail.
    alone = encoded(source, replace(made, frames=100), Chunk(0, 0, 100), tmp_path)
    assert lowest([alone, alone], apart, tmp_path / "alone.mp4") < 0


@pytest.mark.media
@pytest.mark.usefixtures("one_core")
def test_a_chunk_that_leaves_too_little_is_encoded_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Still pictures, and noise in the last second: x264 has no time left to save."""
    caplog.set_level("INFO", "pipelines.encoding.encode")
    source = tmp_path / "source.mp4"
    burst = "testsrc2=s=320x180:r=25,noise=alls=60:allf=t:enable='gte(n,75)'"
    coding = ("-c:v", "libx264", "-preset", "ultrafast", "-qp", "10")
    call("-f", "lavfi", "-i", burst, "-frames:v", "200", *coding, "-y", source)
    made = planned(source, [small("mobile-540p")], tmp_path)
    apart = replace(made, chunks=(Chunk(0, 0, 100), Chunk(1, 100, 200)))
    pieces = [encoded(source, apart, chunk, tmp_path) for chunk in apart.chunks]
    again = [record for record in caplog.records if "again" in record.message]
    assert {record.args for record in again} == {(apart.chunks[0],)}
    with av.open(str(pieces[0])) as container:
        sizes = [packet.size for packet in container.demux(video=0)]
    left_bits = played(sizes, Buffer(CAP_BPS, CAP_BPS, Fraction(25)), STARTS).end_bits
    assert left_bits >= CAP_BPS / 2, "the next one counts on half of the buffer"
    assert lowest(pieces, apart, tmp_path / "apart.mp4") > 0


def encoded(source: Path, made: Plan, chunk: Chunk, folder: Path) -> Path:
    own = folder / f"{chunk.index}-of-{made.frames}"
    own.mkdir()
    (piece,) = finish(encode_part(LocalFile(source), made, chunk, own)).files.values()
    return piece


def lowest(pieces: Sequence[Path], made: Plan, path: Path) -> float:
    """Bits in the buffer when it is emptiest, played from its usual nine tenths."""
    finish(join(made.rungs[0], pieces, [], path, made))
    full_bits, left = 0.9 * CAP_BPS, []
    with av.open(str(path)) as container:
        for packet in container.demux(video=0):
            full_bits = min(CAP_BPS, full_bits - packet.size * 8)
            left.append(full_bits)
            full_bits = min(CAP_BPS, full_bits + CAP_BPS / 25)
    return min(left)


CAP_BPS = 800_000


def small(name: str) -> Profile:
    base = profile(name)
    assert base.video is not None
    video = replace(
        replace(base.video, width=320, height=180, fit="inside", min_frame_rate=None),
        dynamic_range="sdr",
        pix_fmt="yuv420p",
        codec_profile=None,
        level=None,
        max_bitrate_bps=CAP_BPS,
        buffer_bits=CAP_BPS,
        preset="superfast",
    )
    return replace(base, video=video, audio=())
