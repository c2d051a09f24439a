"""Cues are put in their place exactly, and nothing in their text becomes something else."""

from __future__ import annotations

import time
from fractions import Fraction

import pytest

from pipelines.errors import LimitExceeded
from pipelines.subtitles.cues import (
    MOST_AT_ONCE,
    MOST_CUE_BYTES,
    OPEN_S,
    Cue,
    ended,
    in_place,
    one_at_a_time,
    read_srt,
    srt,
    webvtt,
    within,
    without_drawings,
)
from pipelines.subtitles.timed_text import write_mp4


def cue(start_ms: int, end_ms: int, text: str = "words") -> Cue:
    return Cue(Fraction(start_ms, 1000), Fraction(end_ms, 1000), text)


def test_what_is_written_is_read() -> None:
    """Hours, milliseconds and several lines."""
    cues = [cue(2000, 3040, "你好\nHello"), cue(36_000_001, 36_000_500, "<i>late</i>")]
    assert read_srt(srt(cues)) == cues


def test_a_blank_line_inside_a_cue_does_not_end_it() -> None:
    """Some authors separate two speakers so; the line itself cannot be kept."""
    text = (
        "1\n00:00:01,000 --> 00:00:02,000\nfirst\n\nsecond\n\n2\n00:00:03,000 --> 00:00:04,000\nx\n"
    )
    assert read_srt(text) == [cue(1000, 2000, "first\nsecond"), cue(3000, 4000, "x")]


def test_cues_are_counted_from_the_first_picture() -> None:
    """What began before it begins with it, what ends after the last ends with it."""
    cues = [cue(9_000, 9_900), cue(9_500, 10_500, "early"), cue(12_000, 13_000, "two seconds")]
    cues += [cue(17_000, 20_000, "last"), cue(30_000, 31_000, "after the end")]
    assert in_place(cues, Fraction(10), Fraction(8)) == [
        cue(0, 500, "early"),
        cue(2000, 3000, "two seconds"),
        cue(7000, 8000, "last"),
    ]


def test_cues_without_length_or_text_are_not_there() -> None:
    """They would show nothing, and a muxer would trip over them."""
    cues = [cue(1000, 1000), cue(2000, 1500), cue(3000, 4000, ""), cue(5000, 6000, "kept")]
    assert in_place(cues, Fraction(0), Fraction(8)) == [cue(5000, 6000, "kept")]


def test_overlapping_cues_are_shown_together() -> None:
    """MP4 holds one at any moment; ffmpeg alone would cut the first one short."""
    assert one_at_a_time([cue(4000, 5500, "one"), cue(5000, 6000, "two")]) == [
        cue(4000, 5000, "one"),
        cue(5000, 5500, "one\ntwo"),
        cue(5500, 6000, "two"),
    ]


def test_ten_thousand_cues_at_once_take_seconds_at_most() -> None:
    """Hostile, and still in order: the screen shows the first few."""
    cues = [cue(n, 100_000, f"cue {n}") for n in range(10_000)]
    began = time.monotonic()
    shown = one_at_a_time(cues)
    assert time.monotonic() - began < 20
    assert len(shown) == 10_000
    assert shown[-1].text.splitlines() == [f"cue {n}" for n in range(MOST_AT_ONCE)]


def test_a_cue_that_no_player_would_take_is_refused() -> None:
    """By its time, so that it can be found."""
    with pytest.raises(LimitExceeded, match=r"at 2\.000 s has 90000 letters: repair"):
        in_place([cue(2000, 3000, "x" * 90_000)], Fraction(0), Fraction(8))


def test_as_many_of_the_longest_as_are_shown_fit_a_sample_of_mp4() -> None:
    longest = "字" * (MOST_CUE_BYTES // 3)
    cues = in_place([cue(0, 1000, longest)] * (MOST_AT_ONCE + 2), Fraction(0), Fraction(1))
    shown = one_at_a_time(cues)
    assert write_mp4(shown).count(longest.encode()) == MOST_AT_ONCE
    assert within(shown, Fraction(0), Fraction(1)) == shown  # for a package they are no fault


def test_webvtt_keeps_emphasis_and_escapes_everything_else() -> None:
    """`<line>` is somebody's word; a player would swallow it as a tag."""
    text = '<font color="#ff0000">{\\an8}<b>red</b></font> a < b & <line> --> c'
    shown = "<b>red</b> a &lt; b &amp; &lt;line&gt; --&gt; c"
    assert webvtt([cue(2000, 3500, text)]) == (
        f"WEBVTT\n\n00:00:02.000 --> 00:00:03.500\n{shown}\n"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a, b{\\p1}m 0 0 l 5 5{\\p0}c", "a, bc"),
        ("{\\an7\\p1}m 0 0 l 9 9", ""),
        ("a{\\p1}m 0 0{\\an7}l{\\p2}m{\\p0}b{\\p0}c", "ab{\\p0}c"),
        ("a{\\p1\\p0}m 0 0{\\p0}b{\\p1}m", "ab"),
        ("a{\\pos(1,2)}b{\\p0}{\\p1", "a{\\pos(1,2)}b{\\p0}{\\p1"),
        ("a{{\\p1}m{{\\p0}b", "a{b"),
    ],
)
def test_a_drawing_goes_to_the_block_that_ends_it(text: str, words: str) -> None:
    """Or to the end: coordinates would be shown as text. A block without its bracket is text."""
    assert without_drawings(text) == words


@pytest.mark.parametrize("text", ["{" + "\\p1" * 250_000, "{\\p1}" + "{" + "\\p0" * 250_000])
def test_a_megabyte_of_drawings_is_read(text: str) -> None:
    """Each block is looked at once: the square of its words would not end."""
    assert without_drawings(text) == ("" if "}" in text else text)


def test_a_cue_without_a_length_lasts_until_the_next_one() -> None:
    """As Matroska's without a duration; nothing takes the last one off."""
    assert ended([cue(3000, 3000, "last"), cue(1000, 1000, "first"), cue(2000, 2500)]) == [
        cue(1000, 2000, "first"),
        cue(2000, 2500),
        Cue(Fraction(3), OPEN_S, "last"),
    ]
