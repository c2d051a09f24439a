"""What becomes of the sound: which tracks, and how they are mixed. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipelines.languages import short_tag, three_letters
from pipelines.media import AudioTrack, Inspection, MediaInfo
from pipelines.planning.plan_copied_sound import copied_sound, reasons_against_copies
from pipelines.planning.plan_heard import passed_over
from pipelines.planning.plan_loudness import with_loudness
from pipelines.planning.plan_types import AudioPlan, Refused
from pipelines.profiles.codecs import MXF_RATE_HZ, UNCOMPRESSED
from pipelines.profiles.profile import AudioCodec, AudioProfile, Profile
from pipelines.sound.loudspeakers import has_stereo_mix, in_flac, six_places, usual
from pipelines.sound.sound_codecs import layout, sample_rate_hz
from pipelines.sound.track_table import (
    fits,
    is_discrete,
    is_pair,
    is_surround,
    programme,
    with_data,
)
from pipelines.words import Words, joined

_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1(side)"}
_WANTED = {1: Words("mono", "单声道"), 2: Words("stereo", "立体声"), 6: "5.1"}
_OTHER_SOUND = Words("other sound", "其他声音")
_FLAC_CHANNELS, _MOST_BITS = 8, 24
_USUAL_RATE_HZ = 48000
_TWO, _SIX = 2, 6


def plan_sound(
    profile: Profile, info: MediaInfo, inspection: Inspection, outside: frozenset[int]
) -> tuple[AudioPlan, ...]:
    """The tracks of one rung, in the profile's order; a track that the source cannot fill is not
    there, nor, but in preservation, what is made only of tracks `outside` the picture.

    Raises `Refused` when preservation would lose something, a profile names tracks that the source
    does not have, one that is taken changes within, or none can be brought to what is asked for.
    """
    tracks = info.audio
    if not tracks:
        return ()
    planned = _copies(profile, info, inspection) or _encoded(profile, info, inspection)
    if profile.audio and not planned:
        raise Refused("no_fitting_sound", _why_none(profile, info, inspection))
    planned = [one for one in planned if one.lossless or not outside.issuperset(one.tracks)]
    for position in sorted({position for made in planned for position in made.tracks}):
        if position in inspection.changed_sounds:
            raise Refused(
                "sound_changes",
                Words(
                    f"the rate or the channels of sound track {position} change within the source, "
                    "and every rung has one: cut the source there and upload the parts",
                    f"音轨 {position} 的采样率或声道在来源中途改变，而每个成品只有一种："
                    "请在该处切开来源，分别上传",
                ),
            )
    return tuple(planned)


def _why_none(profile: Profile, info: MediaInfo, inspection: Inspection) -> Words:
    """A rendition without sound of a source that has some would be silently wrong."""
    whole = all(map(_is_kept, info.audio))
    wanted = joined(
        (_WANTED.get(one.channels or 0, _OTHER_SOUND) for one in profile.audio), " and "
    )
    data = with_data(info.audio, inspection.data_channels)
    has = joined(
        Words("data", "数据")
        if position in data
        else track.layout or Words(f"{track.channels} channels", f"{track.channels} 声道")
        for position, track in enumerate(info.audio)
    )
    kept = Words(", or 'archive-ffv1', which keeps every track", "，或保留全部音轨的 archive-ffv1")
    return Words(
        f"{profile.name} has its sound in {wanted}, which is not made from the source's ({has}): "
        f"choose a profile that takes this sound{kept if whole else ''}",
        f"{profile.name} 要求的声音（{wanted.zh}）无法由来源的声音（{has.zh}）得到："
        f"请选用能采用这种声音的方案{kept.zh if whole else ''}",
    )


def _is_kept(track: AudioTrack) -> bool:
    """Whether FLAC holds it, as preservation has it."""
    return track.channels <= _FLAC_CHANNELS and in_flac(track.layout or "")


def _copies(profile: Profile, info: MediaInfo, inspection: Inspection) -> list[AudioPlan]:
    copying = (wanted for wanted in profile.audio if wanted.codec == "copy")
    return [
        track
        for wanted in copying
        for track in copied_sound(wanted, profile.container, info, inspection)
    ]


def _encoded(profile: Profile, info: MediaInfo, inspection: Inspection) -> list[AudioPlan]:
    tracks, planned = info.audio, list[AudioPlan]()
    passed, data = passed_over(tracks, inspection), with_data(tracks, inspection.data_channels)
    for asked in profile.audio:
        if asked.codec == "copy":
            continue
        only = MXF_RATE_HZ if profile.container == "mxf" else None
        wanted = replace(asked, sample_rate_hz=only or asked.sample_rate_hz)
        if wanted.channels is None:
            each, left = (_preserved, ()) if _preserves(profile) else (_delivered, data)
            planned += [
                each(wanted, position, track)
                for position, track in enumerate(tracks)
                if position not in left
            ]
        elif (made := _mixed(wanted, tracks, passed, data)) is not None:
            planned.append(with_loudness(made, wanted.loudness, inspection))
    return _instead_of_copies(profile, info, inspection, planned)


def _instead_of_copies(
    profile: Profile, info: MediaInfo, inspection: Inspection, planned: list[AudioPlan]
) -> list[AudioPlan]:
    """What is encoded where a profile would rather have copied says why."""
    if not any(wanted.codec == "copy" for wanted in profile.audio):
        return planned
    against = reasons_against_copies(profile.container, info, inspection)
    why = joined(
        (
            Words(f"of sound track {position}, {one}", f"音轨 {position}（{one.zh}）")
            for position, one in against.items()
        ),
        "; ",
        "；",
    )
    if not planned:
        raise Refused(
            "sound_not_copied",
            Words(
                f"{profile.name} takes sound as it is, and can take none of this source's: {why}; "
                "choose a profile that encodes sound",
                f"{profile.name} 直接复制声音，而来源的声音都无法直接复制：{why.zh}。"
                "请选用重新编码声音的方案",
            ),
        )
    return [replace(track, not_copied=why) for track in planned]


def sound_left_out(
    profile: Profile, audio: Sequence[AudioPlan], info: MediaInfo, inspection: Inspection
) -> tuple[tuple[int, Words], ...]:
    """The tracks that were not copied although others were, and why."""
    if not any(track.copied for track in audio):
        return ()
    return tuple(reasons_against_copies(profile.container, info, inspection).items())


def default_mixes(tracks: Sequence[AudioTrack]) -> tuple[AudioPlan, ...]:
    """Every mix that delivery may be made of, whichever tracks turn out to be silent.

    As 24-bit PCM; tracks that are taken as they are do not count.
    """
    if not tracks:
        return ()
    pairs = frozenset(at for at, track in enumerate(tracks) if track.channels == 2)
    silences = (frozenset[int](), frozenset({6, 7}), frozenset(range(2, _SIX)), pairs)
    wanted = [AudioProfile("pcm", channels=channels) for channels in (2, _SIX)]
    made = [_mixed(one, tracks, passed) for one in wanted for passed in silences]
    mixes = {(one.tracks, one.pan): one for one in made if one and one.pan != "source"}
    return tuple(mixes.values())


def _preserves(profile: Profile) -> bool:
    """Whether every sample is to be proven; else every track is cut to the picture's length."""
    return profile.video is not None and profile.video.fit == "source"


