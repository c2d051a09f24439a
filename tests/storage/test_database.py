"""The database itself: migrations, transactions, and what happens when it is away."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import servers
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DBAPIError, OperationalError, StatementError
from sqlalchemy.orm import Session
from worlds import World, at_once, open_world

from storage.catalogue import events, keys
from storage.clock import now
from storage.database import Database
from storage.errors import CatalogueFull, CatalogueUnavailable, CommitUnknown
from storage.schema import Asset, Base


def test_the_migrations_make_exactly_the_tables_of_the_schema(database_url: str) -> None:
    """Neither a column nor an index differs from `storage/schema.py`."""
    database = Database(database_url)
    database.migrate()
    with database._writing.begin() as connection:
        options = {
            "compare_type": True,
            "include_object": lambda thing, name, kind, reflected, other: (
                not str(name).startswith("asset_search")
                and getattr(thing, "name", "") != "alembic_version"
                and not (kind == "index" and name == "assets_by_gram" and not reflected)
            ),
        }
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, Base.metadata) == []
    database.close()


@pytest.mark.parametrize("table", ["uploads", "assets", "jobs", "publications"])
def test_what_is_listed_by_date_has_an_index_for_it(table: str, world: World) -> None:
    """A page costs what it shows, not what the organisation has."""
    indexes = inspect(world.database._writing).get_indexes(table)
    columns = {tuple(index["column_names"]) for index in indexes}
    assert ("organisation_id", "created_at", "id") in columns


def test_processes_that_start_at_once_migrate_once(database_url: str) -> None:
    """Each waits for the first, and finds the tables there."""

    def migrate() -> None:
        database = Database(database_url)
        database.migrate()
        database.check()
        database.close()

    at_once([migrate] * 4)


def test_a_new_catalogue_may_be_opened_by_many_at_once(tmp_path: Path) -> None:
    """None is refused while another makes the new file journal by WAL (1 start in 12 was)."""
    for number in range(60):
        url = f"sqlite:///{tmp_path}/{number}.db"

        def connect(url: str = url) -> None:
            database = Database(url)
            with database.begin() as session:
                session.execute(text("SELECT 1"))
            database.close()

        at_once([connect] * 6)


def test_a_database_without_tables_is_not_ready(database_url: str) -> None:
    """The text names what is missing."""
    database = Database(database_url)
    with pytest.raises((CatalogueUnavailable, DBAPIError), match="organisations"):
        database.check()
    database.close()


def test_an_error_undoes_the_whole_transaction(world: World) -> None:
    """Nothing of it is left."""

    def change(session: Session) -> None:
        keys.create_key(session, world.organisation_id, "x", "admin")
        raise KeyError("undone")

    with pytest.raises(KeyError):
        world.write(change)
    assert world.read(lambda session: keys.list_keys(session, world.organisation_id)) == []


def test_only_a_commit_without_an_answer_may_have_happened(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong before it is undone for certain, and so is what the disk has no room for."""
    dialect = world.database._engine.dialect
    broken = dialect.loaded_dbapi.OperationalError  # type: ignore[attr-defined]

    def at_commit(reason: str) -> type[Exception]:
        def fail(connection: Any) -> None:
            dialect.do_rollback(connection)  # as both do themselves
            raise broken(reason)

        with monkeypatch.context() as patched:
            patched.setattr(dialect, "do_commit", fail)
            with pytest.raises(CatalogueUnavailable) as raised:
                world.write(lambda session: keys.create_organisation(session, reason))
        return raised.type

    def before(session: Session) -> None:
        keys.create_organisation(session, "before")
        raise OperationalError("INSERT", None, broken("the line broke"))

    with pytest.raises(CatalogueUnavailable) as raised:
        world.write(before)
    assert raised.type is CatalogueUnavailable
    assert at_commit("the line broke") is CommitUnknown
    assert at_commit("database or disk is full") is CatalogueFull


def test_rows_can_be_read_after_their_transaction(world: World) -> None:
    """No session is needed to look at what a function returned."""
    asset = world.asset(title="岭南")
    assert (asset.title, asset.created_at.utcoffset()) == ("岭南", timedelta(0))
    again = world.read(lambda session: session.get_one(Asset, asset.id))
    assert again.created_at == asset.created_at
    assert again.created_at.utcoffset() == timedelta(0)


def test_a_server_in_another_time_zone_changes_nothing(world: World) -> None:
    """The test server stands in Asia/Shanghai: now is now, and the events still prove."""
    told = world.read(now)
    assert abs(told - datetime.now(UTC)) < timedelta(minutes=1)
    world.asset(title="岭南")
    assert world.read(events.verify_chain).broken_at is None


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_number_that_json_has_not_is_refused_by_both(world: World, value: float) -> None:
    """SQLite would keep it and PostgreSQL not: neither gets it."""
    with pytest.raises((ValueError, StatementError)):
        world.asset(request={"metadata": {"loudness": value}})


def test_a_reader_sees_the_state_before_an_open_write(sqlite_world: World) -> None:
    """WAL: a long write blocks no reader."""
    with sqlite_world.database.begin() as session:
        keys.create_key(session, sqlite_world.organisation_id, "x", "admin")
        seen = sqlite_world.read(lambda other: keys.list_keys(other, sqlite_world.organisation_id))
    assert seen == []


def test_sqlite_keeps_what_it_said_through_a_power_cut(sqlite_world: World) -> None:
    """WAL, with a sync at each commit (2 is FULL), and foreign keys."""

    def ask(pragma: str) -> object:
        return sqlite_world.read(lambda session: session.scalar(text(f"PRAGMA {pragma}")))

    assert (ask("journal_mode"), ask("synchronous"), ask("foreign_keys")) == ("wal", 2, 1)


def test_a_database_file_is_made_in_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    """At the very first start."""
    open_world(f"sqlite:///{tmp_path / 'new' / 'data' / 'kapok.db'}").database.close()


def test_a_catalogue_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    """After an upgrade that was taken back."""
    world = open_world(f"sqlite:///{tmp_path / 'kapok.db'}")
    world.write(lambda session: session.execute(text("UPDATE alembic_version SET version_num='z'")))

    with pytest.raises(CatalogueUnavailable, match="newer Kapok"):
        world.database.migrate()


def test_a_server_that_does_not_listen_is_unavailable() -> None:
    """Retryable, and without the password in the text."""
    port = servers.free_port()
    database = Database(f"postgresql+psycopg://kapok:topsecret@127.0.0.1:{port}/kapok")
    with pytest.raises(CatalogueUnavailable) as raised:
        database.check()
    assert raised.value.retryable
    assert "topsecret" not in str(raised.value)
    assert "topsecret" not in repr(database)


@pytest.mark.services
def test_a_catalogue_that_was_away_is_used_again_without_a_restart(tmp_path: Path) -> None:
    """The server stops in the middle of a transaction; afterwards the pool connects anew."""
    with servers.postgres(tmp_path) as server:
        world = open_world(server.url("kapok"))

        def cut_off(session: Session) -> None:
            keys.create_key(session, world.organisation_id, "lost", "admin")
            server.server.stop()

        with pytest.raises(CatalogueUnavailable):
            world.write(cut_off)
        with pytest.raises(CatalogueUnavailable):
            world.database.check()
        server.server.start()
        world.database.check()
        world.write(
            lambda session: keys.create_key(session, world.organisation_id, "kept", "admin")
        )
        found = world.read(lambda session: keys.list_keys(session, world.organisation_id))
        world.database.close()
    assert [key.name for key in found] == ["kept"]
