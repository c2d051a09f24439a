"""Profiles and ladders."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import APIRouter

from api.auth import known_caller
from api.backend import BackendDep
from api.models import profiles as model
from pipelines import profile as recipes
from pipelines.profile_key import profile_key
from storage.catalogue import workers

router = APIRouter(prefix="/v1", tags=["profiles"], dependencies=[known_caller])


@router.get("/profiles")
def list_profiles(backend: BackendDep) -> model.Profiles:
    """Every profile, and whether some living worker has proven that it can make it."""
    found = _described(backend, list(recipes.load_profiles().values()))
    return model.Profiles(data=found)


@router.get("/profiles/{name}")
def show_profile(name: str, backend: BackendDep) -> model.Profile:
    (found,) = _described(backend, [recipes.profile(name)])
    return found


@router.get("/ladders")
def list_ladders() -> model.Ladders:
    """Ordered sets of profiles, each for one delivery."""
    found = recipes.load_ladders().values()
    return model.Ladders(data=[model.Ladder.model_validate(ladder) for ladder in found])


def _described(backend: BackendDep, profiles: Sequence[recipes.Profile]) -> list[model.Profile]:
    with backend.database.read() as session:
        living = workers.living_workers(session, backend.settings.beat_s)
    return [
        model.Profile.model_validate(
            {
                **{name: getattr(one, name) for name in one.__dataclass_fields__},
                "availability": workers.availability(living, profile_key(one)),
            },
            from_attributes=True,
        )
        for one in profiles
    ]
