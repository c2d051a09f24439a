"""Find out by a few short samples what CRF gives a rung its target, before the plan is made.

Each sample is cut out of the source, encoded as the rungs are but without their caps, and scored
as renditions are. Which and how many: `pipelines/quality/sampling.py`.
"""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.encoding.cut import Readable, cut, part_file
from pipelines.encoding.graph import compose as encode_command
from pipelines.encoding.rung_tree import chunk_files
from pipelines.errors import MediaError, ToolFailed, ToolKilled, ToolStalled
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.plan_types import SEARCH_SHARE, Chunk, Findings, Plan, Probe, Rung
from pipelines.progress import Progress, part
from pipelines.quality import quality_model as model
from pipelines.quality.measure import measured_together
from pipelines.quality.probing import probe_part
from pipelines.quality.quality_target import at_crf, crf_of, with_targets
from pipelines.quality.reference import reference_files
from pipelines.quality.sampling import Means, Sampling, gop_frames, sampling_of
from pipelines.records import to_json
from pipelines.running import tools
from pipelines.running.run import run
from pipelines.words import Words

log = logging.getLogger(__name__)
Take = tuple[Chunk, tuple[Rung, ...]]  # a sample, and what is probed of it
_METHOD = 4  # raised where the same plan would be probed in another way
# [P] Of the CRF: how far the corrected one is from what was probed, for the last round to be taken
# there, and for scouts to be sent out once more.
_ENOUGH_CRF, _SCOUT_AGAIN_CRF = 1.0, 3.0


def key_of(made: Plan, share: float = SEARCH_SHARE) -> str:
    """Of all that the findings depend on besides the source's bytes."""
    wanted = {choice.profile: to_json(choice.target) for choice in made.choices}
    rungs = [to_json(rung, said=str) for rung in made.rungs if rung.profile in wanted]
    known = [_METHOD, wanted, rungs, share, tools.versions(), model.fingerprint()]
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
    probes: list[Probe] = []
    try:
        for number in range(sampling.rounds):
            takes = _takes(number, sampling, made, info, inspection, probes)
            share = (number / sampling.rounds, (number + 1) / sampling.rounds)
            own = folder / f"round-{number}"
            taken = yield from part(_probe(source, made, info, takes, own), *share, "probing")
            probes += taken
    except (ToolKilled, ToolStalled):
        raise
    except (ToolFailed, MediaError) as error:
        log.warning("a sample could not be probed: %s", error)
        limited = Words(
            f"a sample could not be probed: {error.detail}", f"有样本无法试编：{error.detail}"
        )
        return replace(found, limited=limited, probes=tuple(probes))
    seconds = round(time.monotonic() - began, 2)
    return replace(found, probes=tuple(probes), seconds=seconds)


def _takes(
    number: int,
    sampling: Sampling,
    made: Plan,
    info: MediaInfo,
    inspection: Inspection,
    probes: Sequence[Probe],
) -> list[Take]:
    """What a round probes: each rung where, by the rounds before, its CRF is about right.

    A rung that was probed near enough is probed on there, and not of the scouts again.
    """
    if number == 0:
        return [(scout, sampling.rungs) for scout in sampling.scouts]
    assert info.picture is not None, "a plan with choices comes from a source with a picture"
    targets = {choice.profile: choice.target for choice in made.choices}
    so_far = Findings(probes=tuple(probes))
    picture = info.picture
    better = with_targets(sampling.rungs, targets, picture, inspection, so_far, scouting=True).rungs
    probed = {probe.profile: probe.crf for probe in probes}  # the last one of each
    off = {rung.profile: abs(crf_of(rung) - probed[rung.profile]) for rung in better}
    if number < sampling.rounds - 1:
        far = tuple(rung for rung in better if off[rung.profile] > _SCOUT_AGAIN_CRF)
        return [(scout, far) for scout in sampling.scouts if far]
    far = tuple(rung for rung in better if off[rung.profile] > _ENOUGH_CRF)
    here = tuple(rung if rung in far else at_crf(rung, probed[rung.profile]) for rung in better)
    takes = [(one, far if one in sampling.scouts else here) for one in sampling.samples]
    return [(sample, rungs) for sample, rungs in takes if rungs]


def _probe(
    source: Readable, made: Plan, info: MediaInfo, takes: Sequence[Take], folder: Path
) -> Generator[Progress, None, list[Probe]]:
    taken: list[Probe] = []
    for at, (sample, rungs) in enumerate(takes):
        own = folder / f"sample-{at}"
        own.mkdir(parents=True)
        share = (at / len(takes), (at + 1) / len(takes))
        sampled = replace(made, rungs=tuple(_uncapped(rung) for rung in rungs))
        taken += yield from part(_one(source, sampled, info, sample, own), *share, "probing")
    return taken


def _one(
    source: Readable, made: Plan, info: MediaInfo, sample: Chunk, folder: Path
) -> Generator[Progress, None, list[Probe]]:
    """One sample of all rungs of `made`, from one decode; scored by the metric of their targets.

    The GOPs before and after it are encoded too, and not scored. Encoders take the quantiser of a
    key frame from the frames before, and what a frame is worth from those that come: without the
    one a nearly still picture is off by 0.9 VMAF, without the other an ordinary one by 0.6.
    """
    stretch = _with_gops_beside(sample, made)
    path = part_file(stretch, folder)
    yield from cut(source, made, stretch, path)
    assert info.picture is not None, "a plan with choices comes from a source with a picture"
    taken: list[Probe] = []
    for group in measured_together(made.rungs, info):
        alone = replace(made, rungs=group)
        yield from run(
            encode_command(path, alone, stretch, folder, part=True),
            readable=[path, *reference_files([rung.video for rung in group if rung.video])],
            writable=[folder],
        )
        files = chunk_files(alone, folder)
        taken += yield from probe_part(path, alone, info, stretch, sample, files, folder)
    path.unlink()
    return taken


def _with_gops_beside(sample: Chunk, made: Plan) -> Chunk:
    gop = gop_frames(made.rungs)
    first, end = max(0, sample.start_frame - gop), min(made.frames, sample.end_frame + gop)
    return replace(sample, start_frame=first, end_frame=end)


def _uncapped(rung: Rung) -> Rung:
    """A sample says nothing of how a buffer is used over minutes: the plan compares rates."""
    assert rung.video is not None, "only pictures are probed"
    return replace(rung, video=replace(rung.video, max_bitrate_bps=None, buffer_bits=None))
