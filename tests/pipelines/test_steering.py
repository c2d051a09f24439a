"""What the first chunks score leads the CRF of the later ones, and their mean to the target."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from random import Random

import av
import pytest

from pipelines.encoding.cut import LocalFile
from pipelines.encoding.encode import encode_part
from pipelines.encoding.encode_groups import groups_of
from pipelines.encoding.join import join
from pipelines.inspection.inspect import inspect
from pipelines.media import Inspection, MediaInfo, Shot, VideoTrack
from pipelines.planning.chunks import in_one_piece
from pipelines.planning.memory import encode_bytes
from pipelines.planning.plan import Plan, plan
from pipelines.planning.plan_types import Chunk, Findings, Probe
from pipelines.profiles.profile import Profile, Target, profile
from pipelines.progress import finish
from pipelines.quality import quality_model as model
from pipelines.quality.measure import measure
from pipelines.quality.quality_target import NOTICEABLE, crf_of
from pipelines.quality.sampling import Means
from pipelines.quality.steered_encode import encode_steered, steered_bytes
from pipelines.quality.steering import (
    in_order,
    is_worth_again,
    steered,
    window_in,
    with_leader,
    with_steering,
)
from pipelines.running.tools import ffmpeg
from pipelines.sources.probe import probe
from tests.pipelines.sources import HD, UHD, described

MINUTE = tuple(Shot(at * 200, at * 200 + 200, 0.02, 0.03, 1500.0) for at in range(8))
HALF_AN_HOUR = tuple(Shot(at * 200, at * 200 + 200, 0.02, 0.03, 1500.0) for at in range(225))
NAME = "mobile-720p"


def looked_at(
    shots: tuple[Shot, ...] = MINUTE, picture: VideoTrack = HD
) -> tuple[MediaInfo, Inspection]:
    return described(picture, frames=shots[-1].end_frame, shots=shots)


def planned(
    looked: tuple[MediaInfo, Inspection], *wanted: Profile, share: float = 0.07, **more: Findings
) -> Plan:
    made = plan(*looked, wanted or [profile(NAME)], **more)
    return with_steering(made, *looked, Means(share))


def crf_with(made: Plan, looked: tuple[MediaInfo, Inspection], *seen: Probe) -> float:
    video = again_with(made, looked, *seen).rung(NAME).video
    assert video is not None
    assert video.crf is not None
    return video.crf


def again_with(made: Plan, looked: tuple[MediaInfo, Inspection], *seen: Probe) -> Plan:
    info, inspection = looked
    assert info.picture is not None
    return steered(made, info.picture, inspection, seen)


def windows_of(chunks: Sequence[Chunk]) -> tuple[Chunk, ...]:
    """The first second of each."""
    return tuple(replace(one, end_frame=one.start_frame + 25) for one in chunks)


def scored(made: Plan, at: int, mean: float, crf: float | None = None) -> Probe:
    """The window of the chunk that is scored as the `at`-th one."""
    assert made.steering is not None
    window, video = made.steering.windows[at], made.rung(NAME).video
    assert video is not None
    assert video.crf is not None
    frames = (window.start_frame, window.end_frame)
    return Probe(NAME, *frames, crf or video.crf, mean, mean - 3, 40_000)


def test_a_programme_of_a_minute_is_steered_by_its_first_chunks() -> None:
    """No sample fits into its time. One chunk leads, other scored ones follow, then the rest."""
    made = planned(looked_at())

    assert made.steering is not None
    assert made.steering.profiles == (NAME,)
    assert made.steering.told in made.decisions
    scored_ones = [window.index for window in made.steering.windows]
    waves = [[chunk.index for chunk in wave] for wave in in_order(made)]
    assert waves[0] == scored_ones[:1]
    assert waves[1] == scored_ones[1:]
    assert sorted(itertools.chain(*waves)) == list(range(8))
    for window in made.steering.windows:
        chunk = made.chunks[window.index]
        assert chunk.start_frame <= window.start_frame < window.end_frame <= chunk.end_frame
        assert window.end_frame - window.start_frame == 25


def test_chunks_that_are_scored_stand_for_easy_and_hard_ones() -> None:
    """From the easiest to the hardest, evenly; the one in the middle leads."""
    bytes_of = (100.0, 3000.0, 200.0, 2500.0, 300.0, 2000.0, 400.0, 1500.0)
    shots = tuple(replace(MINUTE[at], coded_bytes=coded) for at, coded in enumerate(bytes_of))
    made = planned(looked_at(shots), share=0.13)

    assert made.steering is not None
    hardness = [bytes_of[window.index] for window in made.steering.windows]
    assert len(hardness) > 2
    assert 400.0 <= hardness[0] <= 2000.0
    assert min(hardness) < 400.0
    assert max(hardness) > 2000.0


def test_a_short_programme_is_led_by_two_seconds() -> None:
    """What rests on the model alone is 3 % of a minute, not 13 %, and quickly done again."""
    looked = looked_at()
    before = plan(*looked, [profile(NAME)])
    made = with_leader(before, *looked, Means())
    (new,) = {one.start_frame for one in made.chunks} - {one.start_frame for one in before.chunks}
    assert [one.index for one in made.chunks] == list(range(9))
    assert [one.end_frame for one in made.chunks[:-1]] == [
        one.start_frame for one in made.chunks[1:]
    ]

    steered_one = with_steering(made, *looked, Means())
    assert steered_one.steering is not None
    ((leading,), *_) = in_order(steered_one)
    assert (leading.end_frame, leading.frames) == (new, 50)
    window = steered_one.steering.windows[0]
    assert (window.start_frame, window.frames) == (leading.start_frame + 12, 25)
    probe = scored(steered_one, 0, 84.0)
    assert is_worth_again(steered_one, again_with(steered_one, looked, probe), leading, [probe])


def test_what_is_divided_leads() -> None:
    """A chunk that begins with an easy shot is not middling for its first seconds."""
    random, divided = Random(7), 0
    for _ in range(60):
        edges = list(itertools.accumulate(random.randint(40, 130) for _ in range(20)))
        taken = [random.uniform(300, 4000) for _ in edges]
        shots = tuple(
            Shot(start, end, 0.02, 0.03, coded)
            for (start, end), coded in zip(itertools.pairwise([0, *edges]), taken, strict=True)
        )
        looked = looked_at(shots)
        before = plan(*looked, [profile(NAME)])
        made = with_leader(before, *looked, Means())
        if made == before:
            continue
        divided += 1
        (new,) = {one.end_frame for one in made.chunks} - {one.end_frame for one in before.chunks}
        ((leading,), *_) = in_order(with_steering(made, *looked, Means()))
        assert (leading.end_frame, leading.frames) == (new, 50)
    assert divided > 50


@pytest.mark.parametrize(
    ("shots", "share"),
    [(MINUTE[:2], 0.07), (MINUTE, 0.0), (HALF_AN_HOUR, 0.07)],
    ids=["two chunks", "no time", "half an hour"],
)
def test_a_programme_that_is_not_short_keeps_its_chunks(
    shots: tuple[Shot, ...], share: float
) -> None:
    looked = looked_at(shots)
    before = plan(*looked, [profile(NAME)])
    assert with_leader(before, *looked, Means(share)) == before


@pytest.mark.parametrize(
    ("looked", "share"),
    [(looked_at(MINUTE[:2]), 0.07), (looked_at(), 0.0)],
    ids=["two chunks", "no time"],
)
def test_nothing_is_steered_without_chunks_to_steer_or_time(
    looked: tuple[MediaInfo, Inspection], share: float
) -> None:
    made = planned(looked, share=share)

    assert made.steering is None
    assert in_order(made) == (made.chunks,)
    assert window_in(made, made.chunks[0]) is None


def test_what_many_samples_told_is_not_steered() -> None:
    """They know the whole programme; chunks would only jump about it."""
    found = Findings(
        probes=tuple(
            Probe(NAME, at * 50, at * 50 + 50, 23.0, 90.0, 87.0, 40_000) for at in range(9)
        )
    )

    assert planned(looked_at(), findings=found).steering is None


def test_a_lower_score_makes_later_chunks_finer_and_a_higher_one_coarser() -> None:
    looked = looked_at()
    made = planned(looked)
    video = made.rung(NAME).video
    assert video is not None
    assert video.crf is not None

    assert crf_with(made, looked) == video.crf
    assert crf_with(made, looked, scored(made, 0, 86.0)) < video.crf - 1
    assert crf_with(made, looked, scored(made, 0, 94.0)) > video.crf + 1


def test_a_single_score_leads_no_further_than_a_single_sample() -> None:
    """One place may be the one easy one: coarser by three of the CRF for each. Only what is a small
    part, and scored itself before the rest, may go as far as with another one, and what is finer.
    """
    looked = looked_at()
    made = planned(looked)
    video = made.rung(NAME).video
    assert video is not None
    assert video.crf is not None
    assert made.steering is not None
    alone = replace(made, steering=replace(made.steering, windows=made.steering.windows[:1]))
    many = replace(made, steering=replace(made.steering, windows=windows_of(made.chunks[:5])))

    assert len(made.steering.windows) == 2
    assert crf_with(alone, looked, scored(made, 0, 99.0)) == pytest.approx(video.crf + 3)
    assert crf_with(many, looked, scored(many, 0, 99.0)) == pytest.approx(video.crf + 3)
    assert crf_with(made, looked, scored(made, 0, 99.0)) > video.crf + 3
    assert crf_with(alone, looked, scored(made, 0, 60.0)) == pytest.approx(video.crf - 6)


def test_later_chunks_make_up_for_what_the_first_ones_lack() -> None:
    """By their scores alone the CRF would stay where the target was met at last."""
    looked = looked_at()
    made = planned(looked, share=0.13)
    poor, good = scored(made, 0, 87.0, crf=26.0), scored(made, 1, 90.0, crf=23.0)
    fine = [replace(good, mean=90.0), replace(poor, mean=90.0, crf=23.0)]

    assert crf_with(made, looked, poor, good) < crf_with(made, looked, *fine) - 0.3


def shown(coded_bytes: Sequence[float], picture: VideoTrack) -> tuple[MediaInfo, Inspection]:
    """Shots of eight seconds each; a still one has few bytes and no detail."""
    frames = int(8 * picture.frame_rate)
    return looked_at(
        tuple(
            Shot(at * frames, (at + 1) * frames, 0.02, 0.03 if taken > 100 else 0.0005, taken)
            for at, taken in enumerate(coded_bytes)
        ),
        picture,
    )


def by_the_model(
    made: Plan, looked: tuple[MediaInfo, Inspection], chunk: Chunk, crf: float
) -> Probe:
    """What the first second of a chunk would score and take, were the model right."""
    (choice,), picture, video = made.choices, looked[0].picture, made.rungs[0].video
    assert picture is not None
    assert video is not None
    second = replace(chunk, end_frame=chunk.start_frame + int(picture.frame_rate))
    (kind,) = model.materials_within(looked[1], [second])
    shape, metric = model.shape_of(video, picture), choice.target.metric
    mean = model.score_of(metric, model.loss(metric, crf, kind, shape))
    bits = model.bits_a_frame(crf, kind, shape)
    return Probe(choice.profile, second.start_frame, second.end_frame, crf, mean, mean - 1, bits)


def crf_after(made: Plan, looked: tuple[MediaInfo, Inspection], seen: Sequence[Probe]) -> float:
    assert looked[0].picture is not None
    return crf_of(steered(made, looked[0].picture, looked[1], seen).rungs[0])


@pytest.mark.parametrize(("name", "picture"), [(NAME, HD), ("uhd-vvc", UHD)], ids=["VMAF", "XPSNR"])
def test_windows_that_stand_still_lead_no_moving_ones(name: str, picture: VideoTrack) -> None:
    """Three of 100, VMAF or dB, among shots that are otherwise alike, as a frozen picture is. The
    CRF of all that was left went up without bound.
    """
    looked = shown([1500.0] * 24, picture)
    made = planned(looked, profile(name), share=1.0)
    crf = made.choices[0].crf
    seen = [by_the_model(made, looked, chunk, crf) for chunk in made.chunks[:8]]
    still = [replace(one, mean=100.0, p5=100.0) for one in seen[:3]]

    without = crf_after(made, looked, seen[3:])
    assert crf_after(made, looked, [*still, *seen[3:]]) == pytest.approx(without, abs=2.0)
    # One of two may be the odd one: the other one is believed.
    without = crf_after(made, looked, seen[3:4])
    assert crf_after(made, looked, [*still[:1], *seen[3:4]]) == pytest.approx(without, abs=2.0)


@pytest.mark.parametrize(("name", "picture"), [(NAME, HD), ("uhd-vvc", UHD)], ids=["VMAF", "XPSNR"])
def test_stills_that_are_told_by_their_hardness_tell_of_stills(
    name: str, picture: VideoTrack
) -> None:
    """With a third of them the programme's mean is met, and moving pictures are not far below."""
    looked = shown([1500.0, 1500.0, 8.0] * 8, picture)
    made = planned(looked, profile(name), share=1.0)
    assert made.steering is not None
    target, seen = made.choices[0].target, list[Probe]()
    for chunk in itertools.chain(*in_order(made)):
        probe = by_the_model(made, looked, chunk, crf_after(made, looked, seen))
        is_still = chunk.index % 3 == 2
        seen.append(replace(probe, mean=100.0, p5=100.0) if is_still else probe)
    best = {"vmaf": 100.0, "xpsnr": 50.0}[target.metric]
    moving = [probe.mean for probe in seen if probe.mean < 100]

    assert (sum(moving) + best * 8) / 24 > target.value - 0.5
    assert min(moving) > target.value - 2.5 * NOTICEABLE[target.metric]
    assert max(probe.crf for probe in seen[12:]) <= max(probe.crf for probe in seen[:12])