def _delivered(wanted: AudioProfile, position: int, track: AudioTrack) -> AudioPlan:
    """A track with all its channels, as long as the picture: for a mezzanine."""
    made = _preserved(wanted, position, replace(track, bit_depth=wanted.bit_depth or _MOST_BITS))
    rate_hz = wanted.sample_rate_hz or track.sample_rate_hz
    return replace(
        made,
        key=f"{made.key}_{rate_hz}hz_cut",
        sample_rate_hz=rate_hz,
        language=three_letters(track.language),
        lossless=False,
    )


def _preserved(wanted: AudioProfile, position: int, track: AudioTrack) -> AudioPlan:
    named = track.layout or _LAYOUTS.get(track.channels, f"{track.channels}c")
    if wanted.codec == "flac" and track.channels > _FLAC_CHANNELS:
        raise Refused(
            "too_many_channels",
            Words(
                f"sound track {position} has {track.channels} channels and FLAC holds 8: "
                "keep the source file",
                f"音轨 {position} 有 {track.channels} 个声道，FLAC 只能容纳 8 个：请保留来源文件",
            ),
        )
    if (track.bit_depth or 0) > _MOST_BITS:
        raise Refused(
            "too_many_bits",
            Words(
                f"sound track {position} has {track.bit_depth} bits a sample and {wanted.codec} "
                "keeps 24 here: keep the source file",
                f"音轨 {position} 每个采样 {track.bit_depth} 位，{wanted.codec} 在此只保留 24 位："
                "请保留来源文件",
            ),
        )
    if wanted.codec == "flac" and not in_flac(named):
        raise Refused(
            "channels_unsaid",
            Words(
                f"the channels of sound track {position} are {named}, which FLAC cannot say: "
                "keep the source file",
                f"音轨 {position} 的声道是 {named}，FLAC 无法标明：请保留来源文件",
            ),
        )
    bits = 16 if (track.bit_depth or _MOST_BITS) <= 16 else _MOST_BITS
    found = usual(track.layout)
    codec = _codec(wanted)
    return AudioPlan(
        key=f"{codec}_{bits}bit_t{position}",
        codec=codec,
        channels=track.channels,
        layout=found[0] if found else named,
        sample_rate_hz=track.sample_rate_hz,
        bitrate_bps=None,
        tracks=(position,),
        pan="source",
        language=track.language,
        language_tag=short_tag(track.language),
        bit_depth=bits,
        lossless=True,
        lossy_source=track.bit_depth is None,
        own_order=track.layout if found else None,
    )


