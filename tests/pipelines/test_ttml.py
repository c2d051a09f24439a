"""TTML as cues: its times, its lines, and what it may not do."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.subtitles.cues import Cue
from pipelines.subtitles.sidecar import read_letters
from pipelines.subtitles.ttml import read_ttml

ROOT = (
    'xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
    'xmlns:tts="http://www.w3.org/ns/ttml#styling"'
)


def document(body: str, parameters: str = "", head: str = "") -> str:
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<tt {ROOT} {parameters}>{head}{body}</tt>'


def cues(body: str, parameters: str = "", head: str = "") -> list[tuple[Fraction, Fraction, str]]:
    found = read_ttml(document(body, parameters, head), "film.ttml")
    return [(cue.start_s, cue.end_s, cue.text) for cue in found]


@pytest.mark.parametrize(
    ("said", "parameters", "at_s"),
    [
        ("00:00:01.500", "", Fraction(3, 2)),
        ("100:00:00", 'ttp:timeBase="media"', Fraction(360_000)),
        ("00:00:01:12", 'ttp:frameRate="25"', Fraction(37, 25)),
        (
            "00:00:10:15",
            'ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"',
            10 + Fraction(15 * 1001, 30_000),
        ),
        (
            "00:00:10:15",
            'ttp:timeBase="smpte" ttp:frameRate="30" ttp:frameRateMultiplier="1000 1001"',
            Fraction(315 * 1001, 30_000),
        ),
        ("00:00:01:12.1", 'ttp:frameRate="25" ttp:subFrameRate="2"', Fraction(75, 50)),
        ("1.5h", "", Fraction(5400)),
        ("2m", "", Fraction(120)),
        ("250ms", "", Fraction(1, 4)),
        ("50f", 'ttp:frameRate="25"', Fraction(2)),
        ("20000000t", 'ttp:tickRate="10000000"', Fraction(2)),
        ("50t", 'ttp:frameRate="25"', Fraction(2)),
    ],
)
def test_times_are_exact(said: str, parameters: str, at_s: Fraction) -> None:
    """Every expression of TTML2, 12.3.1, by the parameters of the document."""
    ((start_s, _, _),) = cues(f'<body><div><p begin="{said}">x</p></div></body>', parameters)
    assert start_s == at_s


def test_times_are_counted_from_what_is_around() -> None:
    """And end with it; one after the other where the document says so."""
    assert cues(
        '<body begin="10s" end="30s"><div begin="1s"><p begin="1s" dur="2s">a</p>'
        '<p begin="2s" end="60s">b</p></div>'
        '<div timeContainer="seq"><p dur="1s">c</p><p dur="2s">d</p></div></body>'
    ) == [
        (10, 11, "c"),
        (11, 13, "d"),
        (12, 14, "a"),
        (13, 30, "b"),
    ]


def test_lines_spaces_and_italics() -> None:
    """As they would be seen; ruby is an aid to reading, and metadata are not words."""
    head = '<head><styling><style xml:id="s1" tts:fontStyle="italic"/></styling></head>'
    shown = cues(
        '<body><p begin="0s" end="1s">\n  one &amp;\n <metadata>no</metadata>two<br/> '
        '<span style="s1">three </span>four <span tts:fontStyle="normal">5</span></p>'
        '<p begin="1s" end="2s" xml:space="preserve">a  b</p>'
        '<p begin="2s" end="3s"><span tts:ruby="base">木</span><span tts:ruby="text">mù</span>'
        "</p></body>",
        head=head,
    )
    assert [text for _, _, text in shown] == ["one & two\n<i>three</i> four 5", "a  b", "木"]


def test_styles_are_said_by_way_of_others() -> None:
    """The last one named wins, an element's own word before all; a circle says nothing more."""
    head = (
        '<head><styling><style xml:id="base" tts:fontStyle="italic"/>'
        '<style xml:id="a" style="base b"/><style xml:id="b" style="a"/>'
        '<style xml:id="plain" tts:fontStyle="normal"/></styling></head>'
    )
    body = (
        '<p begin="1s" end="2s" style="a">one</p><p begin="2s" end="3s" style="a plain">two</p>'
        '<p begin="3s" end="4s" style="b" tts:fontStyle="normal">three</p>'
    )
    assert [text for *_, text in cues(f"<body>{body}</body>", head=head)] == [
        "<i>one</i>",
        "two",
        "three",
    ]


