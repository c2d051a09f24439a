"""`pipelines` on files of this machine, with no service: look at them and plan."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TypeVar

from kapok.errors import FileMissing, Usage
from kapok.language import t, told
from kapok.names import readable
from pipelines.colour.colour_types import StatedColour
from pipelines.errors import NothingToEncode
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.chunks import CHUNK_MIN_S
from pipelines.planning.plan_types import SEARCH_SHARE, Findings, Plan
from pipelines.progress import Progress

T = TypeVar("T")
Show = Callable[[Progress], None]


def follow(operation: Generator[Progress, None, T], show: Show) -> T:
    """Run an operation of `pipelines` to its end, showing its progress."""
    while True:
        try:
            progress = next(operation)
        except StopIteration as end:
            result: T = end.value
            return result
        show(progress)


def look(
    path: Path, folder: Path, show: Show, programme: int | None = None
) -> tuple[MediaInfo, Inspection]:
    """Probe and inspect; pictures and waveform land in `folder`."""
    from pipelines.inspection.inspect import inspect

    info = _probed(path, folder, programme)
    return info, follow(inspect(path, info, folder, keep_thumbs=False), show)


def look_for(
    path: Path,
    folder: Path,
    show: Show,
    wanted: Sequence[str] | str | None,
    source_colour: StatedColour | None = None,
    programme: int | None = None,
) -> tuple[MediaInfo, Inspection]:
    """`look`, with all that renditions of the wanted profiles need (see `make_plan`)."""
    from pipelines.colour.colour_doubt import believed
    from pipelines.colour.source_colour import wants_light
    from pipelines.inspection.inspect import inspect
    from pipelines.profiles.profile import choose_profiles

    info = _probed(path, folder, programme)
    light = wants_light(believed(info, source_colour), choose_profiles(info, wanted))
    looking = inspect(path, info, folder, measure_light=light, source_colour=source_colour)
    return info, follow(looking, show)


def _probed(path: Path, folder: Path, programme: int | None) -> MediaInfo:
    from pipelines.sources.probe import probe

    need_file(path)
    info = probe(path, programme)
    folder.mkdir(parents=True, exist_ok=True)
    return info


def need_file(path: Path) -> None:
    name = readable(path)
    if path.is_dir():
        text = t(f"{name} is a folder: name a file in it", f"{name} 是目录：请指定其中的文件")
        raise FileMissing(text)
    if not path.is_file():
        raise FileMissing(t(f"there is no file {name}", f"文件 {name} 不存在：请检查路径"))


def make_plan(
    info: MediaInfo,
    inspection: Inspection,
    wanted: Sequence[str] | str | None,
    chunk_min_s: float | None = None,
    source_colour: StatedColour | None = None,
    findings: Findings | None = None,
    search_share: float = SEARCH_SHARE,
) -> Plan:
    """`wanted`: profile names, a ladder's name, or nothing for the source's default ladder."""
    from pipelines.encoding.encode_groups import divided
    from pipelines.planning.plan import plan
    from pipelines.profiles.capabilities import lacking
    from pipelines.profiles.profile import choose_profiles
    from pipelines.quality.sampling import Means
    from pipelines.quality.steering import with_leader, with_steering
    from pipelines.running.sandbox import machine_memory_bytes

    profiles = choose_profiles(info, wanted)
    made = plan(
        info,
        inspection,
        profiles,
        lacking(profiles),
        CHUNK_MIN_S if chunk_min_s is None else chunk_min_s,
        source_colour=source_colour,
        findings=findings or Findings(),
    )
    if not made.rungs:
        reasons = [f"{refusal.profile}: {told(refusal.reason)}" for refusal in made.refused]
        raise NothingToEncode("\n".join(reasons))
    made = divided(made, info.picture, usable_cores(), machine_memory_bytes())
    means = Means(search_share, most_bytes(), usable_cores())
    return with_steering(with_leader(made, info, inspection, means), info, inspection, means)


def usable_cores() -> int:
    return len(os.sched_getaffinity(0))


def most_bytes() -> int:
    """The most memory that one tool may be foreseen to hold here."""
    from pipelines.encoding.encode_groups import MOST_BYTES
    from pipelines.running.sandbox import machine_memory_bytes

    return min(MOST_BYTES, machine_memory_bytes())


def chosen(profiles: Sequence[str], ladder: str | None) -> Sequence[str] | str | None:
    if profiles and ladder is not None:
        raise Usage(t("give --profile or --ladder, not both", "--profile 与 --ladder 只能选一个"))
    return list(profiles) or ladder
