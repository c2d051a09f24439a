"""Find out by a few short samples what CRF gives a rung its target, before the plan is made.

Each sample is cut out of the source, encoded as the rungs are but without their caps, and scored
as renditions are. All of it may take a share of what the encode will take, as the model reckons;
what does not fit is left to the model alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from pipelines.encoding.cut import PART_STARTS_S, Readable, cut, part_file
from pipelines.encoding.encode_groups import MOST_BYTES
from pipelines.encoding.graph import compose as encode_command
from pipelines.encoding.rung_tree import chunk_files
from pipelines.errors import MediaError, ToolFailed, ToolKilled, ToolStalled
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.chunks import why_one_chunk
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan_types import SEARCH_SHARE, Chunk, Findings, Plan, Probe, Rung
from pipelines.progress import Progress, part
from pipelines.quality import quality_model as model
from pipelines.quality.comparison import Comparison, Pair, Window, compose, taps_of
from pipelines.quality.measure import measured_together, together_bytes
from pipelines.quality.quality_target import with_targets
from pipelines.quality.reference import reference_files, reference_of
from pipelines.quality.scores import measurement
from pipelines.records import to_json
from pipelines.running import tools
from pipelines.running.run import run

log = logging.getLogger(__name__)
SAMPLES = 6  # [P] at most, in each of two rounds
_ENOUGH_CRF = 1.0  # nearer than that to what was probed, nothing is probed again
_SAMPLE_S = 0.7  # CPU seconds to start the tools of one sample, measured


@dataclass(frozen=True, slots=True)
class Means:
    """What a search may take: this share of the encode's time, and this much memory at once.

    The memory of its tools is foreseen for this many cores.
    """

    share: float = SEARCH_SHARE
    memory_bytes: int = MOST_BYTES
    cores: int = 1


@dataclass(frozen=True, slots=True)
class Sampling:
    """What is to be probed: these rungs, in these frames of the source."""

    rungs: tuple[Rung, ...]
    samples: tuple[Chunk, ...]
    limited: str | None = None
    twice: bool = False  # whether there is time for a second round


_NONE = Sampling((), ())


def key_of(made: Plan, share: float = SEARCH_SHARE) -> str:
    """Of all that the findings depend on besides the source's bytes."""
    wanted = {choice.profile: to_json(choice.target) for choice in made.choices}
    rungs = [to_json(rung) for rung in made.rungs if rung.profile in wanted]
    known = [wanted, rungs, share, tools.versions(), model.fingerprint()]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()


def search(
    source: Readable,
    made: Plan,
    info: MediaInfo,
    inspection: Inspection,
    folder: Path,
    means: Means,
) -> Generator[Progress, None, Findings]:
    """What `plan` makes its choices by; `made` is the plan without any findings.

    A sample that cannot be had is no failure: the plan then says so, and rests on the model.
    """
    found = Findings(key=key_of(made, means.share))
    if not made.choices:
        return found
    began = time.monotonic()
    sampling = sampling_of(made, info, inspection, means)
    found = replace(found, limited=sampling.limited)
    try:
        taken = yield from part(
            _probe(source, made, info, sampling, folder / "first"), 0.0, 0.5, "probing"
        )
        found = replace(found, probes=tuple(taken))
        again = _again(made, info, inspection, sampling, found)
        taken += yield from part(
            _probe(source, made, info, again, folder / "second"), 0.5, 1.0, "probing"
        )
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError) as error:
        log.warning("a sample could not be probed: %s", error)
        return replace(found, limited=f"a sample could not be probed: {error.detail}")
    seconds = round(time.monotonic() - began, 2)
    return replace(found, probes=tuple(taken), seconds=seconds)


