"""Profiles and ladders: TOML data in `pipelines/profiles/`, validated when loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from pipelines.errors import InvalidProfile, UnknownProfile
from pipelines.media import DynamicRange, MediaInfo
from pipelines.records import from_json

T = TypeVar("T")

VideoCodec = Literal["hevc", "h264", "ffv1"]
AudioCodec = Literal["aac", "ac3", "flac"]
Container = Literal["mp4", "mkv", "m4a"]
Fit = Literal["exact", "inside", "source"]
Certainty = Literal["V", "?", "P"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a number comes from: [V] read in a source, [?] widely used, [P] the project's own."""

    what: str
    source: str
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Target:
    """The quality that a rung is to have, and no more: its CRF is searched for, its cap holds.

    `model` is how the score's model must begin (`pipelines.comparison` chooses it by raster and
    rate); `floor_p5` what the worst twentieth of the frames must reach.
    """

    metric: Literal["vmaf", "xpsnr"]
    value: float
    model: str
    floor_p5: float | None = None


@dataclass(frozen=True, slots=True)
class VideoProfile:
    """`fit`: `exact` needs that raster and never upscales; `inside` fits without upscaling;
    `source` keeps raster, rate, fields, sampling and colour untouched (preservation).
    With a `target`, `crf` is for where nothing can be predicted.
    """

    codec: VideoCodec
    encoder: str
    fit: Fit
    width: int | None = None
    height: int | None = None
    max_frame_rate: Fraction | None = None
    min_frame_rate: Fraction | None = None
    pix_fmt: str | None = None
    dynamic_range: DynamicRange | None = None
    preset: str | None = None
    crf: float | None = None
    max_bitrate_bps: int | None = None
    buffer_bits: int | None = None
    gop_s: Fraction = Fraction(1)
    level: str | None = None
    codec_profile: str | None = None
    burnt_in_timecode: bool = False
    target: Target | None = None


