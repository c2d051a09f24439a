"""Real servers for tests: started on free ports in a temporary folder, stopped at the end."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parent.parent


class ServerMissing(Exception):
    """The server's program is not on this machine; the text says how to get it."""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def minio_binary() -> str:
    places = [os.environ.get("KAPOK_TEST_MINIO"), shutil.which("minio"), ROOT / ".cache/bin/minio"]
    for place in places:
        if place and os.access(place, os.X_OK):
            return str(place)
    raise ServerMissing("MinIO is missing: run `make test-servers` or set KAPOK_TEST_MINIO")


def postgres_bin() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        raise ServerMissing("PostgreSQL is missing: run `make test-servers` (Debian: postgresql)")
    return found[-1].parent


def on_path(program: str, package: str) -> str:
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/lib/rabbitmq/bin:/usr/sbin")
    if found is None:
        raise ServerMissing(f"{program} is missing: run `make test-servers` (Debian: {package})")
    return found


@dataclass
class Server:
    """A server process that a test may stop, kill and start again on the same port and folder."""

    argv: Sequence[str]
    ready: Callable[[], bool]
    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    stop_signal: int = signal.SIGTERM
    process: subprocess.Popen[bytes] | None = None

    def start(self, timeout_s: float = 60) -> None:
        log = (self.folder / "server.log").open("ab")
        with log:
            self.process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.env},
                cwd=self.folder,
                start_new_session=True,
            )
        end = time.monotonic() + timeout_s
        while not self.ready():
            if self.process.poll() is not None or time.monotonic() > end:
                tail = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"{self.argv[0]} did not start:\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        self._end(self.stop_signal)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        os.killpg(self.process.pid, number)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)


