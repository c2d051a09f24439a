"""Score frames that were just encoded against the part of the source that they were made of."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from pipelines.encoding.cut import PART_STARTS_S
from pipelines.errors import ToolFailed
from pipelines.media import MediaInfo
from pipelines.planning.plan_types import Chunk, Plan, Probe, Rung
from pipelines.progress import Progress
from pipelines.quality.comparison import Comparison, Pair, Window, compose, taps_of
from pipelines.quality.quality_target import crf_of
from pipelines.quality.reference import reference_of
from pipelines.quality.scores import measurement
from pipelines.running.run import run
from pipelines.sources.written_packets import picture_packets


def probe_part(
    part: Path,
    made: Plan,
    info: MediaInfo,
    stretch: Chunk,
    scored: Chunk,
    files: Mapping[str, Path],
    folder: Path,
) -> Generator[Progress, None, list[Probe]]:
    """Each rung of `made` by the metric of its target; all of them share one reference, and those
    that differ by their container alone one file, which is scored once.

    `part` is what `cut` took of the source for the `stretch`, `files` by profile are what was
    encoded of it; `scored` lies within. Raises `ToolFailed`, and what `run` raises.
    """
    first, picture = stretch.start_frame, info.picture
    assert picture is not None, "only pictures have a target"
    alike: dict[Path, Rung] = {}
    for rung in made.rungs:
        alike.setdefault(files[rung.profile], rung)
    pairs = tuple(Pair(rung, file) for file, rung in alike.items())
    reference = reference_of(pairs[0].video, picture)
    comparison = Comparison(part, _as_part(made, stretch), reference, pairs, _metric_of(made))
    window = Window(scored.start_frame - first, scored.end_frame - first, seek=True)
    yield from run(
        compose(comparison, [window], folder),
        readable=comparison.files,
        writable=[folder],
        taps={tap: len for at in range(len(pairs)) for tap in taps_of(at)},
    )
    probes = {pair.rendition: _probe_of(comparison, pair, window, scored, folder) for pair in pairs}
    return [replace(probes[files[rung.profile]], profile=rung.profile) for rung in made.rungs]


def _probe_of(
    comparison: Comparison, pair: Pair, window: Window, scored: Chunk, folder: Path
) -> Probe:
    (metric,) = comparison.metrics(pair)
    scores = pair.log(metric, folder)
    values = metric.read(scores.read_text()) if scores.is_file() else []
    scores.unlink(missing_ok=True)
    frames = window.of(pair.video)
    if len(values) != len(frames):
        message = f"{len(values)} of {len(frames)} frames were scored"
        raise ToolFailed(message)
    packets = [one for one in picture_packets(pair.rendition) if one.pts is not None]
    sizes = [one.size for one in sorted(packets, key=lambda one: one.pts or 0)]
    bits = 8 * sum(sizes[frames.start : frames.stop])
    found = measurement(metric.name, metric.model, values)
    assert found.mean is not None and found.p5 is not None, "of frames there are scores"  # noqa: PT018
    return Probe(
        profile=pair.rung.profile,
        start_frame=scored.start_frame,
        end_frame=scored.end_frame,
        crf=crf_of(pair.rung),
        mean=found.mean,
        p5=found.p5,
        bits_a_frame=round(bits / len(frames), 1),
    )


def _metric_of(made: Plan) -> str:
    """Pictures of one reference have one range, and so one metric."""
    metrics = {choice.profile: choice.target.metric for choice in made.choices}
    return metrics[made.rungs[0].profile]


def _as_part(made: Plan, stretch: Chunk) -> Plan:
    """As if the stretch were a source of its own: as `cut` leaves it."""
    return replace(
        made, frames=stretch.frames, video_track=0, first_picture_s=Fraction(PART_STARTS_S)
    )
