"""The application: routes, what stands around them, and what stands behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

import dramatiq
from fastapi import FastAPI

from api import documentation, openapi, problems
from api.backend import Backend
from api.envelope import RequestIds, SmallBodies
from api.key_first import KeyFirst
from api.language import Languages
from api.queries import KNOWN_QUERIES
from api.readiness import Readiness
from api.routes import (
    asset_files,
    assets,
    centres,
    events,
    health,
    jobs,
    keys,
    playback,
    profiles,
    publications,
    renditions,
    store,
    uploads,
    zones,
)
from api.tail import EventTail
from storage.database import Database
from storage.objects import ObjectStore
from storage.objects_local import LocalStore
from storage.settings import Settings, data_signing_key

WITH_KEY = (
    uploads.router,
    assets.router,
    asset_files.router,
    jobs.router,
    renditions.router,
    profiles.router,
    zones.router,
    publications.router,
    centres.router,
    events.router,
    keys.router,
)
WITHOUT_KEY = (playback.router, health.router, documentation.router)


def create_app(
    settings: Settings,
    database: Database,
    objects: ObjectStore,
    broker: dramatiq.Broker,
    *,
    heartbeat_s: float = 15.0,
    body_idle_s: float = 60.0,
    body_s: float = 30.0,
) -> FastAPI:
    """For `api.server.make_server`. The store's signed URLs are served for a local folder only."""
    app = FastAPI(
        title="Kapok API",
        version=version("kapok"),
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=_lifespan,
        redirect_slashes=False,  # a redirect would lead to whatever host the request names
    )
    app.state.backend = Backend(
        settings=settings,
        database=database,
        objects=objects,
        broker=broker,
        signing_key=data_signing_key(settings),
        body_idle_s=body_idle_s,
    )
    app.state.readiness = Readiness({"catalogue": database.check, "store": objects.check})
    app.state.tail = EventTail(database, heartbeat_s)
    app.openapi = lambda: openapi.describe(app)  # type: ignore[method-assign] # FastAPI's documented way
    app.add_middleware(SmallBodies, limit_s=body_s)
    app.add_middleware(KeyFirst, database=database)
    app.add_middleware(Languages)
    app.add_middleware(RequestIds)
    problems.install(app)
    for router in WITH_KEY:
        app.include_router(router, dependencies=KNOWN_QUERIES)
    for router in WITHOUT_KEY:
        app.include_router(router)
    if isinstance(objects, LocalStore):
        app.include_router(store.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    app.state.tail.stop()
