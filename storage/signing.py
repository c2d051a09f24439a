"""Signed URLs over the local store: like S3's, they carry their own right and their own end."""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping
from hashlib import sha256
from urllib.parse import quote, urlencode

from storage.errors import SignatureInvalid, UrlExpired

SIGNATURE = "signature"
EXPIRES = "expires"


def sign_url(
    key: bytes,
    base: str,
    method: str,
    path: str,
    ttl_s: float,
    fields: Mapping[str, str] | None = None,
) -> str:
    """`base` + `path` with `fields`, an expiry and a signature over all of it and the method.

    `path` is the plain one, as a server sees it after decoding.
    """
    query = {**(fields or {}), EXPIRES: str(int(time.time() + ttl_s))}
    query[SIGNATURE] = _mark(key, method, path, query)
    return f"{base}{quote(path)}?{urlencode(query)}"


def verify(
    key: bytes, method: str, path: str, query: Mapping[str, str], now: float | None = None
) -> None:
    """Raise `SignatureInvalid` or `UrlExpired` unless it was signed. HEAD counts as GET."""
    given = {name: value for name, value in query.items() if name != SIGNATURE}
    signed_method = "GET" if method == "HEAD" else method
    mark = query.get(SIGNATURE, "")
    if not hmac.compare_digest(mark.encode(), _mark(key, signed_method, path, given).encode()):
        raise SignatureInvalid("this signed URL was altered or is cut off: ask for a new one")
    if int(given[EXPIRES]) <= (time.time() if now is None else now):
        raise UrlExpired("this signed URL has expired: ask for a new one")


def _mark(key: bytes, method: str, path: str, fields: Mapping[str, str]) -> str:
    text = "\n".join((method, path, urlencode(sorted(fields.items()))))
    return hmac.digest(
        key, b"kapok signed url\n" + text.encode("utf-8", "surrogatepass"), sha256
    ).hex()
