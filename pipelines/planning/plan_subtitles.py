"""What becomes of subtitles and captions in each rung, and what is said about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from pipelines.languages import short_tag, three_letters
from pipelines.media import (
    AncillaryTrack,
    CaptionChannel,
    Captions,
    Inspection,
    MediaInfo,
    SubtitleTrack,
    VideoTrack,
)
from pipelines.planning.plan_types import Rung, SubtitlePlan, VideoPlan
from pipelines.profiles.profile import Container, Profile, VideoProfile
from pipelines.words import Words, joined

# Encoders of ffmpeg that write the captions of the pictures that they get.
_CAPTIONING = frozenset({"libx264", "libx265", "copy"})
_UNREADABLE = Words(
    "its letters are neither UTF-8 nor GB 18030: repair the track, or give a subtitle file of its "
    "own",
    "文字编码既不是 UTF-8 也不是 GB 18030：请修复该轨，或另附字幕文件",
)
_NO_LETTERS = Words(
    "MXF, transport streams and sound alone have no place for letters",
    "MXF、传输流和纯音频没有存放文本字幕的位置",
)
_NOWHERE = Words("in no rendition", "不在任何成品中")
ANCILLARY = "smpte_436m_anc"  # ffmpeg's name
# What Matroska holds as it is, by ffmpeg's names.
_IN_MATROSKA = frozenset(
    {"subrip", "ass", "webvtt", "dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle"}
)


def plan_subtitles(
    profile: Profile, info: MediaInfo, inspection: Inspection, video: VideoPlan | None
) -> tuple[SubtitlePlan, ...]:
    """The subtitles of one rung in the source's order; tracks without a place are not there.

    Captions of the pictures come after them as letters where the rung's own pictures lose them,
    and for the package, many of whose players look for letters alone.
    """
    if video is None:
        return ()
    timed = [one for one in info.subtitles if one.file or not why_no_clock(inspection)]
    unread = _unread(inspection)
    found = (_planned(profile.container, track) for track in timed)
    made = [one for one in found if one and (one.copied or (one.track, one.page) not in unread)]
    if info.picture and not why_no_clock(inspection) and (profile.packaged or not video.captions):
        letters = (
            _of_captions(profile.container, info.picture, channel)
            for channel in inspection.caption_channels
        )
        made += [one for one in letters if one]
    for track, channels in _of_ancillary(inspection):
        letters = (_of_line_21(profile.container, track, channel) for channel in channels)
        made += [one for one in letters if one]
    return tuple(made)


def _of_ancillary(
    inspection: Inspection,
) -> Iterator[tuple[AncillaryTrack, Sequence[CaptionChannel]]]:
    """Each track with those of its channels that neither the pictures nor one before it have."""
    taken = set(inspection.caption_channels)
    for track in inspection.ancillary:
        yield track, [channel for channel in track.channels if channel not in taken]
        taken |= set(track.channels)


def _of_line_21(
    container: Container, source: AncillaryTrack, channel: CaptionChannel
) -> SubtitlePlan | None:
    track = SubtitleTrack(source.index, ANCILLARY, text=True, hearing_impaired=True)
    return _as_channel(_planned(container, track), channel)


def _unread(inspection: Inspection) -> dict[tuple[int, int | None], Words]:
    """Why nobody can read the letters of a track, or of a page of it."""
    foreign: dict[tuple[int, int | None], Words] = {
        (index, None): _UNREADABLE for index in inspection.unreadable_subtitles
    }
    return foreign | {(one.index, one.page): one.why for one in inspection.subtitle_faults}


def _of_captions(
    container: Container, picture: VideoTrack, channel: CaptionChannel
) -> SubtitlePlan | None:
    """For the deaf, as captions are; their language is not said."""
    track = SubtitleTrack(picture.index, "cea-608", text=True, hearing_impaired=True)
    return _as_channel(_planned(container, track), channel)


def _as_channel(made: SubtitlePlan | None, channel: CaptionChannel) -> SubtitlePlan | None:
    return made and replace(made, key=f"{made.codec}_{channel.lower()}", channel=channel)


def _planned(container: Container, track: SubtitleTrack) -> SubtitlePlan | None:
    match container:
        case "mp4" | "mov" if track.text:
            return _subtitle(track, "mov_text", "mp4")
        case "mkv" if track.codec in _IN_MATROSKA and track.file is None:
            return _subtitle(track, track.codec, "mkv")
        case "mkv" if track.text:
            return _subtitle(track, "subrip", "mkv")
        case "ts" if track.codec == "dvb_subtitle":
            kept = _subtitle(track, track.codec, "mkv")
            return replace(kept, key=f"{kept.key}_stream", stream=True)
        case _:
            return None


def _subtitle(track: SubtitleTrack, codec: str, suffix: str) -> SubtitlePlan:
    return SubtitlePlan(
        key=f"{codec}_s{track.index}" + (f"_p{track.page}" if track.page else ""),
        codec=codec,
        suffix=suffix,
        track=track.index,
        source_codec=track.codec,
        language=three_letters(track.language),
        language_tag=short_tag(track.language),
        forced=track.forced,
        hearing_impaired=track.hearing_impaired,
        file=track.file,
        page=track.page,
    )


def why_no_clock(inspection: Inspection) -> Words | None:
    """Why nobody knows when a subtitle is due, if so."""
    return Words("the file's clock jumps", "文件的时钟有跳变") if inspection.clock_jumps else None


def captions_of(picture: VideoTrack, inspection: Inspection) -> tuple[Captions, ...]:
    """Those of the source's pictures; an older inspection has not looked farther than a probe."""
    return picture.captions or inspection.captions


