"""The Python client: every noun of the API, and the transfers that need more than one call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kapok.address import route
from kapok.checksums import declared_checksums
from kapok.connection import resolve
from kapok.download import SignedFile, download
from kapok.errors import ApiError, JobCancelled, JobFailed, SecretLost, WaitTimeout
from kapok.language import t
from kapok.names import declared_title
from kapok.pull import Pulled, pull
from kapok.subtitle_files import sent_subtitles
from kapok.transfer import Transfer, follow
from kapok.transport import LONG_PATIENCE_S, Transport, not_kapok
from kapok.upload import Uploaded, UploadRequest, upload
from kapok.ways_out import reason

Record = dict[str, Any]
ShowTransfer = Callable[[Transfer], None]
ShowJob = Callable[[Record, list[Record]], None]
SETTLED = frozenset({"done", "failed", "cancelled"})


class Client:
    """A connection to one Kapok service. Records are the API's own JSON objects.

    Without arguments it finds the service as the command line does: `KAPOK_URL`, `KAPOK_API_KEY`
    or `KAPOK_API_KEY_FILE`, or the data folder of a service on this machine (`KAPOK_DATA`).

        with Client() as kapok:
            sent = kapok.upload("programme.mxf", title="Lingnan in spring", ladder="cn-uhd-zone")
            kapok.wait(sent.job_id)
            kapok.publish(sent.asset_id, "uhd-4k")
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        given = {"KAPOK_API_KEY": api_key} if api_key else {}
        self._transport = Transport(resolve(url, environment={**os.environ, **given}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def url(self) -> str:
        return self._transport.url

    # Uploads and jobs

    def upload(
        self,
        path: str | Path,
        *,
        title: str | None = None,
        profiles: Sequence[str] = (),
        ladder: str | None = None,
        zone: str | None = None,
        scores: bool = True,
        source_colour: str | None = None,
        programme: int | None = None,
        subtitles: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        checksum_file: Path | None = None,
        parallel: int = 4,
        resume: bool = True,
        on_progress: ShowTransfer | None = None,
    ) -> Uploaded:
        """Send a file and start its job; call it again after any break and it goes on.

        `subtitles` are files beside it, named as `LANGUAGE:FILE`.

        The file is read once: hashed and sent from the same reading. A `FILE.sha256` or `FILE.md5`
        beside it, or `checksum_file` (MD5, SHA-1 or SHA-2), is what its owner says; `HashMismatch`
        when it is not so.
        """
        file = Path(path)
        request = UploadRequest(
            path=file,
            title=title or declared_title(file),
            profiles=tuple(profiles),
            ladder=ladder,
            zone=zone,
            scores=scores,
            source_colour=source_colour,
            programme=programme,
            subtitles=sent_subtitles(subtitles),
            metadata=metadata or {},
            checksums=declared_checksums(file, checksum_file),
        )
        sending = upload(self._transport, request, parallel=parallel, resume=resume)
        return follow(sending, on_progress)

    def wait(
        self,
        job_id: str,
        *,
        on_progress: ShowJob | None = None,
        timeout_s: float | None = None,
        poll_s: float = 1.0,
    ) -> Record:
        """The job once it is done. `JobFailed` or `JobCancelled` carry its record otherwise."""
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            job = self.job(job_id, patience_s=LONG_PATIENCE_S)
            if on_progress is not None:
                on_progress(job, self.steps(job_id, log=False, patience_s=LONG_PATIENCE_S))
            if job["state"] in SETTLED:
                return settled(job)
            if deadline is not None and time.monotonic() > deadline:
                message = t(
                    f"job {job_id} is still {job['state']} after {timeout_s:g} s; it goes on",
                    f"任务 {job_id} 在 {timeout_s:g} 秒后仍为 {job['state']}，它会继续运行",
                )
                raise WaitTimeout(message)
            time.sleep(poll_s)

    def job(self, job_id: str, **options: Any) -> Record:
        return self._get(route("jobs", job_id), **options)

    def jobs(self, **filters: Any) -> Iterator[Record]:
        """Newest first; filters `asset_id`, `state`, `limit`."""
        return self._pages("/v1/jobs", filters)

    def steps(self, job_id: str, *, log: bool = True, **options: Any) -> list[Record]:
        """Without `log` their commands and last log lines are `None`, and the answer is small."""
        asked = None if log else "false"
        return self._list(route("jobs", job_id, "steps"), log=asked, **options)

    def cancel(self, job_id: str) -> Record:
        return self._post(route("jobs", job_id, "cancel"))

    def retry(self, job_id: str) -> Record:
        """Run again what failed or was cancelled, and what waited on it; nothing else."""
        return self._post(route("jobs", job_id, "retry"))

    def start_job(
        self,
        asset_id: str,
        *,
        profiles: Sequence[str] = (),
        ladder: str | None = None,
        zone: str | None = None,
        replace: bool = False,
        scores: bool = True,
        source_colour: str | None = None,
        programme: int | None = None,
        subtitles: Sequence[str] = (),
    ) -> Record:
        """More renditions of an asset that is already there.

        With a `zone` the job's last step publishes there; with `replace` in the place of what is
        there of the asset.
        """
        wishes = {
            "profiles": list(profiles) or None,
            "ladder": ladder,
            "zone": zone,
            "replace": replace,
            "source_colour": source_colour,
            "programme": programme,
            "subtitles": list(sent_subtitles(subtitles)),
        }
        body: Record = {} if scores else {"scores": False}
        body |= {name: value for name, value in wishes.items() if value}
        return self._post(route("assets", asset_id, "jobs"), body)

    # Assets and what was made of them

    def asset(self, asset_id: str) -> Record:
        return self._get(route("assets", asset_id))

    def assets(self, **filters: Any) -> Iterator[Record]:
        """Newest first; filters `text`, `state`, `created_after`, `created_before`, `limit`."""
        return self._pages("/v1/assets", filters)

    def edit_asset(self, asset_id: str, **fields: Any) -> Record:
        """Change `title` or `metadata`; refused when somebody else changed the asset meanwhile."""
        version = self.asset(asset_id)["version"]
        expected = {"If-Match": f'"{version}"'}
        try:
            answer: Record = self._transport.call(
                "PATCH", route("assets", asset_id), json=fields, headers=expected
            )
        except ApiError as error:
            if error.code != "version_conflict":
                raise
            answer = self.asset(asset_id)
            same = all(answer[name] == value for name, value in fields.items())
            if not same or answer["version"] != version + 1:
                raise  # else an answer was lost, and the second try met the first one's edit
        return answer

    def renditions(self, asset_id: str) -> list[Record]:
        return self._list(route("assets", asset_id, "renditions"))

    def rendition(self, rendition_id: str) -> Record:
        return self._get(route("renditions", rendition_id))

    def posters(self, asset_id: str) -> list[Record]:
        return self._list(route("assets", asset_id, "posters"))

    def storyboard(self, asset_id: str) -> Record:
        return self._get(route("assets", asset_id, "storyboard"))

    def packages(self, asset_id: str) -> Iterator[Record]:
        """Newest first."""
        return self._pages(route("assets", asset_id, "packages"), {})

    def package_files(self, asset_id: str, package_id: str) -> Iterator[Record]:
        """Every file of a package, each with a signed URL for `download`."""
        path = route("assets", asset_id, "packages", package_id, "files")
        return self._pages(path, {}, page_size=5000)

    def playback(self, asset_id: str) -> Record:
        """Signed HLS and DASH URLs that a player can open for a while."""
        return self._get(route("assets", asset_id, "playback"))

    def download_rendition(
        self,
        rendition_id: str,
        target: str | Path,
        *,
        overwrite: bool = False,
        on_progress: ShowTransfer | None = None,
    ) -> Path:
        """Into a file, or under its own name into a folder; resumed and proven by SHA-256.

        `Usage` where another file stands there and is not to be overwritten: renditions of one
        profile have one name.
        """
        place = Path(target)
        if place.is_dir() or str(target).endswith(os.sep):  # `Path` forgets what it ended with
            place = place / str(self.rendition(rendition_id)["file_name"])

        def sign() -> SignedFile:
            return _signed(self._get(route("renditions", rendition_id, "download")))

        fetching = download(self._transport.http, self.url, sign, place, overwrite=overwrite)
        return follow(fetching, on_progress)

    def download(self, link: Mapping[str, Any], target: Path) -> Path:
        """A file that a record links to. Proven only where the record tells its SHA-256."""
        if link.get("sha256"):
            fetching = download(self._transport.http, self.url, lambda: _signed(link), target)
            return follow(fetching, None)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(self._transport.read(str(link["url"])))
        return target

    # Profiles, zones, publications, centres

    def profiles(self) -> list[Record]:
        return self._list("/v1/profiles")

    def profile(self, name: str) -> Record:
        return self._get(route("profiles", name))

    def add_profile(self, toml: str) -> Record:
        """A profile of this organisation's own, from the text of its file."""
        return self._post("/v1/profiles", {"toml": toml})

    def withdraw_profile(self, name: str) -> None:
        """No new job may ask for it; those that were planned go on."""
        self._transport.call("DELETE", route("profiles", name))

    def ladders(self) -> list[Record]:
        return self._list("/v1/ladders")

    def zones(self) -> list[Record]:
        return self._list("/v1/zones")

    def create_zone(
        self,
        name: str,
        *,
        title: str | None = None,
        required_profiles: Sequence[str] = (),
        centres: Sequence[str] | None = None,
    ) -> Record:
        body: Record = {
            "name": name,
            "title": title or name,
            "required_profiles": list(required_profiles),
        }
        return self._post("/v1/zones", body if centres is None else {**body, "centres": [*centres]})

    def edit_zone(self, name: str, **fields: Any) -> Record:
        """Change `title`, `required_profiles` or `centres`, where `None` means every centre."""
        answer: Record = self._transport.call("PATCH", route("zones", name), json=fields)
        return answer

    def publish(self, asset_id: str, zone: str, *, replace: bool = False) -> Record:
        """Let an asset into a zone; an `ApiError` with code `gate_closed` lists every reason.

        `replace`: it takes the place of what is there of the asset, so that no centre is without.
        """
        body = {"asset_id": asset_id, "zone": zone, "replace": replace}
        return self._post("/v1/publications", body)

    def publication(self, publication_id: str) -> Record:
        return self._get(route("publications", publication_id))

    def publications(self, **filters: Any) -> Iterator[Record]:
        """Newest first; filters `asset_id`, `zone`, `state`, `limit`."""
        return self._pages("/v1/publications", filters)

    def withdraw(self, publication_id: str) -> Record:
        return self._post(route("publications", publication_id, "withdraw"))

    def pull(
        self,
        centre: str,
        output: str | Path,
        *,
        since: str | None = None,
        on_progress: ShowTransfer | None = None,
        tell: Callable[[Pulled], None] | None = None,
    ) -> Pulled:
        """Take what was published for a centre since a cursor, or since the folder's last pull.

        `tell` gets the same as is returned, and gets it when the pull ends early too: what it
        returned from is not told again. Raises `PullIncomplete` where some of it failed.
        """
        pulling = pull(self._transport, centre, Path(output), since=since, tell=tell)
        return follow(pulling, on_progress)

    def create_key(self, name: str, role: str) -> Record:
        """A new key; its `secret` is in this answer and nowhere else.

        A lost answer is replayed without its secret: such a key is revoked, then `SecretLost`.
        """
        made = self._post("/v1/api-keys", {"name": name, "role": role})
        if not made["secret"]:
            self.revoke_key(str(made["id"]))
            raise SecretLost(
                t(
                    f"the answer with the secret was lost: key {made['id']} was revoked; "
                    "run it again for another one",
                    f"含密钥的应答已丢失，密钥 {made['id']} 已吊销：请再次运行以新建一个",
                )
            )
        return made

    def keys(self) -> list[Record]:
        return self._list("/v1/api-keys")

    def revoke_key(self, key_id: str) -> Record | None:
        answer: Record | None = self._transport.call("DELETE", route("api-keys", key_id))
        return answer

    def events(self, after: str | None = None, limit: int = 100) -> Record:
        return self._get("/v1/events", after=after, limit=limit)

    def _get(self, path: str, **options: Any) -> Record:
        answer: Record = self._transport.get(path, **options)
        return answer

    def _list(self, path: str, **options: Any) -> list[Record]:
        return self._rows(self._transport.get(path, **options))

    def _rows(self, page: Record) -> list[Record]:
        rows: object = page["data"]
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise not_kapok(self.url, t("its `data` is no list", "`data` 不是列表"))
        return rows

    def _post(self, path: str, body: Mapping[str, Any] | None = None) -> Record:
        answer: Record = self._transport.post(path, body)
        return answer

    def _pages(
        self, path: str, filters: Mapping[str, Any], page_size: int = 200
    ) -> Iterator[Record]:
        """Every record of every page; `limit` in the filters bounds them all."""
        left = int(filters.get("limit") or 0)
        rest = {name: value for name, value in filters.items() if name != "limit"}
        cursor: str | None = None
        while True:
            page = self._get(path, **rest, cursor=cursor, limit=min(left or page_size, page_size))
            rows = self._rows(page)
            yield from rows
            left -= len(rows)
            cursor = page["next_cursor"]
            if not page["has_more"] or (filters.get("limit") and left <= 0):
                return


def settled(job: Record) -> Record:
    """The job itself when it is done; its failure as an error otherwise."""
    if job["state"] == "done":
        return job
    if job["state"] == "cancelled":
        raise JobCancelled(t(f"job {job['id']} was cancelled", f"任务 {job['id']} 已取消"), job)
    why = reason(job.get("error") or {})
    message = t(f"job {job['id']} failed: {why}", f"任务 {job['id']} 失败：{why}")
    raise JobFailed(message, job)


def _signed(link: Mapping[str, Any]) -> SignedFile:
    return SignedFile(str(link["url"]), str(link["sha256"]), int(link["size_bytes"]))
