"""One decode of the source measures what is really in it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import clips
import cv2
import pytest

from pipelines.errors import LimitExceeded, NoEssence
from pipelines.inspection.inspect import inspect
from pipelines.media import AudioTrack, Inspection
from pipelines.planning.plan import plan
from pipelines.profiles.profile import profile
from pipelines.progress import finish
from pipelines.sources.probe import probe

pytestmark = pytest.mark.media

WAV_TRACK = AudioTrack(0, "pcm_s16le", 1, "mono", 48000)


def inspected(path: Path, folder: Path) -> Inspection:
    folder.mkdir(exist_ok=True)
    return finish(inspect(path, probe(path), folder))


def test_a_plain_programme_is_measured(tmp_path: Path) -> None:
    """Frames, rate, duration and start as they decode."""
    found = inspected(clips.programme(tmp_path), tmp_path / "out")
    assert (found.frames, found.frame_rate, found.duration_s) == (50, Fraction(25), Fraction(2))
    assert found.constant_frame_rate
    assert found.constant_raster
    assert (found.first_picture_s, found.audio_start_s[0]) == (Fraction(0), Fraction(0))
    assert found.field_order == "progressive"
    assert found.findings == ()
    assert found.shots[-1].end_frame == 50
    assert found.loudness[0].integrated_lkfs == pytest.approx(-21.8, abs=0.2)
    assert found.loudness[0].true_peak_dbtp == pytest.approx(-17, abs=1.5)


def test_a_raster_that_changes_is_found(tmp_path: Path) -> None:
    """Ffmpeg would scale the later pictures to the size of the first without a word."""
    found = inspected(clips.resized(tmp_path), tmp_path / "out")
    assert (found.frames, found.constant_raster) == (50, False)
    told = "the size or the pixel format of the pictures changes, first at frame 25"
    assert told in found.findings


def test_a_pixel_format_that_changes_is_found(tmp_path: Path) -> None:
    """Ffmpeg would convert the later pictures to that of the first; new tags alone change none."""
    found = inspected(clips.reformatted(tmp_path), tmp_path / "out")
    assert (found.frames, found.constant_raster) == (50, False)
    assert "the pixel format of the pictures changes to yuv422p" in found.findings
    found = inspected(clips.reformatted(tmp_path, of_tags=True), tmp_path / "out")
    assert (found.frames, found.constant_raster, found.findings) == (50, True, ())


def test_sound_whose_channels_change_is_found(tmp_path: Path) -> None:
    """Ffmpeg would mix the later sound to the channels of the first; other tracks are not meant."""
    found = inspected(clips.remixed(tmp_path), tmp_path / "out")
    assert found.changed_sounds == (0,)
    assert "sound track 0 changes its rate or its channels" in found.findings
    assert found.constant_raster


def test_what_is_found_of_a_sound_track_names_its_position(tmp_path: Path) -> None:
    """As the plan counts them, from 0 and without the pictures."""
    film = clips.spoilt(clips.programme(tmp_path), 1, 60)

    found = inspected(film, tmp_path / "out")

    assert found.findings[-1].startswith("sound track 0 jumps 1 times")


def test_levels_are_the_source_s_own_code_values(tmp_path: Path) -> None:
    """10-bit samples are picked, not mixed: the exact codes come out."""
    picture = (
        "color=s=320x180:r=25:d=0.4,format=yuv422p10le,geq=lum='if(lt(X,160),40,980)':cb=512:cr=812"
    )
    path = clips.make(tmp_path / "codes.mkv", *clips.generated(picture), "-c:v", "ffv1")
    levels = inspected(path, tmp_path / "out").levels
    assert levels
    assert (levels.luma_min, levels.luma_mean, levels.luma_max) == (40, 510, 980)
    assert levels.saturation_max == 300
    assert levels.out_of_range_share == 1.0  # 40 is below 64, 980 is above 940


def test_a_late_clock_is_told_as_the_file_tells_it(tmp_path: Path) -> None:
    """The distance of sound and picture is what every rendition must keep."""
    path = clips.late_ts(tmp_path)
    info = probe(path)
    found = inspected(path, tmp_path / "out")
    assert found.frames == 50
    assert info.picture
    assert abs(found.first_picture_s - info.picture.start_s) < Fraction(1, 45000)
    assert abs(found.audio_start_s[0] - info.audio[0].start_s) < Fraction(1, 45000)


def test_sound_that_starts_before_the_picture_is_seen(tmp_path: Path) -> None:
    """The picture is shifted by 13 frames of 25 fps in the container."""
    tone = ["-f", "lavfi", "-i", clips.TONE]
    picture = ["-itsoffset", "0.52", "-f", "lavfi", "-i", clips.PICTURE]
    options = [*tone, *picture, "-map", "1", "-map", "0", *clips.H264, "-c:a", "pcm_s16le"]
    found = inspected(clips.make(tmp_path / "late.mov", *options), tmp_path / "out")
    assert found.first_picture_s - found.audio_start_s[0] == Fraction(52, 100)


def test_an_edit_list_hides_what_it_hides(tmp_path: Path) -> None:
    """Counted as every later decode counts: without the half second before the cut."""
    found = inspected(clips.edited(tmp_path), tmp_path / "out")
    assert 36 <= found.frames <= 38
    assert found.duration_s == Fraction(found.frames, 25)


def test_a_variable_rate_is_seen_and_its_span_kept(tmp_path: Path) -> None:
    """The camera meant 25 fps; the pictures that are there are counted."""
    found = inspected(clips.unsteady(tmp_path), tmp_path / "out")
    assert not found.constant_frame_rate
    assert (found.frames, found.frame_rate) == (35, Fraction(25))
    assert found.duration_s == 2


def test_interlaced_tape_stays_interlaced(tmp_path: Path) -> None:
    """Eight tracks of sound are each measured."""
    found = inspected(clips.tape_mxf(tmp_path), tmp_path / "out")
    assert (found.frames, found.frame_rate) == (25, Fraction(25))
    assert found.field_order == "tt"
    assert len(found.loudness) == len(found.audio_start_s) == 8
    assert (found.posters[0].width, found.posters[0].height) == (1024, 576)


def test_a_cut_and_black_are_found(tmp_path: Path) -> None:
    """Bars, one second of black, then noise that moves."""
    bars = "smptebars=s=320x180:r=25:d=1,format=yuv420p[a]"
    black = "color=black:s=320x180:r=25:d=1,format=yuv420p[b]"
    other = "testsrc=s=320x180:r=25:d=1,negate,format=yuv420p[c]"
    graph = f"{bars};{black};{other};[a][b][c]concat=n=3:v=1[v]"
    path = clips.make(
        tmp_path / "cuts.mkv", "-filter_complex", graph, "-map", "[v]", "-c:v", "ffv1"
    )
    found = inspected(path, tmp_path / "out")
    assert [(shot.start_frame, shot.end_frame) for shot in found.shots] == [
        (0, 25),
        (25, 50),
        (50, 75),
    ]
    assert [(span.start_s, span.end_s) for span in found.black] == [(1.0, 2.0)]


def test_a_frozen_picture_is_found(tmp_path: Path) -> None:
    """Three seconds of a still: a fault of the tape, or a slate."""
    path = clips.make(
        tmp_path / "still.mkv",
        *clips.generated("smptebars=s=320x180:r=25:d=3,format=yuv420p"),
        *("-c:v", "ffv1"),
    )
    (span,) = inspected(path, tmp_path / "out").freeze
    assert (span.start_s, span.end_s) == (0.04, 3.0)


def test_sound_alone_is_an_asset_too(tmp_path: Path) -> None:
    """Its length, loudness and waveform; no picture is made up."""
    path = clips.make(
        tmp_path / "a.wav", *clips.generated("sine=1000:d=1.5:sample_rate=48000"), "-ac", "2"
    )
    found = inspected(path, tmp_path / "out")
    assert (found.duration_s, found.frames, found.frame_rate) == (Fraction(3, 2), 0, None)
    assert (found.posters, found.storyboard, found.levels) == ((), None, None)
    assert found.waveform
    (track,) = json.loads((tmp_path / "out" / found.waveform).read_text())["tracks"]
    assert track["length"] * track["samples_per_pixel"] == 72000
    assert min(track["data"]) == -max(track["data"])


def test_silence_has_no_loudness(tmp_path: Path) -> None:
    """`None` is not 0 LKFS."""
    path = clips.make(tmp_path / "silent.wav", *clips.generated("anullsrc=r=48000:d=1"), "-t", "1")
    (loudness,) = inspected(path, tmp_path / "out").loudness
    assert (loudness.integrated_lkfs, loudness.true_peak_dbtp) == (None, None)


def test_the_images_are_there_and_nothing_else(tmp_path: Path) -> None:
    """Candidates that were not chosen are gone, and the named ones have the named size."""
    found = inspected(clips.programme(tmp_path), tmp_path / "out")
    assert found.storyboard
    named = [poster.name for poster in found.posters]
    assert found.thumbs is not None
    kept = [found.thumbs.pictures, str(found.waveform)]
    others = [found.storyboard.vtt, *found.storyboard.images, *kept]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted([*named, *others])
    for poster in found.posters:
        image = cv2.imread(str(tmp_path / "out" / poster.name))
        assert image is not None
        assert image.shape[:2] == (poster.height, poster.width) == (180, 320)


def test_a_stream_without_a_clock_has_more_than_one_poster_to_choose_from(tmp_path: Path) -> None:
    """It was spaced as an hour is: its first picture was the only one."""
    source = clips.generated("testsrc2=s=64x36:r=25:d=4")
    found = inspected(clips.make(tmp_path / "bare.h264", *source), tmp_path / "out")
    assert len(found.posters) == 4
    assert found.storyboard is not None
    assert (tmp_path / "out" / found.storyboard.vtt).read_text().count("-->") == 10


def test_the_storyboard_covers_the_whole_programme(tmp_path: Path) -> None:
    """Cues touch each other, and the last ends with the programme."""
    found = inspected(clips.programme(tmp_path), tmp_path / "out")
    assert found.storyboard
    text = (tmp_path / "out" / found.storyboard.vtt).read_text()
    cues = re.findall(r"(\S+) --> (\S+)\nsprite-001\.jpg#xywh=(\d+),(\d+),240,136", text)
    assert cues[0] == ("00:00:00.000", "00:00:00.400", "0", "0")
    assert cues[-1] == ("00:00:01.600", "00:00:02.000", "960", "0")
    assert [end for _, end, *_ in cues[:-1]] == [start for start, *_ in cues[1:]]


@pytest.mark.parametrize("transfer", ["arib-std-b67", "smpte2084"])
def test_posters_of_hdr_are_made_for_ordinary_screens(transfer: str, tmp_path: Path) -> None:
    """Converted, so mid greys stay mid greys; a PQ code shown as it is would look washed out."""
    found = inspected(clips.hdr(tmp_path, transfer), tmp_path / "out")
    assert (found.frames, found.frame_rate) == (50, Fraction(50))
    image = cv2.imread(str(tmp_path / "out" / found.posters[0].name))
    assert image is not None
    assert image.min() < 40
    assert 60 < image.mean() < 190


ORANGE = (230, 120, 40)
P3 = "matrix=2020_ncl:primaries=smpte432"


@pytest.mark.parametrize(
    ("size", "coded", "tags"),
    [
        ("320x180", "matrix=2020_ncl:primaries=2020", "bt2020:bt2020-10:bt2020nc"),
        ("320x180", f"{P3}:transfer=smpte2084", "smpte432:smpte2084:bt2020nc"),
        ("320x180", "matrix=bt709:primaries=bt709", "unknown:unknown:unknown"),
        ("720x576", "matrix=470bg:primaries=bt470bg", "unknown:unknown:unknown"),
        ("720x608", "matrix=470bg:primaries=bt470bg", "unknown:unknown:unknown"),
        ("720x512", "matrix=170m:primaries=170m", "unknown:unknown:unknown"),
        ("320x180", "matrix=bt709:primaries=bt709", "bt709:log100:bt709"),
    ],
)
def test_a_poster_has_the_colour_that_the_source_means(
    size: str, coded: str, tags: str, tmp_path: Path
) -> None:
    """A JPEG of BT.709's primaries, whatever the source's are, tagged or known by its raster."""
    colour = "0x" + "".join(f"{part:02x}" for part in ORANGE)
    chain = (
        "format=gbrp,setparams=color_primaries=bt709:color_trc=bt709:colorspace=gbr:range=pc,"
        f"zscale=matrixin=gbr:primariesin=bt709:transferin=bt709:{coded}:range=limited,"
        "format=yuv420p10le"
    )
    said = tags.split(":")
    names = ("color_primaries", "color_trc", "colorspace")
    chain += ",setparams=range=tv:" + ":".join(map("=".join, zip(names, said, strict=True)))
    graph = f"color={colour}:s={size}:r=25:d=0.4,{chain}"
    path = clips.make(tmp_path / "patch.mkv", *clips.generated(graph), "-c:v", "ffv1")
    found = inspected(path, tmp_path / "out")
    image = cv2.imread(str(tmp_path / "out" / found.posters[0].name))
    assert image is not None
    middle = image[image.shape[0] // 2, image.shape[1] // 2][::-1].astype(int)
    if "smpte2084" in tags:  # the light of the patch is mapped, its hue stays
        red, green, blue = middle
        assert red > 1.6 * green > 2.4 * blue
        return
    assert abs(middle - ORANGE).max() <= 4


@pytest.mark.parametrize("tags", ["colorspace=ictcp", "colorspace=ycgco", "color_trc=log100"])
def test_colour_that_nothing_converts_does_not_stop_an_inspection(
    tags: str, tmp_path: Path
) -> None:
    """Frames, times and sound are known; that the posters are a guess is said."""
    picture = f"testsrc2=s=320x180:r=25:d=0.4,format=yuv420p10le,setparams={tags}"
    path = clips.make(tmp_path / "odd.mkv", *clips.generated(picture), "-c:v", "ffv1")
    found = inspected(path, tmp_path / "out")
    assert found.frames == 10
    assert any("cannot be converted here" in finding for finding in found.findings)


def test_pictures_that_grow_past_the_limit_are_refused(tmp_path: Path) -> None:
    """The limit holds for every picture: only the first one was small."""
    graphs = ("testsrc2=s=320x180:r=25:d=4", "color=gray:s=8704x8192:r=25:d=0.04")
    parts = [
        clips.make(
            tmp_path / f"{at}.h264", *clips.generated(f"{graph},format=yuv420p"), *clips.H264
        )
        for at, graph in enumerate(graphs)
    ]
    bomb = tmp_path / "bomb.h264"
    bomb.write_bytes(b"".join(part.read_bytes() for part in parts))
    with pytest.raises(LimitExceeded, match="more than 67108864 pixels") as refused:
        inspected(bomb, tmp_path / "out")
    assert not refused.value.retryable


@pytest.mark.parametrize(
    ("weave", "flag", "claimed", "scan"),
    [
        ("", "setfield=tff", "tt", "progressive"),
        ("interlace=scan=bff:lowpass=off,", "setfield=prog", "progressive", "bb"),
    ],
)
def test_pictures_that_contradict_their_flags_are_seen(
    weave: str, flag: str, claimed: str, scan: str, tmp_path: Path
) -> None:
    """PsF, and fields in a stream that says it has none."""
    rate = 50 if weave else 25
    moving = f"mandelbrot=s=720x576:r={rate}:start_scale=0.05:end_pts=20,format=yuv420p"
    path = clips.make(
        *(tmp_path / "flags.mkv", "-f", "lavfi", "-i", f"{moving},{weave}{flag}", "-t", "1"),
        *("-c:v", "ffv1", "-field_order", claimed),
    )
    found = inspected(path, tmp_path / "out")
    assert (found.field_order, found.scan) == (claimed, scan)
    assert len(found.findings) == 1


def test_the_ends_of_the_sound_are_known(tmp_path: Path) -> None:
    """On the same clock as its start."""
    short = "sine=440:d=1.2:sample_rate=48000"
    path = clips.make(
        tmp_path / "short.mov",
        *clips.generated(clips.PICTURE, short),
        *clips.H264,
        "-c:a",
        "pcm_s16le",
    )
    found = inspected(path, tmp_path / "out")
    assert found.audio_end_s == (Fraction(6, 5),)


def test_a_folder_with_odd_letters_works(tmp_path: Path) -> None:
    """Percent signs are numbers to ffmpeg's image writer, quotes and colons end a filter option."""
    folder = tmp_path / "50%d: it's"
    folder.mkdir()
    found = inspected(clips.programme(folder), folder / "out")
    assert (folder / "out" / found.posters[0].name).is_file()


