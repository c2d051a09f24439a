"""What a plan says of the sound: what was chosen, and what was left and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pipelines.media import AudioTrack, Inspection, MediaInfo
from pipelines.planning.plan_copied_sound import copied_decisions
from pipelines.planning.plan_full_scale import full_scale_decisions
from pipelines.planning.plan_loudness import loudness_decisions
from pipelines.planning.plan_types import AudioPlan, Rung
from pipelines.sound.loudspeakers import listed, pair_places
from pipelines.sound.track_table import fits, is_pair, with_data

_TWO, _SIX = 2, 6


def sound_decisions(info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]) -> list[str]:
    """What was chosen, in words."""
    return [
        *_data_told(info, inspection),
        *_choices_told(info, inspection, rungs),
        *full_scale_decisions(info, inspection, rungs),
    ]


def _data_told(info: MediaInfo, inspection: Inspection) -> Iterator[str]:
    what = "data (SMPTE ST 337, such as Dolby E), not sound: kept in preservation masters only"
    for position, held in enumerate(inspection.data_channels):
        if len(held) == info.audio[position].channels:
            yield f"sound track {position} holds {what}"
        elif held:
            named = " and ".join(str(channel + 1) for channel in held)
            yield f"channels {named} of sound track {position} hold {what}"


def _choices_told(info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]) -> list[str]:
    delivered = [track for rung in rungs for track in rung.audio if not track.lossless]
    if not delivered:
        return [_no_sound(info)] if not info.audio else []
    made = [track for track in delivered if not track.copied]
    ways = {(track.pan, track.tracks, track.channels): track for track in made}
    told = [*copied_decisions(rungs), *(_told(info, track) for track in ways.values())]
    used = {position for track in delivered for position in track.tracks}
    used |= with_data(info.audio, inspection.data_channels)
    unused = [position for position in range(len(info.audio)) if position not in used]
    told += _unused_told(info, unused)
    told += loudness_decisions(made)
    if any(track.codec == "ac3" for track in made):
        told.append("AAC stereo is the first track, AC-3 5.1 the second: every player decodes AAC")
    return told


def _unused_told(info: MediaInfo, unused: Sequence[int]) -> Iterator[str]:
    for position in unused:
        track = info.audio[position]
        if not fits(track):
            yield (
                f"sound track {position} ({track.layout}) is not mixed: there is no rule for all "
                "of its loudspeakers"
            )
        elif track.beside:
            yield f"sound track {position} is {track.beside}: it is passed over"
    if unused:
        named = ", ".join(map(str, unused))
        yield f"sound tracks {named} go into preservation rungs only"


def _no_sound(info: MediaInfo) -> str:
    unknown = [track for track in info.left_out if track.startswith("sound track")]
    if not unknown:
        return "the source has no sound: neither has any rendition"
    # A decoder may be missing, or the beginning of the track: `notes` say which.
    return f"no sound is decoded of {', '.join(unknown)}: no rendition has any"


def _told(info: MediaInfo, track: AudioPlan) -> str:
    match track.pan:
        case "join" if track.channels == _SIX:
            return f"5.1 from mono tracks {_listed(track)} in the order L R C LFE Ls Rs"
        case "join":
            left, right = track.tracks
            return f"stereo from mono tracks {left} (left) and {right} (right) of {len(info.audio)}"
        case "six":
            return f"5.1 from the six channels beside the stereo mix of track {track.tracks[0]}"
        case "pair":
            return _pair_told(info.audio[track.tracks[0]], track.tracks[0])
        case "downmix":
            count = len(track.tracks)
            what = (
                f"mono tracks {_listed(track)}"
                if count > 1
                else f"{info.audio[track.tracks[0]].channels} channels"
            )
            return (
                f"stereo from {what} by ITU-R BS.775 (centre and surrounds at -3 dB, no LFE), not "
                f"scaled down{'' if track.loudness else ': peaks above -2 dBFS are limited'}"
            )
        case "source":
            return _as_it_is(info.audio, track)


def _pair_told(source: AudioTrack, position: int) -> str:
    if is_pair(source):
        left, right = (place + 1 for place in pair_places(source.layout))
        named = "+".join(listed(source.layout))
        return (
            f"stereo from channels {left} and {right} of sound track {position} as they are: the "
            f"file calls its channels {named}"
        )
    return (
        f"stereo from channels 1 and 2 of {source.channels}: the file does not say what the "
        "channels are, and the others go into preservation rungs only"
    )


def _as_it_is(tracks: Sequence[AudioTrack], track: AudioPlan) -> str:
    (position,) = track.tracks
    if track.channels == _TWO and (more := _with_more(tracks, position)) is not None:
        return f"stereo is sound track {position} as it is, not a downmix of sound track {more}"
    told = f"sound track {position} as it is"
    if track.own_order:
        told += f", its channels {'+'.join(listed(track.own_order))} in usual order"
    return told


def _with_more(tracks: Sequence[AudioTrack], position: int) -> int | None:
    """The track before it that stereo could have been made of."""
    language = tracks[position].language
    alike = (at for at in range(position) if tracks[at].language == language)
    return next((at for at in alike if tracks[at].channels > _TWO and fits(tracks[at])), None)


def _listed(track: AudioPlan) -> str:
    return ", ".join(str(position) for position in track.tracks)
