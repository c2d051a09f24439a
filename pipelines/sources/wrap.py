"""A source that is more than one file becomes one: its packets as they are, in a QuickTime file.

Everything else reads one file. Nothing is decoded or encoded again: what the new file holds is
compared with what the old ones do, stream by stream, by hash, before it gets its name.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pipelines.errors import DiskFull, IncompleteSource, UnsupportedMedia, VerificationFailed
from pipelines.progress import Progress, part
from pipelines.running.durable import give_name
from pipelines.running.run import run
from pipelines.running.tools import ffmpeg
from pipelines.sources.containers import MAX_PIXELS
from pipelines.sources.probe import probe
from pipelines.words import Words

_SPARE_BYTES = 64 << 20
# The same bytes each time: no dates, no version of the tool.
_OWN = ("-format_whitelist", "mov", "-protocol_whitelist", "file")
_OUTPUT = ("-fflags", "+bitexact", "-strict", "experimental", "-f", "mov")
# Of ffmpeg's log: the codec, a pixel format and, in brackets, range, colour and fields. A title
# begins no line of it.
_VIDEO = re.compile(
    r"^ *Stream #.*: Video: (\w+)(?: \([^)\n]*\))*, (\w+)(?:\(([^)\n]*)\))?", re.MULTILINE
)
_HASH = re.compile(r"\d+,(\w),SHA256=([0-9a-f]{64})")
# QuickTime has these in another form: where packets differ, they are compared as they decode.
_REFORMED = frozenset({"h264", "hevc"})


@dataclass(frozen=True, slots=True)
class Input:
    """One input of ffmpeg: its options and its file (or pattern)."""

    options: tuple[str, ...]
    path: str


@dataclass(frozen=True, slots=True)
class Parts:
    """What a source of several files consists of, checked: the first input has the picture.

    `frames` is how many pictures there must be, `left_out` what stays behind, in words. `timecode`
    is that of the first picture, counted at `rate`: ffmpeg copies it of some codecs alone.
    """

    name: str
    kind: Words
    inputs: tuple[Input, ...]
    readable: tuple[Path, ...]
    size_bytes: int
    frames: int | None = None
    left_out: tuple[Words, ...] = ()
    rate: Fraction | None = None
    timecode: str | None = None


@dataclass(frozen=True, slots=True)
class Wrapped:
    """`hashes` are the SHA-256 of all that each stream holds, the picture's first."""

    path: Path
    argv: tuple[str, ...]
    hashes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What the streams hold, and how the pictures are to be read."""

    codec: str
    pix_fmt: str
    colour: str
    full_range: bool
    hashes: tuple[str, ...]


def wrap(parts: Parts, out: Path) -> Generator[Progress, None, Wrapped]:
    """Write `out`, which is there whole or not at all; the same parts give the same bytes.

    Raises `DiskFull`, `UnsupportedMedia`, `VerificationFailed` and what `run` raises.
    """
    out = out.resolve()
    need_room(parts, out.parent)
    with tempfile.TemporaryDirectory(prefix=".kapok-", dir=out.parent) as folder:
        made = Path(folder) / "wrapped.mov"
        copying = run(
            [*_reading(parts), *_all_streams(parts), "-c", "copy", *_written(parts), str(made)],
            readable=parts.readable,
            writable=[made.parent],
            total_frames=parts.frames,
        )
        copied = yield from part(copying, 0.0, 0.4, "copying")
        hashes = yield from _proven(parts, made)
        give_name(made, out)
    return Wrapped(out, copied.argv, hashes)


def need_room(parts: Parts, folder: Path) -> None:
    """Raise `DiskFull` now: the new file is as large as the old ones together."""
    free = shutil.disk_usage(folder).free
    if free < parts.size_bytes + _SPARE_BYTES:
        raise DiskFull(
            f"{parts.name} takes {parts.size_bytes / 1e9:.1f} GB as one file and "
            f"{free / 1e9:.1f} GB are free in {folder}: free some, or use a larger disk"
        )


def _reading(parts: Parts) -> list[str]:
    argv = [ffmpeg(), "-v", "info"]
    for one in parts.inputs:
        argv += [*one.options, "-max_pixels", str(MAX_PIXELS), "-i", one.path]
    return argv


def _all_streams(parts: Parts) -> list[str]:
    """Pictures and sound, no data: the picture of the first input, the sound of every one."""
    sounds = [word for n in range(len(parts.inputs)) for word in ("-map", f"{n}:a?")]
    return ["-map", "0:v:0", *sounds]


def _written(parts: Parts) -> list[str]:
    if parts.timecode is None or parts.rate is None:
        return [*_OUTPUT]
    # A track of timecode needs a rate, and JPEG 2000 in MXF has none of its own.
    return ["-r", str(parts.rate), "-timecode", parts.timecode, *_OUTPUT]


def _proven(parts: Parts, made: Path) -> Generator[Progress, None, tuple[str, ...]]:
    """The hashes of the new file's streams, once they are found to be those of the old ones."""
    whole = Input(_OWN, str(made))
    new = replace(parts, inputs=(whole,), readable=(made,))
    theirs = yield from part(_held(parts), 0.4, 0.55, "hashing what was there")
    ours = yield from part(_held(new), 0.55, 0.7, "hashing what was written")
    if _read_as(theirs) != _read_as(ours):
        raise UnsupportedMedia(
            f"the pictures of {parts.name} ({_read_as(theirs)}) would be read from one file as "
            f"{_read_as(ours)}: make one file of it with the tool that made it"
        )
    if theirs.codec in _REFORMED and theirs.hashes != ours.hashes:
        theirs = yield from part(_held(parts, decoded=True), 0.7, 0.75, "decoding what was there")
        ours = yield from part(_held(new, decoded=True), 0.75, 0.8, "decoding what was written")
    if theirs.hashes != ours.hashes:
        message = f"the one file made of {parts.name} does not hold the same: try again"
        raise VerificationFailed(message)
    yield from _refuse_undecodable(parts, made)
    return ours.hashes


