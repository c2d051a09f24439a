"""A centre's pull: cursor, proof, receipts, and paths that stay inside."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from real_service import Service

from kapok.errors import ApiError, FileInUse, PullIncomplete, UnsafePath
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


def test_one_bad_file_stops_no_other_publication(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """The next pull begins with it, and fetches, hashes and proves nothing else again."""
    one, bad, three = [service.publish({"a.mp4": b"a" * number}) for number in (1, 2, 3)]
    service.fail(f"GET {service.place(bad)}", *[404] * 3)

    with pytest.raises(PullIncomplete, match=f"{bad}.*as asked") as caught:
        take(transport, tmp_path)

    pulled = caught.value.pulled
    assert [file.publication_id for file in pulled.files] == [one, three]
    assert [(failed["publication_id"], failed["code"]) for failed in pulled.failed] == [
        (bad, "fault_404")
    ]
    (tmp_path / three / "a.mp4").unlink()  # the centre moved it on
    fetched = service.count("GET /store/objects")
    again = take(transport, tmp_path)
    assert [file.publication_id for file in again.files] == [bad]
    assert service.count("GET /store/objects") == fetched + 1
    assert [receipt.publication_id for receipt in service.receipts()] == [one, three, bad]
    assert again.cursor == transport.get("/v1/centres/foshan/feed")["next_cursor"]


def test_two_failures_of_the_service_in_a_row_end_the_pull(
    service: Service, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not asked for every publication in turn; what was learned till then is told."""
    monkeypatch.setattr("kapok.download.LONG_PATIENCE_S", 0.0)
    gone = service.publish({"a.mp4": b"a"})
    service.withdraw(gone)
    for _ in range(3):
        service.publish({"a.mp4": b"a"})
    service.fail("GET /store/objects", 503, 503)
    told: list[Pulled] = []

    with pytest.raises(ApiError, match="as asked"):
        follow(pull(transport, "foshan", tmp_path, tell=told.append), None)

    assert [entry["publication_id"] for entry in told[0].withdrawn] == [gone]
    assert len(told[0].failed) == 2
    again = take(transport, tmp_path)
    assert (again.withdrawn, len(again.files)) == ((), 3)


def test_what_a_killed_pull_had_learned_is_told_by_the_next(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """A centre would keep airing what was withdrawn: the cursor has passed it."""
    gone = service.publish({"a.mp4": b"a"})
    service.withdraw(gone)
    one, two = [service.publish({"a.mp4": b"a"}) for _ in range(2)]
    killed = pull(transport, "foshan", tmp_path)
    while not (tmp_path / two).exists():
        next(killed)
    killed.close()
    with (tmp_path / ".kapok-untold-foshan.jsonl").open("a") as untold:
        untold.write('{"publication_id": "half a li')
    last = service.publish({"a.mp4": b"a"})

    pulled = take(transport, tmp_path)

    assert [entry["publication_id"] for entry in pulled.withdrawn] == [gone]
    assert [file.publication_id for file in pulled.files] == [one, two, last]
    again = take(transport, tmp_path)
    assert (again.files, again.withdrawn) == ((), ())


def test_each_organisations_feed_has_its_own_place_in_the_folder(
    service: Service, other_service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Places are one chain for all: the second one's publications are older than the cursor."""
    second = other_service.publish({"a.mp4": b"b"})
    first = service.publish({"a.mp4": b"a"})
    assert len(take(transport, tmp_path).files) == 1

    opened = Transport(other_service.connection)
    pulled = take(opened, tmp_path)
    opened.close()

    assert [file.publication_id for file in pulled.files] == [second]
    third = service.publish({"a.mp4": b"c"})
    assert [file.publication_id for file in take(transport, tmp_path).files] == [third] != [first]


def test_a_cursor_of_before_is_gone_on_from(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Folders hold cursors that are numbers alone."""
    service.publish({"a.mp4": b"a"})
    cursor = transport.get("/v1/centres/foshan/feed")["next_cursor"].partition("-")[0]
    (tmp_path / ".kapok-cursor-foshan.json").write_text(json.dumps({"cursor": cursor}))
    second = service.publish({"a.mp4": b"b"})

    assert [file.publication_id for file in take(transport, tmp_path).files] == [second]
    assert take(transport, tmp_path).files == ()


def test_what_is_withdrawn_while_it_is_fetched_is_told_so(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Its URL expires, and there is no other: what came of it goes."""
    one, gone = [service.publish({"a.mp4": b"a"}) for _ in range(2)]
    partial = tmp_path / gone / ".a.mp4.partial"
    partial.parent.mkdir()
    partial.touch()
    service.fail(f"GET {service.place(gone)}", 403)
    pulling = pull(transport, "foshan", tmp_path)
    next(pulling)
    service.withdraw(gone)

    pulled = follow(pulling, None)

    assert [file.publication_id for file in pulled.files] == [one]
    assert [entry["publication_id"] for entry in pulled.withdrawn] == [gone]
    assert not partial.exists()


def test_a_zone_that_is_opened_while_its_url_expires_takes_nothing_from_the_centre(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """The feed has more before it then than on one page, and none of it changed."""
    service.close_zone("closed", centre="zhuhai")
    first = service.publish({"a.mp4": b"a"})
    for _ in range(3):
        service.publish({"h.mp4": b"h"}, zone="closed")
    slow = service.publish({"a.mp4": b"a"})
    service.fail(f"GET {service.place(slow)}", 403)
    pulling = pull(transport, "foshan", tmp_path)
    next(pulling)
    service.open_zone("closed")

    pulled = follow(pulling, None)

    assert [file.publication_id for file in pulled.files] == [first, slow]
    assert (tmp_path / slow / "a.mp4").read_bytes() == b"a"


def test_one_pull_at_a_time_runs_into_a_folder(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.publish({"a.mp4": b"a"})
    first = pull(transport, "foshan", tmp_path)
    next(first)

    with pytest.raises(FileInUse, match="another pull for foshan"):
        take(transport, tmp_path)

    assert len(follow(first, None).files) == 1


@pytest.mark.parametrize("path", ["../x", "/etc/passwd", "a/../../x", "", "a\\b", "a\0b"])
def test_a_path_that_leaves_the_folder_is_refused(path: str) -> None:
    """A feed is not trusted with the file system."""
    with pytest.raises(UnsafePath):
        safe_path(path)


def test_a_hostile_feed_writes_nothing(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.publish({"../../evil": b"x"})

    with pytest.raises(PullIncomplete, match="unsafe_path"):
        take(transport, tmp_path / "out")

    assert [path.name for path in tmp_path.iterdir() if path.name != "state"] == ["out"]
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".kapok-untold-foshan.jsonl"]
