"""A real API on a free port over SQLite and a local folder, and the short ways to rows for it."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dramatiq
import httpx
from fastapi import FastAPI

from api.app import create_app
from api.protocol import Protocol
from api.server import Server, make_server
from storage import schema
from storage.catalogue import assets, jobs, keys, packages, renditions, uploads, zones
from storage.database import Database
from storage.ids import new_id
from storage.objects import ObjectStore, open_store
from storage.settings import Settings
from workers.broker import open_broker

# Options of a client that only ever speaks to this machine: without a proxy, and without the bundle
# of certificates that httpx else reads for each client, some hundredths of a second of CPU.
LOOPBACK: dict[str, Any] = {"trust_env": False, "verify": False}
RUNG = {
    "profile": "mobile-540p",
    "profile_version": 1,
    "container": "mp4",
    "video": None,
    "audio": [],
    "packaged": True,
}
FACTS = {
    "codec": "h264",
    "width": 960,
    "height": 540,
    "frame_rate": "25/1",
    "frames": 75,
    "pix_fmt": "yuv420p",
    "colour": {"primaries": "bt709", "transfer": "bt709", "matrix": "bt709", "range": "tv"},
    "duration_s": "3/1",
    "bitrate_bps": 1_000_000,
    "audio": [
        {
            "codec": "aac",
            "channels": 2,
            "sample_rate_hz": 48_000,
            "loudness_lkfs": -23.9,
            "true_peak_dbtp": -2.5,
            "language": "chi",
        }
    ],
    "timecode": "10:00:00:00",
    "captions": ["cea-608"],
    "subtitles": [{"codec": "mov_text", "language": "eng", "forced": True}],
}
MEDIA = {
    "format_name": "mov,mp4",
    "size_bytes": 4,
    "duration_s": "3/1",
    "video": [
        {
            "index": 0,
            "codec": "hevc",
            "codec_profile": "Main 10",
            "width": 3840,
            "height": 2160,
            "pix_fmt": "yuv420p10le",
            "bit_depth": 10,
            "frame_rate": "50/1",
            "colour": {
                "primaries": "bt2020",
                "transfer": "arib-std-b67",
                "matrix": "bt2020nc",
                "range": "tv",
            },
        }
    ],
    "audio": [
        {"index": 1, "codec": "pcm_s24le", "channels": 6, "layout": "5.1", "sample_rate_hz": 48_000}
    ],
    "timecode": "10:00:00:00",
}
INSPECTION = {
    "duration_s": "3/1",
    "frames": 150,
    "frame_rate": "50/1",
    "shots": [{"start_frame": 0, "end_frame": 150, "complexity": 0.1}],
    "posters": [
        {"name": "poster-1.jpg", "width": 1920, "height": 1080, "time_s": 1.5, "frame": 75}
    ],
    "storyboard": {"vtt": "storyboard.vtt", "images": ["sprite-001.jpg"]},
    "thumbs": {"pictures": "thumbs.mkv", "times": None},
    "data_channels": [],
    "later": [],
    "track_gaps": False,
    "held_s": "0/1",
    "waveform": "waveform.json",
}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def moment(text: str) -> datetime:
    """A time as the API writes it."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


