"""Which picture and which programme of a file with several is taken; nobody's sound is mixed in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import clips
import pytest
from clips import H264, generated, make

from pipelines.errors import NoEssence, NoSuchProgramme
from pipelines.media import MediaInfo, Programme, VideoTrack
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.sources.probe import probe
from pipelines.sources.track_choice import choice_decisions, with_choice
from tests.pipelines.sources import HD, STEREO, UHD, described

NEWS, FILM = Programme(7, "News", (0, 1)), Programme(9, "Film \N{SNOWMAN}", (2, 3))
RADIO = Programme(11, None, (4,))


def held(*video: VideoTrack, programmes: tuple[Programme, ...] = ()) -> MediaInfo:
    audio = tuple(replace(STEREO, index=index) for index in (1, 3, 4))
    return MediaInfo("mpegts", 1, None, video, audio, programmes=programmes)


def at(track: VideoTrack, index: int, *, default: bool = False) -> VideoTrack:
    return replace(track, index=index, default=default)


@pytest.mark.parametrize(
    ("video", "order", "why"),
    [
        ((at(HD, 0), at(UHD, 2)), [2, 0], "the largest"),
        ((at(HD, 0, default=True), at(UHD, 2)), [0, 2], "the file's default"),
        (
            (at(HD, 0, default=True), at(UHD, 2, default=True), at(UHD, 5)),
            [2, 0, 5],
            "the largest of the file's defaults",
        ),
        ((at(HD, 3), at(HD, 1)), [1, 3], "the first of equals"),
    ],
)
def test_the_default_then_the_largest_then_the_first_picture_is_taken(
    video: tuple[VideoTrack, ...], order: list[int], why: str
) -> None:
    """The rule is said with the plan's other decisions."""
    chosen = with_choice(held(*video))
    assert [one.index for one in chosen.video] == order
    told = f"picture track {order[0]} is taken ({why}) of {len(video)}"
    assert choice_decisions(chosen) == (told,)


def test_one_picture_and_one_programme_need_no_words() -> None:
    """Sound outside of the only programme is kept as well."""
    chosen = with_choice(held(at(HD, 0), programmes=(NEWS,)))
    assert (choice_decisions(chosen), len(chosen.audio), chosen.programme) == ((), 3, None)


def test_the_programme_with_the_largest_picture_is_taken_with_its_sound_alone() -> None:
    """What belongs to another programme is named as left out."""
    chosen = with_choice(held(at(HD, 0), at(UHD, 2), programmes=(NEWS, FILM, RADIO)))
    assert [one.index for one in (*chosen.video, *chosen.audio)] == [2, 3]
    (told,) = choice_decisions(chosen)
    assert told.startswith('programme 9 "Film \N{SNOWMAN}" is taken (it has the largest picture)')
    assert told.endswith('of 7 "News", 9 "Film \N{SNOWMAN}", 11')
    assert chosen.left_out == (
        "picture track 0 (h264) of another programme",
        "sound track 1 (aac) of another programme",
        "sound track 4 (aac) of another programme",
    )


def test_a_person_may_choose_the_smaller_picture_or_the_radio() -> None:
    """The plan says that it was asked for."""
    info = held(at(HD, 0), at(UHD, 2), programmes=(NEWS, FILM, RADIO))
    news, radio = with_choice(info, 7), with_choice(info, 11)
    assert [one.index for one in (*news.video, *news.audio)] == [0, 1]
    assert 'programme 7 "News" is taken (as asked)' in choice_decisions(news)[0]
    assert (radio.video, [one.index for one in radio.audio]) == ((), [4])


def test_of_programmes_without_a_picture_the_first_is_taken() -> None:
    one, other = Programme(20, None, (1,)), Programme(21, None, (3,))
    chosen = with_choice(held(programmes=(one, other)))
    assert [track.index for track in chosen.audio] == [1]
    assert "(none has a picture, and it is the first)" in choice_decisions(chosen)[0]


