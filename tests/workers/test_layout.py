"""The steps that a plan needs, and who waits for whom."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from pipelines.media import Colour, MediaInfo, VideoTrack
from pipelines.planning.plan_types import AudioPlan, Chunk, Plan, Rung, VideoPlan
from workers.steps.encode import scratch_bytes
from workers.steps.plan import steps_of

SOUND = AudioPlan("aac", "aac", 2, "stereo", 48_000, 128_000, (0,), "source")
PICTURE = VideoPlan(
    codec="h264",
    encoder="libx264",
    width=640,
    height=360,
    frame_rate=Fraction(25),
    frames=250,
    pix_fmt="yuv420p",
    colour=Colour(),
    conversion="none",
    field_order="progressive",
    max_bitrate_bps=1_000_000,
)

SOURCE = MediaInfo(
    "mov",
    1,
    None,
    (VideoTrack(0, "h264", None, 640, 360, "yuv420p", 8, Fraction(25), Colour()),),
    (),
)


def _rung(profile: str, *, picture: bool = True, packaged: bool = False) -> Rung:
    return Rung(profile, 1, "mp4", PICTURE if picture else None, (SOUND,), packaged)


def _plan(*rungs: Rung, chunks: int = 1) -> Plan:
    return Plan(
        duration_s=Fraction(10),
        frames=250,
        frame_rate=Fraction(25),
        constant_frame_rate=True,
        first_picture_s=Fraction(0),
        audio_start_s=(Fraction(0),),
        video_track=0,
        audio_tracks=(1,),
        rungs=rungs,
        refused=(),
        chunks=tuple(Chunk(n, n * 250 // chunks, (n + 1) * 250 // chunks) for n in range(chunks)),
        decisions=(),
    )


def _waits(plan: Plan, zone: str | None = None) -> dict[str, tuple[str, ...]]:
    return {step.name: step.after for step in steps_of(plan, SOURCE, zone)}


def test_two_rungs_become_one_encode_and_two_renditions() -> None:
    """One decode for all rungs; the sound beside it; the package after what is packaged."""
    plan = _plan(_rung("hd", packaged=True), _rung("proxy"))
    assert _waits(plan, "hd") == {
        "encode chunk 1 of 1": (),
        "encode the sound": (),
        "join hd": ("encode chunk 1 of 1", "encode the sound"),
        "join proxy": ("encode chunk 1 of 1", "encode the sound"),
        "measure hd, proxy": ("join hd", "join proxy"),
        "package for HLS and DASH": ("join hd",),
        "publish to hd": (
            "join hd",
            "join proxy",
            "measure hd, proxy",
            "package for HLS and DASH",
        ),
    }


def test_what_has_another_reference_is_measured_by_itself() -> None:
    """Here another conversion: its scores wait for no other rendition."""
    other = replace(_rung("sdr"), video=replace(PICTURE, conversion="hlg_to_sdr"))
    steps = [*steps_of(_plan(_rung("hd"), other, _rung("proxy")), SOURCE, None)]
    assert [(one.name, one.payload, one.after) for one in steps if one.kind == "measure"] == [
        ("measure hd, proxy", {"profiles": ["hd", "proxy"]}, ("join hd", "join proxy")),
        ("measure sdr", {"profiles": ["sdr"]}, ("join sdr",)),
    ]


def test_a_job_without_scores_measures_nothing() -> None:
    plan = _plan(_rung("hd"))
    assert "measure" not in {step.kind for step in steps_of(plan, SOURCE, None, scores=False)}


def test_every_chunk_is_a_step_and_a_join_waits_for_all() -> None:
    """Chunks can run on any worker."""
    waits = _waits(_plan(_rung("hd"), chunks=2))
    assert waits["join hd"] == ("encode chunk 1 of 2", "encode chunk 2 of 2", "encode the sound")


def test_a_lossless_rung_is_not_measured() -> None:
    """Its join proves every frame, also of a job without scores."""
    lossless = replace(_rung("archive"), video=replace(PICTURE, lossless=True))
    assert list(_waits(_plan(lossless, _rung("proxy"))))[-1:] == ["measure proxy"]


def test_sound_alone_needs_no_picture_steps() -> None:
    """There is no picture to encode, to measure or to package."""
    assert _waits(_plan(_rung("audio", picture=False))) == {
        "encode the sound": (),
        "join audio": ("encode the sound",),
    }


def test_the_space_for_a_chunk_follows_its_bitrate_cap() -> None:
    """1 Mb/s for ten seconds, twice, and half of that for half of the frames."""
    plan = _plan(_rung("hd"), _rung("proxy"), chunks=2)
    assert scratch_bytes(plan, plan.chunks[0], 10**12) == 1_250_000


def test_a_copy_takes_the_space_of_its_source() -> None:
    """And not that of raw pictures, which no scratch disk has for an hour of 2160p50."""
    copied = replace(_rung("remux"), video=replace(PICTURE, lossless=True, encoder="copy"))
    plan = _plan(copied)
    assert scratch_bytes(plan, plan.chunks[0], 10**9) == 10**9
