"""Where the service is and which key opens it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kapok.connection import Connection, resolve
from kapok.errors import FileMissing, NoApiKey, Usage


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "admin.key").write_text("kpk_admin\n")
    (folder / "service.json").write_text(json.dumps({"url": "http://127.0.0.1:4711", "pid": 1}))
    return folder


def test_a_data_folder_alone_is_enough(data: Path) -> None:
    """On the service's own machine KAPOK_DATA names both the address and the key."""
    found = resolve(environment={"KAPOK_DATA": str(data)})

    assert found == Connection("http://127.0.0.1:4711", "kpk_admin")


def test_flags_win_over_the_environment(data: Path, tmp_path: Path) -> None:
    (tmp_path / "other.key").write_text("kpk_other")
    environment = {"KAPOK_URL": "http://b", "KAPOK_API_KEY": "kpk_env", "KAPOK_DATA": str(data)}

    found = resolve("http://a/", tmp_path / "other.key", environment)

    assert found == Connection("http://a", "kpk_other")


def test_the_environment_wins_over_the_data_folder(data: Path) -> None:
    environment = {"KAPOK_URL": "http://b", "KAPOK_API_KEY": "kpk_env", "KAPOK_DATA": str(data)}

    assert resolve(environment=environment) == Connection("http://b", "kpk_env")


def test_a_key_file_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("kpk_file\n")
    environment = {"KAPOK_URL": "http://b", "KAPOK_API_KEY_FILE": str(tmp_path / "key")}

    assert resolve(environment=environment).api_key == "kpk_file"


def test_the_admin_key_never_goes_to_another_machine(data: Path) -> None:
    """`--url` elsewhere with a data folder at hand: the key at hand is not that service's."""
    with pytest.raises(NoApiKey, match="KAPOK_API_KEY"):
        resolve("https://elsewhere.example", environment={"KAPOK_DATA": str(data)})


def test_a_key_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(FileMissing, match=r"gone\.key"):
        resolve("http://a", tmp_path / "gone.key", {})


@pytest.mark.parametrize(
    "url",
    [
        "localhost:8000", "127.0.0.1", "http://127.0.0.1:abc", "http://[::1", "http://", "ftp://a",
        "http://a:99999", "http://a b", "http://a/\n", "http://a?x=1", "http://a#x", "http://a..b",
    ],
)  # fmt: skip
def test_what_is_no_address_is_said_before_anything_is_called(url: str) -> None:
    """Exit status 2 with the form to write, in place of seconds of patience or a traceback."""
    with pytest.raises(Usage, match="http://HOST:PORT"):
        resolve(url, environment={"KAPOK_API_KEY": "kpk_x"})


@pytest.mark.parametrize(
    "url", ["http://a", "https://a:8443/kapok", "http://[::1]:8000", "http://127.0.0.1:8000"]
)
def test_an_address_may_have_a_port_and_a_prefix(url: str) -> None:
    assert resolve(f"{url}/", environment={"KAPOK_API_KEY": "kpk_x"}).url == url


@pytest.mark.parametrize("key", ["密钥", "two words", "kpk_one\nkpk_two", "kpk_\x7f"])
def test_a_key_that_is_none_is_refused_and_never_repeated(key: str) -> None:
    """A key with a second line would be printed by every retry of the call that it breaks."""
    with pytest.raises(NoApiKey) as caught:
        resolve("http://a", environment={"KAPOK_API_KEY": key})

    assert key.rsplit(maxsplit=1)[-1] not in caught.value.detail


def test_a_binary_key_file_is_no_key(tmp_path: Path) -> None:
    (tmp_path / "a.key").write_bytes(b"\xff\xfe\x00binary")

    with pytest.raises(NoApiKey, match="one line"):
        resolve("http://a", tmp_path / "a.key", {})


def test_a_key_file_of_windows_is_read(tmp_path: Path) -> None:
    """Its editor puts a byte order mark before the key and a carriage return behind it."""
    (tmp_path / "a.key").write_bytes(b"\xef\xbb\xbfkpk_x\r\n")

    assert resolve("http://a", tmp_path / "a.key", {}).api_key == "kpk_x"
