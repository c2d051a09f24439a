"""A tiny programme with its plan, made by hand, and renditions with one thing wrong at a time."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from pipelines.media import Colour
from pipelines.planning.plan_types import AudioPlan, Chunk, Plan, Rung, VideoPlan
from pipelines.running.tools import ffmpeg

FRAMES = 50
RATE = Fraction(25)
BT709 = Colour("bt709", "bt709", "bt709", "tv")
TAGS = "setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709:range=tv"
# Noise that comes and goes, other noise on each side, so that it fits at one place only.
SOUND = (
    "anoisesrc=a=0.3:seed=1:r=48000,volume='gt(sin(7*t),0)':eval=frame[left];"
    "anoisesrc=a=0.3:seed=2:r=48000,volume='gt(sin(5*t),0)':eval=frame[right];"
    "[left][right]join=inputs=2:channel_layout=stereo"
)

VIDEO = VideoPlan(
    codec="h264",
    encoder="libx264",
    width=320,
    height=180,
    frame_rate=RATE,
    frames=FRAMES,
    pix_fmt="yuv420p",
    colour=BT709,
    conversion="none",
    field_order="progressive",
    gop_frames=25,
    codec_profile="high",
)
STEREO = AudioPlan(
    key="aac-stereo",
    codec="aac",
    channels=2,
    layout="stereo",
    sample_rate_hz=48000,
    bitrate_bps=128_000,
    tracks=(0,),
    pan="source",
    language="zho",
)
RUNG = Rung("hd-avc-sdr", 1, "mp4", VIDEO, (STEREO,), packaged=True)
PLAN = Plan(
    duration_s=FRAMES / RATE,
    frames=FRAMES,
    frame_rate=RATE,
    constant_frame_rate=True,
    first_picture_s=Fraction(0),
    audio_start_s=(Fraction(0),),
    video_track=0,
    audio_tracks=(1,),
    rungs=(RUNG,),
    refused=(),
    chunks=(Chunk(0, 0, FRAMES),),
    decisions=(),
    source_colour=BT709,
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What `encode` does; each field may be wrong on purpose."""

    picture: str = ""
    sound: str = ""
    tags: str = TAGS
    pix_fmt: str = "yuv420p"
    codec: tuple[str, ...] = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-g", "25")
    audio_codec: tuple[str, ...] = ("-c:a", "aac", "-b:a", "128k")
    output: tuple[str, ...] = ()


RIGHT = Recipe()
LANGUAGE = ("-metadata:s:a:0", "language=zho")


def call(*arguments: str | Path) -> None:
    subprocess.run([ffmpeg(), "-v", "error", "-nostdin", *map(str, arguments)], check=True)


def make_source(folder: Path, rate: Fraction = RATE, frames: int = FRAMES) -> Path:
    """Moving detail with stereo sound, nearly lossless."""
    path = folder / "source.mov"
    seconds = float(frames / rate)
    call(
        *("-f", "lavfi", "-i", f"testsrc2=s=320x180:r={rate}:d={seconds + 1}"),
        *("-f", "lavfi", "-i", SOUND),
        *("-vf", TAGS, "-frames:v", str(frames), "-t", str(seconds)),
        *("-c:v", "libx264", "-preset", "ultrafast", "-qp", "4", "-pix_fmt", "yuv420p", "-g", "12"),
        *("-c:a", "pcm_s16le", "-y", path),
    )
    return path


def encode(source: Path, out: Path, recipe: Recipe = RIGHT) -> Path:
    """A rendition of the source in one go."""
    chain = ",".join(part for part in (recipe.picture, recipe.tags) if part)
    sound = ["-af", recipe.sound] if recipe.sound else []
    call(
        *("-i", source, "-vf", chain, "-fps_mode", "passthrough", "-pix_fmt", recipe.pix_fmt),
        *(*recipe.codec, *sound, *recipe.audio_codec, *LANGUAGE, *recipe.output, "-y", out),
    )
    return out


def encode_parts(
    source: Path, folder: Path, codec: Sequence[str], bounds: Sequence[int], suffix: str
) -> list[Path]:
    """The picture in chunks that start at `bounds`; each begins at time 0."""
    parts = []
    for index, (start, end) in enumerate(zip(bounds, [*bounds[1:], FRAMES], strict=True)):
        path = folder / f"chunk-{index}.{suffix}"
        cut = f"trim=start_frame={start}:end_frame={end},setpts=PTS-STARTPTS,{TAGS}"
        call("-i", source, "-map", "0:v", "-vf", cut, *codec, "-y", path)
        parts.append(path)
    return parts


def in_chunks(plan: Plan, bounds: Sequence[int], end: int = FRAMES) -> Plan:
    """The plan with chunks that start at `bounds`."""
    edges = enumerate(pairwise([*bounds, end]))
    return replace(plan, chunks=tuple(Chunk(index, *edge) for index, edge in edges))


def encode_sound(source: Path, out: Path, codec: Sequence[str] = ("-c:a", "aac")) -> Path:
    call("-i", source, "-map", "0:a:0", *codec, *LANGUAGE, "-y", out)
    return out


def plan_at(rate: Fraction) -> Plan:
    """The same plan at another frame rate."""
    video = replace(VIDEO, frame_rate=rate, gop_frames=round(rate))
    return replace(
        PLAN,
        duration_s=FRAMES / rate,
        frame_rate=rate,
        rungs=(replace(RUNG, video=video),),
    )
