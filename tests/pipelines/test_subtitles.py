"""Subtitles and captions reach every rendition that has a place for them, at their time."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from pipelines.encoding.encode import encode_chunk
from pipelines.encoding.join import join
from pipelines.errors import LimitExceeded, UnsupportedMedia, VerificationFailed
from pipelines.media import SubtitleFault, SubtitleTrack
from pipelines.packaging.manifests import read_playlist
from pipelines.packaging.package import package
from pipelines.planning.plan import Chunk, Plan, Rung, plan
from pipelines.profiles.profile import Profile, profile
from pipelines.progress import finish
from pipelines.running.run import capture
from pipelines.running.tools import ffprobe
from pipelines.sound.audio import encode_audio
from pipelines.sources.probe import probe
from pipelines.subtitles.cues import Cue, read_srt, srt
from pipelines.subtitles.letter_tracks import unreadable_tracks
from pipelines.subtitles.letters_child import print_letters
from pipelines.subtitles.sidecar import read_letters, read_sidecar
from pipelines.subtitles.subtitle_tracks import encode_subtitles
from pipelines.subtitles.timed_text import write_mp4
from pipelines.verification.expectations import signalling_faults
from pipelines.verification.readback import picture_start_s, read_back
from tests.pipelines import handmade
from tests.pipelines.made import made_of
from tests.pipelines.sources import HD, call, described, planned, verified
from tests.pipelines.subtitle_samples import (
    captioned,
    letters_as_pictures,
    packed,
    subtitled,
    words,
)

FRAME_S = Fraction(1, 25)
ZH = SubtitleTrack(2, "subrip", text=True, language="zh-Hans")
EN = SubtitleTrack(3, "ass", text=True, language="en", forced=True)
DVB = SubtitleTrack(4, "dvb_subtitle", text=False, language="chi", hearing_impaired=True)
MOBILE = profile("mobile-540p")
ARCHIVE = profile("archive-ffv1")
HD_TS = profile("hd-avc-sdr-ts")
MAIN = ("mobile-540p", "archive-ffv1")


def resolved(*names: str, subtitles: Sequence[SubtitleTrack] = (), **inspected: Any) -> Plan:
    info, seen = described(HD, **inspected)
    return plan(replace(info, subtitles=tuple(subtitles)), seen, [profile(name) for name in names])


def told(made: Plan) -> list[str]:
    """What the plan says of subtitles and captions."""
    return [text for text in made.decisions if text.startswith(("subtitle", "captions"))]


def small(chosen: Profile) -> Profile:
    """At the raster of the samples."""
    assert chosen.video is not None
    return replace(chosen, video=replace(chosen.video, width=320, height=180))


def cues(path: Path, position: int = 0) -> list[Cue]:
    return read_srt(call("-i", path, "-map", f"0:s:{position}", "-f", "srt", "-").decode())


def streams(path: Path) -> list[tuple[str, str | None, bool]]:
    """Codec, language and whether it is forced, of every subtitle track, by ffprobe."""
    return [(one.codec, one.language, one.forced) for one in finish(read_back(path)).subtitles]


def test_letters_go_into_mp4_and_mkv_in_order() -> None:
    """Each in its container's own way, both languages, and the plan says so."""
    made = resolved(*MAIN, subtitles=(ZH, EN))
    mobile, archive = made.rungs
    seen = [(one.codec, one.language, one.forced) for one in mobile.subtitles]
    assert seen == [("mov_text", "zho", False), ("mov_text", "eng", True)]
    assert [(one.codec, one.copied) for one in archive.subtitles] == [
        ("subrip", True),
        ("ass", True),
    ]
    assert told(made)[0] == (
        "subtitle track 2 (subrip, zh-Hans): made mov_text in mobile-540p; copied as subrip in "
        "archive-ffv1; WebVTT in the HLS and DASH package"
    )


def test_pictures_of_letters_are_copied_or_left_out() -> None:
    """DVB subtitles have a place in transport streams and Matroska; the rest is named."""
    made = resolved("hd-avc-sdr-ts", "mobile-540p", "archive-ffv1", subtitles=(ZH, DVB))
    kept = {rung.profile: [one.codec for one in rung.subtitles] for rung in made.rungs}
    assert kept == {
        "hd-avc-sdr-ts": ["dvb_subtitle"],
        "mobile-540p": ["mov_text"],
        "archive-ffv1": ["subrip", "dvb_subtitle"],
    }
    stream, archive = made.rungs[0].subtitles[0], made.rungs[2].subtitles[1]
    assert (stream.stream, archive.stream) == (True, False)
    assert stream.key != archive.key
    assert told(made)[1] == (
        "subtitle track 4 (dvb_subtitle, chi, for the hard of hearing): copied as dvb_subtitle in "
        "hd-avc-sdr-ts, archive-ffv1; left out of mobile-540p"
    )


def test_what_nothing_here_turns_into_letters_is_in_no_mp4() -> None:
    """Nobody finds it missing without a word."""
    made = resolved("mobile-540p", subtitles=(replace(DVB, codec="hdmv_pgs_subtitle"),))
    assert made.rungs[0].subtitles == ()
    (text,) = told(made)
    assert text == (
        "subtitle track 4 (hdmv_pgs_subtitle, chi, for the hard of hearing) is in no rendition: "
        "pictures of letters cannot be turned into letters here"
    )


def test_a_clock_that_jumps_carries_no_subtitles() -> None:
    """After the jump nobody knows when they are due."""
    made = resolved("mobile-540p", subtitles=(ZH,), clock_jumps=True)
    assert made.rungs[0].subtitles == ()
    assert told(made)[0].endswith("is in no rendition: the file's clock jumps")


