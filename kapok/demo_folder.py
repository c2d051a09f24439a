"""The folder that a demo fills: emptied by the next one, unless somebody else's work is in it."""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from kapok.errors import Usage
from kapok.language import t
from kapok.names import declared_name
from kapok.up import locked

DATA = "kapok-data"
FOLDERS = ("renditions", "posters", "storyboard", "packages", "publication", "pulled")
MARKER = ".kapok-demo"  # only folders that a demo filled are ever emptied by one
_CATALOGUE = "kapok.db"
_HAS_UPLOADS = "SELECT 1 FROM sqlite_master WHERE name = 'uploads'"


def prepare_folder(keep: Path) -> None:
    """An empty stage: results of an earlier demo are removed, anybody else's files never are.

    Raises `DataInUse` while a service runs there, and `Usage` where it was sent files that no demo
    sends: their masters may lie nowhere else.
    """
    ours = (*FOLDERS, "samples", "heritage", DATA)
    there = [name for name in ours if (keep / name).exists()]
    if there and not (keep / MARKER).exists():
        raise Usage(
            t(
                f"{keep} holds {there[0]!r} that no demo made: give --keep an empty folder",
                f"{keep} 中已有并非演示生成的 {there[0]!r}：请用 --keep 指定一个空目录",
            )
        )
    if DATA in there:
        there.remove(DATA)
        with locked(keep / DATA):
            _refuse_masters(keep)
            # The catalogue last: without it nobody could tell whose the objects are.
            shutil.rmtree(keep / DATA / "objects", ignore_errors=True)
            shutil.rmtree(keep / DATA)
    for name in there:
        shutil.rmtree(keep / name)
    keep.mkdir(parents=True, exist_ok=True)
    (keep / MARKER).write_text("")


def remember(keep: Path, file: Path) -> None:
    """That a demo is about to send this file; that there is none is said where it is sent."""
    if not file.is_file():
        return
    with (keep / MARKER).open("a") as marker:
        marker.write(f"{_line(declared_name(file), file.stat().st_size)}\n")


def _refuse_masters(keep: Path) -> None:
    sent = Counter((keep / MARKER).read_text().splitlines())
    others = Counter(_line(*row) for row in _uploads(keep / DATA)) - sent
    if others:
        name = next(iter(others)).partition(" ")[2]
        raise Usage(
            t(
                f"the service in {keep / DATA} was sent {name} by somebody, perhaps the only "
                "copy: give --keep another folder, or remove this one yourself",
                f"{keep / DATA} 中的服务收到过他人上传的 {name}，这可能是唯一的副本："
                "请用 --keep 指定其他目录，或自行删除该目录",
            )
        )


def _uploads(data: Path) -> list[tuple[str, int]]:
    """Name and size of each file that arrived whole.

    One name for all where that cannot be told: the catalogue is a server's, or no catalogue.
    """
    unknown = [(t("a file that its catalogue does not tell of", "目录库未记录的文件"), 0)]
    catalogue = data / _CATALOGUE
    if not catalogue.exists():
        held = any(path.is_file() for path in (data / "objects").rglob("*"))
        return unknown if held else []
    try:
        with closing(sqlite3.connect(catalogue)) as opened:
            if not opened.execute(_HAS_UPLOADS).fetchone():
                return []
            wanted = "SELECT file_name, size_bytes FROM uploads WHERE completed_at IS NOT NULL"
            return opened.execute(wanted).fetchall()
    except sqlite3.DatabaseError:
        return unknown


def _line(name: str, size_bytes: int) -> str:
    return f"{size_bytes} {name!r}"