def test_a_rotated_picture_is_measured_upright(tmp_path: Path) -> None:
    """As every player shows it."""
    poster = inspected(clips.rotated(tmp_path), tmp_path / "out").posters[0]
    assert (poster.width, poster.height) == (180, 320)


def test_nothing_that_decodes_is_no_essence(tmp_path: Path) -> None:
    """The container opens, and its index is of another file."""
    info = probe(clips.programme(tmp_path))
    empty = clips.make(tmp_path / "empty.wav", *clips.generated(clips.TONE), "-t", "0")
    with pytest.raises(NoEssence, match="no sound decodes"):
        finish(inspect(empty, replace(info, video=(), audio=(WAV_TRACK,)), tmp_path))


def test_what_a_decoder_complains_of_is_a_finding(tmp_path: Path) -> None:
    """A Matroska file that was cut short decodes as far as it goes, and says so."""
    whole = clips.programme(tmp_path, "whole.mkv").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) * 2 // 3])
    found = inspected(tmp_path / "cut.mkv", tmp_path / "out")
    assert 0 < found.frames < 50
    (finding,) = found.findings
    assert finding.endswith("[in#0/matroska,webm] File ended prematurely")


def test_closing_the_inspection_stops_the_decode(tmp_path: Path) -> None:
    """Cancel works here as everywhere."""
    path = clips.programme(tmp_path)
    operation = inspect(path, probe(path), tmp_path)
    next(operation)
    operation.close()
    assert list(tmp_path.glob("poster-*")) == []