def test_captions_stay_in_pictures_of_the_sources_rate_alone() -> None:
    """H.264 and HEVC have a place for them, FFV1 has none, and half of the frames has half."""
    for rate, carried in ((Fraction(30000, 1001), True), (Fraction(60000, 1001), False)):
        picture = replace(HD, frame_rate=rate, captions=("cea-608", "cea-708"))
        info, seen = described(picture)
        made = plan(info, seen, [MOBILE, ARCHIVE])
        found = {rung.profile: bool(rung.video and rung.video.captions) for rung in made.rungs}
        assert found == {"mobile-540p": carried, "archive-ffv1": False}
        lost = "archive-ffv1" if carried else "mobile-540p, archive-ffv1"
        assert f"are left out of the pictures of {lost}:" in told(made)[-1]


LINES = [
    ("00:00:01,000", "00:00:02,000", "一 & <b>two</b> < three"),
    ("00:00:02,000", "00:00:03,000", "第二"),
    ("00:00:02,500", "00:00:03,500", "over it"),
    ("00:00:09,000", "00:00:10,000", "after the end"),
]
SHOWN = [
    Cue(Fraction(1), Fraction(2), "一 & <b>two</b> < three"),
    Cue(Fraction(2), Fraction(5, 2), "第二"),
    Cue(Fraction(5, 2), Fraction(3), "第二\nover it"),
    Cue(Fraction(3), Fraction(7, 2), "over it"),
]
LANGUAGES = ("-metadata:s:s:0", "language=chi", "-metadata:s:s:1", "language=eng")


@pytest.mark.media
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mkv", ("-c:s", "copy")),
        ("late.mkv", ("-c:s", "copy", "-output_ts_offset", "37.48")),
        ("plain.mp4", ("-c:s", "mov_text", "-bf", "3")),
    ],
)
def test_two_languages_are_shown_at_their_time(
    name: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    """In order, whatever the clock of the file begins with; in MP4, Matroska and the package."""
    texts = [words(tmp_path / "zh.srt", LINES), words(tmp_path / "en.srt", LINES[1:2])]
    forced = ("-disposition:s:1", "forced")
    # No whole number of segments.
    source = subtitled(tmp_path / name, texts, *options, *LANGUAGES, *forced, seconds=5.2)
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    mobile = files["mobile-540p"]
    assert streams(mobile) == [("mov_text", "zho", False), ("mov_text", "eng", True)]
    if name != "plain.mp4":  # whose muxer has cut what overlaps
        assert cues(mobile) == SHOWN
        assert [text for text in cues(files["archive-ffv1"]) if text.start_s == 9] != []
    assert cues(mobile, 1) == [Cue(Fraction(2), Fraction(3), "第二")]
    assert [codec for codec, *_ in streams(files["archive-ffv1"])] == ["subrip", "subrip"]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rung("mobile-540p"), mobile)], folder, made.duration_s))
    master = (folder / "master.m3u8").read_text()
    assert master.index('LANGUAGE="zh",NAME="中文"') < master.index('LANGUAGE="en"')
    segment = (folder / "subtitles-2" / "00002.vtt").read_text()
    assert "00:00:02.000 --> 00:00:03.000" in segment
    assert (folder / "subtitles-1" / "00002.m4s").is_file()
    letters, pictures = (
        read_playlist(folder / name / "index.m3u8") for name in ("subtitles-1", "mobile-540p")
    )
    assert letters.durations_s == pictures.durations_s == (2, 2, 1.2)
    assert '<AdaptationSet id="' in (folder / "manifest.mpd").read_text()


@pytest.mark.media
def test_a_player_tells_chinese_in_two_scripts_apart(tmp_path: Path) -> None:
    """Both are `zho` in three letters; the manifests have the tags, and names for a menu."""
    tags = ("zh-Hans", "zh-hant", "yue-Hant-HK", "zh-Hans")
    beside = []
    for number, tag in enumerate(tags):
        path = words(tmp_path / f"{number}.srt", LINES[:1])
        beside.append(read_sidecar(path, tag, number, tmp_path))
    beside[3] = replace(beside[3], hearing_impaired=True)
    made, files = made_of(handmade.make_source(tmp_path), tmp_path, [MOBILE], beside)
    mobile = files["mobile-540p"]
    assert [language for _, language, _ in streams(mobile)] == ["zho", "zho", "yue", "zho"]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rung("mobile-540p"), mobile)], folder, made.duration_s))
    master = (folder / "master.m3u8").read_text()
    said = re.findall('TYPE=SUBTITLES.*LANGUAGE="(.*?)",NAME="(.*?)"', master)
    assert said == [
        ("zh-Hans", "简体中文"),
        ("zh-Hant", "繁體中文"),
        ("yue-Hant-HK", "粵語 (HK)"),
        ("zh-Hans", "简体中文 (CC)"),
    ]
    labels = set(re.findall("<Label>(.*?)</Label>", (folder / "manifest.mpd").read_text()))
    assert {name for _, name in said} <= labels


