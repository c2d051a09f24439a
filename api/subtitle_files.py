"""Subtitle files of a recipe: read before anything is kept, then objects of the asset."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

from api.models.uploads import SubtitleFile
from pipelines.subtitles.sidecar import read_letters
from storage.objects import ObjectStore


def keep_subtitles(
    objects: ObjectStore, asset_id: str, given: Sequence[SubtitleFile] | None
) -> dict[str, Any]:
    """Store the files as they are, and return what a job keeps of them: nothing without any.

    All of a request fit into its body, so that this may be done inside the transaction that keeps
    their keys. Raises `UnsupportedMedia` and `LimitExceeded`.
    """
    read = [(one, one.raw, read_letters(one.raw, one.file_name)) for one in given or ()]
    kept = []
    for one, raw, letters in read:
        digest = sha256(raw).hexdigest()
        key = f"assets/{asset_id}/subtitles/{digest}"
        objects.put_bytes(raw, key)
        kept.append(
            {
                "language": one.language,
                "file_name": one.file_name,
                "codec": letters.codec,
                "size_bytes": len(raw),
                "sha256": digest,
                "key": key,
            }
        )
    return {"subtitles": kept} if kept else {}
