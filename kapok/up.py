"""The services of this machine: API and workers in one process, or each alone."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kapok.connection import KEY_FILE, SERVICE_FILE
from kapok.errors import DataInUse, PortInUse, Usage
from kapok.language import t
from pipelines.errors import KapokError
from storage.files import PRIVATE

if TYPE_CHECKING:
    from api.server import Server
    from storage.settings import Settings

LOCK_FILE = "kapok.lock"
START_S = 60.0


class ServiceFailed(KapokError):
    """The API did not come up, or ended by itself; its log says why."""

    code = "service_failed"


@dataclass(frozen=True, slots=True)
class Running:
    """A service that answers. `key_file` holds an admin key, or nothing where others keep it."""

    url: str
    data: Path
    key_file: Path
    api: threading.Thread


@contextlib.contextmanager
def whole_service(
    data: Path, host: str = "127.0.0.1", port: int = 0, *, chunk_min_s: float | None = None
) -> Iterator[Running]:
    """API, workers and sweeper over one data folder; port 0 takes a free one.

    `chunk_min_s` wins over `KAPOK_CHUNK_MIN_S`.

    Where a broker, database or store is set, those servers are used in place of the embedded ones.
    """
    from storage.catalogue.steps import free_orphans
    from storage.settings import load_settings
    from workers.service import WorkerService

    with locked(data), _bound(host, port) as listener:
        url = _public_url(host, listener.getsockname()[1])
        settings = _with_public_url(load_settings(data), url)
        if chunk_min_s is not None:
            settings = dataclasses.replace(settings, chunk_min_s=chunk_min_s)
        parts = _open_parts(settings)
        prepare(settings, parts["database"], data / KEY_FILE)
        if settings.alone:
            with parts["database"].begin() as session:
                free_orphans(session)
        workers = WorkerService(settings, **parts)
        with _api(settings, parts, listener) as thread:
            workers.start()
            try:
                with _announced(data, url):
                    yield Running(url, data, data / KEY_FILE, thread)
            finally:
                workers.stop()


@contextlib.contextmanager
def api_only(host: str, port: int) -> Iterator[Running]:
    """The API alone, as `kapok api` runs it beside workers on other machines."""
    from storage.settings import load_settings

    with _bound(host, port) as listener:
        url = _public_url(host, listener.getsockname()[1])
        settings = _with_public_url(load_settings(), url)
        with _api(settings, _open_parts(settings), listener) as thread:
            yield Running(url, settings.data, settings.data / KEY_FILE, thread)


def prepare(settings: Settings, database: Any, key_file: Path) -> bool:
    """Bring the catalogue up to date; at the very first start make an admin key. True when made.

    The key is on disk before its row is committed: a key that nobody can read is never made.
    """
    from storage.catalogue import keys

    settings.data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    database.migrate()
    with database.begin() as session:
        secret = keys.ensure_first_admin(session)
        if secret is not None:
            write_secret(key_file, secret)
    return secret is not None


def write_secret(path: Path, secret: str) -> None:
    """A file that only its owner can read, from its first byte on."""
    with secret_file(path) as keep:
        keep(secret)


@contextlib.contextmanager
def secret_file(path: Path) -> Iterator[Callable[[str], None]]:
    """Open the place before there is a secret; the yielded call writes it and gives the name.

    Raises `OSError` where nothing can be written; what was not finished leaves no file.
    """
    partial = path.with_name(f".{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:

        def keep(secret: str) -> None:
            file.write(f"{secret}\n")
            file.flush()
            os.fsync(file.fileno())
            partial.replace(path)

        try:
            yield keep
        finally:
            partial.unlink(missing_ok=True)


def stop_signal() -> threading.Event:
    """Set by SIGTERM or SIGINT from now on; a second one ends the process at once.

    Ask for it before the service starts: whoever starts it may stop it as soon as it answers.
    """
    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return stop


def wait_until_stopped(stop: threading.Event, running: Running | None = None) -> None:
    """Until somebody asks for the end. Raises if the API ends by itself."""
    while not stop.wait(0.5):
        if running is not None and not running.api.is_alive():
            raise ServiceFailed(t("the API ended by itself", "API 意外退出"))


def _open_parts(settings: Settings) -> dict[str, Any]:
    from storage.database import Database
    from storage.objects import open_store
    from workers.broker import open_broker

    settings.data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    return {
        "database": Database(settings.database_url),
        "objects": open_store(settings),
        "broker": open_broker(settings),
    }


def _with_public_url(settings: Settings, url: str) -> Settings:
    """The address of signed URLs: as set, else where this process listens."""
    if os.environ.get("KAPOK_PUBLIC_URL"):
        return settings
    return dataclasses.replace(settings, public_url=url)


def _public_url(host: str, port: int) -> str:
    """Where it listens on every address, this machine's own; `KAPOK_PUBLIC_URL` says better."""
    reachable = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - compared, not bound
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