@pytest.mark.media
def test_quicktime_says_languages_in_its_own_codes(tmp_path: Path) -> None:
    """Its table has "chi" and no "zho", and no code at all for Cantonese."""
    source = handmade.make_source(tmp_path)
    text = words(tmp_path / "a.srt", LINES[:1])
    call("-i", text, "-c:s", "mov_text", tmp_path / "text.mp4")
    picture, sound = tmp_path / "picture.mov", tmp_path / "sound.mov"
    prores = ("-c:v", "prores_ks", "-vf", handmade.TAGS, "-pix_fmt", "yuv422p10le")
    call("-i", source, "-an", *prores, picture)
    call("-i", source, "-vn", "-c:a", "pcm_s24le", sound)
    planned_text = resolved("mobile-540p", subtitles=(ZH,)).rungs[0].subtitles[0]
    rung = replace(
        handmade.RUNG,
        container="mov",
        video=replace(handmade.VIDEO, codec="prores"),
        audio=(replace(handmade.STEREO, codec="pcm", bit_depth=24),) * 2,
        subtitles=(planned_text, replace(planned_text, language="yue", forced=True)),
    )
    out = tmp_path / "out.mov"
    tracks = [sound, sound, tmp_path / "text.mp4", tmp_path / "text.mp4"]
    finish(join(rung, [picture], tracks, out, handmade.PLAN))
    assert [one.language for one in finish(read_back(out)).sounds] == ["chi", "chi"]
    # QuickTime's text has no mark for forced ones.
    assert streams(out) == [("mov_text", "chi", False), ("mov_text", None, False)]
    assert [one.shown for one in finish(read_back(out)).subtitles] == [False, True]
    faults = signalling_faults(rung, finish(read_back(out)), handmade.PLAN)
    assert [fault for fault in faults if "language" in fault or "subtitle" in fault] == []


@pytest.mark.media
@pytest.mark.parametrize("forced", [False, True])
def test_nobody_sees_subtitles_of_an_mp4_unasked_that_are_not_forced(
    tmp_path: Path, *, forced: bool
) -> None:
    """Ffmpeg's muxer enables the first track where none is, whatever it was told."""
    text = words(tmp_path / "a.srt", LINES[:1])
    marks = ("-disposition:s:0", "0", "-disposition:s:1", "forced" if forced else "0")
    source = subtitled(tmp_path / "a.mkv", [text, text], "-c:s", "copy", *marks)
    made, files = made_of(source, tmp_path, [MOBILE])
    read = finish(read_back(files["mobile-540p"]))
    assert [one.shown for one in read.subtitles] == [False, forced]
    as_ffmpeg = [replace(one, shown=True) for one in read.subtitles[:1]]
    faults = signalling_faults(
        made.rungs[0], replace(read, subtitles=(*as_ffmpeg, *read.subtitles[1:])), made
    )
    assert faults == ["subtitle track 0: shown unasked is True, False planned"]


@pytest.mark.media
def test_an_edit_list_moves_no_cue(tmp_path: Path) -> None:
    """A clip that was cut without an encode: its first ten pictures are not shown."""
    whole, cut, source = (tmp_path / name for name in ("whole.mp4", "cut.mp4", "a.mp4"))
    subtitled(whole, [], "-bf", "2")
    call("-ss", "1.4", "-i", whole, "-c", "copy", cut)
    text = words(tmp_path / "a.srt", [("00:00:01,600", "00:00:02,000", "三")])
    maps = ("-map", "0", "-map", "1", "-c", "copy", "-c:s", "mov_text")
    call("-i", cut, "-i", text, *maps, source)
    _, files = made_of(source, tmp_path, [MOBILE])
    assert cues(files["mobile-540p"]) == [Cue(Fraction(8, 5), Fraction(2), "三")]


@pytest.mark.media
def test_an_edit_that_begins_inside_a_cue_moves_none(tmp_path: Path) -> None:
    """Letters are cut with the pictures: a part of the first cue is left, and in order."""
    text = words(
        tmp_path / "a.srt",
        [
            ("00:00:01,000", "00:00:03,000", "first"),
            ("00:00:04,000", "00:00:05,000", "second"),
            ("00:00:06,000", "00:00:08,000", "third"),
        ],
    )
    whole, source = tmp_path / "whole.mp4", tmp_path / "a.mp4"
    subtitled(whole, [text], "-c:s", "mov_text", seconds=8)
    call("-ss", "2.5", "-i", whole, "-map", "0", "-c", "copy", source)
    made, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    assert made.first_picture_s == 0
    expected = [
        Cue(Fraction(0), Fraction(1, 2), "first"),
        Cue(Fraction(3, 2), Fraction(5, 2), "second"),
        Cue(Fraction(7, 2), made.duration_s, "third"),  # ffmpeg writes no length of a last one
    ]
    for file in files.values():
        assert cues(file) == expected


@pytest.mark.media
def test_preservation_has_no_cue_that_ended_before_the_first_picture(tmp_path: Path) -> None:
    """It was shown from the first one on, without an end."""
    said = [
        ("00:00:00,200", "00:00:00,800", "gone"),
        ("00:00:01,000", "00:00:02,000", "half"),
        ("00:00:03,000", "00:00:04,000", "whole"),
    ]
    plain, source = subtitled(tmp_path / "plain.mkv", []), tmp_path / "a.mkv"
    text = words(tmp_path / "a.srt", said)
    call(
        "-itsoffset", "1.5", "-i", plain, "-i", text, "-map", "0", "-map", "1", "-c", "copy", source
    )
    made = planned(source, [ARCHIVE], tmp_path)
    assert made.first_picture_s == Fraction(3, 2)
    (file,) = finish(encode_subtitles(source, made, tmp_path)).files.values()
    assert cues(file) == [
        Cue(Fraction(0), Fraction(1, 2), "half"),
        Cue(Fraction(3, 2), Fraction(5, 2), "whole"),
    ]


