"""A centre's pull: cursor, proof, receipts, and paths that stay inside."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from fake_service import FakeService

from kapok.errors import UnsafePath
from kapok.pull import Pulled, pull, safe_path
from kapok.transfer import follow
from kapok.transport import Transport


def take(transport: Transport, output: Path, since: str | None = None) -> Pulled:
    return follow(pull(transport, "foshan", output, since=since), None)


def test_every_file_lands_proven_and_receipted(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    """Three publications over two pages: each gets its folder and one receipt with its hashes."""
    for number in (1, 2, 3):
        service.publish(f"pub_{number}", {"a.mp4": b"a" * number, "sub/b.mp4": b"b"})

    pulled = take(transport, tmp_path)

    assert (tmp_path / "pub_3" / "a.mp4").read_bytes() == b"aaa"
    assert (tmp_path / "pub_2" / "sub" / "b.mp4").read_bytes() == b"b"
    assert [file.path for file in pulled.files][:2] == ["pub_1/a.mp4", "pub_1/sub/b.mp4"]
    assert all(file.verified for file in pulled.files)
    assert [receipt["publication_id"] for receipt in service.receipts] == [
        "pub_1",
        "pub_2",
        "pub_3",
    ]
    assert service.receipts[0]["files"][0] == {
        "path": "a.mp4",
        "sha256": hashlib.sha256(b"a").hexdigest(),
    }
    assert pulled.cursor == "3"


def test_the_next_pull_begins_where_the_last_one_ended(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    """The cursor lives in the folder: a second pull brings only what is new."""
    service.publish("pub_1", {"a.mp4": b"a"})
    take(transport, tmp_path)
    service.publish("pub_2", {"a.mp4": b"b"})

    again = take(transport, tmp_path)

    assert [file.publication_id for file in again.files] == ["pub_2"]
    assert take(transport, tmp_path).files == ()


def test_an_explicit_cursor_wins_and_present_files_are_not_fetched_again(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    service.publish("pub_1", {"a.mp4": b"a"})
    take(transport, tmp_path)

    again = take(transport, tmp_path, since="0")

    assert len(again.files) == 1
    assert service.count("GET /objects") == 1


def test_a_withdrawn_publication_is_told_and_takes_nothing(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    """What lies in the folder is the centre's: it is told, nothing is deleted."""
    service.publish("pub_1", {}, state="withdrawn")

    pulled = take(transport, tmp_path)

    assert pulled.files == ()
    assert pulled.withdrawn[0]["publication_id"] == "pub_1"
    assert service.receipts == []


def test_a_url_that_stopped_working_is_signed_again_by_the_feed(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    service.publish("pub_1", {"a.mp4": b"a"})
    service.faults = {"GET /objects/pub_1/a.mp4": [403]}

    take(transport, tmp_path)

    signatures = {line for line in service.requests if line.startswith("GET /objects")}
    assert len(signatures) == 2


def test_a_break_keeps_the_cursor_of_the_finished_pages(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    """The third publication fails for good: the first page is not pulled again afterwards."""
    for number in (1, 2, 3):
        service.publish(f"pub_{number}", {"a.mp4": b"a"})
    service.faults = {"GET /objects/pub_3": [404] * 3}
    with pytest.raises(Exception, match="as asked"):
        take(transport, tmp_path)

    again = take(transport, tmp_path)

    assert [file.publication_id for file in again.files] == ["pub_3"]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\b", "a\0b"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    """A feed is not trusted with the file system."""
    with pytest.raises(UnsafePath):
        safe_path(path)


def test_a_hostile_feed_writes_nothing(
    service: FakeService, transport: Transport, tmp_path: Path
) -> None:
    service.publish("pub_1", {"../../evil": b"x"})

    with pytest.raises(UnsafePath):
        take(transport, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["out"]
    assert list((tmp_path / "out").iterdir()) == []