def test_a_cap_that_binds_is_not_run_against() -> None:
    """Its chunks score less than they should, and a finer CRF takes no more bits."""
    looked = looked_at()
    made = planned(looked)
    video = made.rung(NAME).video
    assert video is not None
    assert video.crf is not None
    assert video.max_bitrate_bps is not None
    held_down = video.max_bitrate_bps / float(video.frame_rate)
    seen = [replace(scored(made, 0, 80.0), bits_a_frame=held_down)]

    assert video.crf - 2.5 < crf_with(made, looked, *seen) < video.crf
    assert crf_with(made, looked, scored(made, 0, 80.0)) == pytest.approx(video.crf - 6)


def test_av1_is_led_by_whole_crfs() -> None:
    """Its encoder has no others: a probe would tell of a CRF that was not encoded."""
    shots = tuple(Shot(at * 400, at * 400 + 400, 0.02, 0.03, 1500.0) for at in range(8))
    looked = looked_at(shots, UHD)
    made = planned(looked, profile("ott4k-av1-hlg"))
    (choice,), picture = made.choices, looked[0].picture
    assert made.steering is not None
    assert picture is not None
    window, capped = made.steering.windows[0], made.rungs[0].video
    assert capped is not None
    assert capped.max_bitrate_bps is not None
    for share in (0.5, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6):
        bits = share * capped.max_bitrate_bps / float(capped.frame_rate)
        frames = (window.start_frame, window.end_frame)
        seen = [Probe(choice.profile, *frames, choice.crf, choice.target.value - 4, 30.0, bits)]
        video = steered(made, picture, looked[1], seen).rungs[0].video
        assert video is not None
        assert video.crf is not None
        assert video.crf == int(video.crf)


