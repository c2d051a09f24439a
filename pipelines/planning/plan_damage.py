"""What a plan says of a source that is not whole or loses samples, and what becomes of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from pipelines.media import Inspection, VideoTrack
from pipelines.planning.plan_picture import Source
from pipelines.planning.plan_types import Rung, VideoPlan

_CHROMA = {"420": "4:2:0", "422": "4:2:2", "444": "4:4:4", "411": "4:1:1", "440": "4:4:0"}
_SHORTER_S = Fraction(1, 2)  # containers round, and some guess from the bit rate
_PACKED = {"nv12": "420", "nv21": "420", "p01": "420", "nv16": "422", "uyvy": "422", "yuyv": "422"}


def damage_decisions(source: Source, rungs: Sequence[Rung]) -> list[str]:
    """What is missing, made up or made coarser, where the plan has anything of it."""
    pictures = [rung for rung in rungs if rung.video]
    told: list[str] = []
    if source.picture and pictures:
        told += [*_of_pictures(source, source.picture), *_coarser(source.picture, pictures)]
    if any(rung.audio for rung in rungs):
        told += _of_sound(source.inspection)
    if source.inspection.decoder_errors and rungs:
        told.append(
            f"the decoder reported {_count(source.inspection.decoder_errors, 'error')}: what it "
            "could not read is in no rendition"
        )
    return told


def _of_pictures(source: Source, picture: VideoTrack) -> Iterator[str]:
    seen, counted = source.inspection, picture.container_frames
    if counted and seen.frames < counted != 2 * seen.frames:  # fields are counted there too
        yield (
            f"the container counts {counted} pictures, {seen.frames} are shown: an edit list hides "
            "the others, or they do not decode"
        )
    # Matroska says when it ends, others how long they last.
    from_zero = "matroska" in source.info.format_name
    start_s = Fraction(0) if from_zero else source.info.start_s
    claimed_s, end_s = source.info.duration_s, _end_s(source) - start_s
    if claimed_s and claimed_s - end_s > _SHORTER_S:
        yield (
            f"the container claims {float(claimed_s):.2f} s, picture and sound end after "
            f"{float(end_s):.2f} s: the rest is missing or does not decode"
        )
    if not seen.constant_frame_rate:
        yield (
            f"{seen.frames} pictures become {source.frames} frames: a gap shows the picture before "
            "it again, and of what comes too fast some are left out"
        )
    if seen.damaged_pictures:
        yield (
            f"{_count(seen.damaged_pictures, 'picture')} cannot be decoded whole: renditions show "
            "what the decoder makes of them"
        )


def _end_s(source: Source) -> Fraction:
    """Of picture and sound, on the file's own clock."""
    seen = source.inspection
    return max([seen.first_picture_s + source.duration_s, *seen.audio_end_s])


def _of_sound(seen: Inspection) -> Iterator[str]:
    for position, holes in enumerate(seen.audio_holes):
        if holes:
            yield (
                f"the time stamps of sound track {position} jump {_count(holes, 'time')}: silence "
                "fills what is missing, and what overlaps is cut"
            )


@dataclass(frozen=True, slots=True)
class _Samples:
    chroma: str
    bits: int

    def __str__(self) -> str:
        return f"{self.chroma} at {self.bits} bits"


def _coarser(picture: VideoTrack, rungs: Sequence[Rung]) -> Iterator[str]:
    """Which rungs have fewer colour samples or bits than the source."""
    theirs = _Samples(_chroma(picture.pix_fmt), picture.bit_depth)
    by_kind: dict[_Samples, list[str]] = {}
    for rung in rungs:
        assert rung.video is not None, "only pictures have samples"
        if not rung.video.lossless:
            by_kind.setdefault(_samples(rung.video), []).append(rung.profile)
    for ours, profiles in by_kind.items():
        if ours.chroma != theirs.chroma or ours.bits < theirs.bits:
            yield f"{', '.join(profiles)}: {theirs} becomes {ours}"


def _samples(video: VideoPlan) -> _Samples:
    deep = re.fullmatch(r".*p(\d+)[lb]e", video.pix_fmt)
    return _Samples(_chroma(video.pix_fmt), int(deep[1]) if deep else 8)


def _chroma(pix_fmt: str) -> str:
    packed = next((kind for name, kind in _PACKED.items() if pix_fmt.startswith(name)), "")
    coded = re.match(r"yuv[aj]?(\d{3})", pix_fmt)
    kind = coded[1] if coded else packed
    return _CHROMA.get(kind, "grey" if pix_fmt.startswith("gray") else "RGB")


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
