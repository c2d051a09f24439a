"""Cues of subtitle files: each is read, or the file is refused with the way out."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

from pipelines.errors import UnsupportedMedia
from pipelines.subtitles.cues import Cue
from pipelines.subtitles.sidecar import read_letters
from pipelines.subtitles.sidecar_cues import cues_of_file

SIDECAR = "1\n00:00:01,000 --> 00:00:02,000\nwords\n"


@pytest.mark.parametrize(
    "times",
    [
        "00:00:01,000 --> 00:00:02,500",
        "00:01,000 --> 00:02,500",
        "00:00:01:000 --> 00:00:02:500",
        "0:0:1.000->0:0:2.500",
        "00:00:01 --> 0:00:02.5000",
        "00:01:000 --> 00:02:500",
        "  00:00:01,000   -->  00:00:02,500  X1:100 X2:200 Y1:1 Y2:2",
    ],
)
@pytest.mark.parametrize("head", ["", "WEBVTT\n\n"], ids=["subrip", "webvtt"])
def test_times_are_read_as_people_write_them(times: str, head: str) -> None:
    """Where nobody could read them otherwise; they were lost, or shown as words."""
    numbers = "1\n{}\nfirst\n\n2\n00:00:03,000 --> 00:00:04,000\n1984\n\nsecond\n"
    text = head + (numbers.replace("1984\n\n", "1984\n") if head else numbers).format(times)
    letters = read_letters(text.encode(), "film.srt")
    assert cues_of_file(letters.codec, letters.text, "film.srt") == [
        Cue(Fraction(1), Fraction(5, 2), "first"),
        Cue(Fraction(3), Fraction(4), "1984\nsecond"),
    ]


@pytest.mark.parametrize(
    "times",
    [
        "00:00:03, 500 --> 00:00:04,000",
        "00:00:03 ,500 --> 00:00:04,000",
        "00:00: 03,500 --> 00:00:04,000",
        "00:00:03,500 - -> 00:00:04,000",
        "00:00:03,500 –> 00:00:04,000",
        "00:00:03,500 –-> 00:00:04,000",
        "00:00:03,500 → 00:00:04,000",
        "\u200e00:00:03,500 --> 00:00:04,000",
        "\u202a00:00:03,500 --> 00:00:04,000\u202c",
        "\ufeff00:00:03,500 --> 00:00:04,000",
        "00：00：03，500 --> 00：00：04，000",
        "００:００:０３．５００ －－＞ ００:００:０４．０００",
    ],
)
@pytest.mark.parametrize("head", ["", "WEBVTT\n\n"], ids=["subrip", "webvtt"])
def test_times_of_other_keyboards_are_read(times: str, head: str) -> None:
    """As one cue of three: it was shown among the words of the one before."""
    text = f"{head}{SIDECAR}\n\u200e2\n{times}\nsecond\n\n3\n00:00:05,000 --> 00:00:06,000\nthird\n"
    letters = read_letters(text.encode(), "film.srt")
    assert cues_of_file(letters.codec, letters.text, "film.srt") == [
        Cue(Fraction(1), Fraction(2), "words"),
        Cue(Fraction(7, 2), Fraction(4), "second"),
        Cue(Fraction(5), Fraction(6), "third"),
    ]


@pytest.mark.parametrize(
    ("times", "read"),
    [
        ("00:00:01,5 --> 00:00:02,0", (Fraction(3, 2), Fraction(2))),
        ("00:00:01,50 --> 00:00:02,05", (Fraction(3, 2), Fraction(41, 20))),
        ("00:00:01 --> 00:00:02.50", (Fraction(1), Fraction(5, 2))),
        ("00:00:01.500000 --> 00:00:02,050", (Fraction(3, 2), Fraction(41, 20))),
    ],
)
@pytest.mark.parametrize("head", ["", "WEBVTT\n\n"], ids=["subrip", "webvtt"])
def test_a_fraction_is_one_where_all_have_as_many_digits(
    times: str, read: tuple[Fraction, Fraction], head: str
) -> None:
    """A half was read as five thousandths."""
    letters = read_letters(f"{head}1\n{times}\nwords\n".encode(), "film.srt")
    assert cues_of_file(letters.codec, letters.text, "film.srt") == [Cue(*read, "words")]


@pytest.mark.parametrize("head", ["", "WEBVTT\n\n"], ids=["subrip", "webvtt"])
@pytest.mark.parametrize("said", ["00:00:03,5", "00:00:03,50"])
def test_fractions_that_may_be_thousandths_are_refused(said: str, head: str) -> None:
    """Where zeros are left out, `5` is five of them."""
    text = f"{head}{SIDECAR}\n2\n{said} --> 00:00:04,000\nsecond\n"
    why = f"{said} --> 00:00:04,000': write all with three, as 00:00:01,500"
    with pytest.raises(UnsupportedMedia, match=re.escape(why)):
        read_letters(text.encode(), "film.srt")


def test_what_was_moved_before_the_first_picture_keeps_its_times() -> None:
    """Somebody has moved all cues back."""
    text = f"1\n-00:00:03,500 --> -00:00:02,000\ngone\n\n{SIDECAR}"
    assert cues_of_file("subrip", text, "a.srt") == [
        Cue(Fraction(-7, 2), Fraction(-2), "gone"),
        Cue(Fraction(1), Fraction(2), "words"),
    ]


@pytest.mark.parametrize(
    "times",
    [
        "00:00:03,500 => 00:00:04,000",
        "00:00:03,500 > 00:00:04,000",
        "00:00:03,500 - 00:00:04,000",
        "00:00:03,500 ~ 00:00:04,000",
        "00:00:03;500 --> 00:00:04;000",
        "[00:00:03.500 --> 00:00:04.000] second",
        "> 00:00:03,500 --> 00:00:04,000",
        "00:00:03,500 –>",
        "→ 00:00:04,000",
    ],
)
def test_what_looks_like_two_times_is_refused(times: str) -> None:
    """By its line: it was shown among the words of the cue before."""
    text = f"{SIDECAR}\n2\n{times}\nsecond\n\n3\n00:00:05,000 --> 00:00:06,000\nthird\n"
    with pytest.raises(UnsupportedMedia, match=re.escape(f"cannot be read, {times!r}: write them")):
        read_letters(text.encode(), "film.srt")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1\n{}\nfirst\n\n2\n\n{}\nsecond\n", ["first", "second"]),
        ("1\n\n{}\n\n1949\n\n2\n\n{}\n\n1950\n", ["1949", "1950"]),
        ("1\n{}\n\n2\n\n{}\nsecond\n", ["", "second"]),
        ("1\n{}\nfirst\n\n2\n{}\nsecond\n\n3\n\n", ["first", "second"]),
        ("{}\n1949\n\n{}\nyears\n\n10\n", ["1949", "years\n10"]),
        ("1\n{}\n1949\n\n{}\nand\n10\n", ["1949", "and\n10"]),
    ],
)
def test_the_number_of_a_cue_is_no_word(text: str, said: list[str]) -> None:
    """Where it is one: a cue may say a number."""
    text = text.format("00:00:01,000 --> 00:00:02,000", "00:00:03,000 --> 00:00:04,000")
    assert [cue.text for cue in cues_of_file("subrip", text, "a.srt")] == said


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("WEBVTT\n", "has no words with times"),
        ("WEBVTT\n\nNOTE nothing\n", "has no words with times"),
        ("[Script Info]\nTitle: a\n", "has no words with times"),
        (SIDECAR + "\n2\n00:00:02:12 --> 00:00:03:00\nframes\n", "'00:00:02:12 --> 00:00:03:00'"),
        (SIDECAR + "\n2\n00:00:02,500 -->\nhalf\n", "says times that cannot be read"),
        (
            "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:900,LOCAL:00:00.000\n\n00:01.000 --> 00:02.000\na\n",
            "export it with times from the first picture",
        ),
        (
            "WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:01:00.000,MPEGTS:0\n\n01:01.000 --> 01:02.000\na\n",
            "export it with times from the first picture",
        ),
    ],
)
def test_a_file_of_which_cues_would_be_lost_is_refused(text: str, why: str) -> None:
    """With the way out: it became an empty track, or one with times among its words."""
    with pytest.raises(UnsupportedMedia, match=re.escape(why)):
        read_letters(text.encode(), "film.srt")


def test_notes_names_and_styles_of_webvtt_are_no_words() -> None:
    """W3C WebVTT, 4.1; a cue may have a name."""
    text = (
        "WEBVTT\nKind: captions\n\nSTYLE\n::cue { color: red }\n\nNOTE\na --> b\n\n"
        "first\n00:01.000 --> 00:02.000 line:0\none\n\n00:03.000 --> 00:04.000\ntwo\n"
    )
    assert cues_of_file("webvtt", text, "a.vtt") == [
        Cue(Fraction(1), Fraction(2), "one"),
        Cue(Fraction(3), Fraction(4), "two"),
    ]


def test_a_cue_that_ends_before_it_begins_lasts_until_the_next_one() -> None:
    """Somebody has typed it so; the words are true."""
    text = "1\n00:00:03,000 --> 00:00:02,000\none\n\n2\n00:00:04,000 --> 00:00:05,000\ntwo\n"
    assert cues_of_file("subrip", text, "a.srt") == [
        Cue(Fraction(3), Fraction(4), "one"),
        Cue(Fraction(4), Fraction(5), "two"),
    ]


def test_words_with_arrows_are_no_times() -> None:
    """People write them in what is shown."""
    said = "10 -> 20\n10:30 -> 11:00 lunch\na --> b\n10:30:00 - 11:00:00\n2:1 → 3:1\n– 3, 4 …"
    text = f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n"
    assert cues_of_file("subrip", text, "a.srt") == [Cue(Fraction(1), Fraction(2), said)]


@pytest.mark.parametrize("text", ["1:00:" * 200_000, "1:" * 500_000 + "-->", " " * 1_000_000 + "1"])
def test_a_megabyte_of_what_may_be_times_is_read(text: str) -> None:
    """Each line is looked at once: their square would not end. As words they are too many."""
    whole = f"{SIDECAR}{text}\n"
    if text.strip() == "1":
        assert len(cues_of_file("subrip", whole, "a.srt")) == 1
    else:
        with pytest.raises(UnsupportedMedia, match="more than 7500 bytes of letters"):
            cues_of_file("subrip", whole, "a.srt")