@pytest.mark.parametrize(
    ("at", "mean", "chunks", "again"),
    [(0, 86.0, 10, True), (0, 89.0, 10, False), (1, 86.0, 10, False), (0, 86.0, 5, False)],
    ids=["far off", "near enough", "a later chunk", "too much of the programme"],
)
def test_a_first_chunk_far_from_its_target_is_encoded_again(
    at: int, mean: float, chunks: int, *, again: bool
) -> None:
    shots = tuple(Shot(n * 200, n * 200 + 200, 0.02, 0.03, 1500.0) for n in range(chunks))
    looked = looked_at(shots)
    made = planned(looked, share=0.13)
    assert made.steering is not None
    seen = [scored(made, at, mean)]
    chunk = made.chunks[made.steering.windows[at].index]

    assert is_worth_again(made, again_with(made, looked, *seen), chunk, seen) is again


def test_a_target_out_of_reach_is_not_tried_again() -> None:
    """Where a finer CRF gives next to nothing it stays about where it was."""
    looked = looked_at(tuple(Shot(n * 200, n * 200 + 200, 0.02, 0.03, 1500.0) for n in range(10)))
    made = planned(looked, share=0.13)
    assert made.steering is not None
    seen = [scored(made, 0, 86.0)]
    chunk = made.chunks[made.steering.windows[0].index]

    assert not is_worth_again(made, made, chunk, seen)


