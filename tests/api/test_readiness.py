"""A store that hangs costs its own calls, and nobody else: neither threads nor the start."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import api_world
import httpx
import servers

from api import readiness
from api.readiness import Readiness

WISH = {"title": "t", "file_name": "f.mxf", "size_bytes": 10}


@contextmanager
def api_of_a_hanging_store(folder: Path) -> Iterator[tuple[api_world.Running, servers.Hanging]]:
    """What waits for the store ends before the API does."""
    with servers.hanging() as store:
        given = {"s3_endpoint": store.endpoint, "s3_access_key": "a", "s3_secret_key": "s"}
        world = api_world.local_api(folder, prepare=False, **given)
        running = world.__enter__()
        try:
            yield running, store
        finally:
            store.close()
            world.__exit__(None, None, None)


def seconds(call: Callable[[], httpx.Response], status: int) -> float:
    began = time.monotonic()
    assert call().status_code == status
    return time.monotonic() - began


def test_probes_of_a_store_that_hangs_hold_nobody_up(tmp_path: Path) -> None:
    """Sixty at once, which need no key, ask the store once; the API answers meanwhile."""
    with api_of_a_hanging_store(tmp_path) as (running, store):
        org = running.organisation()
        client = org.client()
        with (
            httpx.Client(base_url=running.url, timeout=60, **api_world.LOOPBACK) as anybody,
            ThreadPoolExecutor(60) as pool,
        ):
            probes = [pool.submit(anybody.get, "/health/ready") for _ in range(60)]
            api_world.wait_until(lambda: bool(store.taken), 30)
            assert seconds(lambda: client.get("/v1/assets"), 200) < 30
            answers = [probe.result() for probe in probes]
        assert {answer.status_code for answer in answers} == {503}
        assert [one["parameter"] for one in answers[0].json()["errors"]] == ["store"]
        assert len(store.taken) <= 3
        org.close()


def test_calls_to_a_store_that_hangs_take_no_thread_of_others(tmp_path: Path) -> None:
    """More uploads than the API has threads for all its other routes."""
    with api_of_a_hanging_store(tmp_path) as (running, store):
        org = running.organisation()
        client = org.client()
        with ThreadPoolExecutor(50) as pool:
            post = org.client("admin", "b").post
            for _ in range(50):
                pool.submit(post, "/v1/uploads", json=WISH, timeout=60)
            api_world.wait_until(lambda: len(store.taken) >= 10, 60)
            assert seconds(lambda: client.get("/v1/assets"), 200) < 20
            assert seconds(lambda: client.get("/health/live"), 200) < 20
            store.close()
        org.close()


def test_an_answer_about_readiness_is_everybodys_for_two_seconds() -> None:
    """And is asked for anew after them; a check that is silent for long counts as failed."""
    import asyncio

    asked, silent = threading.Semaphore(0), threading.Event()

    def check() -> None:
        asked.release()

    async def story() -> None:
        ready = Readiness({"store": check, "catalogue": lambda: silent.wait(60)})
        begun = time.monotonic()
        first = await asyncio.gather(*(ready.failing() for _ in range(20)))
        assert time.monotonic() - begun >= readiness.PATIENCE_S
        assert [[one.parameter for one in found] for found in first] == [["catalogue"]] * 20
        silent.set()
        await asyncio.sleep(readiness.FRESH_S)
        assert await ready.failing() == []
        assert await ready.failing() == []

    asyncio.run(story())
    assert asked.acquire(blocking=False)
    assert asked.acquire(blocking=False)
    assert not asked.acquire(blocking=False)
