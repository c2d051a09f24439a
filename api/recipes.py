"""Whether a request names things that exist, before anything is stored or run for it."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from api.auth import Action, Caller
from api.models.uploads import Recipe
from pipelines import profile as profiles
from storage.catalogue import zones


def check_recipe(session: Session, caller: Caller, recipe: Recipe) -> dict[str, Any]:
    """What a job keeps of a recipe. Raises `UnknownProfile`, `ZoneNotFound`, `Forbidden`.

    A job that ends in a zone publishes on its own: so naming one needs the right to publish.
    """
    for name in recipe.profiles or ():
        profiles.profile(name)
    if recipe.ladder is not None:
        profiles.ladder(recipe.ladder)
    if recipe.zone is not None:
        caller.require(Action.PUBLISH)
        zones.get_zone(session, caller.organisation_id, recipe.zone)
    kept = {
        "ladder": recipe.ladder,
        "profiles": recipe.profiles,
        "zone": recipe.zone,
        "scores": None if recipe.scores else False,
        "source_colour": recipe.source_colour,
    }
    return {name: value for name, value in kept.items() if value is not None}
