"""Zones: publish targets."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, CallerDep, may
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import zones as model
from pipelines.profiles import profile as profiles
from storage import schema
from storage.catalogue import zones
from storage.catalogue.profiles import own_profiles

router = APIRouter(prefix="/v1/zones", tags=["zones"])
ZoneAdmin = Annotated[Caller, Depends(may(Action.MANAGE_ZONES))]


@router.post("", status_code=201, response_model=model.Zone)
def make_zone(
    body: model.NewZone, backend: BackendDep, caller: ZoneAdmin, ticket: TicketDep
) -> Response:
    """A new place to publish to, with the profiles that open its gate."""

    def make(session: Session) -> Answer:
        _check_profiles(session, caller, body.required_profiles)
        row = zones.create_zone(
            session,
            caller.organisation_id,
            name=body.name,
            title=body.title,
            required_profiles=body.required_profiles,
            centres=body.centres,
            actor=caller.key_id,
        )
        return Answer(201, model.Zone.model_validate(row), {"Location": f"/v1/zones/{row.name}"})

    return answer_once(backend, caller, ticket, make)


@router.get("")
def list_zones(backend: BackendDep, caller: CallerDep) -> model.Zones:
    """Of a centre's key: the zones that are open to it."""
    with backend.database.read() as session:
        return model.Zones(data=[_zone(caller, row) for row in _open_to(session, caller)])


@router.get("/{name}")
def show_zone(name: str, backend: BackendDep, caller: CallerDep) -> model.Zone:
    with backend.database.read() as session:
        return _zone(caller, zones.named(_open_to(session, caller), name))


@router.patch("/{name}")
def edit_zone(
    name: str, body: model.ZoneEdit, backend: BackendDep, caller: ZoneAdmin
) -> model.Zone:
    """Change title, profiles or centres; what is published stays published.

    A centre that is taken off no longer sees the zone: nothing of what is published there, and
    nothing of what is withdrawn. One that is added sees what is published after the place of its
    cursor; its feed with `since` 0, once, also brings what was there before. A body without a field
    changes nothing.
    """
    changed = {
        field: value
        for field, value in body.model_dump(exclude_unset=True).items()
        if value is not None or field == "centres"
    }
    with backend.database.begin() as session:
        row = zones.get_zone(session, caller.organisation_id, name)
        _check_profiles(session, caller, body.required_profiles or ())
        if changed:
            row = zones.edit_zone(session, row, changed, actor=caller.key_id)
        return model.Zone.model_validate(row)


def _check_profiles(session: Session, caller: Caller, names: Iterable[str]) -> None:
    """Raises `UnknownProfile` for one that this organisation has not."""
    own = own_profiles(session, caller.organisation_id)
    for name in names:
        profiles.profile(name, own)


def _open_to(session: Session, caller: Caller) -> list[schema.Zone]:
    if caller.may(Action.READ_CATALOGUE):
        return zones.list_zones(session, caller.organisation_id)
    return zones.zones_of_centre(session, caller.organisation_id, caller.name)


def _zone(caller: Caller, row: schema.Zone) -> model.Zone:
    """A centre is not told for which others a zone is."""
    zone = model.Zone.model_validate(row)
    if caller.may(Action.READ_CATALOGUE) or zone.centres is None:
        return zone
    return zone.model_copy(update={"centres": [caller.name]})
