"""What people read comes in the language that they ask for: English, or Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import api_world
import httpx
import pytest

from pipelines.planning.plan import plan
from pipelines.planning.plan_types import Chunk, Plan, Refusal, Steering
from pipelines.profiles.profile import profile
from pipelines.records import to_json
from pipelines.words import Words
from storage.catalogue import jobs
from tests.pipelines.sources import UHD, described

DECIDED = Words("encoded in one piece: its clock jumps", "整体编码：时钟有跳变")
REFUSED = Words("the source is smaller: 1920x1080", "来源较小：1920x1080")
STEERED = Words("1 of 3 chunks is scored", "3 个分块中有 1 个评分")
FOUND = Words("its fields come in the other order than it is flagged", "场序与标记的相反")
SPOKEN = [
    ({}, "en"),
    ({"Accept-Language": "en-GB,zh;q=0.5"}, "en"),
    ({"Accept-Language": "fr"}, "en"),
    ({"Accept-Language": "zh-CN"}, "zh"),
    ({"Accept-Language": "zh-Hans-CN,zh;q=0.9,en;q=0.8"}, "zh"),
]


def asked(client: httpx.Client, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    answer = client.get(path, headers=headers)
    assert answer.status_code == 200
    assert "Accept-Language" in answer.headers["vary"]
    body: dict[str, Any] = answer.json()
    return body


def planned(org: api_world.Organisation, made: Plan, record: Mapping[str, Any]) -> str:
    """The id of a job with the plan `made`, kept as `record`."""
    job = org.job_of(org.asset())
    with org.running.database.begin() as session:
        row = jobs.get_job(session, org.id, job.id)
        jobs.record_plan(session, row, record, [to_json(rung) for rung in made.rungs])
    return str(job.id)


def plan_with_words() -> Plan:
    return replace(
        plan(*described(UHD), [profile("hd-avc-sdr")]),
        decisions=(DECIDED,),
        refused=(Refusal("cn4k-hevc-hlg", "would_upscale", REFUSED),),
        steering=Steering(("hd-avc-sdr",), (Chunk(0, 0, 25),), STEERED),
    )


@pytest.mark.parametrize(("headers", "language"), SPOKEN)
def test_a_plan_is_told_in_the_language_that_is_asked_for(
    org: api_world.Organisation, admin: httpx.Client, headers: dict[str, str], language: str
) -> None:
    """Its decisions, and what it refuses: as plain text, whatever is kept."""
    made = plan_with_words()
    body = asked(admin, f"/v1/jobs/{planned(org, made, to_json(made))}", headers)
    shown = body["plan"]
    assert shown["decisions"] == [DECIDED.record()[language]]
    assert shown["steering"]["told"] == STEERED.record()[language]
    for refused in (body["refused"], shown["refused"]):
        assert [one["reason"] for one in refused] == [REFUSED.record()[language]]


@pytest.mark.parametrize(("headers", "language"), SPOKEN)
def test_what_was_found_of_a_source_is_told_in_the_language_that_is_asked_for(
    org: api_world.Organisation, admin: httpx.Client, headers: dict[str, str], language: str
) -> None:
    """An inspection of an earlier version kept English alone."""
    found = [FOUND.record(), "as it was"]
    asset = org.asset(inspection={**api_world.INSPECTION, "findings": found})
    body = asked(admin, f"/v1/assets/{asset.id}", headers)
    assert body["inspection"]["findings"] == [FOUND.record()[language], "as it was"]


def test_a_plan_of_an_earlier_version_is_told_as_it_was(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    made = plan_with_words()
    job_id = planned(org, made, to_json(made, said=str))
    body = asked(admin, f"/v1/jobs/{job_id}", {"Accept-Language": "zh-CN"})
    assert body["plan"]["decisions"] == [DECIDED]
    assert body["refused"][0]["reason"] == REFUSED
