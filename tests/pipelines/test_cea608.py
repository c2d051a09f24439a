"""CEA-608 as letters: every mode, by the letters and times that a screen would show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from pipelines.subtitles.cea608 import Pair, read_captions
from pipelines.subtitles.cues import Cue

RATE = Fraction(30000, 1001)
RCL, BS, DER, RU2, RU3, RDC, TR = 0x20, 0x21, 0x24, 0x25, 0x26, 0x29, 0x2A
EDM, CR, ENM, EOC = 0x2C, 0x2D, 0x2E, 0x2F
ROW_15_OF_2 = (0x1C, 0x70)  # of an even channel
ROW_14, ROW_15, ITALIC_15 = (0x14, 0x50), (0x14, 0x70), (0x14, 0x6E)
Codes = Sequence[tuple[int, int]]


def control(*codes: int, first: int = 0x14) -> Codes:
    """Each of them twice, as encoders send them."""
    return [(first, code) for code in codes for _ in range(2)]


def letters(text: str) -> Codes:
    even = text + "\0" * (len(text) % 2)
    return [(ord(even[at]), ord(even[at + 1])) for at in range(0, len(even), 2)]


def sent(*parts: tuple[int, Codes], field: int = 0) -> list[Pair]:
    """Each part from a picture on, two bytes a picture, with their parity."""
    return [
        Pair((frame + offset) / RATE, field, *(_with_parity(byte) for byte in pair))
        for frame, codes in parts
        for offset, pair in enumerate(codes)
    ]


def _with_parity(byte: int) -> int:
    return byte if byte.bit_count() % 2 else byte | 0x80


def frames(cues: Iterable[Cue]) -> list[tuple[int, int | None, str]]:
    """Cues by the pictures that they begin and end with; `None` for one that nothing ends."""
    return [
        (int(c.start_s * RATE), int(c.end_s * RATE) if c.end_s < 10**6 else None, c.text)
        for c in cues
    ]


def cc1(*parts: tuple[int, Codes]) -> list[tuple[int, int | None, str]]:
    return frames(read_captions(sent(*parts)).get("CC1", []))


def test_a_pop_on_caption_is_there_from_its_end_of_caption_to_the_erasure() -> None:
    """And not while it is loaded; rows are lines, whatever the order in which they came."""
    shown = cc1(
        (10, [*control(RCL, ENM), ROW_15, *letters("below"), ROW_14, *letters("above")]),
        (40, control(EOC)),
        (90, control(EDM)),
    )
    assert shown == [(40, 90, "above\nbelow")]


def test_a_caption_replaces_the_one_before_it_at_once() -> None:
    """Two memories that change places; what was shown is loaded over only after its own erasure."""
    shown = cc1(
        (0, [*control(RCL, ENM), ROW_15, *letters("one"), *control(EOC)]),
        (50, [*control(RCL, ENM), ROW_15, *letters("two"), *control(EOC)]),
    )
    assert shown == [(7, 57, "one"), (57, None, "two")]


def test_rolled_up_lines_move_up_and_out() -> None:
    """Two rows; a line is there from its first letter on, or from when it moves another one out."""
    shown = cc1(
        (0, [*control(RU2, CR), ROW_15, *letters("first")]),
        (60, [*control(CR), ROW_15, *letters("second")]),
        (120, [*control(CR), ROW_15, *letters("third")]),
        (180, control(EDM)),
    )
    assert shown == [
        (5, 63, "first"),
        (63, 120, "first\nsecond"),
        (120, 180, "second\nthird"),
    ]


def test_a_pause_in_writing_is_seen() -> None:
    """A stenographer who thinks: what comes later is not shown early."""
    shown = cc1(
        (0, [*control(RU3), *letters("wait for it")]),
        (60, letters(" now")),
        (90, control(EDM)),
    )
    assert shown == [(2, 60, "wait for it"), (60, 90, "wait for it now")]


def test_painted_captions_are_shown_as_they_are_written() -> None:
    """And corrected: a backspace, and the rest of a row."""
    shown = cc1(
        (0, [*control(RDC), ROW_15, *letters("hallo du"), *control(BS)]),
        (60, [(0x14, 0x72), *control(DER)]),
        (90, control(EDM)),
    )
    assert shown == [(3, 61, "hallo d"), (61, 90, "hall")]


@pytest.mark.parametrize(
    ("codes", "text"),
    [
        (letters("*\\^_`{|}~"), "áéíóúç÷Ññ"),
        ([*letters("A"), (0x11, 0x37), (0x11, 0x31)], "A♪°"),
        # An extended letter takes the place of the one before it.
        ([*letters("Ue"), (0x12, 0x38), *letters("x")], "Uïx"),
        ([*letters("Ao"), (0x13, 0x33)], "Aö"),
        ([ITALIC_15, *letters("all")], "<i>all</i>"),
        (
            [*letters("a"), (0x11, 0x2E), *letters("b c"), (0x11, 0x20), *letters("d")],
            "a <i>b c</i> d",
        ),
        ([(0x14, 0x74), *letters("indented")], "indented"),
        ([*letters("a"), (0x17, 0x22), *letters("b")], "a  b"),
        (letters("a" * 40), "a" * 32),
        ([*letters(">> 1 < 2")], ">> 1 < 2"),
    ],
)
def test_letters_and_looks(codes: Codes, text: str) -> None:
    """By CTA-608-E's tables; a row has 32 columns."""
    shown = cc1((0, [*control(RCL, ENM), ROW_15, *codes, *control(EOC)]))
    assert [said for _, _, said in shown] == [text]


def test_a_letter_of_wrong_parity_is_a_block_and_such_a_control_is_none() -> None:
    """As a television set shows it; the second of the two controls is taken then."""
    pairs = sent((0, [*control(RCL, ENM), ROW_15, *letters("abcd"), *control(EOC)]))
    broken = {5: (0x80, 0), 7: (0, 0x80)}  # "a", and the first end of caption
    heard = []
    for number, one in enumerate(pairs):
        first, second = broken.get(number, (0, 0))
        heard.append(replace(one, first=one.first ^ first, second=one.second ^ second))
    assert frames(read_captions(heard)["CC1"]) == [(8, None, "█bcd")]


def test_every_channel_has_its_own_captions() -> None:
    """Two in each field, which take turns; other data and text between them are none of theirs."""
    second = [(0x1C, RCL), ROW_15_OF_2, *letters("zwei"), (0x1C, EOC)]
    first = [(0x14, RCL), ROW_15, *letters("one"), (0x14, EOC)]
    text = [(0x14, TR), *letters("weather"), *letters("page")]
    pairs = sent((0, first[:3]), (3, second[:2]), (5, first[:1]), (6, first[3:4]))
    pairs += sent((7, second[:1]), (8, second[2:]), (12, first[-1:]), (20, text))
    other = [(0x01, 0x03), *letters("name"), (0x0F, 0x1D)]
    pairs += sent((0, [(0x15, RCL), ROW_15, *letters("tr"), *other]), field=1)
    pairs += sent((10, [(0x15, RCL), *letters("es"), (0x15, EOC)]), field=1)
    assert {name: frames(cues) for name, cues in read_captions(pairs).items()} == {
        "CC1": [(12, None, "one")],
        "CC2": [(10, None, "zwei")],
        "CC3": [(12, None, "tres")],
    }


def test_what_is_written_before_any_mode_is_nobodys() -> None:
    """A programme that was cut out of another one begins anywhere."""
    assert cc1((0, [*letters("lost"), *control(CR, BS, DER)])) == []
