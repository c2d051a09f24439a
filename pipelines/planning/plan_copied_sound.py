"""Which sound tracks a rendition takes as they are, packet by packet, and why not others. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from pipelines.languages import short_tag, three_letters
from pipelines.media import AudioTrack, Inspection, MediaInfo
from pipelines.planning.plan_types import AudioPlan, LoudnessPlan, Rung
from pipelines.profiles.codecs import COPIED_SOUND
from pipelines.profiles.profile import AudioProfile, Container, SoundCodec

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1(side)"}


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
) -> str | None:
    """Why a track cannot be taken as it is, if so."""
    held = COPIED_SOUND.get(container, ())
    holes = inspection.audio_holes
    if track.codec not in held:
        return f"{track.codec} is not held by {container}"
    if position < len(holes) and holes[position]:
        return f"its time stamps jump {holes[position]} times"
    if inspection.clock_jumps:
        return "the file's clock jumps"
    return None


def reasons_against_copies(
    container: Container, info: MediaInfo, inspection: Inspection
) -> dict[int, str]:
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
        kept="a copy changes nothing",
    )


def copied_decisions(rungs: Sequence[Rung]) -> list[str]:
    """What is copied, what is not and why, and what a copy's loudness is; each once."""
    told: list[str] = []
    for rung in rungs:
        copies = [track for track in rung.audio if track.copied]
        if copies:
            told += _copies_told(rung, copies)
        for why in dict.fromkeys(track.not_copied for track in rung.audio if track.not_copied):
            told.append(f"sound is encoded in {rung.profile}, for none of it can be copied: {why}")
    return list(dict.fromkeys(told))


def _copies_told(rung: Rung, copies: Sequence[AudioPlan]) -> Iterator[str]:
    for track in copies:
        yield f"sound track {track.tracks[0]} ({track.codec}) is copied, packet by packet"
    for position, why in rung.sound_left_out:
        yield f"sound track {position} is left out of {rung.profile}: {why}"
    yield from (_loudness_told(track, track.loudness) for track in copies if track.loudness)


def _loudness_told(track: AudioPlan, goal: LoudnessPlan) -> str:
    what = f"loudness of sound track {track.tracks[0]}, copied"
    lkfs, peak = goal.source_lkfs, goal.source_true_peak_dbtp
    wanted = f"{goal.target_lkfs:g} ± {goal.tolerance_lu:g} LKFS"
    if lkfs is None:
        return f"{what}: nothing in it is loud enough to be measured"
    off = []
    if abs(lkfs - goal.target_lkfs) > goal.tolerance_lu:
        off.append(f"{lkfs - goal.target_lkfs:+.1f} LU off {wanted}")
    if peak is not None and peak > goal.max_true_peak_dbtp:
        off.append(f"its true peak of {peak:.1f} dBTP is over {goal.max_true_peak_dbtp:g}")
    if off:
        return f"{what}: {lkfs:.1f} LKFS, {' and '.join(off)}; it stays so, for {goal.kept}"
    return f"{what}: {lkfs:.1f} LKFS, within {wanted}"
