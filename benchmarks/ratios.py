"""How a benchmark answers: its ratios by key, and behind them what they were made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """On stdout; `details` for machines alone."""
    if as_json:
        print(json.dumps(found, indent=2))
        return
    for key, value in found.items():
        if key != "details":
            print(f"{key} {value}")
