"""The CRF that gives a rung its target, and the rungs that would add nothing. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from pipelines.media import Inspection, VideoTrack
from pipelines.planning.plan_types import Choice, Findings, Probe, Refusal, Rung, VideoPlan
from pipelines.profiles.codecs import ENCODERS
from pipelines.profiles.profile import Target
from pipelines.quality import quality_model as model
from pipelines.quality.metrics import comparison_raster, metrics_for
from pipelines.quality.quality_model import Material, Metric, Shape
from pipelines.words import Words

# [P] Finer than the profile's own CRF only while 12 % more bits, a step of 1 in x264, give so much.
_WORTH = {"vmaf": 0.3, "xpsnr": 0.25}
_WORTH_BITS = math.log(1.12)
# [?] VMAF: half of what is often taken for one just-noticeable difference (6), and of Kah et al.,
# SPIE 2021, the 3 that experts notice; VMAF v1 has no published figure. XPSNR: [P].
NOTICEABLE = {"vmaf": 3.0, "xpsnr": 1.0}
_P5 = 0.05
_OUTSIDE = 4.0  # [P] of the CRF: how far beyond two samples their straight line is followed
# [P] of the CRF: how far it may leave the profile's, unprobed, and for each place that was probed
# of several shots. One GOP of a minute is not the minute: resting on it alone was off by 7.5 VMAF.
_REACH = 3.0


Basis = Literal["probed", "kin", "predicted"]
_HOW: Mapping[Basis, Words] = {
    "probed": Words("probed", "经取样"),
    "kin": Words(
        "predicted, and corrected by a probe of another rung", "由模型推算，并按其他档的取样修正"
    ),
    "predicted": Words("predicted from what was inspected", "由模型按检查结果推算"),
}
_CAPPED = Words(", held down by its cap", "，受码率上限约束")


@dataclass(frozen=True, slots=True)
class Targeted:
    """The rungs that stay, with the CRFs that were chosen for them, and why."""

    rungs: tuple[Rung, ...]
    choices: tuple[Choice, ...]
    refused: tuple[Refusal, ...]
    decisions: tuple[Words, ...]


@dataclass(frozen=True, slots=True)
class Subject:
    """One rung whose quality is predicted: by its shots, corrected by what was probed."""

    metric: Metric
    shape: Shape
    kinds: tuple[Material, ...]
    basis: Basis
    places: int  # that were probed of this very rung
    spread: float  # mean less 5th percentile within a shot
    lost: Callable[[float, Material], float]  # what was probed less what the model says, by CRF
    more_bits: Callable[[float, Material], float]  # the same of the logarithm of the bits

    def score(self, crf: float) -> float:
        return model.mean_of(self._scores(crf), self.kinds)

    def p5(self, crf: float) -> float:
        """Of all frames: the shot in which it lies, less the spread within shots."""
        worst = sorted(zip(self._scores(crf), (kind.share for kind in self.kinds), strict=True))
        score, seen = worst[0]
        for other, share in worst[1:]:
            if seen >= _P5:
                break
            score, seen = other, seen + share
        return score - self.spread

    def bits_a_frame(self, crf: float) -> float:
        bits = [
            model.bits_a_frame(crf, kind, self.shape) * math.exp(self.more_bits(crf, kind))
            for kind in self.kinds
        ]
        return model.mean_of(bits, self.kinds)

    def _scores(self, crf: float) -> list[float]:
        lost = [
            model.loss(self.metric, crf, kind, self.shape) + self.lost(crf, kind)
            for kind in self.kinds
        ]
        return [model.score_of(self.metric, one) for one in lost]


def with_targets(
    rungs: Sequence[Rung],
    targets: Mapping[str, Target],
    picture: VideoTrack,
    inspection: Inspection,
    found: Findings,
    optional: Collection[str] = (),
    *,
    scouting: bool = False,
) -> Targeted:
    """`targets` by profile; `picture` is the source's. Rungs without one stay as they are.

    `optional` ones are left out where they add nothing. `scouting`: where to probe next, however
    little is known, and not what to encode.
    """
    wanted = {rung.profile: targets[rung.profile] for rung in rungs if rung.profile in targets}
    subjects = subjects_of(rungs, wanted, picture, inspection, found)
    choices = {
        rung.profile: choose(rung, wanted[rung.profile], subjects[rung.profile], scouting=scouting)
        for rung in rungs
        if rung.profile in subjects
    }
    refused = adding_nothing([one for one in rungs if one.profile in optional], choices)
    gone = {refusal.profile for refusal in refused}
    kept = tuple(_with_crf(rung, choices) for rung in rungs if rung.profile not in gone)
    told = [_told(choices[rung.profile]) for rung in kept if rung.profile in choices]
    told += [
        _unpredicted(rung.profile, rung.video.crf, wanted[rung.profile].metric.upper())
        for rung in kept
        if rung.video
        and rung.video.crf is not None
        and rung.profile in wanted
        and rung.profile not in choices
    ]
    if found.limited and choices:
        told.append(found.limited)
    shown = tuple(choices[rung.profile] for rung in kept if rung.profile in choices)
    return Targeted(kept, shown, refused, tuple(told))


def subjects_of(
    rungs: Sequence[Rung],
    wanted: Mapping[str, Target],
    picture: VideoTrack,
    inspection: Inspection,
    found: Findings,
) -> dict[str, Subject]:
    """By profile, those of which anything can be predicted."""
    made: dict[str, Subject] = {}
    kinds = model.materials(inspection)
    for rung in rungs:
        target = wanted.get(rung.profile)
        if target and kinds and rung.video and can_tell(target, rung.video, picture):
            shape = model.shape_of(rung.video, picture)
            own = found.probes_of(rung.profile)
            made[rung.profile] = _subject(target.metric, shape, kinds, own, inspection)
    return {name: _by_kin(one, made.values()) for name, one in made.items()}


def choose(rung: Rung, target: Target, subject: Subject, *, scouting: bool = False) -> Choice:
    """The coarsest CRF that is expected to meet the target and its floor.

    What nobody probed, or in few places, stays near the rung's own; while `scouting` only the
    former.
    """
    video = rung.video
    assert video is not None and video.crf is not None, "the loader has checked it"  # noqa: PT018
    crf = _crf_for(target, subject, video)
    few = subject.places < len(subject.kinds) and not scouting
    if few or subject.basis != "probed":
        reach = _REACH * max(1, subject.places)
        crf = min(max(crf, video.crf - reach), video.crf + reach)
    bitrate_bps = round(subject.bits_a_frame(crf) * video.frame_rate)
    cap = video.max_bitrate_bps
    return Choice(
        profile=rung.profile,
        target=target,
        crf=crf,
        score=round(subject.score(crf), 2),
        p5=round(subject.p5(crf), 2),
        off_by=model.off_by(target.metric, subject.basis),
        bitrate_bps=min(bitrate_bps, cap) if cap else bitrate_bps,
        capped=cap is not None and bitrate_bps > cap,
        basis=subject.basis,
    )


def adding_nothing(rungs: Sequence[Rung], choices: Mapping[str, Choice]) -> tuple[Refusal, ...]:
    """Rungs of a package that are not noticeably better than the next smaller one, or smaller ones
    that take more bits than a larger one. Only what was probed is sure enough.
    """
    sure = {name for name, choice in choices.items() if choice.basis == "probed"}
    packaged = [rung for rung in rungs if rung.packaged and rung.profile in sure]
    largest_first = sorted(packaged, key=pixels_of, reverse=True)
    gone: dict[str, Refusal] = {}
    for at, rung in enumerate(largest_first):
        for smaller in largest_first[at + 1 :]:
            if {rung.profile, smaller.profile} & set(gone) or not _comparable(rung, smaller):
                continue
            one = _idle(choices[rung.profile], choices[smaller.profile])
            if one is not None:
                gone[one.profile] = one
    return tuple(gone.values())


def _idle(larger: Choice, smaller: Choice) -> Refusal | None:
    metric = larger.target.metric
    gain = larger.score - smaller.score
    name, other = larger.profile, smaller.profile
    if smaller.bitrate_bps >= larger.bitrate_bps:
        reason = Words(
            f"it would take {_mbps(smaller)} and {name} gives {gain:.1f} {metric.upper()} more for "
            f"{_mbps(larger)}",
            f"它需要 {_mbps(smaller)}，而 {name} 只需 {_mbps(larger)}，{metric.upper()} 还高 "
            f"{gain:.1f}",
        )
        return Refusal(other, "adds_nothing", reason)
    if gain < NOTICEABLE[metric]:
        reason = Words(
            f"its {larger.score:.1f} {metric.upper()} for {_mbps(larger)} are not noticeably more "
            f"than the {smaller.score:.1f} that {other} gives for {_mbps(smaller)}",
            f"它的 {metric.upper()} {larger.score:.1f}（{_mbps(larger)}）并不明显高于 {other} 的 "
            f"{smaller.score:.1f}（{_mbps(smaller)}）",
        )
        return Refusal(name, "adds_nothing", reason)
    return None


def _told(choice: Choice) -> Words:
    target = f"{choice.target.metric.upper()} {choice.target.value:g}"
    score, how = f"{choice.score:.1f} ± {choice.off_by:.1f}", _HOW[choice.basis]
    capped = _CAPPED if choice.capped else Words("", "")
    return Words(
        f"{choice.profile}: CRF {choice.crf:g} for {target}: {score} for {_mbps(choice)}{capped} "
        f"({how})",
        f"{choice.profile}：目标 {target}，CRF {choice.crf:g}：预计 {score}，{_mbps(choice)}"
        f"{capped.zh}（{how.zh}）",
    )


def _unpredicted(profile: str, crf: float, metric: str) -> Words:
    return Words(
        f"{profile}: CRF {crf:g} as in the profile: nothing is known to predict {metric} of this "
        "picture by",
        f"{profile}：CRF {crf:g}，照方案所写：没有依据可推算该画面的 {metric}",
    )


def _mbps(choice: Choice) -> str:
    return f"{choice.bitrate_bps / 1e6:.2f} Mb/s"


def pixels_of(rung: Rung) -> int:
    assert rung.video is not None, "only pictures have a choice"
    return rung.video.width * rung.video.height


def _comparable(rung: Rung, other: Rung) -> bool:
    """A viewer could have either: one codec, one range and about one rate."""
    one, two = rung.video, other.video
    assert one is not None and two is not None, "only pictures have a choice"  # noqa: PT018
    looks = [(video.codec, video.colour, video.frame_rate, video.pix_fmt) for video in (one, two)]
    return looks[0] == looks[1]


def _with_crf(rung: Rung, choices: Mapping[str, Choice]) -> Rung:
    return at_crf(rung, choices[rung.profile].crf) if rung.profile in choices else rung


def at_crf(rung: Rung, crf: float) -> Rung:
    assert rung.video is not None, "only pictures have a target"
    return replace(rung, video=replace(rung.video, crf=crf))


def crf_of(rung: Rung) -> float:
    assert rung.video is not None and rung.video.crf is not None, "only those are probed"  # noqa: PT018
    return rung.video.crf


def can_tell(target: Target, video: VideoPlan, picture: VideoTrack) -> bool:
    """Whether such a picture is scored by the target's model, and its codec's losses are known."""
    scored = metrics_for(video, comparison_raster(video, picture.shown_size(video.crop)))
    fits = any(
        one.name == target.metric and (one.model or "").startswith(target.model) for one in scored
    )
    return fits and model.has_model(video.codec, target.metric)


def _crf_for(target: Target, subject: Subject, video: VideoPlan) -> float:
    (finest, coarsest), step = model.crf_range(video.codec), ENCODERS[video.encoder].crf_step
    steps = np.round(np.arange(coarsest, finest - step / 2, -step), 1)
    usual = video.crf or finest
    for crf in map(float, steps):
        if subject.score(crf) >= target.value and _holds_floor(target, subject, crf):
            return crf
        if crf < usual and _gain(subject, crf) < _WORTH[target.metric]:
            return crf
    return finest


def _gain(subject: Subject, crf: float) -> float:
    """What 12 % more bits would give there."""
    more_bits = math.log(subject.bits_a_frame(crf - 1) / subject.bits_a_frame(crf))
    return (subject.score(crf - 1) - subject.score(crf)) * _WORTH_BITS / more_bits


def _holds_floor(target: Target, subject: Subject, crf: float) -> bool:
    return target.floor_p5 is None or subject.p5(crf) >= target.floor_p5


def _by_kin(subject: Subject, all_of_them: Iterable[Subject]) -> Subject:
    """What was probed of another rung of the codec, the nearest in size, corrects this one too."""
    kin = [
        one
        for one in all_of_them
        if one.basis == "probed"
        and (one.shape.codec, one.metric) == (subject.shape.codec, subject.metric)
    ]
    if subject.basis == "probed" or not kin:
        return subject
    near = min(kin, key=lambda one: abs(one.shape.pixels - subject.shape.pixels))
    return replace(
        subject, basis="kin", spread=near.spread, lost=near.lost, more_bits=near.more_bits
    )


def _subject(
    metric: Metric,
    shape: Shape,
    kinds: tuple[Material, ...],
    probes: Sequence[Probe],
    inspection: Inspection,
) -> Subject:
    lost: dict[float, dict[int, float]] = {}
    bits: dict[float, dict[int, float]] = {}
    for probe in probes:
        off, more = off_model(probe, metric, shape, kinds, inspection)
        lost.setdefault(probe.crf, {})[probe.start_frame] = off
        bits.setdefault(probe.crf, {})[probe.start_frame] = more
    spreads = [probe.mean - probe.p5 for probe in probes]
    return Subject(
        metric,
        shape,
        kinds,
        basis="probed" if probes else "predicted",
        places=len({probe.start_frame for probe in probes}),
        spread=float(np.mean(spreads)) if spreads else model.spread(metric),
        lost=_between(lost),
        more_bits=_between(bits),
    )


def off_model(
    probe: Probe,
    metric: Metric,
    shape: Shape,
    kinds: Sequence[Material],
    inspection: Inspection,
) -> tuple[float, float]:
    """What was lost in a probe, and the logarithm of its bits, less what the model says of them."""
    kind = kind_at(probe, kinds, inspection)
    lost = model.loss_of(metric, probe.mean) - model.loss(metric, probe.crf, kind, shape)
    return lost, math.log(probe.bits_a_frame / model.bits_a_frame(probe.crf, kind, shape))


def kind_at(probe: Probe, kinds: Sequence[Material], inspection: Inspection) -> Material:
    """The shot that the middle of the sample shows."""
    middle = (probe.start_frame + probe.end_frame) // 2
    for shot, kind in zip(inspection.shots, kinds, strict=True):
        if shot.start_frame <= middle < shot.end_frame:
            return kind
    return kinds[-1]


def _between(known: Mapping[float, Mapping[int, float]]) -> Callable[[float, Material], float]:
    """Straight between the probed CRFs and a little outside, then level; 0 where none was probed.

    `known` by CRF and place; all kinds are alike. The line is followed outside because the model's
    own slope is not the clip's.
    """
    if not known:
        return lambda _crf, _kind: 0.0
    crfs = sorted(known)
    means = _levels([known[crf] for crf in crfs])
    if len(crfs) > 1:
        first, last = (
            (means[at + 1] - means[at]) / (crfs[at + 1] - crfs[at]) for at in (0, len(crfs) - 2)
        )
        means = [means[0] - first * _OUTSIDE, *means, means[-1] + last * _OUTSIDE]
        crfs = [crfs[0] - _OUTSIDE, *crfs, crfs[-1] + _OUTSIDE]
    return lambda crf, _kind: float(np.interp(crf, crfs, means))


def _levels(known: Sequence[Mapping[int, float]]) -> list[float]:
    """The mean where most places were probed; elsewhere what the same places differ from there.

    So one CRF is not set against another by places that are easier.
    """
    most = max(known, key=len)
    level = float(np.mean(list(most.values())))
    levels = []
    for values in known:
        both = [place for place in values if place in most]
        further = float(np.mean([values[place] - most[place] for place in both])) if both else None
        levels.append(float(np.mean(list(values.values()))) if further is None else level + further)
    return levels
