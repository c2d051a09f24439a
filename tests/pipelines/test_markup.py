"""Words in brackets, braces and after backslashes are words, from whatever file they come."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from html import escape
from pathlib import Path

import pytest

from pipelines.errors import UnsupportedMedia
from pipelines.media import SubtitleTrack
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.subtitles.cues import Cue
from pipelines.subtitles.letter_tracks import read_position, unreadable_tracks
from pipelines.subtitles.markup import Look, looks, of_ass, of_subrip, of_webvtt, styles_of_ass
from pipelines.subtitles.sidecar import read_sidecar
from pipelines.subtitles.sidecar_cues import cues_of_file
from pipelines.subtitles.subtitle_tracks import encode_subtitles, write_webvtt
from pipelines.subtitles.timed_text import read_sample, styled, write_mp4
from tests.pipelines.sources import HD, call, described

SAID = "<music> a <b and c> d {x} C:\\News & 1 < 2"
SRT = "1\n00:00:01,000 --> 00:00:02,000\n{}\n"
VTT = "WEBVTT\n\n00:01.000 --> 00:02.000\n{}\n"
TTML = '<tt xmlns="http://www.w3.org/ns/ttml"><body><p begin="1s" end="2s">{}</p></body></tt>'
EVENTS = (
    "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, Start, End, Style, Name, MarginL, "
    "MarginR, MarginV, Effect, Text\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{}\n"
)
SHOWN = [Cue(Fraction(1), Fraction(2), SAID)]


def as_it_is(text: str) -> str:
    return text


def of_html(text: str) -> str:
    return escape(text, quote=False)


def made(track: SubtitleTrack, source: Path, folder: Path) -> list[Path]:
    """For MP4 and Matroska, in which a track of another file is kept as it is."""
    info, seen = described(HD)
    names = ("mobile-540p", "archive-ffv1")
    resolved = plan(replace(info, subtitles=(track,)), seen, [profile(name) for name in names])
    files = finish(encode_subtitles(source, resolved, folder)).files
    return [files[one.key] for rung in resolved.rungs for one in rung.subtitles]


@pytest.mark.media
@pytest.mark.parametrize(
    ("text", "escaped"),
    [(SRT, as_it_is), (VTT, of_html), (TTML, of_html)],
    ids=["SubRip", "WebVTT", "TTML"],
)
def test_words_of_a_file_stay_as_they_are(
    text: str, escaped: Callable[[str], str], tmp_path: Path
) -> None:
    """In MP4, in preservation and in the package."""
    path = tmp_path / "film.txt"
    path.write_text(text.replace("{}", escaped(SAID)), "utf-8")
    files = made(read_sidecar(path, "en", 0, tmp_path), path, tmp_path)
    for file in files:
        assert finish(read_position(file, 0)) == SHOWN
    finish(write_webvtt(files[0], 0, Fraction(4), tmp_path / "a.vtt"))
    assert f"\n{of_html(SAID)}\n" in (tmp_path / "a.vtt").read_text("utf-8")


@pytest.mark.media
def test_words_of_ass_stay_as_they_are(tmp_path: Path) -> None:
    r"""`\N` is the end of a line there, as everybody knows who writes it."""
    path = tmp_path / "film.ass"
    path.write_text(EVENTS.replace("{}", r"<music> a <b and c> d \{x\}{or y?}\NC:\Users"), "utf-8")
    expected = "<music> a <b and c> d {x}\nC:\\Users"
    for file in made(read_sidecar(path, "en", 0, tmp_path), path, tmp_path):
        (cue,) = finish(read_position(file, 0))
        assert cue.text == expected


@pytest.mark.media
@pytest.mark.parametrize("codec", ["mov_text", "subrip", "webvtt", "ass"])
def test_words_of_a_masters_own_track_stay_as_they_are(codec: str, tmp_path: Path) -> None:
    """From every kind of packet that a master has."""
    # A line ends at `\N` there, and what is in braces is a note.
    said = SAID.replace("\\N", "\\P").replace("{x}", "x") if codec == "ass" else SAID
    source, text = tmp_path / "a.mkv", tmp_path / "a.txt"
    if codec == "mov_text":
        source.write_bytes(write_mp4([Cue(Fraction(1), Fraction(2), said)]))
    else:
        kinds = {"subrip": (SRT, said), "webvtt": (VTT, of_html(said)), "ass": (EVENTS, said)}
        words, written = kinds[codec]
        text.write_text(words.replace("{}", written), "utf-8")
        call("-f", codec.replace("subrip", "srt"), "-i", text, "-c", "copy", source)
    for file in made(SubtitleTrack(0, codec, text=True), source, tmp_path):
        assert finish(read_position(file, 0)) == [Cue(Fraction(1), Fraction(2), said)]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{\\an8}<b>up</b> <s>gone</s> {x} <music>", "<b>up</b> gone {x} <music>"),
        ("{y:i}all &amp; <font color=red>red</font>", "all &amp; <font color=red>red</font>"),
    ],
)
def test_tags_of_subrip_are_those_that_players_know(text: str, read: str) -> None:
    """It has no escapes: an ampersand is one."""
    assert of_subrip(text) == read


@pytest.mark.parametrize(
    ("said", "colour"),
    [
        ("yellow", "ffff00"),
        ('"Cyan"', "00ffff"),
        ("'orange'", "ffa500"),
        ('"#0f8"', "00ff88"),
        ('"#00FF80"', "00ff80"),
        ("00ff80", "00ff80"),
        ('"#80ffff00"', None),
        ('"nothing"', None),
    ],
)
def test_a_colour_may_have_a_name(said: str, colour: str | None) -> None:
    """By which people tell speakers apart; one that nobody knows is none."""
    text = of_subrip(f'<font face="Arial" color={said}>words</font>')
    assert list(looks(text)) == [("words", Look(colour=colour))]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<v Bob>Hi <b.loud>you</b> <00:01.500>there", "Hi <b>you</b> there"),
        ("&lt;music&gt; A &amp; B", "<music> A & B"),
        ("x &lt;b&gt; y", "x <\u2060b> y"),
        ("a <c", "a "),
        ("<c.yellow>a</c> b", '<font color="#ffff00">a</font> b'),
        ("<c.lime.bg_black><c>a</c>b</c>c", '<font color="#00ff00">ab</font>c'),
        ("<v.loud.cyan Bob>a", '<font color="#00ffff">a</font>'),
        ("<b.red>a</b> <c.name>b</c>", '<b><font color="#ff0000">a</font></b> b'),
    ],
)
def test_tags_of_webvtt_are_all_that_is_in_brackets(text: str, read: str) -> None:
    """What is escaped is none, even if it looks like one."""
    assert of_webvtt(text) == read


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("{\\c&H0000FF&}red{\\r} plain", '<font color="#ff0000">red</font> plain'),
        ("a {\\i1}b{\\i0} c\\Nd\\he", "a <i>b</i> c\nd e"),
        ("{\\b1\\i1}both{\\b0} one", "<b><i>both</i></b><i> one</i>"),
        ("{\\b700}bold{\\b400} not", "<b>bold</b> not"),
        ("said {TL: or told?}once {open", "said once {open"),
        ("{\\clip(1,2,3,4)\\bord2\\blur3\\iclip(1)}words \\{x\\}", "words {x}"),
    ],
)
def test_overrides_of_ass_become_tags(text: str, read: str) -> None:
    """Those of letters; borders and clips are others."""
    assert of_ass(text) == read


@pytest.mark.parametrize(
    ("of", "text", "read"),
    [
        (of_subrip, "<i>un", "<i>un</i>"),
        (of_subrip, "<b><i>two</b> x</i></i>", "<b><i>two</b> x</i>"),
        (of_subrip, '<font color="#ff0000">a<b>', '<font color="#ff0000">a<b></b></font>'),
        (of_webvtt, "a <i>b", "a <i>b</i>"),
        (of_webvtt, "a</b> b", "a b"),
    ],
)
def test_tags_end_with_their_cue(of: Callable[[str], str], text: str, read: str) -> None:
    """Else a cue that is shown together with it would take its looks."""
    assert of(text) == read


STYLES = """[V4+ Styles]
Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, Bold, Italic, Underline
Style: Default,Arial,40,&H00FFFFFF,&H0,0,0,0
Style: Thoughts,Arial,40,&H0000FFFF,&H0,0,-1,0
Style: Loud,Arial,40,16711680,0,1,0,0
"""
YELLOW = '<font color="#ffff00">{}</font>'


@pytest.mark.parametrize(
    ("style", "text", "read"),
    [
        ("Default", "said", "said"),
        ("*Thoughts", "thought", YELLOW.format("<i>thought</i>")),
        ("Thoughts", "{\\i0}a{\\i}b", YELLOW.format("a") + YELLOW.format("<i>b</i>")),
        ("Thoughts", "{\\rDefault}a{\\r}b", "a" + YELLOW.format("<i>b</i>")),
        ("Loud", "{\\c&H00FFFF&}a", YELLOW.format("<b>a</b>")),
        ("Loud", "{\\c&H00FF00&}{\\c}a", '<font color="#0000ff"><b>a</b></font>'),
        ("Unknown", "said", "said"),
    ],
)
def test_looks_of_a_style_are_those_of_its_lines(style: str, text: str, read: str) -> None:
    """In hexadecimal, and in SubStation's decimal."""
    assert of_ass(text, styles_of_ass(STYLES), style) == read


