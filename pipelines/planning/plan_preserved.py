"""What preservation needs beside the picture: every sample of every track, or a reason. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import TypeVar

from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan_types import AudioPlan, Refused, Rung
from pipelines.sound.sound_clock import MOST_DRIFT_S
from pipelines.words import Words, zh_of

T = TypeVar("T")

# What a container's clock rounds; verified files may start as far off.
_START_TOLERANCE_S = Fraction(5, 1000)


def refuse_what_would_be_cut(
    audio: Sequence[AudioPlan], inspection: Inspection, zero_s: Fraction
) -> None:
    """A preserved track begins with the picture and has no holes nor drifts; raises `Refused`
    otherwise.
    """
    for track in audio:
        if not track.lossless:
            continue
        (position,) = track.tracks
        early_s = zero_s - _at(inspection.audio_start_s, position, zero_s)
        if early_s > _START_TOLERANCE_S:
            raise Refused(
                "sound_starts_early",
                Words(
                    f"sound track {position} starts {round(early_s * 1000)} ms before the picture, "
                    "which would be cut: keep the source file",
                    f"音轨 {position} 比画面早开始 {round(early_s * 1000)} ms，这部分会被裁去："
                    "请保留来源文件",
                ),
            )
        if holes := _at(inspection.audio_holes, position, 0):
            raise Refused(
                "sound_has_holes",
                Words(
                    f"the time stamps of sound track {position} jump {holes} times, and filling or "
                    "closing its holes would change the master: keep the source file",
                    f"音轨 {position} 的时间戳跳变 {holes} 次，填补或合拢缺口都会改动母版："
                    "请保留来源文件",
                ),
            )
        drift_s = _at(inspection.audio_drift_s, position, Fraction(0))
        if abs(drift_s) > MOST_DRIFT_S:
            off = f"{abs(float(drift_s)) * 1000:.0f} ms"
            raise Refused(
                "sound_drifts",
                Words(
                    f"the time stamps of sound track {position} run up to {off} away from its "
                    "samples, and with every sample kept it would not stay with the picture: "
                    "keep the source file",
                    f"音轨 {position} 的时间戳与采样最多相差 {off}，若保留每一个采样，"
                    "声音就不能与画面保持同步：请保留来源文件",
                ),
            )


def preservation_decisions(
    info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]
) -> list[Words]:
    """Every track that is in no rendition, and what becomes of lossy sound."""
    preserved = [track for rung in rungs for track in rung.audio if track.lossless]
    return [*_left_out(info, inspection), *_lossy(info, preserved), *_unsaid(info, rungs)]


def _left_out(info: MediaInfo, inspection: Inspection) -> Iterator[Words]:
    for picture in info.video[1:]:
        yield Words(
            f"picture track {picture.index} ({picture.codec}) is in no rendition",
            f"不在任何成品中：画面轨 {picture.index}（{picture.codec}）",
        )
    for track in info.left_out:
        yield Words(f"{track} is in no rendition", f"不在任何成品中：{zh_of(track)}")
    yield from (later.told for later in inspection.later if later.at_byte is not None)


def _lossy(info: MediaInfo, preserved: Sequence[AudioPlan]) -> Iterator[Words]:
    for track in preserved:
        if track.lossy_source:
            (position,) = track.tracks
            codec = info.audio[position].codec
            yield Words(
                f"sound track {position} is {codec}: preservation keeps its decoded 24 bits",
                f"音轨 {position} 是 {codec}：保存母版保留其解码后的 24 位采样",
            )


def _unsaid(info: MediaInfo, rungs: Sequence[Rung]) -> Iterator[Words]:
    stands = info.picture.chroma_location if info.picture else None
    for rung in rungs:
        if stands and rung.video and rung.video.lossless and rung.video.chroma_location is None:
            yield Words(
                f"{rung.profile} cannot say that samples of colour stand at {stands}",
                f"{rung.profile} 无法标明色度样点位于 {stands}",
            )


def _at(values: Sequence[T], position: int, otherwise: T) -> T:
    return values[position] if position < len(values) else otherwise
