"""Where the service is and which key opens it: flags, then the environment, then a data folder."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from kapok.address import service_address
from kapok.errors import FileMissing, NoApiKey
from kapok.language import t

DEFAULT_PORT = 8000
DEFAULT_DATA = Path("kapok-data")
KEY_FILE = "admin.key"
SERVICE_FILE = "service.json"  # written by `kapok up`: where it listens


@dataclass(frozen=True, slots=True)
class Connection:
    url: str
    api_key: str = field(repr=False)


def resolve(
    url: str | None = None,
    api_key_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Connection:
    """The address and key for this run; `NoApiKey` tells every way to give one.

    The admin key of a data folder goes only to the address that the same folder names, or to this
    machine: an explicit `--url` elsewhere must bring its own key. `Usage` for a wrong address.
    """
    folder = Path(environment.get("KAPOK_DATA") or DEFAULT_DATA)
    own_url = _service_url(folder)
    address = service_address(url or environment.get("KAPOK_URL") or own_url or _default_url())
    key = _explicit_key(api_key_file, environment)
    if key is None and (address == own_url or is_loopback(address)):
        key = _read(folder / KEY_FILE)
    if key is None:
        raise NoApiKey(
            t(
                f"no API key for {address}: give --api-key-file FILE, set KAPOK_API_KEY or "
                "KAPOK_API_KEY_FILE, or on the service's own machine set KAPOK_DATA to its folder",
                f"没有用于 {address} 的 API 密钥：请用 --api-key-file 指定文件，或设置 "
                "KAPOK_API_KEY、KAPOK_API_KEY_FILE；在服务所在的机器上，"
                "把 KAPOK_DATA 设为它的数据目录即可",
            )
        )
    return Connection(address, _checked(key))


def _checked(key: str) -> str:
    """A key is one printable word; what is not must reach neither a header nor the screen."""
    if re.fullmatch(r"[\x21-\x7e]+", key):
        return key
    raise NoApiKey(
        t(
            "the API key given is none: it must be one line of letters and digits, as "
            "`kapok key create` prints it; check the file or variable that it came from",
            "给出的内容不是 API 密钥：密钥只有一行，由字母和数字组成（见 `kapok key create`）；"
            "请检查所用的文件或环境变量",
        )
    )


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _explicit_key(api_key_file: Path | None, environment: Mapping[str, str]) -> str | None:
    named = api_key_file or environment.get("KAPOK_API_KEY_FILE")
    if api_key_file is None and environment.get("KAPOK_API_KEY"):
        return environment["KAPOK_API_KEY"].strip()
    if not named:
        return None
    key = _read(Path(named))
    if key is None:
        message = t(
            f"cannot read the key file {named}: check its path and mode",
            f"无法读取密钥文件 {named}：请检查路径与权限",
        )
        raise FileMissing(message)
    return key


def _service_url(folder: Path) -> str | None:
    text = _read(folder / SERVICE_FILE)
    try:
        return str(json.loads(text)["url"]) if text else None
    except (ValueError, KeyError, TypeError):
        return None


def _default_url() -> str:
    return f"http://127.0.0.1:{DEFAULT_PORT}"


def _read(path: Path) -> str | None:
    try:
        return path.read_text("utf-8-sig", "replace").strip() or None
    except OSError:
        return None
