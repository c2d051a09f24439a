"""Events: the append-only, hash-chained record of what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from api.models.common import Sent


class Event(Sent):
    seq: int = Field(
        description="Its place in the chain; grows, with gaps where others' events are."
    )
    at: datetime
    type: str
    subject: str
    actor: str
    payload: dict[str, Any]
    hash: str


class Events(Sent):
    data: list[Event]
    next_cursor: str = Field(description="Pass it as `after`.")
    has_more: bool
