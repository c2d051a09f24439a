"""Which sound tracks do not stand for the programme, by what the inspection heard. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from pipelines.media import AudioTrack, Inspection

_NOISE_LKFS, _NOISE_BELOW_LU = -60.0, 30.0  # [P] of a track, and below the loudest one
_TWO = 2
_MOST_APART = Fraction(1, 20)  # [P] of a 5.1's length: what lies elsewhere is no mix of it
_MOST_APART_LU = 3.0  # [P] of a stereo mix and the 5.1's downmix: GY/T 282 has ± 2 LU for each


def passed_over(tracks: Sequence[AudioTrack], inspection: Inspection) -> frozenset[int]:
    """Those that are silent, and stereo that is no mix of what has more channels: music and effects
    alone, say, or another programme's.
    """
    return _silent(inspection) | _other_stereo(tracks, inspection)


def _silent(inspection: Inspection) -> frozenset[int]:
    """Beside a programme the hiss of an open line is silence too."""
    heard = {one.track: one.integrated_lkfs for one in inspection.loudness}
    loudest = max((lkfs for lkfs in heard.values() if lkfs is not None), default=0.0)
    noise_lkfs = min(_NOISE_LKFS, loudest - _NOISE_BELOW_LU)
    return frozenset(track for track, lkfs in heard.items() if lkfs is None or lkfs < noise_lkfs)


def _other_stereo(tracks: Sequence[AudioTrack], inspection: Inspection) -> frozenset[int]:
    """Where nobody has measured it, a downmix is the surer stereo."""
    heard = {one.track: one.integrated_lkfs for one in inspection.loudness}
    mixed = {
        mix.tracks[0]: mix.integrated_lkfs
        for mix in inspection.mixes
        if mix.pan in ("downmix", "pair") and tracks[mix.tracks[0]].channels > _TWO
    }
    return frozenset(
        at
        for at, track in enumerate(tracks)
        if track.channels == _TWO
        and not any(
            _are_as_loud(heard.get(at), lkfs) and _are_as_long(at, of, inspection)
            for of, lkfs in mixed.items()
        )
    )


def _are_as_loud(one_lkfs: float | None, other_lkfs: float | None) -> bool:
    if one_lkfs is None or other_lkfs is None:
        return False
    return abs(one_lkfs - other_lkfs) <= _MOST_APART_LU


def _are_as_long(one: int, other: int, inspection: Inspection) -> bool:
    times = list(zip(inspection.audio_start_s, inspection.audio_end_s, strict=False))
    if max(one, other) >= len(times):
        return True
    (start_s, end_s), (other_start_s, other_end_s) = times[one], times[other]
    most_s = _MOST_APART * (other_end_s - other_start_s)
    return abs(start_s - other_start_s) <= most_s and abs(end_s - other_end_s) <= most_s
