"""`kapok up`: one process that serves a data folder, and stops cleanly."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import servers

from kapok.client import Client
from kapok.errors import PortInUse
from kapok.transfer import Transfer
from kapok.up import _bound, api_only, prepare, whole_service
from storage.database import Database
from storage.errors import InvalidSettings
from storage.settings import load_settings

MIB = 1 << 20


@contextmanager
def up(data: Path, port: int = 0) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    """A running `kapok up` and what it announced; killed at the end if it still runs."""
    words = [sys.executable, "-m", "kapok.cli", "up", "--data", data, "--port", str(port), "--json"]
    with (data.parent / "up.log").open("a") as log:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
    assert process.stdout is not None
    with process.stdout:
        try:
            yield process, _announced(process.stdout)
        finally:
            process.kill()
            process.wait()


def _announced(lines: Any) -> dict[str, Any]:
    text = ""
    for line in lines:
        text += line
        if line.rstrip() == "}":
            break
    record: dict[str, Any] = json.loads(text)
    return record


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with up(tmp_path_factory.mktemp("up") / "data") as service:
        yield service


def test_the_first_start_leaves_an_admin_key_that_only_its_owner_reads(running: Any) -> None:
    key = Path(running[1]["key_file"])

    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().startswith("kpk_")


def test_nobody_else_can_look_into_the_data_folder(running: Any, tmp_path: Path) -> None:
    """Neither into the folder that Kapok made, nor into what it makes in one that was there."""
    data = Path(running[1]["data"])
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert _readable_by_others(data) == []

    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "theirs.txt").write_text("x")
    (shared / "theirs.txt").chmod(0o644)
    with up(shared):
        assert stat.S_IMODE(shared.stat().st_mode) == 0o755
        assert _readable_by_others(shared) == ["theirs.txt"]


def _readable_by_others(data: Path) -> list[str]:
    """What others could open: a folder of 0700 hides what is in it."""
    return [path.name for path in sorted(data.iterdir()) if path.stat().st_mode & 0o077]


def test_health_needs_no_key(running: Any) -> None:
    for path in ("/health/live", "/health/ready"):
        assert httpx.get(f"{running[1]['url']}{path}", trust_env=False).status_code == 200


def test_a_data_folder_is_all_that_a_command_needs(running: Any) -> None:
    """On the same machine KAPOK_DATA names address and key."""
    done = _kapok("zone", "list", "--json", KAPOK_DATA=running[1]["data"])

    assert done.returncode == 0, done.stderr
    assert "uhd-4k" in [zone["name"] for zone in json.loads(done.stdout)["data"]]


def test_a_second_service_on_the_same_folder_is_refused(running: Any) -> None:
    done = _kapok("up", "--data", running[1]["data"], "--port", "0")

    assert done.returncode == 5
    assert "data_in_use" in done.stderr


def test_the_log_of_a_start_is_about_kapok(running: Any, tmp_path: Path) -> None:
    """Alembic's six lines about what it loads of itself stood before everything else."""
    port = running[1]["url"].rpartition(":")[2]

    done = _kapok("up", "--data", str(tmp_path / "other"), "--port", port)

    assert done.returncode == 5
    assert "alembic.runtime.plugins" not in done.stderr


def test_a_taken_port_is_said(running: Any, tmp_path: Path) -> None:
    port = running[1]["url"].rpartition(":")[2]

    done = _kapok("up", "--data", str(tmp_path / "other"), "--port", port)

    assert done.returncode == 5
    assert "port_in_use" in done.stderr


