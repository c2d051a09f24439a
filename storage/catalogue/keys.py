"""Organisations and their API keys; of a key only its SHA-256 is kept."""

from __future__ import annotations

import secrets
from hashlib import sha256
from typing import Literal

from sqlalchemy import select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from storage.catalogue import events, zones
from storage.clock import now
from storage.errors import KeyNotFound, LastAdminKey, NameTaken, OrganisationNotFound
from storage.ids import new_id
from storage.schema import ApiKey, Organisation
from storage.text import storable

Role = Literal["admin", "uploader", "publisher", "centre"]
ROLES: tuple[Role, ...] = ("admin", "uploader", "publisher", "centre")
PREFIX = "kpk_"
SYSTEM = "system"


def create_organisation(session: Session, name: str, actor: str = SYSTEM) -> Organisation:
    """A new organisation with the usual zones. Raises `NameTaken`."""
    organisation = Organisation(
        id=new_id("org"), name=storable(name, "name"), created_at=now(session)
    )
    session.add(organisation)
    try:
        session.flush()
    except IntegrityError as error:
        raise NameTaken(f"there is an organisation named {name!r} already") from error
    _note_organisation(session, organisation.id, name, actor)
    zones.create_usual_zones(session, organisation.id, actor)
    return organisation


def get_organisation(session: Session, organisation_id: str) -> Organisation:
    """Raises `OrganisationNotFound`."""
    organisation = session.get(Organisation, organisation_id)
    if organisation is None:
        raise OrganisationNotFound(f"there is no organisation {organisation_id}")
    return organisation


def organisation_named(session: Session, name: str) -> Organisation:
    """Raises `OrganisationNotFound`."""
    query = select(Organisation).where(Organisation.name == storable(name, "organisation"))
    organisation = session.scalar(query)
    if organisation is None:
        raise OrganisationNotFound(f"there is no organisation named {name!r}")
    return organisation


def create_key(
    session: Session, organisation_id: str, name: str, role: Role, actor: str = SYSTEM
) -> tuple[ApiKey, str]:
    """A key and its secret, which is shown this once. A centre's key is named after its centre."""
    secret = PREFIX + secrets.token_urlsafe(32)
    key = ApiKey(
        id=new_id("key"),
        organisation_id=get_organisation(session, organisation_id).id,
        name=storable(name, "name"),
        role=role,
        key_sha256=_digest(secret),
        created_at=now(session),
    )
    session.add(key)
    session.flush()
    _note(session, key, "key.created", actor)
    return key, secret


def find_key(session: Session, secret: str) -> ApiKey | None:
    """The key of that secret, unless it was revoked."""
    query = select(ApiKey).where(ApiKey.key_sha256 == _digest(secret), ApiKey.revoked_at.is_(None))
    return session.scalar(query)


def is_good(session: Session, key_id: str) -> bool:
    """Whether the key is there and was not revoked."""
    query = select(ApiKey.id).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    return session.scalar(query) is not None


def list_keys(session: Session, organisation_id: str) -> list[ApiKey]:
    """Every key of the organisation, revoked ones too, oldest first."""
    query = select(ApiKey).where(ApiKey.organisation_id == organisation_id)
    return list(session.scalars(query.order_by(ApiKey.created_at, ApiKey.id)))


def revoke_key(session: Session, organisation_id: str, key_id: str, actor: str = SYSTEM) -> ApiKey:
    """From now on it opens nothing. Raises `KeyNotFound`, `LastAdminKey`."""
    key = session.get(ApiKey, key_id)
    if key is None or key.organisation_id != organisation_id:
        raise KeyNotFound(f"there is no API key {key_id}")
    if key.revoked_at is None:
        if key.role == "admin":
            _need_other_admin(session, key)
        key.revoked_at = now(session)
        _note(session, key, "key.revoked", actor)
    return key


def _need_other_admin(session: Session, key: ApiKey) -> None:
    """The rows are locked: of two admins who revoke each other's key, the second is refused."""
    query = select(ApiKey.id).where(
        ApiKey.organisation_id == key.organisation_id,
        ApiKey.role == "admin",
        ApiKey.revoked_at.is_(None),
    )
    if not set(session.scalars(query.order_by(ApiKey.id).with_for_update())) - {key.id}:
        raise LastAdminKey(
            f"{key.id} is the last admin key of this organisation: make another one "
            "(`kapok key create NAME --role admin`), then revoke this one with it"
        )


def ensure_first_admin(session: Session) -> str | None:
    """At the very first start: organisation `default`, its zones, and an admin key's secret.

    Of several processes that start at once, one gets the secret, the others `None`.
    """
    if session.scalar(select(Organisation.id).limit(1)) is not None:
        return None
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    made = session.scalar(
        dialect.insert(Organisation)
        .values(id=new_id("org"), name="default", created_at=now(session))
        .on_conflict_do_nothing(index_elements=["name"])
        .returning(Organisation.id)
    )
    if made is None:
        return None
    _note_organisation(session, made, "default", SYSTEM)
    zones.create_usual_zones(session, made, SYSTEM)
    return create_key(session, made, "admin", "admin")[1]


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _note_organisation(session: Session, organisation_id: str, name: str, actor: str) -> None:
    events.append(
        session,
        type="organisation.created",
        subject=organisation_id,
        organisation_id=organisation_id,
        actor=actor,
        payload={"name": name},
    )


def _note(session: Session, key: ApiKey, what: str, actor: str) -> None:
    events.append(
        session,
        type=what,
        subject=key.id,
        organisation_id=key.organisation_id,
        actor=actor,
        payload={"name": key.name, "role": key.role},
    )
