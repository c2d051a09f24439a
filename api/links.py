"""Signed URLs as the API hands them out, with the moment when they expire."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from api.backend import Backend
from api.models.common import FileLink, Link
from api.prefixes import sign_prefix


def expiry(ttl_s: float) -> datetime:
    return (datetime.now(UTC) + timedelta(seconds=ttl_s)).replace(microsecond=0)


def object_link(backend: Backend, key: str, file_name: str | None = None) -> Link:
    """A URL that opens one object for `signed_url_ttl_s`."""
    ttl_s = backend.settings.signed_url_ttl_s
    expires_at = expiry(ttl_s)
    return Link(url=backend.objects.sign_get(key, ttl_s, file_name), expires_at=expires_at)


def file_link(
    backend: Backend, key: str, *, sha256: str, size_bytes: int, file_name: str | None = None
) -> FileLink:
    link = object_link(backend, key, file_name)
    return FileLink(url=link.url, expires_at=link.expires_at, sha256=sha256, size_bytes=size_bytes)


def prefix_link(backend: Backend, prefix: str, ttl_s: float) -> Link:
    """A URL that opens every file under a prefix; add `/` and a relative path."""
    expires_at = int(time.time() + ttl_s)
    token = sign_prefix(backend.signing_key, prefix, expires_at)
    url = f"{backend.settings.public_url.rstrip('/')}/v1/playback/{token}"
    return Link(url=url, expires_at=datetime.fromtimestamp(expires_at, UTC))
