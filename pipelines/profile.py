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

UNCOMPRESSED = frozenset({"flac", "pcm"})  # sound that decodes to the samples that were put in
# Where a codec does not take every rate: ETSI TS 102 366 (AC-3), RFC 6716 (Opus).
SAMPLE_RATES_HZ: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"ac3": (48000, 44100, 32000), "eac3": (48000, 44100, 32000), "opus": (48000,)}
)

VideoCodec = Literal["hevc", "h264", "ffv1"]
AudioCodec = Literal["aac", "ac3", "eac3", "opus", "flac", "pcm"]
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
class VideoProfile:
    """`fit`: `exact` needs that raster and never upscales; `inside` fits without upscaling;
    `source` keeps raster, rate, fields, sampling and colour untouched (preservation).
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


@dataclass(frozen=True, slots=True)
class LoudnessTarget:
    """What the whole programme is to have by ITU-R BS.1770, and the most of its true peaks."""

    target_lkfs: float
    tolerance_lu: float
    max_true_peak_dbtp: float


@dataclass(frozen=True, slots=True)
class AudioProfile:
    """`channels` `None` takes every track with all its channels, uncompressed: every sample where
    the picture's `fit` is `source`, else cut to the picture. `bit_depth` is of FLAC and PCM.

    `tracks` are positions of the source's sound tracks, from 0, where `pipelines.track_table` is
    not to choose: one track, or one of a single channel for each channel wanted; for stereo six
    too, which are mixed down. Without `loudness` it stays as it is.
    """

    codec: AudioCodec
    channels: int | None = None
    sample_rate_hz: int | None = None
    bitrate_bps: int | None = None
    bit_depth: Literal[16, 24] | None = None
    tracks: tuple[int, ...] | None = None
    loudness: LoudnessTarget | None = None


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
    _only_known(path, "audio", AudioProfile, table.get("audio", []))
    _only_known(path, "audio.loudness", LoudnessTarget, _loudness_tables(table.get("audio", [])))
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


def _loudness_tables(sounds: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [sound["loudness"] for sound in sounds if "loudness" in sound]


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
        "audio.channels must be there where there is no picture": video is None
        and any(sound.channels is None for sound in made.audio),
        **_broken_sound_rules(made.audio),
    }


def _broken_sound_rules(sounds: Sequence[AudioProfile]) -> dict[str, bool]:
    lossy = [sound for sound in sounds if sound.codec not in UNCOMPRESSED]
    exact = [sound for sound in sounds if sound.codec in UNCOMPRESSED]
    return {
        "audio.bitrate_bps must be there for a lossy codec": any(
            not sound.bitrate_bps for sound in lossy
        ),
        "audio.channels must be there for a lossy codec": any(
            sound.channels is None for sound in lossy
        ),
        "audio.channels must be 1, 2 or 6": any(
            sound.channels not in (None, 1, 2, 6) for sound in sounds
        ),
        "audio.tracks must be one track, or as many as channels, or six for stereo": any(
            len(sound.tracks) not in {1, sound.channels, *((6,) if sound.channels == 2 else ())}
            or len({*sound.tracks}) < len(sound.tracks)
            or min(sound.tracks) < 0
            for sound in sounds
            if sound.tracks is not None
        ),
        "audio.bit_depth is for flac and pcm, audio.bitrate_bps for the others": any(
            [*(sound.bit_depth for sound in lossy), *(sound.bitrate_bps for sound in exact)]
        ),
        "audio.loudness is not for tracks that stay as they are": any(
            sound.loudness and sound.channels is None for sound in sounds
        ),
        "audio.loudness must be -40 to -5 LKFS, more than 0 LU, and at most 0 dBTP": any(
            not -40 <= sound.loudness.target_lkfs <= -5
            or sound.loudness.tolerance_lu <= 0
            or sound.loudness.max_true_peak_dbtp > 0
            for sound in sounds
            if sound.loudness
        ),
        "audio.sample_rate_hz must be one that the codec knows": any(
            sound.sample_rate_hz not in (None, *SAMPLE_RATES_HZ[sound.codec])
            for sound in sounds
            if sound.codec in SAMPLE_RATES_HZ
        ),
    }