@pytest.mark.parametrize("shared_clip", ["jellyfish_360p_avs3_10bit.mkv"], indirect=True)
def test_rounded_time_stamps_are_still_a_constant_rate(shared_clip: Path, tmp_path: Path) -> None:
    """Matroska rounds 33.37 ms to 33 or 34; the banner of a decoder is no finding."""
    found = inspected(shared_clip, tmp_path / "out")
    assert (found.frames, found.frame_rate) == (120, Fraction(30000, 1001))
    assert found.constant_frame_rate
    assert found.duration_s == Fraction(1001, 250)
    assert found.findings == ()


def test_a_track_that_appears_in_the_middle_fails_nothing(tmp_path: Path) -> None:
    """A second sound for one programme of an evening: neither the beginning nor the end has it."""
    parts = []
    for number, seconds in enumerate((10, 2, 10)):
        source = clips.generated(f"testsrc2=s=720x576:r=25:d={seconds},format=yuv420p")
        coded = ["-c:v", "mpeg2video", "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M"]
        if number == 1:
            source = (*source, "-f", "lavfi", "-i", "sine=r=48000:d=2")
            coded += ["-c:a", "mp2"]
        coded += ["-bufsize", "2M", "-output_ts_offset", str((0, 10, 12)[number])]
        parts.append(clips.make(tmp_path / f"{number}.ts", *source, *coded))
    recorded = tmp_path / "recorded.ts"
    recorded.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = inspected(recorded, tmp_path)
    assert found.frames == 22 * 25
    ((kind, name, place),) = [(one.kind, one.name, one.at_byte) for one in found.later]
    assert (kind, name) == ("sound", "sound track (mp2, PID 257)")
    first = parts[0].stat().st_size
    assert place is not None
    assert first <= place < first + parts[1].stat().st_size
    assert [one for one in found.findings if name in one] == [
        f"{name} begins at byte {place}, and is in no rendition: cut the file there"
    ]


