"""What becomes of sound above full scale, which floating point and lossy codecs have, and PCM and
FLAC have no numbers for. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from pipelines.media import AudioTrack, Inspection, MediaInfo
from pipelines.planning.plan_types import AudioPlan, Rung
from pipelines.profiles.codecs import UNCOMPRESSED
from pipelines.words import Words

_MOST_WHOLE_BITS = 24  # more may be whole numbers or not; PCM's name says it
_BELOW_DB = 0.1  # [P] a true peak is measured at four times the rate, between the samples


def within_full_scale(track: AudioPlan, info: MediaInfo, inspection: Inspection) -> AudioPlan:
    """The same track, lowered as a whole where its samples would be cut off.

    A loudness has a limit of its own, a downmix its limiter, and preservation changes nothing.
    """
    held = track.codec not in UNCOMPRESSED or track.loudness or track.pan == "downmix"
    peak_dbtp = _peak_dbtp(track, info, inspection)
    if held or track.lossless or track.copied or peak_dbtp <= 0:
        return track
    gain_db = -math.ceil(10 * (peak_dbtp + _BELOW_DB)) / 10
    return replace(track, key=f"{track.key}_{-gain_db:g}db_less", gain_db=gain_db)


def full_scale_decisions(
    info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]
) -> list[Words]:
    """What is lowered, and what a preservation copy cuts off, each once."""
    told = list[Words]()
    for track in (track for rung in rungs for track in rung.audio):
        which = "+".join(map(str, track.tracks))
        peak_dbtp = _peak_dbtp(track, info, inspection)
        if track.gain_db:
            told.append(
                Words(
                    f"sound track {which} has peaks of {peak_dbtp:+.1f} dBTP, which {track.codec} "
                    f"cannot hold: {track.gain_db:+.1f} dB for all of it",
                    f"音轨 {which} 的峰值达 {peak_dbtp:+.1f} dBTP，{track.codec} 无法容纳："
                    f"整条音轨 {track.gain_db:+.1f} dB",
                )
            )
        elif track.lossless and peak_dbtp > 0:
            told.append(
                Words(
                    f"sound track {which} decodes to peaks of {peak_dbtp:+.1f} dBTP: in "
                    "preservation samples above full scale are cut off, as by a player; the source "
                    "file keeps them",
                    f"音轨 {which} 解码后的峰值达 {peak_dbtp:+.1f} dBTP：保存母版与播放器一样，"
                    "削去超过满幅的采样；来源文件仍保有这些采样",
                )
            )
    return list(dict.fromkeys(told))


def _peak_dbtp(track: AudioPlan, info: MediaInfo, inspection: Inspection) -> float:
    """The highest true peak of the tracks that may exceed full scale, wherever it is, and of their
    mix, for of a track with data nothing else is told; 0 where none does.
    """
    able = {position for position in track.tracks if _may_exceed(info.audio[position])}
    alone = [one.true_peak_dbtp for one in inspection.loudness if one.track in able]
    mixed = [
        mix.true_peak_dbtp
        for mix in inspection.mixes
        if (mix.tracks, mix.pan) == (track.tracks, track.pan) and able.issuperset(mix.tracks)
    ]
    return max((peak for peak in (*alone, *mixed) if peak is not None), default=0.0)


def _may_exceed(track: AudioTrack) -> bool:
    if track.bit_depth is None:
        return True
    return track.bit_depth > _MOST_WHOLE_BITS and not track.codec.startswith("pcm_s")
