"""A decoder's buffer, by numbers computed by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

from pipelines.encoding.encoders import HANDED_OVER, STARTS
from pipelines.encoding.vbv import Buffer, Played, buffer_of, owed_bits, played
from pipelines.planning.plan import VideoPlan, plan
from pipelines.profiles.profile import profile
from tests.pipelines.sources import UHD, described

# 100 bits arrive for each picture.
SECOND = Buffer(rate_bps=1000, size_bits=1000, frame_rate=Fraction(10))
HALF = Fraction(1, 2)


def test_pictures_leave_the_buffer_at_once_and_it_fills_between_them() -> None:
    """500 - 200 = 300, 400 - 400 = 0, 100 - 80 = 20, and 100 more have come by the next one."""
    assert played([25, 50, 10], SECOND, HALF) == Played(Fraction(0), 1, Fraction(120))


def test_a_full_buffer_takes_no_more() -> None:
    """900 - 8 = 892, 992 - 8 = 984, 1084 do not fit."""
    assert played([1, 1], SECOND, STARTS) == Played(Fraction(892), 0, Fraction(1000))


def test_what_has_not_arrived_in_time_is_less_than_nothing() -> None:
    assert played([100], SECOND, HALF) == Played(Fraction(-300), 0, Fraction(-200))


def test_a_frame_rate_that_is_no_whole_number_is_exact() -> None:
    ntsc = replace(SECOND, frame_rate=Fraction(10_000, 1001))
    assert played([25], ntsc, HALF).end_bits == 300 + Fraction(1001, 10)


def test_a_chunk_owes_what_the_next_one_counts_on() -> None:
    """Of 500 only 120 are left; the first chunk of all began with 400 more, and leaves 520."""
    assert owed_bits([25, 50, 10], SECOND, before=True) == 380
    assert owed_bits([25, 50, 10], SECOND, before=False) == 0


def test_chunks_that_owe_nothing_never_empty_the_buffer_together() -> None:
    """However full it is at a seam, each chunk finds at least what it was encoded for."""
    draw = random.Random(1)
    joined: list[int] = []
    while len(joined) < 2000:
        chunk = [draw.choice((0, 5, 12, 30)) for _ in range(20)]
        by_itself = played(chunk, SECOND, HANDED_OVER)
        if by_itself.lowest_bits >= 0 and not owed_bits(chunk, SECOND, before=True):
            joined += chunk
    assert played(joined, SECOND, HANDED_OVER).lowest_bits >= 0


def test_only_encoders_that_keep_a_buffer_are_held_to_it() -> None:
    made = plan(*described(UHD, frames=1000), [profile("mobile-720p")])
    video = made.rungs[0].video
    assert isinstance(video, VideoPlan)
    assert buffer_of(video) == Buffer(2_500_000, 5_000_000, Fraction(25))
    assert buffer_of(replace(video, codec="av1")) is None
    assert buffer_of(replace(video, max_bitrate_bps=None, buffer_bits=None)) is None