@pytest.mark.media
def test_a_masters_track_of_ass_keeps_the_looks_of_its_styles(tmp_path: Path) -> None:
    """As does a file of it."""
    path, master = tmp_path / "a.ass", tmp_path / "a.mkv"
    script = EVENTS.replace("[Events]", f"{STYLES}[Events]").replace(",Default,", ",Thoughts,")
    script = script.replace("{}", "thought")
    path.write_text(script, "utf-8")
    call("-i", path, "-c", "copy", master)
    shown = YELLOW.format("<i>thought</i>")
    (read,) = finish(read_position(master, 0))
    (given,) = cues_of_file("ass", script, "a.ass")
    assert read.text == given.text == shown


@pytest.mark.parametrize(
    "text",
    [
        "<b" * 500_000,
        "{\\b" * 300_000,
        "<" * 1_000_000,
        "<" + "a" * 1_000_000 + "<",
        "\\h" * 500_000,
        "<b>" * 300_000 + "</b>" * 300_000,
    ],
    ids=["opened", "overrides", "brackets", "one long tag", "hard blanks", "nested"],
)
def test_a_megabyte_of_what_may_be_tags_is_read(text: str) -> None:
    """Each is looked at once: their square would not end."""
    began = time.process_time()
    assert isinstance(of_subrip(text) + of_webvtt(text) + of_ass(text), str)
    assert time.process_time() - began < 20


