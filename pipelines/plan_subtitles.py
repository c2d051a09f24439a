"""What becomes of subtitles and captions in each rung, and what is said about it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from pipelines.languages import three_letters
from pipelines.media import Captions, Inspection, MediaInfo, SubtitleTrack, VideoTrack
from pipelines.plan_types import Rung, SubtitlePlan, VideoPlan
from pipelines.profile import Container, Profile, VideoProfile

# Encoders of ffmpeg that write the captions of the pictures that they get.
_CAPTIONING = frozenset({"libx264", "libx265", "copy"})
# What Matroska holds as it is, by ffmpeg's names.
_IN_MATROSKA = frozenset(
    {"subrip", "ass", "webvtt", "dvb_subtitle", "dvd_subtitle", "hdmv_pgs_subtitle"}
)


def plan_subtitles(
    profile: Profile, info: MediaInfo, inspection: Inspection
) -> tuple[SubtitlePlan, ...]:
    """The subtitles of one rung in the source's order; tracks without a place are not there."""
    if profile.video is None:
        return ()
    timed = [one for one in info.subtitles if one.file or not why_no_clock(inspection)]
    made = (_planned(profile.container, track) for track in timed)
    return tuple(one for one in made if one is not None)


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
        key=f"{codec}_s{track.index}",
        codec=codec,
        suffix=suffix,
        track=track.index,
        source_codec=track.codec,
        language=three_letters(track.language),
        forced=track.forced,
        hearing_impaired=track.hearing_impaired,
        file=track.file,
    )


def why_no_clock(inspection: Inspection) -> str | None:
    """Why nobody knows when a subtitle is due, if so."""
    return "the file's clock jumps" if inspection.clock_jumps else None


def plan_captions(
    wanted: VideoProfile,
    picture: VideoTrack,
    inspection: Inspection,
    source_rate: Fraction,
    rate: Fraction,
) -> tuple[Captions, ...]:
    """The captions that outlive an encode: their bytes are spread over every frame in order, so
    that a rung of another rate would have holes in them, or have them twice.
    """
    even = inspection.constant_frame_rate and rate == source_rate
    return picture.captions if even and wanted.encoder in _CAPTIONING else ()


def subtitle_decisions(info: MediaInfo, inspection: Inspection, rungs: Sequence[Rung]) -> list[str]:
    """What was chosen, in words."""
    pictures = [rung for rung in rungs if rung.video is not None]
    why = why_no_clock(inspection)
    told = [_told(track, pictures, why) for track in info.subtitles]
    if info.picture is not None and info.picture.captions:
        told += _captions_told(info.picture.captions, pictures)
    return told


def _told(track: SubtitleTrack, rungs: Sequence[Rung], why: str | None) -> str:
    made: dict[str, list[str]] = {}
    lacking = []
    for rung in rungs:
        mine = [one for one in rung.subtitles if one.track == track.index]
        if mine:
            made.setdefault(_way(mine[0]), []).append(rung.profile)
        else:
            lacking.append(rung.profile)
    words = [f"{way} in {', '.join(names)}" for way, names in made.items()]
    if not words:
        return f"{_named(track)} is in no rendition: {why or _no_place(track)}"
    if any(rung.packaged and _carries(rung, track) for rung in rungs):
        words.append("WebVTT in the HLS and DASH package")
    if lacking:
        words.append(f"left out of {', '.join(lacking)}")
    return f"{_named(track)}: {'; '.join(words)}"


def _way(one: SubtitlePlan) -> str:
    return f"copied as {one.codec}" if one.copied else f"made {one.codec}"


def _carries(rung: Rung, track: SubtitleTrack) -> bool:
    return any(one.track == track.index and one.codec == "mov_text" for one in rung.subtitles)


def _named(track: SubtitleTrack) -> str:
    marks = [track.language or "", "forced" if track.forced else ""]
    marks.append("for the hard of hearing" if track.hearing_impaired else "")
    said = ", ".join([track.codec, *(mark for mark in marks if mark)])
    return f"subtitle {'file' if track.file else f'track {track.index}'} ({said})"


def _no_place(track: SubtitleTrack) -> str:
    if track.text:
        return "MXF, transport streams and sound alone have no place for letters"
    if track.codec == "dvb_subtitle":
        return "pictures of letters go into transport streams and preservation alone"
    return "pictures of letters cannot be turned into letters here"


def _captions_told(captions: Sequence[Captions], rungs: Sequence[Rung]) -> Iterator[str]:
    named = " and ".join(one.upper() for one in captions)
    carried = [rung.profile for rung in rungs if _video(rung).captions]
    if carried:
        yield f"captions ({named}) are carried inside the pictures of {', '.join(carried)}"
    lost = [rung.profile for rung in rungs if not _video(rung).captions]
    if lost:
        yield (
            f"captions ({named}) are left out of {', '.join(lost)}: they outlive an encode in "
            "H.264 and HEVC at the source's own rate alone"
        )


def _video(rung: Rung) -> VideoPlan:
    assert rung.video is not None, "filtered by the caller"
    return rung.video
