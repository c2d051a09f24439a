"""Which of a source's sound tracks carry the programme in 5.1 and in stereo.

By their labels where the file has them, by the layout of the first track, else by the table for
tracks of one channel: 1-6 are 5.1 in SMPTE order (L R C LFE Ls Rs), 7-8 the stereo mix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.media import AudioTrack
from pipelines.sound.loudspeakers import SURROUND, SURROUND_NAMES, usual

_LABEL = re.compile(r"1 channels \((\w+)\)")
_STEREO_MIX = ("DL", "DR")  # ffmpeg's names of a downmix's own left and right
_SIX, _EIGHT = 6, 8
# Where a file says none, as PCM in Matroska and plain WAV, ffmpeg has the second for a name.
_SURROUND_LAYOUTS = frozenset({None, f"{_SIX} channels", *SURROUND_NAMES})


@dataclass(frozen=True, slots=True)
class Programme:
    """Positions of tracks: `surround` is one 5.1 track or six of one channel, in order.

    `stereo` is one track, two of one channel, or the six, which are then mixed down.
    """

    stereo: tuple[int, ...]
    surround: tuple[int, ...] = ()


def programme(tracks: Sequence[AudioTrack], silent: frozenset[int]) -> Programme:
    """`silent` are the positions of tracks in which nothing was heard."""
    labelled = _by_label(tracks)
    if labelled is not None:
        return labelled
    if tracks[0].channels > 1:
        return Programme((0,), _surround_track(tracks))
    alike = _alike(tracks)
    if (len(alike) >= _EIGHT or len(alike) == _SIX) and not silent.issuperset(range(2, _SIX)):
        surround = tuple(range(_SIX))
        mixed = len(alike) < _EIGHT or silent.issuperset((6, 7))
        return Programme(surround if mixed else (6, 7), surround)
    return Programme((0, 1) if len(alike) > 1 else (0,))


def is_surround(track: AudioTrack) -> bool:
    """The six loudspeakers in any order; of unknown order, as every tool writes them."""
    named, _ = usual(track.layout) or (track.layout, ())
    return track.channels == _SIX and named in _SURROUND_LAYOUTS


def _by_label(tracks: Sequence[AudioTrack]) -> Programme | None:
    places: dict[str, int] = {}
    for position, track in enumerate(tracks):
        found = _LABEL.fullmatch(track.layout or "")
        if found and track.channels == 1 and track.language == tracks[0].language:
            places.setdefault(found[1], position)
    surround = next((_at(names, places) for names in SURROUND if _at(names, places)), ())
    stereo = _at(_STEREO_MIX, places) or surround or _at(("FL", "FR"), places)
    return Programme(stereo, surround) if stereo else None


def _at(names: Sequence[str], places: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(places[name] for name in names) if places.keys() >= {*names} else ()


def _surround_track(tracks: Sequence[AudioTrack]) -> tuple[int, ...]:
    """The first 5.1 track of the first track's language."""
    for position, track in enumerate(tracks):
        if is_surround(track) and track.language == tracks[0].language:
            return (position,)
    return ()


def _alike(tracks: Sequence[AudioTrack]) -> list[int]:
    """The tracks from the first on that have one channel, and its language."""
    count = 0
    for track in tracks:
        if track.channels != 1 or track.language != tracks[0].language:
            break
        count += 1
    return list(range(count))
