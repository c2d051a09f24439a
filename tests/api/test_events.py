"""Events: by cursor, and live as server-sent events."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import api_world
import httpx
import pytest
from sqlalchemy import event as sql_event

from storage.catalogue import events

STREAM = {"Accept": "text/event-stream"}


def note(org: api_world.Organisation, number: int) -> None:
    """Something happens in that organisation."""
    with org.running.database.begin() as session:
        events.append(
            session,
            type="test.happened",
            subject=f"tst_{number}",
            organisation_id=org.id,
            actor="key_test",
            payload={"number": number},
        )


def last_seq(admin: httpx.Client) -> str:
    cursor: str = admin.get("/v1/events", params={"limit": 1000}).json()["next_cursor"]
    return cursor


class Listener:
    """One open stream. `take` gives the next events; heartbeats are counted."""

    def __init__(self, answer: httpx.Response) -> None:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        self._lines = answer.iter_lines()
        self.heartbeats = 0
        self.ids: list[str] = []

    def messages(self) -> Iterator[dict[str, Any]]:
        for line in self._lines:
            if line.startswith("id: "):
                self.ids.append(line.removeprefix("id: "))
            elif line.startswith(":"):
                self.heartbeats += 1
            elif line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))

    def take(self, count: int) -> list[dict[str, Any]]:
        found = self.messages()
        return [next(found) for _ in range(count)]


def test_events_are_read_by_cursor(org: api_world.Organisation, admin: httpx.Client) -> None:
    """Oldest first, each once, and the cursor stays valid when there is nothing new."""
    begin = last_seq(admin)
    for number in range(5):
        note(org, number)
    first = admin.get("/v1/events", params={"after": begin, "limit": 3}).json()
    assert [event["payload"]["number"] for event in first["data"]] == [0, 1, 2]
    assert first["has_more"] is True
    rest = admin.get("/v1/events", params={"after": first["next_cursor"], "limit": 3}).json()
    assert [event["payload"]["number"] for event in rest["data"]] == [3, 4]
    assert rest["has_more"] is False
    nothing = admin.get("/v1/events", params={"after": rest["next_cursor"]}).json()
    assert nothing == {"data": [], "next_cursor": rest["next_cursor"], "has_more": False}


def test_a_stream_goes_on_after_the_last_event_id(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """What was missed comes first, then what happens; each message's id is its seq."""
    begin = last_seq(admin)
    note(org, 1)
    headers = {**STREAM, "Last-Event-ID": begin}
    with admin.stream("GET", "/v1/events", headers=headers) as answer:
        listener = Listener(answer)
        (missed,) = listener.take(1)
        note(org, 2)
        (live,) = listener.take(1)
    assert [missed["payload"]["number"], live["payload"]["number"]] == [1, 2]
    assert listener.ids == [begin, str(missed["seq"]), str(live["seq"])]
    assert (live["type"], live["subject"]) == ("test.happened", "tst_2")