def test_what_is_not_shown_is_no_cue() -> None:
    """Hidden letters may hold visible ones; of what has no display nothing is ever seen."""
    head = '<head><styling><style xml:id="off" tts:display="none"/></styling></head>'
    body = (
        '<p begin="1s" end="2s" style="off">gone <span tts:display="auto">too</span></p>'
        '<p begin="2s" end="3s" tts:visibility="hidden">not '
        '<span tts:visibility="visible">this</span></p>'
        '<div timeContainer="seq"><p dur="3s" style="off">gone</p><p dur="1s">then</p></div>'
    )
    found = [(start_s, text) for start_s, _, text in cues(f"<body>{body}</body>", head=head)]
    assert found == [(2, "this"), (3, "then")]


def test_spans_may_come_one_after_another() -> None:
    """Each moment shows what is there."""
    assert cues(
        '<body><p begin="1s" end="4s">one <span begin="1s" end="2s">two</span></p></body>'
    ) == [(1, 2, "one"), (2, 3, "one two"), (3, 4, "one")]


def test_a_file_is_ttml_by_its_root() -> None:
    """With a prefix, a comment before it, and in UTF-16 as well; it is read as SubRip."""
    text = document('<body><p begin="1s" end="2s">木棉</p></body>').replace("?>", "?><!-- x -->")
    for raw in (text.encode(), text.encode("utf-16"), text.encode("gbk")):
        letters = read_letters(raw, "film.xml")
        assert letters.codec == "ttml"
        assert letters.text == "1\n00:00:01,000 --> 00:00:02,000\n木棉\n"
    prefixed = (
        '<tt:tt xmlns:tt="urn:x"><tt:body><tt:p begin="1s" end="2s">a</tt:p></tt:body></tt:tt>'
    )
    assert read_ttml(prefixed, "a") == [Cue(Fraction(1), Fraction(2), "a")]
    assert read_letters(prefixed.encode(), "a").codec == "ttml"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (document("<body><p>x</body>"), "well-formed"),
        ('<!DOCTYPE tt [<!ENTITY a SYSTEM "file:///etc/passwd">]><tt/>', "document type"),
        (document("<body/>"), "no words"),
        (document('<body><p begin="1s"> </p></body>'), "no words"),
        (document('<body><p begin="soon">x</p></body>'), "says the time 'soon'"),
        *(
            pytest.param(
                document(f'<body><p begin="{said.format("1" * 5000)}">x</p></body>'),
                "says the time '[0:.]*1111",
                id=said,
            )
            for said in ("{}s", "0.{}s", "{}:00:00", "00:00:00.{}", "00:00:00:{}", "00:00:00:00.{}")
        ),
        (document("<body/>", 'ttp:timeBase="clock"'), "export it with media time"),
        (document("<body/>", 'ttp:timeBase="smpte" ttp:dropMode="dropNTSC"'), "drop-frame time"),
        (document("<body/>", 'ttp:frameRate="0"'), "no frame or tick rate"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, why: str) -> None:
    """With the way out."""
    with pytest.raises(UnsupportedMedia, match=why):
        read_ttml(text, "film.ttml")


def test_bombs_are_refused() -> None:
    """Too deep, too long, and too much in one paragraph."""
    deep = document(f"<body>{'<div>' * 100}{'</div>' * 100}</body>")
    spans = "".join(f'<span begin="{n}ms">x</span>' for n in range(4000))
    many = document(f"<body><p>{spans}</p></body>")
    for text in (deep, many, document("<body>" + " " * (9 << 20) + "</body>")):
        with pytest.raises(LimitExceeded):
            read_ttml(text, "film.ttml")


def test_words_that_look_like_tags_are_words() -> None:
    """They are escaped in XML; a joiner that shows nothing keeps them from being one."""
    found = cues("<body><p begin='1s' end='2s'>a &lt;b&gt; c &lt;music&gt;</p></body>")
    assert found == [(1, 2, "a <\u2060b> c <music>")]
