"""Which sound tracks a rendition takes as they are, packet by packet, and why not others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from pipelines.languages import short_tag, three_letters
from pipelines.media import AudioTrack, Inspection, MediaInfo
from pipelines.planning.plan_types import AudioPlan, LoudnessPlan, Rung
from pipelines.profiles.codecs import COPIED_SOUND
from pipelines.profiles.profile import AudioProfile, Container, SoundCodec
from pipelines.words import Words, joined

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1(side)"}
_UNCHANGED = Words("a copy changes nothing", "直接复制不作任何改动")


def copied_sound(
    wanted: AudioProfile, container: Container, info: MediaInfo, inspection: Inspection
) -> tuple[AudioPlan, ...]:
    """Every track that the container holds, in the source's order."""
    return tuple(
        _copied(wanted, position, track, inspection)
        for position, track in enumerate(info.audio)
        if why_not_copied(container, position, track, inspection) is None
    )


def why_not_copied(
    container: Container, position: int, track: AudioTrack, inspection: Inspection
) -> Words | None:
    """Why a track cannot be taken as it is, if so."""
    held = COPIED_SOUND.get(container, ())
    holes = inspection.audio_holes
    if track.codec not in held:
        return Words(
            f"{track.codec} is not held by {container}", f"{container} 封装不支持 {track.codec}"
        )
    if position < len(holes) and holes[position]:
        return Words(
            f"its time stamps jump {holes[position]} times", f"时间戳跳变 {holes[position]} 次"
        )
    if position < len(inspection.audio_slips) and inspection.audio_slips[position]:
        return Words("its time stamps drift away from its samples", "时间戳与采样逐渐偏离")
    if inspection.clock_jumps:
        return Words("the file's clock jumps", "文件的时钟有跳变")
    return None


def reasons_against_copies(
    container: Container, info: MediaInfo, inspection: Inspection
) -> dict[int, Words]:
    """Of each track that cannot be copied, by its position."""
    found = {
        position: why_not_copied(container, position, track, inspection)
        for position, track in enumerate(info.audio)
    }
    return {position: why for position, why in found.items() if why is not None}


def _copied(
    wanted: AudioProfile, position: int, track: AudioTrack, inspection: Inspection
) -> AudioPlan:
    return AudioPlan(
        key=f"{track.codec}_copy_t{position}",
        codec=cast("SoundCodec", track.codec),
        channels=track.channels,
        layout=track.layout or _LAYOUTS.get(track.channels, f"{track.channels}c"),
        sample_rate_hz=track.sample_rate_hz,
        bitrate_bps=None,
        tracks=(position,),
        pan="source",
        language=three_letters(track.language),
        language_tag=short_tag(track.language),
        loudness=_stated(wanted, position, inspection),
        copied=True,
    )


def _stated(wanted: AudioProfile, position: int, inspection: Inspection) -> LoudnessPlan | None:
    """What was measured beside what is wanted: nothing is done about it."""
    goal = wanted.loudness
    if goal is None:
        return None
    heard = next((one for one in inspection.loudness if one.track == position), None)
    return LoudnessPlan(
        goal.target_lkfs,
        goal.tolerance_lu,
        goal.max_true_peak_dbtp,
        source_lkfs=heard.integrated_lkfs if heard else None,
        source_true_peak_dbtp=heard.true_peak_dbtp if heard else None,
        gain_db=0.0,
        kept=_UNCHANGED,
    )


def copied_decisions(rungs: Sequence[Rung]) -> list[Words]:
    """What is copied, what is not and why, and what a copy's loudness is; each once."""
    told: list[Words] = []
    for rung in rungs:
        copies = [track for track in rung.audio if track.copied]
        if copies:
            told += _copies_told(rung, copies)
        for why in dict.fromkeys(track.not_copied for track in rung.audio if track.not_copied):
            told.append(
                Words(
                    f"sound is encoded in {rung.profile}, for none of it can be copied: {why}",
                    f"{rung.profile} 的声音重新编码，因为没有音轨可直接复制：{why.zh}",
                )
            )
    return list(dict.fromkeys(told))


def _copies_told(rung: Rung, copies: Sequence[AudioPlan]) -> Iterator[Words]:
    for track in copies:
        yield Words(
            f"sound track {track.tracks[0]} ({track.codec}) is copied, packet by packet",
            f"音轨 {track.tracks[0]}（{track.codec}）逐包直接复制",
        )
    for position, why in rung.sound_left_out:
        yield Words(
            f"sound track {position} is left out of {rung.profile}: {why}",
            f"音轨 {position} 不进入 {rung.profile}：{why.zh}",
        )
    yield from (_loudness_told(track, track.loudness) for track in copies if track.loudness)


def _loudness_told(track: AudioPlan, goal: LoudnessPlan) -> Words:
    what = Words(
        f"loudness of sound track {track.tracks[0]}, copied",
        f"直接复制的音轨 {track.tracks[0]} 的响度",
    )
    lkfs, peak = goal.source_lkfs, goal.source_true_peak_dbtp
    wanted = f"{goal.target_lkfs:g} ± {goal.tolerance_lu:g} LKFS"
    if lkfs is None:
        return Words(
            f"{what}: nothing in it is loud enough to be measured",
            f"{what.zh}：没有足够响、可供测量的声音",
        )
    off = list[Words]()
    if abs(lkfs - goal.target_lkfs) > goal.tolerance_lu:
        apart = f"{lkfs - goal.target_lkfs:+.1f} LU"
        off.append(Words(f"{apart} off {wanted}", f"偏离 {wanted} 达 {apart}"))
    if peak is not None and peak > goal.max_true_peak_dbtp:
        most = f"{goal.max_true_peak_dbtp:g}"
        off.append(
            Words(
                f"its true peak of {peak:.1f} dBTP is over {most}",
                f"真峰值 {peak:.1f} dBTP 超过 {most} dBTP",
            )
        )
    if off:
        said = joined(off, " and ", "，")
        return Words(
            f"{what}: {lkfs:.1f} LKFS, {said}; it stays so, for {_UNCHANGED}",
            f"{what.zh}：{lkfs:.1f} LKFS，{said.zh}；保持原样，因为{_UNCHANGED.zh}",
        )
    return Words(
        f"{what}: {lkfs:.1f} LKFS, within {wanted}", f"{what.zh}：{lkfs:.1f} LKFS，符合 {wanted}"
    )
