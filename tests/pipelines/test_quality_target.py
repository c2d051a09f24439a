"""The CRF for a target, predicted and corrected by samples; and no rung for nothing."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import pytest

from pipelines.media import Inspection, MediaInfo, Shot
from pipelines.planning.plan import Chunk, Plan, plan
from pipelines.planning.plan_types import Choice, Findings, Probe
from pipelines.profiles.profile import Profile, Target, profile
from pipelines.quality import quality_model as model
from pipelines.quality.quality_target import adding_nothing, with_targets
from pipelines.quality.sampling import (
    SAMPLES,
    Means,
    encode_cpu_s,
    gop_frames,
    sample_cpu_s,
    samples_in,
    sampling_of,
    search_bytes,
)
from tests.pipelines.sources import HD, STEREO, UHD, described

EASY = Shot(0, 3000, 0.01, detail=0.02, coded_bytes=900.0)
HARD = Shot(3000, 6000, 0.05, detail=0.03, coded_bytes=3500.0)
LADDER = [profile(name) for name in ("mobile-1080p", "mobile-720p", "mobile-540p")]


def seen(*shots: Shot) -> tuple[MediaInfo, Inspection]:
    return described(HD, [STEREO], shots[-1].end_frame, shots=shots)


def made(*shots: Shot, found: Findings | None = None, of: list[Profile] | None = None) -> Plan:
    return plan(*seen(*shots), of or LADDER, findings=found or Findings())


def choice_of(planned: Plan, name: str) -> Choice:
    return next(choice for choice in planned.choices if choice.profile == name)


def probe(crf: float, mean: float, name: str = "mobile-1080p", bits: float = 50_000) -> Probe:
    return Probe(name, 1000, 1025, crf, mean, mean - 3, bits)


def test_the_coarsest_crf_that_meets_the_target_is_chosen() -> None:
    """The expected score meets the target by less than a tenth of a CRF gives."""
    planned = made(EASY, found=Findings(probes=(probe(25, 95.0),)))

    choice = choice_of(planned, "mobile-1080p")
    video = planned.rung("mobile-1080p").video
    assert video is not None
    assert video.crf == choice.crf
    assert 94.0 <= choice.score < 94.1


def test_the_model_alone_stays_near_the_profiles_own_crf() -> None:
    """It is off by several VMAF for one clip in ten, so it moves the CRF by three at most."""
    flat = Shot(0, 3000, 0.001, detail=0.2, coded_bytes=20.0)
    planned = made(flat)

    assert {choice.basis for choice in planned.choices} == {"predicted"}
    assert choice_of(planned, "mobile-1080p").crf == 25
    assert choice_of(planned, "mobile-1080p").score > 94


def test_a_programme_is_judged_by_all_its_shots() -> None:
    """With a shot that loses more it needs a finer quantiser and more bits."""
    found = Findings(probes=(probe(25, 95.0),))
    easy, both = (
        choice_of(made(*shots, found=found), "mobile-1080p") for shots in ([EASY], [EASY, HARD])
    )

    assert both.crf != easy.crf
    assert both.bitrate_bps > 1.2 * easy.bitrate_bps


def test_one_place_of_many_shots_moves_the_crf_no_further_than_the_model_alone() -> None:
    """It may be the one easy place; each further one is worth three more, all shots everything."""
    shots = [
        Shot(at * 500, at * 500 + 500, 0.02, detail=0.02, coded_bytes=900.0) for at in range(6)
    ]
    found = [
        replace(probe(22, 99.5), start_frame=at * 500, end_frame=at * 500 + 50) for at in range(6)
    ]

    crfs = [
        choice_of(made(*shots, found=Findings(probes=tuple(found[:count]))), "mobile-1080p").crf
        for count in (1, 2, 6)
    ]

    assert crfs[:2] == [25, 28]
    assert crfs[2] > 31


def test_scouts_go_where_one_place_sends_them() -> None:
    """The samples are to be probed where the CRF lies, however far from the profile's own."""
    shots = [Shot(n * 500, n * 500 + 500, 0.02, detail=0.02, coded_bytes=900.0) for n in range(6)]
    planned, (info, inspection) = made(*shots), seen(*shots)
    (rung,) = (one for one in planned.rungs if one.profile == "mobile-1080p")
    target = {"mobile-1080p": choice_of(planned, "mobile-1080p").target}
    found = Findings(probes=(replace(probe(22, 99.5), start_frame=0, end_frame=50),))
    assert info.picture is not None

    crfs = [
        with_targets([rung], target, info.picture, inspection, found, scouting=scouting)
        .choices[0]
        .crf
        for scouting in (False, True)
    ]

    assert crfs[0] <= 28 < crfs[1]


