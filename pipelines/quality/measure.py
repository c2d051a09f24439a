"""Full-reference scores of renditions on exactly aligned frames, each with its model's name."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import TypeVar

from pipelines.errors import KapokError, ToolFailed, VerificationFailed
from pipelines.facts import Measurement
from pipelines.media import MediaInfo, VideoTrack
from pipelines.planning.memory import score_bytes
from pipelines.planning.plan_types import Plan, Rung
from pipelines.progress import Progress, part
from pipelines.quality.comparison import (
    Comparison,
    Pair,
    Window,
    compose,
    counting,
    passes_of,
    taps_of,
    windows_of,
)
from pipelines.quality.metrics import Metric
from pipelines.quality.reference import Reference, reference_of
from pipelines.quality.scores import measurement
from pipelines.running.run import run
from pipelines.sources.probe import probe

T = TypeVar("T")
log = logging.getLogger(__name__)
# [P] Pictures held at once: a pair adds 0.2 GiB at 1080p, and VMAF at 2160p takes 2 GiB, measured.
_TOGETHER_PIXELS = 6 * 1920 * 1080


@dataclass(frozen=True, slots=True)
class Scores:
    """Of one rendition, with the command of the (first) comparison that they come from."""

    measurements: tuple[Measurement, ...]
    command: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scored:
    """Each rung's scores by its profile, or in `faults` why it has none.

    `apart` says why they were compared one by one, where they could not be compared together.
    """

    scores: Mapping[str, Scores]
    faults: Mapping[str, KapokError]
    apart: str | None = None

    def of(self, profile: str) -> Scores:
        """Raises the rung's fault."""
        if profile in self.faults:
            raise self.faults[profile]
        return self.scores[profile]

    @property
    def command(self) -> tuple[str, ...] | None:
        """The one of all rungs where they were compared together; else the first one's."""
        return next((scores.command for scores in self.scores.values()), None)

    @property
    def fault(self) -> KapokError | None:
        """One error that names every rung without scores; one to be retried where any is."""
        if not self.faults:
            return None
        told = copy(max(self.faults.values(), key=lambda error: error.retryable))
        told.args = ("; ".join(f"{name}: {error.detail}" for name, error in self.faults.items()),)
        return told


def has_scores(rung: Rung) -> bool:
    """Whether there is anything to score: a picture that is not proven bit for bit."""
    return rung.video is not None and not rung.video.lossless


def measured_together(rungs: Sequence[Rung], info: MediaInfo) -> tuple[tuple[Rung, ...], ...]:
    """The rungs that have scores, grouped by their reference: it is made once, from one decode.

    Groups, and the rungs in them, are in the order of `rungs`. So many pictures are compared at
    once that they fit into about 2 GiB: six of HD, one of UHD.
    """
    groups: dict[Reference, list[Rung]] = {}
    for rung in rungs:
        if has_scores(rung):
            groups.setdefault(_reference_of(rung, info), []).append(rung)
    return tuple(
        tuple(group[at : at + room])
        for room, group in ((_room(reference), group) for reference, group in groups.items())
        for at in range(0, len(group), room)
    )


def together_bytes(rungs: Sequence[Rung], picture: VideoTrack, cores: int) -> int:
    """The most memory that scoring the rungs of one such group is foreseen to hold."""
    videos = [rung.video for rung in rungs if rung.video is not None]
    return score_bytes(picture, videos, reference_of(videos[0], picture).raster, cores)


