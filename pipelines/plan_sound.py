"""What becomes of the sound: which tracks, how they are mixed, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.media import AudioTrack, MediaInfo
from pipelines.plan_picture import Refused
from pipelines.plan_types import AudioPlan, Rung
from pipelines.profile import AudioProfile, Profile

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1(side)"}
_SURROUND = frozenset({None, "5.1", "5.1(side)"})
_FLAC_CHANNELS, _FLAC_BITS = 8, 24


def plan_sound(profile: Profile, tracks: Sequence[AudioTrack]) -> tuple[AudioPlan, ...]:
    """The tracks of one rung, in the profile's order; a track that the source cannot fill is not
    there. Raises `Refused` when preservation would lose something.
    """
    if not tracks:
        return ()
    planned = []
    for wanted in profile.audio:
        if wanted.channels is None:
            planned += [_as_it_is(wanted, position, track) for position, track in enumerate(tracks)]
        elif (made := _mixed(wanted, tracks)) is not None:
            planned.append(made)
    return tuple(planned)


def sound_decisions(info: MediaInfo, rungs: Sequence[Rung]) -> list[str]:
    """What was chosen, in words."""
    delivered = [track for rung in rungs for track in rung.audio if track.codec != "flac"]
    if not delivered:
        return [] if info.audio else ["the source has no sound: neither has any rendition"]
    told = [_told(info, track) for track in {track.pan: track for track in delivered}.values()]
    used = {position for track in delivered for position in track.tracks}
    if left := [str(position) for position in range(len(info.audio)) if position not in used]:
        told.append(f"sound tracks {', '.join(left)} go into preservation rungs only")
    if any(track.codec == "ac3" for track in delivered):
        told.append("AAC stereo is the first track, AC-3 5.1 the second: every player decodes AAC")
    return told


def _told(info: MediaInfo, track: AudioPlan) -> str:
    if track.pan == "join":
        return f"stereo from mono tracks 0 (left) and 1 (right) of {len(info.audio)}"
    if track.pan == "pair":
        count = info.audio[track.tracks[0]].channels
        return (
            f"stereo from channels 1 and 2 of {count}: the file does not say what the channels "
            "are, and the others go into preservation rungs only"
        )
    if track.pan == "downmix":
        return (
            f"stereo from {info.audio[track.tracks[0]].channels} channels by ITU-R BS.775 (centre "
            "and surrounds at -3 dB, no LFE), at the source's loudness: peaks above -2 dBFS are "
            "limited"
        )
    return f"sound track {track.tracks[0]} as it is"


def _as_it_is(wanted: AudioProfile, position: int, track: AudioTrack) -> AudioPlan:
    if track.channels > _FLAC_CHANNELS:
        raise Refused(
            "too_many_channels",
            f"sound track {position} has {track.channels} channels and FLAC holds 8: "
            "keep the source file",
        )
    if (track.bit_depth or 0) > _FLAC_BITS:
        raise Refused(
            "too_many_bits",
            f"sound track {position} has {track.bit_depth} bits a sample and FLAC keeps 24: "
            "keep the source file",
        )
    bits = 16 if (track.bit_depth or _FLAC_BITS) <= 16 else _FLAC_BITS
    layout = track.layout or _LAYOUTS.get(track.channels, f"{track.channels}c")
    return AudioPlan(
        key=f"{wanted.codec}_{bits}bit_t{position}",
        codec=wanted.codec,
        channels=track.channels,
        layout=layout,
        sample_rate_hz=track.sample_rate_hz,
        bitrate_bps=None,
        tracks=(position,),
        pan="source",
        language=track.language,
        bit_depth=bits,
        lossless=True,
        lossy_source=track.bit_depth is None,
    )


def _mixed(wanted: AudioProfile, tracks: Sequence[AudioTrack]) -> AudioPlan | None:
    """Channels are never invented: mono stays mono, and 5.1 needs a 5.1 source."""
    first = tracks[0]
    if wanted.channels == 6:
        surround = first.channels == 6 and first.layout in _SURROUND
        return _track(wanted, first, 6, (0,), "source") if surround else None
    if _is_pair(tracks):
        return _track(wanted, first, 2, (0, 1), "join")
    if first.channels <= 2:
        return _track(wanted, first, first.channels, (0,), "source")
    known = first.channels == 6 or not _is_discrete(first)
    return _track(wanted, first, 2, (0,), "downmix" if known else "pair")


def _is_discrete(track: AudioTrack) -> bool:
    """Channels without loudspeakers, as on MXF and camera masters: mixing them would be a guess."""
    return track.layout is None or track.layout == f"{track.channels} channels"


def _is_pair(tracks: Sequence[AudioTrack]) -> bool:
    """Two mono tracks of one language are left and right, as on every mono-track master."""
    pair = tracks[:2]
    mono = [track.channels for track in pair] == [1, 1]
    return mono and len({track.language for track in pair}) == 1


def _track(
    wanted: AudioProfile, first: AudioTrack, channels: int, tracks: tuple[int, ...], pan: str
) -> AudioPlan:
    bitrate = wanted.bitrate_bps
    if bitrate and channels < (wanted.channels or channels):
        bitrate //= 2
    named = "-".join(str(position) for position in tracks)
    size = f"{bitrate // 1000}k" if bitrate else f"{wanted.bit_depth}bit"
    return AudioPlan(
        key=f"{wanted.codec}_{channels}ch_{size}_t{named}",
        codec=wanted.codec,
        channels=channels,
        layout=_LAYOUTS[channels],
        sample_rate_hz=wanted.sample_rate_hz or first.sample_rate_hz,
        bitrate_bps=bitrate,
        tracks=tracks,
        pan=pan,  # type: ignore[arg-type]  # one of the four, by the callers above
        language=first.language,
        bit_depth=wanted.bit_depth,
    )