def test_rungs_without_a_score_stay_as_they_were() -> None:
    looked = looked_at()
    made = planned(looked, profile(NAME), profile("mobile-540p"))
    info, inspection = looked
    assert info.picture is not None
    assert made.steering is not None
    assert set(made.steering.profiles) == {NAME, "mobile-540p"}

    after = steered(made, info.picture, inspection, [scored(made, 0, 86.0)])

    assert after.rung("mobile-540p") == made.rung("mobile-540p")
    assert after.rung(NAME) != made.rung(NAME)


def test_a_window_begins_where_every_rung_has_a_frame() -> None:
    """A rung of 25 frames for 50 of the source has every second one."""
    picture = replace(HD, frame_rate=Fraction(50))
    shots = tuple(Shot(at * 401, at * 401 + 401, 0.02, 0.03, 1500.0) for at in range(8))
    made = planned(looked_at(shots, picture), profile(NAME))
    video = made.rung(NAME).video
    assert video is not None
    assert video.stride == 2
    assert made.steering is not None

    for window in made.steering.windows:
        assert window.start_frame % 2 == 0
        assert len(video.frames_within(window.start_frame, window.end_frame)) == 25


def test_one_piece_is_not_steered() -> None:
    made = planned(looked_at())
    assert made.steering is not None

    whole = in_one_piece(made, "its parts do not decode")

    assert whole.steering is None
    assert made.steering.told not in whole.decisions


