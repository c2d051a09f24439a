"""The texts within a plan's tracks are told in the language of the request."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.language import Languages
from api.models.jobs import Rung
from pipelines.planning.plan_types import AudioPlan, LoudnessPlan
from pipelines.records import from_json, to_json
from pipelines.words import Words
from tests.pipelines.handmade import RUNG, STEREO

SHORT = Words("it is too short to be measured", "太短，无法测量")
JUMPS = Words("the file's clock jumps", "文件的时钟有跳变")
TRACK = replace(STEREO, loudness=LoudnessPlan(-24, 0.5, -2, kept=SHORT), not_copied=JUMPS)


async def track_as_told(language: str) -> Any:
    app = FastAPI()
    app.add_middleware(Languages)

    @app.get("/v1/rung")
    def rung() -> Rung:
        kept = from_json(AudioPlan, to_json(TRACK))
        return Rung.model_validate(replace(RUNG, audio=(kept,)))

    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://kapok") as client:
        answer = await client.get("/v1/rung", headers={"Accept-Language": language})
    (track,) = answer.json()["audio"]
    return track


@pytest.mark.parametrize(
    ("language", "told"), [("zh-CN", (SHORT.zh, JUMPS.zh)), ("en", (SHORT, JUMPS))]
)
def test_a_track_says_why_in_the_language_of_the_request(
    language: str, told: tuple[str, str]
) -> None:
    track = asyncio.run(track_as_told(language))
    assert (track["loudness"]["kept"], track["not_copied"]) == told
