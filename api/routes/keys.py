"""Organisations and API keys."""

from __future__ import annotations

from fastapi import APIRouter, Response
from sqlalchemy.orm import Session

from api.auth import Admin, Caller
from api.backend import BackendDep
from api.idempotency import Answer, TicketDep, answer_once
from api.models import keys as model
from api.refusals import Forbidden
from storage import schema
from storage.catalogue import keys

FIRST_ORGANISATION = "default"

router = APIRouter(prefix="/v1", tags=["keys"])


@router.post("/organisations", status_code=201, response_model=model.Organisation)
def make_organisation(
    body: model.NewOrganisation, backend: BackendDep, caller: Admin, ticket: TicketDep
) -> Response:
    """A new organisation with its first admin key. Only admins of the first organisation may."""

    def make(session: Session) -> Answer:
        _check_operator(session, caller)
        row = keys.create_organisation(session, body.name, caller.key_id)
        key, secret = keys.create_key(session, row.id, "admin", "admin", caller.key_id)
        made = model.Organisation(
            id=row.id, name=row.name, created_at=row.created_at, admin_key=_key(key, secret)
        )
        return Answer(201, made, kept=made.model_copy(update={"admin_key": _key(key, None)}))

    return answer_once(backend, caller, ticket, make)


@router.post("/api-keys", status_code=201, response_model=model.KeyWithSecret)
def make_key(body: model.NewKey, backend: BackendDep, caller: Admin, ticket: TicketDep) -> Response:
    """A key of this organisation. Its secret is in this answer and nowhere else."""

    def make(session: Session) -> Answer:
        organisation_id = caller.organisation_id
        if body.organisation is not None:
            _check_operator(session, caller)
            organisation_id = keys.organisation_named(session, body.organisation).id
        key, secret = keys.create_key(session, organisation_id, body.name, body.role, caller.key_id)
        return Answer(201, _key(key, secret), kept=_key(key, None))

    return answer_once(backend, caller, ticket, make)


@router.get("/api-keys")
def list_keys(backend: BackendDep, caller: Admin) -> model.Keys:
    """Every key of this organisation, revoked ones too."""
    with backend.database.read() as session:
        found = keys.list_keys(session, caller.organisation_id)
        return model.Keys(data=[model.Key.model_validate(row) for row in found])


@router.delete("/api-keys/{key_id}")
def revoke_key(key_id: str, backend: BackendDep, caller: Admin) -> model.Key:
    """From now on it opens nothing."""
    with backend.database.begin() as session:
        row = keys.revoke_key(session, caller.organisation_id, key_id, caller.key_id)
        return model.Key.model_validate(row)


def _check_operator(session: Session, caller: Caller) -> None:
    """Whoever runs the installation holds the organisation of its first start."""
    own = keys.get_organisation(session, caller.organisation_id)
    if own.name != FIRST_ORGANISATION:
        raise Forbidden(
            f"Only admins of the organisation '{FIRST_ORGANISATION}' make organisations and "
            "their keys: ask whoever runs this installation."
        )


def _key(row: schema.ApiKey, secret: str | None) -> model.KeyWithSecret:
    return model.KeyWithSecret(**model.Key.model_validate(row).model_dump(), secret=secret)
