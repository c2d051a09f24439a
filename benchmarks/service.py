"""A Kapok service of its own for a measurement: `kapok up` in a temporary folder."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from sample_media.generate import generate

KAPOK = str(Path(sys.executable).with_name("kapok"))
START_S = 60


class Service:
    """`with Service(folder) as service:` starts it, waits until it is ready, and stops it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {k: v for k, v in os.environ.items() if not k.startswith("KAPOK_")}
        self.env = {**kept, "KAPOK_DATA": str(self.data)}

    def __enter__(self) -> Self:
        argv = [KAPOK, "up", "--data", str(self.data), "--port", str(self.port)]
        with (self.folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(argv, env=self.env, stdout=log, stderr=log)
        end = time.monotonic() + START_S
        while not self._ready():
            if time.monotonic() > end or self.process.poll() is not None:
                raise RuntimeError((self.folder / "up.log").read_text())
            time.sleep(0.1)
        self.key = (self.data / "admin.key").read_text().strip()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.process.terminate()
        self.process.wait(30)

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    def get(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = httpx.get(self.url + path, headers=headers, timeout=30)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def upload(self, path: Path, *options: str, wait: bool = True) -> dict[str, Any]:
        """`kapok upload … --json`; the record that it prints."""
        argv = [KAPOK, "upload", str(path), "--json", *(("--wait",) if wait else ()), *options]
        done = subprocess.run(argv, env=self.env, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        record: dict[str, Any] = json.loads(done.stdout)
        return record

    def programme(self) -> Path:
        return generate("programme_2160p50_hlg", self.folder, seconds=3)