def test_rungs_that_are_not_steered_are_encoded_without() -> None:
    """In a group of their own they wait for nothing, and hold no memory for scores."""
    looked = looked_at()
    names = ("archive-ffv1", NAME)
    made = replace(planned(looked, *map(profile, names)), together=(names[:1], names[1:]))
    alone, others = groups_of(made)
    assert made.steering is not None
    assert made.steering.profiles == others.steering.profiles == (NAME,)  # type: ignore[union-attr]
    chunk = made.chunks[made.steering.windows[0].index]

    assert in_order(alone) == (made.chunks,)
    assert in_order(others) == in_order(made)
    assert looked[0].picture is not None
    encoding = encode_bytes(looked[0].picture, alone, chunk, 2)
    assert steered_bytes(alone, chunk, looked[0], 2) == encoding
    assert steered_bytes(others, chunk, looked[0], 2) > 0


def test_no_window_is_scored_that_does_not_fit_into_memory() -> None:
    looked = looked_at()
    made = plan(*looked, [profile(NAME)])
    assert with_steering(made, *looked, Means(memory_bytes=100_000_000)).steering is None


def test_the_memory_of_a_scored_chunk_is_foreseen_with_its_score() -> None:
    looked = looked_at()
    made = planned(looked)
    assert made.steering is not None
    window = made.steering.windows[0]
    others = [chunk for chunk in made.chunks if window_in(made, chunk) is None]

    assert steered_bytes(made, made.chunks[window.index], looked[0], 2) >= steered_bytes(
        made, others[0], looked[0], 2
    )


# -- on a real file


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen seconds of 320x180p25 in shots of two, with more and less grain."""
    path = tmp_path_factory.mktemp("steering") / "clip.mkv"
    write_clip(path, seconds=16)
    return path


@pytest.fixture(scope="module")
def clip_with_stills(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twice as long, and every third shot is of bars."""
    path = tmp_path_factory.mktemp("steering") / "stills.mkv"
    bars = "[v];smptebars=s=320x180:r=25,format=yuv420p[b];[v][b]overlay=enable='gte(mod(t,6),4)'"
    write_clip(path, bars, seconds=32)
    return path


def write_clip(path: Path, over_it: str = "", *, seconds: int) -> None:
    pan = "mandelbrot=s=320x180:r=25:end_scale=0.05:maxiter=300,trim=end_frame=50,loop=-1:size=50"
    pan += ",format=yuv420p"
    grain = "noise=alls=10:allf=t:enable='lt(mod(t,4),2)',negate=enable='lt(mod(t,4),2)'"
    argv = [ffmpeg(), "-nostdin", "-v", "error", "-f", "lavfi", "-i", f"{pan},{grain}{over_it}"]
    argv += ["-t", str(seconds), "-c:v", "libx264", "-preset", "veryfast", "-crf", "6", "-g", "25"]
    subprocess.run([*argv, str(path)], check=True)


def rung(value: float, crf: float) -> Profile:
    """The profile's own CRF is where a clip nobody knows begins."""
    base = profile("mobile-540p")
    assert base.video is not None
    video = replace(
        base.video,
        crf=crf,
        target=Target("vmaf", value, "vmaf_v1.0.16"),
        max_bitrate_bps=None,
        buffer_bits=None,
    )
    return replace(base, video=video, audio=())


