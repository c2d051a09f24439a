"""Liveness and readiness; no key needed, nothing secret said."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Literal

from fastapi import APIRouter, Request, Response

from api.backend import BackendDep
from api.models.common import Sent
from api.problems import WrongField, problem
from pipelines.errors import KapokError

log = logging.getLogger(__name__)

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
def ready(request: Request, backend: BackendDep) -> Health | Response:
    """Whether catalogue and object store answer: send no traffic while this is 503 `not_ready`."""
    checks: dict[str, Callable[[], object]] = {
        "catalogue": backend.database.check,
        "store": backend.objects.check,
    }
    failing = [found for name, check in checks.items() if (found := _failure(name, check))]
    if not failing:
        return Health()
    detail = "; ".join(f"{item.parameter}: {item.detail}" for item in failing)
    return problem(request, "not_ready", detail, retryable=True, errors=failing)


def _failure(name: str, check: Callable[[], object]) -> WrongField | None:
    try:
        check()
    except KapokError as error:
        log.warning("%s is not ready: %s", name, error.detail)
        return WrongField(parameter=name, detail="it does not answer; the log says why")
    return None