@pytest.mark.media
def test_looks_of_letters_survive_mp4(tmp_path: Path) -> None:
    """Bold, italics, underlines and colours, letter by letter, as ffmpeg reads them too."""
    text = 'a <b>b</b> <font color="#ff0000">红 <i>x</i></font> <u>y</u>'
    path = tmp_path / "a.mp4"
    path.write_bytes(write_mp4([Cue(Fraction(1), Fraction(2), text)]))
    (cue,) = finish(read_position(path, 0))
    assert cue == Cue(
        Fraction(1),
        Fraction(2),
        'a <b>b</b> <font color="#ff0000">红 </font><font color="#ff0000"><i>x</i></font> <u>y</u>',
    )
    by_ffmpeg = call("-i", path, "-f", "srt", "-").decode()
    for part in ("<b>b</b>", '"#ff0000">红 </font>', '<i><font color="#ff0000">x</font></i>'):
        assert part in by_ffmpeg


def test_styles_beyond_the_letters_are_no_harm() -> None:
    """Hostile samples: nothing is read that is not there."""
    words = b"\0\3abc"
    assert read_sample(b"\xff\xffab") == b"ab"
    styl = struct.pack(">I4sHHHHBB4s", 22, b"styl", 9, 1, 9, 1, 2, 16, b"\xff" * 4)
    assert styled(words + styl, "abc", b"") == "a<i>bc</i>"
    assert styled(words + b"\0\0\0\1styl", "abc", b"") == "abc"
    assert styled(words + b"\xff\xff\xff\xffstyl\xff\xff", "abc", b"") == "abc"


