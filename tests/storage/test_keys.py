"""Keys and idempotency: who may ask, and what asking twice does."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from worlds import World, at_once

from storage.catalogue import idempotency, keys
from storage.clock import now
from storage.database import Database
from storage.errors import (
    IdempotencyKeyReused,
    KeyNotFound,
    LastAdminKey,
    NameTaken,
    OrganisationNotFound,
)
from storage.schema import ApiKey, IdempotencyRecord, Organisation

ASKED, OTHER = "aa" * 32, "bb" * 32


def test_of_a_key_only_its_hash_is_stored(world: World) -> None:
    """Whoever reads the database cannot use it."""
    key, secret = world.write(
        lambda session: keys.create_key(session, world.organisation_id, "foshan", "centre")
    )
    assert secret.startswith("kpk_")
    assert len(secret) > 40
    columns = [str(getattr(key, column.key)) for column in ApiKey.__table__.columns]
    assert not any(secret in column or secret[4:] in column for column in columns)
    found = world.read(lambda session: keys.find_key(session, secret))
    assert found is not None
    assert (found.id, found.role, found.name) == (key.id, "centre", "foshan")


@pytest.mark.parametrize("secret", ["", "kpk_", "kpk_wrong", "\ud800", "key_id"])
def test_a_wrong_secret_finds_nothing(world: World, secret: str) -> None:
    """Whatever it is made of."""
    assert world.read(lambda session: keys.find_key(session, secret)) is None


def test_a_revoked_key_opens_nothing(world: World) -> None:
    """And is still listed, so that its events have a name."""
    key, secret = world.write(
        lambda session: keys.create_key(session, world.organisation_id, "old", "uploader")
    )
    for _ in range(2):
        world.write(lambda session: keys.revoke_key(session, world.organisation_id, key.id))
    assert world.read(lambda session: keys.find_key(session, secret)) is None
    listed = world.read(lambda session: keys.list_keys(session, world.organisation_id))
    assert [(one.name, one.revoked_at is not None) for one in listed] == [("old", True)]
    with pytest.raises(KeyNotFound):
        world.write(lambda session: keys.revoke_key(session, "org_other", key.id))


def admin_key(world: World) -> str:
    key, _ = world.write(
        lambda session: keys.create_key(session, world.organisation_id, "admin", "admin")
    )
    return key.id


def revoke(world: World, key_id: str) -> str:
    """`revoked`, or the code of the refusal."""
    try:
        world.write(lambda session: keys.revoke_key(session, world.organisation_id, key_id))
    except LastAdminKey as error:
        return error.code
    return "revoked"


def test_the_last_admin_key_cannot_be_revoked(world: World) -> None:
    """Nobody could make another one; a revoked admin and other roles do not count."""
    first, second = admin_key(world), admin_key(world)
    world.write(lambda session: keys.create_key(session, world.organisation_id, "u", "uploader"))
    assert [revoke(world, key) for key in (first, second)] == ["revoked", "last_admin_key"]
    assert revoke(world, first) == "revoked"
    third = admin_key(world)
    assert [revoke(world, key) for key in (second, third)] == ["revoked", "last_admin_key"]


def test_of_admins_who_revoke_each_other_one_stays(world: World) -> None:
    """Each sees the other's key when it begins."""
    for _ in range(10):
        pair = [admin_key(world), admin_key(world)]
        others = world.read(lambda session: keys.list_keys(session, world.organisation_id))
        for key in others:
            if key.id not in pair:
                revoke(world, key.id)
        results = at_once([partial(revoke, world, key_id) for key_id in pair])
        assert sorted(results) == ["last_admin_key", "revoked"]


def test_organisations_have_their_names_for_themselves(world: World) -> None:
    """A key needs one that exists."""
    with pytest.raises(NameTaken):
        world.write(lambda session: keys.create_organisation(session, "岭南台"))
    with pytest.raises(OrganisationNotFound):
        world.write(lambda session: keys.create_key(session, "org_other", "x", "admin"))


def test_of_several_first_starts_exactly_one_gets_the_admin_key(database_url: str) -> None:
    """Three services begin at once on an empty database."""

    def start() -> str | None:
        database = Database(database_url)
        try:
            database.migrate()
            with database.begin() as session:
                return keys.ensure_first_admin(session)
        finally:
            database.close()

    secrets = [secret for secret in at_once([start] * 3) if secret is not None]
    assert len(secrets) == 1
    database = Database(database_url)
    with database.read() as session:
        assert list(session.scalars(select(Organisation.name))) == ["default"]
        key = keys.find_key(session, secrets[0])
    database.close()
    assert key is not None
    assert key.role == "admin"


def ask(world: World, request_sha256: str = ASKED) -> IdempotencyRecord | None:
    """A request as the API carries it out: the work and its answer in one transaction."""

    def answer(session: Session) -> IdempotencyRecord | None:
        place = (world.organisation_id, "key 1")
        known = idempotency.begin(session, *place, request_sha256)
        if known is None:
            idempotency.complete(session, *place, status=201, headers={"A": "b"}, body="{}")
        return known

    return world.write(answer)


def test_the_second_request_gets_the_answer_of_the_first(world: World) -> None:
    """Status, headers and body."""
    assert ask(world) is None
    known = ask(world)
    assert known is not None
    assert (known.status, known.headers, known.body) == (201, {"A": "b"}, "{}")


def test_of_ten_equal_requests_at_once_one_is_carried_out(world: World) -> None:
    """The others wait for it and get its answer."""
    found = at_once([lambda: ask(world)] * 10)
    assert found.count(None) == 1
    assert {record.status for record in found if record is not None} == {201}


def test_another_request_under_the_same_key_is_refused(world: World) -> None:
    ask(world)
    with pytest.raises(IdempotencyKeyReused):
        ask(world, OTHER)


def test_a_request_that_failed_leaves_its_key_free(world: World) -> None:
    """Its record went with its transaction."""

    def fail(session: Session) -> None:
        idempotency.begin(session, world.organisation_id, "key 1", OTHER)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        world.write(fail)
    assert ask(world) is None


def test_answers_are_forgotten_after_a_day(world: World) -> None:
    """The table does not grow for ever."""
    ask(world)
    world.write(lambda session: idempotency.expire(session, now(session)))
    assert ask(world) is not None
    world.write(
        lambda session: idempotency.expire(session, now(session) + timedelta(days=1, seconds=1))
    )
    assert ask(world) is None
