"""Joining copies streams: every frame is there, on the even grid, with its sound in place."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.encoding.join import concat_list, join, join_arguments
from pipelines.planning.plan_types import Plan, Rung
from pipelines.progress import finish
from pipelines.running.run import capture
from pipelines.running.tools import ffmpeg, ffprobe
from pipelines.verification.sound_sync import offset_s
from tests.pipelines import handmade
from tests.pipelines.handmade import FRAMES, PLAN, RUNG, STEREO, VIDEO

NTSC = Fraction(30000, 1001)
X264 = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "50")
X265 = (
    *("-c:v", "libx265", "-preset", "veryfast", "-tag:v", "hvc1"),
    *("-x265-params", "bframes=4:keyint=60:open-gop=0:log-level=none"),
)
FFV1 = ("-c:v", "ffv1", "-level", "3", "-g", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("join")


def probed(path: Path, *wanted: str) -> dict[str, Any]:
    argv = [ffprobe(), "-v", "error", *wanted, "-of", "json", str(path)]
    found: dict[str, Any] = json.loads(capture(argv, readable=[path]).stdout)
    return found


def picture_times(path: Path, stream: str = "v:0") -> list[Fraction]:
    """Presentation times of all packets, sorted, as exact fractions."""
    wanted = ("-select_streams", stream, "-show_entries", "packet=pts:stream=time_base")
    found = probed(path, *wanted)
    base = Fraction(found["streams"][0]["time_base"])
    return sorted(packet["pts"] * base for packet in found["packets"])


def decoded_frames(path: Path) -> int:
    found = probed(path, "-count_frames", "-select_streams", "v:0", "-show_streams")
    return int(found["streams"][0]["nb_read_frames"])


def samples(path: Path) -> NDArray[np.float32]:
    """The first sound track at 8 kHz, mono."""
    argv = [ffmpeg(), "-v", "error", "-i", str(path), "-map", "0:a:0", "-ac", "1", "-ar", "8000"]
    raw = capture([*argv, "-f", "f32le", "-"], readable=[path]).stdout
    return np.frombuffer(raw, np.float32)


def planned(rate: Fraction, codec: str = "h264") -> tuple[Plan, Rung]:
    plan = handmade.plan_at(rate)
    video = replace(VIDEO, codec=codec, frame_rate=rate)  # type: ignore[arg-type]  # by parameter
    return plan, replace(RUNG, video=video)


@pytest.mark.media
@pytest.mark.parametrize("rate", [Fraction(25), Fraction(50), NTSC], ids=str)
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize("bounds", [(0,), (0, 17, 30)], ids=["one chunk", "three chunks"])
def test_chunks_join_with_every_frame_on_the_grid(
    rate: Fraction, codec: str, bounds: tuple[int, ...], tmp_path: Path
) -> None:
    """B-frames reach over no seam: the count is exact and frame n is at n ÷ rate, exactly."""
    plan, rung = planned(rate, codec)
    source = handmade.make_source(tmp_path, rate)
    options = X264 if codec == "h264" else X265
    chunks = handmade.encode_parts(source, tmp_path, options, bounds, "mp4")
    sound = handmade.encode_sound(source, tmp_path / "sound.m4a")
    out = tmp_path / "joined.mp4"
    finish(join(rung, chunks, [sound], out, handmade.in_chunks(plan, bounds)))
    assert picture_times(out) == [n / rate for n in range(FRAMES)]
    assert decoded_frames(out) == FRAMES
    assert offset_s(samples(out), samples(source)) is None


@pytest.mark.media
def test_a_lossless_master_joins_in_matroska(tmp_path: Path) -> None:
    """Its clock ticks in milliseconds, so times are right to half of one."""
    plan, rung = planned(NTSC, "ffv1")
    rung = replace(rung, container="mkv", audio=(replace(STEREO, codec="flac"),))
    source = handmade.make_source(tmp_path, NTSC)
    chunks = handmade.encode_parts(source, tmp_path, FFV1, (0, 17, 30), "mkv")
    sound = handmade.encode_sound(source, tmp_path / "sound.mka", ("-c:a", "flac"))
    out = tmp_path / "joined.mkv"
    finish(join(rung, chunks, [sound], out, handmade.in_chunks(plan, (0, 17, 30))))
    off = [abs(at - n / NTSC) for n, at in enumerate(picture_times(out))]
    assert len(off) == FRAMES
    assert max(off) <= Fraction(1, 2000)
    assert decoded_frames(out) == FRAMES
    true, kept = samples(source), samples(out)
    assert np.array_equal(true, kept)


@pytest.mark.media
@pytest.mark.parametrize("rate", [NTSC, Fraction(60000, 1001), Fraction(24000, 1001)], ids=str)
def test_a_master_of_many_shots_does_not_drift(rate: Fraction, tmp_path: Path) -> None:
    """Matroska says how long a chunk is in milliseconds: a third of one too little or too much, 200
    times over, was half of the frames' places.
    """
    count, length = 200, 181
    one = tmp_path / "one.mkv"
    picture = f"color=gray:s=32x32:r={rate}"
    handmade.call("-f", "lavfi", "-i", picture, "-frames:v", f"{length}", "-c:v", "ffv1", one)
    plan, rung = planned(rate, "ffv1")
    assert rung.video is not None
    frames = count * length
    rung = replace(rung, container="mkv", audio=(), video=replace(rung.video, frames=frames))
    plan = replace(plan, frames=frames, duration_s=frames / rate)
    plan = handmade.in_chunks(plan, range(0, frames, length), frames)
    finish(join(rung, [one] * count, [], out := tmp_path / "joined.mkv", plan))
    times = picture_times(out)
    assert len(times) == frames
    assert max(abs(at - n / rate) for n, at in enumerate(times)) <= Fraction(1, 2000)


@pytest.mark.media
def test_the_priming_of_aac_does_not_delay_the_sound(tmp_path: Path) -> None:
    """1024 samples come before the first that is heard; after the join it is still the first."""
    source = tmp_path / "click.mov"
    handmade.call(
        *(
            "-f",
            "lavfi",
            "-i",
            "color=black:s=320x180:r=25:d=2,drawbox=c=white:t=fill:enable='eq(n,25)'",
        ),
        *("-f", "lavfi", "-i", "aevalsrc='0.8*between(t,1,1.002)':s=48000:d=2"),
        *("-c:v", "libx264", "-c:a", "pcm_s16le", source),
    )
    chunks = handmade.encode_parts(source, tmp_path, X264, (0, 17, 30), "mp4")
    sound = handmade.encode_sound(source, tmp_path / "sound.m4a")
    out = tmp_path / "joined.mp4"
    finish(join(RUNG, chunks, [sound], out, handmade.in_chunks(PLAN, (0, 17, 30))))
    heard = samples(out)
    assert np.abs(heard[:7990]).max() < 0.1
    assert np.abs(heard[7990:8020]).max() > 0.3
    argv = [
        ffmpeg(),
        "-v",
        "error",
        "-i",
        str(out),
        "-vf",
        "scale=1:1,format=gray",
        "-f",
        "rawvideo",
        "-",
    ]
    luma = capture(argv, readable=[out]).stdout
    assert [n for n, value in enumerate(luma) if value > 128] == [25]


@pytest.mark.media
def test_languages_and_timecode_travel_in_mp4(tmp_path: Path) -> None:
    """Two tracks keep their languages, and the timecode track starts where the source's does."""
    source = handmade.make_source(tmp_path)
    sound = handmade.encode_sound(source, tmp_path / "sound.m4a")
    chunks = handmade.encode_parts(source, tmp_path, X264, (0,), "mp4")
    rung = replace(RUNG, audio=(STEREO, replace(STEREO, language="eng")))
    out = tmp_path / "joined.mp4"
    plan = replace(PLAN, source_timecode="09:59:50:07")
    finish(join(rung, chunks, [sound, sound], out, plan))
    streams = probed(out, "-show_streams")["streams"]
    sounds = [stream for stream in streams if stream["codec_type"] == "audio"]
    assert [stream["tags"]["language"] for stream in sounds] == ["zho", "eng"]
    assert streams[0]["tags"]["timecode"] == "09:59:50:07"


