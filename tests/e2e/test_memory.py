"""Large files and idle services stay small in memory."""

from __future__ import annotations

import subprocess
import threading
import time
from pathlib import Path

import pytest
import servers
import stack as stacks

pytestmark = [pytest.mark.services, pytest.mark.slow]

MEBIBYTE = 1 << 20


class Peak:
    """The kernel's own peak of a process's resident memory, read until told to stop."""

    def __init__(self, pid: int) -> None:
        self.pid, self.bytes, self._stop = pid, 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            try:
                self.bytes = stacks.peak_rss_bytes(self.pid)
            except (OSError, IndexError):
                return  # the process has ended

    def stop(self) -> int:
        self._stop.set()
        self._thread.join()
        return self.bytes


def test_the_service_idles_below_300_mb_in_all(embedded: stacks.Stack) -> None:
    """API, workers and sweeper together, children included, once every profile is proven."""

    def proven() -> bool:
        found = embedded.get("/v1/profiles")["data"]
        return all(one["availability"]["state"] != "unproven" for one in found)

    stacks.wait_until(proven, 300, "every profile is proven")
    time.sleep(3)
    pids = [embedded.api.pid, *(pid for pid, _ in stacks.descendants(embedded.api.pid))]
    assert sum(stacks.rss_bytes(pid) for pid in pids) < 300 * MEBIBYTE


@pytest.mark.parametrize("mode", ["api alone", "whole service"])
def test_uploading_4_gib_keeps_api_and_client_below_200_mb(
    tmp_path: Path, own_redis: servers.Redis, mode: str
) -> None:
    """The API receives the parts itself, as the store is a folder; the client is the CLI.

    Measured: the API alone 153 MiB, `kapok up`, which holds the workers too, 178; the client 57.
    """
    big = tmp_path / "big.mxf"
    with big.open("wb") as out:
        out.truncate(4 << 30)
    if mode == "api alone":
        stack = stacks.api_alone(tmp_path, broker_url=own_redis.url)
    else:
        stack = stacks.embedded(tmp_path)
    try:
        client = subprocess.Popen(
            [stacks.KAPOK, "upload", str(big), "--json"],
            env=stacks.clean_environment(stack.cli_env),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        peaks = Peak(stack.api.pid), Peak(client.pid)
        out, err = client.communicate(timeout=600)
        api_bytes, client_bytes = (peak.stop() for peak in peaks)
        assert client.returncode == 0, (out, err, stack.api.text()[-2000:])
        assert api_bytes < 200 * MEBIBYTE
        assert client_bytes < 200 * MEBIBYTE
    finally:
        stack.stop()
