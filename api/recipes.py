"""Whether a request names things that exist, before anything is stored or run for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from api.auth import Action, Caller
from api.models.uploads import Recipe
from pipelines.errors import ProfileUnavailable
from pipelines.profiles import profile as profiles
from pipelines.profiles.profile import Profile
from pipelines.profiles.profile_key import profile_key
from storage.catalogue import workers, zones
from storage.catalogue.profiles import own_profiles
from storage.catalogue.workers import LivingWorker
from storage.publishing import refuse_in_vain
from storage.schema import Asset


def check_recipe(
    session: Session,
    caller: Caller,
    recipe: Recipe,
    beat_s: float,
    asset: Asset | None = None,
    *,
    replace: bool = False,
) -> dict[str, Any]:
    """What a job keeps of a recipe, for an asset that is there or is still to come.

    Raises `UnknownProfile`, `ProfileUnavailable`, `ZoneNotFound`, `Forbidden`, and of a zone that
    could not be entered in the end `AlreadyPublished`, `GateClosed`.

    A job that ends in a zone publishes on its own: so naming one needs the right to publish.
    """
    ladder = profiles.ladder(recipe.ladder).profiles if recipe.ladder is not None else ()
    own = own_profiles(session, caller.organisation_id)
    wanted = [profiles.profile(name, own) for name in recipe.profiles or ladder]
    _refuse_what_nobody_can_do(wanted, workers.living_workers(session, beat_s))
    if recipe.zone is not None:
        caller.require(Action.PUBLISH)
        zone = zones.get_zone(session, caller.organisation_id, recipe.zone)
        names = [one.name for one in wanted] or profiles.default_profiles()
        refuse_in_vain(session, asset, zone, names, replace=replace)
    kept = {
        "ladder": recipe.ladder,
        "profiles": recipe.profiles,
        "zone": recipe.zone,
        "replace": replace or None,
        "scores": None if recipe.scores else False,
        "source_colour": recipe.source_colour,
        "programme": recipe.programme,
    }
    return {name: value for name, value in kept.items() if value is not None}


def _refuse_what_nobody_can_do(wanted: Sequence[Profile], living: Sequence[LivingWorker]) -> None:
    """If some of it can be done, or may be proven yet, the plan tells the rest."""
    found = {one.name: workers.availability(living, profile_key(one)) for one in wanted}
    if found and all(one.state == "unavailable" for one in found.values()):
        reasons = "; ".join(f"{name}: {one.reason}" for name, one in found.items())
        raise ProfileUnavailable(
            f"no worker can do what was asked for ({reasons}): ask for other profiles"
        )