@pytest.mark.media
def test_timecode_travels_in_matroska(tmp_path: Path) -> None:
    """As a tag, because Matroska has no timecode track."""
    source = handmade.make_source(tmp_path)
    chunks = handmade.encode_parts(source, tmp_path, FFV1, (0,), "mkv")
    rung = replace(RUNG, container="mkv", audio=(), video=replace(VIDEO, codec="ffv1"))
    out = tmp_path / "joined.mkv"
    finish(join(rung, chunks, [], out, replace(PLAN, source_timecode="10:00:00:00")))
    tags = probed(out, "-show_format")["format"]["tags"]
    assert {name.lower(): value for name, value in tags.items()}["timecode"] == "10:00:00:00"


@pytest.mark.media
def test_joining_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """A step that is redone makes the same file, so its hash says nothing has changed."""
    source = handmade.make_source(tmp_path)
    chunks = handmade.encode_parts(source, tmp_path, X264, (0, 30), "mp4")
    sound = handmade.encode_sound(source, tmp_path / "sound.m4a")
    one, other = tmp_path / "one.mp4", tmp_path / "other.mp4"
    plan = handmade.in_chunks(PLAN, (0, 30))
    finish(join(RUNG, chunks, [sound], one, plan))
    finish(join(RUNG, chunks, [sound], other, plan))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.media
