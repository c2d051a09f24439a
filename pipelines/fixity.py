"""Hashes of files, and the checksum files that museums and archives send along."""

from __future__ import annotations

import hashlib
import os
import re
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from pipelines.errors import InvalidChecksumFile
from pipelines.progress import Progress

_BLOCK_BYTES = 4 << 20
_YIELD_S = 0.4
_ALGORITHMS = {32: "md5", 40: "sha1", 56: "sha224", 64: "sha256", 96: "sha384", 128: "sha512"}
_HEX = r"(?P<hash>[0-9a-fA-F]{32,128})"
_LINES = (
    re.compile(rf"(?P<label>[\w-]+) ?\((?P<name>.+)\) ?= ?{_HEX}"),  # BSD, openssl
    re.compile(rf'"?(?P<label>[\w-]+)"?[ \t,;]+"?{_HEX}"?[ \t,;]+(?P<name>.+)'),  # Get-FileHash
    re.compile(rf"\\?{_HEX}[ \t]+\*?(?P<name>.+)"),  # md5sum, sha256sum, BagIt
)
# Name first, as many small tools have it, or nothing but the hash. Searched from the hash, since a
# name may be as long as it likes, and be of the blanks that stand before a hash.
_AT_END = re.compile(rf'(?<![0-9a-fA-F])"?{_HEX}"?$')
_BETWEEN = " \t:;,="
_IN_BYTES = re.compile(r"[0-9a-fA-F]{2}(?: [0-9a-fA-F]{2})+")  # certutil of Windows 7
# Of PowerShell's `Get-FileHash | Format-List`, where each stands on a line of its own.
_HASH, _PATH = "hash", re.compile(r"path[ \t]*:[ \t]*(?P<name>.+)", re.IGNORECASE)
_ABSOLUTE = re.compile(r"[/\\]|[A-Za-z]:")
_CODES = re.compile("%(0A|0D|25)", re.IGNORECASE)  # what BagIt writes of names (RFC 8493, 2.1.3)
_COMMENTS = ("#", ";", "%")
_QUOTES = " \t\"'"


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


def parse_checksum_file(
    text: str, file_name: str, is_there: Callable[[str], bool] = lambda _: False
) -> dict[str, str]:
    """The hashes of `file_name`, as `{"md5": …}`, from a sidecar or a manifest of many files.

    `file_name` is the file's path from the folder of the checksum file: of files of one name in
    several folders the path decides. An absolute one, of a file that lies elsewhere, may have other
    folders than are listed. `is_there` tells whether a listed path is that of a file, which then is
    the one that is meant: a card's `proxy/A001.mov` is not the `A001.mov` beside it.

    Reads md5sum and sha256sum, BSD, BagIt, Get-FileHash, certutil and name-first lines, and bare
    hashes; whatever the line ends, the case, the byte order mark or the kind of slash. Raises
    `InvalidChecksumFile` when the file is not in it, or is in it with two hashes of one kind.
    """
    entries = list(_entries(text))
    if not entries:
        message = "no checksum can be read: each line should hold a hash and a file name"
        raise InvalidChecksumFile(message)
    meant = list(_meant(entries, file_name, is_there))
    if not meant:
        plain = [replace(one, name=one.name and _CODES.sub(_sign, one.name)) for one in entries]
        meant = list(_meant(plain, file_name, is_there))
    if not meant:
        names = ", ".join(sorted({str(entry.name) for entry in entries})[:3])
        message = f"{file_name} is not among the {len(entries)} checksums (of {names} …)"
        raise InvalidChecksumFile(message)
    return _one_of_each(meant, file_name)


def _entries(text: str) -> Iterator[_Entry]:
    held: _Entry | None = None  # a hash whose path comes on a later line
    for raw in text.lstrip("\ufeff").splitlines():
        line = raw.strip()
        path = _PATH.fullmatch(line)
        if held is not None and path is not None:
            yield replace(held, name=path["name"])
            held = None
        elif line and not line.startswith(_COMMENTS):
            found = _entry(line)
            if found is not None and (found.name or "").lower() == _HASH:
                held = replace(found, name=None)
            elif found is not None:
                yield found
    if held is not None:
        yield held


def _entry(line: str) -> _Entry | None:
    for pattern in _LINES:
        found = pattern.fullmatch(line)
        if found is not None and len(found["hash"]) in _ALGORITHMS:
            parts = found.groupdict()
            return _entry_of(parts["hash"], parts["name"], parts.get("label"))
    if _IN_BYTES.fullmatch(line):
        line = line.replace(" ", "")
    last = _AT_END.search(line)
    if last is None or len(last["hash"]) not in _ALGORITHMS:
        return None
    before = line[: last.start()]
    name = before.rstrip(_BETWEEN)
    if name == before:  # nothing between them
        return None if name else _entry_of(last["hash"], None, None)
    is_label = _plain_label(name) in _ALGORITHMS.values()
    return _entry_of(last["hash"], None if is_label else name, name if is_label else None)


def _entry_of(value: str, name: str | None, label: str | None) -> _Entry | None:
    """Nothing of another algorithm whose hashes are as long."""
    algorithm = _ALGORITHMS[len(value)]
    if _plain_label(label or algorithm) != algorithm:
        return None
    return _Entry(algorithm, value.lower(), None if name is None else name.strip(_QUOTES))


def _plain_label(label: str) -> str:
    return label.lower().replace("-", "")


def _meant(
    entries: Sequence[_Entry], file_name: str, is_there: Callable[[str], bool]
) -> Iterator[_Entry]:
    """Those of the file's very path, else of one that agrees with it farthest up; bare hashes where
    there is no other.
    """
    if all(entry.name is None for entry in entries):
        yield from entries
        return
    wanted, best = _path_parts(file_name), 1
    alike: list[tuple[int, _Entry]] = []
    for entry in entries:
        listed = _path_parts(entry.name or "")
        shared = len(wanted) + 1 if listed == wanted else _shared_end(listed, wanted)
        elsewhere = _ABSOLUTE.match(file_name) or _ABSOLUTE.match(entry.name or "")
        if shared and (shared >= min(len(listed), len(wanted)) or elsewhere):
            if not elsewhere and len(listed) > len(wanted) and is_there(entry.name or ""):
                continue  # it is another file's
            alike.append((shared, entry))
            best = max(best, shared)
    yield from (entry for shared, entry in alike if shared == best)


def _sign(code: re.Match[str]) -> str:
    return chr(int(code[1], 16))


def _shared_end(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


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
