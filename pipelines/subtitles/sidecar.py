"""A subtitle file beside the master: found out what it is, and kept as UTF-8."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import LimitExceeded, UnsupportedMedia
from pipelines.media import SubtitleTrack
from pipelines.subtitles.cues import srt
from pipelines.subtitles.ttml import is_ttml, read_ttml

FIRST_INDEX = 1000  # no stream of a master has it
_MOST_BYTES = 32 << 20
_BYTE_ORDER = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# Without a mark: what these files begin with is ASCII, half of whose bytes are zero then.
_UNMARKED = ((rb"[\s\d<\[W]\0", "utf-16-le"), (rb"\0[\s\d<\[W]", "utf-16-be"))
# Letters of GB 18030: of four bytes, or of two, of which the second is found.
_DOUBLE = re.compile(rb"[\x81-\xfe]\d[\x81-\xfe]\d|[\x81-\xfe]([\x40-\x7e\x80-\xfe])")
# [P] Of the second bytes: of simplified Chinese 3 % are below 0x80, of traditional 18 %. Big5 and
# Latin-1, which could be read as GB 18030 too and would be other letters, have half and all there.
_FOREIGN_SHARE = 1 / 3
_LINE_END = re.compile(r"\r+\n|\r")  # by itself, as WebVTT allows and old Macs write it
_CUE = re.compile(r"^\s*(\d+:)?\d+:\d\d[,.]\d+\s+-->", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Letters:
    """What a subtitle file holds, and the kind of file that it is, by ffmpeg's name; of TTML, which
    ffmpeg does not read, the words are SubRip.
    """

    codec: str
    text: str


def read_sidecar(path: Path, language: str, number: int, folder: Path) -> SubtitleTrack:
    """Written again into `folder`; its times are counted from the first picture.

    Raises `UnsupportedMedia` and `LimitExceeded`, with the way out.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise LimitExceeded(f"{path.name} is larger than 32 MiB: give one subtitle file a language")
    letters = read_letters(path.read_bytes(), path.name)
    kept = folder / f"sidecar-{number}.txt"
    kept.write_text(letters.text, "utf-8")
    return SubtitleTrack(
        FIRST_INDEX + number, letters.codec, text=True, language=language, file=str(kept)
    )


def read_letters(raw: bytes, name: str) -> Letters:
    """By what it begins with, whatever its name.

    Raises `UnsupportedMedia` and `LimitExceeded`, with the way out.
    """
    codes = [code for code in _codes(raw) if code != "gb18030" or not _is_foreign(raw)]
    text = _decoded(raw, codes, name)
    if text.startswith("WEBVTT"):
        return Letters("webvtt", text)
    if text.lstrip().startswith("[Script Info]"):
        return Letters("ass", text)
    if _CUE.search(text):
        return Letters("subrip", text)
    if is_ttml(text):
        return Letters("ttml", srt(read_ttml(text, name)))
    raise UnsupportedMedia(f"{name} is neither SubRip, WebVTT, ASS nor TTML: convert it first")


def decoded(path: Path) -> str:
    """The letters of a master's own track. Raises `UnsupportedMedia`."""
    raw = path.read_bytes()
    return _decoded(raw, _codes(raw), path.name)


def _codes(raw: bytes) -> list[str]:
    """By its byte order mark or first letter, else UTF-8, else GB 18030, which holds GBK and
    GB 2312.
    """
    told = [code for mark, code in _BYTE_ORDER if raw.startswith(mark)]
    told += [code for first, code in _UNMARKED if re.match(first, raw)]
    return told or ["utf-8-sig", "gb18030"]


def _decoded(raw: bytes, codes: Sequence[str], name: str) -> str:
    for code in codes:
        try:
            return _LINE_END.sub("\n", raw.decode(code)).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise UnsupportedMedia(
        f"the letters of {name} are neither UTF-8, UTF-16 nor GB 18030: save it as UTF-8"
    )


def _is_foreign(raw: bytes) -> bool:
    """Whether what reads as GB 18030 is none, beyond the chance of a few letters."""
    seconds = [second for second in _DOUBLE.findall(raw) if second]
    low = len([second for second in seconds if second < b"\x80"])
    return low > _FOREIGN_SHARE * len(seconds) + math.sqrt(len(seconds))
