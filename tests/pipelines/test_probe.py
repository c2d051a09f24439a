"""What a file holds is read right, and what is no media is refused with a reason."""

from __future__ import annotations

import re
import subprocess
from fractions import Fraction
from pathlib import Path

import clips
import pytest

from pipelines.errors import (
    EmptyFile,
    LimitExceeded,
    NoEssence,
    TruncatedMedia,
    UnsupportedMedia,
)
from pipelines.media import Colour, ContentLight, MasteringDisplay
from pipelines.profiles.profile import profile
from pipelines.rates import nearest_standard_rate
from pipelines.running.sandbox import active
from pipelines.sources.first_picture import read_log
from pipelines.sources.probe import probe
from tests.pipelines.sources import call, planned

pytestmark = pytest.mark.media

PASSWORDS = "file:///etc/passwd"
PLAYLISTS = {
    "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{PASSWORDS}\n#EXT-X-ENDLIST\n",
    "hls-url": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n",
    "concat": "ffconcat version 1.0\nfile /etc/passwd\n",
    "svg": (
        '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" '
        'xmlns:xlink="http://www.w3.org/1999/xlink" width="64" height="64">'
        f'<image xlink:href="{PASSWORDS}" width="9" height="9"/></svg>'
    ),
    "dash": (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT2S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1">'
        f"<BaseURL>{PASSWORDS}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    ),
    "text": "Only words.\n" * 40,
}


def test_a_plain_programme_is_read(tmp_path: Path) -> None:
    """Container, raster, rate, sound, and the sandbox that looked at it."""
    info = probe(clips.programme(tmp_path))
    picture, (sound,) = info.picture, info.audio
    assert picture
    assert (picture.codec, picture.width, picture.height) == ("h264", 320, 180)
    assert (picture.pix_fmt, picture.bit_depth) == ("yuv420p", 8)
    assert (picture.frame_rate, picture.container_frames) == (Fraction(25), 50)
    assert picture.field_order == "progressive"
    assert (sound.codec, sound.channels, sound.layout) == ("aac", 1, "mono")
    assert sound.sample_rate_hz == 48000
    assert info.sandbox == active()


def test_hdr10_metadata_is_exact(tmp_path: Path) -> None:
    """ST 2086 in fractions as the stream holds them; nothing of it is rounded."""
    picture = probe(clips.hdr(tmp_path, "smpte2084")).picture
    assert picture
    assert picture.colour == Colour("bt2020", "smpte2084", "bt2020nc", "tv")
    assert picture.colour.dynamic_range == "pq"
    assert picture.bit_depth == 10
    assert picture.mastering_display == MasteringDisplay(
        red=(Fraction(34000, 50000), Fraction(16000, 50000)),
        green=(Fraction(13250, 50000), Fraction(34500, 50000)),
        blue=(Fraction(7500, 50000), Fraction(3000, 50000)),
        white=(Fraction(15635, 50000), Fraction(16450, 50000)),
        min_luminance_cd_m2=Fraction(1, 10000),
        max_luminance_cd_m2=Fraction(1000),
    )
    assert picture.content_light == ContentLight(1000, 400)


def test_hlg_is_hlg(tmp_path: Path) -> None:
    """And carries no static metadata."""
    picture = probe(clips.hdr(tmp_path, "arib-std-b67")).picture
    assert picture
    assert picture.colour.dynamic_range == "hlg"
    assert (picture.mastering_display, picture.content_light) == (None, None)


def test_hdr10_plus_is_seen(tmp_path: Path) -> None:
    """In its pictures, since no container says it; and the same file has none without it."""
    picture = probe(clips.hdr10_plus(tmp_path)).picture
    assert picture
    assert (picture.hdr10_plus, picture.hdr_vivid, picture.dolby_vision) == (True, False, False)
    bare = probe(tmp_path / "smpte2084.mp4").picture
    assert bare
    assert not bare.hdr10_plus


def test_dolby_vision_is_seen_in_the_pictures_or_the_sample_entry(tmp_path: Path) -> None:
    """Profile 8 comes as plain HEVC with RPUs; `dvh1` says it before any picture does."""
    marked = clips.dolby_vision(tmp_path)
    bare = tmp_path / "smpte2084.mp4"
    words = ("-c", "copy", "-tag:v", "dvh1", "-strict", "unofficial")
    named = clips.make(tmp_path / "dvh1.mp4", "-i", str(bare), *words)
    found = [probe(path).picture for path in (bare, marked, named)]
    assert [one and one.dolby_vision for one in found] == [False, True, True]
    assert [one and one.hdr10_plus for one in found] == [False, False, False]


def test_a_transport_stream_keeps_its_own_clock(tmp_path: Path) -> None:
    """It starts at ten hours, and the first track is time zero for ffmpeg."""
    info = probe(clips.late_ts(tmp_path))
    starts = [info.video[0].start_s, info.audio[0].start_s]
    assert min(starts) > 36000
    assert abs(info.start_s - min(starts)) < Fraction(1, 90000)


def test_a_tape_transfer_in_mxf_is_read_whole(tmp_path: Path) -> None:
    """Fields, anamorphic pixels, timecode, 24-bit sound in eight tracks."""
    info = probe(clips.tape_mxf(tmp_path))
    picture = info.picture
    assert picture
    assert (picture.width, picture.height, picture.field_order) == (720, 576, "tt")
    assert picture.display_size == (1024, 576)
    assert info.timecode == "10:00:00:00"
    assert [(track.channels, track.bit_depth) for track in info.audio] == [(1, 24)] * 8


def test_a_phone_held_upright_is_shown_upright(tmp_path: Path) -> None:
    """Stored wide, shown tall."""
    picture = probe(clips.rotated(tmp_path)).picture
    assert picture
    assert picture.rotation_deg in (90, 270)
    assert picture.display_size == (180, 320)


def test_a_cover_image_is_no_picture_track(tmp_path: Path) -> None:
    """In a film it is left aside; in a song it leaves sound alone."""
    info = probe(clips.cover_art(tmp_path))
    assert [track.codec for track in info.video] == ["h264"]
    song = clips.make(tmp_path / "song.mp3", *clips.generated(clips.TONE))
    assert probe(song).video == ()
    assert [track.codec for track in probe(song).audio] == ["mp3"]


def test_many_tracks_are_all_told(tmp_path: Path) -> None:
    """Thirty languages are one file."""
    tones = clips.generated(*[f"sine={100 + track}:d=0.2" for track in range(30)])
    maps = [word for track in range(30) for word in ("-map", str(track))]
    path = clips.make(tmp_path / "many.mka", *tones, *maps, "-c:a", "flac")
    assert len(probe(path).audio) == 30


@pytest.mark.parametrize(
    ("mark", "beside"),
    [
        ("visual_impaired", "for the visually impaired"),
        ("hearing_impaired", "for the hard of hearing"),
        ("comment", "a commentary"),
        ("dub", None),
    ],
)
def test_a_sound_track_beside_the_programme_says_so(
    mark: str, beside: str | None, tmp_path: Path
) -> None:
    """By the disposition that its container has."""
    marked = ("-c:a", "flac", "-disposition:a:0", mark)
    made = clips.make(tmp_path / "a.mka", *clips.generated("sine=d=0.1"), *marked)
    assert [track.beside for track in probe(made).audio] == [beside]


def test_lossless_sound_tells_its_depth(tmp_path: Path) -> None:
    """24 bits stay 24; a lossy codec has no depth."""
    wav = clips.make(tmp_path / "a.wav", *clips.generated(clips.TONE), "-c:a", "pcm_s24le")
    (track,) = probe(wav).audio
    assert (track.codec, track.bit_depth) == ("pcm_s24le", 24)


@pytest.mark.parametrize("kind", sorted(PLAYLISTS))
def test_a_playlist_or_text_named_mp4_is_refused(kind: str, tmp_path: Path) -> None:
    """It points at other files or hosts, and none of them is touched."""
    path = tmp_path / "film.mp4"
    path.write_text(PLAYLISTS[kind])
    with pytest.raises(UnsupportedMedia, match="upload"):
        probe(path)


def test_a_photograph_is_no_programme(tmp_path: Path) -> None:
    """A phone's is a grid of tiles in a file like a film's, whose first tile was taken."""
    source = clips.generated("testsrc2=s=64x64:r=1:d=1")
    photograph = clips.make(tmp_path / "a.avif", *source, "-c:v", "libsvtav1", "-f", "avif")
    with pytest.raises(UnsupportedMedia, match=r"a photograph \(HEIF or AVIF, avif\): upload"):
        probe(photograph)
    film = clips.make(tmp_path / "a.mp4", *source, "-brand", "heic")
    with pytest.raises(UnsupportedMedia, match="a photograph"):
        probe(film)


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    """Nothing was transferred."""
    (tmp_path / "film.mp4").touch()
    with pytest.raises(EmptyFile, match="upload it again"):
        probe(tmp_path / "film.mp4")


def test_a_film_without_its_index_is_truncated(tmp_path: Path) -> None:
    """The index stands at the end, so half a file has none."""
    whole = clips.programme(tmp_path).read_bytes()
    (tmp_path / "half.mp4").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TruncatedMedia, match="moov"):
        probe(tmp_path / "half.mp4")


