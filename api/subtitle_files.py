"""Subtitle files of a recipe: read before anything is kept, then objects of the asset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from api.models.uploads import SubtitleFile
from pipelines.subtitles.sidecar import read_letters
from storage.ids import new_id
from storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class ReadFile:
    given: SubtitleFile
    raw: bytes
    codec: str


def read_subtitles(given: Sequence[SubtitleFile] | None) -> list[ReadFile]:
    """Before the transaction, which others wait for.

    Raises `UnsupportedMedia` and `LimitExceeded`.
    """
    return [
        ReadFile(one, raw := one.raw, read_letters(raw, one.file_name).codec) for one in given or ()
    ]


def keep_subtitles(objects: ObjectStore, asset_id: str, read: Sequence[ReadFile]) -> dict[str, Any]:
    """Store the files as they are, and return what a job keeps of them: nothing without any.

    To be done before the transaction that keeps their keys: a store that hangs would hold up every
    other writer. What gets no row then is swept by the age of the id in its key.
    """
    kept, folder = [], f"assets/{asset_id}/subtitles/{new_id('sub')}"
    for one in read:
        digest = sha256(one.raw).hexdigest()
        key = f"{folder}/{digest}"
        objects.put_bytes(one.raw, key)
        kept.append(
            {
                "language": one.given.language,
                "file_name": one.given.file_name,
                "codec": one.codec,
                "size_bytes": len(one.raw),
                "sha256": digest,
                "key": key,
            }
        )
    return {"subtitles": kept} if kept else {}
