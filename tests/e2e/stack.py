"""Starts Kapok as its users do: `kapok up`, or API and workers as processes of their own."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import servers

from pipelines.running import tools

KAPOK = str(Path(sys.executable).with_name("kapok"))
QUICK = {
    "KAPOK_LEASE_S": "3",
    "KAPOK_SWEEP_S": "0.5",
    "KAPOK_RESEND_AFTER_S": "3",  # in place of a minute, which a lost queue costs else
    "KAPOK_CHUNK_MIN_S": "3",
}
LOOK_S = 0.2
ALONE = {**QUICK, "KAPOK_LEASE_S": "600"}  # nobody needs to wait for a lease


def clean_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The machine's environment without Kapok settings of whoever runs the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("KAPOK_")}
    return {**kept, **settings}


def kapok(
    *argv: str, env: Mapping[str, str], timeout_s: float = 300
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [KAPOK, *argv],
        env=clean_environment(env),
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def wait_until(holds: Callable[[], Any], timeout_s: float, what: str) -> Any:
    end = time.monotonic() + timeout_s
    while not (answer := holds()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(LOOK_S)
    return answer


def make(path: Path, *argv: str) -> Path:
    """Run ffmpeg to make a small clip."""
    command = [tools.ffmpeg(), "-nostdin", "-v", "error", "-y", *argv, str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


def descendants(pid: int) -> list[tuple[int, str]]:
    """Every living process below `pid`, with its command line."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            after_name = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue  # it ended while we looked
        if after_name[0] != "Z":
            children.setdefault(int(after_name[1]), []).append(int(stat.parent.name))
    found, waiting = [], [pid]
    while waiting:
        for child in children.get(waiting.pop(), []):
            found.append((child, command_line(child)))
            waiting.append(child)
    return found


def command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        )
    except OSError:
        return ""


def ffmpeg_processes(marker: str) -> list[str]:
    """Command lines of every living ffmpeg on the machine that names `marker` (a data folder)."""
    lines = [command_line(int(p.name)) for p in Path("/proc").glob("[0-9]*") if p.name.isdigit()]
    return [line for line in lines if "ffmpeg" in line.split(" ", 1)[0] and marker in line]


def ffmpegs_of_steps(marker: str) -> list[str]:
    """Those of them that work for a job: a worker proves profiles beside its steps."""
    return [line for line in ffmpeg_processes(marker) if "/prove-" not in line]


