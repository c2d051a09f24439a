"""Upload of one file: hashed and sent in parallel parts from one reading, resumed after a kill."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from kapok.address import route
from kapok.errors import ApiError, FileChanged, FileMissing, ServiceUnreachable
from kapok.journal import Journal, fingerprint, open_journal
from kapok.language import t
from kapok.names import declared_name, readable
from kapok.parts import Part, PartSender, split
from kapok.transfer import BLOCK_BYTES, Transfer
from kapok.transport import LONG_PATIENCE_S, SHORT_PATIENCE_S, Transport
from kapok.ways_out import os_reason
from pipelines.errors import EmptyFile, HashMismatch

OPEN, FINISHED = "open", ("complete", "verified")


@dataclass(frozen=True, slots=True)
class UploadRequest:
    """What to send and what to make of it; `checksums` come from the file's owner, not from us."""

    path: Path
    title: str
    profiles: tuple[str, ...] = ()
    ladder: str | None = None
    zone: str | None = None
    scores: bool = True
    source_colour: str | None = None
    programme: int | None = None
    subtitles: tuple[Mapping[str, str], ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    checksums: Mapping[str, str] = field(default_factory=dict)

    def body(self, size_bytes: int) -> dict[str, Any]:
        wishes: dict[str, Any] = {
            "profiles": list(self.profiles),
            "ladder": self.ladder,
            "zone": self.zone,
            "source_colour": self.source_colour,
            "programme": self.programme,
            "subtitles": list(self.subtitles),
            "metadata": dict(self.metadata),
        }
        known = {name: value for name, value in wishes.items() if value}
        if not self.scores:
            known["scores"] = False
        name = declared_name(self.path)
        named = {"title": self.title, "file_name": name, "size_bytes": size_bytes}
        return {**named, **known, **self.checksums}


@dataclass(frozen=True, slots=True)
class Uploaded:
    upload_id: str
    asset_id: str
    job_id: str
    sha256: str
    size_bytes: int


def upload(
    transport: Transport, request: UploadRequest, *, parallel: int = 4, resume: bool = True
) -> Generator[Transfer, None, Uploaded]:
    """Send the file; after a kill of either side the same call goes on with what is missing."""
    before = _stat(request.path)
    name = fingerprint(
        transport.url, request.path.resolve(), before.st_size, before.st_mtime_ns, request
    )
    with open_journal(name) as journal, request.path.open("rb") as file:
        ticket = _ticket(transport, request, before.st_size, journal, resume=resume)
        try:
            hashes = yield from _send(transport, ticket, request, file, parallel)
            _check_unchanged(request.path, before)
        except FileChanged:  # nobody will go on with it: a later try is another file's
            with suppress(ApiError, ServiceUnreachable):
                _give_up(transport, ticket, journal)
            raise
        _check_declared(transport, ticket, request, hashes, journal)
        record = _complete(transport, ticket, hashes["sha256"])
        journal.forget()
    return Uploaded(
        str(ticket["id"]),
        str(ticket["asset_id"]),
        str(record["job_id"]),
        hashes["sha256"],
        before.st_size,
    )


def _stat(path: Path) -> os.stat_result:
    try:
        found = path.stat()
    except OSError as error:
        reason = os_reason(error)
        message = t(f"cannot read {path}: {reason}", f"无法读取 {path}（{reason}）：请检查路径")
        raise FileMissing(message) from error
    if path.is_dir():
        text = t(
            f"{path} is a folder: make one file of it with `kapok wrap`, and send that",
            f"{path} 是目录：请先用 `kapok wrap` 合为一个文件再上传",
        )
        raise FileMissing(text)
    if not path.is_file():
        raise FileMissing(t(f"{path} is not a file", f"{path} 不是文件：请指定文件"))
    if found.st_size == 0:
        text = t(
            f"{path} is empty, there is nothing to send: export it again",
            f"{path} 是空文件：请重新导出或拷贝",
        )
        raise EmptyFile(text)
    return found


def _ticket(
    transport: Transport, request: UploadRequest, size_bytes: int, journal: Journal, *, resume: bool
) -> dict[str, Any]:
    """The upload begun earlier for this very file while the service has it; else a new one."""
    earlier = journal.upload_id()
    found = _known(transport, earlier) if earlier is not None else None
    if found is not None:
        if resume and found["state"] in (OPEN, *FINISHED):
            return found
        if found["state"] == OPEN:
            _abort(transport, str(earlier))
    begun: dict[str, Any] = transport.post("/v1/uploads", request.body(size_bytes))
    journal.remember(str(begun["id"]))
    return begun


def _abort(transport: Transport, upload_id: str, patience_s: float = SHORT_PATIENCE_S) -> None:
    """That it is closed already may be our own doing, whose answer was lost."""
    try:
        transport.call("DELETE", route("uploads", upload_id), patience_s=patience_s)
    except ApiError as error:
        if error.code != "upload_not_open":
            raise


def _give_up(transport: Transport, ticket: Mapping[str, Any], journal: Journal) -> None:
    """What was sent is removed from the store."""
    if ticket.get("state", OPEN) == OPEN:
        _abort(transport, str(ticket["id"]), patience_s=LONG_PATIENCE_S)
    journal.forget()


def _known(transport: Transport, upload_id: str) -> dict[str, Any] | None:
    """An earlier upload, or nothing where the service has none for this key.

    Any other problem is raised: to begin anew would send again what is there already.
    """
    try:
        found: dict[str, Any] = transport.get(
            route("uploads", upload_id), patience_s=LONG_PATIENCE_S
        )
    except ApiError as error:
        if error.code != "upload_not_found":
            raise
        return None
    return found


def _send(
    transport: Transport,
    ticket: Mapping[str, Any],
    request: UploadRequest,
    file: BinaryIO,
    parallel: int,
) -> Generator[Transfer, None, dict[str, str]]:
    """Hash part after part in order, and hand each that the store lacks to the parallel senders.

    The senders read again what was just hashed, so it comes from the page cache: the disk is read
    once, and never more than the parts in flight are ahead.
    """
    digests = {name: hashlib.new(name) for name in {"sha256", *request.checksums}}
    parts = split(int(ticket["size_bytes"]), int(ticket["part_size_bytes"]))
    stored = _stored(transport, ticket, parts)
    resumed = sum(part.size_bytes for part in parts if part.number in stored)
    total, name = int(ticket["size_bytes"]), readable(request.path.name)

    with PartSender(transport, str(ticket["id"]), file.fileno(), parallel) as sender:

        def now() -> Transfer:
            return Transfer(name, resumed + sender.sent_bytes, total, resumed, sender.trouble)

        sender.plan([part for part in parts if part.number not in stored])
        for part in parts:
            for block in _blocks(file, part.size_bytes):
                for digest in digests.values():
                    digest.update(block)
            while part.number not in stored and not sender.offer(part):
                yield now()
            yield now()
        while not sender.finished():
            yield now()
        yield now()
    return {name: digest.hexdigest() for name, digest in digests.items()}


def _stored(transport: Transport, ticket: Mapping[str, Any], parts: Sequence[Part]) -> set[int]:
    """Numbers of the parts that the store holds whole; all once the upload is complete."""
    if ticket.get("state") in FINISHED:
        return {part.number for part in parts}
    sizes = {part.number: part.size_bytes for part in parts}
    listed = transport.get(route("uploads", str(ticket["id"]), "parts"))["parts"]
    return {part["number"] for part in listed if sizes.get(part["number"]) == part["size_bytes"]}


def _blocks(file: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    left = size_bytes
    while left > 0:
        block = file.read(min(BLOCK_BYTES, left))
        if not block:
            raise FileChanged(t("the file became shorter while it was read", "文件在读取时变短了"))
        left -= len(block)
        yield block


def _check_unchanged(path: Path, before: os.stat_result) -> None:
    after = path.stat()
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise FileChanged(
            t(
                f"{path.name} was changed while it was sent: wait until it is whole, try again",
                f"{path.name} 在上传过程中被修改：请等它写完后再上传",
            )
        )


def _check_declared(
    transport: Transport,
    ticket: Mapping[str, Any],
    request: UploadRequest,
    hashes: Mapping[str, str],
    journal: Journal,
) -> None:
    """Say at once, before the service does, that the file is not the one its checksum speaks of."""
    wrong = [name for name, value in request.checksums.items() if hashes[name] != value.lower()]
    if not wrong:
        return
    _give_up(transport, ticket, journal)
    name, kind = wrong[0], wrong[0].upper().replace("SHA", "SHA-")
    raise HashMismatch(
        t(
            f"{request.path.name} has the {kind} {hashes[name]}, its checksum file says "
            f"{request.checksums[name]}: copy the file again, or correct the checksum file",
            f"{request.path.name} 的 {kind} 为 {hashes[name]}，而校验文件写的是 "
            f"{request.checksums[name]}：请重新从提供方拷贝该文件，或更正校验文件",
        )
    )


def _complete(transport: Transport, ticket: Mapping[str, Any], sha256: str) -> dict[str, Any]:
    """Close the upload. Where it is closed already (a lost answer), its job is the answer."""
    where = route("uploads", str(ticket["id"]))
    if ticket.get("state") in FINISHED:
        return dict(ticket)
    try:
        answer = transport.post(f"{where}/complete", {"sha256": sha256}, patience_s=LONG_PATIENCE_S)
    except ApiError as error:
        found: dict[str, Any] = transport.get(where, patience_s=LONG_PATIENCE_S)
        if error.code == "upload_not_open" and found.get("job_id"):
            return found
        raise
    return dict(answer)
