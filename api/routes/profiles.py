"""Profiles, built in and an organisation's own, and ladders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from sqlalchemy.orm import Session

from api.auth import Action, Caller, CallerDep, known_caller, may
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import profiles as model
from pipelines.profiles import profile as recipes
from pipelines.profiles.profile import Profile
from pipelines.profiles.profile_key import profile_key
from storage.catalogue import profiles, workers

router = APIRouter(prefix="/v1", tags=["profiles"])
ProfileAdmin = Annotated[Caller, Depends(may(Action.MANAGE_PROFILES))]


@router.get("/profiles")
def list_profiles(backend: BackendDep, caller: CallerDep) -> model.Profiles:
    """Every profile, and whether some living worker has proven that it can make it."""
    with backend.database.read() as session:
        own = profiles.own_profiles(session, caller.organisation_id)
        return model.Profiles(data=_described(session, backend, {**recipes.load_profiles(), **own}))


@router.post("/profiles", status_code=201, response_model=model.Profile)
def add_profile(
    body: model.NewProfile, backend: BackendDep, caller: ProfileAdmin, ticket: TicketDep
) -> Response:
    """A profile of this organisation's own, or a new version of one; workers prove it soon."""
    profile = recipes.read_profile(body.toml.encode())

    def add(session: Session) -> Answer:
        profiles.add_profile(session, caller.organisation_id, profile, caller.key_id)
        (made,) = _described(session, backend, {profile.name: profile})
        return Answer(201, made, {"Location": f"/v1/profiles/{profile.name}"})

    return answer_once(backend, caller, ticket, add)


@router.get("/profiles/{name}")
def show_profile(name: str, backend: BackendDep, caller: CallerDep) -> model.Profile:
    with backend.database.read() as session:
        own = profiles.own_profiles(session, caller.organisation_id)
        (found,) = _described(session, backend, {name: recipes.profile(name, own)})
        return found


@router.delete("/profiles/{name}", status_code=204)
def withdraw_profile(name: str, backend: BackendDep, caller: ProfileAdmin) -> None:
    """One of this organisation's own: no new job may ask for it; planned ones go on."""
    with backend.database.begin() as session:
        profiles.withdraw_profile(session, caller.organisation_id, name, caller.key_id)


@router.get("/ladders", dependencies=[known_caller])
def list_ladders() -> model.Ladders:
    """Ordered sets of profiles, each for one delivery."""
    found = recipes.load_ladders().values()
    return model.Ladders(data=[model.Ladder.model_validate(ladder) for ladder in found])


def _described(
    session: Session, backend: BackendDep, found: Mapping[str, Profile]
) -> list[model.Profile]:
    living = workers.living_workers(session, backend.settings.beat_s)
    return [
        model.Profile.model_validate(
            {
                **{name: getattr(one, name) for name in Profile.__dataclass_fields__},
                "own": one.name.startswith(profiles.PREFIX),
                "availability": workers.availability(living, profile_key(one)),
            },
            from_attributes=True,
        )
        for one in found.values()
    ]