def led(
    clip: Path, wanted: Profile, folder: Path, *, share: float
) -> tuple[Plan, list[Probe], float]:
    """Its chunks as they are encoded one after the other, and the VMAF of the whole."""
    info = probe(clip)
    looked = info, finish(inspect(clip, info, folder))
    made = plan(*looked, [wanted], chunk_min_s=2)
    made = with_steering(made, *looked, Means(share))

    files: dict[int, Path] = {}
    probes: list[Probe] = []
    for chunk in itertools.chain(*in_order(made)):
        place = folder / f"chunk-{chunk.index}"
        place.mkdir()
        one = finish(encode_steered(LocalFile(clip), made, chunk, *looked, probes, place))
        probes += one.probes
        files[chunk.index] = one.encoded.files[wanted.name]
        assert [path.name for path in place.iterdir()] == [files[chunk.index].name]
    joined = folder / "joined.mp4"
    finish(join(made.rungs[0], [files[at] for at in sorted(files)], [], joined, made))

    (folder / "scores").mkdir()
    scores = finish(measure(clip, [(made.rungs[0], joined)], made, folder / "scores"))
    (mean,) = (one.mean for one in scores.of(wanted.name).measurements if one.metric == "vmaf")
    return made, probes, mean


@pytest.mark.media
def test_the_chunks_of_a_real_clip_are_led_to_their_target(clip: Path, tmp_path: Path) -> None:
    """The profile's own CRF is far too coarse, and so is the first chunk: it is encoded again."""
    made, probes, mean = led(clip, rung(88.0, crf=29.0), tmp_path, share=3.0)
    assert made.steering is not None
    first = made.steering.windows[0].start_frame
    crfs = [one.crf for one in probes if one.start_frame == first]
    assert len(crfs) == 2
    assert crfs[1] < crfs[0]
    assert len(probes) == len(made.steering.windows) + 1
    assert mean == pytest.approx(88.0, abs=1.5)


@pytest.mark.media
def test_still_shots_of_a_real_clip_lead_no_moving_ones(
    clip_with_stills: Path, tmp_path: Path
) -> None:
    """Each made the next chunk coarser, up to a moving picture of VMAF 16."""
    made, probes, mean = led(clip_with_stills, rung(88.0, crf=25.0), tmp_path, share=3.0)
    assert made.steering is not None
    assert len(made.steering.windows) > 10
    latest = {one.start_frame: one for one in probes}.values()
    assert min(one.mean for one in latest) > 75
    assert mean == pytest.approx(88.0, abs=1.5)


@pytest.mark.media
@pytest.mark.parametrize(("encoder", "codec"), [("libx264", "h264"), ("libx265", "hevc")])
def test_chunks_of_different_crfs_are_one_stream(
    encoder: str, codec: str, clip: Path, tmp_path: Path
) -> None:
    """Joined, only one of them leaves its headers: every chunk's pictures must fit them."""
    info = probe(clip)
    looked = info, finish(inspect(clip, info, tmp_path))
    wanted = rung(88.0, crf=23.0)
    assert wanted.video is not None
    video = replace(wanted.video, encoder=encoder, codec=codec, target=None)  # type: ignore[arg-type]
    if codec == "hevc":
        video = replace(video, codec_profile="main", level=None)
    made = plan(*looked, [replace(wanted, video=video)], chunk_min_s=4)
    files = []
    for chunk, crf in zip(made.chunks, itertools.cycle((16.0, 38.0)), strict=False):
        (only,) = made.rungs
        assert only.video is not None
        here = replace(made, rungs=(replace(only, video=replace(only.video, crf=crf)),))
        folder = tmp_path / f"{chunk.index}"
        folder.mkdir()
        files.append(finish(encode_part(LocalFile(clip), here, chunk, folder)).files[wanted.name])
    assert len(files) > 2
    joined = tmp_path / "joined.mp4"
    finish(join(made.rungs[0], files, [], joined, made))

    apart = [frame for file in files for frame in pictures(file)]
    assert pictures(joined) == apart
    assert len(apart) == made.frames


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as file:
        return [frame.to_ndarray().tobytes() for frame in file.decode(video=0)]


def test_targets_are_not_needed_to_plan_without_them() -> None:
    """A rung that has none is never steered."""
    wanted = profile(NAME)
    assert wanted.video is not None
    without = replace(wanted, video=replace(wanted.video, target=None))

    assert planned(looked_at(), without).steering is None
