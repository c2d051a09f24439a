"""Byte ranges and progress, purely: no server, no file."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.ranges import ByteRange, Unsatisfiable, matches, wanted_range
from api.views.jobs import USUAL, WEIGHTS, busy_s, eta_s, progress_share
from storage.schema import Step

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def wanted(asked: str | None, size_bytes: int = 100, if_range: str | None = None) -> Any:
    return wanted_range(
        asked, if_range, size_bytes=size_bytes, etag='"e"', modified="Thu, 01 Jan 1970"
    )


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (None, None),
        ("bytes=0-9", ByteRange(0, 10)),
        ("bytes=99-", ByteRange(99, 100)),
        (" Bytes = 5 - 9 ", ByteRange(5, 10)),
        ("bytes= - 30 ", ByteRange(70, 100)),
        ("bytes = - ", None),
        ("bytes=-30", ByteRange(70, 100)),
        ("bytes=50-1000", ByteRange(50, 100)),
        ("bytes=9-0", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("lines=1-2", None),
        ("bytes=0x1-0x2", None),
    ],
)
def test_a_range_is_half_open_and_inside_the_file(asked: str | None, expected: Any) -> None:
    assert wanted(asked) == expected


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ("bytes{}=0-9", ByteRange(0, 10)),
        ("bytes={}", None),
        ("bytes={}x", None),
        ("bytes=0{}x", None),
        ("bytes=0{}-9", ByteRange(0, 10)),
        ("bytes=0-{}9{}x", None),
    ],
)
def test_a_head_full_of_spaces_costs_nothing(form: str, expected: ByteRange | None) -> None:
    """Every request of the process waits meanwhile; a million would take hours if each were tried
    from each of their places.
    """
    assert wanted(form.replace("{}", " " * (1 << 20))) == expected


@pytest.mark.parametrize(("asked", "size"), [("bytes=100-", 100), ("bytes=-0", 5), ("bytes=0-", 0)])
def test_a_range_beyond_the_end_cannot_be_met(asked: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        wanted(asked, size)


def test_another_version_gets_the_whole_file() -> None:
    assert wanted("bytes=0-9", if_range='"other"') is None
    assert wanted("bytes=0-9", if_range='"e"') == ByteRange(0, 10)


def test_tags_match_weakly_and_in_lists() -> None:
    assert matches('"a", W/"e"', '"e"')
    assert matches("*", '"e"')
    assert not matches('"a"', '"e"')
    assert not matches(None, '"e"')


def step(kind: str, state: str, share: float | None = None) -> Step:
    return Step(kind=kind, state=state, progress=None if share is None else {"share": share})


def test_a_job_is_as_far_as_its_weights() -> None:
    """Before the plan the usual steps are expected; after it, those that there are."""
    assert progress_share([]) == 0.0
    total = sum(WEIGHTS[kind] for kind in USUAL)
    assert progress_share([step("fixity", "running", 0.5)]) == WEIGHTS["fixity"] * 0.5 / total
    planned = [step(kind, "done") for kind in ("fixity", "inspect", "plan")]
    planned += [step("encode", "running", 0.5), step("measure", "waiting")]
    weights = [WEIGHTS[one.kind] for one in planned]
    expected = (sum(weights[:3]) + weights[3] / 2) / sum(weights)
    assert progress_share(planned) == pytest.approx(expected)


def test_the_chunks_of_a_programme_weigh_what_one_encode_weighs() -> None:
    """However many there are: scoring the whole takes as long as before."""
    rest = step("measure", "waiting")
    one = progress_share([step("encode", "running", 0.5), rest])
    many = [step("encode", "done"), step("encode", "waiting")] * 50
    assert progress_share([*many, rest]) == pytest.approx(one)


def test_only_a_done_job_is_wholly_done() -> None:
    """What failed or was cancelled is no progress."""
    assert progress_share([step("encode", "done"), step("measure", "done")]) == 1.0
    for state in ("failed", "cancelled", "waiting", "ready"):
        assert progress_share([step("encode", "done"), step("measure", state)]) < 1.0


@pytest.mark.parametrize("share", [-1.0, None, 7.0])
def test_a_wild_share_stays_between_nothing_and_all(share: float | None) -> None:
    assert 0.0 <= progress_share([step("encode", "running", share)]) <= 1.0


def at(kind: str, start_s: float, end_s: float | None) -> Step:
    made = step(kind, "running" if end_s is None else "done")
    made.started_at = BEGAN + timedelta(seconds=start_s)
    made.finished_at = None if end_s is None else BEGAN + timedelta(seconds=end_s)
    return made


def test_time_counts_once_and_only_while_a_step_is_at_work() -> None:
    """Two at once count once; the night between a failure and its retry counts not at all."""
    now = BEGAN + timedelta(seconds=50_010)
    steps = [
        at("fixity", 0, 5),
        at("encode", 10, 30),
        at("audio", 12, 20),
        at("join", 50_000, None),
    ]
    assert busy_s(steps, now) == 5 + 20 + 10
    assert busy_s([], now) == 0


def test_the_rest_is_expected_to_go_as_fast_as_so_far() -> None:
    """Too early to say below 5 %."""
    now = BEGAN + timedelta(seconds=30)
    steps = [at("encode", 0, None)]
    assert eta_s(0.25, steps, now) == 90.0
    assert eta_s(1.0, steps, now) == 0.0
    assert eta_s(0.01, steps, now) is None
