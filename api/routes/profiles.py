"""Profiles and ladders."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import known_caller
from api.models import profiles as model
from pipelines import profile as recipes

router = APIRouter(prefix="/v1", tags=["profiles"], dependencies=[known_caller])


@router.get("/profiles")
def list_profiles() -> model.Profiles:
    """Every profile. Whether this installation can really meet one is said by `kapok doctor`."""
    found = recipes.load_profiles().values()
    return model.Profiles(data=[model.Profile.model_validate(profile) for profile in found])


@router.get("/profiles/{name}")
def show_profile(name: str) -> model.Profile:
    return model.Profile.model_validate(recipes.profile(name))


@router.get("/ladders")
def list_ladders() -> model.Ladders:
    """Ordered sets of profiles, each for one delivery."""
    found = recipes.load_ladders().values()
    return model.Ladders(data=[model.Ladder.model_validate(ladder) for ladder in found])
