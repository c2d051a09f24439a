"""Read a package back: are both manifests closed, right, and over segments that are there?"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count
from pathlib import Path

from pipelines.languages import own_name, short_tag
from pipelines.planning.plan_types import AudioPlan, Rung, SubtitlePlan

_ALIGNED_S = 0.002  # playlists round to milliseconds
_ROUNDED_S = 0.0006  # by which one length may be off for that; all together may be off by seconds
_LENGTH_S = 0.1
_RANGES = {"sdr": "SDR", "hlg": "HLG", "pq": "PQ"}
_CODECS = {"hevc": "hvc1.", "h264": "avc1."}
SIX = 6  # channels
_MPD = "{urn:mpeg:dash:schema:mpd:2011}"

Timelines = Mapping[str, Sequence[Fraction]]  # lengths of segments in seconds, by their folder


@dataclass(frozen=True, slots=True)
class Variant:
    """A variant stream of the master playlist: its attributes and its own playlist."""

    attributes: Mapping[str, str]
    playlist: Path


@dataclass(frozen=True, slots=True)
class Playlist:
    """`parts` are the files that the durations are of: of an I-frame playlist some are the same."""

    durations_s: tuple[float, ...]
    parts: tuple[Path, ...]
    segments: tuple[Path, ...]
    closed: bool


def package_faults(hls: Path, dash: Path, rungs: Sequence[Rung], duration_s: float) -> list[str]:
    """Every way in which the two manifests are not what these rungs ask for."""
    missing = [f"{manifest.name} is missing" for manifest in (hls, dash) if not manifest.is_file()]
    if missing:
        return missing
    root = ET.parse(dash).getroot()  # noqa: S314 - written by the packager a moment ago
    timelines = {
        name: timeline
        for representation in root.iter(f"{_MPD}Representation")
        for name, timeline in _timeline(representation)
    }
    return [
        *_hls_faults(hls, rungs, timelines, duration_s),
        *_dash_faults(root, rungs, timelines, duration_s),
    ]


def packaged_subtitles(rungs: Sequence[Rung]) -> tuple[SubtitlePlan, ...]:
    """Those that every variant shares: of the first rung that has the most."""
    return max((rung.subtitles for rung in rungs), key=len, default=())


def sound_rung(rungs: Sequence[Rung]) -> Rung | None:
    """The first rung that has the packaged sounds."""
    sounds = packaged_sounds(rungs)
    return next((rung for rung in rungs if sounds and rung.audio == sounds), None)


def packaged_sounds(rungs: Sequence[Rung]) -> tuple[AudioPlan, ...]:
    """Those that every variant shares: of the rung that begins with AAC, then with more channels,
    then with more bits.
    """
    return max((rung.audio for rung in rungs if rung.audio), key=_worth, default=())


def _worth(tracks: Sequence[AudioPlan]) -> tuple[bool, int, int]:
    first = tracks[0]
    return (first.codec == "aac", first.channels, first.bitrate_bps or 0)


def sound_group(rung: Rung, position: int) -> str:
    """A group of HLS has tracks of one codec (RFC 8216, 4.3.4.1.1): every variant is listed once
    for each, so that players take the one whose codec they know.
    """
    codec = rung.audio[position].codec
    return "sound" if codec == rung.audio[0].codec else f"sound-{codec}"


def sound_names(rung: Rung) -> list[str]:
    """What HLS calls each sound: once in its group, and the same in every group, whose members
    differ in address and channels alone (RFC 8216, 4.3.4.1.1).
    """
    names: list[str] = []
    for position, track in enumerate(rung.audio):
        group, said = sound_group(rung, position), own_name(language_of(track))
        taken = [one for at, one in enumerate(names) if sound_group(rung, at) == group]
        choices = [said, f"{said} 5.1"] if track.channels == SIX else [said]
        numbered = (f"{said} {number}" if said else f"sound-{number}" for number in count(1))
        free = (one for one in chain(choices if said else (), numbered) if one not in taken)
        names.append(str(next(free)))
    return names


def sound_members(rung: Rung) -> dict[str, list[int]]:
    """The sounds of each group by their positions. What another group than the first lacks it has
    from there, as all of them must have the same members, and in that order.
    """
    groups: dict[str, dict[str, int]] = {}
    for position, name in enumerate(sound_names(rung)):
        groups.setdefault(sound_group(rung, position), {})[name] = position
    first = next(iter(groups.values()), {})
    return {group: list((first | own).values()) for group, own in groups.items()}


def has_captions(rungs: Sequence[Rung]) -> bool:
    """Whether players may find CEA-608 in the pictures."""
    return any(rung.video and "cea-608" in rung.video.captions for rung in rungs)


def read_master(path: Path) -> tuple[list[Variant], list[Path]]:
    """The variants of a master playlist, and the playlists that it names in `URI`s."""
    lines = path.read_text().splitlines()
    variants = [
        Variant(_attributes(line.partition(":")[2]), path.parent / lines[at + 1])
        for at, line in enumerate(lines)
        if line.startswith("#EXT-X-STREAM-INF:")
    ]
    named = [path.parent / name for line in lines for name in re.findall(r'URI="([^"]+)"', line)]
    return variants, named


def read_playlist(path: Path) -> Playlist:
    lines = path.read_text().splitlines()
    names = [line for line in lines if line and not line.startswith("#")]
    maps = [name for line in lines for name in re.findall(r'#EXT-X-MAP:URI="([^"]+)"', line)]
    return Playlist(
        durations_s=tuple(
            float(line.partition(":")[2].split(",")[0])
            for line in lines
            if line.startswith("#EXTINF:")
        ),
        parts=tuple(path.parent / name for name in names),
        segments=tuple(path.parent / name for name in dict.fromkeys([*maps, *names])),
        closed="#EXT-X-ENDLIST" in lines,
    )


def _hls_faults(
    master: Path, rungs: Sequence[Rung], timelines: Timelines, duration_s: float
) -> Iterator[str]:
    variants, named = read_master(master)
    for rung in rungs:
        if rung.video is None:
            continue
        playlist = master.parent / rung.profile / "index.m3u8"
        found = next((one for one in variants if one.playlist == playlist), None)
        if found is None:
            yield f"HLS has no variant for {rung.profile}"
        else:
            yield from _variant_faults(rung, found)
    if any(rung.audio for rung in rungs) and not all("AUDIO" in v.attributes for v in variants):
        yield "HLS has a variant without the sound"
    yield from _hls_sound_faults(master, rungs, variants)
    yield from _hls_text_faults(master, rungs, variants)
    playlists = [variant.playlist for variant in variants]
    lengths = {
        path.parent.name: read_playlist(path).durations_s for path in playlists if path.is_file()
    }
    yield from _alignment_faults("HLS", lengths)
    for path in dict.fromkeys([*playlists, *named]):
        yield from _playlist_faults(path, timelines.get(path.parent.name, ()), duration_s)


def _hls_sound_faults(
    master: Path, rungs: Sequence[Rung], variants: Sequence[Variant]
) -> Iterator[str]:
    said = [
        tuple(one.get(name) for name in ("GROUP-ID", "NAME", "LANGUAGE", "CHANNELS"))
        for one in _media(master)
        if one.get("TYPE") == "AUDIO"
    ]
    rung = sound_rung(rungs)
    members = sound_members(rung) if rung else {}
    sounds = rung.audio if rung else ()
    names = sound_names(rung) if rung else []
    wanted = [
        (group, names[at], language_of(sounds[at]), str(sounds[at].channels))
        for group, positions in members.items()
        for at in positions
    ]
    if sorted(said, key=str) != sorted(wanted, key=str):
        yield f"HLS says sounds {said}, {wanted} planned"
    for variant in variants:
        codecs = variant.attributes.get("CODECS", "").split(",")
        positions = members.get(variant.attributes.get("AUDIO", ""), [])
        if len(codecs) <= len({sounds[at].codec for at in positions}):
            yield f"HLS says CODECS={','.join(codecs)}, and has sound of more"


def _media(master: Path) -> list[dict[str, str]]:
    return [
        _attributes(line.partition(":")[2])
        for line in master.read_text().splitlines()
        if line.startswith("#EXT-X-MEDIA:")
    ]


def _hls_text_faults(
    master: Path, rungs: Sequence[Rung], variants: Sequence[Variant]
) -> Iterator[str]:
    planned = packaged_subtitles(rungs)
    media = _media(master)
    said = [
        (one.get("LANGUAGE"), one.get("FORCED") == "YES")
        for one in media
        if one.get("TYPE") == "SUBTITLES"
    ]
    wanted = [(language_of(one), one.forced) for one in planned]
    if said != wanted:
        yield f"HLS says subtitles {said}, {wanted} planned"
    if planned and not all("SUBTITLES" in variant.attributes for variant in variants):
        yield "HLS has a variant without the subtitles"
    captions = any(one.get("TYPE") == "CLOSED-CAPTIONS" for one in media)
    if captions != has_captions(rungs):
        yield f"HLS says {'' if captions else 'no '}closed captions, other than planned"


def language_of(track: AudioPlan | SubtitlePlan) -> str | None:
    """As a manifest says it; plans of an earlier version have no tag."""
    return track.language_tag or short_tag(track.language)


def _variant_faults(rung: Rung, found: Variant) -> Iterator[str]:
    assert rung.video is not None, "only a picture is a variant"
    video = rung.video
    wanted = {
        "RESOLUTION": f"{video.width}x{video.height}",
        "FRAME-RATE": f"{float(video.frame_rate):.3f}",
        "VIDEO-RANGE": _RANGES[video.colour.dynamic_range],
    }
    for name, value in wanted.items():
        if found.attributes.get(name) != value:
            yield f"HLS says {name}={found.attributes.get(name)} of {rung.profile}, not {value}"
    codecs = found.attributes.get("CODECS", "")
    if not codecs.startswith(_CODECS.get(video.codec, "")):
        yield f"HLS says CODECS={codecs} of {rung.profile}"


def _playlist_faults(path: Path, exact_s: Sequence[Fraction], duration_s: float) -> Iterator[str]:
    """`exact_s` are the lengths that DASH says of the same segments."""
    name = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        yield f"HLS names {name}, which is missing"
        return
    playlist = read_playlist(path)
    if not playlist.closed:
        yield f"{name} has no end"
    said_s = sum(playlist.durations_s)
    length_s = float(sum(exact_s, Fraction(0))) if _are(playlist, exact_s) else said_s
    if abs(length_s - duration_s) > _LENGTH_S:
        yield f"{name} lasts {length_s:.3f} s, planned {duration_s:.3f} s"
    missing = [segment.name for segment in playlist.segments if not segment.is_file()]
    if missing:
        yield f"{name} names missing segments: {', '.join(missing[:3])}"


def _are(playlist: Playlist, exact_s: Sequence[Fraction]) -> bool:
    """Whether the playlist's segments have these lengths, each to the millisecond.

    AAC's of 2 s are written 1 ms too short in each 8 s: after a quarter of an hour what a playlist
    adds up to is more than `_LENGTH_S` off.
    """
    said: dict[Path, list[float]] = {}
    for part, length_s in zip(playlist.parts, playlist.durations_s, strict=False):
        said.setdefault(part, []).append(length_s)
    return len(said) == len(exact_s) and all(
        abs(sum(lengths_s) - float(exact)) <= _ROUNDED_S * len(lengths_s)
        for lengths_s, exact in zip(said.values(), exact_s, strict=True)
    )


def _alignment_faults(kind: str, lengths: Mapping[str, Sequence[float]]) -> Iterator[str]:
    """Players switch at segment boundaries, so every rung has to have the same ones."""
    if not lengths:
        return
    first, *others = lengths
    for name in others:
        one, other = lengths[first], lengths[name]
        together = len(one) == len(other) and all(
            abs(a - b) <= _ALIGNED_S for a, b in zip(one[:-1], other[:-1], strict=True)
        )
        if not together:
            yield f"{kind} segments of {name} do not line up with those of {first}"


def _dash_faults(
    root: ET.Element, rungs: Sequence[Rung], timelines: Timelines, duration_s: float
) -> Iterator[str]:
    if root.get("type") != "static":
        yield f"DASH is {root.get('type')}, not static"
    length_s = seconds_of(root.get("mediaPresentationDuration", ""))
    if length_s is None or abs(length_s - duration_s) > _LENGTH_S:
        yield f"DASH lasts {length_s} s, planned {duration_s:.3f} s"
    pictures = [rung.profile for rung in rungs if rung.video]
    said = [
        one.get("lang")
        for one in root.iter(f"{_MPD}AdaptationSet")
        if one.get("contentType") == "text"
    ]
    languages = [language_of(track) for track in packaged_subtitles(rungs)]
    if sorted(said, key=str) != sorted(languages, key=str):  # the packager sorts them its own way
        yield f"DASH says subtitles {said}, {languages} planned"
    heard = [
        one.get("lang")
        for one in root.iter(f"{_MPD}AdaptationSet")
        if one.get("contentType") == "audio"
    ]
    spoken = [language_of(track) for track in packaged_sounds(rungs)]
    if sorted(heard, key=str) != sorted(spoken, key=str):
        yield f"DASH says sounds {heard}, {spoken} planned"
    missing = [profile for profile in pictures if profile not in timelines]
    if missing:
        yield f"DASH has no representation for {', '.join(missing)}"
    together = {
        name: [float(one) for one in timelines[name]] for name in pictures if name in timelines
    }
    yield from _alignment_faults("DASH", together)


def _timeline(representation: ET.Element) -> Iterator[tuple[str, list[Fraction]]]:
    """The folder of a representation's segments, and their durations."""
    for template in representation.iter(f"{_MPD}SegmentTemplate"):
        scale = int(template.get("timescale", "1"))
        durations = [
            Fraction(int(part.get("d", "0")), scale)
            for part in template.iter(f"{_MPD}S")
            for _ in range(int(part.get("r", "0")) + 1)
        ]
        yield template.get("media", "").partition("/")[0], durations


def seconds_of(duration: str) -> float | None:
    """An ISO 8601 duration as manifests have them: hours, minutes, seconds."""
    found = re.fullmatch(r"PT(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?", duration)
    if found is None:
        return None
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _attributes(text: str) -> dict[str, str]:
    """An attribute list of RFC 8216, 4.2."""
    return {
        name: value.strip('"') for name, value in re.findall(r'([A-Z0-9-]+)=("[^"]*"|[^,]*)', text)
    }
