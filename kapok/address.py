"""Addresses: of a service, as people give it, and of the things in its API."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from kapok.errors import Usage
from kapok.language import t


def route(*words: str) -> str:
    """`/v1/…`, each word one segment of the path: no id can reach another resource."""
    return "/".join(("/v1", *map(_segment, words)))


def _segment(word: str) -> str:
    if word in ("", ".", ".."):
        raise Usage(
            t(
                f"{word!r} is no id or name: copy one from `kapok asset list`, `job list` …",
                f"{word!r} 不是编号或名称：请从 `kapok asset list`、`job list` 等的输出中复制",
            )
        )
    return quote(word, safe="", errors="replace")


def service_address(text: str) -> str:
    """The base of every call, `http://HOST[:PORT][/PREFIX]`; `Usage` for anything else."""
    address = text.rstrip("/")
    if "@" in address.partition("://")[2].partition("/")[0]:  # not shown: it may hold a password
        raise Usage(
            t(
                "the address of a service has no user name or password: write http://HOST:PORT, "
                "and give the key by --api-key-file",
                "服务地址不含用户名和密码：请写成 http://主机:端口，密钥用 --api-key-file 指定",
            )
        )
    if not _is_base(address):
        raise Usage(
            t(
                f"{text!r} is no address of a service: write http://HOST:PORT or https://HOST",
                f"{text!r} 不是服务地址：请写成 http://主机:端口 或 https://主机",
            )
        )
    return address


def _is_base(address: str) -> bool:
    import httpx

    try:
        parts = urlsplit(address)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        httpx.URL(address)  # knows more of host names than urlsplit does
        (parts.hostname or "").encode("idna")  # as the resolver does, which raises no OSError
    except (ValueError, httpx.InvalidURL):
        return False
    plain = address.isprintable() and " " not in address
    return known and plain and not (parts.query or parts.fragment)