@dataclass(frozen=True, slots=True)
class AudioProfile:
    """`channels` `None` keeps every track as it is (preservation)."""

    codec: AudioCodec
    channels: int | None = None
    sample_rate_hz: int | None = None
    bitrate_bps: int | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A named, versioned recipe that cites its standard."""

    name: str
    version: int
    title_en: str
    title_zh: str
    container: Container
    basis: tuple[Basis, ...]
    video: VideoProfile | None
    audio: tuple[AudioProfile, ...]
    packaged: bool = False  # taken into the HLS and DASH package


@dataclass(frozen=True, slots=True)
class Ladder:
    """An ordered set of profiles for one delivery, best first."""

    name: str
    title_en: str
    title_zh: str
    profiles: tuple[str, ...]


_FOLDER = Path(__file__).parent / "profiles"
_LADDERS = "ladders.toml"
DEFAULT_LADDER = "uhd"
SOUND_LADDER = "audio"


@cache
def load_profiles() -> Mapping[str, Profile]:
    """Every profile by name; `InvalidProfile` names the file and the field."""
    paths = sorted(path for path in _FOLDER.glob("*.toml") if path.name != _LADDERS)
    return MappingProxyType({path.stem: read_profile(path) for path in paths})


@cache
def load_ladders() -> Mapping[str, Ladder]:
    """Every ladder by name; `InvalidProfile` when one holds a profile that does not exist."""
    return MappingProxyType(read_ladders(_FOLDER / _LADDERS, load_profiles()))


def profile(name: str) -> Profile:
    """The profile of that name; `UnknownProfile` lists those that exist."""
    known = load_profiles()
    if name not in known:
        raise UnknownProfile(f"no profile {name!r}: choose from {', '.join(known)}")
    return known[name]


def ladder(name: str) -> Ladder:
    """The ladder of that name; `UnknownProfile` lists those that exist."""
    known = load_ladders()
    if name not in known:
        raise UnknownProfile(f"no ladder {name!r}: choose from {', '.join(known)}")
    return known[name]


def choose_profiles(
    info: MediaInfo, wanted: Sequence[str] | str | None = None
) -> tuple[Profile, ...]:
    """The profiles that were asked for, by their names or by a ladder's, each once.

    Asked for nothing, a picture gets the `uhd` ladder, whose rungs the plan refuses one by one
    where the source cannot meet them; sound alone gets `audio`.
    """
    if wanted is None:
        wanted = DEFAULT_LADDER if info.picture else SOUND_LADDER
    names = ladder(wanted).profiles if isinstance(wanted, str) else tuple(wanted)
    if not names:
        raise UnknownProfile(f"no profile was named: choose from {', '.join(load_profiles())}")
    return tuple(profile(name) for name in dict.fromkeys(names))


def read_profile(path: Path) -> Profile:
    """The profile in `path`; `InvalidProfile` names the file and the field that is wrong."""
    table = _table(path)
    _only_known(path, "video", VideoProfile, [table.get("video", {})])
    _only_known(path, "video.target", Target, [table.get("video", {}).get("target", {})])
    _only_known(path, "audio", AudioProfile, table.get("audio", []))
    _only_known(path, "basis", Basis, table.get("basis", []))
    made = _value(path, Profile, {"video": None, "audio": [], **table})
    for rule, broken in _broken_rules(path, made).items():
        if broken:
            raise InvalidProfile(f"{path.name}: {rule}")
    return made


def read_ladders(path: Path, profiles: Mapping[str, Profile]) -> dict[str, Ladder]:
    """The ladders in `path`, one table each; a rung must be the name of a profile."""
    ladders = {}
    for name, table in _table(path).items():
        made = _value(path, Ladder, {"name": name, **table})
        missing = [rung for rung in made.profiles if rung not in profiles]
        if missing or not made.profiles:
            raise InvalidProfile(
                f"{path.name}: {name}.profiles names {missing or 'nothing'}: "
                f"there are {', '.join(profiles)}"
            )
        ladders[name] = made
    return ladders


def _table(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidProfile(f"{path.name}: is not TOML: {error}") from error


def _value(path: Path, kind: type[T], table: Mapping[str, Any]) -> T:
    _only_known(path, "the file", kind, [table])
    try:
        return from_json(kind, table)
    except ValueError as error:  # its text names the field and what may stand there
        raise InvalidProfile(f"{path.name}: {' '.join(str(error).split())}") from error


def _only_known(path: Path, where: str, kind: Any, tables: Any) -> None:
    """A misspelt field would else silently leave its default in force."""
    known = {field.name for field in fields(kind)}
    for table in tables if isinstance(tables, list) else [tables]:
        if not isinstance(table, Mapping):
            raise InvalidProfile(f"{path.name}: {where} must be a table")
        if unknown := sorted(set(table) - known):
            raise InvalidProfile(
                f"{path.name}: {where} has unknown fields {unknown}: it knows {sorted(known)}"
            )


def _broken_rules(path: Path, made: Profile) -> dict[str, bool]:
    """What types cannot say: each rule, and whether `made` breaks it."""
    video = made.video
    resized = video is not None and video.fit != "source"
    return {
        "name must be the file's name": made.name != path.stem,
        "basis must cite at least one source": not made.basis,
        "video or audio must be there": video is None and not made.audio,
        "video.width and video.height must be there unless video.fit is 'source'": resized
        and not (video and video.width and video.height),
        "video.pix_fmt and video.dynamic_range must be there unless video.fit is 'source'": resized
        and not (video and video.pix_fmt and video.dynamic_range),
        "video.max_bitrate_bps and video.buffer_bits go together": video is not None
        and (video.max_bitrate_bps is None) != (video.buffer_bits is None),
        "video.target needs video.crf, for where nothing can be predicted": video is not None
        and video.target is not None
        and video.crf is None,
        "video.target needs a metric for its range: vmaf for sdr, xpsnr for hlg and pq": video
        is not None
        and video.target is not None
        and video.target.metric != ("vmaf" if video.dynamic_range == "sdr" else "xpsnr"),
        "audio.bitrate_bps must be there for a lossy codec": any(
            sound.codec != "flac" and not sound.bitrate_bps for sound in made.audio
        ),
    }
