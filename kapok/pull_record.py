"""What a folder remembers of a centre's pulls: where each feed goes on, what nobody was told."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from kapok.errors import FileInUse
from kapok.language import t
from pipelines.running.durable import sync_names
from pipelines.running.file_locks import is_ours

Line = dict[str, Any]
WHOEVER_ASKS = ""  # of a cursor that was kept before feeds said whose they are


@dataclass(frozen=True, slots=True)
class Place:
    """Everything up to `cursor` was taken, and of what lies behind it the entries `taken`."""

    cursor: str | None = None
    taken: tuple[str, ...] = ()

    def after(self, entry: str, *, gap: bool) -> Place:
        """Once this entry was taken; with a `gap` before it the cursor stays where it is."""
        others = tuple(one for one in self.taken if one != entry)
        return Place(self.cursor, (*others, entry)) if gap else Place(entry, others)


class PullRecord:
    """One place for each organisation whose feed was pulled into the folder, and a line for each
    publication that was taken, until somebody was told of it.

    A line is on the disk before the place moves past it: so no end of this process, whenever it
    comes, leaves a withdrawal that nobody hears of. At worst a line is there twice.
    """

    def __init__(self, places: Path, untold: BinaryIO) -> None:
        self._places, self._untold = places, untold
        untold.seek(0)
        untold.truncate(untold.read().rfind(b"\n") + 1)  # a kill may have left half a line

    @property
    def is_new(self) -> bool:
        return not self._read()

    def place(self, organisation_id: str) -> Place:
        places = self._read()
        return places.get(organisation_id) or places.get(WHOEVER_ASKS) or Place()

    def move(self, organisation_id: str, place: Place) -> None:
        places = {**self._read(), organisation_id: place}
        places.pop(WHOEVER_ASKS, None)
        partial = self._places.with_suffix(".partial")
        with partial.open("w") as file:
            json.dump({"places": {name: asdict(one) for name, one in places.items()}}, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self._places)
        sync_names(self._places.parent)

    def _read(self) -> dict[str, Place]:
        try:
            kept = json.loads(self._places.read_text())
            if "cursor" in kept:
                return {WHOEVER_ASKS: Place(str(kept["cursor"]))}
            return {
                name: Place(one["cursor"], tuple(one["taken"]))
                for name, one in kept["places"].items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def note(self, line: Mapping[str, Any]) -> None:
        """A publication that was taken or withdrawn, by its `publication_id` and `state`."""
        self._untold.write(f"{json.dumps(line)}\n".encode())
        self._untold.flush()
        os.fsync(self._untold.fileno())

    def untold(self) -> list[Line]:
        """What was noted and not told, each change once, in its order."""
        self._untold.seek(0)
        lines = [json.loads(line) for line in self._untold]
        return list({(line["publication_id"], line["state"]): line for line in lines}.values())

    def told(self) -> None:
        self._untold.truncate(0)


@contextmanager
def pull_record(output: Path, centre: str) -> Iterator[PullRecord]:
    """The record, for this process alone. Raises `FileInUse` while another pull has it."""
    name = re.sub(r"[^A-Za-z0-9_.-]", "_", centre)
    with (output / f".kapok-untold-{name}.jsonl").open("a+b") as untold:
        if not is_ours(untold):
            raise FileInUse(
                t(
                    f"another pull for {centre} runs into {output}: let it end, or give another "
                    "folder",
                    f"另一次为 {centre} 的拉取正在写入 {output}：请等它完成，或指定其他目录",
                )
            )
        yield PullRecord(output / f".kapok-cursor-{name}.json", untold)
