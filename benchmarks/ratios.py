"""How a benchmark measures and answers: ratios by key, behind them what they were made of."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable, Mapping
from typing import Any


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """On stdout; `details` for machines alone."""
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        if key != "details":
            print(f"{key} {value}")


def cpu_of(work: Callable[[], object]) -> float:
    """CPU seconds of the children that it waits for."""

    def spent() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    began = spent()
    work()
    return round(spent() - began, 3)
