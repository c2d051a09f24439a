"""Hashes of files, and the checksum files that museums and archives send along."""

from __future__ import annotations

import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import InvalidChecksumFile
from pipelines.progress import Progress

_BLOCK_BYTES = 4 << 20
_YIELD_S = 0.4
_ALGORITHMS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_HEX = r"(?P<hash>[0-9a-fA-F]{32,128})"
_LINES = (
    re.compile(rf"(?P<label>[\w-]+) ?\((?P<name>.+)\) ?= ?{_HEX}"),  # BSD, openssl
    re.compile(rf"\\?{_HEX}[ \t]+\*?(?P<name>.+)"),  # md5sum, sha256sum, BagIt
    re.compile(rf"(?P<name>.+?)[ \t]*[ \t:;,=][ \t]*{_HEX}"),  # name first: many small tools
    re.compile(_HEX),  # nothing but the hash
)
_COMMENTS = ("#", ";", "%")


def digest(
    path: Path, algorithms: Sequence[str] = ("sha256",)
) -> Generator[Progress, None, dict[str, str]]:
    """Lower-case hex by algorithm, all from one reading of the file."""
    hashes = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    size, done, shown = path.stat().st_size, 0, time.monotonic()
    with path.open("rb", buffering=0) as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_SEQUENTIAL)
        yield Progress(share=0.0)
        while block := file.read(_BLOCK_BYTES):
            for one in hashes.values():
                one.update(block)
            done += len(block)
            if time.monotonic() - shown >= _YIELD_S:
                shown = time.monotonic()
                yield Progress(share=min(done / size, 1.0) if size else None)
    return {name: one.hexdigest() for name, one in hashes.items()}


@dataclass(frozen=True, slots=True)
class _Entry:
    algorithm: str
    value: str
    name: str | None  # none: the hash stands alone


def parse_checksum_file(text: str, file_name: str) -> dict[str, str]:
    """The hashes of `file_name`, as `{"md5": …}`, from a sidecar or a manifest of many files.

    Reads md5sum and sha256sum, BSD, BagIt and name-first lines, and a bare hash; whatever the line
    ends, the case, the byte order mark or the kind of slash. Raises `InvalidChecksumFile` when the
    file is not in it, or is in it with two hashes of one kind.
    """
    entries = list(_entries(text))
    if not entries:
        message = "no checksum can be read: each line should hold a hash and a file name"
        raise InvalidChecksumFile(message)
    meant = [entry for entry in entries if _is_meant(entry, file_name, alone=len(entries) == 1)]
    if not meant:
        names = ", ".join(sorted({str(entry.name) for entry in entries})[:3])
        message = f"{file_name} is not among the {len(entries)} checksums (of {names} …)"
        raise InvalidChecksumFile(message)
    return _one_of_each(meant, file_name)


def _entries(text: str) -> Iterator[_Entry]:
    for raw in text.lstrip("\ufeff").splitlines():
        line = raw.strip()
        if line and not line.startswith(_COMMENTS):
            yield from _entry(line)


def _entry(line: str) -> Iterator[_Entry]:
    for pattern in _LINES:
        found = pattern.fullmatch(line)
        if found is None or len(found["hash"]) not in _ALGORITHMS:
            continue
        parts = found.groupdict()
        algorithm = _ALGORITHMS[len(parts["hash"])]
        if _plain_label(parts.get("label") or algorithm) == algorithm:
            yield _Entry(algorithm, parts["hash"].lower(), parts.get("name"))
        return


def _plain_label(label: str) -> str:
    return label.lower().replace("-", "")


def _is_meant(entry: _Entry, file_name: str, *, alone: bool) -> bool:
    if entry.name is None:
        return alone
    listed, wanted = _path_parts(entry.name), _path_parts(file_name)
    return listed[-len(wanted) :] == wanted


def _path_parts(name: str) -> list[str]:
    """Composed Unicode (macOS writes it decomposed), one case, and only forward slashes."""
    plain = unicodedata.normalize("NFC", name.strip()).casefold().replace("\\", "/")
    return [part for part in plain.split("/") if part not in ("", ".")]


def _one_of_each(entries: Sequence[_Entry], file_name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in entries:
        if found.setdefault(entry.algorithm, entry.value) != entry.value:
            message = f"{file_name} is listed with two {entry.algorithm} hashes: keep the right one"
            raise InvalidChecksumFile(message)
    return found
