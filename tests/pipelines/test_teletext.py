"""Subtitles of DVB teletext: each page that a stream's tables call so is a track of letters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipelines.media import SubtitleTrack
from pipelines.planning.plan import Plan
from pipelines.profiles.profile import profile
from pipelines.sources.probe import probe
from tests.pipelines.made import made_of
from tests.pipelines.sources import call, planned
from tests.pipelines.subtitle_samples import PICTURE, X264
from tests.pipelines.teletext_samples import started_at, with_teletext
from tests.pipelines.test_captions import shown

MOBILE, ARCHIVE, HD_TS = profile("mobile-540p"), profile("archive-ffv1"), profile("hd-avc-sdr-ts")
SUBTITLES, DEAF, INITIAL = 2, 5, 1


def stream(
    folder: Path,
    pages: Sequence[tuple[int, int, str]],
    said: Sequence[tuple[float, int, Sequence[str]]],
) -> Path:
    """Six seconds."""
    path = folder / "a.ts"
    picture = ("-f", "lavfi", "-i", PICTURE.format(rate=25, seconds=6))
    call(*picture, *X264, "-y", path)
    return with_teletext(path, pages, said)


def told(made: Plan) -> list[str]:
    return [text for text in made.decisions if text.startswith(("subtitle", "teletext"))]


@pytest.mark.media
def test_pages_of_subtitles_become_tracks_at_their_time(tmp_path: Path) -> None:
    """With their languages, until cleared, replaced or the picture ends; other pages are named."""
    pages = [(0x888, SUBTITLES, "eng"), (0x100, INITIAL, "eng"), (0x889, DEAF, "deu")]
    said: list[tuple[float, int, Sequence[str]]] = [
        (1, 0x888, ["HELLO", "WORLD"]),
        (1.6, 0x889, ["GUTEN TAG"]),
        (3, 0x888, []),
        (4, 0x888, ["AGAIN"]),
        (4.6, 0x889, []),
        (5, 0x888, ["OTHER"]),
    ]
    source = stream(tmp_path, pages, said)
    info = probe(source)
    assert info.subtitles == (
        SubtitleTrack(1, "dvb_teletext", text=True, language="eng", page=888),
        SubtitleTrack(
            1, "dvb_teletext", text=True, language="deu", hearing_impaired=True, page=889
        ),
    )
    assert info.left_out == ("teletext of track 1 (page 100 eng)",)
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    assert told(made) == [
        "teletext of track 1 (page 100 eng) is in no rendition",
        (
            "subtitle track 1 (dvb_teletext, page 888, eng): made mov_text in mobile-540p; made "
            "subrip in archive-ffv1; WebVTT in the HLS and DASH package"
        ),
        (
            "subtitle track 1 (dvb_teletext, page 889, deu, for the hard of hearing): made "
            "mov_text in mobile-540p; made subrip in archive-ffv1; WebVTT in the HLS and DASH "
            "package"
        ),
    ]
    for file in files.values():
        assert shown(file, 0) == [
            (1000, 3000, "HELLO\nWORLD"),
            (4000, 5000, "AGAIN"),
            (5000, 6000, "OTHER"),
        ]
        assert shown(file, 1) == [(1600, 4600, "GUTEN TAG")]


@pytest.mark.media
def test_a_page_that_is_sent_again_is_one_cue(tmp_path: Path) -> None:
    """For those who switch on late; and a page on which nothing stands is said to be so."""
    pages = [(0x199, SUBTITLES, "fra"), (0x777, SUBTITLES, "nld")]
    again = [(at_s, 0x199, ["BONJOUR"]) for at_s in (1, 2, 3)]
    source = stream(tmp_path, pages, [*again, (3.6, 0x199, []), (2.6, 0x777, [])])
    made, files = made_of(source, tmp_path, [ARCHIVE])
    assert shown(files["archive-ffv1"], 0) == [(1000, 3600, "BONJOUR")]
    assert [one.page for one in made.rungs[0].subtitles] == [199]
    assert told(made)[1] == (
        "subtitle track 1 (dvb_teletext, page 777, nld) is in no rendition: nothing stands on it"
    )


@pytest.mark.media
def test_teletext_without_subtitles_is_named(tmp_path: Path) -> None:
    """And has no place in a transport stream either."""
    source = stream(tmp_path, [(0x100, INITIAL, "ces")], [(1, 0x100, ["NEWS"])])
    made = planned(source, [HD_TS, MOBILE], tmp_path)
    assert told(made) == ["teletext of track 1 (page 100 ces) is in no rendition"]
    assert [rung.subtitles for rung in made.rungs] == [()] * len(made.rungs)


@pytest.mark.media
@pytest.mark.parametrize("before_s", [4.5, 2.0], ids=["all of it", "some of it"])
def test_a_clock_that_is_about_to_wrap_moves_no_page(before_s: float, tmp_path: Path) -> None:
    """Ffmpeg counts from before zero there, and an SRT file has no such time."""
    said = [(1, 0x888, ["HELLO"]), (3, 0x888, []), (4, 0x888, ["AGAIN"]), (5, 0x888, [])]
    source = stream(tmp_path, [(0x888, SUBTITLES, "eng")], said)
    _, files = made_of(started_at(source, (1 << 33) / 90_000 - before_s), tmp_path, [MOBILE])
    assert shown(files["mobile-540p"], 0) == [(1000, 3000, "HELLO"), (4000, 5000, "AGAIN")]
