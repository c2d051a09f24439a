"""What is done to a track's loudness: one gain for all of it, and a limiter only where peaks need
it. Pure.

GY/T 282-2014 and GY/T 377-2023 measure by ITU-R BS.1770. One gain keeps the programme's dynamics;
what it would lift over the true-peak limit is taken down by a limiter, within bounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from pipelines.media import Inspection
from pipelines.planning.plan_types import AudioPlan, LoudnessPlan
from pipelines.profiles.codecs import UNCOMPRESSED
from pipelines.profiles.profile import LoudnessTarget
from pipelines.words import Words

_SHORTEST_S = Fraction(2, 5)  # BS.1770-5 annex 1: a gating block lasts 400 ms
# [P] Codecs shift peaks; what is measured after them corrects it where this was too little.
_LOSSY_HEADROOM_DB, _EXACT_HEADROOM_DB = 0.5, 0.1
_MOST_GAIN_DB = 30.0  # [P] what is quieter is a room or a line, no programme
_MOST_LIMITED_DB = 6.0  # [P] more would be heard, and would cost what the gain was for
_CORRECTED_SHARE = 0.5  # of the tolerance: what lies farther off is corrected
_BELOW_DB = 0.1
_MOST_OUTSIDE = 0.05  # [P] of a track beside the picture: its loudness is then not known
_LEAST_SHARE = 0.3  # of a gain that has to come out as loudness for another one to be tried
_TOO_SHORT = Words("it is too short to be measured", "太短，无法测量")
_TOO_QUIET = Words("nothing in it is loud enough to be measured", "没有足够响、可供测量的声音")


@dataclass(frozen=True, slots=True)
class Level:
    """What is done to a mix: its gain, and the limiter's ceiling where there is one; and whether
    its target is sought by it, or cannot be had.
    """

    gain_db: float = 0.0
    ceiling_dbtp: float | None = None
    sought: bool = True


def with_loudness(
    track: AudioPlan, target: LoudnessTarget | None, inspection: Inspection
) -> AudioPlan:
    """The same track with its loudness planned; its key says so, for it is another encode."""
    if target is None:
        return track
    goal = LoudnessPlan(
        target.target_lkfs,
        target.tolerance_lu,
        target.max_true_peak_dbtp,
        least_lkfs=target.target_lkfs,
    )
    lkfs = f"{-goal.target_lkfs:g}lkfs_{goal.tolerance_lu:g}lu"
    named = f"{track.key}_{lkfs}_{-goal.max_true_peak_dbtp:g}dbtp"
    track = replace(track, key=named, loudness=goal)
    if inspection.duration_s < _SHORTEST_S:
        return _as_measured(track, goal, None, None, _TOO_SHORT)
    silent = _silent(inspection)
    if silent.issuperset(track.tracks):
        return _as_measured(track, goal, None, None, _TOO_QUIET)
    found = _measured(track, inspection)
    return track if found is None else _as_measured(track, goal, *found)


def as_measured(track: AudioPlan, lkfs: float | None, peak_dbtp: float | None) -> AudioPlan:
    """The same track, of which nobody knew this before it was encoded as it is."""
    return _as_measured(track, _goal(track), lkfs, peak_dbtp)


def _silent(inspection: Inspection) -> set[int]:
    """The tracks without anything above BS.1770's gate. Of one with data on some of its channels
    the inspection tells no loudness, and of the mix of the others it does.
    """
    held = {track for track, channels in enumerate(inspection.data_channels) if channels}
    return {one.track for one in inspection.loudness if one.integrated_lkfs is None} - held


def heard_with(inspection: Inspection, zero_s: Fraction, duration_s: Fraction) -> Inspection:
    """The inspection without the loudness of tracks that lie outside the programme for a good part,
    of mixes with them, and of those that ended with a track which is shorter than the others by as
    much: nobody knows it before they are encoded.
    """
    if inspection.clock_jumps:
        return inspection
    inside = {
        track: _share_inside(start_s, end_s, zero_s, duration_s)
        for track, (start_s, end_s) in enumerate(
            zip(inspection.audio_start_s, inspection.audio_end_s, strict=False)
        )
    }
    unsure = {track for track, share in inside.items() if share < 1 - _MOST_OUTSIDE}
    return replace(
        inspection,
        loudness=tuple(one for one in inspection.loudness if one.track not in unsure),
        mixes=tuple(
            mix
            for mix in inspection.mixes
            if unsure.isdisjoint(mix.tracks) and _are_alike(mix.tracks, inspection)
        ),
    )


def _are_alike(tracks: Sequence[int], inspection: Inspection) -> bool:
    """Whether a mix was heard to the end of all its tracks, or nearly."""
    starts, ends = inspection.audio_start_s, inspection.audio_end_s
    lengths = [ends[one] - starts[one] for one in tracks if one < min(len(starts), len(ends))]
    return not lengths or min(lengths) >= max(lengths) * (1 - Fraction(_MOST_OUTSIDE))


def _share_inside(
    start_s: Fraction, end_s: Fraction, zero_s: Fraction, duration_s: Fraction
) -> Fraction:
    inside_s = min(end_s, zero_s + duration_s) - max(start_s, zero_s)
    return max(Fraction(0), inside_s) / (end_s - start_s) if end_s > start_s else Fraction(1)


def _measured(track: AudioPlan, inspection: Inspection) -> tuple[float | None, float | None] | None:
    """Integrated loudness and true peak of the mix, where `inspect` heard it."""
    if track.pan == "source":
        for one in inspection.loudness:
            if (one.track,) == track.tracks:
                return one.integrated_lkfs, one.true_peak_dbtp
    if track.is_folded:  # a mix that was heard is its stereo
        return None
    for mix in inspection.mixes:
        heard = mix.integrated_lkfs is not None  # it ends with its shortest track, maybe at once
        if heard and (mix.tracks, mix.pan) == (track.tracks, track.pan):
            return mix.integrated_lkfs, mix.true_peak_dbtp
    return None


def _as_measured(
    track: AudioPlan,
    goal: LoudnessPlan,
    lkfs: float | None,
    peak_dbtp: float | None,
    kept: Words | None = None,
) -> AudioPlan:
    level = level_for(track, lkfs, peak_dbtp)
    return replace(
        track,
        loudness=replace(
            goal,
            source_lkfs=lkfs,
            source_true_peak_dbtp=peak_dbtp,
            gain_db=round(level.gain_db, 2),
            limited=level.ceiling_dbtp is not None,
            least_lkfs=_least_lkfs(track, lkfs, peak_dbtp),
            kept=kept or _why_kept(track, lkfs, peak_dbtp),
        ),
    )


def _least_lkfs(track: AudioPlan, lkfs: float | None, peak_dbtp: float | None) -> float | None:
    goal = _goal(track)
    if lkfs is None or goal.target_lkfs - lkfs > _MOST_GAIN_DB:
        return None
    return min(goal.target_lkfs, round(lkfs + _room_db(track, peak_dbtp), 2))


def _room_db(track: AudioPlan, peak_dbtp: float | None) -> float:
    """The gain after which the highest peak touches the ceiling."""
    return ceiling_dbtp(track) - peak_dbtp if peak_dbtp is not None else 0.0


def level_for(track: AudioPlan, lkfs: float | None, peak_dbtp: float | None) -> Level:
    """What brings a mix with these values to its goal, or as near as its peaks allow."""
    goal, room_db = _goal(track), _room_db(track, peak_dbtp)
    if lkfs is None or goal.target_lkfs - lkfs > _MOST_GAIN_DB:
        return Level(min(0.0, room_db), sought=False)
    gain_db = goal.target_lkfs - lkfs
    if gain_db - room_db > _MOST_LIMITED_DB:
        return Level(room_db, sought=False)
    return Level(gain_db, ceiling_dbtp(track) if gain_db > room_db else None)


def _why_kept(track: AudioPlan, lkfs: float | None, peak_dbtp: float | None) -> Words | None:
    """Why the target is not sought; `None` where it is."""
    goal = _goal(track)
    if lkfs is None:
        return _TOO_QUIET
    if goal.target_lkfs - lkfs > _MOST_GAIN_DB:
        return Words(
            f"it would have to be lifted by more than {_MOST_GAIN_DB:g} dB",
            f"需提升 {_MOST_GAIN_DB:g} dB 以上",
        )
    if level_for(track, lkfs, peak_dbtp).gain_db < goal.target_lkfs - lkfs:
        return Words(
            f"its peaks would have to be limited by more than {_MOST_LIMITED_DB:g} dB",
            f"峰值需限幅 {_MOST_LIMITED_DB:g} dB 以上",
        )
    return None


class Settling:
    """Finds the level of a track by what its encodes came out as."""

    def __init__(self, track: AudioPlan) -> None:
        goal = _goal(track)
        self._track = track
        self._known = goal.gain_db is not None
        self._least_lkfs = goal.least_lkfs
        self._before: tuple[Level, float] | None = None
        ceiling = ceiling_dbtp(track) if goal.limited else None
        self.level = Level(goal.gain_db or 0.0, ceiling, sought=goal.kept is None)

    def heard(self, lkfs: float | None, peak_dbtp: float | None) -> bool:
        """Whether it has to be encoded again, with the `level` that it then has."""
        tried = self.level
        if not self._known:  # a mix that nobody had measured, encoded as it is
            self._known = True
            self.level = level_for(self._track, lkfs, peak_dbtp)
            self._least_lkfs = _least_lkfs(self._track, lkfs, peak_dbtp)
        else:
            self.level = self._corrected(lkfs, peak_dbtp)
        if lkfs is not None:
            self._before = (tried, lkfs)
        return self.level != tried

    def _corrected(self, lkfs: float | None, peak_dbtp: float | None) -> Level:
        goal, level = _goal(self._track), self.level
        if self._in_vain(lkfs):  # the limiter takes all that the gain adds
            assert self._before is not None, "a gain is in vain against an earlier one"
            return replace(level, gain_db=self._before[0].gain_db, sought=False)
        peak = goal.max_true_peak_dbtp if peak_dbtp is None else peak_dbtp
        off_db = self._off_db(lkfs, peak)
        if abs(off_db) <= goal.tolerance_lu * _CORRECTED_SHARE:
            off_db = 0.0
        over_db = peak - goal.max_true_peak_dbtp
        gain_db, ceiling = level.gain_db + off_db, level.ceiling_dbtp
        if ceiling is not None and over_db > 0:
            return replace(level, gain_db=gain_db, ceiling_dbtp=ceiling - over_db - _BELOW_DB)
        if ceiling is None and over_db + off_db > 0:
            if level.sought:
                return Level(gain_db, ceiling_dbtp(self._track))
            return replace(level, gain_db=gain_db - over_db - _BELOW_DB)
        return replace(level, gain_db=gain_db)

    def _off_db(self, lkfs: float | None, peak_dbtp: float) -> float:
        """To the target, or to what the peaks of the mix allow as far as those of the encode do: a
        codec takes the highest tones of a click away, and with them both.
        """
        if lkfs is None:
            return 0.0
        if self.level.sought:
            return _goal(self._track).target_lkfs - lkfs
        if self._least_lkfs is None:
            return 0.0
        room_db = ceiling_dbtp(self._track) - peak_dbtp
        return max(0.0, min(self._least_lkfs - lkfs, room_db))

    def _in_vain(self, lkfs: float | None) -> bool:
        if self._before is None or lkfs is None or not self.level.sought:
            return False
        tried, was_lkfs = self._before
        added_db = self.level.gain_db - tried.gain_db
        limited = tried.ceiling_dbtp is not None
        return limited and added_db > 0 and lkfs - was_lkfs < added_db * _LEAST_SHARE


def ceiling_dbtp(track: AudioPlan) -> float:
    """Where true peaks are to stay before the codec."""
    headroom = _EXACT_HEADROOM_DB if track.codec in UNCOMPRESSED else _LOSSY_HEADROOM_DB
    return _goal(track).max_true_peak_dbtp - headroom


def _goal(track: AudioPlan) -> LoudnessPlan:
    assert track.loudness is not None, "only a track with a goal has a level"
    return track.loudness


def loudness_decisions(tracks: Sequence[AudioPlan]) -> list[Words]:
    """In words, each once."""
    told = [_told(track, track.loudness) for track in tracks if track.loudness]
    return list(dict.fromkeys(told))


def _told(track: AudioPlan, goal: LoudnessPlan) -> Words:
    named, target = "+".join(map(str, track.tracks)), f"{goal.target_lkfs:g} LKFS"
    what = Words(
        f"loudness of {track.codec} from sound track {named}",
        f"音轨 {named} 编为 {track.codec} 的响度",
    )
    limit = _limit_told(goal)
    if goal.kept and not goal.gain_db:
        return Words(
            f"{what}: left as it is, for {goal.kept}", f"{what.zh}：保持原样，因为{goal.kept.zh}"
        )
    if goal.kept:
        return Words(
            f"{what}: {goal.gain_db:+.1f} dB for {limit}; {goal.kept}",
            f"{what.zh}：{goal.gain_db:+.1f} dB，使{limit.zh}；{goal.kept.zh}",
        )
    if goal.gain_db is None:
        return Words(
            f"{what}: measured when it is encoded, and brought to {target}",
            f"{what.zh}：编码时测量，并调整到 {target}",
        )
    return Words(
        f"{what}: {goal.source_lkfs:.1f} LKFS, {goal.gain_db:+.1f} dB to {target}, {limit}",
        f"{what.zh}：{goal.source_lkfs:.1f} LKFS，{goal.gain_db:+.1f} dB 至 {target}，{limit.zh}",
    )


def _limit_told(goal: LoudnessPlan) -> Words:
    most = f"{goal.max_true_peak_dbtp:g} dBTP"
    limit = Words(f"true peaks at most {most}", f"真峰值不超过 {most}")
    if goal.kept or not goal.limited:
        return limit
    return Words(
        f"{limit} by a limiter (without it {goal.least_lkfs:.1f} LKFS)",
        f"{limit.zh}，由限幅器限制（不限幅则为 {goal.least_lkfs:.1f} LKFS）",
    )
