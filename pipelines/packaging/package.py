"""CMAF segments with an HLS and a DASH manifest over them, by Shaka Packager, checked after."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import VerificationFailed
from pipelines.facts import PackageFiles
from pipelines.languages import own_name
from pipelines.packaging.manifests import (
    has_captions,
    language_of,
    package_faults,
    packaged_sounds,
    packaged_subtitles,
    read_playlist,
    sound_group,
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
# RFC 8216bis, 4.4.6.1: what a track for the deaf describes.
_FOR_THE_DEAF = (
    "public.accessibility.transcribes-spoken-dialog;public.accessibility.describes-music-and-sound"
)
_SIX = 6
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
    _make_one_sound_the_default(folder / HLS)
    for playlist in folder.glob("subtitles-*/index.m3u8"):
        _end_with_the_picture(playlist, Fraction(duration_s))
    rungs = [rung for rung, _ in renditions]
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
        for at, name in enumerate(names_of(rung.audio, "sound")):
            streams.append(_sound(rung, at, name, path, folder))
        language = language_of(rung.audio[0])
    rungs = [rung for rung, _ in renditions]
    subtitles = packaged_subtitles(rungs)
    names = names_of(subtitles, "subtitles")
    for at, (track, name, file) in enumerate(zip(subtitles, names, letters, strict=True)):
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
    """What a player's menu calls each of the tracks: its language, else its number; each once."""
    names: list[str] = []
    for number, track in enumerate(tracks, start=1):
        name = own_name(language_of(track)) or f"{kind}-{number}"
        if isinstance(track, AudioPlan) and track.channels == _SIX:
            name += " 5.1"
        if isinstance(track, SubtitlePlan):
            name = track.channel or (f"{name} (CC)" if track.hearing_impaired else name)
        names.append(f"{name} {number}" if name in names else name)
    return names


def best_sound(renditions: Sequence[tuple[Rung, Path]]) -> tuple[Rung, Path] | None:
    """The rendition whose sound every variant shares."""
    sounds = packaged_sounds([rung for rung, _ in renditions])
    return next((one for one in renditions if sounds and one[0].audio == sounds), None)


def _picture(rung: Rung, path: Path, folder: Path) -> str:
    return _descriptor(
        path,
        "video",
        folder / rung.profile,
        playlist_name=f"{rung.profile}/index.m3u8",
        iframe_playlist_name=f"{rung.profile}/iframes.m3u8",
    )


def _sound(rung: Rung, position: int, name: str, path: Path, folder: Path) -> str:
    place, language = f"sound-{position + 1}", language_of(rung.audio[position])
    return _descriptor(
        path,
        str(position + (1 if rung.video else 0)),
        folder / place,
        playlist_name=f"{place}/index.m3u8",
        hls_group_id=sound_group(rung, position),
        hls_name=name,
        dash_label=name,
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