def plan_captions(
    wanted: VideoProfile,
    picture: VideoTrack,
    inspection: Inspection,
    source_rate: Fraction,
    rate: Fraction,
) -> tuple[Captions, ...]:
    """The captions that outlive an encode: their bytes are spread over every frame in order, so
    that a rung of fewer frames would have holes in them. One of each field has them shared out
    (`pipelines.subtitles.caption_filters`).
    """
    even = inspection.constant_frame_rate and rate in (source_rate, 2 * source_rate)
    found = captions_of(picture, inspection)
    return found if even and wanted.encoder in _CAPTIONING else ()


def subtitle_decisions(
    info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]
) -> list[Words]:
    """What was chosen, in words."""
    pictures = [rung for rung in rungs if rung.video is not None]
    why = why_no_clock(inspection)
    unread = _unread(inspection)
    told = [
        _told(track, pictures, unread.get((track.index, track.page), why))
        for track in info.subtitles
    ]
    if info.picture is not None and (found := captions_of(info.picture, inspection)):
        told += _captions_told(found, pictures)
        told += [_channel_told(one, pictures, why) for one in inspection.caption_channels]
    for track, channels in _of_ancillary(inspection):
        told += [_line_21_told(track, one, pictures) for one in channels]
        told.append(_rest_told(track, channels))
    return told


def _line_21_told(track: AncillaryTrack, channel: CaptionChannel, rungs: Sequence[Rung]) -> Words:
    found = [_first(rung, track=track.index, channel=channel) for rung in rungs]
    words = list(_ways(rungs, found))
    if lacking := [rung.profile for rung, one in zip(rungs, found, strict=True) if one is None]:
        words.append(_lost(lacking, _NO_LETTERS))
    said = joined(words or [_NOWHERE], "; ", "；")
    return Words(
        f"captions {channel} of ancillary data track {track.index} as letters: {said}",
        f"辅助数据轨 {track.index} 的隐藏字幕 {channel} 转为文本字幕：{said.zh}",
    )


def _lost(profiles: Sequence[str], why: Words) -> Words:
    names = joined(profiles)
    return Words(f"lost in {names}: {why}", f"在 {names.zh} 中丢失：{why.zh}")


def _rest_told(track: AncillaryTrack, taken: Sequence[CaptionChannel]) -> Words:
    """No rendition has a place for such data themselves."""
    holds = joined(track.holds or [Words("empty", "空")])
    en, zh = (
        f"ancillary data track {track.index} ({holds})",
        f"辅助数据轨 {track.index}（{holds.zh}）",
    )
    if taken:
        return Words(
            f"{en} is in no rendition but for the letters of its captions",
            f"{zh}除其隐藏字幕的文本外，不在任何成品中",
        )
    if track.channels:
        return Words(
            f"{en} is in no rendition: its captions are those of the pictures",
            f"{zh}不在任何成品中：其隐藏字幕与画面内的相同",
        )
    return Words(
        f"{en} is in no rendition: nothing is said in it in CEA-608",
        f"{zh}不在任何成品中：其中没有 CEA-608 的文字",
    )


def _told(track: SubtitleTrack, rungs: Sequence[Rung], why: Words | None) -> Words:
    found = [_first(rung, track=track.index, channel=None, page=track.page) for rung in rungs]
    words, named = list(_ways(rungs, found)), _named(track)
    if not words:
        why = why or _no_place(track)
        return Words(f"{named} is in no rendition: {why}", f"{named.zh}不在任何成品中：{why.zh}")
    if lacking := [rung.profile for rung, one in zip(rungs, found, strict=True) if one is None]:
        words.append(_left_out(lacking, why))
    said = joined(words, "; ", "；")
    return Words(f"{named}: {said}", f"{named.zh}：{said.zh}")