def _room(reference: Reference) -> int:
    width, height = reference.raster
    return max(1, _TOGETHER_PIXELS // (width * height))


def measure(
    source: Path, renditions: Sequence[tuple[Rung, Path]], plan: Plan, folder: Path
) -> Generator[Progress, None, Scored]:
    """Scores of pictures of one reference (see `measured_together`); none for sound alone.

    A lossless rung has none either: `verify` has proven it. SDR has VMAF and XPSNR, HLG and PQ have
    XPSNR and SSIM, because no open model scores HDR. Logs land in `folder`.

    One rung never takes the scores of the others: where the comparison of all fails as a whole,
    whichever of them is to blame, each is compared alone, and those that fail have their fault.
    """
    pairs = tuple(Pair(rung, path) for rung, path in renditions if has_scores(rung))
    if not pairs:
        return Scored({}, {})
    try:
        return (yield from _measure(source, pairs, plan, folder))
    except KapokError as error:
        if len(pairs) == 1:
            return Scored({}, {pairs[0].rung.profile: error})
        apart = f"{len(pairs)} renditions were scored one by one, not together: {error.detail}"
        log.warning(apart)
    parts: list[Scored] = []
    for at, pair in enumerate(pairs):
        share = (at / len(pairs), (at + 1) / len(pairs))
        own = folder / f"alone-{at}"  # beside the half-written logs of all
        own.mkdir()
        alone = measure(source, [(pair.rung, pair.rendition)], plan, own)
        parts.append((yield from part(alone, *share, "measuring")))
    scores, faults = _merged(one.scores for one in parts), _merged(one.faults for one in parts)
    return Scored(scores, faults, apart)


def _merged(parts: Iterable[Mapping[str, T]]) -> dict[str, T]:
    return {name: value for one in parts for name, value in one.items()}


def _measure(
    source: Path, pairs: tuple[Pair, ...], plan: Plan, folder: Path
) -> Generator[Progress, None, Scored]:
    """All pairs in one command a window; raises where it fails, for whichever of them."""
    info = probe(source, plan.programme)
    (reference,) = {_reference_of(pair.rung, info) for pair in pairs}
    comparison = Comparison(source, plan, reference, pairs, format_name=info.format_name)
    windows = windows_of(plan, {pair.video.stride for pair in pairs}, info.format_name)
    readings = [_Reading(pair, comparison.metrics(pair), folder) for pair in pairs]
    commands: list[tuple[str, ...]] = []
    passes = passes_of(windows)
    for at, some in enumerate(passes):
        share = (at / len(passes), (at + 1) / len(passes))
        comparing = _compare(comparison, some, readings, folder)
        commands.append((yield from part(comparing, *share, "measuring")))
    return Scored(
        {one.profile: Scores(one.scores(), commands[0]) for one in readings if not one.fault},
        {one.profile: one.fault for one in readings if one.fault},
    )


def _reference_of(rung: Rung, info: MediaInfo) -> Reference:
    assert rung.video is not None, "only pictures have scores"
    assert info.picture is not None, "a plan with a picture comes from a source with one"
    return reference_of(rung.video, info.picture)


class _Reading:
    """The values of one pair, window by window, or the first fault found in them."""

    def __init__(self, pair: Pair, metrics: Sequence[Metric], folder: Path) -> None:
        self.profile = pair.rung.profile
        self.fault: KapokError | None = None
        self._pair, self._folder = pair, folder
        self._values: dict[Metric, list[float]] = {metric: [] for metric in metrics}

    def take(self, windows: Sequence[Window], true: int, seen: int) -> None:
        """Of windows in which so many frames of the source and of the rendition were compared."""
        try:
            self._take(list(counting(windows, self._pair.video)), true, seen)
        except (VerificationFailed, ToolFailed) as error:
            self.fault = self.fault or error

    def scores(self) -> tuple[Measurement, ...]:
        return tuple(
            measurement(metric.name, metric.model, values)
            for metric, values in self._values.items()
        )

    def _take(self, counts: Sequence[bool], true: int, seen: int) -> None:
        frames = len(counts)
        if (true, seen) != (frames, frames):
            raise VerificationFailed(
                f"{true} frames of the source and {seen} of the rendition stand against the"
                f" {frames} planned: inspect the source again"
            )
        for metric, values in self._values.items():
            values.extend(compress(self._read(metric, frames), counts))

    def _read(self, metric: Metric, frames: int) -> list[float]:
        log = self._pair.log(metric, self._folder)
        values = metric.read(log.read_text()) if log.is_file() else []
        log.unlink(missing_ok=True)  # the next window's log must be its own
        if len(values) != frames:
            raise ToolFailed(f"{metric.name} gave {len(values)} values for {frames} frames")
        return values


def _compare(
    comparison: Comparison, windows: Sequence[Window], readings: Sequence[_Reading], folder: Path
) -> Generator[Progress, None, tuple[str, ...]]:
    """The windows of one command, of every pair, read into its reading."""
    counts = {tap: bytearray() for at in range(len(readings)) for tap in taps_of(at)}
    finished = yield from run(
        compose(comparison, windows, folder),
        readable=comparison.files,
        writable=[folder],
        total_frames=_frames_in(windows, comparison.pairs[0]),
        taps={tap: lines.extend for tap, lines in counts.items()},
    )
    for at, reading in enumerate(readings):
        true, seen = (counts[tap].count(b"\n") for tap in taps_of(at))
        reading.take(windows, true, seen)
    return finished.argv


def _frames_in(windows: Sequence[Window], pair: Pair) -> int:
    return sum(len(window.of(pair.video)) for window in windows)
