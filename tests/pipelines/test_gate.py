"""The gate of a zone decides by facts alone, and tells every reason in both languages."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from pipelines.gate import GateFacts, RenditionState, RightsWindow, evaluate

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
READY = RenditionState("ren_1", "cn4k-hevc-hlg", "ready", "ab" * 32)
OPEN = GateFacts(
    zone="uhd-4k",
    required_profiles=("cn4k-hevc-hlg",),
    asset_state="ready",
    renditions=(READY, RenditionState("ren_2", "mobile-540p", "failed", None)),
    rights=(),
    now=NOW,
)
WINDOW = RightsWindow("Yuexiu Museum", ("uhd-4k",), NOW - timedelta(1), NOW + timedelta(1))


def codes(facts: GateFacts) -> list[str]:
    return [reason.code for reason in evaluate(facts).reasons]


def test_an_asset_with_the_required_rendition_passes() -> None:
    """A failed rung that the zone does not ask for is no obstacle."""
    assert evaluate(OPEN).passes
    assert codes(OPEN) == []


def test_any_one_of_the_required_profiles_is_enough() -> None:
    """A zone may accept several; the first that is ready opens it."""
    assert evaluate(replace(OPEN, required_profiles=("cn8k-hevc-hlg", "cn4k-hevc-hlg"))).passes


def test_a_zone_without_requirements_wants_something_ready() -> None:
    """Nothing at all is not publishable."""
    assert evaluate(replace(OPEN, required_profiles=())).passes
    assert codes(replace(OPEN, required_profiles=(), renditions=())) == ["rendition_not_ready"]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(OPEN, asset_state="processing"), "asset_processing"),
        (replace(OPEN, asset_state="failed"), "asset_not_ready"),
        (replace(OPEN, asset_state="cancelled"), "asset_not_ready"),
        (replace(OPEN, renditions=()), "profile_missing"),
        (replace(OPEN, renditions=(replace(READY, state="failed"),)), "rendition_not_ready"),
        (replace(OPEN, renditions=(replace(READY, state="planned"),)), "rendition_not_ready"),
        (replace(OPEN, renditions=(replace(READY, sha256=None),)), "rendition_without_hash"),
        (replace(OPEN, rights=(replace(WINDOW, starts_at=NOW + timedelta(1)),)), "rights_closed"),
        (replace(OPEN, rights=(replace(WINDOW, ends_at=NOW),)), "rights_closed"),
        (replace(OPEN, rights=(replace(WINDOW, platforms=("mobile",)),)), "rights_closed"),
        (
            replace(OPEN, rights=(replace(WINDOW, derivatives_permitted=False),)),
            "derivatives_not_permitted",
        ),
    ],
)
def test_what_is_missing_closes_the_gate(facts: GateFacts, code: str) -> None:
    """One thing is wrong, so there is one reason."""
    assert codes(facts) == [code]


def test_a_rights_window_is_half_open() -> None:
    """It allows its first instant and not its last; an open end never closes."""
    assert evaluate(replace(OPEN, rights=(replace(WINDOW, starts_at=NOW),))).passes
    assert not evaluate(replace(OPEN, rights=(replace(WINDOW, ends_at=NOW),))).passes
    forever = replace(WINDOW, starts_at=None, ends_at=None, platforms=())
    assert evaluate(replace(OPEN, rights=(forever,))).passes


def test_one_open_window_among_closed_ones_is_enough() -> None:
    """Rights are a union: an expired contract does not undo a running one."""
    expired = replace(WINDOW, ends_at=NOW - timedelta(hours=1))
    assert evaluate(replace(OPEN, rights=(expired, WINDOW))).passes


def test_every_reason_is_told_at_once() -> None:
    """Nobody should learn of the second obstacle after removing the first."""
    facts = replace(
        OPEN, asset_state="failed", renditions=(), rights=(replace(WINDOW, ends_at=NOW),)
    )
    assert codes(facts) == ["asset_not_ready", "profile_missing", "rights_closed"]


def test_who_publishes_while_the_job_runs_is_told_to_wait_for_it() -> None:
    """To retry it would be refused; what failed or was cancelled needs just that."""
    for states, english, chinese in (
        (("planned",), "wait for its job", "请等待任务完成"),
        (("failed", "planned"), "wait for its job", "请等待任务完成"),
        (("failed", "cancelled"), "retry the job", "请重试任务"),
    ):
        made = tuple(replace(READY, state=state) for state in states)
        (reason,) = evaluate(replace(OPEN, renditions=made)).reasons
        assert english in reason.text_en
        assert chinese in reason.text_zh


def test_reasons_are_told_in_english_and_chinese() -> None:
    """Both name the zone and what it asks for, and the way out."""
    (reason,) = evaluate(replace(OPEN, renditions=())).reasons
    assert reason.text_en == (
        "Zone uhd-4k needs a rendition of cn4k-hevc-hlg; this asset has none: encode one."
    )
    assert reason.text_zh == "专区 uhd-4k 要求档位 cn4k-hevc-hlg，该媒资没有相应成品：请先转码。"
    assert re.search(r"[一-鿿]", reason.text_zh)
