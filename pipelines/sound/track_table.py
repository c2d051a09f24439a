"""Which of a source's sound tracks carry the programme in 5.1 and in stereo.

By their labels where the file has them, by the layout of the first track, else by the table for
tracks of one channel: 1-6 are 5.1 in SMPTE order (L R C LFE Ls Rs), 7-8 the stereo mix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.media import AudioTrack
from pipelines.sound.loudspeakers import (
    STEREO_MIX,
    SURROUND,
    SURROUND_NAMES,
    has_stereo_mix,
    is_mixed,
    listed,
    six_places,
    usual,
)

_LABEL = re.compile(r"1 channels \((\w+)\)")
_TWO, _SIX, _EIGHT = 2, 6, 8
# Where a file says none, as PCM in Matroska and plain WAV, ffmpeg has the second for a name.
_SURROUND_LAYOUTS = frozenset({None, f"{_SIX} channels", *SURROUND_NAMES})


@dataclass(frozen=True, slots=True)
class Programme:
    """Positions of tracks: `surround` is one 5.1 track or six of one channel, in order.

    `stereo` is one track, two of one channel, or the six, which are then mixed down; none where no
    track fits.
    """

    stereo: tuple[int, ...]
    surround: tuple[int, ...] = ()


def programme(
    tracks: Sequence[AudioTrack], passed: frozenset[int], data: frozenset[int] = frozenset()
) -> Programme:
    """`passed` are the positions of tracks that were heard to be silent or no stereo mix of the 5.1
    before them (see `planning.plan_heard`), `data` those that hold no sound.

    What is beside the programme (see `AudioTrack`) is passed over while there is anything else.
    """
    able = [at for at, track in enumerate(tracks) if fits(track) and at not in data]
    own = [at for at in able if tracks[at].beside is None] or able
    if not own:
        return Programme(())
    first = own[0]
    own = _of_one_language(tracks, own)
    labelled = _by_label(tracks, own)
    if labelled is not None:
        return labelled
    if tracks[first].channels > 1:
        stereo = _stereo_track(tracks, own, passed)
        return Programme((stereo,), _surround_track(tracks, own))
    alike = _alike(tracks, own)
    count = len(alike) if first == 0 else 0  # the table is one of all tracks
    if (count >= _EIGHT or count == _SIX) and not passed.issuperset(range(2, _SIX)):
        surround = tuple(range(_SIX))
        mixed = count < _EIGHT or passed.issuperset((6, 7))
        return Programme(surround if mixed else (6, 7), surround)
    return Programme(tuple(alike[:2]))


def _of_one_language(tracks: Sequence[AudioTrack], own: Sequence[int]) -> list[int]:
    """That of the first one. Of mono tracks a tag on a single one stands for those without too."""
    language = tracks[own[0]].language
    mono = [at for at in own if tracks[at].channels == 1]
    tagged = [at for at in mono if tracks[at].language is not None]
    alike = mono if own[0] in mono and len(tagged) == 1 else ()
    return [at for at in own if tracks[at].language == language or at in alike]


def fits(track: AudioTrack) -> bool:
    """Whether delivery can be made of it: not of binaural sound, say, nor of loudspeakers above."""
    return (
        track.channels == 1 or is_discrete(track) or is_pair(track) or is_mixed(track.layout or "")
    )


def with_data(
    tracks: Sequence[AudioTrack], data_channels: Sequence[Sequence[int]]
) -> frozenset[int]:
    """The tracks of which no sound can be taken, by the channels of each that hold data; where
    nobody knows what is on which channel, it would be from the first two.
    """
    return frozenset(
        position
        for position, (track, held) in enumerate(zip(tracks, data_channels, strict=False))
        if held and (min(held) < _TWO or not is_discrete(track) or is_surround(track))
    )


def is_discrete(track: AudioTrack) -> bool:
    """Channels without loudspeakers, as on MXF and camera masters: mixing them would be a guess."""
    return track.layout is None or track.layout == f"{track.channels} channels"


def is_pair(track: AudioTrack) -> bool:
    """Whether two of its channels are its stereo: a mix that somebody made, or both there are,
    whatever else than loudspeakers for left and right the file calls them.
    """
    both = track.channels == _TWO and bool(listed(track.layout))
    return has_stereo_mix(track.layout) or (both and not is_mixed(track.layout or ""))


def is_surround(track: AudioTrack) -> bool:
    """The six loudspeakers in any order; of unknown order, as every tool writes them."""
    named, _ = usual(track.layout) or (track.layout, ())
    return track.channels == _SIX and named in _SURROUND_LAYOUTS


def _by_label(tracks: Sequence[AudioTrack], own: Sequence[int]) -> Programme | None:
    places: dict[str, int] = {}
    for position in own:
        found = _LABEL.fullmatch(tracks[position].layout or "")
        if found and tracks[position].channels == 1:
            places.setdefault(found[1], position)
    surround = next((_at(names, places) for names in SURROUND if _at(names, places)), ())
    stereo = _at(STEREO_MIX, places) or surround or _at(("FL", "FR"), places)
    return Programme(stereo, surround) if stereo else None


def _at(names: Sequence[str], places: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(places[name] for name in names) if places.keys() >= {*names} else ()


def _surround_track(tracks: Sequence[AudioTrack], own: Sequence[int]) -> tuple[int, ...]:
    """The first 5.1 track, or one that has its stereo mix too."""
    able = (one for one in own if is_surround(tracks[one]) or six_places(tracks[one].layout))
    return next(((one,) for one in able), ())


def _stereo_track(tracks: Sequence[AudioTrack], own: Sequence[int], passed: frozenset[int]) -> int:
    """The first track, or else the mix that somebody made of it for two loudspeakers."""
    if tracks[own[0]].channels <= _TWO or is_pair(tracks[own[0]]):
        return own[0]
    mixes = (one for one in own if tracks[one].channels == _TWO and one not in passed)
    return next(mixes, own[0])


def _alike(tracks: Sequence[AudioTrack], own: Sequence[int]) -> list[int]:
    """The tracks of one channel from the first on, none between them."""
    alike = [own[0]]
    for position in own[1:]:
        if position != alike[-1] + 1 or tracks[position].channels != 1:
            break
        alike.append(position)
    return alike