@pytest.mark.media
@pytest.mark.parametrize("language", ["chi", None], ids=["one language", "no language"])
def test_no_subtitle_is_shown_unasked(language: str | None, tmp_path: Path) -> None:
    """Sound has a default track; subtitles of its language are no default for that."""
    tags = ("-metadata:s:a:0", f"language={language}") if language else ()
    text = words(tmp_path / "a.srt", LINES[:1])
    source = subtitled(tmp_path / "a.mkv", [text], "-c:s", "copy", *LANGUAGES[:2], *tags)
    made, files = made_of(source, tmp_path, [MOBILE])
    for rung in (made.rungs[0], replace(made.rungs[0], audio=())):
        folder = tmp_path / f"package-{len(rung.audio)}"
        folder.mkdir()
        finish(package([(rung, files["mobile-540p"])], folder, made.duration_s))
        lines = (folder / "master.m3u8").read_text().splitlines()
        media = [line for line in lines if line.startswith("#EXT-X-MEDIA")]
        defaults = ["DEFAULT=YES" in line for line in media]
        assert defaults == ([True, False] if rung.audio else [False])


@pytest.mark.media
def test_an_empty_track_stays_empty(tmp_path: Path) -> None:
    """It was planned, so it is there, and neither muxer nor packager stumbles over it."""
    text = words(tmp_path / "zh.srt", [("00:00:30,000", "00:00:31,000", "far away")])
    source = subtitled(tmp_path / "a.mkv", [text], "-c:s", "copy", *LANGUAGES[:2])
    made, files = made_of(source, tmp_path, [MOBILE])
    assert cues(files["mobile-540p"]) == []
    assert streams(files["mobile-540p"]) == [("mov_text", "zho", False)]
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(made.rungs[0], files["mobile-540p"])], folder, made.duration_s))
    assert (folder / "subtitles-1" / "00002.vtt").read_text().strip() == "WEBVTT"


@pytest.mark.media
def test_ass_keeps_its_styles_in_preservation_and_its_words_elsewhere(tmp_path: Path) -> None:
    """Drawings are no words."""
    ass = tmp_path / "a.ass"
    head = "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,"
    ass.write_text(
        "[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\n"
        "Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, "
        "BackColour, Bold, Italic, Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, "
        "BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, MarginV, Encoding\n"
        "Style: Default,Arial,20,&HFFFFFF,&HFF,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,9,9,9,1\n"
        "[Events]\n"
        "Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
        f"{head}{{\\c&H0000FF&}}红色{{\\p1}}m 0 0 l 100 0{{\\p0}} 字\n"
    )
    source = subtitled(tmp_path / "a.mkv", [ass], "-c:s", "copy")
    _, files = made_of(source, tmp_path, [MOBILE, ARCHIVE])
    (cue,) = cues(files["mobile-540p"])
    assert (cue.start_s, cue.end_s) == (1, 2)
    assert "红色 字" in cue.text.replace("</font>", "")
    assert "m 0 0" not in cue.text
    kept = call("-i", files["archive-ffv1"], "-map", "0:s", "-c", "copy", "-f", "ass", "-").decode()
    assert "{\\p1}m 0 0 l 100 0{\\p0}" in kept


@pytest.mark.media
def test_dvb_subtitles_of_a_matroska_master_go_into_a_transport_stream(tmp_path: Path) -> None:
    """Which keeps no lengths of theirs: the next packet ends one."""
    sup = letters_as_pictures(tmp_path / "a.sup", [(1, 2), (3, 3.5)])
    bitmap = tmp_path / "dvb.mkv"
    call("-fix_sub_duration", "-copyts", "-i", sup, "-map", "0", "-c:s", "dvbsub", bitmap)
    lengths = ("-bsf:s", "setts=duration=500")
    source = subtitled(tmp_path / "a.mkv", [bitmap], "-c:s", "copy", *LANGUAGES[:2], *lengths)
    stream = replace(small(HD_TS), mux_rate_bps=9_000_000)
    _, files = made_of(source, tmp_path, [stream])
    starts = shown_at(files["hd-avc-sdr-ts"])
    assert abs(starts[0] - 1) < FRAME_S
    assert abs(starts[2] - 3) < FRAME_S


@pytest.mark.media
def test_dvb_subtitles_of_a_late_stream_are_copied_in_their_place(tmp_path: Path) -> None:
    """A transport stream that begins after an hour: a bar that comes at 1.000 s comes there."""
    sup = letters_as_pictures(tmp_path / "a.sup", [(1, 2), (3, 3.5)])
    bitmap = tmp_path / "dvb.mkv"
    call("-fix_sub_duration", "-copyts", "-i", sup, "-map", "0", "-c:s", "dvbsub", bitmap)
    kept = ("-c:s", "copy", "-c:a", "mp2", *LANGUAGES[:2], "-output_ts_offset", "3600")
    source = subtitled(tmp_path / "a.ts", [bitmap], *kept)
    info = probe(source)
    assert info.subtitles == (SubtitleTrack(2, "dvb_subtitle", text=False, language="chi"),)
    stream = replace(small(HD_TS), mux_rate_bps=9_000_000)
    made, files = made_of(source, tmp_path, [stream, MOBILE])
    assert [codec for codec, *_ in streams(files["hd-avc-sdr-ts"])] == ["dvb_subtitle"]
    starts = shown_at(files["hd-avc-sdr-ts"])
    assert abs(starts[0] - 1) < FRAME_S
    assert abs(starts[2] - 3) < FRAME_S
    assert made.rung("mobile-540p").subtitles == ()


@pytest.mark.media
def test_the_second_language_of_one_stream_of_dvb_subtitles_is_named(tmp_path: Path) -> None:
    """A copy says the first one alone, as that; all were left without a language, and unsaid."""
    sup = letters_as_pictures(tmp_path / "a.sup", [(1, 2)])
    bitmap = tmp_path / "dvb.mkv"
    call("-fix_sub_duration", "-i", sup, "-map", "0", "-c:s", "dvbsub", bitmap)
    both = ("-c:s", "copy", "-c:a", "mp2", "-metadata:s:s:0", "language=chi,eng")
    source = subtitled(tmp_path / "a.ts", [bitmap], *both, seconds=2)
    stream = replace(small(HD_TS), mux_rate_bps=9_000_000)
    made, files = made_of(source, tmp_path, [stream])
    assert streams(files["hd-avc-sdr-ts"]) == [("dvb_subtitle", "zho", False)]
    assert [text for text in made.decisions if "subtitle" in text] == [
        "service eng of subtitle track 2 (dvb_subtitle) is in no rendition",
        "subtitle track 2 (dvb_subtitle, chi): copied as dvb_subtitle in hd-avc-sdr-ts",
    ]


