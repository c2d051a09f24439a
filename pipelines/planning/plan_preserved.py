"""What preservation needs beside the picture: every sample of every track, or a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan_types import AudioPlan, Refused, Rung

T = TypeVar("T")

# What a container's clock rounds; verified files may start as far off.
_START_TOLERANCE_S = Fraction(5, 1000)


def refuse_what_would_be_cut(
    audio: Sequence[AudioPlan], inspection: Inspection, zero_s: Fraction
) -> None:
    """A preserved track begins with the picture and has no holes; raises `Refused` otherwise."""
    for track in audio:
        if not track.lossless:
            continue
        (position,) = track.tracks
        early_s = zero_s - _at(inspection.audio_start_s, position, zero_s)
        if early_s > _START_TOLERANCE_S:
            raise Refused(
                "sound_starts_early",
                f"sound track {position} starts {round(early_s * 1000)} ms before the picture, "
                "which would be cut: keep the source file",
            )
        if holes := _at(inspection.audio_holes, position, 0):
            raise Refused(
                "sound_has_holes",
                f"the time stamps of sound track {position} jump {holes} times, and filling or "
                "closing its holes would change the master: keep the source file",
            )


def preservation_decisions(
    info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]
) -> list[str]:
    """Every track that is in no rendition, and what becomes of lossy sound."""
    preserved = [track for rung in rungs for track in rung.audio if track.lossless]
    return [*_left_out(info, inspection), *_lossy(info, preserved), *_unsaid(info, rungs)]


def _left_out(info: MediaInfo, inspection: Inspection) -> Iterator[str]:
    for picture in info.video[1:]:
        yield f"picture track {picture.index} ({picture.codec}) is in no rendition"
    for track in info.left_out:
        yield f"{track} is in no rendition"
    yield from (later.told for later in inspection.later if later.at_byte is not None)


def _lossy(info: MediaInfo, preserved: Sequence[AudioPlan]) -> Iterator[str]:
    for track in preserved:
        if track.lossy_source:
            (position,) = track.tracks
            codec = info.audio[position].codec
            yield f"sound track {position} is {codec}: preservation keeps its decoded 24 bits"


def _unsaid(info: MediaInfo, rungs: Sequence[Rung]) -> Iterator[str]:
    stands = info.picture.chroma_location if info.picture else None
    for rung in rungs:
        if stands and rung.video and rung.video.lossless and rung.video.chroma_location is None:
            yield f"{rung.profile} cannot say that samples of colour stand at {stands}"


def _at(values: Sequence[T], position: int, otherwise: T) -> T:
    return values[position] if position < len(values) else otherwise