def _refuse_undecodable(parts: Parts, made: Path) -> Generator[Progress, None, None]:
    """Raise `IncompleteSource` unless every picture that there must be decodes.

    A decoder goes on after a damaged one: the programme would be shorter, and nobody would know.
    """
    info, stamps = probe(made), bytearray()
    picture = info.picture
    if parts.timecode and info.timecode != parts.timecode:
        raise VerificationFailed(
            f"the one file made of {parts.name} begins at timecode {info.timecode}, not at "
            f"{parts.timecode}: try again"
        )
    frames = parts.frames or (picture.container_frames if picture else None) or 0
    each = ("-fps_mode", "passthrough", "-enc_time_base:v", "demux", "-f", "null")
    told = ("-stats_enc_pre:0", "pipe:stamps", "-stats_enc_pre_fmt:0", "{pts}")
    argv = [ffmpeg(), "-v", "error", *_OWN, "-i", str(made), "-map", "0:v:0", *told, *each, "-"]
    decoding = run(argv, readable=[made], total_frames=frames, taps={"stamps": stamps.extend})
    yield from part(decoding, 0.8, 1.0, "decoding every picture")
    if (seen := len(stamps.split())) != frames:
        raise IncompleteSource(
            f"{seen} of the {frames} pictures of {parts.name} can be decoded: copy it again"
        )


def _read_as(held: _Held) -> str:
    range_ = "full range" if held.full_range else ""
    return " ".join(word for word in (held.codec, held.pix_fmt, held.colour, range_) if word)


def _held(parts: Parts, *, decoded: bool = False) -> Generator[Progress, None, _Held]:
    log, hashes = bytearray(), bytearray()
    picture = ("-c:v", "rawvideo") if decoded else ("-c:v", "copy")
    to_hash = ("-f", "streamhash", "-hash", "sha256", "pipe:hash")
    yield from run(
        [*_reading(parts), *_all_streams(parts), *picture, "-c:a", "copy", *to_hash],
        readable=parts.readable,
        total_frames=parts.frames,
        taps={"hash": hashes.extend},
        said=log.extend,
    )
    found = _VIDEO.search(log.decode(errors="replace"))
    if found is None:
        message = f"there is no picture in {parts.name} that can be read: look at it in a player"
        raise UnsupportedMedia(message)
    words = (found[3] or "").split(", ")
    return _Held(
        codec=found[1],
        pix_fmt=found[2],
        colour=next((word for word in words if "/" in word), ""),
        full_range="pc" in words,
        hashes=tuple(one[2] for one in _HASH.finditer(hashes.decode())),
    )
