"""Names and texts of other systems: sent as what they mean, shown without obeying them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from kapok.checksums import declared_checksums
from kapok.names import as_json, declared_name, declared_title, readable, visible
from kapok.upload import UploadRequest


def on_disk(raw: bytes) -> Path:
    """A path whose name has these very bytes."""
    return Path(os.fsdecode(raw))


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("岭南.mov".encode(), "岭南.mov"),
        ("岭南.mov".encode("gb18030"), "岭南.mov"),
        ("㐀.mov".encode("gb18030"), "㐀.mov"),
        (b"a\xff\xff.mov", "a\ufffd\ufffd.mov"),
    ],
)
def test_a_name_of_an_archive_disk_can_be_read(raw: bytes, expected: str) -> None:
    """UTF-8 first, then GB 18030, then a mark for what is neither."""
    assert readable(on_disk(raw)) == expected


def test_a_lone_surrogate_from_elsewhere_is_replaced() -> None:
    assert readable("a\ud800b") == "a?b"


def test_a_declared_name_is_legal_everywhere() -> None:
    """A back slash and a line feed are legal on Linux; the API takes neither."""
    assert declared_name(Path("a\n\\b\x7f.mov")) == "a__b_.mov"
    assert declared_title(Path("a\nb.mov")) == "a_b"


def test_a_back_slash_inside_of_a_chinese_character_is_none() -> None:
    """乗 is 0x81 0x5C in GB 18030: its second byte is the back slash of ASCII."""
    raw = "乗.mov".encode("gb18030")
    assert b"\\" in raw

    assert declared_name(on_disk(raw)) == "乗.mov"


def test_an_upload_declares_the_name_that_people_read() -> None:
    path = on_disk("磁带.mov".encode("gb18030"))

    assert UploadRequest(path, "x").body(1)["file_name"] == "磁带.mov"


def test_a_manifest_finds_a_file_whose_name_is_in_gb18030(tmp_path: Path) -> None:
    """Manifest and disk come from the same Windows: both mean the same name."""
    file = tmp_path / on_disk("磁带.mov".encode("gb18030"))
    manifest = tmp_path / "all.md5"
    manifest.write_bytes(f"{'a' * 32} *磁带.mov\r\n".encode("gb18030"))

    assert declared_checksums(file, manifest) == {"md5": "a" * 32}


def test_json_is_utf_8_that_moves_no_cursor() -> None:
    """Names of any bytes become text; C0, DEL and C1 stand as escapes."""
    record = {"path": str(on_disk("磁带".encode("gb18030"))), "title": "\x1b[2J\x7f\x9b2J岭"}

    text = as_json(record)

    text.encode()
    assert json.loads(text) == {"path": "磁带", "title": "\x1b[2J\x7f\x9b2J岭"}
    assert not [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0]


def test_control_characters_are_shown_and_not_obeyed() -> None:
    assert visible("a\x1b]0;x\x07b\rc\x9bd\te\n") == "a\ufffd]0;x\ufffdb\ufffdc\ufffdd\te\n"