def test_a_second_picture_that_begins_later_takes_nothing_from_the_first(tmp_path: Path) -> None:
    """Sign language for one programme of an evening."""
    coded = ("-c:v", "mpeg2video", "-muxrate", "8M")  # the middle is farther on than ffmpeg looks
    picture = clips.generated("testsrc2=s=64x36:r=25:d=8")
    parts = []
    for number in range(3):
        tracks = ("-map", "0:v") * (2 if number == 1 else 1)
        late = ("-output_ts_offset", str(8 * number))
        parts.append(clips.make(tmp_path / f"{number}.ts", *picture, *tracks, *late, *coded))
    recorded = tmp_path / "recorded.ts"
    recorded.write_bytes(b"".join(part.read_bytes() for part in parts))
    info = probe(recorded)
    images = tmp_path / "images"
    images.mkdir()

    found = finish(inspect(recorded, info, images))

    assert [one.kind for one in found.later] == ["second picture"]
    assert plan(info, found, [profile("mobile-540p")]).refused == ()


@pytest.mark.parametrize("numbers", [(256, 512, 256), (256, 512)])
def test_pictures_that_go_on_under_another_pid_are_told_of_and_refused(
    numbers: tuple[int, ...], tmp_path: Path
) -> None:
    """Adverts, then the programme: ffmpeg reads the track of the adverts alone. At the end of a
    file it sees one that it did not see at the beginning.
    """
    recorded = tmp_path / "recorded.ts"
    coded = ("-c:v", "mpeg2video", "-c:a", "mp2", "-muxrate", "8M")
    with recorded.open("wb") as file:
        for number in numbers:
            picture = clips.generated("testsrc2=s=64x36:r=25:d=8")
            source = (*picture, "-f", "lavfi", "-i", "sine=d=8")
            pids = ("-mpegts_start_pid", str(number))
            part = clips.make(tmp_path / f"{number}.ts", *source, *coded, *pids)
            file.write(part.read_bytes())
    info = probe(recorded)
    images = tmp_path / "images"
    images.mkdir()
    found = finish(inspect(recorded, info, images))
    assert [one.kind for one in found.later][:1] == ["picture"]
    assert not any("cannot be decoded" in one for one in found.findings)
    made = plan(info, found, [profile("mobile-540p"), profile("audio-access-aac")])
    assert [(one.profile, one.code) for one in made.refused] == [
        ("mobile-540p", "picture_track_changes")
    ]
    assert any("512" in one or "sound track 3" in one for one in made.decisions)


def test_a_channel_that_switches_between_4_3_and_16_9_is_found(tmp_path: Path) -> None:
    """The raster stays, and ffmpeg gives every picture the shape of the first one."""
    parts = []
    for number, shape in enumerate(("16/15", "64/45", "16/15")):
        picture = clips.generated(f"testsrc2=s=720x576:r=25:d=1,format=yuv420p,setsar={shape}")
        coded = ("-c:v", "mpeg2video", "-b:v", "2M", "-g", "5")
        parts.append(str(clips.make(tmp_path / f"{number}.ts", *picture, *coded)))
    joined = ("-i", f"concat:{'|'.join(parts)}", "-c", "copy")
    recorded = clips.make(tmp_path / "recorded.ts", *joined)
    shapes = [
        [one for one in inspected(path, tmp_path).findings if "shape" in one]
        for path in (recorded, Path(parts[1]))
    ]
    changes = (
        "the shape of its pictures changes from 4:3 to 16:9 1.000 s after the first picture, the "
        "first of 2 changes: renditions have the first one, and stretch the others: cut it there"
    )
    assert shapes == [[changes], []]