def wait_until(holds: Any, timeout_s: float = 5.0) -> None:
    """Until the condition holds; fails loudly when it does not in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.02)


@dataclass
class Running:
    """The API under test. `url` is where it listens."""

    settings: Settings
    database: Database
    objects: ObjectStore
    broker: dramatiq.Broker
    app: FastAPI
    server: Server
    url: str

    def organisation(self) -> Organisation:
        """A fresh organisation: tests that share a server do not see each other."""
        with self.database.begin() as session:
            row = keys.create_organisation(session, new_id("name"))
        return Organisation(self, row.id)


@dataclass
class Organisation:
    running: Running
    id: str
    clients: dict[tuple[str, str], httpx.Client] = field(default_factory=dict)

    def client(self, role: str = "admin", name: str = "foshan") -> httpx.Client:
        """An HTTP client with a key of that role; a centre's key is named after its centre."""
        if (role, name) not in self.clients:
            with self.running.database.begin() as session:
                _, secret = keys.create_key(session, self.id, name, role)  # type: ignore[arg-type]
            self.clients[role, name] = httpx.Client(
                base_url=self.running.url,
                headers={"Authorization": f"Bearer {secret}"},
                timeout=30,
                **LOOPBACK,
            )
        return self.clients[role, name]

    def close(self) -> None:
        for client in self.clients.values():
            client.close()

    def asset(
        self,
        content: bytes = b"essence",
        inspection: Mapping[str, Any] | None = INSPECTION,
        **upload: Any,
    ) -> schema.Asset:
        """An asset whose source is really stored, inspected and ready, with its job."""
        asset_id = new_id("ast")
        key = f"assets/{asset_id}/source/{new_id('upl')}"
        self.running.objects.put_bytes(content, key)
        given: dict[str, Any] = {
            "organisation_id": self.id,
            "asset_id": asset_id,
            "title": "岭南春早",
            "file_name": "programme.mxf",
            "size_bytes": len(content),
            "part_size_bytes": 64 << 20,
            "key": key,
            "declared": {},
            "request": {},
            "expires_at": datetime.now(UTC) + timedelta(hours=1),
            "actor": "key_test",
        }
        with self.running.database.begin() as session:
            row = uploads.create_upload(session, **{**given, **upload})
            job = uploads.complete_upload(session, row, "key_test")
            asset = assets.create_asset(session, row, job, sha256=sha256(content))
            if inspection is not None:
                prefix = f"assets/{asset.id}/look/1/"
                assets.record_inspection(session, asset, MEDIA, inspection, prefix)
            asset.state = "ready"
            job.state = "done"
            for step in jobs.job_steps(session, job.id):
                step.state = "done"
        return asset

    def job_of(self, asset: schema.Asset) -> schema.Job:
        with self.running.database.read() as session:
            return jobs.list_jobs(session, self.id, asset_id=asset.id).data[0]

    def planned(self, asset: schema.Asset) -> str:
        """The id of a rendition that is still to be made."""
        job = self.job_of(asset)
        with self.running.database.begin() as session:
            (rendition_id,) = renditions.plan_renditions(session, job, [RUNG])
        return rendition_id

    def rendition(self, asset: schema.Asset, content: bytes = b"rendition") -> schema.Rendition:
        """A ready rendition, really stored, with a score."""
        rendition_id = self.planned(asset)
        key = f"assets/{asset.id}/renditions/{new_id('ren')}/1/mobile-540p.mp4"
        self.running.objects.put_bytes(content, key)
        facts = {**FACTS, "sha256": sha256(content), "size_bytes": len(content)}
        score = {
            "metric": "vmaf",
            "model": "vmaf_v1.0.16_3d0h",
            "mean": 94.5,
            "harmonic_mean": 94.1,
            "p5": 90.2,
            "frames": 75,
        }
        with self.running.database.begin() as session:
            commands, tools = [["ffmpeg", "-i", "source"]], {"ffmpeg": "9.0.2"}
            renditions.mark_ready(
                session, rendition_id, key=key, facts=facts, commands=commands, tools=tools
            )
            renditions.add_measurements(session, rendition_id, [score])
        with self.running.database.read() as session:
            return renditions.get_rendition(session, self.id, rendition_id)

    def package(self, asset: schema.Asset, files: Mapping[str, bytes]) -> schema.PackageRow:
        """A stored package; `hls/master.m3u8` and `dash/manifest.mpd` are its manifests."""
        prefix = f"assets/{asset.id}/packages/{new_id('pkg')}/1/"
        for path, content in files.items():
            self.running.objects.put_bytes(content, prefix + path)
        listed = [
            {"path": path, "sha256": sha256(content), "size_bytes": len(content)}
            for path, content in files.items()
        ]
        with self.running.database.begin() as session:
            return packages.add_package(
                session,
                organisation_id=self.id,
                asset_id=asset.id,
                job_id=self.job_of(asset).id,
                prefix=prefix,
                hls="master.m3u8",
                dash="manifest.mpd",
                files=listed,
            )

    def zone(self, name: str = "open", **given: Any) -> schema.Zone:
        """A zone that any ready rendition may enter."""
        values = {"title": name, "required_profiles": [], "actor": "key_test", **given}
        with self.running.database.begin() as session:
            return zones.create_zone(session, self.id, name=name, **values)


def listen() -> socket.socket:
    """A bound socket on a free port: no other process can take the port in between."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return listener


def listen_port() -> int:
    """A port that was free a moment ago, for a server in another process."""
    with listen() as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def serve(
    settings: Settings,
    *,
    listener: socket.socket,
    prepare: bool,
    protocol: type[Protocol] = Protocol,
    **options: Any,
) -> Iterator[Running]:
    """The whole API in a thread of this process, by the same server as `kapok up`."""
    database = Database(settings.database_url)
    database.migrate()
    objects = open_store(settings)
    if prepare:
        objects.prepare()
    broker = open_broker(settings)
    app = create_app(settings, database, objects, broker, **options)
    server = make_server(app, "127.0.0.1", listener.getsockname()[1], protocol)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        wait_until(lambda: server.started, 20)
        yield Running(settings, database, objects, broker, app, server, settings.public_url)
    finally:
        server.should_exit = True
        thread.join()
        broker.close()
        database.close()


@contextmanager
def local_api(folder: Path, **given: Any) -> Iterator[Running]:
    """An API over SQLite and a local folder, unless settings in `given` say otherwise."""
    options = {
        "heartbeat_s": given.pop("heartbeat_s", 15.0),
        "body_idle_s": given.pop("body_idle_s", 60.0),
        "body_s": given.pop("body_s", 30.0),
        "protocol": given.pop("protocol", Protocol),
        "prepare": given.pop("prepare", True),
    }
    listener = listen()
    settings = Settings(
        **{
            "data": folder,
            "database_url": f"sqlite:///{folder / 'kapok.db'}",
            "scratch": folder / "scratch",
            "public_url": f"http://127.0.0.1:{listener.getsockname()[1]}",
            **given,
        }
    )
    with serve(settings, listener=listener, **options) as running:
        yield running


@contextmanager
def process(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The API in a process of its own, until it answers."""
    main = Path(__file__).with_name("api_main.py")
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    argv = [sys.executable, str(main), str(folder), str(port)]
    running = subprocess.Popen(argv, env=environment)
    try:
        wait_until(lambda: answers(port), 30)
        yield running
    finally:
        running.kill()
        running.wait()


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health/ready", trust_env=False).is_success
    except httpx.TransportError:
        return False


def peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024