@pytest.mark.media
@pytest.mark.parametrize("count", [1, 12])
def test_tracks_that_say_nothing_are_carried(count: int, tmp_path: Path) -> None:
    """As channels have them by day: none is late. Twelve take more than one packet of the table."""
    sup = letters_as_pictures(tmp_path / "a.sup", [(1, 2)])
    bitmap = tmp_path / "dvb.mkv"
    call("-fix_sub_duration", "-i", sup, "-map", "0", "-c:s", "dvbsub", bitmap)
    silent = ("-c:s", "copy", "-bsf:s", "noise=drop=1", "-c:a", "mp2")
    source = subtitled(tmp_path / "a.ts", [bitmap] * count, *silent, seconds=2)
    stream = replace(small(HD_TS), mux_rate_bps=9_000_000)
    _, files = made_of(source, tmp_path, [stream, ARCHIVE])
    for path in files.values():
        assert [codec for codec, *_ in streams(path)] == ["dvb_subtitle"] * count
        assert shown_at(path) == []


@pytest.mark.media
def test_pictures_of_letters_are_preserved_in_matroska(tmp_path: Path) -> None:
    """Packet by packet, at their times: of their file alone ffmpeg takes the first for zero."""
    sup = letters_as_pictures(tmp_path / "a.sup", [(1, 2), (3, 3.5)])
    source = subtitled(tmp_path / "a.mkv", [sup], "-copyts", "-c:s", "copy", *LANGUAGES[:2])
    assert shown_at(source)[0] == pytest.approx(1, abs=0.01)
    _, files = made_of(source, tmp_path, [ARCHIVE])
    assert streams(files["archive-ffv1"]) == [("hdmv_pgs_subtitle", "zho", False)]
    assert shown_at(files["archive-ffv1"]) == shown_at(source)


def shown_at(path: Path) -> list[float]:
    """Times of the subtitle packets after the first picture."""
    wanted = ("-show_packets", "-select_streams", "s:0", "-show_entries", "packet=pts_time")
    argv = [ffprobe(), "-v", "error", *wanted, "-of", "json", str(path)]
    found = json.loads(capture(argv, readable=[path]).stdout)["packets"]
    return [float(one["pts_time"]) - float(picture_start_s(path)) for one in found]


def captions(path: Path) -> list[Cue]:
    """What a decoder of captions finds in the pictures."""
    graph = f"movie={path}[out0+subcc]"
    return read_srt(call("-f", "lavfi", "-i", graph, "-map", "0:s", "-f", "srt", "-").decode())


@pytest.mark.media
@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_captions_in_the_pictures_outlive_the_encode(name: str, tmp_path: Path) -> None:
    """Word by word at the same frames, through scaling and B-frames, and over a seam."""
    said = [(5, "HELLO WORLD"), (60, "SECOND ONE")]
    source = captioned(tmp_path / name, "30000/1001", 120, said)
    assert probe(source).video[0].captions == ("cea-608",)
    made = planned(source, [MOBILE], tmp_path)
    (rung,) = made.rungs
    assert rung.video is not None
    assert rung.video.captions == ("cea-608",)
    parts = []
    for chunk in (Chunk(0, 0, 60), Chunk(1, 60, 120)):
        folder = tmp_path / str(chunk.index)
        folder.mkdir()
        parts.append(finish(encode_chunk(source, made, chunk, folder)).files[rung.profile])
    tracks = finish(encode_audio(source, made, tmp_path)).files
    tracks |= finish(encode_subtitles(source, made, tmp_path)).files
    out = tmp_path / "out.mp4"
    made = handmade.in_chunks(made, (0, 60), 120)
    finish(
        join(rung, parts, [tracks[one.key] for one in (*rung.audio, *rung.subtitles)], out, made)
    )
    verified(out, rung, made, source)
    kept, true = captions(out), captions(source)
    assert [cue.text for cue in kept] == [cue.text for cue in true]
    assert "HELLO WORLD" in kept[0].text
    for mine, theirs in zip(kept[:-1], true[:-1], strict=True):
        assert abs(mine.start_s - theirs.start_s) < Fraction(1, 30)
    folder = tmp_path / "package"
    folder.mkdir()
    finish(package([(rung, out)], folder, made.duration_s))
    assert 'INSTREAM-ID="CC1"' in (folder / "master.m3u8").read_text()
    assert "cea-608" in (folder / "manifest.mpd").read_text()


SIDECAR = "1\n00:00:01,000 --> 00:00:02,000\n木棉 <i>kapok</i>\n"


@pytest.mark.media
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gbk", "gb18030"]
)
def test_a_file_beside_the_master_is_read_whatever_its_letters(
    encoding: str, tmp_path: Path
) -> None:
    """Its times are counted from the first picture, whatever the clock of the master says."""
    path = tmp_path / "film.srt"
    path.write_bytes(SIDECAR.replace("\n", "\r\n").encode(encoding))
    track = read_sidecar(path, "zh", 0, tmp_path)
    assert (track.codec, track.language, track.text) == ("subrip", "zh", True)
    info, seen = described(HD, first_picture_s=Fraction(3600))
    made = plan(replace(info, subtitles=(track,)), seen, [MOBILE, ARCHIVE])
    files = finish(encode_subtitles(tmp_path / "no master is read", made, tmp_path)).files
    assert sorted(path.suffix for path in files.values()) == [".mkv", ".mp4"]
    for file in files.values():
        assert cues(file) == [Cue(Fraction(1), Fraction(2), "木棉 <i>kapok</i>")]


