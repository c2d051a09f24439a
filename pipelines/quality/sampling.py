"""Which samples a search takes, and what they cost. Pure.

All of them may take a share of what the encode will take, as the model reckons; what does not fit
is left to the model alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipelines.encoding.encode_groups import MOST_BYTES
from pipelines.media import Inspection, MediaInfo
from pipelines.planning.chunks import why_one_chunk
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan_types import SEARCH_SHARE, Chunk, Plan, Rung
from pipelines.quality import quality_model as model
from pipelines.quality.measure import measured_together, together_bytes
from pipelines.quality.quality_target import crf_of, pixels_of
from pipelines.quality.reference import reference_of
from pipelines.words import Words

SAMPLES = 24  # [P] at most; three mobile rungs of HD have time for them in 45 minutes
_TIMES_FOR_MORE = 7  # samples: two scouts twice, and three in the last round
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
    """What is to be probed: these rungs, in these stretches of the source.

    In the first of `rounds` only the scouts are probed, to find out where about the CRF lies; in
    a second of three those again that were far from it; in the last one all samples.
    """

    rungs: tuple[Rung, ...]
    samples: tuple[Chunk, ...]
    limited: Words | None = None
    scouts: tuple[Chunk, ...] = ()  # some of the samples
    rounds: int = 0


_NONE = Sampling((), ())
_NO_SHARE = Words("the search has no share of the time", "没有给取样留出时间")
_FILM = Words("frames of film are counted from the first", "电影的帧须从头计数")


def sampling_of(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> Sampling:
    """The samples that fit: of all rungs with a choice, else of the largest one, else none."""
    rungs = _chosen(made)
    if not means.share:
        return _nothing(_NO_SHARE)
    film = _FILM if inspection.pulldown else None
    if (why := why_one_chunk(info, inspection) or film) is not None:
        return _nothing(why)
    length = gop_frames(rungs)
    light = [one for one in rungs if _bytes(made, info, (one,), means.cores) <= means.memory_bytes]
    if not light:
        return _nothing(_too_much(means))
    budget_s = means.share * encode_cpu_s(made, info, inspection)
    fits = _bytes(made, info, rungs, means.cores) <= means.memory_bytes
    largest = max(light, key=pixels_of)
    tried = [rungs, (largest,)] if fits else [(largest,)]
    for some in tried:
        times = int(budget_s / sample_cpu_s(some, length, info, inspection))
        if times and made.frames >= length:
            told = None
            if some != rungs:
                why = _too_short(budget_s) if fits else _too_much(means)
                alone = some[0].profile
                told = Words(f"only {alone} was probed: {why}", f"只对 {alone} 取样：{why.zh}")
            scouts, rounds = _scouting(times)
            count = min(SAMPLES, made.frames // length, times - scouts * (rounds - 1))
            samples = samples_in(inspection, made.chunks, length, count)
            return Sampling(some, samples, told, _spread(samples, scouts), rounds)
    return _nothing(_too_short(budget_s))


def _nothing(why: Words) -> Sampling:
    return replace(_NONE, limited=Words(f"nothing was probed: {why}", f"没有取样：{why.zh}"))


def _scouting(times: int) -> tuple[int, int]:
    """How many scouts there are, and how many rounds, where so many samples can be taken."""
    if times < _TIMES_FOR_MORE:
        return 1, min(times, 2)
    return 2, 3


def _spread(samples: Sequence[Chunk], count: int) -> tuple[Chunk, ...]:
    """The middle ones of so many equal parts."""
    parts = min(count, len(samples))
    return tuple(samples[int((at + 0.5) / parts * len(samples))] for at in range(parts))


def search_bytes(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> int:
    """The most memory that the search is foreseen to hold at once."""
    sampling = sampling_of(made, info, inspection, means) if made.choices else _NONE
    return _bytes(made, info, sampling.rungs, means.cores)


def _bytes(made: Plan, info: MediaInfo, rungs: Sequence[Rung], cores: int) -> int:
    """Of a sample of these rungs: encoded with the GOPs beside it, then compared."""
    picture = info.picture
    assert picture is not None, "a plan with choices comes from a source with a picture"
    most = 0
    for group in measured_together(rungs, info):
        stretch = Chunk(0, 0, 3 * gop_frames(group))
        encoded = encode_bytes(picture, replace(made, rungs=group), stretch, cores)
        most = max(most, encoded, together_bytes(group, picture, cores))
    return most


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


def samples_in(
    inspection: Inspection, chunks: Sequence[Chunk], length: int, count: int
) -> tuple[Chunk, ...]:
    """GOPs of the encode, from the easiest to the hardest, evenly, in this order.

    Where a key frame stands in a shot is a part of what a GOP takes and is worth: a cut that comes
    right after one costs it up to 4 VMAF, and one in the middle of a chunk is where it is.
    """
    starts = [
        start
        for chunk in chunks
        for start in range(chunk.start_frame, chunk.end_frame - length + 1, length)
    ] or [0]
    gops = [Chunk(0, start, start + length) for start in starts]
    # Rounded, so that equal ones stay in their order.
    hardness = [round(taken, 3) for taken in coded_bytes_in(inspection, gops)]
    starts = [start for _, start in sorted(zip(hardness, starts, strict=True))]
    places = dict.fromkeys(int((number + 0.5) / count * len(starts)) for number in range(count))
    return tuple(
        Chunk(at, starts[place], starts[place] + length) for at, place in enumerate(places)
    )


def coded_bytes_in(inspection: Inspection, stretches: Sequence[Chunk]) -> list[float]:
    """What coding the frames of each stretch takes, by the shots."""
    edges, coded = [0], [0.0]
    for shot in inspection.shots:
        frames = shot.end_frame - shot.start_frame
        edges += [shot.start_frame, shot.end_frame]
        coded += [coded[-1], coded[-1] + frames * (shot.coded_bytes or 0.0)]
    first = np.interp([stretch.start_frame for stretch in stretches], edges, coded)
    end = np.interp([stretch.end_frame for stretch in stretches], edges, coded)
    return [float(taken) for taken in end - first]


def gop_frames(rungs: Sequence[Rung]) -> int:
    """Of the source: of every rung a whole GOP, in which key frames have their usual share."""
    videos = [rung.video for rung in rungs if rung.video]
    return max(math.ceil(video.gop_frames * video.stride) for video in videos)


def _chosen(made: Plan) -> tuple[Rung, ...]:
    names = {choice.profile for choice in made.choices}
    return tuple(rung for rung in made.rungs if rung.profile in names)


def sample_cpu_s(
    rungs: Sequence[Rung], length: int, info: MediaInfo, inspection: Inspection
) -> float:
    """One sample with the GOPs beside it: decoded twice, encoded once, a third of it scored."""
    picture, kinds = info.picture, model.materials(inspection)
    assert picture is not None, "a plan with choices comes from a source with a picture"
    total = _SAMPLE_S + 7 * length * model.decode_cpu_s(picture.width * picture.height)
    for rung in rungs:
        video = rung.video
        assert video is not None, "only pictures are probed"
        shape = model.shape_of(video, picture)
        each = [model.cpu_s_a_frame(crf_of(rung), kind, shape) for kind in kinds]
        across, down = reference_of(video, picture).raster
        frame_s = 3 * model.mean_of(each, kinds) + model.score_cpu_s(across * down)
        total += float(length / video.stride) * frame_s
    return total


def _too_short(budget_s: float) -> Words:
    return Words(
        "the programme is so short that more would take over a tenth of its encode "
        f"({budget_s:.1f} CPU seconds were left for it)",
        f"节目太短，更多取样会超过转码用时的十分之一（可用 {budget_s:.1f} CPU 秒）",
    )


def _too_much(means: Means) -> Words:
    most = f"{means.memory_bytes / 1e9:.1f} GB"
    return Words(
        f"samples of more would hold over {most} of memory", f"更多样本占用的内存会超过 {most}"
    )