@contextlib.contextmanager
def locked(data: Path) -> Iterator[None]:
    """One service a data folder: a second one would claim the first one's scratch and port."""
    with _private(data), (data / LOCK_FILE).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise DataInUse(
                t(
                    f"another Kapok runs on {data}: use that one, or give another --data",
                    f"{data} 已有另一个 Kapok 在运行：请使用它，或另选 --data 目录",
                )
            ) from error
        yield


@contextlib.contextmanager
def _private(data: Path) -> Iterator[None]:
    """Masters, catalogue and keys in DATA are for this user alone, whatever Kapok makes there.

    A folder that had other content before keeps its mode: it is not Kapok's alone.
    """
    fresh = not data.exists() or not any(data.iterdir())
    data.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    if fresh:
        with contextlib.suppress(PermissionError):  # made for Kapok by another user, as volumes are
            data.chmod(PRIVATE)
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextlib.contextmanager
def _bound(host: str, port: int) -> Iterator[socket.socket]:
    if not host:
        raise Usage(
            t(
                "--host is empty: name an address, 0.0.0.0 for every one",
                "--host 为空：请写一个地址，0.0.0.0 表示所有地址",
            )
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()  # else Linux lets another process bind the port until somebody does
        except OSError as error:
            raise PortInUse(
                t(
                    f"cannot listen on {host}:{port} ({error.strerror}): give another --port",
                    f"无法监听 {host}:{port}（{error.strerror}）：请换一个 --port",
                )
            ) from error
        yield listener


@contextlib.contextmanager
def _api(
    settings: Settings, parts: dict[str, Any], listener: socket.socket
) -> Iterator[threading.Thread]:
    """The API in a thread of its own, so that signals stay with the main thread."""
    from api.app import create_app
    from api.server import make_server
    from storage.ownership import own_store_at_start

    app = create_app(settings, parts["database"], parts["objects"], parts["broker"])
    host, port = listener.getsockname()[:2]
    server = make_server(app, host, port)
    thread = threading.Thread(
        target=server.run, kwargs={"sockets": [listener]}, name="kapok-api", daemon=True
    )
    thread.start()
    try:
        _await_start(server, thread)
        # After that: a store that hangs must not keep those waiting who ask whether it does.
        own_store_at_start(parts["database"], parts["objects"])
        yield thread
    finally:
        server.should_exit = True
        thread.join()


def _await_start(server: Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_S
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise ServiceFailed(t("the API did not start", "API 未能启动"))
        time.sleep(0.02)


@contextlib.contextmanager
def _announced(data: Path, url: str) -> Iterator[None]:
    """`DATA/service.json`: how commands with `KAPOK_DATA` alone find the service."""
    place = data / SERVICE_FILE
    partial = place.with_suffix(".partial")
    partial.write_text(json.dumps({"url": url, "pid": os.getpid()}))
    partial.replace(place)
    try:
        yield
    finally:
        place.unlink(missing_ok=True)