@pytest.mark.media
@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("WEBVTT\n\n00:01.000 --> 00:02.000\n木棉 <i>kapok</i>\n", "webvtt"),
        (
            (
                '<tt xmlns="http://www.w3.org/ns/ttml" '
                'xmlns:tts="http://www.w3.org/ns/ttml#styling"><body><p begin="1s" dur="1s">木棉 '
                '<span tts:fontStyle="italic">kapok</span></p></body></tt>'
            ),
            "ttml",
        ),
        (
            (
                "[Script Info]\nScriptType: v4.00+\n[Events]\nFormat: Layer, Start, End, Style, "
                "Name, MarginL, MarginR, MarginV, Effect, Text\n"
                "Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,木棉 {\\i1}kapok{\\i0}\n"
            ),
            "ass",
        ),
    ],
)
def test_files_are_told_by_what_they_begin_with(text: str, codec: str, tmp_path: Path) -> None:
    """Whatever the name says."""
    path = tmp_path / "film.txt"
    path.write_text(text, "utf-8")
    track = read_sidecar(path, "zh", 3, tmp_path)
    assert track.codec == codec
    info, seen = described(HD)
    made = plan(replace(info, subtitles=(track,)), seen, [MOBILE])
    (file,) = finish(encode_subtitles(path, made, tmp_path)).files.values()
    assert cues(file) == [Cue(Fraction(1), Fraction(2), "木棉 <i>kapok</i>")]


TRADITIONAL = (
    "這個節目是由香港電視台製作的，請各位觀眾留意。"
    "我們將為大家介紹台灣的歷史與文化，還有許多有趣的故事。"
)
SIMPLIFIED = (
    "这个节目是由中央电视台制作的，请各位观众留意。"
    "我们将为大家介绍台湾的历史与文化，还有许多有趣的故事。"
)
GERMAN = "Über die schöne Straße fährt ein großer Bär; für die Mädchen gehört das Geschäft dazu."


def one_cue(said: str, encoding: str) -> bytes:
    return f"1\n00:00:01,000 --> 00:00:02,000\n{said}\n".encode(encoding)


@pytest.mark.parametrize(("said", "encoding"), [(TRADITIONAL, "big5"), (GERMAN, "latin-1")])
def test_letters_of_another_code_are_not_taken_for_gb18030(said: str, encoding: str) -> None:
    """As which they can be read, and would be letters that nobody wrote."""
    raw = one_cue(said, encoding)
    assert raw.decode("gb18030")
    with pytest.raises(UnsupportedMedia, match="save it as UTF-8"):
        read_letters(raw, "film.srt")


@pytest.mark.parametrize(
    ("said", "encoding"),
    [
        (TRADITIONAL, "gbk"),
        (SIMPLIFIED, "gb2312"),
        (SIMPLIFIED + "𠮷", "gb18030"),
        ("為什麼", "gbk"),
    ],
)
def test_rare_letters_of_gb18030_are_no_other_code(said: str, encoding: str) -> None:
    """Traditional Chinese has many that the others lack."""
    assert said in read_letters(one_cue(said, encoding), "film.srt").text


@pytest.mark.media
@pytest.mark.parametrize("end", ["\r", "\r\n", "\r\r\n"])
@pytest.mark.parametrize("codec", ["webvtt", "subrip"])
def test_lines_may_end_as_they_like(codec: str, end: str, tmp_path: Path) -> None:
    """WebVTT allows a carriage return alone, and text mode doubles one: no first cue is lost."""
    spans = "00:00:01.000 --> 00:00:02.000\n木棉\n\n00:00:02.500 --> 00:00:03.000\nkapok\n"
    numbered = "1\n" + spans.replace("\n\n", "\n\n2\n").replace(".", ",")
    path = tmp_path / "film.txt"
    text = f"WEBVTT\n\n{spans}" if codec == "webvtt" else numbered
    path.write_bytes(text.replace("\n", end).encode())
    track = read_sidecar(path, "zh", 0, tmp_path)
    assert track.codec == codec
    info, seen = described(HD)
    made = plan(replace(info, subtitles=(track,)), seen, [MOBILE])
    (file,) = finish(encode_subtitles(path, made, tmp_path)).files.values()
    halves = ((1, 2, "木棉"), (Fraction(5, 2), 3, "kapok"))
    assert cues(file) == [Cue(Fraction(a), Fraction(b), said) for a, b, said in halves]


@pytest.mark.media
@pytest.mark.parametrize(
    "text",
    [
        "1\n10:00:01,000 --> 10:00:02,000\n木棉\n",
        (
            '<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" '
            'ttp:timeBase="smpte" ttp:frameRate="25"><body><p begin="10:00:01:00" '
            'end="10:00:02:00">木棉</p></body></tt>'
        ),
    ],
)
def test_a_file_that_counts_like_a_tape_does_not_become_an_empty_track(
    text: str, tmp_path: Path
) -> None:
    """Programmes begin at 10:00:00:00 there, and none of its words would ever be shown."""
    path = tmp_path / "film.txt"
    path.write_text(text, "utf-8")
    track = read_sidecar(path, "zh", 0, tmp_path)
    info, seen = described(HD)
    made = plan(replace(info, subtitles=(track,)), seen, [MOBILE])
    why = r"due at 10:00:01\.000, and the programme lasts 00:00:04\.000\. Count its times from"
    with pytest.raises(UnsupportedMedia, match=why):
        finish(encode_subtitles(path, made, tmp_path))


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"", r"a\.srt is empty: export the subtitles again"),
        (b"\r\n", r"a\.srt is empty: export the subtitles again"),
        (b"just words", "neither SubRip, WebVTT, ASS nor TTML"),
        (b"\x00\x01\xff\xff", "neither UTF-8, UTF-16 nor GB 18030: save it as UTF-8"),
        (b"\xff\xfea", "neither UTF-8, UTF-16 nor GB 18030"),
    ],
)
def test_what_is_no_subtitle_file_is_refused(raw: bytes, why: str, tmp_path: Path) -> None:
    """With the way out."""
    path = tmp_path / "a.srt"
    path.write_bytes(raw)
    with pytest.raises(UnsupportedMedia, match=why):
        read_sidecar(path, "zh", 0, tmp_path)


