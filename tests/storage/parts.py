"""How a test sends a part: by its signed URL to MinIO, straight to the local store."""

from __future__ import annotations

import httpx

from storage.objects import ObjectStore, Part
from storage.objects_local import LocalStore

MIB = 1024 * 1024
PART_BYTES = 5 * MIB


def send_part(store: ObjectStore, key: str, upload_id: str, number: int, content: bytes) -> None:
    if isinstance(store, LocalStore):
        with store.receive_part(upload_id, number) as writer:
            for start in range(0, len(content), MIB):
                writer.write(content[start : start + MIB])
            writer.commit()
        return
    answer = httpx.put(store.sign_part(key, upload_id, number, 60), content=content)
    assert answer.status_code == 200, answer.text


def send_all(store: ObjectStore, key: str, content: bytes) -> tuple[str, list[Part]]:
    """Every part of an upload of `content`; it is not completed."""
    upload_id = store.create_multipart(key, size_bytes=len(content), part_size_bytes=PART_BYTES)
    for number, start in enumerate(range(0, max(1, len(content)), PART_BYTES), 1):
        send_part(store, key, upload_id, number, content[start : start + PART_BYTES])
    return upload_id, store.list_parts(key, upload_id)