def test_a_film_whose_pictures_are_cut_short_is_truncated(tmp_path: Path) -> None:
    """The index stands in front and promises bytes that are not there."""
    whole = clips.programme(tmp_path, "fast.mp4", "-movflags", "+faststart").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:-1000])
    with pytest.raises(TruncatedMedia, match="lacks its last 1000 bytes"):
        probe(tmp_path / "cut.mp4")


@pytest.mark.parametrize("name", ["a.wav", "a.caf", "a.w64", "a.aiff", "rf64.wav"])
def test_a_recording_that_is_cut_short_is_truncated(name: str, tmp_path: Path) -> None:
    """Between two samples nothing looks damaged: half of it was taken for all."""
    rf64 = ("-rf64", "always") if name == "rf64.wav" else ()
    whole = clips.make(tmp_path / name, "-f", "lavfi", "-i", "sine=d=1:r=48000", *rf64)
    assert probe(whole).duration_s == 1
    whole.write_bytes(whole.read_bytes()[:-48_000])
    with pytest.raises(TruncatedMedia, match="lacks its last 48000 bytes"):
        probe(whole)


def test_a_recording_whose_header_does_not_know_its_length_is_whole(tmp_path: Path) -> None:
    """As it is written into a pipe, by ffmpeg and by SoX, or before its recorder is stopped."""
    streamed = tmp_path / "streamed.wav"
    written = call("-f", "lavfi", "-i", "sine=d=1:r=48000", "-f", "wav", "pipe:1")
    at = written.index(b"data") + 4
    assert written[at : at + 4] == b"\xff\xff\xff\xff"
    for size in (0xFFFFFFFF, 0, 0x7FFFF000, 0x7FFFFFFF):
        streamed.write_bytes(written[:at] + size.to_bytes(4, "little") + written[at + 4 :])
        assert [track.codec for track in probe(streamed).audio] == ["pcm_s16le"]


