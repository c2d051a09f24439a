"""What stands behind the routes: settings, catalogue, object store and queue of this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import dramatiq
from fastapi import Depends, Request

from storage.database import Database
from storage.objects import ObjectStore
from storage.settings import Settings


@dataclass(frozen=True, slots=True)
class Backend:
    settings: Settings
    database: Database
    objects: ObjectStore
    broker: dramatiq.Broker
    signing_key: bytes = field(repr=False)
    body_idle_s: float = 60.0  # a part whose next byte takes longer is given up


async def _backend(request: Request) -> Backend:
    found: Backend = request.app.state.backend
    return found


BackendDep = Annotated[Backend, Depends(_backend)]
