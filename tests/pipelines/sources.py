"""Sources as values and as small files, and what is read back from what was made of them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.facts import Verified
from pipelines.inspection.inspect import inspect
from pipelines.inspection.thumbs import Thumbs, write_thumbs
from pipelines.media import AudioTrack, Colour, Inspection, MediaInfo, SubtitleTrack, VideoTrack
from pipelines.planning.plan import Plan, Rung, plan
from pipelines.profiles.profile import Profile
from pipelines.progress import Progress, finish
from pipelines.running.tools import ffmpeg, ffprobe
from pipelines.sources.probe import probe
from pipelines.verification.verify import verify

BT709 = Colour("bt709", "bt709", "bt709", "tv")
HLG = Colour("bt2020", "arib-std-b67", "bt2020nc", "tv")
PQ = Colour("bt2020", "smpte2084", "bt2020nc", "tv")
UHD = VideoTrack(0, "hevc", None, 3840, 2160, "yuv420p10le", 10, Fraction(50), HLG)
HD = VideoTrack(0, "h264", None, 1920, 1080, "yuv420p", 8, Fraction(25), BT709)
STEREO = AudioTrack(1, "aac", 2, "stereo", 48000)


def described(
    picture: VideoTrack | None,
    audio: Sequence[AudioTrack] = (),
    frames: int = 100,
    *,
    timecode: str | None = None,
    **inspected: Any,
) -> tuple[MediaInfo, Inspection]:
    """A probe and an inspection that agree with each other, unless `inspected` says otherwise."""
    info = MediaInfo("mov", 1, None, (picture,) if picture else (), tuple(audio), timecode)
    starts = tuple(Fraction(0) for _ in audio)
    if picture is None:
        return info, Inspection(Fraction(4), audio_start_s=starts)
    seen = Inspection(
        duration_s=frames / picture.frame_rate,
        frames=frames,
        frame_rate=picture.frame_rate,
        audio_start_s=starts,
        field_order=picture.field_order or "progressive",
    )
    return info, replace(seen, **inspected)


def call(*arguments: str | Path) -> bytes:
    argv = [ffmpeg(), "-v", "error", "-nostdin", *map(str, arguments)]
    return subprocess.run(argv, check=True, capture_output=True).stdout


def planned(
    path: Path, profiles: Sequence[Profile], folder: Path, beside: Sequence[SubtitleTrack] = ()
) -> Plan:
    """The plan for a real file, and subtitle files beside it, by a real probe and inspection."""
    info = probe(path)
    images = folder / "inspection"
    images.mkdir(exist_ok=True)
    seen = finish(inspect(path, info, images))
    return plan(replace(info, subtitles=(*info.subtitles, *beside)), seen, profiles)


def verified(path: Path, rung: Rung, made: Plan, source: Path) -> Verified:
    """Compared with a source with an even rate that nobody inspected."""
    return finish(verifying(path, rung, made, source))


def verifying(
    path: Path, rung: Rung, made: Plan, source: Path
) -> Generator[Progress, None, Verified]:
    thumbs = thumbs_of(source, made) if rung.video else None
    return verify(path, rung, made, source, thumbs)


def thumbs_of(source: Path, made: Plan) -> Thumbs | None:
    """What an inspection would keep of the pictures of a source with an even rate."""
    if made.video_track is None:
        return None
    folder = source.with_name(f"{source.name}.thumbs")
    folder.mkdir(exist_ok=True)
    return finish(write_thumbs(source, made, folder))


@dataclass(frozen=True, slots=True)
class ReadBack:
    stream: dict[str, Any]
    times: list[Fraction]
    keys: list[int]


def read_back(path: Path) -> ReadBack:
    """The picture track as ffprobe sees it, decoded."""
    shown = ["-show_streams", "-show_frames", "-select_streams", "v:0", "-of", "json"]
    argv = [ffprobe(), "-v", "error", *shown, str(path)]
    found = json.loads(subprocess.run(argv, check=True, capture_output=True).stdout)
    stream, frames = found["streams"][0], found["frames"]
    tick = Fraction(stream["time_base"])
    keys = [number for number, frame in enumerate(frames) if frame["key_frame"]]
    return ReadBack(stream, [frame["pts"] * tick for frame in frames], keys)


def even(frames: int, rate: Fraction) -> list[Fraction]:
    return [number / rate for number in range(frames)]


def framemd5(path: Path, *words: str) -> list[str]:
    """Of every frame; `words` say how the file is decoded."""
    wanted = ["-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framehash", "-hash", "md5", "-"]
    lines = call(*words, "-i", path, *wanted).decode().splitlines()
    return [line.split(",")[-1].strip() for line in lines if not line.startswith("#")]


def samples(path: Path, channels: int, track: int = 0) -> NDArray[np.float32]:
    raw = call("-i", path, "-map", f"0:a:{track}", "-f", "f32le", "-")
    return np.frombuffer(raw, np.float32).reshape(-1, channels)


def luma(path: Path, width: int, height: int) -> NDArray[np.uint8]:
    """The Y plane of every frame of an 8-bit 4:2:0 file, as coded: nothing is converted."""
    wanted = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    raw = np.frombuffer(call("-i", path, "-map", "0:v:0", *wanted), np.uint8)
    return raw.reshape(-1, height * width * 3 // 2)[:, : height * width].reshape(-1, height, width)


def smaller(profile: Profile, width: int, height: int) -> Profile:
    """The same recipe at a raster that a test has time for."""
    assert profile.video is not None
    return replace(profile, video=replace(profile.video, width=width, height=height))
