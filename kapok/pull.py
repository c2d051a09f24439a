"""A centre's side: take what was published since a cursor, prove it, and send receipts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kapok.address import route
from kapok.download import SignedFile, download
from kapok.errors import UnsafePath
from kapok.language import t
from kapok.transfer import Transfer
from kapok.transport import LONG_PATIENCE_S, Transport

PAGE = 50


@dataclass(frozen=True, slots=True)
class PulledFile:
    """`path` is relative to the output folder; `verified`: its SHA-256 was computed here."""

    publication_id: str
    asset_id: str
    title: str
    zone: str
    path: str
    sha256: str
    size_bytes: int
    verified: bool


@dataclass(frozen=True, slots=True)
class Pulled:
    """What one pull brought, and where the next one begins."""

    files: tuple[PulledFile, ...]
    withdrawn: tuple[dict[str, Any], ...]
    cursor: str | None

    def record(self) -> dict[str, Any]:
        return asdict(self)


class Cursor:
    """Where the last pull of a centre into this folder ended; kept in the folder itself."""

    def __init__(self, output: Path, centre: str) -> None:
        self._path = output / f".kapok-cursor-{re.sub(r'[^A-Za-z0-9_.-]', '_', centre)}.json"

    def read(self) -> str | None:
        try:
            return str(json.loads(self._path.read_text())["cursor"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def write(self, cursor: str) -> None:
        partial = self._path.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump({"cursor": cursor}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._path)


def pull(
    transport: Transport, centre: str, output: Path, *, since: str | None = None
) -> Generator[Transfer, None, Pulled]:
    """Take every publication after `since`, or after the folder's own cursor.

    The cursor moves only when a page is on disk, proven and receipted; a broken pull repeats at
    most a page, and files that are already whole are not fetched again.
    """
    output.mkdir(parents=True, exist_ok=True)
    kept = Cursor(output, centre)
    cursor = since if since is not None else kept.read()
    files: list[PulledFile] = []
    withdrawn: list[dict[str, Any]] = []
    more = True
    while more:
        page = transport.get(_feed(centre), since=cursor, limit=PAGE, patience_s=LONG_PATIENCE_S)
        for publication in page["data"]:
            if publication["state"] == "withdrawn":
                withdrawn.append({name: publication.get(name) for name in WITHDRAWN_FIELDS})
            else:
                files += yield from _take(transport, centre, cursor, publication, output)
        cursor, more = page["next_cursor"] or cursor, bool(page["has_more"])
        if cursor is not None:
            kept.write(cursor)
    return Pulled(tuple(files), tuple(withdrawn), cursor)


WITHDRAWN_FIELDS = ("publication_id", "asset_id", "title", "zone")


def _feed(centre: str) -> str:
    return route("centres", centre, "feed")


def _take(
    transport: Transport,
    centre: str,
    cursor: str | None,
    publication: Mapping[str, Any],
    output: Path,
) -> Generator[Transfer, None, list[PulledFile]]:
    """Every file of one publication, then one receipt for all of them."""
    taken = []
    for entry in publication["files"]:
        place = PurePosixPath(safe_name(publication["publication_id"])) / safe_path(entry["path"])
        signer = Signer(transport, centre, cursor, publication["publication_id"], entry)
        yield from download(transport.http, transport.url, signer, output / place)
        taken.append(_pulled(publication, entry, str(place)))
    receipt = [{"path": f["path"], "sha256": f["sha256"]} for f in publication["files"]]
    transport.post(
        route("centres", centre, "receipts"),
        {"publication_id": publication["publication_id"], "files": receipt},
        patience_s=LONG_PATIENCE_S,
    )
    return taken


class Signer:
    """The feed's own URL first; when that stops working, the feed is asked again."""

    def __init__(
        self,
        transport: Transport,
        centre: str,
        cursor: str | None,
        publication_id: str,
        entry: Mapping[str, Any],
    ) -> None:
        self._transport = transport
        self._centre = centre
        self._cursor = cursor
        self._publication_id = publication_id
        self._entry = entry
        self._calls = 0

    def __call__(self) -> SignedFile:
        self._calls += 1
        if self._calls > 1:
            self._entry = self._again()
        return SignedFile(self._entry["url"], self._entry["sha256"], self._entry["size_bytes"])

    def _again(self) -> Mapping[str, Any]:
        page = self._transport.get(
            _feed(self._centre), since=self._cursor, limit=PAGE, patience_s=LONG_PATIENCE_S
        )
        entries = [
            entry
            for publication in page["data"]
            if publication["publication_id"] == self._publication_id
            for entry in publication.get("files", [])
            if entry["path"] == self._entry["path"]
        ]
        return entries[0] if entries else self._entry


def _pulled(publication: Mapping[str, Any], entry: Mapping[str, Any], place: str) -> PulledFile:
    return PulledFile(
        publication_id=publication["publication_id"],
        asset_id=publication["asset_id"],
        title=publication["title"],
        zone=publication["zone"],
        path=place,
        sha256=entry["sha256"],
        size_bytes=entry["size_bytes"],
        verified=True,  # `download` returns only when the hash agrees
    )


def safe_name(name: str) -> str:
    return str(safe_path(name))


def safe_path(path: str) -> PurePosixPath:
    """A relative path that stays inside its folder; anything else is refused."""
    pure = PurePosixPath(path)
    if pure.is_absolute() or not pure.parts or ".." in pure.parts or "\\" in path or "\0" in path:
        raise UnsafePath(
            t(
                f"the feed names the path {path!r}, outside of the folder: nothing was written",
                f"发布清单中的路径 {path!r} 会写到输出目录之外：未写入任何内容",
            )
        )
    return pure
