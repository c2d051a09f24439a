"""Hashes, and the checksum files of museums in all their dialects."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from pipelines.errors import InvalidChecksumFile
from pipelines.fixity import digest, parse_checksum_file
from pipelines.progress import finish

MD5 = "9e107d9d372bb6826bd81d3542a419d6"
OTHER_MD5 = "e4d909c290d0fb1ca068ffaddf22cbd0"
SHA256 = "d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592"


def test_one_reading_gives_every_hash(tmp_path: Path) -> None:
    """Lower-case hex, equal to hashlib's own."""
    path = tmp_path / "master.mxf"
    content = bytes(range(256)) * 40_000
    path.write_bytes(content)
    assert finish(digest(path, ("sha256", "md5"))) == {
        "sha256": hashlib.sha256(content).hexdigest(),
        "md5": hashlib.md5(content).hexdigest(),
    }


def test_an_empty_file_has_a_hash_too(tmp_path: Path) -> None:
    """And no share of it can be told, only that it began."""
    path = tmp_path / "empty"
    path.touch()
    assert finish(digest(path)) == {"sha256": hashlib.sha256(b"").hexdigest()}


@pytest.mark.parametrize(
    "text",
    [
        f"{MD5}  tape 7.mov\n",
        f"{MD5} *tape 7.mov\r\n",
        f"\ufeff{MD5.upper()}  TAPE 7.MOV\r\n",
        f"MD5 (tape 7.mov) = {MD5}\n",
        f"MD5(tape 7.mov)= {MD5}\n",
        f"{MD5}  data/reel/tape 7.mov\n{OTHER_MD5}  data/reel/tape 8.mov\n",
        f"{MD5} *D:\\Archive\\tape 7.mov\n",
        f"# made by hand\n; and a comment of another tool\n{MD5}\ttape 7.mov\n",
        f"tape 7.mov\t{MD5}\n",
        f"tape 7.mov: {MD5}\n",
        f"{MD5}\n",
        MD5,
        f"{MD5}  ./tape 7.mov\n{MD5}  ./tape 7.mov\n",
        f'{MD5} *"tape 7.mov"\n',
        f"MD5: {MD5}\n",
        f"MD5 = {MD5.upper()}\n",
        "MD5 hash of tape 7.mov:\n" + MD5 + "\nCertUtil: -hashfile completed.\n",
        "MD5 hash of file tape 7.mov:\n" + bytes.fromhex(MD5).hex(" ") + "\n",
        f"\nAlgorithm  Hash      Path\n---------  ----      ----\nMD5  {MD5}  D:\\a\\tape 7.mov\n",
        f'"Algorithm","Hash","Path"\n"MD5","{MD5}","D:\\a\\tape 7.mov"\n',
        f"\nAlgorithm : MD5\nHash      : {MD5}\nPath      : D:\\a\\tape 7.mov\n",
    ],
)
def test_every_dialect_of_checksum_files_is_read(text: str) -> None:
    """md5sum, binary marks, BOM, CRLF, upper case, BSD, BagIt, name first, bare; certutil's two
    kinds, Get-FileHash's three.
    """
    assert parse_checksum_file(text, "tape 7.mov") == {"md5": MD5}


def test_several_algorithms_are_all_told() -> None:
    """Each will be verified."""
    text = f"MD5 (a.wav) = {MD5}\nSHA256 (a.wav) = {SHA256}\n"
    bare = f"{MD5}\n{SHA256}\n"
    assert parse_checksum_file(text, "a.wav") == {"md5": MD5, "sha256": SHA256}
    assert parse_checksum_file(bare, "a.wav") == {"md5": MD5, "sha256": SHA256}


def test_names_that_macos_decomposed_are_the_same_names() -> None:
    """NFD in the manifest, NFC in the upload."""
    text = f"{MD5}  Cafe\u0301 磁带.mov\n"
    assert parse_checksum_file(text, "Café 磁带.mov") == {"md5": MD5}


def test_a_file_that_is_not_listed_is_an_error_that_names_what_is() -> None:
    """Uploading the wrong file with the right sidecar must not pass."""
    with pytest.raises(InvalidChecksumFile, match=r"tape 9\.mov is not among the 1 .*tape 8\.mov"):
        parse_checksum_file(f"{MD5}  tape 8.mov\n", "tape 9.mov")


def test_a_name_that_only_ends_alike_is_another_file() -> None:
    """`7.mov` is not `tape 7.mov`."""
    with pytest.raises(InvalidChecksumFile, match="not among"):
        parse_checksum_file(f"{MD5}  tape 7.mov\n", "7.mov")


def test_two_different_hashes_of_one_file_are_an_error() -> None:
    """Two folders of a bag may hold files of one name: nobody may guess."""
    text = f"{MD5}  data/1/a.mov\n{OTHER_MD5}  data/2/a.mov\n"
    with pytest.raises(InvalidChecksumFile, match="two md5 hashes"):
        parse_checksum_file(text, "a.mov")
    assert parse_checksum_file(text, "2/a.mov") == {"md5": OTHER_MD5}
    assert parse_checksum_file(text, "/usb/1/a.mov") == {"md5": MD5}


def test_another_folders_file_of_the_same_name_is_another_file() -> None:
    """`master.mov` stands in every folder; a file that lies elsewhere may come from anywhere."""
    text = f"{MD5}  reel2/master.mov\n"
    with pytest.raises(InvalidChecksumFile, match="not among"):
        parse_checksum_file(text, "reel1/master.mov")
    assert parse_checksum_file(text, "/tmp/ingest/master.mov") == {"md5": MD5}
    assert parse_checksum_file(text, "bag/reel2/master.mov") == {"md5": MD5}


def test_the_files_own_path_goes_before_one_that_only_ends_alike() -> None:
    """A camera's card has a proxy of the same name in a folder beside the clip."""
    text = f"{'0' * 32}  ./proxy/A001.mov\n{'1' * 32}  ./A001.mov\n"
    assert parse_checksum_file(text, "A001.mov") == {"md5": "1" * 32}
    assert parse_checksum_file(text, "proxy/A001.mov") == {"md5": "0" * 32}
    proxy = f"{'0' * 32}  proxy/A001.mov\n"
    assert parse_checksum_file(proxy, "A001.mov") == {"md5": "0" * 32}  # copied out of its folder
    with pytest.raises(InvalidChecksumFile, match="not among"):
        parse_checksum_file(proxy, "A001.mov", is_there=lambda path: path == "proxy/A001.mov")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (f"{'0' * 32}  data/100%25.mov", "data/100%.mov"),
        (f"{'0' * 32}  data/100%25.mov", "data/100%25.mov"),
        (f'"a.mov","{"0" * 32}"', "a.mov"),
    ],
)
def test_names_as_bags_and_tables_write_them(line: str, name: str) -> None:
    assert parse_checksum_file(line, name) == {"md5": "0" * 32}


def test_a_line_of_blanks_is_read_in_no_time() -> None:
    """A line of 2000 took 24 s; the file beside a master is read without being asked for."""
    began = time.process_time()
    with pytest.raises(InvalidChecksumFile):
        parse_checksum_file("a" + " " * 200_000 + "b\n" + "a (" * 50_000, "a.mov")
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no hash here\n",
        "abc123  short.mov\n",
        f"BLAKE2s (a.mov) = {SHA256}\n",
        f"{MD5}0  a.mov\n",
    ],
)
def test_a_file_without_a_known_hash_is_an_error(text: str) -> None:
    """A hash of another algorithm with the length of ours is not ours."""
    with pytest.raises(InvalidChecksumFile, match="no checksum"):
        parse_checksum_file(text, "a.mov")
