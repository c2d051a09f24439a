"""Let a rung's CRF follow what its first chunks score, where samples could not tell it. Pure.

A programme of a few minutes has no time for samples: each takes three GOPs of encoding. Its own
chunks are encoded anyway. Some of them are scored in a short window as soon as they are there, and
the CRF of all later ones is chosen by that.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pipelines.media import Inspection, MediaInfo, VideoTrack
from pipelines.planning.chunks import divided_at
from pipelines.planning.plan_types import (
    Choice,
    Chunk,
    Plan,
    Probe,
    Rung,
    Steering,
    VideoPlan,
)
from pipelines.profiles.codecs import ENCODERS
from pipelines.quality import quality_model as model
from pipelines.quality.measure import measured_together, together_bytes
from pipelines.quality.quality_model import Material
from pipelines.quality.quality_target import (
    NOTICEABLE,
    Subject,
    at_crf,
    choose,
    crf_of,
    kind_at,
    off_model,
)
from pipelines.quality.reference import reference_of
from pipelines.quality.sampling import Means, coded_bytes_in, encode_cpu_s, gop_frames, sample_cpu_s
from pipelines.rates import least_multiple
from pipelines.words import Words, joined

WINDOW_FRAMES = 25  # [P] of the slowest rung: as in the scores of a long programme
_FEWEST_CHUNKS = 3  # [P] below, nothing is left that could be steered
_ENOUGH = 8  # [P] samples of a rung; with more its CRF is known better than chunks tell it
_MOST_WINDOWS = 24  # [P] as many as there are samples at most
_WINDOW_S = 0.35  # CPU seconds to start the tools of one window, measured
_MOST_MORE = {"vmaf": 1.5, "xpsnr": 0.6}  # [P] that later chunks make up for what the first lack
_THEIRS = 0.4  # [P] of the search's time, beside samples: with these 7 % it is a tenth in all
_FOR_ONE = 20 / 7  # [P] of the search's time: without one the target may be missed by 10 VMAF
_MOST_AGAIN = 0.125  # [P] of the programme, for a first chunk that may be encoded once more
_WORTH_AGAIN_CRF = 1.0  # [P]
_MOST_LEADING = 0.04  # [P] of the programme: a first chunk that has more is divided
_MOST_TRIED = 0.125  # [P] of the programme: more that is off costs the others bits
_OVER_CAP = 1.25  # [P] of the cap: easy stretches below it pay for hard ones
# [P] How sure the model's slope over the CRF is, against what one place is off by: (0.15 / 0.035)².
# At first the slope is the model's, and with CRFs far apart the places' own.
_SLOPE_HOLDS = 18.0
_ALIKE = math.log(2)  # [P] of the logarithm of the hardness: so far apart a place tells 60 %
_MODEL_HOLDS = 0.001  # [P] of a place: where no other one is alike, it is the model that tells
_GOLDEN = (math.sqrt(5) - 1) / 2  # its multiples are spread evenly, however many there are
_TOO_GOOD = {"vmaf": 1.0, "xpsnr": 4.0}  # [P] of the loss: a place that shows something else

_ByCrf = Callable[[float], float]
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Place:
    """A probe beside the model: what was lost and the logarithm of the bits, less what it says."""

    coded_bytes: float
    crf: float
    lost: float
    more_bits: float


def with_leader(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> Plan:
    """The plan with a GOP or two as a chunk of their own, where the first chunk to be scored has
    a large part of a short programme: its CRF is the model's, and encoding it again costs as much.

    `made` has the chunks that it would have without, and no steering yet.
    """
    if not _count_of_windows(made, info, inspection, means):
        return made
    wanted = _unsure(made)
    gop = gop_frames(wanted)
    length = math.ceil(2 * _window_frames(wanted) / gop) * gop  # the window is not its beginning
    middling = _middling(_by_hardness(made, inspection))
    if middling[0].frames <= _MOST_LEADING * made.frames:
        return made
    for chunk in middling:
        if chunk.frames < length + gop:
            continue
        divided = replace(made, chunks=divided_at(made.chunks, chunk.start_frame + length))
        if _leading(_by_hardness(divided, inspection)).frames <= length:
            return divided  # else its beginning is much easier or harder than the whole
    return made


def with_steering(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> Plan:
    """The plan, with what is scored on the way where its rungs' CRFs are not known well enough.

    `made` has its final chunks.
    """
    count = _count_of_windows(made, info, inspection, means)
    if not count:
        return made
    wanted = _unsure(made)
    windows = _windows(made, wanted, inspection, count)
    names = joined(rung.profile for rung in wanted)
    told = Words(
        f"{names}: {count} of {len(made.chunks)} chunks are scored as soon as they are encoded, "
        "and later ones take their CRF from that",
        f"{names.zh}：{len(made.chunks)} 个分块中有 {count} 个编码后随即评分，"
        "其后的分块由此得出 CRF",
    )
    steering = Steering(tuple(rung.profile for rung in wanted), windows, told)
    return replace(made, steering=steering, decisions=(*made.decisions, told))


def in_order(made: Plan) -> tuple[tuple[Chunk, ...], ...]:
    """The chunks in waves: a later one begins when the earlier ones are there."""
    if made.steering is None:
        return (made.chunks,)
    scored = [window.index for window in made.steering.windows]
    first = made.steering.first
    rest = [chunk.index for chunk in made.chunks if chunk.index not in scored]
    waves = (scored[:first], scored[first:], rest)
    return tuple(tuple(made.chunks[index] for index in wave) for wave in waves if wave)


def window_in(made: Plan, chunk: Chunk) -> Chunk | None:
    """What is scored of a chunk, if anything."""
    windows = made.steering.windows if made.steering else ()
    return next((one for one in windows if one.index == chunk.index), None)


def steered(made: Plan, picture: VideoTrack, inspection: Inspection, seen: Sequence[Probe]) -> Plan:
    """The plan with the CRFs that its next chunk gets, by the probes of those that are there.

    `picture` is the source's; `made` may have some of the rungs only.
    """
    names = made.steering.profiles if made.steering else ()
    choices = {choice.profile: choice for choice in made.choices if choice.profile in names}

    def settled(rung: Rung) -> Rung:
        own = [probe for probe in seen if probe.profile == rung.profile]
        if not own or rung.profile not in choices:
            return rung
        return at_crf(rung, _crf(made, rung, choices[rung.profile], picture, inspection, own))

    return replace(made, rungs=tuple(map(settled, made.rungs)))


def is_worth_again(made: Plan, after: Plan, chunk: Chunk, probes: Sequence[Probe]) -> bool:
    """Whether the first chunk, which these probes are of, is encoded once more as `after` has it.

    It is where it scored far below a target and another CRF can help, and where it is a small part
    of the programme: else there is no time for it. One that is too good costs little but bits.
    """
    steering = made.steering
    first = [window.index for window in steering.windows[: steering.first]] if steering else []
    if chunk.index not in first or chunk.frames > _MOST_AGAIN * made.frames:
        return False
    targets = {choice.profile: choice.target for choice in made.choices}
    return any(
        targets[probe.profile].value - probe.mean > NOTICEABLE[targets[probe.profile].metric]
        and abs(crf_of(after.rung(probe.profile)) - probe.crf) >= _WORTH_AGAIN_CRF
        for probe in probes
    )


def _crf(
    made: Plan,
    rung: Rung,
    choice: Choice,
    picture: VideoTrack,
    inspection: Inspection,
    own: Sequence[Probe],
) -> float:
    """The coarsest that gives what is left the target, and what the first chunks lack of it."""
    metric = choice.target.metric
    assert rung.video is not None, "only pictures have a target"
    shape, kinds = model.shape_of(rung.video, picture), model.materials(inspection)
    probes = [*made.findings.probes_of(rung.profile), *own]
    latest = {_chunk_of(made, probe): probe for probe in own}  # one may have been encoded again
    # A middling chunk leads, not the one hard one: finer than need be costs some bits at most.
    poor = any(probe.mean < choice.target.value - NOTICEABLE[metric] for probe in own)
    farther = poor or _are_tried(made, latest)
    learned = _learned(
        [
            _Place(
                kind_at(one, kinds, inspection).coded_bytes,
                one.crf,
                *off_model(one, metric, shape, kinds, inspection),
            )
            for one in probes
        ],
        _TOO_GOOD[metric],
    )
    subject = Subject(
        metric,
        shape,
        _kinds_left(made, inspection, latest),
        basis="probed",
        places=len({one.start_frame for one in probes}) + farther,
        spread=float(np.mean([one.mean - one.p5 for one in probes])),
        lost=lambda crf, kind: learned(kind.coded_bytes)[0](crf),
        more_bits=lambda crf, kind: learned(kind.coded_bytes)[1](crf),
    )
    lacking = 0.0
    for chunk, probe in latest.items():
        # Of an odd window, such as a frozen picture, nobody knows how far its chunk is like it.
        shown = replace(subject, kinds=model.materials_within(inspection, [chunk]))
        given = min(probe.mean, shown.score(probe.crf) + NOTICEABLE[metric])
        lacking += (choice.target.value - given) * chunk.frames
    most, left = _MOST_MORE[metric], made.frames - sum(chunk.frames for chunk in latest)
    more = min(max(lacking / max(left, 1), -most), most)
    crf = choose(rung, replace(choice.target, value=choice.target.value + more), subject).crf
    return max(crf, _finest_under_cap(rung.video, subject))


def _are_tried(made: Plan, there: Collection[Chunk]) -> bool:
    """Whether a small part of the programme is scored next: so much farther its CRF may go, as
    what comes after it follows its own scores.
    """
    windows = made.steering.windows if made.steering else ()
    chunks = [made.chunks[one.index] for one in windows]
    frames = sum(chunk.frames for chunk in chunks if chunk not in there)
    return 0 < frames <= _MOST_TRIED * made.frames


def _finest_under_cap(video: VideoPlan, subject: Subject) -> float:
    """A finer CRF than this gives nothing but an emptier buffer, by the bits that were seen: where
    the cap holds them down they grow from there. Never coarser than the plan's own.
    """
    assert video.crf is not None, "only rungs with one have a target"
    finest, _ = model.crf_range(video.codec)
    if video.max_bitrate_bps is None:
        return finest
    most_bits = _OVER_CAP * video.max_bitrate_bps / float(video.frame_rate)
    steps = np.arange(finest, video.crf, max(0.5, ENCODERS[video.encoder].crf_step))
    return next((float(crf) for crf in steps if subject.bits_a_frame(crf) <= most_bits), video.crf)


def _learned(places: Sequence[_Place], too_good: float) -> Callable[[float], tuple[_ByCrf, _ByCrf]]:
    """What is lost and the logarithm of the bits, less what the model says, by hardness: as the
    places have it that are about as hard, since a still picture tells nothing of a moving one. A
    place that is far better than half of these stands still where they move.
    """
    hardness = np.array([_hardness(one.coded_bytes) for one in places])
    crfs, lost, bits = np.array([(one.crf, one.lost, one.more_bits) for one in places]).T

    @cache
    def learned(coded_bytes: float) -> tuple[_ByCrf, _ByCrf]:
        apart = (hardness - _hardness(coded_bytes)) / _ALIKE
        weights = np.exp(-(apart**2) / 2)
        weights = np.where(lost < _upper_median(lost, weights) - too_good, 0.0, weights)
        return _line(weights, crfs, lost), _line(weights, crfs, bits)

    return learned


def _hardness(coded_bytes: float) -> float:
    return math.log(max(coded_bytes, model.LEAST_BYTES))


def _upper_median(values: _Floats, weights: _Floats) -> float:
    """Of two the larger one."""
    order = np.argsort(-values)
    half = np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2 * (1 - 1e-9))
    return float(values[order][half])


def _line(weights: _Floats, crfs: _Floats, values: _Floats) -> _ByCrf:
    """Through their mean, as steep as they are where their CRFs lie far enough apart to tell it."""
    middle = float(weights @ crfs / weights.sum())
    level = float(weights @ values / (weights.sum() + _MODEL_HOLDS))
    off = crfs - middle
    slope = float((weights * off) @ values) / (float((weights * off) @ off) + _SLOPE_HOLDS)
    return lambda crf: level + slope * (crf - middle)


def _kinds_left(
    made: Plan, inspection: Inspection, there: Collection[Chunk]
) -> tuple[Material, ...]:
    """Of the chunks that are not there yet; of all where there are none left."""
    left = [chunk for chunk in made.chunks if chunk not in there] or made.chunks
    return model.materials_within(inspection, left)


def _chunk_of(made: Plan, probe: Probe) -> Chunk:
    return next(one for one in made.chunks if one.start_frame <= probe.start_frame < one.end_frame)


def _unsure(made: Plan) -> tuple[Rung, ...]:
    """The rungs whose target rests on few samples, or on none."""
    wanted = {choice.profile for choice in made.choices}
    return tuple(
        rung
        for rung in made.rungs
        if rung.profile in wanted
        and len({one.start_frame for one in made.findings.probes_of(rung.profile)}) < _ENOUGH
    )


def _count_of_windows(made: Plan, info: MediaInfo, inspection: Inspection, means: Means) -> int:
    """None where there is no rung to steer, no time or memory for it, or nothing left to steer."""
    wanted = _unsure(made)
    if not wanted or not means.share or len(made.chunks) < _FEWEST_CHUNKS:
        return 0
    assert info.picture is not None, "a plan with choices comes from a source with a picture"
    for group in measured_together(wanted, info):
        if together_bytes(group, info.picture, means.cores) > means.memory_bytes:
            return 0
    affordable = _affordable(made, wanted, info, inspection, means)
    return min(_MOST_WINDOWS, len(made.chunks) - 1, affordable)


def _affordable(
    made: Plan, wanted: Sequence[Rung], info: MediaInfo, inspection: Inspection, means: Means
) -> int:
    """How many windows fit into what the search was given and has not taken for samples, or into
    the little that is theirs in any case; one also where it fits into a fifth of the encode.
    """
    samples = len({(one.start_frame, one.crf) for one in made.findings.probes})
    probed = {one.profile for one in made.findings.probes}
    rungs = [rung for rung in made.rungs if rung.profile in probed]
    spent_s = samples * sample_cpu_s(rungs, gop_frames(rungs), info, inspection) if rungs else 0.0
    given_s = means.share * encode_cpu_s(made, info, inspection)
    left_s = max(given_s - spent_s, _THEIRS * given_s)
    window_s = _window_cpu_s(wanted, info)
    one = window_s + spent_s <= _FOR_ONE * given_s
    return max(int(left_s / window_s), int(one))


def _window_cpu_s(rungs: Sequence[Rung], info: MediaInfo) -> float:
    """Scored frames, and about three times as many decoded on the way to them."""
    picture = info.picture
    assert picture is not None, "only pictures have a target"
    length = _window_frames(rungs)
    total = _WINDOW_S + 4 * length * model.decode_cpu_s(picture.width * picture.height)
    for rung in rungs:
        assert rung.video is not None, "only pictures have a target"
        across, down = reference_of(rung.video, picture).raster
        scored = float(length / rung.video.stride)
        total += scored * (model.score_cpu_s(across * down) + 4 * _decode_s(rung.video))
    return total


def _decode_s(video: VideoPlan) -> float:
    return model.decode_cpu_s(video.width * video.height)


def _window_frames(rungs: Sequence[Rung]) -> int:
    """Of the source."""
    return math.ceil(WINDOW_FRAMES * max(rung.video.stride for rung in rungs if rung.video))


def _windows(
    made: Plan, rungs: Sequence[Rung], inspection: Inspection, count: int
) -> tuple[Chunk, ...]:
    """In the middle of the chunk that leads, and of others evenly from the easiest to the hardest.

    Each is encoded by what those before it told: the hardest comes first, and however many are
    there, they are as mixed as the programme.
    """
    by_hardness = _by_hardness(made, inspection)
    leading = _leading(by_hardness)
    by_hardness.remove(leading)
    others = sorted(range(count - 1), key=lambda at: (count - 2 - at) * _GOLDEN % 1)
    places = [int((at + 0.5) / (count - 1) * len(by_hardness)) for at in others]
    picked = [leading, *(by_hardness[place] for place in places)]
    strides = [one.video.stride for one in rungs if one.video]
    step = least_multiple([*strides, Fraction(1)]).numerator
    return tuple(_window(chunk, _window_frames(rungs), step) for chunk in picked)


def _by_hardness(made: Plan, inspection: Inspection) -> list[Chunk]:
    coded = coded_bytes_in(inspection, made.chunks)
    hardness = [round(taken / one.frames, 3) for taken, one in zip(coded, made.chunks, strict=True)]
    return sorted(made.chunks, key=lambda chunk: (hardness[chunk.index], chunk.index))


def _leading(by_hardness: Sequence[Chunk]) -> Chunk:
    return _middling(by_hardness)[0]


def _middling(by_hardness: Sequence[Chunk]) -> list[Chunk]:
    """The middle half, the shortest first: what rests on the model alone is little."""
    middle, most = (len(by_hardness) - 1) / 2, len(by_hardness) / 4
    near = {one: abs(at - middle) for at, one in enumerate(by_hardness)}
    kept = (chunk for chunk in by_hardness if near[chunk] <= most)
    return sorted(kept, key=lambda chunk: (chunk.frames, near[chunk]))


def _window(chunk: Chunk, length: int, step: int) -> Chunk:
    """It begins where every rung has a frame."""
    spare = max(0, chunk.frames - length)
    start = chunk.start_frame + spare // 2 // step * step
    return replace(chunk, start_frame=start, end_frame=min(start + length, chunk.end_frame))