def listens(port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(0.5)
        return client.connect_ex(("127.0.0.1", port)) == 0


def http_ok(port: int, path: str) -> bool:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@dataclass
class Minio:
    server: Server
    endpoint: str
    access_key: str
    secret_key: str


@contextmanager
def minio(folder: Path) -> Iterator[Minio]:
    port = free_port()
    access_key, secret_key = "kapok-test", secrets.token_hex(16)
    (folder / "disk").mkdir()
    server = Server(
        [minio_binary(), "server", str(folder / "disk"), "--address", f"127.0.0.1:{port}"],
        lambda: listens(port) and http_ok(port, "/minio/health/live"),
        folder,
        env={
            "MINIO_ROOT_USER": access_key,
            "MINIO_ROOT_PASSWORD": secret_key,
            "MINIO_BROWSER": "off",
            "MINIO_UPDATE": "off",
            "HOME": str(folder),
        },
    )
    server.start()
    try:
        yield Minio(server, f"http://127.0.0.1:{port}", access_key, secret_key)
    finally:
        server.stop()


@dataclass
class Postgres:
    """`url(name)` makes a fresh database and gives its SQLAlchemy URL."""

    server: Server
    port: int

    def url(self, name: str) -> str:
        import psycopg

        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return f"postgresql+psycopg://kapok@127.0.0.1:{self.port}/{name}"

    def _dsn(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=kapok dbname={name}"


@contextmanager
def postgres(folder: Path) -> Iterator[Postgres]:
    binaries, port, cluster = postgres_bin(), free_port(), folder / "cluster"
    prefix = _as_postgres_user(folder)
    subprocess.run(
        [*prefix, str(binaries / "initdb"), "-D", str(cluster), "-U", "kapok", "-A", "trust", "-N"],
        check=True,
        capture_output=True,
        cwd="/",
    )
    listen = ["-k", str(folder), "-p", str(port), "-c", "listen_addresses=127.0.0.1"]
    server = Server(
        [
            *prefix,
            str(binaries / "postgres"),
            *("-D", str(cluster)),
            *listen,
            *("-c", "max_connections=200"),
            *("-c", "fsync=off"),  # what a test wrote need not outlive the machine's power
            *("-c", "timezone=Asia/Shanghai"),  # as stations set it: all must come out in UTC
        ],
        lambda: listens(port) and _accepts(binaries, port),
        folder,
        stop_signal=signal.SIGINT,  # fast shutdown: clients are cut off
    )
    server.start()
    try:
        yield Postgres(server, port)
    finally:
        server.stop()


def _as_postgres_user(folder: Path) -> list[str]:
    """PostgreSQL refuses to run as root: its package's own user does it then."""
    if os.getuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    os.chown(folder, user.pw_uid, user.pw_gid)
    for parent in folder.parents:
        if parent.stat().st_uid == 0 and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    # setpriv execs, so that a signal to the process reaches PostgreSQL itself.
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _accepts(binaries: Path, port: int) -> bool:
    argv = [str(binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
    return subprocess.run(argv, check=False).returncode == 0


@dataclass
class Redis:
    server: Server
    url: str


@contextmanager
def redis(folder: Path) -> Iterator[Redis]:
    port = free_port()
    argv = [on_path("redis-server", "redis-server"), "--port", str(port), "--bind", "127.0.0.1"]
    server = Server(
        [*argv, "--save", "", "--appendonly", "no", "--dir", str(folder)],
        lambda: listens(port),
        folder,
    )
    server.start()
    try:
        yield Redis(server, f"redis://127.0.0.1:{port}/0")
    finally:
        server.stop()


@dataclass
class RabbitMQ:
    url: str
    server: Server

    def control(self, *words: str) -> None:
        """`rabbitmqctl` on this node."""
        argv = [_rabbitmq_script("rabbitmqctl"), "-n", self.server.env["RABBITMQ_NODENAME"], *words]
        env = {**os.environ, **self.server.env}
        subprocess.run(argv, env=env, check=True, capture_output=True, timeout=60)


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMQ]:
    """RabbitMQ on its own node name, ports and data folder."""
    port, dist_port = free_port(), free_port()
    epmd_port = free_port()
    server = Server(
        [_rabbitmq_script("rabbitmq-server")],
        lambda: listens(port),
        folder,
        env={
            "RABBITMQ_NODENAME": f"kapok{port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(port),
            "RABBITMQ_DIST_PORT": str(dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "ERL_EPMD_PORT": str(epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "HOME": str(folder),
        },
    )
    server.start(timeout_s=90)
    try:
        yield RabbitMQ(f"amqp://guest:guest@127.0.0.1:{port}/", server)
    finally:
        server.stop()
        _stop_epmd(epmd_port)


def _stop_epmd(port: int) -> None:
    """The port mapper outlives its node; this one was started for this node alone."""
    env = {**os.environ, "ERL_EPMD_PORT": str(port)}
    epmd = shutil.which("epmd")
    if epmd:
        subprocess.run([epmd, "-kill"], env=env, capture_output=True, check=False)


def _rabbitmq_script(name: str) -> str:
    """The package's own script: the wrapper on the PATH changes to a user who cannot write here."""
    packaged = sorted(Path("/usr/lib/rabbitmq/lib").glob(f"*/sbin/{name}"))
    return str(packaged[-1]) if packaged else on_path(name, "rabbitmq-server")


class Hanging:
    """A server that takes every connection and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.endpoint = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.taken: list[socket.socket] = []
        self._taking = threading.Thread(target=self._take)
        self._taking.start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                self.taken.append(self._listener.accept()[0])

    def close(self) -> None:
        """Nobody waits for it any more: connections break, and new ones are refused."""
        with suppress(OSError):  # it was closed before
            self._listener.shutdown(socket.SHUT_RDWR)
        self._taking.join()
        self._listener.close()
        for connection in self.taken:
            connection.close()


@contextmanager
def hanging() -> Iterator[Hanging]:
    server = Hanging()
    try:
        yield server
    finally:
        server.close()
