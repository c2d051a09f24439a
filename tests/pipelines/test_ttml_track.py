"""TTML in MP4: documents in samples, on the track's own clock, become one track of letters."""

from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from pipelines.errors import UnsupportedMedia
from pipelines.media import SubtitleTrack
from pipelines.packaging.package import package
from pipelines.planning.plan import Plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.running.tools import packager
from pipelines.sources.probe import probe
from pipelines.subtitles.cues import Cue, joined
from pipelines.subtitles.ttml import read_document
from pipelines.subtitles.ttml_track import read_ttml_track
from tests.pipelines.made import made_of
from tests.pipelines.sources import call, planned
from tests.pipelines.subtitle_samples import PICTURE, X264, subtitled, words
from tests.pipelines.test_captions import shown
from tests.pipelines.test_markup import edited as with_edits

MOBILE, ARCHIVE = profile("mobile-540p"), profile("archive-ffv1")
HELLO = ("00:00:01,000", "00:00:02,500", "hello <i>there</i>")
TWO = ("00:00:02,600", "00:00:03,600", "one & a\ntwo")
IMAGE = (
    b'<tt xmlns="http://www.w3.org/ns/ttml" xml:lang=""><body>'
    b'<div smpte:backgroundImage="#a" xmlns:smpte="http://www.smpte-ra.org/schemas/2052-1/2010/'
    b'smpte-tt" begin="1s" end="2s"/></body></tt>'
)
EMPTY = '<tt xmlns="http://www.w3.org/ns/ttml"><body/></tt>'


def written(folder: Path, *options: str, language: str = "fra") -> Path:
    """By ffmpeg: one document, or one in each fragment."""
    path = words(folder / "a.srt", [HELLO, TWO])
    said = ("-c:s", "ttml", "-metadata:s:s:0", f"language={language}")
    return subtitled(folder / "a.mp4", [path], *said, *options)


def edited(path: Path, document: bytes) -> Path:
    """The one document replaced by another one, which is not longer."""
    coded = path.read_bytes()
    start, end = coded.index(b"<?xml"), coded.index(b"</tt>") + len(b"</tt>")
    path.write_bytes(coded[:start] + document.ljust(end - start) + coded[end:])
    return path


def told(made: Plan) -> str:
    (said,) = (text for text in made.decisions if text.startswith("subtitle"))
    return said


def test_what_goes_on_in_the_next_sample_is_one_cue() -> None:
    """And what is said again later is another one; a clock may round by a thousandth."""
    at = [Fraction(number) for number in range(6)]
    late = at[2] + Fraction(1, 1000)
    cues = [
        Cue(at[0], at[2], "a"),
        Cue(at[1], at[2], "b"),
        Cue(late, at[3], "a"),
        Cue(at[4], at[5], "a"),
    ]
    assert joined(cues) == [
        Cue(at[0], at[3], "a"),
        Cue(at[1], at[2], "b"),
        Cue(at[4], at[5], "a"),
    ]


def test_a_document_may_have_no_words() -> None:
    """A sample at which nobody speaks; a file of its own may not."""
    assert read_document(EMPTY, "a document") == []


@pytest.mark.media
def test_documents_of_segments_become_one_track(tmp_path: Path) -> None:
    """As DASH has them: of two seconds each, with what began before and what goes on after them."""
    text = "00:00:01.000 --> 00:00:04.500\nhello\n\n00:00:04.600 --> 00:00:05.600\none\ntwo\n"
    (tmp_path / "a.vtt").write_text(f"WEBVTT\n\n{text}")
    stream = f"in={tmp_path}/a.vtt,stream=text,format=ttml+mp4,output={tmp_path}/t.mp4,language=fr"
    subprocess.run([packager(), stream, "--segment_duration", "2"], check=True, capture_output=True)
    picture = ("-f", "lavfi", "-i", PICTURE.format(rate=25, seconds=6))
    source, maps = tmp_path / "a.mp4", ("-map", "0", "-map", "1", "-c:s", "copy")
    call(*picture, "-i", tmp_path / "t.mp4", *maps, *X264, "-y", source)
    info = probe(source)
    assert info.left_out == ()
    assert info.subtitles == (SubtitleTrack(1, "ttml", text=True, language="fra"),)
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    assert told(made) == (
        "subtitle track 1 (ttml, fra): made mov_text in mobile-540p; made subrip in archive-ffv1; "
        "WebVTT in the HLS and DASH package"
    )
    for file in files.values():
        assert shown(file, 0) == [(1000, 4500, "hello"), (4600, 5600, "one\ntwo")]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rung("mobile-540p"), files["mobile-540p"])], folder, made.duration_s))
    assert "hello" in (folder / "subtitles-1" / "00001.vtt").read_text()


