"""A centre's side: take what was published since a cursor, prove it, and send receipts."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from kapok.address import route
from kapok.download import SignedFile, download, drop_partials
from kapok.errors import ApiError, PullIncomplete, ServiceUnreachable, UnsafePath
from kapok.language import t
from kapok.pull_record import Place, PullRecord, pull_record
from kapok.transfer import Transfer
from kapok.transport import LONG_PATIENCE_S, Transport
from pipelines.errors import HashMismatch, KapokError

PAGE = 50
OF_ONE_PUBLICATION = (ApiError, HashMismatch, ServiceUnreachable, UnsafePath)
Entry = Mapping[str, Any]


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
    """What was brought and not told before, and where the next pull begins.

    `failed` lists the publications that could not be taken, with `code` and `detail`: the cursor
    stays before the first of them.
    """

    files: tuple[PulledFile, ...]
    withdrawn: tuple[dict[str, Any], ...]
    failed: tuple[dict[str, Any], ...]
    cursor: str | None

    def record(self) -> dict[str, Any]:
        return asdict(self)


def pull(
    transport: Transport,
    centre: str,
    output: Path,
    *,
    since: str | None = None,
    tell: Callable[[Pulled], None] | None = None,
) -> Generator[Transfer, None, Pulled]:
    """Take every publication after `since`, or after where the folder's last pull of this feed
    ended. One that fails stops no other; the next pull begins with it, and asks for none of the
    others again.

    `tell` gets what was brought, also when the pull ends early; what a pull that was killed, or
    that ended early without a `tell`, has brought is in the next one's answer. Raises
    `PullIncomplete` at the end for what failed, `FileInUse` while another pull runs here.
    """
    output.mkdir(parents=True, exist_ok=True)
    with pull_record(output, centre) as record:
        pulling = _Pull(transport, centre, output, record)
        try:
            yield from pulling.run(since)
        except KapokError:
            if tell is not None and (pulling.failed or record.untold()):
                tell(pulling.brought())
                record.told()
            raise
        pulled = pulling.brought()
        if tell is not None:
            tell(pulled)
        record.told()
    if pulled.failed:
        raise PullIncomplete(_what_failed(pulled), pulled)
    return pulled


class _Pull:
    """One run over the feed. `failed` are the gaps that it leaves."""

    def __init__(self, transport: Transport, centre: str, output: Path, record: PullRecord) -> None:
        self._transport, self._centre = transport, centre
        self._output, self._record = output, record
        self._place = Place()
        self.failed: list[dict[str, Any]] = []

    def run(self, since: str | None) -> Generator[Transfer, None, None]:
        self._place = self._kept_place() if since is None else Place(since)
        cursor, more, in_trouble = self._place.cursor, True, False
        while more:
            page = self._feed(cursor, PAGE)
            more = bool(page["has_more"])
            for entry in page["data"]:
                before, cursor = cursor, entry["cursor"]
                try:
                    yield from self._take(page["organisation_id"], before, entry)
                    in_trouble = False
                except _ChangedMeanwhile:
                    self._pass(page["organisation_id"], entry)
                    more = True  # it comes once more, where it is now
                except OF_ONE_PUBLICATION as error:
                    self.failed.append(_failure(entry, error))
                    if in_trouble and error.retryable:
                        raise  # two in a row are no fault of one publication
                    in_trouble = error.retryable

    def brought(self) -> Pulled:
        lines = self._record.untold()
        return Pulled(
            tuple(PulledFile(**file) for line in lines for file in line["files"]),
            tuple(
                {name: line[name] for name in ABOUT}
                for line in lines
                if line["state"] == "withdrawn"
            ),
            tuple(self.failed),
            self._place.cursor,
        )

    def _kept_place(self) -> Place:
        if self._record.is_new:
            return Place()
        return self._record.place(self._feed(None, 1)["organisation_id"])

    def _feed(self, since: str | None, limit: int) -> Any:
        return self._transport.get(
            route("centres", self._centre, "feed"),
            since=since,
            limit=limit,
            patience_s=LONG_PATIENCE_S,
        )

    def _take(
        self, organisation_id: str, before: str | None, entry: Entry
    ) -> Generator[Transfer, None, None]:
        """All of one publication, then one receipt for it, then the note of it."""
        if entry["cursor"] not in self._place.taken:
            files: list[PulledFile] = []
            if entry["state"] == "withdrawn":
                drop_partials(self._output / safe_path(entry["publication_id"]))
            else:
                files = yield from self._fetch(before, entry)
                self._send_receipt(entry)
            about = {name: entry.get(name) for name in ABOUT}
            line = {**about, "state": entry["state"], "files": [asdict(file) for file in files]}
            self._record.note(line)
        self._pass(organisation_id, entry)

    def _pass(self, organisation_id: str, entry: Entry) -> None:
        if self.failed and entry["cursor"] in self._place.taken:
            return  # thousands may lie behind a gap, and are known
        self._place = self._place.after(entry["cursor"], gap=bool(self.failed))
        self._record.move(organisation_id, self._place)

    def _fetch(
        self, before: str | None, entry: Entry
    ) -> Generator[Transfer, None, list[PulledFile]]:
        files = list(_places(entry))  # all of them are safe before the first is written
        for signed, file in zip(entry["files"], files, strict=True):
            sign = Signer(signed, lambda path: self._signed_again(before, entry, path))
            target = self._output / file.path
            yield from download(self._transport.http, self._transport.url, sign, target)
        return files

    def _signed_again(self, before: str | None, entry: Entry, path: str) -> Entry:
        """The same file with a fresh URL. Raises `_ChangedMeanwhile`."""
        for there in self._entries(before):
            if there["cursor"] == entry["cursor"]:
                return next(file for file in there["files"] if file["path"] == path)
            if there["publication_id"] == entry["publication_id"]:
                break
        raise _ChangedMeanwhile

    def _entries(self, since: str | None) -> Iterator[Entry]:
        """All of the feed, in as many pages as are asked for: a zone that was opened meanwhile has
        others first.
        """
        more = True
        while more:
            page = self._feed(since, PAGE)
            yield from page["data"]
            since, more = page["next_cursor"], bool(page["has_more"])

    def _send_receipt(self, entry: Entry) -> None:
        files = [{"path": file["path"], "sha256": file["sha256"]} for file in entry["files"]]
        self._transport.post(
            route("centres", self._centre, "receipts"),
            {"publication_id": entry["publication_id"], "files": files},
            patience_s=LONG_PATIENCE_S,
        )


ABOUT = ("publication_id", "asset_id", "title", "zone")


class _ChangedMeanwhile(Exception):
    """A publication is no more where the feed had it: it was withdrawn while it was fetched."""


class Signer:
    """The feed's own URL first; when that stops working, the feed is asked again."""

    def __init__(self, file: Entry, again: Callable[[str], Entry]) -> None:
        self._file, self._again = file, again
        self._calls = 0

    def __call__(self) -> SignedFile:
        self._calls += 1
        if self._calls > 1:
            self._file = self._again(self._file["path"])
        return SignedFile(self._file["url"], self._file["sha256"], self._file["size_bytes"])


def _places(entry: Entry) -> Iterator[PulledFile]:
    """Where the files of a publication go, as they are told once they are there."""
    folder = safe_path(entry["publication_id"])
    for file in entry["files"]:
        yield PulledFile(
            **{name: entry[name] for name in ABOUT},
            path=str(folder / safe_path(file["path"])),
            sha256=file["sha256"],
            size_bytes=file["size_bytes"],
            verified=True,  # `download` returns only when the hash agrees
        )


def _failure(entry: Entry, error: KapokError) -> dict[str, Any]:
    about = {name: entry.get(name) for name in ABOUT}
    return {**about, "code": error.code, "detail": error.detail}


def _what_failed(pulled: Pulled) -> str:
    count = len(pulled.failed)
    head = t(
        f"not everything could be pulled ({count} failed, all else is there): do as each reason "
        "says, and pull again",
        f"有 {count} 个发布未能拉取，其余均已完成：请按下列原因处理后再次拉取",
    )
    each = [
        f"{one['title']} ({one['publication_id']}): {one['code']}: {one['detail']}"
        for one in pulled.failed
    ]
    return "\n".join([head, *each])


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
