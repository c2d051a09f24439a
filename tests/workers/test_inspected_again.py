"""Two jobs of one asset, whose inspection is one: none is planned without what it asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clips
import pytest
from engine_bench import Bench
from uploaded import uploaded

from pipelines.profiles.profile import read_profile
from storage.catalogue import jobs, profiles
from storage.schema import Asset
from workers.engine import Engine

pytestmark = [pytest.mark.media, pytest.mark.slow]

SMALL_PQ = read_profile(
    b"""
name = "own-small-pq"
version = 1
title_en = "Small PQ"
title_zh = "small"
container = "mp4"

[video]
codec = "hevc"
encoder = "libx265"
fit = "inside"
width = 320
height = 180
pix_fmt = "yuv420p10le"
dynamic_range = "pq"
preset = "ultrafast"
crf = 28

[[basis]]
what = "everything"
source = "this test"
certainty = "P"
"""
)
PQ = {"profiles": ["own-small-pq"], "scores": False}
PLANNED = ["fixity", "inspect", "plan"]


@pytest.fixture
def engine(embedded: Bench) -> Iterator[Engine]:
    with embedded.database.begin() as session:
        profiles.add_profile(session, embedded.organisation_id, SMALL_PQ, "test")
    engine = Engine(embedded.settings, embedded.database, embedded.objects, embedded.broker)
    yield engine
    engine.close()


def another(bench: Bench, job_id: str, request: dict[str, Any]) -> str:
    """Another job of its asset."""
    with bench.database.begin() as session:
        asset = session.get_one(Asset, bench.row(job_id).asset_id)
        return jobs.start_job(session, asset, request, "test").id


def run(bench: Bench, engine: Engine, job_id: str, *kinds: str) -> None:
    """Its ready steps of these kinds, one after another."""
    while ready := [
        step
        for step in bench.steps(job_id).values()
        if step.state == "ready" and step.kind in kinds
    ]:
        engine.run_step(ready[0].id)


def light(bench: Bench, job_id: str) -> dict[str, int]:
    """MaxCLL and MaxFALL of its one rendition's plan."""
    (rung,) = (bench.row(job_id).plan or {})["rungs"]
    found: dict[str, int] = rung["video"]["content_light"]
    return found


def measured(bench: Bench, job_id: str) -> dict[str, int]:
    """What the latest inspection of its asset says of the light."""
    with bench.database.read() as session:
        asset = session.get_one(Asset, bench.row(job_id).asset_id)
    found: dict[str, int] = (asset.inspection or {})["light"]
    return found


def test_a_job_without_pq_takes_no_light_from_one_that_has_it_measured(
    embedded: Bench, engine: Engine, tmp_path: Path
) -> None:
    """Both inspect side by side, and the one that needs no light ends last."""
    first = uploaded(embedded, clips.pq_codes(tmp_path, "smpte2084"), PQ)
    run(embedded, engine, first, "fixity")
    second = another(embedded, first, {"profiles": ["mobile-540p"], "scores": False})
    run(embedded, engine, first, "inspect")
    in_pq = measured(embedded, first)
    run(embedded, engine, second, "inspect")
    run(embedded, engine, first, "plan")
    assert [step.kind for step in embedded.steps(first).values()][:4] == [*PLANNED, "encode"]
    assert light(embedded, first) == in_pq


def test_a_source_that_was_inspected_as_another_colour_is_inspected_again(
    embedded: Bench, engine: Engine, tmp_path: Path
) -> None:
    """A job was cancelled before it had planned; then another stated that the source is HLG."""
    first = uploaded(embedded, clips.pq_codes(tmp_path, "smpte2084"), PQ)
    run(embedded, engine, first, "fixity", "inspect")
    in_pq = measured(embedded, first)
    embedded.cancel(first)
    second = another(embedded, first, {**PQ, "source_colour": "hlg"})
    run(embedded, engine, second, "inspect", "plan")
    in_hlg = light(embedded, second)
    assert [step.kind for step in embedded.steps(second).values()][:3] == [*PLANNED[1:], "encode"]
    embedded.retry(first)
    run(embedded, engine, first, *PLANNED)
    steps = embedded.steps(first)
    assert [step.kind for step in steps.values()][:6] == [*PLANNED, *PLANNED[1:], "encode"]
    assert "inspect the source again for the light of a PQ rendition" in steps
    assert (light(embedded, first), in_hlg != in_pq) == (in_pq, True)


def test_a_job_takes_its_own_inspection_as_it_is(
    embedded: Bench, engine: Engine, tmp_path: Path
) -> None:
    """What it did not find it would not find the next time, for ever."""
    first = uploaded(embedded, clips.pq_codes(tmp_path, "smpte2084"), PQ)
    run(embedded, engine, first, "fixity", "inspect")
    with embedded.database.begin() as session:
        asset = session.get_one(Asset, embedded.row(first).asset_id)
        asset.inspection = {**(asset.inspection or {}), "light": None, "light_colour": None}
    run(embedded, engine, first, *PLANNED)
    assert [step.kind for step in embedded.steps(first).values()][:4] == [*PLANNED, "encode"]
