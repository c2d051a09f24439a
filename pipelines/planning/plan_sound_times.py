"""Where the sound lies in time, beside the picture, and what becomes of the rest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pipelines.planning.plan_picture import Source
from pipelines.planning.plan_types import Rung
from pipelines.words import Words, zh_of

_END_MS = 50  # less is the last block of a codec


def zero_s(source: Source) -> Fraction:
    """Where the programme begins on the file's clock: with its picture, or else with its sound."""
    starts = source.inspection.audio_start_s
    if source.picture or not starts:
        return source.inspection.first_picture_s
    return min(starts)


def tracks_outside(source: Source) -> frozenset[int]:
    """The sound tracks that begin after the picture, or end before it."""
    inspection, begin_s = source.inspection, zero_s(source)
    spans = zip(inspection.audio_start_s, inspection.audio_end_s, strict=False)
    return frozenset(
        track
        for track, (start_s, end_s) in enumerate(spans)
        if not inspection.clock_jumps
        and (start_s >= begin_s + source.duration_s or end_s <= begin_s)
    )


def sound_time_decisions(source: Source, rungs: Sequence[Rung]) -> list[Words]:
    """What comes before the sound or is cut, and then what follows it."""
    return [*_offset_decisions(source, rungs), *_end_decisions(source, rungs)]


def _copied_tracks(rungs: Sequence[Rung]) -> set[int]:
    """Positions of sound tracks that some rung has as they are."""
    return {track.tracks[0] for rung in rungs for track in rung.audio if track.copied}


def _offset_decisions(source: Source, rungs: Sequence[Rung]) -> list[Words]:
    zero, copied, outside = zero_s(source), _copied_tracks(rungs), tracks_outside(source)
    told = list[Words]()
    if source.inspection.clock_jumps:
        told.append(
            Words(
                "the file's clock jumps: picture and sound go on together, without a gap",
                "文件的时钟有跳变：画面与声音一同接续，不留空隙",
            )
        )
    if source.inspection.track_gaps:
        told.append(
            Words(
                "a track pauses while others go on: silence or its last picture fills that",
                "有一轨在其他轨继续时暂停：以静音或该轨的最后一幅画面填补",
            )
        )
    for position, start in enumerate(source.inspection.audio_start_s):
        if position in outside:
            told.append(
                Words(
                    f"sound track {position} lies wholly outside the picture: it is in no delivery "
                    "rung",
                    f"音轨 {position} 完全在画面的时间之外：除保存母版外，不进入任何成品",
                )
            )
            continue
        off_ms, in_copy = round((start - zero) * 1000), position in copied
        if off_ms > 0:
            told.append(_late_told(position, off_ms, in_copy=in_copy))
        if off_ms < 0:
            told.append(_early_told(position, -off_ms, in_copy=in_copy))
    return told


def _late_told(position: int, late_ms: int, *, in_copy: bool) -> Words:
    but = Words(", but not in a copy", "，直接复制的除外") if in_copy else ""
    return Words(
        f"sound track {position} starts {late_ms} ms late: silence comes before it{but}",
        f"音轨 {position} 晚开始 {late_ms} ms：前面补静音{zh_of(but)}",
    )


def _early_told(position: int, early_ms: int, *, in_copy: bool) -> Words:
    but = Words(", of a copy whole packets", "，直接复制的按整包裁去") if in_copy else ""
    return Words(
        f"sound track {position} starts {early_ms} ms early: that much is cut{but}",
        f"音轨 {position} 早开始 {early_ms} ms：裁去这部分{zh_of(but)}",
    )


def _end_decisions(source: Source, rungs: Sequence[Rung]) -> list[Words]:
    """What becomes of sound that ends elsewhere than the programme; preservation leaves it so."""
    end_s = zero_s(source) + source.duration_s
    what = Words("picture", "画面") if source.picture else Words("longest track", "最长的音轨")
    copied, outside = _copied_tracks(rungs), tracks_outside(source)
    preserved = any(track.lossless for rung in rungs for track in rung.audio)
    silence = Words("silence follows it", "后面补静音")
    if preserved:
        silence = Words(f"{silence}, but in preservation", f"{silence.zh}，保存母版除外")
    kept = Words("preservation keeps it, ", "保存母版予以保留，其他") if preserved else ""
    told = list[Words]()
    for position, last_s in enumerate(source.inspection.audio_end_s):
        if position in outside:
            continue
        off_ms = round((last_s - end_s) * 1000)
        if off_ms < -_END_MS:
            but = Words(", but not in a copy", "，直接复制的除外") if position in copied else ""
            told.append(
                Words(
                    f"sound track {position} ends {-off_ms} ms before the {what}: {silence}{but}",
                    f"音轨 {position} 比{what.zh}早结束 {-off_ms} ms：{silence.zh}{zh_of(but)}",
                )
            )
        if off_ms > _END_MS:
            told.append(
                Words(
                    f"sound track {position} ends {off_ms} ms after the {what}: {kept}delivery "
                    f"rungs end with the {what}",
                    f"音轨 {position} 比{what.zh}晚结束 {off_ms} ms：{zh_of(kept)}成品"
                    f"与{what.zh}同时结束",
                )
            )
    return told
