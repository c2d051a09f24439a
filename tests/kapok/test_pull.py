"""A centre's pull: cursor, proof, receipts, and paths that stay inside."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from real_service import Service

from kapok.errors import UnsafePath
from kapok.pull import Pulled, pull, safe_path
from kapok.transfer import follow
from kapok.transport import Transport


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two publications a page, so that three of them need two pages."""
    monkeypatch.setattr("kapok.pull.PAGE", 2)


def take(transport: Transport, output: Path, since: str | None = None) -> Pulled:
    return follow(pull(transport, "foshan", output, since=since), None)


def test_every_file_lands_proven_and_receipted(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Three publications over two pages: each gets its folder and one receipt with its hashes."""
    one, two, three = [
        service.publish({"a.mp4": b"a" * number, "sub/b.mp4": b"b"}) for number in (1, 2, 3)
    ]

    pulled = take(transport, tmp_path)

    assert (tmp_path / three / "a.mp4").read_bytes() == b"aaa"
    assert (tmp_path / two / "sub" / "b.mp4").read_bytes() == b"b"
    assert [file.path for file in pulled.files][:2] == [f"{one}/a.mp4", f"{one}/sub/b.mp4"]
    assert all(file.verified for file in pulled.files)
    receipts = service.receipts()
    assert [receipt.publication_id for receipt in receipts] == [one, two, three]
    assert receipts[0].files[0] == {"path": "a.mp4", "sha256": hashlib.sha256(b"a").hexdigest()}
    assert service.count("GET /v1/centres/foshan/feed") == 2
    assert pulled.cursor == transport.get("/v1/centres/foshan/feed")["next_cursor"]


def test_the_next_pull_begins_where_the_last_one_ended(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """The cursor lives in the folder: a second pull brings only what is new."""
    service.publish({"a.mp4": b"a"})
    take(transport, tmp_path)
    second = service.publish({"a.mp4": b"b"})

    again = take(transport, tmp_path)

    assert [file.publication_id for file in again.files] == [second]
    assert take(transport, tmp_path).files == ()


def test_an_explicit_cursor_wins_and_present_files_are_not_fetched_again(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.publish({"a.mp4": b"a"})
    take(transport, tmp_path)

    again = take(transport, tmp_path, since="0")

    assert len(again.files) == 1
    assert service.count("GET /store/objects") == 1


def test_a_withdrawn_publication_is_told_and_takes_nothing(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """What lies in the folder is the centre's: it is told, nothing is deleted."""
    withdrawn = service.publish({"a.mp4": b"a"})
    service.withdraw(withdrawn)

    pulled = take(transport, tmp_path)

    assert pulled.files == ()
    assert pulled.withdrawn[0]["publication_id"] == withdrawn
    assert service.receipts() == []


def test_a_url_that_stopped_working_is_signed_again_by_the_feed(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    published = service.publish({"a.mp4": b"a"})
    service.fail(f"GET {service.place(published)}", 403)

    take(transport, tmp_path)

    assert (tmp_path / published / "a.mp4").read_bytes() == b"a"
    assert service.count("GET /v1/centres/foshan/feed") == 2
    assert service.count("GET /store/objects") == 2


def test_a_break_keeps_the_cursor_of_the_finished_pages(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """The third publication fails for good: the first page is not pulled again afterwards."""
    third = [service.publish({"a.mp4": b"a"}) for _ in range(3)][2]
    service.fail(f"GET {service.place(third)}", *[404] * 3)
    with pytest.raises(Exception, match="as asked"):
        take(transport, tmp_path)

    again = take(transport, tmp_path)

    assert [file.publication_id for file in again.files] == [third]


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\b", "a\0b"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    """A feed is not trusted with the file system."""
    with pytest.raises(UnsafePath):
        safe_path(path)


def test_a_hostile_feed_writes_nothing(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.publish({"../../evil": b"x"})

    with pytest.raises(UnsafePath):
        take(transport, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["out"]
    assert list((tmp_path / "out").iterdir()) == []
