"""Signed prefixes: one short-lived token opens every file of a package, by relative names."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from hashlib import sha256

from storage.errors import ObjectMissing, SignatureInvalid, UrlExpired

# No name is longer than file systems take, and no path than fits into a key of S3 with its prefix.
_PATH = re.compile(r"(?!\.)[A-Za-z0-9._-]{1,200}(?:/(?!\.)[A-Za-z0-9._-]{1,200})*")
MAX_PATH = 700


def sign_prefix(key: bytes, prefix: str, expires_at: int) -> str:
    """A token that opens `prefix` until `expires_at` (seconds since 1970)."""
    claim = f"{expires_at} {prefix}".encode()
    return f"{_text(claim)}.{_text(_mark(key, claim))}"


def open_prefix(key: bytes, token: str, now: float) -> tuple[str, int]:
    """The prefix and expiry of a token. Raises `SignatureInvalid`, `UrlExpired`."""
    claim_text, _, mark_text = token.partition(".")
    try:
        claim, mark = _bytes(claim_text), _bytes(mark_text)
    except (binascii.Error, ValueError) as error:
        raise _altered() from error
    if not hmac.compare_digest(mark, _mark(key, claim)):
        raise _altered()
    expires_at, _, prefix = claim.decode().partition(" ")
    if int(expires_at) <= now:
        raise UrlExpired(
            "This playback URL has expired: ask /v1/assets/{id}/playback for a new one."
        )
    return prefix, int(expires_at)


def key_under(prefix: str, path: str) -> str:
    """The object key of a relative path; a path that could leave the prefix names nothing."""
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise ObjectMissing(f"There is no file {path[:200]!r} in this package.")
    return f"{prefix.rstrip('/')}/{path}"


def _mark(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, b"kapok signed prefix\n" + claim, sha256)


def _altered() -> SignatureInvalid:
    return SignatureInvalid("This playback URL was altered or is cut off: ask for a new one.")


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