def sampling_of(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> Sampling:
    """The samples that fit: of all rungs with a choice, else of the largest one, else none."""
    rungs = _chosen(made)
    if not means.share:
        return replace(_NONE, limited="nothing was probed: the search has no share of the time")
    film = "frames of film are counted from the first" if inspection.pulldown else None
    if (why := why_one_chunk(info, inspection) or film) is not None:
        return replace(_NONE, limited=f"nothing was probed: {why}")
    assert made.frame_rate is not None and info.picture is not None, "looked at before"  # noqa: PT018
    length = _gop_frames(rungs)
    light = [one for one in rungs if _bytes(made, info, (one,), means.cores) <= means.memory_bytes]
    if not light:
        return replace(_NONE, limited=f"nothing was probed: {_too_much(means)}")
    budget_s = means.share * encode_cpu_s(made, info, inspection)
    fits = _bytes(made, info, rungs, means.cores) <= means.memory_bytes
    largest = max(light, key=_pixels)
    tried = [rungs, (largest,)] if fits else [(largest,)]
    for some in tried:
        times = budget_s / _sample_cpu_s(some, length, info, inspection)
        count = min(max(1, min(SAMPLES, int(times / 2))), made.frames // length)
        if times >= 1 and count:
            told = None
            if some != rungs:
                why = _too_short(budget_s) if fits else _too_much(means)
                told = f"only {some[0].profile} was probed: {why}"
            samples = samples_in(inspection, length, count, _step(rungs))
            return Sampling(some, samples, told, twice=times >= 2 * count)
    return replace(_NONE, limited=f"nothing was probed: {_too_short(budget_s)}")


def search_bytes(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> int:
    """The most memory that the search is foreseen to hold at once."""
    sampling = sampling_of(made, info, inspection, means) if made.choices else _NONE
    return _bytes(made, info, sampling.rungs, means.cores)


def _bytes(made: Plan, info: MediaInfo, rungs: Sequence[Rung], cores: int) -> int:
    """Of a sample of these rungs: encoded with the GOP before it, then compared."""
    picture = info.picture
    assert picture is not None, "a plan with choices comes from a source with a picture"
    most = 0
    for group in measured_together(rungs, info):
        both = Chunk(0, 0, 2 * _gop_frames(group))
        encoded = encode_bytes(picture, replace(made, rungs=group), both, cores)
        most = max(most, encoded, together_bytes(group, picture, cores))
    return most


def _chosen(made: Plan) -> tuple[Rung, ...]:
    names = {choice.profile for choice in made.choices}
    return tuple(rung for rung in made.rungs if rung.profile in names)


def encode_cpu_s(made: Plan, info: MediaInfo, inspection: Inspection) -> float:
    """What the model says that the encode of all chosen rungs will take, with its decode."""
    picture, kinds = info.picture, model.materials(inspection)
    assert picture is not None, "a plan with choices comes from a source with a picture"
    total = made.frames * model.decode_cpu_s(picture.width * picture.height)
    for choice in made.choices:
        video = made.rung(choice.profile).video
        assert video is not None, "a choice is of a picture"
        shape = model.shape_of(video, picture)
        each = [model.cpu_s_a_frame(choice.crf, kind, shape) for kind in kinds]
        total += video.frames * model.mean_of(each, kinds)
    return total


def samples_in(inspection: Inspection, length: int, count: int, step: int) -> tuple[Chunk, ...]:
    """Frames of the easiest to the hardest shots, evenly by how long these last.

    A sample begins at a multiple of `step`, where every rung has a frame.
    """
    shots = sorted(inspection.shots, key=lambda shot: shot.coded_bytes or 0.0)
    frames, found = inspection.frames, set[int]()
    for number in range(count):
        place = int((number + 0.5) / count * frames)
        for shot in shots:
            if place < shot.end_frame - shot.start_frame:
                middle = shot.start_frame + place
                latest = max(shot.start_frame, shot.end_frame - length)
                start = min(max(shot.start_frame, middle - length // 2), latest, frames - length)
                found.add(-(-max(0, start) // step) * step)
                break
            place -= shot.end_frame - shot.start_frame
    fitting = sorted(start for start in found if start + length <= frames)
    return tuple(Chunk(at, start, start + length) for at, start in enumerate(fitting))


def _again(
    made: Plan, info: MediaInfo, inspection: Inspection, first: Sampling, found: Findings
) -> Sampling:
    """The rungs whose corrected CRF is not near the probed one, once more and there."""
    if not first.twice:
        return _NONE
    assert info.picture is not None, "a plan with choices comes from a source with a picture"
    targets = {choice.profile: choice.target for choice in made.choices}
    better = with_targets(first.rungs, targets, info.picture, inspection, found).rungs
    far = tuple(rung for rung in better if _far(rung, made.rung(rung.profile)))
    return Sampling(far, first.samples)


def _far(rung: Rung, before: Rung) -> bool:
    return abs(_crf(rung) - _crf(before)) > _ENOUGH_CRF


def _crf(rung: Rung) -> float:
    assert rung.video is not None and rung.video.crf is not None, "only those are probed"  # noqa: PT018
    return rung.video.crf


def _probe(
    source: Readable, made: Plan, info: MediaInfo, sampling: Sampling, folder: Path
) -> Generator[Progress, None, list[Probe]]:
    taken: list[Probe] = []
    samples = sampling.samples if sampling.rungs else ()
    sampled = replace(made, rungs=tuple(_uncapped(rung) for rung in sampling.rungs))
    for at, sample in enumerate(samples):
        own = folder / f"sample-{at}"
        own.mkdir(parents=True)
        share = (at / len(samples), (at + 1) / len(samples))
        taken += yield from part(_one(source, sampled, info, sample, own), *share, "probing")
    return taken


def _one(
    source: Readable, made: Plan, info: MediaInfo, sample: Chunk, folder: Path
) -> Generator[Progress, None, list[Probe]]:
    """One sample of all rungs of `made`, from one decode; scored by the metric of their targets.

    A GOP before it is encoded too, and not scored: encoders take the quantiser of a key frame from
    the frames before. On a nearly still picture that is worth 0.9 VMAF.
    """
    lead = min(_gop_frames(made.rungs), sample.start_frame)
    stretch = replace(sample, start_frame=sample.start_frame - lead)
    path = part_file(stretch, folder)
    yield from cut(source, made, stretch, path)
    assert info.picture is not None, "a plan with choices comes from a source with a picture"
    taken: list[Probe] = []
    for group in measured_together(made.rungs, info):
        videos = [rung.video for rung in group if rung.video]
        reference = reference_of(videos[0], info.picture)
        alone = replace(made, rungs=group)
        yield from run(
            encode_command(path, alone, stretch, folder, part=True),
            readable=[path, *reference_files(videos)],
            writable=[folder],
        )
        files = chunk_files(alone, folder)
        pairs = tuple(Pair(rung, files[rung.profile]) for rung in group)
        comparison = Comparison(path, _as_part(alone, stretch), reference, pairs, _metric_of(alone))
        taken += yield from _scored(comparison, sample, folder)
    path.unlink()
    return taken


def _scored(
    comparison: Comparison, sample: Chunk, folder: Path
) -> Generator[Progress, None, list[Probe]]:
    frames = comparison.plan.frames
    scored = Window(frames - (sample.end_frame - sample.start_frame), frames, seek=True)
    yield from run(
        compose(comparison, scored, folder),
        readable=comparison.files,
        writable=[folder],
        taps={tap: len for at in range(len(comparison.pairs)) for tap in taps_of(at)},
    )
    return [_probe_of(comparison, pair, scored, sample, folder) for pair in comparison.pairs]


def _probe_of(
    comparison: Comparison, pair: Pair, scored: Window, sample: Chunk, folder: Path
) -> Probe:
    (metric,) = comparison.metrics(pair)
    scores = pair.log(metric, folder)
    values = metric.read(scores.read_text()) if scores.is_file() else []
    frames = scored.of(pair.video)
    if len(values) != len(frames):
        message = f"{len(values)} of {len(frames)} frames were scored"
        raise ToolFailed(message)
    with av.open(str(pair.rendition)) as container:
        packets = [one for one in container.demux(video=0) if one.pts is not None]
        sizes = [one.size for one in sorted(packets, key=lambda one: one.pts or 0)]
    bits = 8 * sum(sizes[frames.start :])
    found = measurement(metric.name, metric.model, values)
    assert found.mean is not None and found.p5 is not None, "of frames there are scores"  # noqa: PT018
    return Probe(
        profile=pair.rung.profile,
        start_frame=sample.start_frame,
        end_frame=sample.end_frame,
        crf=_crf(pair.rung),
        mean=found.mean,
        p5=found.p5,
        bits_a_frame=round(bits / len(frames), 1),
    )


def _metric_of(made: Plan) -> str:
    """Pictures of one reference have one range, and so one metric."""
    metrics = {choice.profile: choice.target.metric for choice in made.choices}
    return metrics[made.rungs[0].profile]


def _as_part(made: Plan, sample: Chunk) -> Plan:
    """As if the sample were a source of its own: as `cut` leaves it."""
    frames = sample.end_frame - sample.start_frame
    return replace(made, frames=frames, video_track=0, first_picture_s=Fraction(PART_STARTS_S))


def _uncapped(rung: Rung) -> Rung:
    """A sample says nothing of how a buffer is used over minutes: the plan compares rates."""
    assert rung.video is not None, "only pictures are probed"
    return replace(rung, video=replace(rung.video, max_bitrate_bps=None, buffer_bits=None))


def _gop_frames(rungs: Sequence[Rung]) -> int:
    """Of the source: of every rung a whole GOP, in which key frames have their usual share."""
    videos = [rung.video for rung in rungs if rung.video]
    return max(math.ceil(video.gop_frames * video.stride) for video in videos)


def _step(rungs: Sequence[Rung]) -> int:
    return math.lcm(*(rung.video.rate_divisor for rung in rungs if rung.video))


def _sample_cpu_s(
    rungs: Sequence[Rung], length: int, info: MediaInfo, inspection: Inspection
) -> float:
    """One sample, with the GOP before it: decoded twice, encoded once, and half of it scored."""
    picture, kinds = info.picture, model.materials(inspection)
    assert picture is not None, "a plan with choices comes from a source with a picture"
    total = _SAMPLE_S + 5 * length * model.decode_cpu_s(picture.width * picture.height)
    for rung in rungs:
        video = rung.video
        assert video is not None, "only pictures are probed"
        shape = model.shape_of(video, picture)
        each = [model.cpu_s_a_frame(_crf(rung), kind, shape) for kind in kinds]
        across, down = reference_of(video, picture).raster
        frame_s = 2 * model.mean_of(each, kinds) + model.score_cpu_s(across * down)
        total += float(length / video.stride) * frame_s
    return total


def _too_short(budget_s: float) -> str:
    return (
        "the programme is so short that more would take over a tenth of its encode "
        f"({budget_s:.1f} CPU seconds were left for it)"
    )


def _too_much(means: Means) -> str:
    return f"samples of more would hold over {means.memory_bytes / 1e9:.1f} GB of memory"


def _pixels(rung: Rung) -> int:
    assert rung.video is not None, "only pictures are probed"
    return rung.video.width * rung.video.height
