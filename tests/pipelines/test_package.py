"""A package is one set of segments under two closed manifests, and it is read back."""

from __future__ import annotations

import json
import re
import shutil
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import VerificationFailed
from pipelines.facts import PackageFiles
from pipelines.media import Colour
from pipelines.packaging.manifests import (
    package_faults,
    read_master,
    read_playlist,
    seconds_of,
    sound_members,
)
from pipelines.packaging.package import best_sound, package, packager_arguments
from pipelines.planning.plan_types import AudioPlan, Rung
from pipelines.progress import finish
from pipelines.running.run import capture
from pipelines.running.tools import ffmpeg, ffprobe
from pipelines.verification.sound_sync import offset_s
from tests.pipelines import handmade
from tests.pipelines.handmade import RIGHT, RUNG, STEREO, VIDEO, Recipe, encode

HLG = Colour("bt2020", "arib-std-b67", "bt2020nc", "tv")
FRAMES = 250
LENGTH_S = Fraction(5)
UHD = Rung(
    "cn4k-hevc-hlg",
    1,
    "mp4",
    replace(VIDEO, codec="hevc", frames=FRAMES, frame_rate=Fraction(50), colour=HLG),
    (STEREO, replace(STEREO, key="ac3-5.1", codec="ac3", channels=6)),
    packaged=True,
)
MOBILE = Rung(
    "mobile-540p",
    1,
    "mp4",
    replace(VIDEO, width=160, height=90, frames=FRAMES // 2),
    (replace(STEREO, bitrate_bps=96_000),),
    packaged=True,
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PackageFiles]:
    """An HLG HEVC rung at 50 fps and an AVC one at 25 fps, five seconds long."""
    folder = tmp_path_factory.mktemp("package")
    source = handmade.make_source(folder, Fraction(50), FRAMES)
    tags = "setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc:range=tv"
    uhd = Recipe(
        tags=tags,
        pix_fmt="yuv420p10le",
        codec=(
            *("-c:v", "libx265", "-preset", "ultrafast", "-tag:v", "hvc1", "-bf", "3"),
            *("-x265-params", "keyint=50:min-keyint=50:scenecut=0:open-gop=0:log-level=none"),
        ),
        output=("-metadata:s:a:0", "language=zho", "-timecode", "10:00:00:00"),
    )
    mobile = replace(
        RIGHT,
        picture="framestep=2,scale=160:90",
        codec=(*RIGHT.codec, "-keyint_min", "25", "-sc_threshold", "0"),
    )
    renditions = [
        (UHD, encode(source, folder / "uhd.mp4", uhd)),
        (MOBILE, encode(source, folder / "mobile.mp4", mobile)),
    ]
    out = folder / "out"
    out.mkdir()
    rungs = [(replace(UHD, audio=(STEREO,)), renditions[0][1]), renditions[1]]
    return out, finish(package(rungs, out, LENGTH_S))


@pytest.mark.media
def test_both_manifests_list_every_rung(made: tuple[Path, PackageFiles]) -> None:
    """CODECS, range, size and rate are what the files say, and the sound is there once."""
    folder, files = made
    assert (files.hls, files.dash) == ("master.m3u8", "manifest.mpd")
    variants, _ = read_master(folder / files.hls)
    assert [
        [one.attributes[name] for name in ("RESOLUTION", "FRAME-RATE", "VIDEO-RANGE", "AUDIO")]
        for one in variants
    ] == [["320x180", "50.000", "HLG", "sound"], ["160x90", "25.000", "SDR", "sound"]]
    codecs = [one.attributes["CODECS"] for one in variants]
    assert re.fullmatch(r"hvc1\.2\.4\.L\d+\.90,mp4a\.40\.2", codecs[0])
    assert re.fullmatch(r"avc1\.6400[0-9a-f]{2},mp4a\.40\.2", codecs[1])
    text = (folder / files.hls).read_text()
    assert text.count("TYPE=AUDIO") == 1
    assert 'LANGUAGE="zh"' in text
    assert "DEFAULT=YES" in text


@pytest.mark.media
def test_every_listed_file_is_there_and_relative(made: tuple[Path, PackageFiles]) -> None:
    """The list is complete, so that nothing of a package is left behind when it is stored."""
    folder, files = made
    assert {path for path in files.files if not (folder / path).is_file()} == set()
    assert {str(path.relative_to(folder)) for path in folder.rglob("*.*")} == set(files.files)
    manifests = [path for path in files.files if path.endswith((".m3u8", ".mpd"))]
    assert all(str(folder) not in (folder / path).read_text() for path in manifests)
    variants, named = read_master(folder / files.hls)
    assert {one.playlist for one in variants} | set(named) <= {
        folder / path for path in files.files
    }


@pytest.mark.media
def test_segments_of_all_rungs_begin_together(made: tuple[Path, PackageFiles]) -> None:
    """Two seconds on GOP boundaries, in both kinds of manifest."""
    folder, files = made
    for rung in (UHD, MOBILE):
        playlist = read_playlist(folder / rung.profile / "index.m3u8")
        assert playlist.durations_s == (2.0, 2.0, 1.0)
        assert playlist.closed
    root = ET.parse(folder / files.dash).getroot()
    assert root.get("type") == "static"
    assert seconds_of(root.get("mediaPresentationDuration", "")) == pytest.approx(5, abs=0.02)


@pytest.mark.media
def test_a_player_sees_every_frame_and_hears_the_sound_in_place(
    made: tuple[Path, PackageFiles],
) -> None:
    """Ffmpeg plays the HLS: the B-frames' delay and AAC's priming shift nothing."""
    folder, files = made
    master = folder / files.hls
    argv = [ffprobe(), "-v", "error", "-count_frames", "-show_streams", "-of", "json", str(master)]
    streams = json.loads(capture(argv, readable=[folder]).stdout)["streams"]
    frames = [one["nb_read_frames"] for one in streams if one["codec_type"] == "video"]
    assert frames == ["250", "125"]
    starts = {float(one["start_time"]) for one in streams if one["codec_type"] == "video"}
    assert starts == {0.0}

    def sound(path: Path, readable: Path) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
        command = [ffmpeg(), "-v", "error", "-copyts", "-i", str(path), "-map", "0:a:0", "-ac", "1"]
        command += ["-af", "aresample=8000:async=1:first_pts=0", "-f", "f32le", "-"]
        return np.frombuffer(capture(command, readable=[readable]).stdout, np.float32)

    true, heard = sound(folder.parent / "uhd.mp4", folder.parent), sound(master, folder)
    length = min(len(true), len(heard))
    assert length > 39_000
    assert offset_s(heard[:length], true[:length]) is None


@pytest.mark.media
@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("master.m3u8", "VIDEO-RANGE=HLG", "VIDEO-RANGE=SDR", "HLS says VIDEO-RANGE=SDR"),
        ("master.m3u8", "320x180", "640x360", "HLS says RESOLUTION=640x360 of cn4k-hevc-hlg"),
        ("master.m3u8", "hvc1.", "hev1.", "HLS says CODECS=hev1."),
        ("master.m3u8", "mobile-540p/index", "gone/index", "HLS has no variant for mobile-540p"),
        ("mobile-540p/index.m3u8", "#EXT-X-ENDLIST", "", "mobile-540p/index.m3u8 has no end"),
        ("mobile-540p/index.m3u8", "2.000", "1.500", "do not line up"),
        ("mobile-540p/index.m3u8", "2.000", "1.500", "mobile-540p/index.m3u8 lasts 4.000 s"),
        ("manifest.mpd", 'type="static"', 'type="dynamic"', "DASH is dynamic, not static"),
        ("manifest.mpd", "PT5", "PT9", "planned 5.000 s"),
        ("manifest.mpd", "mobile-540p/", "gone/", "DASH has no representation for mobile-540p"),
    ],
)
def test_a_manifest_that_says_something_else_is_found(
    made: tuple[Path, PackageFiles], file: str, old: str, new: str, fault: str, tmp_path: Path
) -> None:
    """Each promise of a manifest is checked against the rungs."""
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    found = faults_of(folder)
    assert any(fault in one for one in found), found