def _left_out(profiles: Sequence[str], why: Words | None) -> Words:
    names = joined(profiles)
    if why is None:
        return Words(f"left out of {names}", f"不进入 {names.zh}")
    return Words(f"left out of {names}, since {why}", f"不进入 {names.zh}，因为{why.zh}")


def _channel_told(channel: CaptionChannel, rungs: Sequence[Rung], why: Words | None) -> Words:
    found = [_first(rung, track=None, channel=channel) for rung in rungs]
    words = list(_ways(rungs, found))
    lost = [rung.profile for rung in rungs if not _video(rung).captions]
    without = [rung.profile for rung, one in zip(rungs, found, strict=True) if one is None]
    if lacking := [name for name in lost if name in without]:
        words.append(_lost(lacking, why or _NO_LETTERS))
    said = joined(words or [Words("inside the pictures alone", "只在画面内")], "; ", "；")
    return Words(
        f"captions {channel} as letters: {said}", f"隐藏字幕 {channel} 转为文本字幕：{said.zh}"
    )


def _first(
    rung: Rung, *, track: int | None, channel: CaptionChannel | None, page: int | None = None
) -> SubtitlePlan | None:
    mine = (
        one
        for one in rung.subtitles
        if (one.channel, one.page) == (channel, page) and (track is None or one.track == track)
    )
    return next(mine, None)


def _ways(rungs: Sequence[Rung], found: Sequence[SubtitlePlan | None]) -> Iterator[Words]:
    """What becomes of one track in the rungs that have it, and in the package."""
    made: dict[Words, list[str]] = {}
    for rung, one in zip(rungs, found, strict=True):
        if one is not None:
            made.setdefault(_way(one), []).append(rung.profile)
    for way, profiles in made.items():
        names = joined(profiles)
        yield Words(f"{way} in {names}", f"在 {names.zh} 中{way.zh}")
    letters = (rung.packaged and one for rung, one in zip(rungs, found, strict=True))
    if any(one and one.codec == "mov_text" for one in letters):
        yield Words("WebVTT in the HLS and DASH package", "在 HLS、DASH 包中为 WebVTT")


def _way(one: SubtitlePlan) -> Words:
    if one.copied:
        return Words(f"copied as {one.codec}", f"按 {one.codec} 原样复制")
    return Words(f"made {one.codec}", f"转为 {one.codec}")


def _named(track: SubtitleTrack) -> Words:
    page = Words(f"page {track.page}", f"第 {track.page} 页") if track.page else ""
    marks = [track.codec, page, track.language or ""]
    marks.append(Words("forced", "强制") if track.forced else "")
    marks.append(Words("for the hard of hearing", "听障") if track.hearing_impaired else "")
    said = joined(mark for mark in marks if mark)
    if track.file:
        return Words(f"subtitle file ({said})", f"字幕文件（{said.zh}）")
    return Words(f"subtitle track {track.index} ({said})", f"字幕轨 {track.index}（{said.zh}）")


def _no_place(track: SubtitleTrack) -> Words:
    if track.text:
        return _NO_LETTERS
    if track.codec == "dvb_subtitle":
        return Words(
            "pictures of letters go into transport streams and preservation alone",
            "图形字幕只进入传输流和保存母版",
        )
    return Words(
        "pictures of letters cannot be turned into letters here", "图形字幕在此无法转为文本字幕"
    )


def _captions_told(captions: Sequence[Captions], rungs: Sequence[Rung]) -> Iterator[Words]:
    named = joined((one.upper() for one in captions), " and ")
    if carried := [rung.profile for rung in rungs if _video(rung).captions]:
        names = joined(carried)
        yield Words(
            f"captions ({named}) are carried inside the pictures of {names}",
            f"隐藏字幕（{named.zh}）保留在 {names.zh} 的画面内",
        )
    if lost := [rung.profile for rung in rungs if not _video(rung).captions]:
        names = joined(lost)
        yield Words(
            f"captions ({named}) are left out of the pictures of {names}: they outlive "
            "an encode in H.264 and HEVC with every frame or field of the source alone",
            f"隐藏字幕（{named.zh}）不进入 {names.zh} 的画面：重新编码后，只有包含来源每一帧或"
            "每一场的 H.264、HEVC 才能保留",
        )


def _video(rung: Rung) -> VideoPlan:
    assert rung.video is not None, "filtered by the caller"
    return rung.video
