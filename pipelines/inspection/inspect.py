"""One decode of the source measures everything that needs the source alone."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from pipelines.colour.colour_doubt import believed
from pipelines.colour.colour_types import StatedColour
from pipelines.errors import LimitExceeded, NoEssence, UnsupportedMedia
from pipelines.inspection.data_bursts import data_channels
from pipelines.inspection.decoder_words import DecoderWords
from pipelines.inspection.field_motion import moves_whole
from pipelines.inspection.inspect_command import command, expected_s, tables_read
from pipelines.inspection.later_tracks import later_tracks
from pipelines.inspection.picture_watch import PictureWatch
from pipelines.inspection.shapes import may_change_shape, shape_findings
from pipelines.inspection.sound_watch import MixWatch, SoundWatch
from pipelines.inspection.track_gaps import judge_pauses
from pipelines.inspection.waveform import write_waveform
from pipelines.media import (
    AncillaryTrack,
    CaptionChannel,
    Captions,
    Colour,
    Inspection,
    MediaInfo,
    SubtitleFault,
)
from pipelines.planning.plan_sound import default_mixes
from pipelines.progress import Progress, part
from pipelines.running.run import run
from pipelines.sources import probe_child
from pipelines.sources.containers import MAX_PIXELS
from pipelines.subtitles import teletext, ttml_track
from pipelines.subtitles.captions import (
    find_captions,
    read_ancillary,
    read_captions,
)
from pipelines.subtitles.cues import is_too_long
from pipelines.subtitles.letter_tracks import LONG_CUE, READ_ELSEWHERE, unreadable_tracks
from pipelines.words import Words

_LOOKED = 0.95  # [P] of the progress: captions are read without decoding
_LEADER_S = 4  # [P] what `probe` has looked at, or nearly
_SILENT_PAGE = Words("nothing stands on it", "页上没有内容")
# [P] Where recordings were joined some packets of the one may stand among those of the other.
_AMONG_EACH_OTHER = 8
_GAPS = Words(
    "one track pauses for more than 10 s while others go on",
    "有一轨暂停超过 10 秒，而其他轨继续",
)


@dataclass(frozen=True, slots=True)
class _Watch:
    """What one decode was watched by."""

    picture: PictureWatch | None
    sounds: Sequence[SoundWatch]
    mixes: Sequence[MixWatch]
    words: DecoderWords


@dataclass(frozen=True, slots=True)
class _Clock:
    """See `Inspection.clock_jumps` and `track_gaps`."""

    jumps: bool
    gaps: bool = False


def inspect(
    path: Path,
    info: MediaInfo,
    folder: Path,
    *,
    keep_thumbs: bool = True,
    measure_light: bool = False,
    source_colour: StatedColour | None = None,
) -> Generator[Progress, None, Inspection]:
    """Decode once; images and the waveform land in `folder`, under the names in the result.

    Without `keep_thumbs` (see `inspection.thumbs`) no rendition can be verified with the result.
    `measure_light` (`inspection.light`) is for PQ renditions, `source_colour` what a person says
    that the pictures are.
    Raises `NoEssence` when nothing decodes, `LimitExceeded`, and what `run` raises.
    """
    path, folder = path.resolve(), folder.resolve()
    tagged = info.picture.colour if info.picture else Colour()
    info = believed(info, source_colour)
    captioned = info.picture is not None and info.picture.codec in probe_child.CAPTION_MARKS

    def watch(*, track_gaps: bool) -> Generator[Progress, None, _Watch]:
        begun = _begin(info, tagged, keep_thumbs=keep_thumbs, measure_light=measure_light)
        return _watched(path, info, folder, begun, track_gaps=track_gaps)

    watching = watch(track_gaps=False)
    watched = yield from part(watching, 0.0, _LOOKED if captioned else 1.0, "")
    clock = _Clock(jumps=watched.words.jumps)
    if watched.words.answered:
        without = watch(track_gaps=True)
        unclosed = yield from part(without, _LOOKED, _LOOKED, "looking at a track that pauses")
        clock = _judged(watched.words, unclosed)
        watched = unclosed if clock.gaps else watched
    picture, sounds, mixes, words = watched.picture, watched.sounds, watched.mixes, watched.words
    later = yield from later_tracks(path, info, words)
    kinds = (yield from _kinds(path, info)) if captioned else ()
    channels, unread = (yield from _captions(path, info)) if "cea-608" in kinds else ((), ())
    ancillary, unheard = yield from _ancillary(path, info)
    shapes: tuple[Words, ...] = ()
    if may_change_shape(info):
        shapes = yield from shape_findings(path, info, clock_jumps=clock.jumps)
    faults = yield from _faults(path, info)
    texts = [one.index for one in info.subtitles if one.text and one.codec not in READ_ELSEWHERE]
    unreadable, too_long = yield from unreadable_tracks(path, texts)
    whole = False
    if picture and picture.looks_otherwise_woven:
        again = moves_whole(path, info)
        whole = yield from part(again, _LOOKED, _LOOKED, "looking at fields again")
    seen = picture.inspection(folder, moves_whole=whole) if picture else _sound_alone(sounds)
    formats = _other_formats(info, words)
    data = data_channels([sound.bursts for sound in sounds])
    changed_sounds = tuple(
        number
        for number in range(len(sounds))
        if number + (picture is not None) in words.changed_sounds
    )
    return replace(
        seen,
        constant_raster=seen.constant_raster and not formats,
        changed_sounds=changed_sounds,
        audio_start_s=tuple(sound.start_s(info.start_s) for sound in sounds),
        audio_holes=tuple(sound.holes for sound in sounds),
        audio_slips=tuple(sound.slips for sound in sounds),
        audio_drift_s=tuple(sound.drift_s for sound in sounds),
        loudness=tuple(
            sound.no_loudness() if held else sound.loudness()
            for sound, held in zip(sounds, data, strict=True)
        ),
        mixes=tuple(mix.loudness() for mix in mixes if not mix.has_any(data)),
        audio_end_s=tuple(sound.end_s(info.start_s) for sound in sounds),
        clock_jumps=clock.jumps,
        track_gaps=clock.gaps,
        decoder_errors=words.errors,
        damaged_pictures=words.damaged_pictures,
        waveform=write_waveform(folder, [sound.peaks for sound in sounds]) if sounds else None,
        findings=(
            *_findings(info, seen, sounds, words),
            *((_GAPS,) if clock.gaps else ()),
            *_of_formats(formats),
            *_of_sounds(info, data, changed_sounds),
            *(track.told for track in later),
            *shapes,
            *unread,
            *unheard,
        ),
        captions=kinds,
        caption_channels=channels,
        unreadable_subtitles=unreadable,
        subtitle_faults=(*faults, *too_long),
        ancillary=ancillary,
        data_channels=data,
        later=later,
    )


def _begin(info: MediaInfo, tagged: Colour, *, keep_thumbs: bool, measure_light: bool) -> _Watch:
    picture = (
        PictureWatch(
            info, info.picture, tagged, keep_thumbs=keep_thumbs, measure_light=measure_light
        )
        if info.picture
        else None
    )
    sounds = [SoundWatch(n, track, expected_s(info)) for n, track in enumerate(info.audio)]
    mixes = [MixWatch(number, mix) for number, mix in enumerate(default_mixes(info.audio))]
    return _Watch(picture, sounds, mixes, DecoderWords())


def _watched(
    path: Path, info: MediaInfo, folder: Path, begun: _Watch, *, track_gaps: bool
) -> Generator[Progress, None, _Watch]:
    picture, words = begun.picture, begun.words
    taps: dict[str, Callable[[bytes], object]] = dict(picture.consumers()) if picture else {}
    for sound in begun.sounds:
        taps.update(sound.consumers())
    for mix in begun.mixes:
        taps.update(mix.consumers())
    tables = tables_read(info.picture, picture.taps) if info.picture and picture else []
    shown = picture.taps if picture else None
    yield from run(
        command(path, info, shown, folder, track_gaps=track_gaps),
        readable=[path, *tables],
        writable=[folder],
        total_s=float(info.duration_s) if info.duration_s else None,
        taps=taps,
        said=words.feed,
    )
    words.feed(b"\n")
    if words.too_large:
        message = f"pictures after the first have more than {MAX_PIXELS} pixels: cut them off"
        raise LimitExceeded(message)
    return begun


def _judged(words: DecoderWords, unclosed: _Watch) -> _Clock:
    """By the words of a decode that closed gaps, and the tracks of one that did not.

    What went back is corrected there as well, and then its times say nothing of pauses.
    """
    if unclosed.words.jumps:
        joints = unclosed.words.steps
        return _Clock(jumps=True, gaps=words.answered > _AMONG_EACH_OTHER * joints)
    watches = (*((unclosed.picture,) if unclosed.picture else ()), *unclosed.sounds)
    pauses = judge_pauses([one.presence for one in watches if one.presence])
    return _Clock(jumps=pauses.jumps or not pauses.gaps, gaps=pauses.gaps)


def _other_formats(info: MediaInfo, words: DecoderWords) -> tuple[str, ...]:
    """Pixel formats that the first picture has not; a change of tags alone builds a graph too."""
    first = _plain(info.picture.pix_fmt) if info.picture else None
    return tuple(dict.fromkeys(name for name in words.changed_formats if _plain(name) != first))


def _plain(pix_fmt: str) -> str:
    """Without the letter that says that an 8-bit picture uses all codes: its tag says it too."""
    return pix_fmt.replace("yuvj", "yuv")


def _kinds(path: Path, info: MediaInfo) -> Generator[Progress, None, tuple[Captions, ...]]:
    """As it was probed; of a longer one without captions at its beginning, at other places too."""
    assert info.picture is not None, "only pictures have captions"
    short = info.duration_s is not None and info.duration_s <= _LEADER_S
    if info.picture.captions or short:
        return info.picture.captions
    looking = find_captions(path, info.picture.index)
    return (yield from part(looking, _LOOKED, _LOOKED, "looking for captions"))


def _captions(
    path: Path, info: MediaInfo
) -> Generator[Progress, None, tuple[tuple[CaptionChannel, ...], tuple[Words, ...]]]:
    """The channels in which something is said, or the finding that nobody can read them."""
    assert info.picture is not None, "only pictures have captions"
    reading = read_captions(path, info.picture.index)
    try:
        found = yield from part(reading, _LOOKED, 1.0, "reading the captions")
    except UnsupportedMedia as error:
        return (), (Words(str(error), f"画面中的隐藏字幕无法读取：{error}"),)
    return tuple(found), ()


def _ancillary(
    path: Path, info: MediaInfo
) -> Generator[Progress, None, tuple[tuple[AncillaryTrack, ...], tuple[Words, ...]]]:
    """The tracks of ancillary data with all that they hold, and findings of those not read."""
    tracks, findings = [], []
    for track in info.ancillary:
        reading = read_ancillary(path, track.index)
        try:
            holds, cues = yield from part(reading, 1.0, 1.0, "reading the ancillary data")
        except UnsupportedMedia as error:
            tracks.append(track)
            findings.append(
                Words(
                    f"ancillary data track {track.index}: {error}",
                    f"辅助数据轨 {track.index} 无法读取：{error}",
                )
            )
        else:
            tracks.append(AncillaryTrack(track.index, holds, tuple(cues)))
    return tuple(tracks), tuple(findings)


def _faults(path: Path, info: MediaInfo) -> Generator[Progress, None, tuple[SubtitleFault, ...]]:
    """The tracks of TTML that cannot be read, and the pages of teletext that say nothing."""
    found = []
    for track in info.subtitles:
        if track.codec == ttml_track.CODEC and track.file is None:
            try:
                cues = yield from ttml_track.read_ttml_track(path, track.index)
            except (UnsupportedMedia, LimitExceeded) as error:
                found.append(SubtitleFault(track.index, Words(str(error), f"无法读取（{error}）")))
            else:
                if any(map(is_too_long, cues)):
                    found.append(SubtitleFault(track.index, LONG_CUE))
    for index in sorted({track.index for track in info.subtitles if track.page}):
        said = yield from teletext.pages_with_words(path, index)
        silent = (one for one in info.subtitles if one.index == index and one.page not in said)
        found += [SubtitleFault(index, _SILENT_PAGE, one.page) for one in silent]
    return tuple(found)


def _sound_alone(sounds: Sequence[SoundWatch]) -> Inspection:
    """From the start of the first track to the end of the last; filled holes count."""
    starts = [sound.start_s(Fraction(0)) for sound in sounds]
    ends = [sound.end_s(Fraction(0)) for sound in sounds]
    if not any(sound.duration_s for sound in sounds):
        message = "no sound decodes: check the file in a player"
        raise NoEssence(message)
    return Inspection(duration_s=max(ends) - min(starts))


def _findings(
    info: MediaInfo, seen: Inspection, sounds: Sequence[SoundWatch], words: DecoderWords
) -> tuple[Words, ...]:
    heard = [finding for sound in sounds for finding in sound.findings()]
    return (*info.notes, *words.findings(), *seen.findings, *heard)


def _of_formats(formats: Sequence[str]) -> Iterator[Words]:
    for name in formats:
        yield Words(
            f"the pixel format of the pictures changes to {name}", f"画面的像素格式中途变为 {name}"
        )


def _of_sounds(
    info: MediaInfo, data: Sequence[Sequence[int]], changed: Sequence[int]
) -> Iterator[Words]:
    for position, (track, held) in enumerate(zip(info.audio, data, strict=True)):
        if len(held) == track.channels:
            yield Words(
                f"sound track {position} holds data (SMPTE ST 337), not sound",
                f"音轨 {position} 是数据（SMPTE ST 337），不是声音",
            )
    for position in changed:
        yield Words(
            f"sound track {position} changes its rate or its channels",
            f"音轨 {position} 的采样率或声道中途改变",
        )
