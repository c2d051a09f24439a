"""How long a server that is away is waited for."""

from __future__ import annotations

import time

import pytest

from storage.errors import StoreUnavailable
from workers import outage
from workers.outage import outlast


def test_an_outage_begins_when_the_server_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not with the call: a restart in the twentieth minute of a transfer threw the step away."""
    monkeypatch.setattr(outage, "OUTAGE_S", 0.5)
    calls: list[float] = []

    def put() -> str:
        calls.append(time.monotonic())
        if len(calls) == 1:
            time.sleep(0.8)
            raise StoreUnavailable("no answer")
        return "stored"

    assert outlast(put) == "stored"
    assert len(calls) == 2


def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "OUTAGE_S", 0.5)

    def put() -> None:
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable):
        outlast(put)
