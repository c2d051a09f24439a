"""What a plan says of the sound: what was chosen, and what was left and why. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pipelines.media import AudioTrack, Beside, Inspection, MediaInfo
from pipelines.planning.plan_copied_sound import copied_decisions
from pipelines.planning.plan_full_scale import full_scale_decisions
from pipelines.planning.plan_loudness import loudness_decisions
from pipelines.planning.plan_types import AudioPlan, Rung
from pipelines.sound.loudspeakers import listed, pair_places
from pipelines.sound.track_table import fits, is_discrete, is_pair, with_data
from pipelines.words import Words, joined

_TWO, _SIX = 2, 6
_BESIDE: Mapping[Beside, str] = {
    "for the visually impaired": "口述影像",
    "for the hard of hearing": "听障声音",
    "a commentary": "评论",
}


def sound_decisions(info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]) -> list[Words]:
    """What was chosen, in words."""
    return [
        *_data_told(info, inspection),
        *_choices_told(info, inspection, rungs),
        *full_scale_decisions(info, inspection, rungs),
    ]


def _data_told(info: MediaInfo, inspection: Inspection) -> Iterator[Words]:
    what = Words(
        "data (SMPTE ST 337, such as Dolby E), not sound: kept in preservation masters only",
        "数据（SMPTE ST 337，如 Dolby E），不是声音：只保留在保存母版中",
    )
    for position, held in enumerate(inspection.data_channels):
        if len(held) == info.audio[position].channels:
            yield Words(f"sound track {position} holds {what}", f"音轨 {position} 是{what.zh}")
        elif held:
            named = joined((str(channel + 1) for channel in held), " and ")
            yield Words(
                f"channels {named} of sound track {position} hold {what}",
                f"音轨 {position} 的声道 {named.zh} 是{what.zh}",
            )


def _choices_told(info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]) -> list[Words]:
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
    kinds = [[(one.codec, one.channels) for one in rung.audio if not one.copied] for rung in rungs]
    if [("aac", _TWO), ("ac3", _SIX)] in kinds:
        told.append(
            Words(
                "AAC stereo is the first track, AC-3 5.1 the second: every player decodes AAC",
                "第一条音轨是 AAC 立体声，第二条是 AC-3 5.1：所有播放器都能解码 AAC",
            )
        )
    return told


def _unused_told(info: MediaInfo, unused: Sequence[int]) -> Iterator[Words]:
    for position in unused:
        track = info.audio[position]
        if not fits(track):
            yield Words(
                f"sound track {position} ({track.layout}) is not mixed: there is no rule for all "
                "of its loudspeakers",
                f"音轨 {position}（{track.layout}）不作混音：没有涵盖其全部扬声器的规则",
            )
        elif track.beside:
            yield Words(
                f"sound track {position} is {track.beside}: it is passed over",
                f"音轨 {position} 是{_BESIDE[track.beside]}：不采用",
            )
    if unused:
        named = joined(map(str, unused))
        yield Words(
            f"sound tracks {named} go into preservation rungs only",
            f"音轨 {named.zh} 只进入保存母版",
        )


def _no_sound(info: MediaInfo) -> Words:
    unknown = [track for track in info.left_out if track.startswith("sound track")]
    if not unknown:
        return Words(
            "the source has no sound: neither has any rendition", "来源没有声音：成品也都没有声音"
        )
    # A decoder may be missing, or the beginning of the track: `notes` say which.
    named = joined(unknown)
    return Words(
        f"no sound is decoded of {named}: no rendition has any",
        f"解不出声音：{named.zh}。成品都没有声音",
    )


def _told(info: MediaInfo, track: AudioPlan) -> Words:
    told = _mix_told(info, track)
    if not track.is_folded:
        return told
    return Words(
        f"mono, half the sum of left and right, {told.removeprefix('stereo ')}",
        f"单声道，为左右声道之和的一半，{told.zh}",
    )


def _mix_told(info: MediaInfo, track: AudioPlan) -> Words:
    match track.pan:
        case "join" if track.channels == _SIX:
            named = joined(map(str, track.tracks))
            return Words(
                f"5.1 from mono tracks {named} in the order L R C LFE Ls Rs",
                f"5.1 由单声道音轨 {named.zh} 按 L R C LFE Ls Rs 的次序组成",
            )
        case "join":
            left, right = track.tracks
            return Words(
                f"stereo from mono tracks {left} (left) and {right} (right) of {len(info.audio)}",
                f"立体声由 {len(info.audio)} 条音轨中的单声道音轨 {left}（左）和 {right}（右）组成",
            )
        case "six":
            return Words(
                f"5.1 from the six channels beside the stereo mix of track {track.tracks[0]}",
                f"5.1 取自音轨 {track.tracks[0]} 中立体声混音以外的六个声道",
            )
        case "pair":
            return _pair_told(info.audio[track.tracks[0]], track.tracks[0])
        case "downmix":
            return _downmix_told(info.audio, track)
        case "source":
            return _as_it_is(info.audio, track)


def _downmix_told(tracks: Sequence[AudioTrack], track: AudioPlan) -> Words:
    channels = tracks[track.tracks[0]].channels
    named = joined(map(str, track.tracks))
    what = (
        Words(f"mono tracks {named}", f"单声道音轨 {named.zh} ")
        if len(track.tracks) > 1
        else Words(f"{channels} channels", f" {channels} 个声道")
    )
    limited = Words(": peaks above -2 dBFS are limited", "：超过 -2 dBFS 的峰值经限幅")
    return Words(
        f"stereo from {what} by ITU-R BS.775 (centre and surrounds at -3 dB, no LFE), not "
        f"scaled down{'' if track.loudness else limited}",
        f"立体声由{what.zh}按 ITU-R BS.775 缩混（中置与环绕 -3 dB，不含 LFE），不整体压低"
        f"{'' if track.loudness else limited.zh}",
    )


def _pair_told(source: AudioTrack, position: int) -> Words:
    if is_pair(source):
        left, right = (place + 1 for place in pair_places(source.layout))
        named = "+".join(listed(source.layout))
        return Words(
            f"stereo from channels {left} and {right} of sound track {position} as they are: the "
            f"file calls its channels {named}",
            f"立体声直接取自音轨 {position} 的声道 {left} 和 {right}：文件标明其声道为 {named}",
        )
    if not is_discrete(source):
        return Words(
            f"stereo from the two channels of sound track {position}",
            f"立体声取自音轨 {position} 的两个声道",
        )
    others = (
        Words(", and the others go into preservation rungs only", "，其余声道只进入保存母版")
        if source.channels > _TWO
        else Words("", "")
    )
    return Words(
        f"stereo from channels 1 and 2 of {source.channels}: the file does not say what the "
        f"channels are{others}",
        f"立体声取自 {source.channels} 个声道中的 1 和 2：文件未说明各声道是什么{others.zh}",
    )


def _as_it_is(tracks: Sequence[AudioTrack], track: AudioPlan) -> Words:
    (position,) = track.tracks
    if track.channels == _TWO and (more := _with_more(tracks, position)) is not None:
        return Words(
            f"stereo is sound track {position} as it is, not a downmix of sound track {more}",
            f"立体声原样采用音轨 {position}，不由音轨 {more} 缩混",
        )
    if not track.own_order:
        return Words(f"sound track {position} as it is", f"原样采用音轨 {position}")
    order = "+".join(listed(track.own_order))
    return Words(
        f"sound track {position} as it is, its channels {order} in usual order",
        f"原样采用音轨 {position}，其声道 {order} 改按通常次序",
    )


def _with_more(tracks: Sequence[AudioTrack], position: int) -> int | None:
    """The track before it that stereo could have been made of."""
    language = tracks[position].language
    alike = (at for at in range(position) if tracks[at].language == language)
    return next((at for at in alike if tracks[at].channels > _TWO and fits(tracks[at])), None)