@pytest.mark.parametrize(
    "text", ["\n" * (1 << 20) + "a", " " * (1 << 20) + "a", "1:00,0" * 175_000]
)
def test_a_megabyte_that_is_no_subtitle_file_is_refused(text: str) -> None:
    """Each line is looked at once: their square would not end."""
    with pytest.raises(UnsupportedMedia, match="convert it first"):
        read_letters(text.encode(), "film.srt")


@pytest.mark.parametrize("before", ["", " ", "\t", "\u3000", "\n \n", "words\n  "])
def test_a_cue_may_stand_anywhere(before: str) -> None:
    """After spaces, empty lines and others."""
    text = f"{before}00:00:01,000 --> 00:00:02,000\nwords\n"
    assert read_letters(text.encode(), "film.srt").codec == "subrip"


@pytest.mark.media
def test_a_track_whose_letters_are_gbk_loses_no_cue(tmp_path: Path) -> None:
    """Ffmpeg leaves such cues out; UTF-8 beside it stays what it is."""
    foreign = tmp_path / "gbk.srt"
    foreign.write_bytes(SIDECAR.encode("gbk"))
    source = subtitled(tmp_path / "a.mkv", [words(tmp_path / "a.srt", LINES[1:2])], "-c:s", "copy")
    both = tmp_path / "both.mkv"
    call("-i", source, "-i", foreign, "-map", "0", "-map", "1", "-c", "copy", both)
    made = planned(both, [MOBILE], tmp_path)
    first, second = finish(encode_subtitles(both, made, tmp_path)).files.values()
    assert cues(first) == [Cue(Fraction(2), Fraction(3), "第二")]
    assert cues(second) == [Cue(Fraction(1), Fraction(2), "木棉 <i>kapok</i>")]


@pytest.mark.media
def test_letters_of_another_code_are_left_out_by_name(tmp_path: Path) -> None:
    """They would be Chinese that nobody wrote; preservation keeps the bytes."""
    said = ("這個節目是由香港電視台製作的", "請各位觀眾留意", "我們將為大家介紹台灣的歷史")
    big5 = tmp_path / "a.srt"
    big5.write_bytes("".join(one_line(n, text) for n, text in enumerate(said)).encode("big5"))
    call("-i", big5, "-c", "copy", tmp_path / "a.mkv")
    found = finish(unreadable_tracks(tmp_path / "a.mkv", [0]))
    why = "its letters look like Big5: repair the track, or give a subtitle file of its own"
    assert found == ((), (SubtitleFault(0, why),))
    assert found[1][0].why.zh == "文字编码疑为 Big5：请修复该轨，或另附字幕文件"
    track = replace(ZH, index=0)
    made = resolved(*MAIN, subtitles=(track,), subtitle_faults=found[1])
    assert told(made)[0] == (
        "subtitle track 0 (subrip, zh-Hans): copied as subrip in archive-ffv1; left out of "
        f"mobile-540p, since {why}"
    )


def one_line(number: int, text: str) -> str:
    return f"{number + 1}\n00:00:0{number},000 --> 00:00:0{number},900\n{text}\n\n"


@pytest.mark.media
def test_cues_without_a_length_are_shown_until_the_next_one(tmp_path: Path) -> None:
    """Matroska may say none (RFC 9559, 5.1.3.5.3): all of them were lost."""
    source = packed(tmp_path / "a.mkv", [[b"one", b"two", b"three"]], length_ms=None)
    assert finish(unreadable_tracks(source, [0])) == ((), ())
    made = resolved("mobile-540p", subtitles=(replace(ZH, index=0),))
    (file,) = finish(encode_subtitles(source, made, tmp_path)).files.values()
    assert cues(file) == [
        Cue(Fraction(0), Fraction(1), "one"),
        Cue(Fraction(1), Fraction(2), "two"),
        Cue(Fraction(2), Fraction(4), "three"),
    ]


@pytest.mark.media
def test_a_track_of_which_no_cue_has_words_is_left_out_by_name(tmp_path: Path) -> None:
    """It was an empty track, which nobody had asked for."""
    source = packed(tmp_path / "a.mkv", [[b"{\\an8}", b" "], [b"words"]])
    why = (
        "it has cues, and none of them has words that could be shown: repair the track, or give a "
        "subtitle file of its own"
    )
    assert finish(unreadable_tracks(source, [0, 1])) == ((), (SubtitleFault(0, why),))


