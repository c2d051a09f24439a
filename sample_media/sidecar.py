"""The checksum file that a museum hands over with a tape."""

from __future__ import annotations

import hashlib
from pathlib import Path


def write_sidecar(path: Path, algorithm: str = "md5") -> Path:
    """Write `NAME.md5` beside the file, in the form of `md5sum`, and return its path."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    sidecar = path.with_name(f"{path.name}.{algorithm}")
    sidecar.write_text(f"{digest} *{path.name}\n", "utf-8")
    return sidecar
