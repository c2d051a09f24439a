"""CMAF segments with an HLS and a DASH manifest over them, by Shaka Packager, checked after."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import VerificationFailed
from pipelines.facts import PackageFiles
from pipelines.languages import own_name
from pipelines.packaging.manifests import (
    SIX,
    has_captions,
    language_of,
    package_faults,
    packaged_subtitles,
    read_playlist,
    sound_group,
    sound_members,
    sound_names,
    sound_rung,
)
from pipelines.planning.plan_types import AudioPlan, Rung, SubtitlePlan
from pipelines.progress import Progress
from pipelines.running.run import run
from pipelines.running.tools import packager
from pipelines.subtitles.subtitle_tracks import write_webvtt

HLS, DASH = "master.m3u8", "manifest.mpd"
_LETTERS = (
    # Else subtitles that begin late would be taken for late times.
    *("--default_text_zero_bias_ms", str(2**31 - 1)),
    *("--default_text_language", "zxx"),  # none: they are not shown unasked, as the sound is played
)
_VARIANT, _URI = "#EXT-X-STREAM-INF:", re.compile(r'URI="([^"]+)"')
_GROUP, _CODECS = re.compile(r'GROUP-ID="[^"]*"'), re.compile(r'CODECS="([^"]*)"')
# RFC 8216bis, 4.4.6.1: what a track for the deaf describes.
_FOR_THE_DEAF = (
    "public.accessibility.transcribes-spoken-dialog;public.accessibility.describes-music-and-sound"
)
SEGMENT_S = 2  # [P] two GOPs: a seek is quick, and a request is worth its round trip


def package(
    renditions: Sequence[tuple[Rung, Path]], folder: Path, duration_s: Fraction | float
) -> Generator[Progress, None, PackageFiles]:
    """Package rungs with a picture, and the best sound once, into `folder`.

    Raises `VerificationFailed` when a manifest or its segments are not what was asked for.
    """
    with TemporaryDirectory(prefix="kapok-package-") as links:
        linked, out = _without_commas(renditions, folder, Path(links))
        letters = yield from _letters(linked, Fraction(duration_s), Path(links))
        yield from run(
            [packager(), *packager_arguments(linked, out, letters)],
            readable=[*(path for _, path in linked), *letters],
            writable=[out],
        )
    rungs = [rung for rung, _ in renditions]
    _fill_the_groups_of_sound(folder / HLS, sound_rung(rungs))
    _make_one_sound_the_default(folder / HLS)
    for playlist in folder.glob("subtitles-*/index.m3u8"):
        _end_with_the_picture(playlist, Fraction(duration_s))
    faults = package_faults(folder / HLS, folder / DASH, rungs, float(duration_s))
    if faults:
        raise VerificationFailed(f"the package is not as planned: {'; '.join(faults)}")
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return PackageFiles(hls=HLS, dash=DASH, files=tuple(str(path) for path in files))


def _without_commas(
    renditions: Sequence[tuple[Rung, Path]], folder: Path, links: Path
) -> tuple[list[tuple[Rung, Path]], Path]:
    """The same files under other names: a comma in a path would end a field of a descriptor."""
    out = links / "out"
    out.symlink_to(folder.resolve())
    linked = []
    for rung, path in renditions:
        link = links / f"{rung.profile}{path.suffix}"
        link.symlink_to(path.resolve())
        linked.append((rung, link))
    return linked, out


def _letters(
    renditions: Sequence[tuple[Rung, Path]], length_s: Fraction, folder: Path
) -> Generator[Progress, None, list[Path]]:
    """WebVTT of each subtitle track, taken out of a rendition that has been verified."""
    tracks = packaged_subtitles([rung for rung, _ in renditions])
    files = []
    for position in range(len(tracks)):
        source = next(path for rung, path in renditions if rung.subtitles == tracks)
        files.append(folder / f"subtitles-{position + 1}.vtt")
        yield from write_webvtt(source.resolve(), position, length_s, files[-1])
    return files


def _fill_the_groups_of_sound(master: Path, rung: Rung | None) -> None:
    """The packager lists each sound in the group of its own codec alone, and of each variant that
    codec.
    """
    groups = sound_members(rung) if rung else {}
    if rung is None or len(groups) < 2 or not master.is_file():
        return
    lines = master.read_text().splitlines()
    sounds = {one: line for line in lines if "TYPE=AUDIO" in line for one in _URI.findall(line)}
    listed = [
        _GROUP.sub(f'GROUP-ID="{group}"', sounds[_sound_playlist(at)])
        for group, positions in groups.items()
        for at in positions
    ]
    first = next(iter(groups))
    codecs = {
        address: _CODECS.findall(line)[0].split(",")
        for line, address in pairwise(lines)
        if line.startswith(_VARIANT) and f'AUDIO="{first}"' in line
    }
    mixed = {
        f'AUDIO="{group}"'
        for group, positions in groups.items()
        if len({rung.audio[at].codec for at in positions}) > 1
    }
    begin = lines.index(next(iter(sounds.values())))
    for at, (line, address) in enumerate(pairwise(lines)):
        if line.startswith(_VARIANT) and any(group in line for group in mixed):
            own = _CODECS.findall(line)[0].split(",")
            all_of_them = ",".join(dict.fromkeys([*own, *codecs[address]]))
            lines[at] = _CODECS.sub(f'CODECS="{all_of_them}"', line)
    rest = [line for line in lines[begin:] if line not in sounds.values()]
    master.write_text("\n".join([*lines[:begin], *listed, *rest, ""]))


def _make_one_sound_the_default(master: Path) -> None:
    """Of each group: the packager finds a default by its language, so that sound without one never
    is.
    """
    if not master.is_file():
        return
    text = master.read_text()
    groups: dict[str, list[str]] = {}
    for line in text.splitlines():
        if "TYPE=AUDIO" in line:
            groups.setdefault(line.partition('GROUP-ID="')[2].partition('"')[0], []).append(line)
    for lines in groups.values():
        if not any("DEFAULT=YES" in line for line in lines):
            first = lines[0].replace("DEFAULT=NO", "DEFAULT=YES")
            text = text.replace(lines[0], first, 1)
    master.write_text(text)


def _end_with_the_picture(playlist: Path, length_s: Fraction) -> None:
    """The packager says of every segment of letters that it is a whole one, of the last too."""
    head, mark, tail = playlist.read_text().rpartition("#EXTINF:")
    said, _, rest = tail.partition(",")
    over_s = sum(read_playlist(playlist).durations_s) - float(length_s)
    playlist.write_text(f"{head}{mark}{float(said) - over_s:.3f},{rest}")


def packager_arguments(
    renditions: Sequence[tuple[Rung, Path]], folder: Path, letters: Sequence[Path] = ()
) -> list[str]:
    """The arguments of the one packager that makes both manifests over the same segments.

    Only subtitles, of which `letters` has the WebVTT files, are segments of two kinds: HLS wants
    WebVTT, and DASH players want it in MP4.
    """
    streams = [_picture(rung, path, folder) for rung, path in renditions if rung.video]
    sound = best_sound(renditions)
    language = None
    if sound is not None:
        rung, path = sound
        names = zip(sound_names(rung), names_of(rung.audio, "sound"), strict=True)
        for at, (name, label) in enumerate(names):
            streams.append(_sound(rung, at, name, label, path, folder))
        language = language_of(rung.audio[0])
    rungs = [rung for rung, _ in renditions]
    subtitles = packaged_subtitles(rungs)
    titles = names_of(subtitles, "subtitles")
    for at, (track, name, file) in enumerate(zip(subtitles, titles, letters, strict=True)):
        streams += _subtitles(track, name, file, folder / f"subtitles-{at + 1}")
    return [
        *streams,
        *(_LETTERS if letters else ()),
        *(("--closed_captions", "channel=CC1,name=CC1") if has_captions(rungs) else ()),
        *("--segment_duration", str(SEGMENT_S)),
        "--generate_static_live_mpd",  # segment templates alone would make a dynamic one
        *("--mpd_output", str(folder / DASH)),
        *("--hls_master_playlist_output", str(folder / HLS)),
        *("--hls_playlist_type", "VOD"),
        *(("--default_language", language) if language else ()),
    ]


def names_of(tracks: Sequence[AudioPlan | SubtitlePlan], kind: str) -> list[str]:
    """What a player's menu calls each of the tracks: its language, else its number; each once. Of
    sounds that is so in DASH: for HLS see `sound_names`.
    """
    names: list[str] = []
    for number, track in enumerate(tracks, start=1):
        name = own_name(language_of(track)) or f"{kind}-{number}"
        if isinstance(track, AudioPlan) and track.channels == SIX:
            name += " 5.1"
        if isinstance(track, SubtitlePlan):
            name = track.channel or (f"{name} (CC)" if track.hearing_impaired else name)
        names.append(f"{name} {number}" if name in names else name)
    return names


def best_sound(renditions: Sequence[tuple[Rung, Path]]) -> tuple[Rung, Path] | None:
    """The rendition whose sound every variant shares."""
    rung = sound_rung([rung for rung, _ in renditions])
    return next((one for one in renditions if one[0] == rung), None)


def _picture(rung: Rung, path: Path, folder: Path) -> str:
    return _descriptor(
        path,
        "video",
        folder / rung.profile,
        playlist_name=f"{rung.profile}/index.m3u8",
        iframe_playlist_name=f"{rung.profile}/iframes.m3u8",
    )


def _sound_playlist(position: int) -> str:
    return f"sound-{position + 1}/index.m3u8"


def _sound(rung: Rung, position: int, name: str, label: str, path: Path, folder: Path) -> str:
    """`label` is the name in DASH, where each codec is a set of its own."""
    place, language = f"sound-{position + 1}", language_of(rung.audio[position])
    return _descriptor(
        path,
        str(position + (1 if rung.video else 0)),
        folder / place,
        playlist_name=_sound_playlist(position),
        hls_group_id=sound_group(rung, position),
        hls_name=name,
        dash_label=label,
        **({"language": language} if language else {}),
    )


def _subtitles(track: SubtitlePlan, name: str, path: Path, folder: Path) -> list[str]:
    """Labelled, without which DASH would have tracks of one language as one with two qualities."""
    language = language_of(track)
    common = {
        **({"language": language} if language else {}),
        **({"forced_subtitle": "1"} if track.forced else {}),
        **({"dash_roles": "caption"} if track.hearing_impaired else {}),
    }
    hls = {
        "in": str(path),
        "stream": "text",
        "segment_template": str(folder / "$Number%05d$.vtt"),
        "playlist_name": f"{folder.name}/index.m3u8",
        "hls_group_id": "subtitles",
        "hls_name": name,
        "hls_only": "1",
        **({"hls_characteristics": _FOR_THE_DEAF} if track.hearing_impaired else {}),
        **common,
    }
    dash = _descriptor(path, "text", folder, dash_only="1", dash_label=name, **common)
    return [_joined(hls), dash]


def _descriptor(path: Path, stream: str, folder: Path, **names: str) -> str:
    fields = {
        "in": str(path),
        "stream": stream,
        "init_segment": str(folder / "init.mp4"),
        "segment_template": str(folder / "$Number%05d$.m4s"),
        **names,
    }
    return _joined(fields)


def _joined(fields: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in fields.items())
