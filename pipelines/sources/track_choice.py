"""Which picture and which sound of a file with several are taken, and what is said of it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from pipelines.errors import NoSuchProgramme
from pipelines.media import MediaInfo, Programme, VideoTrack
from pipelines.sources.track_names import track_name
from pipelines.words import Words, joined

_WITH_ALPHA = ("yuva", "ayuv", "gbrap", "rgba", "bgra", "argb", "abgr", "ya8", "ya16")


def with_choice(info: MediaInfo, wanted: int | None = None) -> MediaInfo:
    """The picture that is taken comes first; of several programmes one alone is kept, all of whose
    tracks belong together: the `wanted` one, else the one with the largest picture.

    `info` has every track that decodes. Raises `NoSuchProgramme`.
    """
    if wanted is not None and wanted not in [one.number for one in info.programmes]:
        raise NoSuchProgramme(_no_such(info, wanted))
    if not info.programmes or (wanted is None and len(info.programmes) == 1):
        return replace(info, video=_best_first(info.video))
    taken = _programme(info, wanted)
    kept = replace(
        info,
        video=_best_first([one for one in info.video if one.index in taken.tracks]),
        audio=tuple(track for track in info.audio if track.index in taken.tracks),
        subtitles=tuple(track for track in info.subtitles if track.index in taken.tracks),
        programme=taken.number,
        programme_asked=wanted is not None,
    )
    others = dict.fromkeys(_other_tracks(info, kept))  # pages of one track have one name
    return replace(kept, left_out=(*info.left_out, *others))


def choice_decisions(info: MediaInfo) -> tuple[Words, ...]:
    """What was chosen, and why, where there was anything to choose."""
    told = [_programme_decision(info)] if info.programme is not None else []
    if info.picture and len(info.video) > 1:
        told.append(_picture_decision(info.picture, info.video[1:]))
    if info.picture and info.picture.pix_fmt.startswith(_WITH_ALPHA):
        told.append(
            Words(
                "the picture is partly transparent: only preservation keeps how",
                "画面带有透明度：只有保存母版予以保留",
            )
        )
    return tuple(told)


def _best_first(video: Sequence[VideoTrack]) -> tuple[VideoTrack, ...]:
    """By what the file calls the default, then by raster, then by number."""
    return tuple(sorted(video, key=lambda one: (not one.default, -_pixels(one), one.index)))


def _pixels(track: VideoTrack) -> int:
    return track.width * track.height


def _programme(info: MediaInfo, wanted: int | None) -> Programme:
    if wanted is not None:
        return next(one for one in info.programmes if one.number == wanted)
    return min(info.programmes, key=lambda one: (-_largest(info, one), one.number))


def _largest(info: MediaInfo, programme: Programme) -> int:
    sizes = [_pixels(one) for one in info.video if one.index in programme.tracks]
    return max(sizes, default=0)


def _other_tracks(info: MediaInfo, kept: MediaInfo) -> Iterator[Words]:
    taken = {index for _, index, _ in _tracks(kept)}
    for kind, index, codec in _tracks(info):
        if index not in taken:
            name = track_name(kind, index, codec)
            yield Words(f"{name} of another programme", f"其他节目的{name.zh}")


def _tracks(info: MediaInfo) -> Iterator[tuple[str, int, str]]:
    yield from (("video", one.index, one.codec) for one in info.video)
    yield from (("audio", one.index, one.codec) for one in info.audio)
    yield from (("subtitle", one.index, one.codec) for one in info.subtitles)


def _no_such(info: MediaInfo, wanted: int) -> str:
    if not info.programmes:
        return f"the file has no programmes, so none is number {wanted}: ask for none"
    return f"there is no programme {wanted}: choose one of {_labels(info)}"


def _labels(info: MediaInfo) -> str:
    return ", ".join(one.label for one in info.programmes)


def _programme_decision(info: MediaInfo) -> Words:
    taken = next(one for one in info.programmes if one.number == info.programme)
    if info.programme_asked:
        why = Words("as asked", "按要求")
    elif info.video:
        why = Words("it has the largest picture", "其画面最大")
    else:
        why = Words("none has a picture, and it is the first", "都没有画面，取第一个")
    every = joined(one.label for one in info.programmes)
    return Words(
        f"programme {taken.label} is taken ({why}) of {every}",
        f"选用节目 {taken.label}（{why.zh}），共有 {every.zh}",
    )


def _picture_decision(taken: VideoTrack, others: Sequence[VideoTrack]) -> Words:
    rivals = [one for one in others if one.default == taken.default]
    if any(_pixels(one) == _pixels(taken) for one in rivals):
        why = Words("the first of equals", "同样大小中的第一条")
    elif not rivals:
        why = Words("the file's default", "文件的默认轨")
    elif len(rivals) < len(others):
        why = Words("the largest of the file's defaults", "文件默认轨中画面最大")
    else:
        why = Words("the largest", "画面最大")
    count = len(others) + 1
    return Words(
        f"picture track {taken.index} is taken ({why}) of {count}",
        f"选用画面轨 {taken.index}（{why.zh}），共 {count} 条",
    )
