"""Profiles and ladders: TOML data in `pipelines/profiles/`, validated when loaded."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ValidationError

from pipelines.errors import InvalidProfile, UnknownProfile
from pipelines.media import DynamicRange, MediaInfo
from pipelines.profiles.profile_rules import profile_faults, without_odd_rationals
from pipelines.records import from_json

VideoCodec = Literal["hevc", "h264", "ffv1", "avs2", "avs3", "av1", "vvc", "prores"]
AudioCodec = Literal["aac", "ac3", "eac3", "opus", "flac", "pcm"]
WantedCodec = Literal["aac", "ac3", "eac3", "opus", "flac", "pcm", "copy"]
SoundCodec = Literal["aac", "ac3", "eac3", "opus", "flac", "pcm", "mp2"]  # of a finished track
Container = Literal["mp4", "mkv", "m4a", "ts", "mxf", "mov"]
Fit = Literal["exact", "inside", "source"]
Certainty = Literal["V", "?", "P"]
FromSdr = Literal["refuse", "map"]
Fields = Literal["pairs", "each"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Where a number comes from: [V] read in a source, [?] widely used, [P] the project's own."""

    what: str
    source: str
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class Target:
    """The quality that a rung is to have, and no more: its CRF is searched for, its cap holds.

    `model` is how the score's model must begin (`quality.comparison` chooses it by raster and
    rate); `floor_p5` what the worst twentieth of the frames must reach.
    """

    metric: Literal["vmaf", "xpsnr"]
    value: float
    model: str
    floor_p5: float | None = None


