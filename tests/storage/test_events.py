"""The chain of events: what it proves, and what its readers may rely on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from hashlib import sha256

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session
from worlds import World, at_once

from storage.catalogue import events
from storage.schema import Event

WRITERS = 8
EVENTS_EACH = 15


def note(session: Session, number: int, organisation_id: str | None = None) -> None:
    events.append(
        session,
        type="test.noted",
        subject=f"sub_{number}",
        organisation_id=organisation_id,
        actor="key_test",
        payload={"number": number, "说明": "木棉", "share": 0.1, "huge": 1e20},
    )


def fill(world: World, count: int) -> None:
    for number in range(count):
        world.write(lambda session, number=number: note(session, number))


def report(world: World, known_head: str | None = None) -> events.ChainReport:
    return world.read(lambda session: events.verify_chain(session, known_head))


def tamper(world: World, change: Callable[[Session], object]) -> None:
    """Change rows as somebody with the database's password would."""

    def unlocked(session: Session) -> None:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("ALTER TABLE events DISABLE TRIGGER ALL"))
        else:
            session.execute(text("DROP TRIGGER events_no_update"))
            session.execute(text("DROP TRIGGER events_no_delete"))
        change(session)

    world.write(unlocked)


def test_the_hash_covers_the_row_and_the_hash_before_it(world: World) -> None:
    """Written out by hand once, so that anybody can check a chain without Kapok."""
    fill(world, 1)
    first, *_, before, last = world.read(lambda session: events.read(session, None, 0, 100))
    assert first.previous_hash == "0" * 64
    assert last.previous_hash == before.hash
    form = (
        f'[{last.seq},"{last.at.isoformat(timespec="microseconds")}",null,"key_test","test.noted",'
        '"sub_0",{"huge":1e+20,"number":0,"share":0.1,"说明":"木棉"},'
        f'"{before.hash}"]'
    )
    assert last.hash == sha256(form.encode()).hexdigest()


def test_an_untouched_chain_verifies(world: World) -> None:
    """The report counts the events and gives the newest hash."""
    fill(world, 5)
    found = report(world)
    rows = world.read(lambda session: events.read(session, None, 0, 100))
    assert (found.broken_at, found.events, found.head) == (None, len(rows), rows[-1].hash)


def test_a_changed_row_is_found(world: World) -> None:
    """Also when only one value deep in the payload is another."""
    fill(world, 5)
    last = world.read(events.head)

    def change(session: Session) -> None:
        row = session.get_one(Event, last - 2)
        row.payload = {**row.payload, "number": 99}

    tamper(world, change)
    assert report(world).broken_at == last - 2


def test_a_changed_row_with_a_fresh_hash_is_found_at_the_next_one(world: World) -> None:
    """Hashing one row again is not enough: its follower names the old hash."""
    fill(world, 5)
    last = world.read(events.head)

    def change(session: Session) -> None:
        row = session.get_one(Event, last - 2)
        row.actor = "key_somebody_else"
        row.hash = events.event_hash({name: getattr(row, name) for name in events.HASHED})

    tamper(world, change)
    assert report(world).broken_at == last - 1


def test_a_removed_row_is_found(world: World) -> None:
    """The place of a removed event is empty."""
    fill(world, 5)
    last = world.read(events.head)
    tamper(world, lambda session: session.delete(session.get_one(Event, last - 2)))
    assert report(world).broken_at == last - 2


def test_an_inserted_row_is_found(world: World) -> None:
    """A row at the end that does not follow from the one before it breaks the chain."""
    fill(world, 5)
    last = world.read(events.head)

    def insert(session: Session) -> None:
        copied = session.get_one(Event, last)
        names = {column.key for column in Event.__table__.columns} - {"seq"}
        session.add(Event(seq=last + 1, **{name: getattr(copied, name) for name in names}))

    tamper(world, insert)
    assert report(world).broken_at == last + 1


def test_a_cut_tail_is_found_by_a_head_that_was_noted(world: World) -> None:
    """The chain alone cannot know it; a hash written down elsewhere can."""
    fill(world, 5)
    head = report(world).head
    last = world.read(events.head)
    assert report(world, head).broken_at is None
    tamper(world, lambda session: session.delete(session.get_one(Event, last)))
    assert report(world).broken_at is None
    assert report(world, head).broken_at == last


@pytest.mark.parametrize("statement", ["UPDATE events SET actor = 'x'", "DELETE FROM events"])
def test_the_database_itself_refuses_to_change_events(world: World, statement: str) -> None:
    """Append-only holds for every client, not only for Kapok's own code."""
    fill(world, 1)
    with pytest.raises(DBAPIError, match="append-only"):
        world.write(lambda session: session.execute(text(statement)))


def test_events_of_an_undone_transaction_are_not_written(world: World) -> None:
    """An event says that something happened, so it goes with what it tells of."""
    before = world.read(events.head)

    def change(session: Session) -> None:
        note(session, 1)
        raise KeyError("undone")

    with pytest.raises(KeyError):
        world.write(change)
    assert world.read(events.head) == before


def test_reading_by_organisation_leaves_out_others(world: World) -> None:
    """The feed of one organisation never shows another's events."""
    after = world.read(events.head)
    world.write(lambda session: note(session, 1, world.organisation_id))
    world.write(lambda session: note(session, 2, "org_other"))
    found = world.read(lambda session: events.read(session, world.organisation_id, after, 10))
    assert [event.subject for event in found] == ["sub_1"]


def test_the_chain_holds_under_parallel_writers(world: World) -> None:
    """Places are given under one lock, in the order of commits, without gaps."""
    before = world.read(events.head)

    def write() -> None:
        for number in range(EVENTS_EACH):
            world.write(lambda session, number=number: note(session, number))

    at_once([write] * WRITERS)
    found = report(world)
    assert found.broken_at is None
    assert found.events == before + WRITERS * EVENTS_EACH


def test_a_cursor_never_skips_an_event_under_parallel_writers(world: World) -> None:
    """Whoever reads on from the last seq it saw, sees every event exactly once."""
    seen: list[int] = []
    ended = threading.Event()
    start = cursor = world.read(events.head)

    def follow() -> None:
        nonlocal cursor
        while True:
            over = ended.is_set()  # asked before reading: what was written before it is read
            found = world.read(lambda session, after=cursor: events.read(session, None, after, 7))
            seen.extend(event.seq for event in found)
            cursor = found[-1].seq if found else cursor
            if over and not found:
                return

    def write() -> None:
        for number in range(EVENTS_EACH):
            world.write(lambda session, number=number: note(session, number))

    reader = threading.Thread(target=follow)
    reader.start()
    at_once([write] * WRITERS)
    ended.set()
    reader.join(30)
    assert seen == list(range(start + 1, start + 1 + WRITERS * EVENTS_EACH))