def test_without_a_cursor_a_stream_begins_now(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    note(org, 1)
    with admin.stream("GET", "/v1/events", headers=STREAM) as answer:
        listener = Listener(answer)
        note(org, 2)
        assert listener.take(1)[0]["payload"] == {"number": 2}


def test_a_stream_shows_nothing_of_other_organisations(
    org: api_world.Organisation, other_org: api_world.Organisation
) -> None:
    mine = org.client()
    with mine.stream("GET", "/v1/events", headers=STREAM) as answer:
        listener = Listener(answer)
        note(other_org, 1)
        note(org, 2)
        assert listener.take(1)[0]["payload"] == {"number": 2}


def test_a_long_history_comes_whole_and_in_order(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """More than one batch of the stream."""
    begin = last_seq(admin)
    with org.running.database.begin() as session:
        for number in range(1200):
            events.append(
                session,
                type="test.happened",
                subject="tst_x",
                organisation_id=org.id,
                actor="key_test",
                payload={"number": number},
            )
    headers = {**STREAM, "Last-Event-ID": begin}
    with admin.stream("GET", "/v1/events", headers=headers) as answer:
        found = Listener(answer).take(1200)
    assert [event["payload"]["number"] for event in found] == list(range(1200))


def test_a_stream_ends_when_its_key_is_revoked(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """And shows nothing of what happens after that; other keys listen on."""
    publisher = org.client("publisher")
    with (
        publisher.stream("GET", "/v1/events", headers=STREAM) as ending,
        admin.stream("GET", "/v1/events", headers=STREAM) as staying,
    ):
        lines = ending.iter_lines()
        note(org, 1)
        next(line for line in lines if "tst_1" in line)
        (key,) = (key for key in keys_of(admin) if key["role"] == "publisher")
        assert admin.delete(f"/v1/api-keys/{key['id']}").status_code == 200
        note(org, 2)
        assert not any("tst_2" in line for line in lines)
        types = [event["type"] for event in Listener(staying).take(3)]
    assert types == ["test.happened", "key.revoked", "test.happened"]


def keys_of(admin: httpx.Client) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get("/v1/api-keys").json()["data"]
    return found


def test_an_idle_stream_is_kept_alive(org: api_world.Organisation, admin: httpx.Client) -> None:
    """The test's API beats each 0.3 s; a comment is no event."""
    with admin.stream("GET", "/v1/events", headers=STREAM) as answer:
        listener = Listener(answer)
        threading.Timer(1.0, note, (org, 1)).start()
        listener.take(1)
    assert 2 <= listener.heartbeats <= 4


def test_a_quiet_organisations_stream_is_kept_alive_while_another_is_busy(
    org: api_world.Organisation, admin: httpx.Client
) -> None:
    """Each event of the other one wakes it, and says nothing to it: a proxy would cut it off."""
    other = org.running.organisation()
    ended = threading.Event()

    def be_busy() -> None:
        number = 0
        while not ended.wait(0.1):  # three to a beat
            note(other, number := number + 1)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(be_busy)
        try:
            with admin.stream("GET", "/v1/events", headers=STREAM) as answer:
                listener = Listener(answer)
                threading.Timer(2.0, note, (org, 1)).start()
                listener.take(1)
        finally:
            ended.set()
    assert listener.heartbeats >= 3


def test_idle_listeners_cost_no_thread_and_no_query_of_their_own(tmp_path: Path) -> None:
    """Sixty listeners: about as many threads and queries in a second as one listener."""
    with api_world.local_api(tmp_path) as running, ExitStack() as stack:
        org = running.organisation()
        client = org.client()
        with httpx.Client(
            base_url=running.url, headers=client.headers, limits=httpx.Limits(max_connections=100)
        ) as many:
            for _ in range(60):
                stack.enter_context(many.stream("GET", "/v1/events", headers=STREAM))
            api_world.wait_until(lambda: running.app.state.tail.head > 0)
            time.sleep(1)
            queries: list[str] = []

            def count(*details: Any) -> None:
                queries.append(details[2])  # the statement

            engine = running.database._engine
            sql_event.listen(engine, "before_cursor_execute", count)
            threads = threading.active_count()
            time.sleep(2)
            sql_event.remove(engine, "before_cursor_execute", count)
            assert len([query for query in queries if query.startswith("SELECT")]) <= 6
            assert threads < 60
            stack.close()
        org.close()


def test_streams_end_at_once_when_the_server_stops(tmp_path: Path) -> None:
    """Twenty open streams end cleanly in well under the server's grace time."""
    with ThreadPoolExecutor(20) as pool:
        with api_world.local_api(tmp_path) as running:
            org = running.organisation()
            headers = {**org.client().headers, **STREAM}
            opened = threading.Semaphore(0)

            def listen() -> list[str]:
                with httpx.stream("GET", f"{running.url}/v1/events", headers=headers) as answer:
                    opened.release()
                    return list(answer.iter_lines())

            streams = [pool.submit(listen) for _ in range(20)]
            for _ in streams:
                opened.acquire(timeout=10)
            org.close()
            began = time.monotonic()
        assert time.monotonic() - began < 3
        assert [stream.result()[0] for stream in streams] == ["retry: 2000"] * 20


def test_a_stream_survives_a_catalogue_that_is_away(tmp_path: Path) -> None:
    """It pauses, and goes on with what happened meanwhile."""
    with api_world.local_api(tmp_path, heartbeat_s=0.3) as running:
        org = running.organisation()
        with org.client().stream("GET", "/v1/events", headers=STREAM) as answer:
            listener = Listener(answer)
            note(org, 1)
            assert listener.take(1)[0]["payload"] == {"number": 1}
            rename(running, "events", "gone")
            time.sleep(1.2)
            rename(running, "gone", "events")
            note(org, 2)
            assert listener.take(1)[0]["payload"] == {"number": 2}
        org.close()


def rename(running: api_world.Running, table: str, new: str) -> None:
    with running.database.begin() as session:
        session.connection().exec_driver_sql(f"ALTER TABLE {table} RENAME TO {new}")


@pytest.mark.parametrize("cursor", ["x", "-1", "1e3", "９", "9" * 30])
def test_a_cursor_that_is_none_is_refused(admin: httpx.Client, cursor: str) -> None:
    answer = admin.get("/v1/events", params={"after": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


def test_a_cursor_beyond_the_newest_event_is_refused(admin: httpx.Client) -> None:
    """It was given before a restore from a backup; the newest event's own is as good as ever."""
    newest, beyond, path = last_seq(admin), "1000000000", "/v1/events"
    assert admin.get(path, params={"after": newest}).json()["data"] == []
    with admin.stream("GET", path, headers={**STREAM, "Last-Event-ID": newest}) as answer:
        assert answer.status_code == 200
    for asked in (
        admin.get(path, params={"after": beyond}),
        admin.get(path, params={"after": beyond}, headers=STREAM),
        admin.get(path, headers={**STREAM, "Last-Event-ID": beyond}),
    ):
        assert (asked.status_code, asked.json()["code"]) == (400, "invalid_cursor")
        assert "begin again without one" in asked.json()["detail"]