def test_a_film_without_pictures_has_no_essence(tmp_path: Path) -> None:
    """Zero seconds: a container, and nothing in it."""
    path = clips.make(tmp_path / "zero.mp4", *clips.generated(clips.PICTURE), "-t", "0")
    with pytest.raises(NoEssence, match="check the file in a player, and export it again"):
        probe(path)


def test_pictures_beyond_the_limit_are_refused_undecoded(tmp_path: Path) -> None:
    """Two numbers in a header can claim a picture of any size."""
    picture = "color=s=400x300:d=0.04:r=25,format=gray"
    path = clips.make(tmp_path / "huge.mkv", *clips.generated(picture), "-c:v", "ffv1")
    width, height = b"\xb0\x82\x01\x90", b"\xba\x82\x01\x2c"  # PixelWidth, PixelHeight
    content = path.read_bytes()
    assert (content.count(width), content.count(height)) == (1, 1)
    huge = content.replace(width, b"\xb0\x82\x4e\x20").replace(height, b"\xba\x82\x0f\xa0")
    path.write_bytes(huge)
    with pytest.raises(LimitExceeded, match="80000000 pixels"):
        probe(path)


@pytest.mark.parametrize("shared_clip", ["jellyfish_360p_avs3_10bit.mkv"], indirect=True)
def test_avs3_is_read_with_ffmpegs_help(shared_clip: Path) -> None:
    """PyAV has no decoder for it, and the container's rate is rounded."""
    picture = probe(shared_clip).picture
    assert picture
    assert (picture.codec, picture.pix_fmt, picture.bit_depth) == ("avs3", "yuv420p10le", 10)
    assert (picture.width, picture.height) == (640, 360)
    assert picture.frame_rate == Fraction(30000, 1001)


@pytest.mark.parametrize("shared_clip", ["parkwalk_2160p50_avs3.ts"], indirect=True)
def test_avs3_in_a_transport_stream_has_its_size(shared_clip: Path) -> None:
    """Where ffprobe says width 0."""
    picture = probe(shared_clip).picture
    assert picture
    assert (picture.width, picture.height) == (3840, 2160)
    assert picture.frame_rate == 50


