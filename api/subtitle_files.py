"""Subtitle files of a recipe: read before anything is kept, then objects of the asset."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from api.models.uploads import SubtitleFile
from pipelines.errors import KapokError
from pipelines.subtitles.sidecar import read_letters
from storage.errors import CommitUnknown, StoreUnavailable
from storage.ids import new_id
from storage.objects import ObjectStore

log = logging.getLogger(__name__)


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


@dataclass(slots=True)
class KeptFiles:
    """`recipe` is what a job keeps of the files: nothing without any. `named`: a row names them."""

    recipe: dict[str, Any]
    named: bool = False


@contextmanager
def kept_subtitles(
    objects: ObjectStore, asset_id: str, read: Sequence[ReadFile]
) -> Iterator[KeptFiles]:
    """Store the files as they are; they are deleted at the end unless they are `named` then, or may
    be for all that is known of the commit. A store that went away is not asked to: it would hold up
    who waits as long again.

    To be done before the transaction that keeps their keys: a store that hangs would hold up every
    other writer. Where the process died or the store went away in between, what is left of an asset
    is swept by the age of the id in its key; nothing finds what is left of an upload without a row.
    """
    folder = f"assets/{asset_id}/subtitles/{new_id('sub')}/"
    kept, stay = KeptFiles({}), False
    try:
        if files := [_kept(objects, folder, one) for one in read]:
            kept.recipe["subtitles"] = files
        yield kept
    except (CommitUnknown, StoreUnavailable):
        stay = True
        raise
    finally:
        if read and not (kept.named or stay):
            _delete(objects, folder)


def _kept(objects: ObjectStore, folder: str, one: ReadFile) -> dict[str, Any]:
    digest = sha256(one.raw).hexdigest()
    key = f"{folder}{digest}"
    objects.put_bytes(one.raw, key)
    return {
        "language": one.given.language,
        "file_name": one.given.file_name,
        "codec": one.codec,
        "size_bytes": len(one.raw),
        "sha256": digest,
        "key": key,
    }


def _delete(objects: ObjectStore, folder: str) -> None:
    """The answer is what went wrong before, not that this did too."""
    try:
        objects.delete_prefix(folder)
    except KapokError as error:
        log.warning("subtitle files that no row names stay in %s: %s", folder, error)