def test_what_was_probed_outweighs_the_model() -> None:
    """Two samples 4 apart: the CRF between them that a straight line of the loss gives."""
    target = profile("mobile-1080p").video.target  # type: ignore[union-attr]
    assert target is not None
    above, below = target.value + 2, target.value - 2
    choice = choice_of(
        made(EASY, found=Findings(probes=(probe(24, above), probe(28, below)))), "mobile-1080p"
    )

    losses = [model.loss_of("vmaf", score) for score in (above, target.value, below)]
    straight = 24 + 4 * (losses[1] - losses[0]) / (losses[2] - losses[0])
    assert choice.basis == "probed"
    assert choice.crf == pytest.approx(straight, abs=0.1)


def test_a_probe_of_one_rung_corrects_the_others() -> None:
    """The sample looks worse than predicted: every rung gets a finer quantiser and more bits."""
    before = made(EASY)
    crf = choice_of(before, "mobile-1080p").crf
    after = made(EASY, found=Findings(probes=(probe(crf, 88.0, bits=90_000),)))

    for name in ("mobile-720p", "mobile-540p"):
        assert choice_of(after, name).basis == "kin"
        assert choice_of(after, name).crf < choice_of(before, name).crf


def test_the_worst_twentieth_keeps_its_floor() -> None:
    """A floor that the mean alone would not meet makes the CRF finer."""
    base = profile("mobile-1080p")
    assert base.video is not None
    assert base.video.target is not None
    high = replace(base.video.target, floor_p5=base.video.target.value - 1)
    strict = replace(base, video=replace(base.video, target=high))

    found = Findings(probes=(probe(25, 95.0),))
    held, loose = (made(EASY, of=[one], found=found).choices[0] for one in (strict, base))
    assert held.crf < loose.crf
    assert held.p5 >= base.video.target.value - 1


def test_a_cap_holds_and_the_plan_says_that_it_binds() -> None:
    """Bits beyond the cap are never promised."""
    crf = choice_of(made(HARD), "mobile-1080p").crf
    found = Findings(probes=(replace(probe(crf, 94, bits=900_000), start_frame=3500),))
    planned = made(EASY, HARD, found=found)

    assert choice_of(planned, "mobile-1080p").capped
    assert choice_of(planned, "mobile-1080p").bitrate_bps == 5_000_000
    assert any("held down by its cap" in text for text in planned.decisions)


def test_without_anything_to_predict_by_the_profiles_own_crf_stays() -> None:
    """An inspection of an older version kept no thumbnails; and an unknown model is none."""
    old = made(Shot(0, 3000, 0.01))
    base = profile("mobile-1080p")
    assert base.video is not None
    other = Target("vmaf", 94, "vmaf_v9")
    unknown = made(EASY, of=[replace(base, video=replace(base.video, target=other))])

    for planned in (old, unknown):
        assert not planned.choices
        assert [rung.video.crf for rung in planned.rungs if rung.video][0] == base.video.crf  # noqa: RUF015
        assert any("CRF 22 as in the profile" in text for text in planned.decisions)


def test_of_twins_the_highest_target_counts() -> None:
    """A 540-line source makes all three equal: the one that stays is as good as the best."""
    small = replace(HD, width=960, height=540)
    info, inspection = described(small, [STEREO], 3000, shots=(EASY,))
    planned = plan(info, inspection, LADDER)

    assert [rung.profile for rung in planned.rungs] == ["mobile-540p"]
    assert planned.choices[0].target == LADDER[0].video.target  # type: ignore[union-attr]


def test_hdr_is_judged_by_xpsnr() -> None:
    """No open VMAF knows HDR: in dB a straight line of the CRF."""
    base = profile("cn4k-hevc-hlg")
    assert base.video is not None
    hdr = replace(base, video=replace(base.video, target=Target("xpsnr", 40, "6:1:1")))
    found = Findings(
        probes=tuple(
            Probe(base.name, 1000, 1050, crf, score, score - 1, 4e5)
            for crf, score in ((20, 41.0), (24, 39.0))
        )
    )
    planned = plan(*described(UHD, [STEREO], 3000, shots=(EASY,)), [hdr], findings=found)

    (choice,) = planned.choices
    assert (choice.crf, choice.score, choice.basis) == (22.0, 40.0, "probed")