@pytest.mark.media
@pytest.mark.parametrize(
    ("edits", "expected"),
    [
        ([(1500, 3000)], [("one", 0, 500), ("two", 1500, 2500)]),
        ([(-1, 2000), (1500, 3000)], [("one", 2000, 2500), ("two", 3500, 4500)]),
        ([(1000, 1000), (3000, 1000)], [("one", 0, 1000), ("two", 1000, 2000)]),
        ([(0, 1520), (3520, 480)], [("one", 1000, 1520), ("two", 1520, 2000)]),
        ([(1250, 250), (1700, 3000)], [("one", 0, 550), ("two", 1550, 2550)]),
        ([(3000, 1000), (0, 1500)], [("two", 0, 1000), ("one", 2000, 2500)]),
    ],
    ids=["inside a cue", "and late", "two of them", "inside two", "out of one", "turned about"],
)
def test_edits_of_letters_are_kept(
    edits: list[tuple[int, int]], expected: list[tuple[str, int, int]], tmp_path: Path
) -> None:
    """Those that begin or end inside a cue, as a trim without an encode makes them, and several: a
    cue out of whose middle a part was cut is one.
    """
    cues = [Cue(Fraction(1), Fraction(2), "one"), Cue(Fraction(3), Fraction(4), "two")]
    path = tmp_path / "a.mp4"
    path.write_bytes(edited(write_mp4(cues), edits))
    shown = finish(read_position(path, 0))
    assert shown == [Cue(Fraction(a, 1000), Fraction(b, 1000), said) for said, a, b in expected]


def test_a_track_with_too_many_edits_or_none_that_shows_a_cue(tmp_path: Path) -> None:
    """The one is left out by name, the other has words and shows none here, which is no fault."""
    cues = [Cue(Fraction(1), Fraction(2), "one")]
    path = tmp_path / "a.mp4"
    for edits, told in (([(0, 1)] * 1001, ["its track has too many edits"]), ([(5000, 1000)], [])):
        path.write_bytes(edited(write_mp4(cues), edits))
        unread, faults = finish(unreadable_tracks(path, [0]))
        assert unread == ()
        assert [fault.why.partition(":")[0] for fault in faults] == told


def edited(movie: bytes, edits: list[tuple[int, int]]) -> bytes:
    """The last track with this edit list (ISO/IEC 14496-12, 8.6.6): of each edit its place and its
    length.
    """
    listed = b"".join(struct.pack(">IiI", long, at, 0x10000) for at, long in edits)
    elst = struct.pack(">I4sII", 16 + len(listed), b"elst", 0, len(edits)) + listed
    edts = struct.pack(">I4s", 8 + len(elst), b"edts") + elst
    track = movie.rindex(b"trak") - 4
    end = track + int.from_bytes(movie[track : track + 4], "big")
    made = bytearray(
        movie[:track] + movie[track:end].replace(b"edts", b"free") + edts + movie[end:]
    )
    for at in (movie.index(b"moov") - 4, track):
        size = int.from_bytes(made[at : at + 4], "big")
        made[at : at + 4] = (size + len(edts)).to_bytes(4, "big")
    return bytes(made)


def test_a_cue_that_no_screen_takes_is_refused(tmp_path: Path) -> None:
    """Before anything is encoded: of a file by its name, of a master's track by leaving it out."""
    long = "字" * 2_501
    path = tmp_path / "long.srt"
    path.write_text(SRT.format(long), "utf-8")
    with pytest.raises(UnsupportedMedia, match="more than 7500 bytes of letters: divide it"):
        read_sidecar(path, "zh", 0, tmp_path)

    master = tmp_path / "master.mkv"
    call("-i", path, "-c", "copy", "-y", master)
    unread, faults = finish(unreadable_tracks(master, [0]))
    assert unread == ()
    assert [(fault.index, "more than 7500 bytes" in fault.why) for fault in faults] == [(0, True)]
