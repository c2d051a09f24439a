"""Liveness and readiness; no key needed, nothing secret said."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response

from api.models.common import Sent
from api.problems import problem
from api.readiness import Readiness

router = APIRouter(prefix="/health", tags=["health"])


class Health(Sent):
    status: Literal["ok"] = "ok"


@router.head("/live", include_in_schema=False)
@router.get("/live")
async def live() -> Health:
    """Whether this process answers: restart it when it does not."""
    return Health()


@router.head("/ready", response_model=Health, include_in_schema=False)
@router.get("/ready", response_model=Health)
async def ready(request: Request) -> Health | Response:
    """Whether catalogue and object store answer: send no traffic while this is 503 `not_ready`."""
    readiness: Readiness = request.app.state.readiness
    failing = await readiness.failing()
    if not failing:
        return Health()
    detail = "; ".join(f"{item.parameter}: {item.detail}" for item in failing)
    return problem(request, "not_ready", detail, retryable=True, errors=failing)
