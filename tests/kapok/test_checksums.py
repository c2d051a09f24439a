"""The checksum that comes along with a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from kapok.checksums import declared_checksums, find_sidecars
from kapok.errors import USAGE, FileMissing, exit_status
from pipelines.errors import InvalidChecksumFile

MD5 = "0123456789abcdef0123456789abcdef"
SHA256 = "ab" * 32


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    path = tmp_path / "磁带 12.mov"
    path.write_bytes(b"tape")
    return path


def test_both_sidecars_are_found_by_name(tape: Path) -> None:
    tape.with_name("磁带 12.mov.md5").write_text(f"{MD5} *磁带 12.mov\n")
    tape.with_name("磁带 12.mov.SHA256").write_text(f"{SHA256}  磁带 12.mov\n")

    assert declared_checksums(tape) == {"md5": MD5, "sha256": SHA256}


def test_a_neighbours_sidecar_is_not_ours(tape: Path) -> None:
    tape.with_name("other.mov.md5").write_text(MD5)
    tape.with_name("磁带 1.mov.md5").write_text(MD5)

    assert find_sidecars(tape) == []
    assert declared_checksums(tape) == {}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_sidecar_may_come_from_any_system(tape: Path, encoding: str) -> None:
    """Chinese Windows tools write GB 18030 or UTF-16, with CRLF and upper case."""
    text = f"{MD5.upper()} *磁带 12.mov\r\n"
    tape.with_name("磁带 12.mov.md5").write_bytes(text.encode(encoding))

    assert declared_checksums(tape) == {"md5": MD5}


def test_a_named_manifest_is_read_alone(tape: Path) -> None:
    """A manifest for the whole shelf: our line counts, the sidecar beside the file does not."""
    manifest = tape.with_name("manifest-sha256.txt")
    manifest.write_text(f"{'0' * 64}  data/other.mov\n{SHA256}  data/磁带 12.mov\n")
    tape.with_name("磁带 12.mov.md5").write_text(MD5)

    assert declared_checksums(tape, manifest) == {"sha256": SHA256}


def test_a_sidecar_in_another_case_is_ours_only_if_no_file_of_that_case_is_there(
    tape: Path,
) -> None:
    upper, lower = tape.with_name("A.MOV"), tape.with_name("a.mov")
    for path, digit in ((upper, "1"), (lower, "2")):
        path.write_bytes(b"tape")
        path.with_name(f"{path.name}.md5").write_text(digit * 32)

    assert declared_checksums(upper) == {"md5": "1" * 32}
    assert declared_checksums(lower) == {"md5": "2" * 32}
    upper.with_name("A.MOV.md5").unlink()
    assert declared_checksums(upper) == {}
    lower.unlink()
    assert declared_checksums(upper) == {"md5": "2" * 32}


def test_two_sidecars_that_disagree_are_an_error(tape: Path) -> None:
    tape.with_name("磁带 12.mov.md5").write_text("1" * 32)
    tape.with_name("磁带 12.mov.MD5").write_text("2" * 32)

    with pytest.raises(InvalidChecksumFile, match="keep the right one"):
        declared_checksums(tape)


def test_a_proxy_of_the_same_name_is_not_the_master(tmp_path: Path) -> None:
    """Its hash would refuse the master after all of it was sent."""
    master, proxy = tmp_path / "A001.mov", tmp_path / "proxy" / "A001.mov"
    proxy.parent.mkdir()
    manifest = tmp_path / "checksums.md5"
    manifest.write_text(f"{MD5}  proxy/A001.mov\n")
    for path in (master, proxy):
        path.write_bytes(b"tape")

    assert declared_checksums(proxy, manifest) == {"md5": MD5}
    with pytest.raises(InvalidChecksumFile, match="not among"):
        declared_checksums(master, manifest)


@pytest.mark.parametrize("listed", ["{folder}/A001.mov", "../{name}/A001.mov", "./A001.mov"])
def test_a_sidecar_may_name_its_file_by_its_whole_path(listed: str, tmp_path: Path) -> None:
    """As `md5sum /data/in/A001.mov` writes it."""
    file = tmp_path / "A001.mov"
    file.write_bytes(b"tape")
    path = listed.format(folder=tmp_path, name=tmp_path.name)
    (tmp_path / "A001.mov.md5").write_text(f"{MD5}  {path}\n")

    assert declared_checksums(file) == {"md5": MD5}


def test_names_of_an_old_disk_are_read_line_by_line(tape: Path) -> None:
    """`md5sum *` writes them as they are: some in UTF-8, others in GB 18030."""
    manifest = tape.with_name("all.md5")
    lines = [f"{MD5}  电影.mov".encode(), f"{'1' * 32}  节目.mov".encode("gb18030")]
    manifest.write_bytes(b"\n".join(lines))

    assert declared_checksums(tape.with_name("电影.mov"), manifest) == {"md5": MD5}
    assert declared_checksums(tape.with_name("节目.mov"), manifest) == {"md5": "1" * 32}


def test_a_manifest_above_several_folders_tells_their_files_apart(tmp_path: Path) -> None:
    """Every reel of a bag holds a `master.mov`."""
    manifest = tmp_path / "manifest-md5.txt"
    manifest.write_text(f"{MD5}  data/1/master.mov\n{'1' * 32}  data/2/master.mov\n")

    for reel, md5 in (("1", MD5), ("2", "1" * 32)):
        assert declared_checksums(tmp_path / "data" / reel / "master.mov", manifest) == {"md5": md5}


def test_a_master_named_as_its_own_checksum_file_is_not_read(tape: Path) -> None:
    """It would be held in memory whole."""
    with tape.open("r+b") as file:
        file.truncate(1 << 40)

    with pytest.raises(InvalidChecksumFile, match="larger than 64 MiB"):
        declared_checksums(tape, tape)


def test_a_named_file_that_is_missing_is_said(tape: Path) -> None:
    with pytest.raises(FileMissing, match=r"gone\.md5"):
        declared_checksums(tape, tape.with_name("gone.md5"))


@pytest.mark.parametrize("text", ["hello\n", f"{MD5}  another.mov\n"])
def test_a_checksum_file_that_cannot_be_used_is_named(tape: Path, text: str) -> None:
    """Nobody may have asked for it: it was found beside the file."""
    tape.with_name("磁带 12.mov.md5").write_text(text)

    with pytest.raises(InvalidChecksumFile) as caught:
        declared_checksums(tape)

    assert caught.value.detail.startswith(f"{tape}.md5: ")
    assert caught.value.detail.endswith("correct it, or name another one with --checksum-file")
    assert exit_status(caught.value) == USAGE
