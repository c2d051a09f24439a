"""One decode of a finished rendition: every frame's time, every packet, loudness, samples."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.encoding.large_pictures import decoder_words
from pipelines.inspection.thumbs import Pictures, chosen, filter_of, pictures_of
from pipelines.media import Area
from pipelines.planning.plan_types import Rung, VideoPlan
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tool_output import LogTail
from pipelines.running.tools import ffmpeg
from pipelines.sound.loudness import EBUR128, read_loudness
from pipelines.sound.sound_levels import Levels
from pipelines.sources.containers import sound_words
from pipelines.verification.lossless import HASHED, FrameHashes, LosslessHashes
from pipelines.verification.samples import (
    SOUND_FILTER,
    SOUND_RATE_HZ,
    Sound,
    Span,
    SpanListener,
)

# Libdavs2 and several tracks of sound in one ffmpeg wait for each other for ever, now and then.
_PICTURE_ALONE = frozenset({"avs2"})
# The NAL units of pictures that nothing before them is needed for (ITU-T H.264 table 7-1, H.265
# table 7-1, H.266 table 5). Containers also mark those of open GOPs as key frames.
_IDR_UNITS = {"h264": "5", "hevc": "19-20", "vvc": "7-8"}
_PACKETS = ("-map", "0:v:0", "-c", "copy", "-f", "framecrc")
_LINE_BYTES = 100  # more than `{pts} {tb}` ever takes


@dataclass(frozen=True, slots=True)
class Track:
    """A sound track of the file; its samples have `channels` after the filters of `mix`.

    `start_s` is counted from the first picture, where the file's clock is not ffmpeg's.
    """

    position: int
    channels: int
    mix: str = ""
    start_s: Fraction = Fraction(0)

    @property
    def name(self) -> str:
        return f"sound{self.position:02}"


@dataclass(frozen=True, slots=True)
class Packets:
    """Of the picture, in file order; times in seconds as the container says them.

    `idr_pts_s` are those of the key frames that nothing before them is needed for, by their own
    bits; `None` of codecs whose key frames are all of that kind.
    """

    pts_s: NDArray[np.float64]
    size_bytes: NDArray[np.int64]
    key: NDArray[np.bool_]
    idr_pts_s: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """`ticks` are presentation times in units of `tick_s`, in the order that frames come out.

    `hashes` are the MD5s of the frames of which they were asked for.
    """

    ticks: NDArray[np.int64]
    tick_s: Fraction
    packets: Packets
    thumbs: Pictures
    hashes: Mapping[int, bytes]


@dataclass(frozen=True, slots=True)
class DecodedSound:
    """`spans` are samples of the places that were asked for, in their order."""

    duration_s: float
    loudness_lkfs: float | None
    true_peak_dbtp: float | None
    spans: tuple[Sound, ...]
    levels: Levels


@dataclass(frozen=True, slots=True)
class Decoded:
    """`argv` decoded the picture, or else the sound."""

    picture: DecodedPicture | None
    sounds: tuple[DecodedSound, ...]
    argv: tuple[str, ...]


def decode(
    path: Path,
    rung: Rung,
    tracks: Sequence[Track],
    numbers: Sequence[int],
    spans: Sequence[Span],
    hashed: Sequence[int] = (),
    whole: Area | None = None,
    proof: LosslessHashes | None = None,
) -> Generator[Progress, None, Decoded]:
    """Decode all of a rendition; the first damaged packet ends it with the error of `run`.

    `tracks` are the sound tracks that the file really has, `numbers` the frames to keep as
    thumbnails, `hashed` those to hash, and `proof` takes the hashes of all. Times are counted from
    the first picture. `whole` is all of the source's picture.
    """
    frames = rung.video.frames if rung.video else None
    look = filter_of(rung.video, whole) if rung.video else ""
    opening = _threads(rung.video) if rung.video else ()
    opening += sound_words(track.codec for track in rung.audio)
    idr = _IDR_UNITS.get(rung.video.codec) if rung.video else None
    if tracks and rung.video and rung.video.codec in _PICTURE_ALONE:
        shown = yield from _decode_some(path, frames, (), numbers, spans, look, (), opening, idr)
        heard = yield from _decode_some(path, None, tracks, (), spans, opening=opening)
        return replace(shown, sounds=heard.sounds)
    return (
        yield from _decode_some(
            path, frames, tracks, numbers, spans, look, hashed, opening, idr, proof
        )
    )


def _threads(video: VideoPlan) -> tuple[str, ...]:
    return decoder_words((video.width, video.height), video.codec)


def _decode_some(
    path: Path,
    frames: int | None,
    tracks: Sequence[Track],
    numbers: Sequence[int],
    spans: Sequence[Span],
    look: str = "",
    hashed: Sequence[int] = (),
    opening: Sequence[str] = (),
    idr: str | None = None,
    proof: LosslessHashes | None = None,
) -> Generator[Progress, None, Decoded]:
    taken = {name: bytearray() for name in ("stamps", "packets", "thumbs", "idr")}
    listeners = [_Listener(track, spans) for track in tracks]
    # Ffmpeg counts from the first of the streams that it reads.
    late_s = -min([track.start_s for track in tracks] + ([] if frames is None else [Fraction(0)]))
    outputs = [] if frames is None else _picture_outputs(numbers, look)
    if idr is not None:
        outputs += [*_PACKETS, "-bsf:v", f"filter_units=pass_types={idr}", "pipe:idr"]
    hashes = FrameHashes()
    if hashed:
        outputs += ["-map", "0:v:0", "-vf", chosen(hashed), *HASHED, "pipe:hashes"]
    outputs += proof.outputs() if proof else []
    for track in tracks:
        outputs += _sound_outputs(track, late_s)
    finished = yield from run(
        [
            *(ffmpeg(), "-v", "level+warning"),
            *("-xerror", "-err_detect", "explode"),  # conceal nothing
            *(*opening, "-i", str(path), *outputs),
        ],
        readable=[path],
        total_frames=frames,
        taps={
            **{name: data.extend for name, data in taken.items()},
            "hashes": hashes.feed,
            **(proof.taps() if proof else {}),
            **{name: tap for listener in listeners for name, tap in listener.taps().items()},
        },
    )
    sounds = tuple(listener.heard() for listener in listeners)
    if frames is None:
        return Decoded(None, sounds, finished.argv)
    found = dict(zip(sorted(hashed), hashes.of_frames, strict=False))
    picture = replace(_picture(taken, numbers, late_s), hashes=found)
    if idr is not None:
        fresh = _packets(taken["idr"], late_s)
        picture = replace(picture, packets=replace(picture.packets, idr_pts_s=fresh.pts_s))
    return Decoded(picture, sounds, finished.argv)


def _picture_outputs(numbers: Sequence[int], look: str) -> list[str]:
    few = f"[few]{chosen(numbers)},{look}[thumb]"
    return [
        *("-filter_complex", f"[0:v:0]split=2[all][few];{few}"),
        *("-map", "[all]", "-fps_mode", "passthrough"),
        *("-stats_enc_pre", "pipe:stamps", "-stats_enc_pre_fmt", "{ptsi} {tbi}", "-f", "null", "-"),
        *("-map", "[thumb]", "-fps_mode", "passthrough", "-f", "rawvideo", "pipe:thumbs"),
        *_PACKETS,
        "pipe:packets",
    ]


def _sound_outputs(track: Track, late_s: Fraction) -> list[str]:
    """What comes before the first picture is not heard: containers that say nothing of it, as
    transport streams, keep what a coder begins with, and the meter's blocks would be shifted by it.
    """
    shifted = f"asetpts=PTS-{float(late_s):.9f}/TB," if late_s else ""
    heard = f"{shifted}atrim=start=0," if late_s else ""
    return [
        *("-map", f"0:a:{track.position}"),
        *("-af", rf"{heard}{EBUR128},ametadata=print:file='pipe\:{track.name}loudness'"),
        *("-f", "null", "-"),
        *("-map", f"0:a:{track.position}", "-af", f"{shifted}{SOUND_FILTER}{track.mix}"),
        *("-f", "f32le", f"pipe:{track.name}"),
    ]


def _picture(
    taken: Mapping[str, bytearray], numbers: Sequence[int], late_s: Fraction
) -> DecodedPicture:
    stamps = taken["stamps"]
    first = bytes(stamps[:_LINE_BYTES]).decode().partition("\n")[0].split()
    tick_s = Fraction(first[1]) if first else Fraction(1)
    ticks = np.fromiter((int(line.split()[0]) for line in BytesIO(stamps)), np.int64)
    return DecodedPicture(
        ticks=ticks - round(late_s / tick_s),
        tick_s=tick_s,
        packets=_packets(taken["packets"], late_s),
        thumbs=pictures_of(bytes(taken["thumbs"]), sorted(numbers)),
        hashes={},
    )


def _packets(text: bytearray, late_s: Fraction) -> Packets:
    """From framecrc: `stream, dts, pts, duration, size, crc[, F=flags]`; no flags: a key frame.

    Line by line: as objects of Python the packets of 24 h took gigabytes.
    """
    base, pts_s, sizes, keys = Fraction(1), array("d"), array("q"), bytearray()
    for told in BytesIO(text):
        line = told.decode().strip()
        if line.startswith("#tb"):
            base = Fraction(line.split()[-1])
        elif line and not line.startswith("#"):
            row = line.split(",")
            pts_s.append(float(int(row[2]) * base - late_s))
            sizes.append(int(row[4]))
            keys.append(_flags(row) & 1)
    return Packets(
        pts_s=np.array(pts_s, dtype=np.float64),
        size_bytes=np.array(sizes, dtype=np.int64),
        key=np.frombuffer(keys, np.uint8).astype(np.bool_),
    )


def _flags(row: Sequence[str]) -> int:
    told = next((word for word in row[6:] if word.strip().startswith("F=")), None)
    return 1 if told is None else int(told.strip().removeprefix("F="), 0)


class _Listener:
    """Keeps the samples of a few spans while a track streams past."""

    def __init__(self, track: Track, spans: Sequence[Span]) -> None:
        self._track = track
        self._metadata = LogTail()
        self._sound = SpanListener(track.channels, spans)

    def taps(self) -> dict[str, Callable[[bytes], object]]:
        name = self._track.name
        return {name: self._sound.feed, f"{name}loudness": self._metadata.feed}

    def heard(self) -> DecodedSound:
        sound, duration_s = self._sound.heard(), self._sound.count / SOUND_RATE_HZ
        loudness = read_loudness(self._track.position, self._metadata.text(), duration_s)
        return DecodedSound(
            duration_s=duration_s,
            loudness_lkfs=loudness.integrated_lkfs,
            true_peak_dbtp=loudness.true_peak_dbtp,
            spans=sound.spans,
            levels=sound.levels,
        )
