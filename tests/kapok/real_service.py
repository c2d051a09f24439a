"""The real API with its real store, behind a proxy that breaks what a test asks for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import api_world
from faulty_proxy import FaultyProxy
from sqlalchemy import select

from kapok.connection import Connection
from pipelines.planning.plan import plan
from pipelines.profiles.profile import load_profiles
from pipelines.records import to_json
from storage import schema
from storage.catalogue import jobs, keys, publications, uploads, zones
from storage.ids import new_id
from storage.objects import MIN_PART_BYTES
from tests.pipelines.sources import STEREO, described

PART_BYTES = MIN_PART_BYTES  # in place of 64 MiB: six parts are 26 MiB and not 320
STORED = 1 << 30
ZONE = "uhd-4k"  # every organisation has it from the start


class Service:
    """An organisation of its own in the running service, and what a test may ask about it."""

    def __init__(self, running: api_world.Running, proxy: FaultyProxy) -> None:
        self.proxy, self.url, self.part_size = proxy, proxy.url, PART_BYTES
        self._running = running
        self._places: dict[str, str] = {}
        self._organisation = running.organisation()
        with running.database.begin() as session:
            _, self.key = keys.create_key(session, self._organisation.id, "test", "admin")
        proxy.reset()

    @property
    def connection(self) -> Connection:
        return Connection(self.url, self.key)

    @property
    def environment(self) -> dict[str, str]:
        return {"KAPOK_URL": self.url, "KAPOK_API_KEY": self.key}

    @property
    def requests(self) -> list[str]:
        return self.proxy.requests

    def count(self, start: str) -> int:
        return self.proxy.count(start)

    def fail(self, start: str, *faults: int) -> None:
        """The next requests that begin so get these faults in turn."""
        self.proxy.faults[start] = list(faults)

    def uploads(self) -> list[schema.Upload]:
        """The uploads of this test, oldest first."""
        with self._running.database.read() as session:
            return uploads.list_uploads(session, self._organisation.id).data[::-1]

    def upload(self, upload_id: str | None = None) -> schema.Upload:
        """One upload as the catalogue has it; without an id the only one."""
        found = [row for row in self.uploads() if upload_id in (None, row.id)]
        assert len(found) == 1, found
        return found[0]

    def stored(self) -> int:
        """How many parts of all open uploads the store holds whole."""
        rows = [row for row in self.uploads() if row.state == "open" and row.store_upload_id]
        objects = self._running.objects
        return sum(len(objects.list_parts(row.key, row.store_upload_id)) for row in rows)

    def content(self, upload_id: str) -> bytes:
        """The object that a completed upload became."""
        return self._running.objects.read_bytes(self.upload(upload_id).key, STORED)

    def complete(self) -> str:
        """Complete the only upload as another process would; the id of its job."""
        row = self.upload()
        parts = self._running.objects.list_parts(row.key, row.store_upload_id)
        self._running.objects.complete_multipart(row.key, row.store_upload_id, parts)
        with self._running.database.begin() as session:
            found = uploads.get_upload(session, row.organisation_id, row.id)
            return uploads.complete_upload(session, found, "key_test").id

    def store(self, content: bytes) -> str:
        """An object of these bytes; a URL that opens it through the proxy."""
        key = f"assets/{new_id('ast')}/source/{new_id('upl')}"
        self._running.objects.put_bytes(content, key)
        return self._running.objects.sign_get(key, 600)

    def asset(self, **given: Any) -> str:
        return self._organisation.asset(**given).id

    def packaged(self) -> str:
        """An asset with a package of two manifests."""
        asset = self._organisation.asset()
        self._organisation.package(asset, {"master.m3u8": b"#EXTM3U", "manifest.mpd": b"<MPD/>"})
        return asset.id

    def rendition(self, commands: Sequence[Sequence[str]]) -> str:
        """A ready rendition that these commands made."""
        made = self._organisation.rendition(self._organisation.asset())
        with self._running.database.begin() as session:
            session.get_one(schema.Rendition, made.id).commands = [[*argv] for argv in commands]
        return made.id

    def job_with_step(self, command: Sequence[str], log_tail: str) -> str:
        """A job whose first step ran this command and left this log."""
        job = self._organisation.job_of(self._organisation.asset())
        with self._running.database.begin() as session:
            step = jobs.job_steps(session, job.id)[0]
            step.command, step.log_tail = [*command], log_tail
        return job.id

    def damaged(self, finding: str, decision: str) -> tuple[str, str]:
        """An asset of which this was found, and its job, whose plan decided this."""
        asset = self._organisation.asset(inspection={**api_world.INSPECTION, "findings": [finding]})
        job = self._organisation.job_of(asset)
        planned = plan(*described(None, [STEREO]), [load_profiles()["audio-access-aac"]])
        made = to_json(replace(planned, decisions=(decision,)))
        with self._running.database.begin() as session:
            jobs.record_plan(session, job, made, [])
        return asset.id, job.id

    def ended(self, state: str, error: Mapping[str, Any] | None = None) -> tuple[str, str]:
        """An asset without renditions whose only job ended so, and that job."""
        asset = self._organisation.asset(inspection=None)
        job = self._organisation.job_of(asset)
        with self._running.database.begin() as session:
            session.get_one(schema.Asset, asset.id).state = state
            row = session.get_one(schema.Job, job.id)
            row.state, row.error = state, error and dict(error)
        return asset.id, job.id

    def close_zone(self, name: str, *, centre: str) -> None:
        """A zone of which this centre alone may pull."""
        with self._running.database.begin() as session:
            made: Any = {"title": name, "required_profiles": [], "centres": [centre]}
            zones.create_zone(session, self._organisation.id, name=name, **made, actor="admin")

    def open_zone(self, name: str) -> None:
        """From now on every centre may pull of it."""
        with self._running.database.begin() as session:
            zone = zones.get_zone(session, self._organisation.id, name)
            zones.edit_zone(session, zone, {"centres": None}, actor="admin")

    def publish(self, files: Mapping[str, bytes], zone: str = ZONE) -> str:
        """A publication of these files in the feed; its id."""
        asset = self._organisation.asset(title="岭南春早")
        listed = [self._published(asset.id, path, data) for path, data in files.items()]
        with self._running.database.begin() as session:
            row = publications.publish(
                session,
                asset,
                zones.get_zone(session, self._organisation.id, zone),
                {"files": listed},
                f"assets/{asset.id}/publications/manifest.json",
                "key_test",
            )
        self._places[row.id] = f"/store/objects/assets/{asset.id}"
        return row.id

    def place(self, publication_id: str) -> str:
        """Where the paths of its signed URLs begin."""
        return self._places[publication_id]

    def _published(self, asset_id: str, path: str, data: bytes) -> dict[str, Any]:
        key = f"assets/{asset_id}/renditions/{new_id('ren')}/1/file.mp4"
        self._running.objects.put_bytes(data, key)
        sha256 = hashlib.sha256(data).hexdigest()
        return {"key": key, "path": path, "sha256": sha256, "size_bytes": len(data)}

    def withdraw(self, publication_id: str) -> None:
        with self._running.database.begin() as session:
            row = publications.get_publication(session, self._organisation.id, publication_id)
            publications.withdraw(session, row, "key_test")

    def receipts(self) -> list[schema.Receipt]:
        """What the centres of this test proved, oldest first."""
        with self._running.database.read() as session:
            query = select(schema.Receipt).order_by(schema.Receipt.created_at)
            mine = schema.Receipt.organisation_id == self._organisation.id
            return list(session.scalars(query.where(mine)))

    def api_keys(self) -> list[schema.ApiKey]:
        with self._running.database.read() as session:
            return keys.list_keys(session, self._organisation.id)


@contextmanager
def real_service(folder: Path) -> Iterator[tuple[api_world.Running, FaultyProxy]]:
    """Over SQLite and a folder, without workers: a job stays as its upload made it."""
    with (
        FaultyProxy() as proxy,
        api_world.local_api(folder, public_url=proxy.url) as running,
    ):
        proxy.upstream = running.server.config.port
        yield running, proxy