def _mixed(
    wanted: AudioProfile,
    tracks: Sequence[AudioTrack],
    passed: frozenset[int],
    data: frozenset[int] = frozenset(),
) -> AudioPlan | None:
    """Channels are never invented: mono stays mono, and 5.1 needs a 5.1 source."""
    found = programme(tracks, passed, data)
    if wanted.tracks is not None:
        used = _named(wanted.tracks, tracks, data)
    else:
        used = found.surround if wanted.channels == _SIX else found.stereo
    if not used:
        return None
    tags = (tracks[at].language for at in used if tracks[at].language)
    first, count = replace(tracks[used[0]], language=next(tags, None)), len(used)
    if count > 1:
        channels = min(count, wanted.channels or count)
        joined = count in (_TWO, channels)
        return _track(wanted, first, channels, used, "join" if joined else "downmix")
    return _of_one(wanted, first, used) if fits(first) else None


def _of_one(wanted: AudioProfile, first: AudioTrack, used: tuple[int, ...]) -> AudioPlan | None:
    if wanted.channels == _SIX and six_places(first.layout):
        return _track(wanted, first, _SIX, used, "six")
    if wanted.channels == _SIX:
        return _track(wanted, first, _SIX, used, "source") if is_surround(first) else None
    channels = min(_TWO, wanted.channels or _TWO)
    if is_pair(first):
        return _track(wanted, first, channels, used, "pair")
    if first.channels <= (wanted.channels or first.channels):
        return _track(wanted, first, first.channels, used, "source")
    mixed = first.channels == _SIX or (first.channels > _TWO and not is_discrete(first))
    return _track(wanted, first, channels, used, "downmix" if mixed else "pair")


def _named(
    positions: tuple[int, ...], tracks: Sequence[AudioTrack], data: frozenset[int]
) -> tuple[int, ...]:
    """The tracks that a profile names, if they can be put side by side."""
    missing = [position for position in positions if position >= len(tracks)]
    if missing:
        raise Refused(
            "no_such_tracks",
            Words(
                f"it takes sound tracks {list(positions)} and the source has {len(tracks)}: "
                "choose a profile with other tracks",
                f"方案采用音轨 {list(positions)}，而来源只有 {len(tracks)} 条："
                "请选用采用其他音轨的方案",
            ),
        )
    if held := data.intersection(positions):
        raise Refused(
            "no_such_tracks",
            Words(
                f"it takes sound tracks {list(positions)}, and {sorted(held)} hold data, not "
                "sound: choose a profile with other tracks",
                f"方案采用音轨 {list(positions)}，而其中 {sorted(held)} 是数据，不是声音："
                "请选用采用其他音轨的方案",
            ),
        )
    if len(positions) > 1 and any(tracks[position].channels > 1 for position in positions):
        raise Refused(
            "no_such_tracks",
            Words(
                f"it joins sound tracks {list(positions)}, and not all of them have one channel: "
                "choose a profile with other tracks",
                f"方案合并音轨 {list(positions)}，而它们并非都是单声道：请选用采用其他音轨的方案",
            ),
        )
    return positions


def _track(
    wanted: AudioProfile, first: AudioTrack, channels: int, tracks: tuple[int, ...], pan: str
) -> AudioPlan:
    bitrate = wanted.bitrate_bps
    if bitrate and channels < (wanted.channels or channels):
        bitrate //= 2
    bits = wanted.bit_depth or _MOST_BITS if wanted.codec in UNCOMPRESSED else None
    size = f"{bits}bit" if bits else f"{(bitrate or 0) // 1000}k"
    codec = _codec(wanted)
    rate_hz = wanted.sample_rate_hz or sample_rate_hz(codec, first.sample_rate_hz)
    rate = "" if rate_hz == _USUAL_RATE_HZ else f"_{rate_hz}hz"
    named = "-".join(str(position) for position in tracks)
    own = len(tracks) == 1 and (usual(first.layout) or has_stereo_mix(first.layout))
    made = "" if pan == "source" else f"_{pan}"
    return AudioPlan(
        key=f"{codec}_{channels}ch_{size}{rate}_t{named}{made}",
        codec=codec,
        channels=channels,
        layout=layout(codec, channels),
        sample_rate_hz=rate_hz,
        bitrate_bps=bitrate,
        tracks=tracks,
        pan=pan,  # type: ignore[arg-type]  # one of the five, by the callers above
        language=three_letters(first.language),
        language_tag=short_tag(first.language),
        bit_depth=bits,
        own_order=first.layout if own else None,
    )


def _codec(wanted: AudioProfile) -> AudioCodec:
    assert wanted.codec != "copy", "what is copied is not encoded"
    return wanted.codec
