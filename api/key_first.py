"""A key before a body: whoever shows no good one makes the server hold nothing."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.auth import bearer, find_caller
from api.envelope import brings_body
from api.problems import refusal
from pipelines.errors import KapokError
from storage.database import Database


class KeyFirst:
    """Refuses a body that comes without a good key before it is read.

    The routes look the key up again: it may be revoked while the body comes.
    """

    def __init__(self, app: ASGIApp, database: Database) -> None:
        self.app = app
        self.database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if brings_body(scope):
            request = Request(scope)
            try:
                await run_in_threadpool(find_caller, self.database, await bearer(request))
            except KapokError as error:
                await refusal(request, error)(scope, receive, send)
                return
        await self.app(scope, receive, send)
