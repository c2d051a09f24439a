"""Profiles that organisations added: their own, by versions that never change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from worlds import World, at_once

from pipelines.errors import InvalidProfile, UnknownProfile
from pipelines.profiles.profile import Profile, profile
from storage.catalogue import keys, profiles
from storage.errors import NameTaken

OWN = replace(profile("audio-access-aac"), name="own-copy")


def add(world: World, made: Profile = OWN, organisation_id: str | None = None) -> None:
    owner = organisation_id or world.organisation_id
    world.write(lambda session: profiles.add_profile(session, owner, made, "key_test"))


def own(world: World, organisation_id: str | None = None) -> dict[str, Profile]:
    owner = organisation_id or world.organisation_id
    return dict(world.read(lambda session: profiles.own_profiles(session, owner)))


def test_what_was_added_comes_back_as_it_was(world: World) -> None:
    """To the last rational, and for its organisation alone."""
    other = world.write(lambda session: keys.create_organisation(session, "other")).id
    add(world)
    add(world, replace(OWN, version=7), other)
    assert own(world) == {"own-copy": OWN}
    assert own(world, other) == {"own-copy": replace(OWN, version=7)}
    assert len(world.read(profiles.every_own_profile)) == 2


def test_the_newest_version_is_the_one_that_is_used(world: World) -> None:
    """An earlier or equal one is refused, also after a withdrawal."""
    for version in (1, 3):
        add(world, replace(OWN, version=version))
    assert own(world)["own-copy"].version == 3
    for version in (1, 2, 3):
        with pytest.raises(NameTaken, match="version 4"):
            add(world, replace(OWN, version=version))
    world.write(
        lambda session: profiles.withdraw_profile(
            session, world.organisation_id, "own-copy", "key_test"
        )
    )
    assert own(world) == {}
    with pytest.raises(NameTaken):
        add(world, replace(OWN, version=3))
    add(world, replace(OWN, version=4))
    assert own(world)["own-copy"].version == 4


def test_of_many_who_add_one_version_at_once_one_does(world: World) -> None:
    """The others are told, and nothing is lost of the one."""

    def attempt() -> bool:
        try:
            add(world)
        except NameTaken:
            return False
        return True

    assert sum(at_once([attempt] * 6)) == 1
    assert own(world) == {"own-copy": OWN}


def test_a_name_of_the_built_in_ones_is_refused(world: World) -> None:
    """Whatever else it says."""
    with pytest.raises(InvalidProfile, match="begin with 'own-'"):
        add(world, profile("mobile-540p"))
    with pytest.raises(InvalidProfile, match="at most"):
        add(world, replace(OWN, version=2**40))


def test_an_organisation_has_a_hundred_at_most(world: World) -> None:
    """Every worker proves each of them; a new version of one, or another in its place, is none."""
    for number in range(profiles.MOST):
        add(world, replace(OWN, name=f"own-{number}"))
    with pytest.raises(InvalidProfile, match="withdraw one first"):
        add(world)
    add(world, replace(OWN, name="own-7", version=2))


def test_only_an_own_profile_is_withdrawn(world: World) -> None:
    with pytest.raises(UnknownProfile):
        world.write(
            lambda session: profiles.withdraw_profile(
                session, world.organisation_id, "mobile-540p", "key_test"
            )
        )
