"""Publications: let an asset into a zone, take it out again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Response
from sqlalchemy.orm import Session

from api.auth import Caller, Publisher, Reader
from api.backend import BackendDep
from api.idempotency import Again, Answer, TicketDep, answer_once, answered
from api.links import object_link
from api.models import publications as model
from api.models.common import Page
from api.pages import Cursor, Limit
from api.store_threads import asks_store
from api.views.publications import publication
from storage import schema
from storage.catalogue import assets, jobs, publications, zones
from storage.ids import new_id
from storage.publishing import confirm, draft, refuse_missing

router = APIRouter(prefix="/v1/publications", tags=["publications"])


@router.post("", status_code=201, response_model=model.Publication)
@asks_store
def publish(
    body: model.NewPublication, backend: BackendDep, caller: Publisher, ticket: TicketDep
) -> Response:
    """Publish, if the gate of the zone is open: 409 `gate_closed` lists every reason why it is not.

    Publishing writes a list of exact files and moves no bytes; each has to be whole in the store.
    """
    again = _signed_again(backend)
    if (remembered := answered(backend, caller, ticket, again)) is not None:
        return remembered
    publication_id = new_id("pub")
    with backend.database.begin() as session:
        asset, zone = _named(session, caller, body)
        ready = draft(session, asset, zone)
        jobs.mark_untidy(session, body.asset_id)  # what is stored now may end without a row
    refuse_missing(backend.objects, ready)
    key = f"assets/{body.asset_id}/publications/{publication_id}/manifest.json"
    backend.objects.put_bytes(ready.document(), key)  # outside: a store that hangs holds no lock

    def put_into_zone(session: Session) -> Answer:
        asset, zone = _named(session, caller, body)
        confirm(session, asset, zone, ready)
        row = publications.publish(
            session,
            asset,
            zone,
            ready.manifest,
            key,
            caller.key_id,
            publication_id,
            replace=body.replace,
        )
        location = {"Location": f"/v1/publications/{row.id}"}
        return _answer(201, publication(backend, row, zone), key, location)

    return answer_once(backend, caller, ticket, put_into_zone, again)


def _answer(
    status: int, made: model.Publication, key: str, headers: Mapping[str, str] | None = None
) -> Answer:
    """A day's answer outlives an hour's link: instead of the link the key is kept to make it by."""
    kept = made.model_copy(update={"manifest": made.manifest.model_copy(update={"url": key})})
    return Answer(status, made, headers or {}, kept=kept)


def _signed_again(backend: BackendDep) -> Again:
    def signed(body: str) -> str:
        kept = model.Publication.model_validate_json(body)
        if "://" in kept.manifest.url:  # an older version kept the link itself
            return body
        link = object_link(backend, kept.manifest.url, f"{kept.id}.json")
        return kept.model_copy(update={"manifest": link}).model_dump_json()

    return signed


def _named(
    session: Session, caller: Caller, body: model.NewPublication
) -> tuple[schema.Asset, schema.Zone]:
    """Raises `AssetNotFound`, `ZoneNotFound`."""
    asset = assets.get_asset(session, caller.organisation_id, body.asset_id)
    return asset, zones.get_zone(session, caller.organisation_id, body.zone)


@router.get("")
def list_publications(
    backend: BackendDep,
    caller: Reader,
    asset_id: Annotated[str | None, Query(max_length=100)] = None,
    zone: Annotated[str | None, Query(max_length=100)] = None,
    state: model.PublicationState | None = None,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Page[model.Publication]:
    """Publications of this organisation, newest first."""
    with backend.database.read() as session:
        found = publications.list_publications(
            session,
            caller.organisation_id,
            asset_id=asset_id,
            zone=zone,
            state=state,
            cursor=cursor,
            limit=limit,
        )
        return Page(
            data=[
                publication(backend, row, publications.zone_of(session, row)) for row in found.data
            ],
            next_cursor=found.next_cursor,
            has_more=found.has_more,
        )


@router.get("/{publication_id}")
def show_publication(publication_id: str, backend: BackendDep, caller: Reader) -> model.Publication:
    """The exact files that were let through, and the manifest that lists them."""
    with backend.database.read() as session:
        row = publications.get_publication(session, caller.organisation_id, publication_id)
        return publication(backend, row, publications.zone_of(session, row))


@router.post("/{publication_id}/withdraw", response_model=model.Publication)
def withdraw(
    publication_id: str, backend: BackendDep, caller: Publisher, ticket: TicketDep
) -> Response:
    """Take it out of the zone; centres see `withdrawn` in their feed. No file is deleted."""

    def take_out(session: Session) -> Answer:
        row = publications.get_publication(session, caller.organisation_id, publication_id)
        row = publications.withdraw(session, row, caller.key_id)
        made = publication(backend, row, publications.zone_of(session, row))
        return _answer(200, made, row.manifest_key)

    return answer_once(backend, caller, ticket, take_out, _signed_again(backend))