def test_a_port_is_taken_before_the_service_answers() -> None:
    """Linux lets two processes bind one port while nobody listens: both said they had it."""
    with _bound("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(PortInUse), _bound("127.0.0.1", port):
            pytest.fail("a second one has the port too")


def test_an_empty_host_is_a_lost_word_of_a_script(tmp_path: Path) -> None:
    """It would listen on every address, and announce none."""
    done = _kapok("up", "--data", str(tmp_path / "data"), "--host", "", "--port", "0")

    assert done.returncode == 2
    assert "--host is empty" in done.stderr


def test_a_worker_without_the_apis_store_is_refused(tmp_path: Path) -> None:
    """It would look for masters in a folder of its own."""
    broker = {"KAPOK_DATA": str(tmp_path), "KAPOK_BROKER_URL": "redis://127.0.0.1:1/0"}
    done = _kapok("worker", **broker)

    assert done.returncode == 2
    assert "KAPOK_S3_ENDPOINT" in done.stderr


def test_a_damaged_catalogue_is_said_to_be_one(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "kapok.db").write_bytes(b"no database at all" * 400)

    done = _kapok("up", "--data", str(data), "--port", "0")

    assert done.returncode == 1
    assert "the catalogue is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_of_another_catalogue_is_refused(tmp_path: Path) -> None:
    """Its running work would be swept as nobody's."""
    store = tmp_path / "objects/objects"
    store.mkdir(parents=True)
    (store / "kapok-catalogue").write_text("another")
    with (
        pytest.raises(InvalidSettings, match="KAPOK_S3_BUCKET"),
        whole_service(tmp_path),
    ):
        pass


def test_the_api_answers_while_a_start_asks_a_store_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It said nothing for four minutes; whose the store is will be asked later."""
    settings = load_settings(tmp_path, {})
    with closing(Database(settings.database_url)) as database:
        prepare(settings, database, tmp_path / "admin.key")
    with servers.hanging() as store:
        given = {"DATA": str(tmp_path), "S3_ENDPOINT": store.endpoint}
        for name, value in {**given, "S3_ACCESS_KEY": "a", "S3_SECRET_KEY": "s"}.items():
            monkeypatch.setenv(f"KAPOK_{name}", value)
        port, began = servers.free_port(), time.monotonic()
        ends, started = threading.Event(), threading.Event()

        def run() -> None:
            with api_only("127.0.0.1", port):
                started.set()
                ends.wait(60)

        api = threading.Thread(target=run)
        api.start()
        try:
            while not servers.http_ok(port, "/health/live"):
                assert time.monotonic() - began < 30
            assert started.wait(30)
        finally:
            store.close()
            ends.set()
            api.join()


def test_a_centre_key_may_not_upload(running: Any, tmp_path: Path) -> None:
    """Exit status 3, and the secret goes into a file instead of the screen."""
    key = tmp_path / "foshan.key"
    made = _kapok(
        "key", "create", "foshan", "--role", "centre", "-o", str(key),
        KAPOK_DATA=running[1]["data"],
    )  # fmt: skip
    (tmp_path / "a.mov").write_bytes(b"x")

    done = _kapok(
        "upload", str(tmp_path / "a.mov"),
        KAPOK_URL=running[1]["url"], KAPOK_API_KEY_FILE=str(key),
    )  # fmt: skip

    assert made.returncode == 0, made.stderr
    assert key.read_text().strip() not in made.stdout + made.stderr
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert done.returncode == 3
    assert "forbidden" in done.stderr


def test_unknown_things_have_their_exit_status(running: Any) -> None:
    environment = {"KAPOK_DATA": running[1]["data"]}

    assert _kapok("asset", "show", "ast_none", **environment).returncode == 4
    assert _kapok("job", "cancel", "job_none", **environment).returncode == 4
    assert _kapok("publish", "ast_none", "--zone", "uhd-4k", **environment).returncode == 4


def test_the_event_chain_is_intact(running: Any) -> None:
    done = _kapok("events", "verify", "--json", KAPOK_DATA=running[1]["data"])

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["intact"] is True

    done = _kapok("events", "verify", KAPOK_DATA=running[1]["data"])
    assert "the events fit together" in done.stdout


def test_a_chain_whose_tail_was_cut_off_is_told_by_a_head_that_was_kept(
    running: Any, tmp_path: Path
) -> None:
    """The chain alone cannot know, and says so; the head that the last proof printed does.

    Up to that head: what came later may be gone as before.
    """
    catalogue = Path(running[1]["data"]) / "kapok.db"
    with (
        closing(sqlite3.connect(catalogue)) as whole,
        closing(sqlite3.connect(tmp_path / "kapok.db")) as copy,
    ):
        whole.backup(copy)

        def verify(*given: str) -> Any:
            return _kapok("events", "verify", *given, KAPOK_DATA=str(tmp_path))

        told = json.loads(verify("--json").stdout)
        head, last = told["head"], told["events"]
        assert head in verify().stdout
        assert "not proven" in verify().stdout
        kept = verify("--known-head", head.upper())
        assert kept.returncode == 0, kept.stderr
        assert f"none was altered or removed up to event {last}, the known head" in kept.stdout
        (early,) = copy.execute("SELECT hash FROM events WHERE seq = 2").fetchone()
        known = verify("--known-head", early)
        assert "up to event 2, the known head" in known.stdout
        assert re.search("not proven +what came after it", known.stdout)
        copy.execute("DROP TRIGGER events_no_delete")
        copy.execute("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)")
        copy.commit()
        assert verify().returncode == 0
        cut = verify("--known-head", head)
    assert cut.returncode == 1
    assert "the newest were cut off" in cut.stderr
    assert verify("--known-head", head[:12]).returncode == 2


def test_a_broken_event_chain_is_an_error(running: Any, tmp_path: Path) -> None:
    """Somebody with the database file can drop its triggers; the chain still tells."""
    catalogue = Path(running[1]["data"]) / "kapok.db"
    with (
        closing(sqlite3.connect(catalogue)) as whole,
        closing(sqlite3.connect(tmp_path / "kapok.db")) as copy,
    ):
        whole.backup(copy)
        copy.execute("DROP TRIGGER events_no_update")
        copy.execute("UPDATE events SET subject = 'job_of_another' WHERE seq = 2")
        copy.commit()

    done = _kapok("events", "verify", "--json", KAPOK_DATA=str(tmp_path))

    assert done.returncode == 1, done.stderr
    found = json.loads(done.stdout)
    assert (found["intact"], found["broken_at"]) == (False, 2)
    assert "chain_broken" in done.stderr


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    """Exit status 0 within seconds, and no address of a dead service is left behind."""
    with up(tmp_path / "data") as (process, _):
        process.send_signal(signal.SIGTERM)

        assert process.wait(timeout=15) == 0
        assert not (tmp_path / "data" / "service.json").exists()


@pytest.mark.slow
def test_an_upload_survives_a_kill_of_the_service(tmp_path: Path) -> None:
    """A kill -9 while parts are under way; the client goes on by itself when it is back.

    The store begins with a file of zeros: only random bytes show that none was lost.
    """
    file = tmp_path / "big.mov"
    with file.open("wb") as random:
        for _ in range(320):
            random.write(os.urandom(MIB))
    port = _free_port()
    killed: list[int] = []

    with up(tmp_path / "data", port) as (first, announced):
        key = Path(announced["key_file"]).read_text().strip()

        def kill_once(progress: Transfer) -> None:
            if not killed and progress.done_bytes:
                killed.append(progress.done_bytes)
                os.killpg(first.pid, signal.SIGKILL)
                first.wait()
                again.append(up(tmp_path / "data", port))
                again[0].__enter__()

        again: list[Any] = []
        with Client(announced["url"], key) as client:
            sent = client.upload(file, on_progress=kill_once)
            job = client.job(sent.job_id)
        again[0].__exit__(None, None, None)

    assert killed
    assert job["upload_id"] == sent.upload_id
    assert sent.size_bytes == 320 * MIB
    stored = tmp_path / "data/objects/objects/assets" / sent.asset_id / "source" / sent.upload_id
    assert _sha256(stored) == _sha256(file) == sent.sha256


@pytest.mark.slow
def test_a_large_upload_needs_little_memory(running: Any, tmp_path: Path) -> None:
    """1 GiB through client and service: neither holds parts in memory.

    VmHWM is the peak of the client alone; `ru_maxrss` would begin with that of its parent.
    """
    file = tmp_path / "big.mov"
    with file.open("wb") as sparse:
        sparse.truncate(1024 * MIB)
    code = (
        "import re, sys; from pathlib import Path; from kapok import Client\n"
        "with Client() as kapok: kapok.upload(sys.argv[1])\n"
        "status = Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', status)[1]) // 1024)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, file],
        env={**os.environ, "KAPOK_DATA": running[1]["data"]},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 120


def _kapok(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kapok.cli", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "LANG": "C", **environment},
        timeout=60,
        check=False,
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
