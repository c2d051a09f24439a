"""Who asks, and who may do what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from api.backend import BackendDep
from api.refusals import ApiKeyInvalid, ApiKeyMissing, Forbidden
from storage.catalogue import keys
from storage.database import Database


class Action(Enum):
    """Something that a role may or may not do; the value completes "may not …"."""

    READ_CATALOGUE = "read assets, jobs and renditions"
    READ_SOURCES = "download sources"
    READ_EVENTS = "read events"
    UPLOAD = "upload and run jobs"
    EDIT = "edit assets"
    PUBLISH = "publish or withdraw"
    MANAGE_ZONES = "make and edit zones"
    MANAGE_PROFILES = "add or withdraw profiles"
    MANAGE_KEYS = "manage keys and organisations"
    PULL = "pull for a centre"
    PULL_FOR_ANY = "pull for any centre"


ROLES: Mapping[str, frozenset[Action]] = {
    "admin": frozenset(Action),
    "uploader": frozenset(
        {Action.READ_CATALOGUE, Action.READ_SOURCES, Action.READ_EVENTS, Action.UPLOAD, Action.EDIT}
    ),
    "publisher": frozenset(
        {Action.READ_CATALOGUE, Action.READ_EVENTS, Action.EDIT, Action.PUBLISH}
    ),
    "centre": frozenset({Action.PULL}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """The key that signed this request; its id is the actor of every event that it causes."""

    key_id: str
    organisation_id: str
    name: str
    role: str

    def may(self, action: Action) -> bool:
        return action in ROLES.get(self.role, frozenset())

    def require(self, action: Action) -> None:
        if not self.may(action):
            fit = ", ".join(f"'{role}'" for role, actions in ROLES.items() if action in actions)
            raise Forbidden(
                f"A key of role '{self.role}' may not {action.value}: use one of role {fit}."
            )


bearer = HTTPBearer(
    auto_error=False,
    scheme_name="API key",
    description="`Authorization: Bearer kpk_…`. The first admin key lies in `DATA/admin.key`.",
)


def find_caller(database: Database, given: HTTPAuthorizationCredentials | None) -> Caller:
    """Raises `ApiKeyMissing`, `ApiKeyInvalid`."""
    if given is None:
        raise ApiKeyMissing("Send 'Authorization: Bearer kpk_…'; `kapok key create` makes keys.")
    with database.read() as session:
        key = keys.find_key(session, given.credentials)
        if key is None:
            raise ApiKeyInvalid("This API key is unknown or was revoked: ask an admin for another.")
        return Caller(key.id, key.organisation_id, key.name, key.role)


def _caller(
    backend: BackendDep, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Caller:
    return find_caller(backend.database, given)


CallerDep = Annotated[Caller, Depends(_caller)]
known_caller = Depends(_caller)  # for routes that need a good key and nothing of it


def may(action: Action) -> Callable[[Caller], Awaitable[Caller]]:
    """A dependency: the caller, if its role may do that."""

    async def allowed(caller: CallerDep) -> Caller:
        caller.require(action)
        return caller

    return allowed


Reader = Annotated[Caller, Depends(may(Action.READ_CATALOGUE))]
Uploader = Annotated[Caller, Depends(may(Action.UPLOAD))]
Editor = Annotated[Caller, Depends(may(Action.EDIT))]
Publisher = Annotated[Caller, Depends(may(Action.PUBLISH))]
Admin = Annotated[Caller, Depends(may(Action.MANAGE_KEYS))]