@pytest.mark.media
def test_fragments_count_in_the_time_of_the_edited_track(tmp_path: Path) -> None:
    """By ffmpeg, at each key frame: its edit list moves the samples, but no document."""
    source = written(tmp_path, "-movflags", "+frag_keyframe+delay_moov")
    _, files = made_of(source, tmp_path, [ARCHIVE])
    first, second = shown(files["archive-ffv1"], 0)
    assert first[2] == "hello there"
    assert second == (2600, 3600, "one & a\ntwo")
    assert first[1] == 2500
    assert 0 <= first[0] - 1000 <= 25  # where ffmpeg's fragment begins


@pytest.mark.media
def test_documents_that_count_from_their_samples_are_left_out_and_said(tmp_path: Path) -> None:
    """As Smooth Streaming has them, whose words would mostly be nowhere."""
    source = written(tmp_path, "-movflags", "+frag_keyframe+delay_moov")
    coded = source.read_bytes().replace(b'="00:00:02', b'="00:00:00').replace(b":03.", b":00.")
    source.write_bytes(coded.replace(b'="00:00:01', b'="00:00:00'))
    made = planned(source, [MOBILE], tmp_path)
    assert told(made) == (
        "subtitle track 2 (ttml, fra) is in no rendition: its documents count from their own "
        "samples, or from nobody knows where: give a subtitle file of its own"
    )


@pytest.mark.media
def test_documents_under_several_edits_are_left_out(tmp_path: Path) -> None:
    """Whether they count from before or behind the edits nobody says."""
    text = words(tmp_path / "a.srt", [HELLO, TWO])
    plain = tmp_path / "a.mp4"
    call("-i", text, "-c:s", "ttml", "-use_editlist", "0", "-fflags", "+bitexact", plain)
    path = tmp_path / "edited.mp4"
    for edits in ([(0, 4000)], [(0, 2000), (2500, 1000)]):
        path.write_bytes(with_edits(plain.read_bytes(), edits))
        if len(edits) == 1:
            assert len(finish(read_ttml_track(path, 0))) == 2
            continue
        with pytest.raises(UnsupportedMedia, match="its track has several edits"):
            finish(read_ttml_track(path, 0))


@pytest.mark.media
def test_pictures_of_letters_in_ttml_are_left_out_and_said(tmp_path: Path) -> None:
    """IMSC's image profile."""
    source = edited(written(tmp_path), IMAGE)
    made = planned(source, [MOBILE], tmp_path)
    assert made.rungs[0].subtitles == ()
    assert told(made) == (
        "subtitle track 2 (ttml, fra) is in no rendition: a document has pictures of letters, "
        "which cannot be read here"
    )


@pytest.mark.media
def test_a_document_says_the_language_where_its_track_does_not(tmp_path: Path) -> None:
    """And a document without words is a track without words."""
    source = edited(written(tmp_path, language="und"), EMPTY.encode())
    assert probe(source).subtitles == (SubtitleTrack(2, "ttml", text=True),)
    named = EMPTY.replace("><body", ' xml:lang="zh-Hant"><body').encode()
    source = edited(written(tmp_path, language="und"), named)
    assert probe(source).subtitles == (SubtitleTrack(2, "ttml", text=True, language="zh-Hant"),)
    made = planned(source, [MOBILE], tmp_path)
    assert [one.language for one in made.rungs[0].subtitles] == ["zho"]
