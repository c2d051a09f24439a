"""Burnt-in timecode follows SMPTE ST 12-1."""

from __future__ import annotations

from fractions import Fraction

import pytest

from sample_media.slate import timecode

NTSC = Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("frame", "rate", "text"),
    [
        (0, Fraction(50), "10:00:00:00"),
        (149, Fraction(50), "10:00:02:49"),
        (25 * 3600, Fraction(25), "11:00:00:00"),
        (1799, NTSC, "10:00:59;29"),
        (1800, NTSC, "10:01:00;02"),
        (17982, NTSC, "10:10:00;00"),
        (3600, Fraction(60000, 1001), "10:01:00;04"),
        (24, Fraction(24000, 1001), "10:00:01:00"),
    ],
)
def test_timecode_counts_frames_and_drops_numbers(frame: int, rate: Fraction, text: str) -> None:
    """Drop-frame leaves out numbers 0 and 1 of each minute but every tenth; never a frame."""
    assert timecode(frame, rate) == text