@pytest.mark.media
def test_letters_that_nobody_can_read_are_left_out_by_name(tmp_path: Path) -> None:
    """An inspection finds them: no empty track, no failed job, and preservation keeps the bytes."""
    broken = tmp_path / "a.srt"
    broken.write_bytes(b"1\n00:00:01,000 --> 00:00:02,000\n\xff\xff\xff words\n")
    good = words(tmp_path / "good.srt", LINES[1:2])
    source = subtitled(tmp_path / "a.mkv", [good], "-c:s", "copy")
    both = tmp_path / "both.mkv"
    call("-i", source, "-i", broken, "-map", "0", "-map", "1", "-c", "copy", both)
    made, files = made_of(both, tmp_path, [MOBILE, ARCHIVE])
    assert cues(files["mobile-540p"]) == [Cue(Fraction(2), Fraction(3), "第二")]
    assert len(streams(files["mobile-540p"])) == 1
    assert len(streams(files["archive-ffv1"])) == 2
    assert told(made)[1] == (
        "subtitle track 3 (subrip): copied as subrip in archive-ffv1; left out of mobile-540p, "
        "since its letters are neither UTF-8 nor GB 18030: repair the track, or give a subtitle "
        "file of its own"
    )


@pytest.mark.media
def test_letters_that_nobody_can_read_are_found_before_many_others(tmp_path: Path) -> None:
    """What is said of one cue comes hundreds of lines before the end of the log."""
    good, broken = b"words", b"\xff\xff\xff words"
    source = packed(tmp_path / "a.mkv", [[broken], [good] * 300, [broken] * 300])
    assert finish(unreadable_tracks(source, [0, 1, 2])) == ((0, 2), ())


@pytest.mark.media
def test_a_track_that_unpacks_to_more_than_any_programme_says_is_left_out(tmp_path: Path) -> None:
    """Less than two megabytes become 68; tracks beside it are read, nothing is left."""
    source = packed(tmp_path / "a.mkv", [[b"x" * 4000] * 17_000, [b"words"]])
    assert source.stat().st_size < 2_000_000
    why = (
        "it has more than 64 MiB of letters, or stands beside tracks that have: repair the track, "
        "or give a subtitle file of its own"
    )
    found = finish(unreadable_tracks(source, [0, 1]))
    assert found == ((), (SubtitleFault(0, why),))
    assert list(tmp_path.iterdir()) == [source]
    packed_track, beside = replace(ZH, index=0), replace(ZH, index=1)
    made = resolved("mobile-540p", subtitles=(packed_track, beside), subtitle_faults=found[1])
    assert told(made)[0] == f"subtitle track 0 (subrip, zh-Hans) is in no rendition: {why}"
    (file,) = finish(encode_subtitles(source, made, tmp_path)).files.values()
    assert cues(file) == [Cue(Fraction(0), Fraction(1, 2), "words")]


@pytest.mark.media
def test_many_packets_of_one_letter_are_too_many_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each takes room of its own: a small file of them would fill the memory."""
    source = tmp_path / "a.mp4"
    said = [Cue(Fraction(n, 1000), Fraction(n + 1, 1000), "x") for n in range(1000)]
    source.write_bytes(write_mp4(said))
    print_letters(str(source), "mov", "0", "50000")
    assert json.loads(capsys.readouterr().out) == {"tracks": {}, "long": [0]}
    print_letters(str(source), "mov", "0", "70000")
    assert json.loads(capsys.readouterr().out)["long"] == []


@pytest.mark.media
@pytest.mark.parametrize(
    "beside", [(), (replace(DVB, index=1, codec="subrip"),)], ids=["alone", "beside a copied one"]
)
def test_nothing_of_such_a_track_is_held_in_memory(
    beside: Sequence[SubtitleTrack], tmp_path: Path
) -> None:
    """Beside a track that is copied, which may be longer, it is written and not read."""
    source = packed(tmp_path / "a.mkv", [[b"x" * 4000] * 17_000, [b"words"]])
    tracks = (replace(ZH, index=0), *beside)
    made = resolved("mobile-540p", *(["archive-ffv1"] if beside else []), subtitles=tracks)
    why = "more than 64 MiB of letters: repair the"
    with pytest.raises(LimitExceeded, match=why):
        finish(encode_subtitles(source, made, tmp_path))


@pytest.mark.media
def test_ten_thousand_cues_are_carried(tmp_path: Path) -> None:
    """Each at its time; ten hours of film have no more."""
    path = tmp_path / "long.srt"
    made_cues = [Cue(Fraction(n * 3), Fraction(n * 3 + 2), f"cue {n}") for n in range(10_000)]
    path.write_text(srt(made_cues), "utf-8")
    track = read_sidecar(path, "zh", 0, tmp_path)
    info, seen = described(HD, frames=25 * 30_000)
    made = plan(replace(info, subtitles=(track,)), seen, [MOBILE])
    (file,) = finish(encode_subtitles(path, made, tmp_path)).files.values()
    assert cues(file) == made_cues


@pytest.mark.media
def test_a_rendition_that_lost_its_subtitles_or_captions_is_refused(tmp_path: Path) -> None:
    """Or has them in another language or order."""
    texts = [words(tmp_path / f"{n}.srt", LINES[:1]) for n in range(2)]
    source = subtitled(tmp_path / "a.mkv", texts, "-c:s", "copy", *LANGUAGES)
    made, files = made_of(source, tmp_path, [MOBILE])
    (rung,) = made.rungs
    swapped = replace(rung, subtitles=rung.subtitles[::-1])
    for wanted, fault in (
        (replace(rung, subtitles=rung.subtitles[:1]), "2 subtitle tracks, 1 planned"),
        (swapped, "subtitle track 0: language is zho, eng planned"),
        (with_captions(rung), "captions in the pictures are none, cea-608 planned"),
    ):
        with pytest.raises(VerificationFailed, match=fault):
            verified(files["mobile-540p"], wanted, made, source)


def with_captions(rung: Rung) -> Rung:
    assert rung.video is not None
    return replace(rung, video=replace(rung.video, captions=("cea-608",)))
