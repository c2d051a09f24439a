"""The checksum that a museum or archive sends along: found beside the file, or named."""

from __future__ import annotations

from pathlib import Path

from kapok.errors import FileMissing
from kapok.language import t
from kapok.names import readable
from kapok.ways_out import os_reason
from pipelines.errors import InvalidChecksumFile

SIDECAR_SUFFIXES = (".sha256", ".md5")
_MOST_BYTES = 64 << 20  # [P] the lines of half a million files


def declared_checksums(file: Path, checksum_file: Path | None = None) -> dict[str, str]:
    """`{"md5": …, "sha256": …}` as `FILE.md5` and `FILE.sha256`, or the named file, say.

    A named file that does not speak of `file` is an error of `parse_checksum_file`, which says so.
    """
    found: dict[str, str] = {}
    for sidecar in [checksum_file] if checksum_file else find_sidecars(file):
        for kind, value in _said_by(sidecar, file).items():
            if found.setdefault(kind, value) != value:
                raise InvalidChecksumFile(
                    t(
                        f"{readable(sidecar)}: its {kind} is not that of the other checksum file"
                        f" of {readable(file.name)}: keep the right one",
                        f"{readable(sidecar)}：其 {kind} 与 {readable(file.name)} 的另一校验文件"
                        "不一致：请保留正确的一个",
                    )
                )
    return found


def _path_from(sidecar: Path, file: Path) -> Path:
    """From the folder of the checksum file, or absolute where the file lies elsewhere."""
    path, folder = file.absolute(), sidecar.absolute().parent
    return path.relative_to(folder) if path.is_relative_to(folder) else path


def _said_by(sidecar: Path, file: Path) -> dict[str, str]:
    """The file that cannot be used is named, since nobody may have named it."""
    from pipelines.fixity import parse_checksum_file

    def is_there(listed: str) -> bool:
        path = sidecar.parent / listed
        try:
            return path.is_file() and not path.samefile(file)
        except (OSError, ValueError):  # no name of a file at all, or no file of ours
            return False

    try:
        return parse_checksum_file(_read(sidecar), readable(_path_from(sidecar, file)), is_there)
    except InvalidChecksumFile as error:
        way = "correct it, or name another one with --checksum-file"
        raise InvalidChecksumFile(f"{readable(sidecar)}: {error.detail}: {way}") from error


def find_sidecars(file: Path) -> list[Path]:
    """`tape.mov.md5`, or `TAPE.MOV.MD5` where there is none; never another file's sidecar."""
    names = _names(file.parent)
    alike: dict[str, list[Path]] = {}  # by the name of the file that they speak of
    for path in (file.parent / name for name in sorted(names)):
        stem, suffix = path.name[: -len(path.suffix)], path.suffix.lower()
        if suffix in SIDECAR_SUFFIXES and stem.lower() == file.name.lower() and path.is_file():
            alike.setdefault(stem, []).append(path)
    others = [paths for stem, paths in alike.items() if stem not in names]
    return alike.get(file.name) or [path for paths in others for path in paths]


def _names(folder: Path) -> list[str]:
    try:
        return [path.name for path in folder.iterdir()]
    except OSError:
        return []


def _read(path: Path) -> str:
    """Sidecars come from many systems: UTF-16 where it says so, UTF-8, else GB 18030."""
    try:
        raw = path.read_bytes() if path.stat().st_size <= _MOST_BYTES else None
    except OSError as error:
        reason = os_reason(error)
        message = t(
            f"cannot read the checksum file {path}: {reason}",
            f"无法读取校验文件 {path}（{reason}）：请检查 --checksum-file",
        )
        raise FileMissing(message) from error
    if raw is None:
        raise InvalidChecksumFile(
            t(
                f"it is larger than {_MOST_BYTES >> 20} MiB, which no list of checksums is",
                f"它超过 {_MOST_BYTES >> 20} MiB，不会是校验清单",
            )
        )
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    return "\n".join(map(_decoded, raw.splitlines()))


def _decoded(line: bytes) -> str:
    """Line by line: `md5sum *` on an old disk writes names as they are, and they may be of both."""
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("gb18030", "replace")
