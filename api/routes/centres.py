"""Centres: the feed that they pull, and their receipts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, may
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import centres as model
from api.models.common import Name
from api.refusals import Forbidden
from api.views.publications import feed_entry
from storage import schema
from storage.catalogue import publications
from storage.errors import PublicationNotFound

router = APIRouter(prefix="/v1/centres/{name}", tags=["centres"])
Puller = Annotated[Caller, Depends(may(Action.PULL))]


@router.get("/feed")
def read_feed(
    name: Name,
    backend: BackendDep,
    caller: Puller,
    since: Annotated[str | None, Query(description="`next_cursor` of the pull before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> model.Feed:
    """What was published to this centre's zones, or withdrawn, since the cursor; oldest first.

    Each file comes with a signed URL that serves ranges, and the SHA-256 to check it by.
    """
    _check_centre(caller, name)
    with backend.database.read() as session:
        begin = since or publications.FEED_BEGIN
        found = publications.feed(session, caller.organisation_id, name, begin, limit)
        return model.Feed(
            organisation_id=caller.organisation_id,
            data=[feed_entry(backend, entry) for entry in found.data],
            next_cursor=found.next_cursor,
            has_more=found.has_more,
        )


@router.post("/receipts", status_code=201, response_model=model.Receipt)
def send_receipt(
    name: Name, body: model.NewReceipt, backend: BackendDep, caller: Puller, ticket: TicketDep
) -> Response:
    """Prove that files arrived: their SHA-256 as computed after the download."""
    _check_centre(caller, name)

    def record(session: Session) -> Answer:
        row = _published_for(session, caller, name, body.publication_id)
        receipt = publications.record_receipt(
            session,
            row,
            centre=name,
            files=[file.model_dump() for file in body.files],
            actor=caller.key_id,
        )
        return Answer(201, model.Receipt.model_validate(receipt))

    return answer_once(backend, caller, ticket, record)


def _check_centre(caller: Caller, name: str) -> None:
    """A centre's key is named after its centre and opens no other."""
    if not caller.may(Action.PULL_FOR_ANY) and caller.name != name:
        raise Forbidden(f"This key is of centre '{caller.name}': it may not pull for '{name}'.")


def _published_for(
    session: Session, caller: Caller, centre: str, publication_id: str
) -> schema.Publication:
    """A publication in a zone that is open to this centre; any other does not exist for it."""
    row = publications.get_publication(session, caller.organisation_id, publication_id)
    allowed = publications.zone_of(session, row).centres
    if allowed is not None and centre not in allowed:
        raise PublicationNotFound(f"there is no publication {publication_id}")
    return row
