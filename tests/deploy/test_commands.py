"""The very commands of docker-compose.yml, started by hand against real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import servers

from sample_media.generate import generate
from tests.deploy.test_compose import KAPOK_SERVICES, compose_file
from workers.broker import QUEUES

pytestmark = [pytest.mark.services, pytest.mark.media]
KAPOK = Path(sys.executable).with_name("kapok")


@pytest.fixture(scope="module")
def environment(
    tmp_path_factory: pytest.TempPathFactory,
    minio_server: servers.Minio,
    postgres_server: servers.Postgres,
    redis_server: servers.Redis,
) -> dict[str, str]:
    """The environment of the file, with this machine's servers in place of its containers'."""
    folder = tmp_path_factory.mktemp("compose")
    written = {
        "database_url": postgres_server.url("kapok_compose"),
        "broker_url": redis_server.url,
        "s3_access_key": minio_server.access_key,
        "s3_secret_key": minio_server.secret_key,
        "signing_key": "a key of these tests",
    }
    for name, secret in written.items():
        (folder / name).write_text(secret)
    replaced = {
        "/run/secrets": str(folder),
        "http://store:9000": minio_server.endpoint,
        "http://127.0.0.1:9000": minio_server.endpoint,
        "http://127.0.0.1:8000": f"http://127.0.0.1:{servers.free_port()}",
        "/scratch": str(folder / "scratch"),
    }
    given = dict(compose_file()["services"]["encode"]["environment"])
    for old, new in replaced.items():
        given = {key: value.replace(old, new) for key, value in given.items()}
    kept = {key: value for key, value in os.environ.items() if not key.startswith("KAPOK_")}
    return {**kept, **given, "KAPOK_SCRATCH": str(folder / "scratch")}


@pytest.fixture(scope="module")
def stack(environment: dict[str, str]) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """The migration run to its end, then the API and one worker a queue."""
    services = compose_file()["services"]
    port = environment["KAPOK_PUBLIC_URL"].rpartition(":")[2]
    key_file = f"{environment['KAPOK_DATA']}/admin.key"
    subprocess.run(
        [KAPOK, *services["migrate"]["command"][:-1], key_file], env=environment, check=True
    )
    commands = {name: services[name]["command"] for name in KAPOK_SERVICES if name != "migrate"}
    commands["api"] = ["api", "--host", "127.0.0.1", "--port", port]
    running = {
        name: subprocess.Popen([KAPOK, *words], env=environment) for name, words in commands.items()
    }
    try:
        await_ready(int(port))
        yield running
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def await_ready(port: int) -> None:
    end = time.monotonic() + 120
    while not servers.http_ok(port, "/health/ready"):
        assert time.monotonic() < end, "the API is not ready"
        time.sleep(0.2)


def kapok(environment: dict[str, str], *words: str) -> Any:
    online = ["--url", environment["KAPOK_PUBLIC_URL"]]
    online += ["--api-key-file", f"{environment['KAPOK_DATA']}/admin.key"]
    argv = [KAPOK, *words, *online, "--json"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_clip_passes_every_pool_and_is_published(
    stack: dict[str, subprocess.Popen[bytes]], environment: dict[str, str], tmp_path: Path
) -> None:
    """Inspect, encode, measure, package and deliver each have one worker of their own here."""
    clip = generate("stereo_30000_1001", tmp_path, seconds=1, height=180)
    words = ["--profiles", "mobile-540p", "--zone", "mobile", "--wait"]
    sent = kapok(environment, "upload", str(clip), *words)
    assert sent["job"]["state"] == "done"
    steps = kapok(environment, "job", "show", sent["job"]["id"])["steps"]
    assert {step["queue"] for step in steps} == set(QUEUES)
    assert {step["state"] for step in steps} == {"done"}
    pulled = kapok(environment, "pull", "--centre", "foshan", "-o", str(tmp_path / "foshan"))
    assert [file["verified"] for file in pulled["files"]] == [True]
    assert all(process.poll() is None for process in stack.values())


def test_the_health_checks_of_the_file_pass(
    stack: dict[str, subprocess.Popen[bytes]], environment: dict[str, str]
) -> None:
    """The API's own little program, and the workers' `kapok doctor --quick`."""
    assert stack
    services = compose_file()["services"]
    _, *asks_api = services["api"]["healthcheck"]["test"]
    program = asks_api[-1].replace("http://127.0.0.1:8000", environment["KAPOK_PUBLIC_URL"])
    subprocess.run([sys.executable, "-c", program], check=True, timeout=10)
    _, _, *words = services["encode"]["healthcheck"]["test"]
    subprocess.run([KAPOK, *words], env=environment, check=True, stdout=subprocess.DEVNULL)


def test_what_the_workers_make_is_for_their_user_alone(
    stack: dict[str, subprocess.Popen[bytes]], environment: dict[str, str]
) -> None:
    """Scratch holds masters while they are worked on."""
    folders = [Path(environment["KAPOK_SCRATCH"]), *Path(environment["KAPOK_SCRATCH"]).iterdir()]
    assert len(folders) > 1
    assert {f.name: oct(f.stat().st_mode) for f in folders if f.stat().st_mode & 0o077} == {}


def test_every_service_ends_by_itself_when_it_is_told_to(
    stack: dict[str, subprocess.Popen[bytes]],
) -> None:
    """Docker sends SIGTERM and kills after the grace period of 30 s."""
    for process in stack.values():
        process.send_signal(signal.SIGTERM)
    assert {name: process.wait(30) for name, process in stack.items()} == dict.fromkeys(stack, 0)