def test_matrix_code_8_of_avs3_is_bt2020() -> None:
    """AVS3's table and ISO's differ there (STANDARDS.md): ISO's 8 is YCgCo."""
    log = (
        "  Stream #0:0[0x100]: Video: avs3 (libuavs3d) ([212][0][0][0] / 0x00D4), yuv420p10le\n"
        "[Parsed_showinfo_0 @ 0x1] n:   0 pts:      0 pts_time:0       duration:   1800 "
        "duration_time:0.02    fmt:yuv420p10le cl:left sar:0/1 s:3840x2160 i:P iskey:1 type:I \n"
        "[Parsed_showinfo_0 @ 0x1] color_range:tv color_space:ycgco color_primaries:bt2020 "
        "color_trc:arib-std-b67\n"
    )
    picture = read_log(log, 0)
    assert picture
    assert picture.colour == Colour("bt2020", "arib-std-b67", "bt2020nc", "tv")
    assert picture.sample_aspect_ratio is None


def test_a_title_is_not_taken_for_a_picture() -> None:
    """It stands in the log before what ffmpeg says of the stream."""
    title = "Stream #0:0: Video: evil fmt:gray sar:2/1 s:2x2 i:T color_trc:smpte2084"
    log = (
        f"    title           : {title}\n                    : {title}\n"
        "  Stream #0:0: Video: avs3, yuv420p10le\n"
        "[Parsed_showinfo_0 @ 0x1] n:   0 fmt:yuv420p10le sar:1/1 s:3840x2160 i:P\n"
        "[Parsed_showinfo_0 @ 0x1] color_range:tv color_trc:arib-std-b67\n"
    )
    picture = read_log(log, 0)
    assert picture
    assert (picture.codec, picture.width, picture.pix_fmt) == ("avs3", 3840, "yuv420p10le")
    assert picture.colour.transfer == "arib-std-b67"


@pytest.mark.parametrize(
    ("rounded", "exact"),
    [
        (Fraction(2997, 100), Fraction(30000, 1001)),
        (Fraction(25), Fraction(25)),
        (Fraction(24), Fraction(24)),
        (Fraction(23976, 1000), Fraction(24000, 1001)),
        (Fraction(5994, 100), Fraction(60000, 1001)),
        (Fraction(25, 2), Fraction(25, 2)),
        (Fraction(178, 10), Fraction(89, 5)),
    ],
)
def test_a_rounded_rate_finds_its_standard(rounded: Fraction, exact: Fraction) -> None:
    """24 and 23.976 differ by one part in a thousand, so the reach is half of that."""
    assert nearest_standard_rate(rounded) == exact


def test_probing_starts_no_other_process_for_long(tmp_path: Path) -> None:
    """The child is gone when the answer is there."""
    path = clips.programme(tmp_path, "gone.mov")
    probe(path)
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    assert str(path) not in listed.stdout


@pytest.mark.parametrize(
    ("written", "read"), [("zho", "zho"), ("en-GB", "en-GB"), ("en,gb", None), ("en:x=1", None)]
)
def test_a_language_is_a_tag_and_no_other_text(
    written: str, read: str | None, tmp_path: Path
) -> None:
    """A comma would end a field of the packager's stream descriptor, and begin one of its own."""
    said = ("-metadata:s:a:0", f"language={written}")
    path = clips.programme(tmp_path, "spoken.mkv", *said)
    assert probe(path).audio[0].language == read


@pytest.mark.parametrize("order", ["tff", "bff"])
def test_hevc_of_fields_is_told_from_hevc_of_frames(order: str, tmp_path: Path) -> None:
    """Whose frames may be interlaced too (pic_struct 3 and 4), and are woven."""
    fields = clips.make(
        tmp_path / "fields.265",
        *clips.generated("testsrc2=s=320x90:r=50:d=0.4"),
        *("-c:v", "libx265", "-preset", "ultrafast"),
        *("-x265-params", f"interlace={order}:log-level=none"),
    )
    found = probe(fields).video[0]
    assert (found.field_pictures, found.field_order) == (True, "progressive")
    made = planned(fields, [profile("mobile-540p"), profile("archive-ffv1")], tmp_path)
    assert {one.code for one in made.refused} == {"field_pictures"}
    woven = tmp_path / "woven.265"
    timing = rb"(\x4e\x01\x01[\x01-\x20])(.)"  # SEI of type 1, which begins with pic_struct
    coded = fields.read_bytes()
    assert {said[0] >> 4 for _, said in re.findall(timing, coded, re.DOTALL)} == {1, 2}
    woven.write_bytes(
        re.sub(timing, lambda one: one[1] + bytes([0x30 | one[2][0] & 15]), coded, flags=re.DOTALL)
    )
    assert not probe(woven).video[0].field_pictures
