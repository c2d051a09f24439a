"""CMAF segments with an HLS and a DASH manifest over them, by Shaka Packager, checked after."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from pipelines.errors import VerificationFailed
from pipelines.facts import PackageFiles
from pipelines.manifests import package_faults
from pipelines.plan_types import AudioPlan, Rung
from pipelines.progress import Progress
from pipelines.run import run
from pipelines.tools import packager

HLS, DASH = "master.m3u8", "manifest.mpd"
SEGMENT_S = 2  # [P] two GOPs: a seek is quick, and a request is worth its round trip


def package(
    renditions: Sequence[tuple[Rung, Path]], folder: Path, duration_s: Fraction | float
) -> Generator[Progress, None, PackageFiles]:
    """Package rungs with a picture, and the best sound once, into `folder`.

    Raises `VerificationFailed` when a manifest or its segments are not what was asked for.
    """
    with TemporaryDirectory(prefix="kapok-package-") as links:
        linked, out = _without_commas(renditions, folder, Path(links))
        yield from run(
            [packager(), *packager_arguments(linked, out)],
            readable=[path for _, path in linked],
            writable=[out],
        )
    _make_one_sound_the_default(folder / HLS)
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


def _make_one_sound_the_default(master: Path) -> None:
    """The packager finds a default by its language, so that sound without one never is."""
    if master.is_file():
        text = master.read_text()
        if "DEFAULT=YES" not in text:
            master.write_text(text.replace("DEFAULT=NO", "DEFAULT=YES", 1))


def packager_arguments(renditions: Sequence[tuple[Rung, Path]], folder: Path) -> list[str]:
    """The arguments of the one packager that makes both manifests over the same segments."""
    streams = [_picture(rung, path, folder) for rung, path in renditions if rung.video]
    sound = best_sound(renditions)
    language = None
    if sound is not None:
        rung, path = sound
        tracks = [at for at, track in enumerate(rung.audio) if track.codec == rung.audio[0].codec]
        streams += [_sound(rung, at, path, folder) for at in tracks]
        language = rung.audio[0].language
    return [
        *streams,
        *("--segment_duration", str(SEGMENT_S)),
        "--generate_static_live_mpd",  # segment templates alone would make a dynamic one
        *("--mpd_output", str(folder / DASH)),
        *("--hls_master_playlist_output", str(folder / HLS)),
        *("--hls_playlist_type", "VOD"),
        *(("--default_language", language) if language else ()),
    ]


def best_sound(renditions: Sequence[tuple[Rung, Path]]) -> tuple[Rung, Path] | None:
    """The rendition whose sound every variant shares: AAC first, then more channels, then bits."""
    with_sound = [(rung, path) for rung, path in renditions if rung.audio]
    return max(with_sound, key=lambda one: _worth(one[0].audio), default=None)


def _worth(tracks: Sequence[AudioPlan]) -> tuple[bool, int, int]:
    first = tracks[0]
    return (first.codec == "aac", first.channels, first.bitrate_bps or 0)


def _picture(rung: Rung, path: Path, folder: Path) -> str:
    return _descriptor(
        path,
        "video",
        folder / rung.profile,
        playlist_name=f"{rung.profile}/index.m3u8",
        iframe_playlist_name=f"{rung.profile}/iframes.m3u8",
    )


def _sound(rung: Rung, position: int, path: Path, folder: Path) -> str:
    name, language = f"sound-{position + 1}", rung.audio[position].language
    return _descriptor(
        path,
        str(position + (1 if rung.video else 0)),
        folder / name,
        playlist_name=f"{name}/index.m3u8",
        hls_group_id="sound",
        hls_name=name,
        **({"language": language} if language else {}),
    )


def _descriptor(path: Path, stream: str, folder: Path, **names: str) -> str:
    fields = {
        "in": str(path),
        "stream": stream,
        "init_segment": str(folder / "init.mp4"),
        "segment_template": str(folder / "$Number%05d$.m4s"),
        **names,
    }
    return ",".join(f"{key}={value}" for key, value in fields.items())
