"""Events: read them by cursor, or listen."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from api.auth import Action, Caller, may
from api.backend import Backend, BackendDep
from api.models import events as model
from api.tail import EventTail
from storage.catalogue import events, keys
from storage.errors import CatalogueUnavailable, InvalidCursor

BATCH = 500
WAY_OUT = "begin again without one, or with 0 for everything"
EVENT_EXAMPLE = (
    'id: 42\ndata: {"seq": 42, "at": "2026-01-31T08:00:00Z", "type": "asset.ready", '
    '"subject": "ast_01k9z8q4m7c2v5x3n6b1h0t8ye", "actor": "system", "payload": {}, '
    f'"hash": "{"9f86d081884c7d65" * 4}"}}\n\n'
)

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["events"])
Listener = Annotated[Caller, Depends(may(Action.READ_EVENTS))]


@router.get(
    "/events",
    response_model=model.Events,
    responses={200: {"content": {"text/event-stream": {"example": EVENT_EXAMPLE}}}},
)
async def read_events(
    request: Request,
    backend: BackendDep,
    caller: Listener,
    after: Annotated[
        str | None, Query(description="`next_cursor`, or the `seq` of an event.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    last_event_id: Annotated[str | None, Header()] = None,
) -> Response | model.Events:
    """What happened in this organisation, oldest first.

    With `Accept: text/event-stream` the answer stays open: first what came after `Last-Event-ID`
    (or `after`), then every event as it happens. Without either it begins now. Each message's `id`
    is the event's `seq`, its `data` the event; comments in between keep the connection alive. It
    ends when the key is revoked. A place beyond the newest event is 400, for a stream too: an
    `EventSource` then gives up, and says so.
    """
    if not any("text/event-stream" in wanted for wanted in request.headers.getlist("accept")):
        return await run_in_threadpool(_page, backend, caller, _cursor(after), limit)
    given = last_event_id if last_event_id is not None else after
    begin = await run_in_threadpool(_begin, backend, given)
    tail: EventTail = request.app.state.tail
    return StreamingResponse(
        _stream(backend, caller, tail, begin),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _cursor(text: str | None) -> int:
    if not text:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise InvalidCursor("'after' is a `next_cursor` or the `seq` of an event: begin with 0.")
    return int(text)


def _begin(backend: Backend, given: str | None) -> int:
    """Where a stream begins. Raises `InvalidCursor`."""
    after = None if given is None else _cursor(given)
    with backend.database.read() as session:
        if after is None:
            return events.head(session)
        events.refuse_beyond_head(session, after, WAY_OUT)
    return after


def _read(session: Session, caller: Caller, after: int, limit: int) -> list[model.Event]:
    found = events.read(session, caller.organisation_id, after, limit)
    return [model.Event.model_validate(event) for event in found]


def _page(backend: Backend, caller: Caller, after: int, limit: int) -> model.Events:
    with backend.database.read() as session:
        events.refuse_beyond_head(session, after, WAY_OUT)
        found = _read(session, caller, after, limit + 1)
    page = found[:limit]
    cursor = str(page[-1].seq) if page else str(after)
    return model.Events(data=page, next_cursor=cursor, has_more=len(found) > limit)


def _next(backend: Backend, caller: Caller, after: int) -> list[model.Event] | None:
    """The next batch of a stream; `None` once its key was revoked."""
    with backend.database.read() as session:
        good = keys.is_good(session, caller.key_id)
        return _read(session, caller, after, BATCH) if good else None


async def _stream(
    backend: Backend, caller: Caller, tail: EventTail, after: int
) -> AsyncIterator[str]:
    """Ends with the server, the client or the key, whose revocation is an event that wakes it.

    A database that is away looks like a pause.
    """
    yield f"retry: 2000\nid: {after}\n\n"
    beat = time.monotonic()
    while not tail.stopped:
        head = tail.head
        try:
            found = await run_in_threadpool(_next, backend, caller, after)
        except CatalogueUnavailable as error:
            log.warning("an event stream waits for the catalogue: %s", error)
            found = []
        if found is None:
            return
        for event in found:
            after = event.seq
            yield f"id: {event.seq}\ndata: {event.model_dump_json()}\n\n"
        if found:
            beat = time.monotonic()
        elif time.monotonic() - beat >= tail.heartbeat_s:  # events of others wake it, too
            yield ": still here\n\n"
            beat = time.monotonic()
        if len(found) < BATCH:
            await tail.wait_beyond(head, beat + tail.heartbeat_s - time.monotonic())
