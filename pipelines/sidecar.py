"""A subtitle file beside the master: found out what it is, and kept as UTF-8."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.media import SubtitleTrack

FIRST_INDEX = 1000  # no stream of a master has it
_MOST_BYTES = 32 << 20
_BYTE_ORDER = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_CUE = re.compile(r"^\s*(\d+:)?\d+:\d\d[,.]\d+\s+-->", re.MULTILINE)


def read_sidecar(path: Path, language: str, number: int, folder: Path) -> SubtitleTrack:
    """Written again into `folder`; its times are counted from the first picture.

    Raises `UnsupportedMedia` and `LimitExceeded`, with the way out.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise LimitExceeded(f"{path.name} is larger than 32 MiB: give one subtitle file a language")
    text = decoded(path)
    codec = _codec(path, text)
    kept = folder / f"sidecar-{number}.txt"
    kept.write_text(text, "utf-8")
    return SubtitleTrack(FIRST_INDEX + number, codec, text=True, language=language, file=str(kept))


def decoded(path: Path) -> str:
    """By its byte order mark, else UTF-8, else GB 18030, which holds GBK and GB 2312."""
    raw = path.read_bytes()
    marked = next((name for mark, name in _BYTE_ORDER if raw.startswith(mark)), None)
    for name in [marked] if marked else ["utf-8-sig", "gb18030"]:
        try:
            return raw.decode(name).replace("\r\n", "\n").replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise UnsupportedMedia(
        f"the letters of {path.name} are neither UTF-8, UTF-16 nor GB 18030: save it as UTF-8"
    )


def _codec(path: Path, text: str) -> str:
    """By what it begins with, whatever its name."""
    if text.startswith("WEBVTT"):
        return "webvtt"
    if text.lstrip().startswith("[Script Info]"):
        return "ass"
    if _CUE.search(text):
        return "subrip"
    raise UnsupportedMedia(f"{path.name} is neither SubRip, WebVTT nor ASS: convert it first")
