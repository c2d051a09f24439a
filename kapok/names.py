"""Names and texts of other systems, made fit to be sent, and safe to be shown."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME_CHARACTERS = 255  # what the API takes, and more than any file system gives
UNSENDABLE = re.compile(r"[\x00-\x1f\x7f/\\]")  # legal in a name on Linux, nowhere else
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")  # C0 but tab and line feed; DEL; C1
ESCAPED = re.compile(r"[\x7f-\x9f]")  # what JSON leaves as it is and a terminal obeys


def readable(text: str | Path) -> str:
    """The characters of a name whose bytes are not UTF-8: old archive disks hold GB 18030."""
    try:
        str(text).encode()
    except UnicodeEncodeError:
        return _decoded(str(text))
    return str(text)


def _decoded(text: str) -> str:
    try:
        raw = os.fsencode(text)
    except UnicodeEncodeError:  # a half of a surrogate pair that no file system gave us
        return text.encode("utf-8", "replace").decode()
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def declared_name(path: Path) -> str:
    """The label that goes with an upload: `_` for what other systems forbid in a name."""
    return UNSENDABLE.sub("_", readable(path.name))[:NAME_CHARACTERS]


def declared_title(path: Path) -> str:
    return UNSENDABLE.sub("_", readable(path.stem))


def readable_all(value: Any) -> Any:
    """A JSON value whose every text is `readable`: UTF-8 can hold nothing else."""
    if isinstance(value, str):
        return readable(value)
    if isinstance(value, Mapping):
        return {readable(str(name)): readable_all(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [readable_all(item) for item in value]
    return value


def as_json(record: object, indent: int | None = 2) -> str:
    """JSON in UTF-8 that any parser takes and that moves no terminal's cursor."""
    text = json.dumps(readable_all(record), ensure_ascii=False, indent=indent)
    return ESCAPED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def visible(text: str) -> str:
    """A text whose control characters a terminal shows in place of obeying them."""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)
