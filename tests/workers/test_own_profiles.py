"""A job of an organisation's own HEVC profile, on workers of which one has no x265."""

from __future__ import annotations

from pathlib import Path

import pytest
from engine_bench import Bench, eventually
from test_able_workers import lame, living
from uploaded import clip, uploaded

from pipelines.profiles.profile import read_profile
from pipelines.profiles.profile_key import profile_key
from storage.catalogue import keys, profiles, renditions

pytestmark = [pytest.mark.media, pytest.mark.slow]

__all__ = ["lame"]  # a fixture

SMALL_HEVC = read_profile(
    b"""
name = "own-small-hevc"
version = 1
title_en = "Small HEVC"
title_zh = "small"
container = "mp4"

[video]
codec = "hevc"
encoder = "libx265"
fit = "inside"
width = 320
height = 180
pix_fmt = "yuv420p"
dynamic_range = "sdr"
preset = "ultrafast"
crf = 28

[[audio]]
codec = "aac"
channels = 2
sample_rate_hz = 48000
bitrate_bps = 96000

[[basis]]
what = "everything"
source = "this test"
certainty = "P"
"""
)
KEY = profile_key(SMALL_HEVC)


def add(bench: Bench) -> None:
    with bench.database.begin() as session:
        profiles.add_profile(session, bench.organisation_id, SMALL_HEVC, "test")


def test_every_step_of_its_rung_runs_where_it_was_proven(
    bench: Bench, lame: dict[str, str], tmp_path: Path
) -> None:
    """Both workers prove it by themselves soon after it was added; one of them cannot."""
    able, other = bench.worker(KINDS="real"), bench.worker(KINDS="real", **lame)
    add(bench)
    eventually(lambda: [KEY in one.verdicts for one in living(bench)] == [True, True], 60)
    assert {f":{able.pid}:" in one.name: one.can_do(KEY) for one in living(bench)} == {
        True: True,
        False: False,
    }
    request = {"profiles": ["own-small-hevc"], "scores": False}
    jobs = [uploaded(bench, clip(tmp_path / f"{n}.mp4"), request) for n in range(2)]
    assert {bench.settled(job, 180) for job in jobs} == {"done"}
    for job in jobs:
        ran = {one.kind: str(one.worker) for one in bench.steps(job).values()}
        assert {f":{able.pid}:" in ran[kind] for kind in ("encode", "audio", "join")} == {True}
        with bench.database.read() as session:
            (made,) = renditions.of_job(session, job)
        assert (made.state, (made.facts or {})["codec"]) == ("ready", "hevc")
    assert other.poll() is None


def test_another_organisation_cannot_have_it(embedded: Bench, tmp_path: Path) -> None:
    """Not even by a job whose request names it, however it came there."""
    add(embedded)
    with embedded.database.begin() as session:
        embedded.organisation_id = keys.create_organisation(session, "other", actor="test").id
    embedded.worker(KINDS="real")
    job = uploaded(embedded, clip(tmp_path / "clip.mp4"), {"profiles": ["own-small-hevc"]})
    assert embedded.settled(job, 120) == "failed"
    error = embedded.row(job).error or {}
    assert error["code"] == "unknown_profile"
    assert "own-small-hevc" not in error["detail"].partition("choose")[2]