def test_the_chunks_of_half_a_day_are_joined(tmp_path: Path) -> None:
    """Each in a folder of its own, as in a store: their names are more than a command takes."""
    count, few = 4000, 2
    source = handmade.make_source(tmp_path)
    (one,) = handmade.encode_parts(source, tmp_path, X264, [FRAMES - few], "mp4")
    chunks = [tmp_path / f"{'step' * 50}{number}" / "chunk.mp4" for number in range(count)]
    assert 2 * sum(len(str(chunk)) for chunk in chunks) > 2 << 20
    for chunk in chunks:
        chunk.parent.mkdir()
        chunk.hardlink_to(one)
    frames = count * few
    rung = replace(RUNG, video=replace(VIDEO, frames=frames), audio=())
    out = tmp_path / "out" / "joined.mp4"
    out.parent.mkdir()
    plan = replace(PLAN, frames=frames, duration_s=Fraction(frames, 25))
    finish(join(rung, chunks, [], out, handmade.in_chunks(plan, range(0, frames, few), frames)))
    assert picture_times(out) == [Fraction(number, 25) for number in range(frames)]


def test_one_chunk_is_opened_as_it_is() -> None:
    """No list, no filter on the time stamps: what an encoder got wrong stays visible."""
    chunk, sound, out = Path("/c/0.mp4"), Path("/c/a.m4a"), Path("/o/r.mp4")
    assert join_arguments(RUNG, [chunk], None, [sound], out, PLAN) == [
        *("-v", "warning", "-i", "/c/0.mp4", "-i", "/c/a.m4a"),
        *("-map", "0:v:0", "-map", "1:a:0"),
        *("-c", "copy", "-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"),
        *("-metadata:s:a:0", "language=zho"),
        *("-movflags", "+faststart", "-f", "mp4", "-y", "/o/r.mp4"),
    ]


def test_several_chunks_go_through_the_concat_demuxer() -> None:
    """The lengths that it adds up are rounded, so every time is put back onto the grid."""
    plan, rung = planned(NTSC, "hevc")
    chunks = [Path("/c/0.mp4"), Path("/c/1.mp4")]
    arguments = join_arguments(rung, chunks, Path("/o/l.txt"), [], Path("/o/r.mp4"), plan)
    grid = (
        "setts=pts=round(round(PTS*TB*30000/1001)*1001/30000/TB)"
        ":dts=round(round(DTS*TB*30000/1001)*1001/30000/TB)"
    )
    assert arguments[:8] == ["-v", "warning", "-f", "concat", "-safe", "0", "-i", "/o/l.txt"]
    assert arguments[arguments.index("-bsf:v") + 1] == grid
    assert arguments[arguments.index("-tag:v") + 1] == "hvc1"


def test_sound_alone_becomes_an_m4a() -> None:
    """The iPod muxer writes the brand that players expect of .m4a."""
    rung = Rung("audio-access-aac", 1, "m4a", None, (STEREO,), packaged=False)
    arguments = join_arguments(rung, [], None, [Path("/c/a.m4a")], Path("/o/r.m4a"), PLAN)
    assert arguments[:6] == ["-v", "warning", "-i", "/c/a.m4a", "-map", "0:a:0"]
    assert arguments[-6:] == ["-movflags", "+faststart", "-f", "ipod", "-y", "/o/r.m4a"]


def test_a_quote_in_a_name_does_not_end_it() -> None:
    """The list is a small language of its own; names of work folders may hold anything."""
    assert concat_list([Path("/it's/0.mp4")]) == "ffconcat version 1.0\nfile '/it'\\''s/0.mp4'\n"
    listed = concat_list([Path("/0.mp4"), Path("/1.mp4")], [6_006_000, 40_000])
    assert listed.splitlines()[2::2] == ["duration 6006000us", "duration 40000us"]