@dataclass(frozen=True, slots=True)
class Crop:
    """Lines and pixels that are taken from each side of the source's picture, before they become
    square: of all its lines and pixels, as it is shown.
    """

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class VideoProfile:
    """`fit`: `exact` needs that raster and never upscales; `inside` fits without upscaling;
    `source` keeps raster, rate, fields, sampling and colour untouched (preservation). What keeps
    `dynamic_metadata` needs it in the source, and the encoder `copy`.
    `upconvert` of an `exact` one shows any picture whole in that raster, enlarged where it is
    smaller, between black bars where its shape is another. `crop` takes something from the source's
    picture first; `bars` are the black ones that `inspect` measured.
    `fields`: of an interlaced source `pairs` makes a frame of two fields, `each` a frame of each
    where `max_frame_rate` allows so many.
    `from_sdr` is `refuse` where HLG or PQ stands for a real HDR master.
    With a `target`, `crf` is for where nothing can be predicted. `lookahead_frames` are held in
    memory before the first one is coded; `None` leaves them to the preset.
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
    lookahead_frames: int | None = None
    level: str | None = None
    codec_profile: str | None = None
    burnt_in_timecode: bool = False
    fields: Fields = "pairs"
    from_sdr: FromSdr = "refuse"
    target: Target | None = None
    dynamic_metadata: Literal["hdr_vivid"] | None = None
    upconvert: bool = False
    crop: Crop | Literal["bars"] | None = None


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

    `tracks` are positions of the source's sound tracks, from 0, where `sources.track_table` is
    not to choose: one track, or one of a single channel for each channel wanted; for stereo six
    too, which are mixed down. Without `loudness` it stays as it is.

    `copy` takes every track that the container holds packet by packet, and states its `loudness`
    without changing it. The others of a profile are then for sources with nothing to be copied.
    """

    codec: WantedCodec
    channels: int | None = None
    sample_rate_hz: int | None = None
    bitrate_bps: int | None = None
    bit_depth: Literal[16, 24] | None = None
    tracks: tuple[int, ...] | None = None
    loudness: LoudnessTarget | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A named, versioned recipe that cites its standard.

    A transport stream has a constant rate with `mux_rate_bps`, and a `service_name`.
    """

    name: str
    version: int
    title_en: str
    title_zh: str
    container: Container
    basis: tuple[Basis, ...]
    video: VideoProfile | None
    audio: tuple[AudioProfile, ...]
    packaged: bool = False  # taken into the HLS and DASH package
    mux_rate_bps: int | None = None
    service_name: str | None = None


@dataclass(frozen=True, slots=True)
class Ladder:
    """An ordered set of profiles for one delivery, best first."""

    name: str
    title_en: str
    title_zh: str
    profiles: tuple[str, ...]


_FOLDER = Path(__file__).parent
_LADDERS = "ladders.toml"
LARGEST_BYTES = 16 << 10  # the longest one here has 3 kB
_MOST_DOTS = 64  # in a line: tomllib takes the square of a key's parts in time and memory
_NONE: Mapping[str, Profile] = MappingProxyType({})
DEFAULT_LADDER = "cn-uhd-zone"
SOUND_LADDER = "audio"


@cache
def load_profiles() -> Mapping[str, Profile]:
    """Every profile by name; `InvalidProfile` names the file and the field."""
    paths = sorted(path for path in _FOLDER.glob("*.toml") if path.name != _LADDERS)
    return MappingProxyType({path.stem: read_profile(path, shipped=True) for path in paths})


@cache
def load_ladders() -> Mapping[str, Ladder]:
    """Every ladder by name; `InvalidProfile` when one holds a profile that does not exist."""
    return MappingProxyType(read_ladders(_FOLDER / _LADDERS, load_profiles()))


def profile(name: str, own: Mapping[str, Profile] = _NONE) -> Profile:
    """The profile of that name, built in or `own`; `UnknownProfile` lists those that exist."""
    known = {**load_profiles(), **own}
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
    info: MediaInfo,
    wanted: Sequence[str] | str | None = None,
    own: Mapping[str, Profile] = _NONE,
) -> tuple[Profile, ...]:
    """The profiles that were asked for, by their names or by a ladder's, each once.

    `own` are an organisation's own, by name, beside the built-in ones.

    Asked for nothing, a picture gets the `cn-uhd-zone` ladder, whose rungs the plan refuses one by
    one where the source cannot meet them; sound alone gets `audio`.
    """
    if wanted is None:
        wanted = DEFAULT_LADDER if info.picture else SOUND_LADDER
    names = ladder(wanted).profiles if isinstance(wanted, str) else tuple(wanted)
    if not names:
        raise UnknownProfile(f"no profile was named: choose from {', '.join(load_profiles())}")
    return tuple(profile(name, own) for name in dict.fromkeys(names))


def default_profiles() -> tuple[str, ...]:
    """All that who asks for nothing may get, of a picture or of sound alone."""
    return (*ladder(DEFAULT_LADDER).profiles, *ladder(SOUND_LADDER).profiles)


def read_profile(source: Path | bytes, *, shipped: bool = False) -> Profile:
    """The profile in a file, or in the bytes of one that came from elsewhere.

    Raises `InvalidProfile` with every fault: the field, and what may stand there. A file must have
    the profile's name. What is `shipped` may ask for more than the encoders do.
    """
    table, where = _table(source), _where(source)
    whole = {"audio": [], **table, "video": without_odd_rationals(table.get("video"))}
    faults = [
        *_unknown_fields(table),
        *_faults_of_types(Profile, whole),
        *profile_faults(table, shipped=shipped),
    ]
    if isinstance(source, Path) and table.get("name") != source.stem:
        faults.append(f"name must be the file's name, {source.stem!r}")
    if faults:
        raise InvalidProfile(f"{where}: {'; '.join(faults)}", tuple(faults))
    return from_json(Profile, whole)


def read_ladders(path: Path, profiles: Mapping[str, Profile]) -> dict[str, Ladder]:
    """The ladders in `path`, one table each; a rung must be the name of a profile."""
    ladders = {}
    for name, table in _table(path).items():
        whole = {"name": name, **table}
        if faults := [*_unknown("the ladder", Ladder, table), *_faults_of_types(Ladder, whole)]:
            raise InvalidProfile(f"{path.name}: {name}: {'; '.join(faults)}", tuple(faults))
        made = from_json(Ladder, whole)
        missing = [rung for rung in made.profiles if rung not in profiles]
        if missing or not made.profiles:
            raise InvalidProfile(
                f"{path.name}: {name}.profiles names {missing or 'nothing'}: "
                f"there are {', '.join(profiles)}"
            )
        ladders[name] = made
    return ladders


def _where(source: Path | bytes) -> str:
    return source.name if isinstance(source, Path) else "the profile"


def _table(source: Path | bytes) -> dict[str, Any]:
    data = source.read_bytes() if isinstance(source, Path) else source
    where = _where(source)
    if len(data) > LARGEST_BYTES:
        raise InvalidProfile(f"{where}: is longer than the {LARGEST_BYTES} bytes of a profile")
    for number, line in enumerate(data.split(b"\n"), 1):  # no key of TOML goes on in the next line
        if line.count(b".") > _MOST_DOTS:
            raise InvalidProfile(f"{where}: line {number} has more than {_MOST_DOTS} dots")
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InvalidProfile(f"{where}: is not TOML: {error}") from error


def _faults_of_types(kind: type[Any], table: Mapping[str, Any]) -> Iterator[str]:
    """What has the wrong type, or is missing, field by field."""
    try:
        from_json(kind, table)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            field = "".join(
                f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"]
            ).lstrip(".")
            yield f"{field}: {fault['msg']}"


def _unknown_fields(table: Mapping[str, Any]) -> Iterator[str]:
    yield from _unknown("the file", Profile, table)
    video = table.get("video", {})
    yield from _unknown("video", VideoProfile, video)
    if isinstance(video, Mapping):
        yield from _unknown("video.target", Target, video.get("target"))
        yield from _unknown("video.crop", Crop, video.get("crop"))
    for name, kind in (("audio", AudioProfile), ("basis", Basis)):
        entries = table.get(name, [])
        for position, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            where = f"{name}[{position}]"
            yield from _unknown(where, kind, entry)
            if kind is AudioProfile and isinstance(entry, Mapping):
                yield from _unknown(f"{where}.loudness", LoudnessTarget, entry.get("loudness"))


def _unknown(where: str, kind: Any, table: object) -> Iterator[str]:
    """A misspelt field would else silently leave its default in force."""
    known = {field.name for field in fields(kind)}
    if isinstance(table, Mapping) and (unknown := sorted(set(table) - known)):
        yield f"{where} has unknown fields {unknown}: it knows {sorted(known)}"