@pytest.mark.media
def test_a_missing_segment_is_found(made: tuple[Path, PackageFiles], tmp_path: Path) -> None:
    """And so is a missing manifest."""
    folder = tmp_path / "copy"
    shutil.copytree(made[0], folder)
    (folder / "mobile-540p" / "00002.m4s").unlink()
    assert "mobile-540p/index.m3u8 names missing segments: 00002.m4s" in faults_of(folder)
    (folder / "manifest.mpd").unlink()
    assert faults_of(folder) == ["manifest.mpd is missing"]


def sound_package(folder: Path, length_s: int) -> Path:
    """What the packager writes over AAC of 48 kHz: segments of 94, 94, 94 and 93 blocks."""
    blocks = [94, 94, 94, 93] * (length_s // 8) + [94, 94, 94, 93][: length_s % 8 // 2]
    sound = folder / "sound-1"
    sound.mkdir(parents=True)
    media = (
        '#EXT-X-MEDIA:TYPE=AUDIO,URI="sound-1/index.m3u8",GROUP-ID="sound",NAME="中文",'
        'LANGUAGE="zh",CHANNELS="2"'
    )
    (folder / "master.m3u8").write_text(f"#EXTM3U\n{media}\n")
    lines = ["#EXTM3U", '#EXT-X-MAP:URI="init.mp4"']
    for number, count in enumerate(blocks, start=1):
        lines += [f"#EXTINF:{count * 1024 / 48000:.3f},", f"{number:05}.m4s"]
    (sound / "index.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    for name in ("init.mp4", *(line for line in lines if line.endswith(".m4s"))):
        (sound / name).touch()
    timeline = "".join(f'<S d="{count * 1024}"/>' for count in blocks)
    (folder / "manifest.mpd").write_text(
        f'<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        f'mediaPresentationDuration="PT{length_s}S"><Period>'
        '<AdaptationSet contentType="audio" lang="zh"><Representation>'
        '<SegmentTemplate timescale="48000" media="sound-1/$Number%05d$.m4s">'
        f"<SegmentTimeline>{timeline}</SegmentTimeline></SegmentTemplate>"
        "</Representation></AdaptationSet></Period></MPD>"
    )
    return folder


@pytest.mark.parametrize("length_s", [900, 3600, 3 * 3600])
def test_what_rounding_loses_of_a_long_playlist_is_no_fault(length_s: int, tmp_path: Path) -> None:
    """AAC loses a millisecond each 8 s; a segment that is missing, or too much, is found."""
    folder = sound_package(tmp_path / "package", length_s)
    rung = replace(RUNG, video=None)

    def faults() -> list[str]:
        manifests = folder / "master.m3u8", folder / "manifest.mpd"
        return package_faults(*manifests, [rung], float(length_s))

    playlist = folder / "sound-1" / "index.m3u8"
    whole = playlist.read_text()
    assert abs(sum(read_playlist(playlist).durations_s) - length_s) > 0.1
    assert faults() == []
    one = "#EXTINF:2.005,\n00002.m4s\n"
    for text in (whole.replace(one, ""), whole.replace(one, one.replace("2.m4s", "0.m4s") + one)):
        (folder / "sound-1" / "00000.m4s").touch()
        playlist.write_text(text)
        assert [fault.partition(" lasts")[0] for fault in faults()] == ["sound-1/index.m3u8"]


@pytest.mark.media
def test_a_quarter_of_an_hour_is_packaged(tmp_path: Path) -> None:
    """Sound whose blocks fill no whole segment, beside a picture whose GOPs do."""
    length_s, rate = 904, Fraction(1)
    source, out = tmp_path / "long.mp4", tmp_path / "out"
    out.mkdir()
    handmade.call(
        *("-f", "lavfi", "-i", f"color=s=64x36:r={rate}:d={length_s}"),
        *("-f", "lavfi", "-i", f"anullsrc=r=48000:cl=mono:d={length_s}"),
        *("-vf", handmade.TAGS, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        *("-g", "2", "-c:a", "aac", "-aac_coder", "fast", *handmade.LANGUAGE, source),
    )
    video = replace(VIDEO, width=64, height=36, frame_rate=rate, frames=length_s)
    rung = replace(RUNG, video=video, audio=(replace(STEREO, channels=1),))
    finish(package([(rung, source)], out, Fraction(length_s)))
    said = read_playlist(out / "sound-1" / "index.m3u8").durations_s
    assert length_s - sum(said) > 0.1


def faults_of(folder: Path) -> list[str]:
    hls, dash = folder / "master.m3u8", folder / "manifest.mpd"
    return package_faults(hls, dash, [UHD, MOBILE], float(LENGTH_S))


@pytest.mark.media
def test_rungs_whose_gops_differ_are_not_packaged(tmp_path: Path) -> None:
    """Segments cannot line up where key frames do not, and a player would stall at a switch."""
    source = handmade.make_source(tmp_path, Fraction(50), FRAMES)
    one = replace(RIGHT, codec=(*RIGHT.codec[:-1], "50"))
    other = replace(RIGHT, codec=(*RIGHT.codec[:-1], "33"))
    rung = replace(RUNG, video=replace(VIDEO, frame_rate=Fraction(50), frames=FRAMES))
    renditions = [
        (replace(rung, profile="one"), encode(source, tmp_path / "one.mp4", one)),
        (replace(rung, profile="other"), encode(source, tmp_path / "other.mp4", other)),
    ]
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(VerificationFailed, match="segments of other do not line up"):
        finish(package(renditions, out, LENGTH_S))


@pytest.mark.media
@pytest.mark.parametrize("language", ["zho", None])
def test_stereo_and_surround_are_named_apart(language: str | None, tmp_path: Path) -> None:
    """HLS lists each picture once with each codec of sound, so that every player finds its own."""
    source = handmade.make_source(tmp_path)
    stereo = encode(source, tmp_path / "stereo.mp4", RIGHT)
    both, out = tmp_path / "both.mp4", tmp_path / "out"
    out.mkdir()
    sounds = ("-map", "0:a", "-map", "0:a", "-c:a:0", "copy", "-c:a:1", "ac3", "-ac:a:1", "6")
    said = ("-metadata:s:a", f"language={language or ''}")
    handmade.call("-i", stereo, "-map", "0:v", "-c:v", "copy", *sounds, *said, both)
    first = replace(STEREO, language=language)
    six = replace(first, key="ac3", codec="ac3", channels=6, layout="5.1(side)")
    rung = replace(RUNG, audio=(first, six))
    finish(package([(rung, both)], out, Fraction(2)))
    variants, _ = read_master(out / "master.m3u8")
    told = [(one.attributes["AUDIO"], one.attributes["CODECS"].split(",")[1]) for one in variants]
    assert told == [("sound", "mp4a.40.2"), ("sound-ac3", "ac-3")]
    text = (out / "master.m3u8").read_text()
    name = "中文" if language else "sound-1"
    assert re.findall('GROUP-ID="([^"]+)".*NAME="([^"]+)",DEFAULT=YES.*CHANNELS="(.)"', text) == [
        ("sound", name, "2"),
        ("sound-ac3", name, "6"),
    ]
    labels = re.findall("<Label>(.*)</Label>", (out / "manifest.mpd").read_text())
    assert labels == (["中文", "中文 5.1"] if language else ["sound-1", "sound-2 5.1"])
    without = replace(rung, audio=(first,))
    faults = package_faults(out / "master.m3u8", out / "manifest.mpd", [without], 2.0)
    assert sum("says sounds" in fault for fault in faults) == 2


@pytest.mark.media
def test_every_group_of_sound_has_the_same_members(tmp_path: Path) -> None:
    """RFC 8216, 4.3.4.1.1: English in stereo alone is listed beside Chinese in 5.1 too, and such a
    variant says both codecs (4.3.4.2).
    """
    source = handmade.make_source(tmp_path)
    stereo = encode(source, tmp_path / "stereo.mp4", RIGHT)
    made, out = tmp_path / "made.mp4", tmp_path / "out"
    out.mkdir()
    codecs = ("-c", "copy", "-c:a:2", "ac3", "-ac:a:2", "6")
    languages = enumerate(("zho", "eng", "zho"))
    said = [word for n, one in languages for word in (f"-metadata:s:a:{n}", f"language={one}")]
    handmade.call("-i", stereo, "-map", "0:v", *("-map", "0:a") * 3, *codecs, *said, made)
    six = replace(STEREO, key="ac3", codec="ac3", channels=6, layout="5.1(side)")
    rung = replace(RUNG, audio=(STEREO, replace(STEREO, key="en", language="eng"), six))
    assert sound_members(rung) == {"sound": [0, 1], "sound-ac3": [2, 1]}
    finish(package([(rung, made)], out, Fraction(2)))
    master = out / "master.m3u8"
    text = master.read_text()
    wanted = 'URI="([^"]+)",GROUP-ID="([^"]+)".*NAME="([^"]+)",DEFAULT=(.+?),.*CHANNELS="(.)"'
    assert re.findall(wanted, text) == [
        ("sound-1/index.m3u8", "sound", "中文", "YES", "2"),
        ("sound-2/index.m3u8", "sound", "English", "NO", "2"),
        ("sound-3/index.m3u8", "sound-ac3", "中文", "YES", "6"),
        ("sound-2/index.m3u8", "sound-ac3", "English", "NO", "2"),
    ]
    variants, _ = read_master(master)
    told = {one.attributes["AUDIO"]: one.attributes["CODECS"].split(",")[1:] for one in variants}
    assert told == {"sound": ["mp4a.40.2"], "sound-ac3": ["ac-3", "mp4a.40.2"]}
    master.write_text(text.replace("ac-3,mp4a.40.2", "ac-3"))
    faults = package_faults(master, out / "manifest.mpd", [rung], 2.0)
    assert [fault.rpartition(",")[2] for fault in faults] == [" and has sound of more"]


@pytest.mark.media
def test_sound_without_a_language_is_still_the_default(tmp_path: Path) -> None:
    """And a comma in a folder's name is no end of a field."""
    folder = tmp_path / "programmes, new"
    out = folder / "out"
    out.mkdir(parents=True)
    source = handmade.make_source(folder)
    rung = replace(RUNG, audio=(replace(STEREO, language=None),))
    unnamed = replace(RIGHT, output=("-metadata:s:a:0", "language="))
    finish(package([(rung, encode(source, folder / "a.mp4", unnamed))], out, Fraction(2)))
    text = (out / "master.m3u8").read_text()
    assert "LANGUAGE" not in text
    assert text.count("DEFAULT=YES") == 1
    assert str(folder) not in text


def test_the_best_sound_is_taken_once() -> None:
    """AAC before AC-3, because every player decodes it; then more channels, then more bits."""
    ac3 = replace(STEREO, codec="ac3", channels=6, bitrate_bps=448_000)

    def with_sound(name: str, *tracks: AudioPlan) -> tuple[Rung, Path]:
        return (Rung(name, 1, "mp4", VIDEO, tracks, packaged=True), Path(f"/{name}.mp4"))

    low = with_sound("low", replace(STEREO, bitrate_bps=96_000))
    high = with_sound("high", replace(STEREO, bitrate_bps=192_000), ac3)
    surround = with_sound("surround", ac3)
    silent = with_sound("silent")
    assert best_sound([surround, low, high, silent]) == high
    assert best_sound([silent, surround]) == surround
    assert best_sound([silent]) is None


def test_the_packager_makes_both_manifests_in_one_run() -> None:
    """The whole command: pictures of every rung, the sounds of the best one, each codec apart."""
    renditions = [(UHD, Path("/r/uhd.mp4")), (MOBILE, Path("/r/mobile.mp4"))]
    assert packager_arguments(renditions, Path("/p")) == [
        (
            "in=/r/uhd.mp4,stream=video,init_segment=/p/cn4k-hevc-hlg/init.mp4,"
            "segment_template=/p/cn4k-hevc-hlg/$Number%05d$.m4s,"
            "playlist_name=cn4k-hevc-hlg/index.m3u8,iframe_playlist_name=cn4k-hevc-hlg/iframes.m3u8"
        ),
        (
            "in=/r/mobile.mp4,stream=video,init_segment=/p/mobile-540p/init.mp4,"
            "segment_template=/p/mobile-540p/$Number%05d$.m4s,"
            "playlist_name=mobile-540p/index.m3u8,iframe_playlist_name=mobile-540p/iframes.m3u8"
        ),
        (
            "in=/r/uhd.mp4,stream=1,init_segment=/p/sound-1/init.mp4,"
            "segment_template=/p/sound-1/$Number%05d$.m4s,"
            "playlist_name=sound-1/index.m3u8,hls_group_id=sound,hls_name=中文,dash_label=中文,"
            "language=zh"
        ),
        (
            "in=/r/uhd.mp4,stream=2,init_segment=/p/sound-2/init.mp4,"
            "segment_template=/p/sound-2/$Number%05d$.m4s,"
            "playlist_name=sound-2/index.m3u8,hls_group_id=sound-ac3,hls_name=中文,"
            "dash_label=中文 5.1,language=zh"
        ),
        *("--segment_duration", "2", "--generate_static_live_mpd"),
        *("--mpd_output", "/p/manifest.mpd", "--hls_master_playlist_output", "/p/master.m3u8"),
        *("--hls_playlist_type", "VOD", "--default_language", "zh"),
    ]


def test_durations_of_manifests_are_iso_8601() -> None:
    """Hours and minutes included; anything else is no duration."""
    assert seconds_of("PT1H2M3.5S") == 3723.5
    assert seconds_of("PT5S") == 5
    assert seconds_of("P1D") is None
