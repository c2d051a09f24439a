"""Zones: publish targets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, CallerDep, may
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import zones as model
from pipelines.profiles import profile as profiles
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
        own = own_profiles(session, caller.organisation_id)
        for name in body.required_profiles:
            profiles.profile(name, own)
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
    with backend.database.read() as session:
        found = zones.list_zones(session, caller.organisation_id)
        return model.Zones(data=[model.Zone.model_validate(row) for row in found])


@router.get("/{name}")
def show_zone(name: str, backend: BackendDep, caller: CallerDep) -> model.Zone:
    with backend.database.read() as session:
        return model.Zone.model_validate(zones.get_zone(session, caller.organisation_id, name))