def test_a_codec_of_whole_qualities_gets_a_whole_one() -> None:
    """SVT-AV1 knows no 31.4; the finer one is taken, and the cap stays."""
    rung = profile("ott4k-av1-hlg")
    assert rung.video is not None and rung.video.target is not None  # noqa: PT018
    found = Findings(
        probes=tuple(
            Probe(rung.name, 1000, 1050, crf, score, score - 1, 4e5)
            for crf, score in ((31, 40.5), (38, 38.9))
        )
    )
    planned = plan(*described(UHD, [STEREO], 3000, shots=(EASY,)), [rung], findings=found)

    (choice,) = planned.choices
    assert (choice.crf, choice.basis) == (33, "probed")
    assert choice.score >= rung.video.target.value
    assert planned.rungs[0].video is not None
    assert planned.rungs[0].video.max_bitrate_bps == 24_000_000


def rated(name: str, score: float, bitrate_bps: int) -> Choice:
    target = Target("vmaf", score, "vmaf_v1.0.16")
    return Choice(name, target, 25, score, score - 5, 1, bitrate_bps, capped=False, basis="probed")


@pytest.mark.parametrize(
    ("scores", "rates", "dropped"),
    [
        ((94, 90, 84), (4, 2, 1), []),
        ((94, 92, 84), (4, 2, 1), ["mobile-1080p"]),  # 2 VMAF that nobody sees
        ((94, 90, 84), (4, 4.5, 1), ["mobile-720p"]),  # worse than the larger one, for more
        ((94, 92.5, 91), (4, 2, 1), ["mobile-1080p", "mobile-720p"]),
    ],
)
def test_a_rung_that_adds_nothing_is_dropped(
    scores: tuple[float, ...], rates: tuple[float, ...], dropped: list[str]
) -> None:
    planned = made(EASY)
    choices = {
        rung.profile: rated(rung.profile, score, int(rate * 1e6))
        for rung, score, rate in zip(planned.rungs, scores, rates, strict=True)
    }
    refused = adding_nothing(planned.rungs, choices)

    assert [refusal.profile for refusal in refused] == dropped
    assert all(refusal.code == "adds_nothing" for refusal in refused)


@pytest.mark.parametrize("basis", ["predicted", "kin"])
def test_only_what_was_probed_drops_a_rung(basis: Literal["predicted", "kin"]) -> None:
    """The model may be off by more than what it would drop a rung for."""
    planned = made(EASY)
    choices = {
        rung.profile: replace(rated(rung.profile, 94, 1_000_000), basis=basis)
        for rung in planned.rungs
    }

    assert adding_nothing(planned.rungs, choices) == ()


def test_a_short_programme_is_not_probed_and_the_plan_says_so() -> None:
    """Two seconds: starting the tools alone would take more than a tenth of the encode."""
    info, inspection = seen(Shot(0, 50, 0.01, 0.02, 900.0))
    sampling = sampling_of(plan(info, inspection, LADDER), info, inspection, Means(0.07))

    assert not sampling.samples
    assert "nothing was probed" in (sampling.limited or "")


def test_a_longer_programme_is_probed_in_all_rungs_within_its_share() -> None:
    info, inspection = seen(EASY, HARD)
    planned = plan(info, inspection, LADDER)
    sampling = sampling_of(planned, info, inspection, Means(0.07))

    assert sampling.rungs == planned.rungs
    assert sampling.limited is None
    assert sampling.rounds == 2
    assert set(sampling.scouts) < set(sampling.samples)
    assert encode_cpu_s(planned, info, inspection) > 100


@pytest.mark.parametrize(
    ("times", "scouts", "samples", "rounds"),
    [(1, 1, 1, 1), (2, 1, 1, 2), (6, 1, 5, 2), (7, 2, 3, 3), (10, 2, 6, 3), (100, 2, SAMPLES, 3)],
)
def test_samples_and_scouts_fit_into_the_share(
    times: int, scouts: int, samples: int, rounds: int
) -> None:
    """Scouts in all rounds but the last, in which all samples are probed."""
    info, inspection = seen(EASY, HARD)
    planned = plan(info, inspection, LADDER)
    one_s = sample_cpu_s(planned.rungs, gop_frames(planned.rungs), info, inspection)
    share = (times + 0.5) * one_s / encode_cpu_s(planned, info, inspection)
    sampling = sampling_of(planned, info, inspection, Means(share))

    found = (len(sampling.scouts), len(sampling.samples), sampling.rounds)
    assert found == (scouts, samples, rounds)


