"""Many things of a sweep, of which some fail."""

from __future__ import annotations

import pytest

from storage.errors import StoreUnavailable
from workers import outage
from workers.outage import each


def test_what_fails_slowly_each_time_hides_nothing_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One failure ends a sweep here, and the same thing fails in all of them."""
    monkeypatch.setattr(outage, "FAILING_S", -1.0)
    done: set[int] = set()

    def act(thing: int) -> None:
        if thing == 0:
            raise StoreUnavailable("no answer")
        done.add(thing)

    for _ in range(200):
        with pytest.raises(StoreUnavailable):
            each(range(5), act)
    assert done == {1, 2, 3, 4}
