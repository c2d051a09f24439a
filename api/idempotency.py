"""Idempotency-Key: a POST that is sent twice is done once, and both get the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Annotated

from fastapi import Depends, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy.orm import Session

from api.auth import Caller
from api.backend import Backend
from storage import schema
from storage.catalogue import idempotency


@dataclass(frozen=True, slots=True)
class Answer:
    """What a POST answers. `then` runs after the commit; `kept` is remembered instead of `body`."""

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)
    then: Callable[[], object] = lambda: None
    kept: BaseModel | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """The key of a request, if it has one, and a hash of everything that it asks."""

    key: str | None
    request_sha256: str


async def _ticket(
    request: Request,
    idempotency_key: Annotated[
        str | None,
        Header(
            min_length=1,
            max_length=200,
            description="Your own name for this request. The same key with the same body is "
            "answered from memory for a day; with another body it is refused.",
        ),
    ] = None,
) -> Ticket:
    asked = f"{request.method} {request.scope['path']}\n".encode() + await request.body()
    return Ticket(idempotency_key, sha256(asked).hexdigest())


TicketDep = Annotated[Ticket, Depends(_ticket)]


Again = Callable[[str], str]  # a remembered body as it is sent now


def answer_once(
    backend: Backend,
    caller: Caller,
    ticket: Ticket,
    work: Callable[[Session], Answer],
    again: Again = str,
) -> Response:
    """Do the work and remember its answer in one transaction, or repeat the remembered answer.

    A twin that comes meanwhile waits for the first one's commit. When the work fails, nothing is
    remembered, and the same key may be used again.
    """
    with backend.database.begin() as session:
        remembered = _begin(session, caller, ticket)
        if remembered is not None:
            return _replay(remembered, again)
        answer = work(session)
        if ticket.key is not None:
            idempotency.complete(
                session,
                caller.organisation_id,
                ticket.key,
                status=answer.status,
                headers=answer.headers,
                body=(answer.kept or answer.body).model_dump_json(),
            )
    answer.then()
    return Response(
        answer.body.model_dump_json(),
        status_code=answer.status,
        headers=dict(answer.headers),
        media_type="application/json",
    )


def answered(
    backend: Backend, caller: Caller, ticket: Ticket, again: Again = str
) -> Response | None:
    """The remembered answer, for a route that does something before `answer_once`."""
    if ticket.key is None:
        return None
    with backend.database.read() as session:
        record = idempotency.find(
            session, caller.organisation_id, ticket.key, ticket.request_sha256
        )
    return None if record is None else _replay(record, again)


def _begin(session: Session, caller: Caller, ticket: Ticket) -> schema.IdempotencyRecord | None:
    if ticket.key is None:
        return None
    return idempotency.begin(session, caller.organisation_id, ticket.key, ticket.request_sha256)


def _replay(record: schema.IdempotencyRecord, again: Again) -> Response:
    headers = {**record.headers, "Idempotency-Replayed": "true"}
    return Response(
        again(record.body),
        status_code=record.status,
        headers=headers,
        media_type="application/json",
    )