def test_cuts_are_in_samples_as_they_are_in_the_programme() -> None:
    """Shots shorter than a sample: it would never show one if it stayed inside them."""
    shots = tuple(Shot(at, at + 30, 0.01, 0.02, 900.0) for at in range(0, 6000, 30))
    inspection = replace(seen(EASY)[1], shots=shots, frames=6000, duration_s=Fraction(240))
    samples = samples_in(inspection, (Chunk(0, 0, 6000),), 50, 20)

    assert len(samples) == 20
    assert all(0 <= sample.start_frame <= 5950 for sample in samples)
    assert all(
        any(one.start_frame < cut.start_frame < one.end_frame for cut in shots) for one in samples
    )


def test_one_crf_is_set_against_another_by_the_same_places() -> None:
    """A scout in an easy place, and there and in a hard one later: the hard one is in the level at
    both, and the slope is that of the place that was probed twice.
    """
    easy, hard = EASY.start_frame + 1000, EASY.start_frame + 2000

    def at(place: int, crf: float, mean: float) -> Probe:
        return replace(probe(crf, mean), start_frame=place, end_frame=place + 25)

    found = Findings(probes=(at(easy, 22, 98.0), at(easy, 30, 94.0), at(hard, 30, 84.0)))
    planned = made(EASY, found=found)
    one = choice_of(planned, "mobile-1080p")

    lost = [math.log(100.5 - mean) for mean in (98.0, 94.0, 84.0)]
    level = (lost[1] + lost[2]) / 2
    slope = (lost[1] - lost[0]) / (30 - 22)
    assert one.score == pytest.approx(100.5 - math.exp(level + slope * (one.crf - 30)), abs=0.02)


def test_samples_are_taken_from_easy_and_hard_shots_alike() -> None:
    """Each is a GOP of the encode: a whole number of them after the beginning of its chunk."""
    shots = tuple(Shot(at, at + 100, 0.01, 0.02, float(at % 700)) for at in range(0, 6000, 100))
    inspection = replace(seen(EASY)[1], shots=shots, frames=6000, duration_s=Fraction(240))
    chunks = (Chunk(0, 0, 312), Chunk(1, 312, 350), Chunk(2, 350, 6000))
    samples = samples_in(inspection, chunks, 50, 6)

    assert len(samples) == 6
    starts = {*range(0, 300, 50), *range(350, 6000, 50)}
    assert {sample.start_frame for sample in samples} <= starts
    assert len(samples_in(inspection, chunks, 50, 500)) == len(starts)
    assert all(sample.end_frame - sample.start_frame == 50 for sample in samples)
    hardness = sorted(sample.start_frame // 100 * 100 % 700 for sample in samples)
    assert hardness[0] <= 100
    assert hardness[-1] >= 500


def test_a_source_that_is_not_read_in_parts_is_not_probed() -> None:
    info, inspection = seen(EASY, HARD)
    varying = replace(inspection, constant_frame_rate=False)
    sampling = sampling_of(plan(info, varying, LADDER), info, varying, Means(0.07))

    assert sampling.limited == "nothing was probed: the frame rate varies"


def test_samples_that_would_hold_too_much_memory_are_not_taken() -> None:
    """All rungs at once, else the largest that fits by itself; what it may hold is what is said."""
    info, inspection = seen(EASY, HARD)
    planned = plan(info, inspection, LADDER)
    all_at_once = search_bytes(planned, info, inspection, Means(cores=2))
    assert sampling_of(planned, info, inspection, Means(0.07, all_at_once, 2)).limited is None

    less = Means(0.07, all_at_once - 1, 2)
    sampling = sampling_of(planned, info, inspection, less)
    assert [rung.profile for rung in sampling.rungs] == [planned.rungs[0].profile]
    assert search_bytes(planned, info, inspection, less) < all_at_once
    told = "samples of more would hold over"
    assert told in (sampling.limited or "")

    none = sampling_of(planned, info, inspection, Means(0.07, 1_000_000, 2))
    assert none.samples == ()
    assert (none.limited or "").startswith(f"nothing was probed: {told} 0.0 GB of memory")
    assert search_bytes(planned, info, inspection, Means(0.07, 1_000_000, 2)) == 0


def test_a_search_without_a_share_probes_nothing() -> None:
    info, inspection = seen(EASY, HARD)
    sampling = sampling_of(plan(info, inspection, LADDER), info, inspection, Means(0))

    assert sampling.samples == ()
    assert sampling.limited == "nothing was probed: the search has no share of the time"
