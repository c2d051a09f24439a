"""Profiles that organisations added beside the built-in ones, each seen by its own alone.

Their names begin with `own-`, which no built-in one does. A version never changes: a changed
profile is a new version, and whatever was planned keeps its plan.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping

from pydantic import ValidationError
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pipelines.errors import InvalidProfile, UnknownProfile
from pipelines.profiles.profile import Profile
from pipelines.records import from_json, to_json
from storage.catalogue import events
from storage.clock import now
from storage.errors import NameTaken
from storage.ids import new_id
from storage.schema import OrganisationProfile

PREFIX = "own-"
MOST = 100  # [P] of one organisation
HIGHEST_VERSION = 1_000_000  # [P] what a column holds, and no counter of versions reaches

log = logging.getLogger(__name__)


def add_profile(
    session: Session, organisation_id: str, profile: Profile, actor: str
) -> OrganisationProfile:
    """A validated profile, from now on the newest of its name.

    Raises `InvalidProfile` for what only the catalogue asks for, and `NameTaken` unless its version
    is higher than every earlier one of that name, withdrawn ones too.
    """
    count = len(own_profiles(session, organisation_id).keys() - {profile.name})
    if faults := list(_faults(profile, count)):
        raise InvalidProfile(f"the profile: {'; '.join(faults)}", tuple(faults))
    latest = session.scalar(
        select(func.max(OrganisationProfile.version)).where(
            OrganisationProfile.organisation_id == organisation_id,
            OrganisationProfile.name == profile.name,
        )
    )
    if latest is not None and profile.version <= latest:
        raise NameTaken(
            f"{profile.name} has had version {latest}: what was added never changes, so give "
            f"this one version {latest + 1}"
        )
    row = OrganisationProfile(
        id=new_id("prf"),
        organisation_id=organisation_id,
        name=profile.name,
        version=profile.version,
        definition=to_json(profile),
        created_at=now(session),
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError as error:
        raise NameTaken(f"{profile.name} was given that version just now") from error
    _note(session, row, "profile.added", actor)
    return row


def withdraw_profile(session: Session, organisation_id: str, name: str, actor: str) -> None:
    """No new job may ask for it; those that were planned go on. Raises `UnknownProfile`."""
    rows = _current(session, OrganisationProfile.organisation_id == organisation_id)
    row = next((row for row in rows if row.name == name), None)
    if row is None:
        raise UnknownProfile(f"this organisation has no profile {name!r} of its own")
    session.execute(
        update(OrganisationProfile)
        .where(
            OrganisationProfile.organisation_id == organisation_id,
            OrganisationProfile.name == name,
            OrganisationProfile.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now(session))
        .execution_options(synchronize_session=False)
    )
    _note(session, row, "profile.withdrawn", actor)


def own_profiles(session: Session, organisation_id: str) -> Mapping[str, Profile]:
    """The newest version of each that was not withdrawn, by name."""
    rows = _current(session, OrganisationProfile.organisation_id == organisation_id)
    return {profile.name: profile for profile in _profiles(rows)}


def every_own_profile(session: Session) -> list[Profile]:
    """Of all organisations, for workers that prove them."""
    return list(_profiles(_current(session)))


def _faults(profile: Profile, others: int) -> Iterator[str]:
    if not profile.name.startswith(PREFIX):
        yield f"name is {profile.name!r}: an organisation's own begin with '{PREFIX}'"
    if profile.version > HIGHEST_VERSION:
        yield f"version is {profile.version}: at most {HIGHEST_VERSION}"
    if others >= MOST:
        yield f"there are {others} already, each of which every worker proves: withdraw one first"


def _current(session: Session, *only: ColumnElement[bool]) -> list[OrganisationProfile]:
    query = select(OrganisationProfile).where(OrganisationProfile.withdrawn_at.is_(None), *only)
    order = (OrganisationProfile.organisation_id, OrganisationProfile.name)
    rows = session.scalars(query.order_by(*order, OrganisationProfile.version))
    return list({(row.organisation_id, row.name): row for row in rows}.values())


def _profiles(rows: Iterable[OrganisationProfile]) -> Iterator[Profile]:
    for row in rows:
        try:
            yield from_json(Profile, row.definition)
        except ValidationError as error:
            log.warning("profile %s (%s) cannot be read any more: %s", row.name, row.id, error)


def _note(session: Session, row: OrganisationProfile, what: str, actor: str) -> None:
    events.append(
        session,
        type=what,
        subject=row.id,
        organisation_id=row.organisation_id,
        actor=actor,
        payload={"name": row.name, "version": row.version},
    )