def rss_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_rss_bytes(pid: int) -> int:
    """VmHWM: no peak between two looks is missed."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


@dataclass
class Process:
    """One `kapok …` process in its own group, so that it can be killed like a crashed machine."""

    argv: Sequence[str]
    env: Mapping[str, str]
    log: Path
    popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.popen = subprocess.Popen(
                [KAPOK, *self.argv],
                env=clean_environment(self.env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        assert self.popen is not None
        return self.popen.pid

    def kill9(self) -> None:
        """Kill the one process, not its group: its children have to notice by themselves."""
        os.kill(self.pid, signal.SIGKILL)
        assert self.popen is not None
        self.popen.wait()

    def stop(self, timeout_s: float = 20) -> None:
        if self.popen is None or self.popen.poll() is not None:
            return
        self.popen.terminate()
        try:
            self.popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()

    def text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


@dataclass
class Stack:
    """A running service, seen from outside only."""

    folder: Path
    url: str
    api: Process
    workers: list[Process]
    cli_env: dict[str, str]
    key: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def http(self) -> httpx.Client:
        """It speaks to this machine alone: to read certificates for each is CPU for nothing."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, verify=False)

    def wait_ready(self, timeout_s: float = 60) -> None:
        def ready() -> bool:
            assert self.api.popen is not None
            if self.api.popen.poll() is not None:
                raise AssertionError(f"the API ended:\n{self.api.text()[-3000:]}")
            try:
                return client.get("/health/ready", timeout=2).status_code == 200
            except httpx.TransportError:
                return False

        with self.http() as client:
            wait_until(ready, timeout_s, f"{self.url}/health/ready\n{self.api.text()[-3000:]}")

    def cli(self, *argv: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        return kapok(*argv, env=self.cli_env, timeout_s=timeout_s)

    def upload(self, path: Path, *options: str) -> dict[str, Any]:
        """Upload through the CLI without waiting; the JSON that it prints."""
        done = self.cli("upload", str(path), "--json", *options)
        assert done.returncode == 0, done.stderr + self.api.text()[-2000:]
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def get(self, path: str) -> dict[str, Any]:
        with self.http() as client:
            answer = client.get(path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def job(self, job_id: str) -> dict[str, Any]:
        return self.get(f"/v1/jobs/{job_id}")

    def steps(self, job_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/v1/jobs/{job_id}/steps")["data"]
        return found

    def renditions(self, asset_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(f"/v1/assets/{asset_id}/renditions")["data"]
        return found

    def wait_job(self, job_id: str, timeout_s: float = 600) -> dict[str, Any]:
        """The job once it has settled; API pauses (a restart, a database away) are waited out."""

        def settled() -> dict[str, Any] | None:
            try:
                job = self.job(job_id)
            except (httpx.TransportError, AssertionError):
                return None
            return job if job["state"] in {"done", "failed", "cancelled"} else None

        job: dict[str, Any] = wait_until(settled, timeout_s, f"job {job_id} settles\n{self.logs()}")
        return job

    def wait_encoding(
        self, job_id: str, name: str = "encode", timeout_s: float = 120
    ) -> dict[str, Any]:
        """An encode step whose name begins so, once its ffmpeg really delivers frames."""

        def encoding() -> dict[str, Any] | None:
            for step in self.steps(job_id):
                share = (step.get("progress") or {}).get("share") or 0
                wanted = step["kind"] == "encode" and step["name"].startswith(name)
                if wanted and step["state"] == "running" and share > 0.05:
                    return step
            assert self.job(job_id)["state"] in {"queued", "running"}, self.steps(job_id)
            return None

        step: dict[str, Any] = wait_until(encoding, timeout_s, f"an encode runs\n{self.logs()}")
        return step

    def logs(self) -> str:
        return "\n".join(p.text()[-3000:] for p in (self.api, *self.workers))

    def stop(self) -> None:
        for process in (*self.workers, self.api):
            process.stop()


# What a row may name: an object, all that lies under a prefix, or the parts of an open upload; and
# whose the store is.
NAMED = """
    SELECT 'objects/' || source_key FROM assets
    UNION SELECT 'objects/' || key FROM renditions WHERE key IS NOT NULL
    UNION SELECT 'objects/' || manifest_key FROM publications
    UNION SELECT 'objects/' || inspection_prefix FROM assets WHERE inspection_prefix IS NOT NULL
    UNION SELECT 'objects/' || prefix FROM packages
    UNION SELECT 'objects/' || key FROM uploads WHERE state IN ('complete', 'verified')
    UNION SELECT 'multipart/' || store_upload_id || '/' FROM uploads WHERE state = 'open'
    UNION SELECT 'objects/kapok-catalogue'
    UNION SELECT 'objects/work/' || job_id || '/' || id || '/' || epoch || '/' FROM steps
        WHERE state = 'done'
"""


def assert_no_orphans(stack: Stack) -> None:
    """A row of the catalogue names each file of the store, once the sweeper has been round."""

    def orphans() -> list[str]:
        with closing(sqlite3.connect(stack.folder / "data" / "kapok.db")) as catalogue:
            named = tuple(row[0] for row in catalogue.execute(NAMED))
        return [name for name in stored(stack) if not name.startswith(named)]

    end = time.monotonic() + 20
    while orphans() and time.monotonic() < end:
        time.sleep(LOOK_S)
    left = orphans()
    assert not left, f"no row of the catalogue names {left}"


def stored(stack: Stack) -> set[str]:
    """Every file of the store. Folders may go while we look, which `rglob` does not bear."""
    root = stack.folder / "data" / "objects"
    return {
        str((Path(folder) / name).relative_to(root))
        for folder, _, names in os.walk(root)
        for name in names
    }


def embedded(folder: Path, settings: Mapping[str, str] = ALONE) -> Stack:
    """`kapok up`: everything in one process."""
    port = servers.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    argv = ["up", "--data", str(folder / "data"), "--port", str(port)]
    process = Process(argv, settings, folder / "up.log")
    cli_env = {"KAPOK_DATA": str(folder / "data")}
    stack = Stack(folder, f"http://127.0.0.1:{port}", process, [], cli_env)
    process.start()
    stack.wait_ready()
    stack.key = (folder / "data" / "admin.key").read_text().strip()
    return stack


def api_alone(folder: Path, *, broker_url: str) -> Stack:
    """`kapok api` on SQLite and a folder, without any worker."""
    port = servers.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{port}"
    env = {"KAPOK_DATA": str(folder / "data"), "KAPOK_BROKER_URL": broker_url}
    migrated = kapok("migrate", env=env)
    assert migrated.returncode == 0, migrated.stderr
    api = Process(
        ["api", "--port", str(port)], {**env, "KAPOK_PUBLIC_URL": url}, folder / "api.log"
    )
    stack = Stack(folder, url, api, [], {"KAPOK_DATA": env["KAPOK_DATA"], "KAPOK_URL": url})
    api.start()
    stack.wait_ready()
    return stack


def distributed(
    folder: Path, *, database_url: str, broker_url: str, minio: servers.Minio, workers: int = 1
) -> Stack:
    """`kapok migrate`, `kapok api` and `kapok worker` processes against real servers."""
    port = servers.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    secret = folder / "s3-secret"
    secret.write_text(minio.secret_key)
    settings = {
        **QUICK,
        "KAPOK_DATA": str(folder / "data"),
        "KAPOK_DATABASE_URL": database_url,
        "KAPOK_BROKER_URL": broker_url,
        "KAPOK_S3_ENDPOINT": minio.endpoint,
        "KAPOK_S3_PUBLIC_ENDPOINT": minio.endpoint,
        "KAPOK_S3_ACCESS_KEY": minio.access_key,
        "KAPOK_S3_SECRET_KEY_FILE": str(secret),
        "KAPOK_S3_BUCKET": f"kapok-{port}",
        "KAPOK_PUBLIC_URL": f"http://127.0.0.1:{port}",
    }
    migrated = kapok("migrate", env=settings)
    assert migrated.returncode == 0, migrated.stderr
    api = Process(["api", "--port", str(port)], settings, folder / "api.log")
    pool = []
    for number in range(workers):
        env = {**settings, "KAPOK_SCRATCH": str(folder / f"scratch-{number}")}
        pool.append(Process(["worker", "--threads", "1"], env, folder / f"worker-{number}.log"))
    cli_env = {"KAPOK_DATA": str(folder / "data"), "KAPOK_URL": f"http://127.0.0.1:{port}"}
    stack = Stack(folder, f"http://127.0.0.1:{port}", api, pool, cli_env, extra=settings)
    api.start()
    for worker in pool:
        worker.start()
    stack.wait_ready()
    stack.key = (folder / "data" / "admin.key").read_text().strip()
    return stack