def test_a_number_that_is_not_there_is_refused_with_those_that_are() -> None:
    """Also where the file has no programmes at all."""
    with pytest.raises(NoSuchProgramme, match='no programme 8: choose one of 7 "News", 9'):
        with_choice(held(at(HD, 0), at(UHD, 2), programmes=(NEWS, FILM)), 8)
    with pytest.raises(NoSuchProgramme, match="the file has no programmes"):
        with_choice(held(at(HD, 0)), 1)


def test_the_plan_says_the_choice_first() -> None:
    """And every later step maps the streams that the plan names."""
    info, inspection = described(at(HD, 5, default=True), [replace(STEREO, index=6)])
    info = with_choice(replace(info, video=(at(HD, 2), *info.video)))
    made = plan(info, inspection, [profile("mobile-540p")])
    assert made.decisions[0] == "picture track 5 is taken (the file's default) of 2"
    assert (made.video_track, made.audio_tracks) == (5, (6,))


@pytest.mark.media
def test_a_transport_stream_with_two_programmes_is_read_as_one_of_them(tmp_path: Path) -> None:
    """Ffmpeg's own stream: names, numbers and which tracks belong together."""
    path = clips.two_programmes(tmp_path)
    info = probe(path)
    assert info.programmes == (Programme(101, "SD-ONE", (0, 1)), Programme(102, "CCTV-4K", (2, 3)))
    assert info.picture
    assert (info.programme, info.picture.width, info.picture.index) == (102, 320, 2)
    assert [track.index for track in info.audio] == [3]
    small = probe(path, 101)
    assert small.picture
    assert (small.picture.width, [track.index for track in small.audio]) == (160, [1])
    with pytest.raises(NoSuchProgramme, match='101 "SD-ONE", 102 "CCTV-4K"'):
        probe(path, 3)


@pytest.mark.media
def test_a_programme_of_the_tables_that_was_not_recorded_is_no_choice(tmp_path: Path) -> None:
    """The packets of 102 are gone, its tables are still there."""
    whole = clips.two_programmes(tmp_path).read_bytes()
    packets = [whole[start : start + 188] for start in range(0, len(whole), 188)]
    kept = [one for one in packets if (one[1] & 0x1F) << 8 | one[2] not in (0x102, 0x103)]
    path = tmp_path / "half.ts"
    path.write_bytes(b"".join(kept))
    info = probe(path)
    assert info.picture
    assert (info.picture.width, [track.index for track in info.audio]) == (160, [1])


@pytest.mark.media
def test_of_two_pictures_one_that_does_not_decode_is_left_out(tmp_path: Path) -> None:
    """Beside another it is named; alone the file has no essence."""
    two = ("-map", "0", "-map", "0", "-c:v:0", "libx264", "-c:v:1", "rawvideo", "-tag:v:1", "xxxx")
    both = make(tmp_path / "both.mov", *generated(clips.PICTURE), *two, "-preset", "ultrafast")
    info = probe(both)
    assert [one.index for one in info.video] == [0]
    assert "picture track 1 (no picture of it decodes)" in info.left_out
    alone = ("-c:v", "rawvideo", "-tag:v", "xxxx")
    with pytest.raises(NoEssence, match=r"(?s)no picture of track 0 .*: check the file"):
        probe(make(tmp_path / "alone.mov", *generated(clips.PICTURE), *alone))


@pytest.mark.media
def test_a_cover_image_is_no_picture_track_however_large(tmp_path: Path) -> None:
    """It is named as left out."""
    cover = ("-map", "0", "-map", "1", "-c:v:1", "mjpeg", "-disposition:v:1", "attached_pic")
    picture = "color=s=1280x720:d=0.04"
    path = make(tmp_path / "a.mp4", *generated(clips.PICTURE, picture), *cover, *H264[2:])
    info = probe(path)
    assert [one.width for one in info.video] == [320]
    assert info.left_out == ("cover image 1 (mjpeg)",)
