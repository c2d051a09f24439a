"""The catalogue's database: transactions and migrations, alike on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolExhausted
from sqlalchemy.orm import Session

from storage.catalogue import events
from storage.errors import CatalogueFull, CatalogueUnavailable, CommitUnknown

MIGRATIONS = Path(__file__).parent / "migrations"
MIGRATION_LOCK = 0x6B61706F6B01  # PostgreSQL advisory lock: "kapok", 1
BUSY_TIMEOUT_S = 10
WAL_PAUSE_S = 0.02  # between two tries to make a new catalogue journal by WAL
CONNECT_TIMEOUT_S = 5
CONNECTIONS = 20  # per process: more than the threads that use the catalogue at once
UNAVAILABLE = (OperationalError, InterfaceError, PoolExhausted)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
NO_TABLE = "42P01"  # SQLSTATE: it was never migrated
READ_ONLY = "25006"  # SQLSTATE of a write on a standby: the failover is not over yet
# [P] What a host that vanished in a transaction holds is free again within a minute: every writer
# would wait for its lock on the chain of events. PostgreSQL itself waits for two hours.
SESSION = {
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "tcp_keepalives_idle": "15",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "3",
}


class Database:
    """One catalogue. Opening it does not connect; `migrate` makes the tables."""

    def __init__(self, url: str) -> None:
        self._engine = _open(url)
        self._sqlite = self._engine.dialect.name == "sqlite"
        options = {"kapok_begin": "BEGIN IMMEDIATE"} if self._sqlite else {}
        self._writing = self._engine.execution_options(**options)
        self._reading = self._engine.execution_options(
            **({} if self._sqlite else {"postgresql_readonly": True})
        )
        # SQLite has one writer; waiting here is fair and quick, its own busy loop is neither.
        self._turn = threading.RLock() if self._sqlite else nullcontext()

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """A write transaction: commits at the end, undone by any error.

        Rows stay readable after it. Events are written last, so that the lock on their chain is
        short and every transaction takes its locks in one order: see `catalogue/locks.py`. Raises
        `CatalogueUnavailable`, and `CommitUnknown` where the commit may still have happened.
        """
        with self._turn, _unavailable(), Session(self._writing, expire_on_commit=False) as session:
            yield session
            session.flush()
            events.write_pending(session)
            with _unknown():
                session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that writes nothing. Rows stay readable after it."""
        with _unavailable(), Session(self._reading, expire_on_commit=False) as session:
            yield session

    def migrate(self) -> None:
        """Bring the tables up to this version; several processes may do so at once."""
        with self._turn, _unavailable(), self._writing.begin() as connection:
            if not self._sqlite:
                connection.execute(text("SET LOCAL lock_timeout = 0"))  # another one may migrate
                connection.execute(text(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})"))
            try:
                command.upgrade(migration_config(connection), "head")
            except CommandError as error:  # of Alembic: it has no such step
                raise CatalogueUnavailable(
                    f"the catalogue is of a newer Kapok ({error}): run that version again"
                ) from error

    def check(self) -> None:
        """Raise `CatalogueUnavailable` unless the database answers and has tables."""
        with self.read() as session:
            session.execute(text("SELECT count(*) FROM organisations"))

    def close(self) -> None:
        self._engine.dispose()


def migration_config(connection: Connection) -> Config:
    """Alembic's configuration for this package's migrations over an open connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _open(url: str) -> Engine:
    parsed = make_url(url)
    serialise = partial(json.dumps, ensure_ascii=False, allow_nan=False)
    common: dict[str, Any] = {
        "json_serializer": serialise,
        "pool_size": CONNECTIONS,
        "max_overflow": CONNECTIONS,
        "pool_timeout": BUSY_TIMEOUT_S,
    }
    if parsed.get_backend_name() == "sqlite":
        if parsed.database:
            Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(parsed, connect_args={"timeout": BUSY_TIMEOUT_S}, **common)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    arguments = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "tcp_user_timeout": 15_000,  # a server that vanished without a word is noticed in 15 s
        "application_name": "kapok",
        "options": " ".join(f"-c {name}={value}" for name, value in SESSION.items()),
    }
    return create_engine(parsed, connect_args=arguments, pool_pre_ping=True, **common)


def _prepare_sqlite(connection: Any, record: object) -> None:  # noqa: ARG001 - SQLAlchemy passes it
    connection.isolation_level = None  # the driver must not begin by itself: `_begin_sqlite` does
    cursor = connection.cursor()
    _keep_wal(cursor)
    cursor.execute(
        "PRAGMA synchronous = FULL"
    )  # a commit that was told to anyone survives power loss
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _keep_wal(cursor: Any) -> None:
    """Journal by WAL. SQLite gives a new file's change to it no busy timeout, so this waits.

    Of 300 new catalogues that six connections opened at once, 25 were refused as locked before.
    """
    end = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(WAL_PAUSE_S)
        else:
            return


def _begin_sqlite(connection: Connection) -> None:
    """Writers lock at once: a transaction that reads first and writes later could not be undone."""
    connection.exec_driver_sql(connection.get_execution_options().get("kapok_begin", "BEGIN"))


@contextmanager
def _unknown() -> Iterator[None]:
    """A commit: only that the disk is full says for certain that there was none."""
    try:
        with _unavailable():
            yield
    except CatalogueFull:
        raise
    except CatalogueUnavailable as error:
        raise CommitUnknown(str(error)) from error


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except UNAVAILABLE as error:
        reason = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
        if "disk is full" in reason or "No space left" in reason:  # SQLite's and PostgreSQL's words
            raise CatalogueFull(
                "the disk of the catalogue is full: free some space, then try again"
            ) from error
        raise CatalogueUnavailable(
            f"the catalogue does not answer ({reason}): see that the database runs, then try again"
        ) from error
    except DBAPIError as error:
        if getattr(error.orig, "sqlite_errorcode", None) in DAMAGED:
            raise CatalogueUnavailable(
                f"the catalogue is damaged ({error.orig}): stop Kapok, and put a backup of it in "
                "its place"
            ) from error
        if getattr(error.orig, "sqlstate", "") == NO_TABLE:
            reason = str(error.orig).partition("\n")[0]
            raise CatalogueUnavailable(
                f"the catalogue lacks a table ({reason}): run `kapok migrate` first"
            ) from error
        if not error.connection_invalidated and getattr(error.orig, "sqlstate", "") != READ_ONLY:
            raise
        raise CatalogueUnavailable(
            "the connection to the catalogue broke: try again when the database is back"
        ) from error
