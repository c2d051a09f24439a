"""What both object stores promise, on a local folder and on a real MinIO server."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest
from parts import PART_BYTES, send_all, send_part

from storage.errors import (
    MultipartNotFound,
    ObjectExists,
    ObjectMissing,
    ObjectTooLarge,
    PartMissing,
    PartTooSmall,
)
from storage.objects import ObjectStore

KEY = "assets/ast_1/source/source.mxf"
CONTENT = secrets.token_bytes(2 * PART_BYTES + 12_345)


def test_parts_in_any_order_become_the_object(store: ObjectStore) -> None:
    """Three parts, the last one first, and the bytes are those that were sent."""
    upload_id = store.create_multipart(KEY, size_bytes=len(CONTENT), part_size_bytes=PART_BYTES)
    for number in (3, 1, 2):
        start = (number - 1) * PART_BYTES
        send_part(store, KEY, upload_id, number, CONTENT[start : start + PART_BYTES])
    parts = store.list_parts(KEY, upload_id)
    assert [(part.number, part.size_bytes) for part in parts] == [
        (1, PART_BYTES),
        (2, PART_BYTES),
        (3, 12_345),
    ]
    assert store.complete_multipart(KEY, upload_id, parts) == len(CONTENT)
    assert store.read_bytes(KEY, len(CONTENT)) == CONTENT


def test_an_upload_goes_on_where_it_broke_off(store: ObjectStore) -> None:
    """The store's part list is the truth: only what is missing is sent again."""
    upload_id = store.create_multipart(KEY, size_bytes=len(CONTENT), part_size_bytes=PART_BYTES)
    send_part(store, KEY, upload_id, 2, CONTENT[PART_BYTES : 2 * PART_BYTES])
    assert [part.number for part in store.list_parts(KEY, upload_id)] == [2]
    send_part(store, KEY, upload_id, 1, CONTENT[:PART_BYTES])
    send_part(store, KEY, upload_id, 3, CONTENT[2 * PART_BYTES :])
    store.complete_multipart(KEY, upload_id, store.list_parts(KEY, upload_id))
    assert store.read_bytes(KEY, len(CONTENT)) == CONTENT


def test_a_part_that_is_sent_again_replaces_the_first(store: ObjectStore) -> None:
    """As after a connection that broke at the very end."""
    upload_id, _ = send_all(store, KEY, CONTENT)
    other = secrets.token_bytes(PART_BYTES)
    send_part(store, KEY, upload_id, 1, other)
    store.complete_multipart(KEY, upload_id, store.list_parts(KEY, upload_id))
    assert store.read_bytes(KEY, len(CONTENT)) == other + CONTENT[PART_BYTES:]


def test_a_part_that_was_replaced_meanwhile_is_not_completed(store: ObjectStore) -> None:
    """The list that is completed must be the list that is stored."""
    upload_id, parts = send_all(store, KEY, CONTENT)
    send_part(store, KEY, upload_id, 1, secrets.token_bytes(PART_BYTES))
    with pytest.raises(PartMissing):
        store.complete_multipart(KEY, upload_id, parts)
    assert len(store.list_parts(KEY, upload_id)) == 3


def test_completing_twice_says_the_same(store: ObjectStore) -> None:
    """The answer may be lost on its way; asking again must not be an error."""
    upload_id, parts = send_all(store, KEY, CONTENT)
    sizes = [store.complete_multipart(KEY, upload_id, parts) for _ in range(2)]
    assert sizes == [len(CONTENT)] * 2


def test_an_aborted_upload_is_gone_and_leaves_nothing(store: ObjectStore) -> None:
    """Neither parts nor an object; aborting once more does nothing."""
    upload_id, parts = send_all(store, KEY, CONTENT)
    for _ in range(2):
        store.abort_multipart(KEY, upload_id)
    with pytest.raises(MultipartNotFound):
        store.list_parts(KEY, upload_id)
    with pytest.raises(MultipartNotFound):
        store.complete_multipart(KEY, upload_id, parts)
    assert list(store.list_prefix("assets/")) == []


def test_parts_below_five_mebibytes_are_refused_but_for_the_last(store: ObjectStore) -> None:
    """S3's rule, told before the first byte is sent."""
    with pytest.raises(PartTooSmall):
        store.create_multipart(KEY, size_bytes=10_000, part_size_bytes=5_000)


def test_an_empty_upload_is_an_empty_object(store: ObjectStore) -> None:
    """It has one part of no bytes; the essence will be refused later, with its own words."""
    upload_id, parts = send_all(store, KEY, b"")
    assert store.complete_multipart(KEY, upload_id, parts) == 0
    assert store.stat(KEY).size_bytes == 0


def test_a_file_is_stored_and_fetched(store: ObjectStore, tmp_path: Path) -> None:
    """The fetched path lives as long as the context, in the scratch folder or in the store."""
    made = tmp_path / "rendition.mp4"
    made.write_bytes(CONTENT)
    store.put_file(made, "work/job_1/stp_1/1/rendition.mp4")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with store.fetch("work/job_1/stp_1/1/rendition.mp4", scratch) as path:
        assert path.read_bytes() == CONTENT
        assert path.name == "rendition.mp4"
    assert list(scratch.iterdir()) == []


def test_an_object_is_written_once(store: ObjectStore, tmp_path: Path) -> None:
    """The same bytes again are no change, others are refused."""
    first, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    first.write_bytes(b"first")
    other.write_bytes(b"something else")
    store.put_file(first, "assets/a.mp4")
    store.put_file(first, "assets/a.mp4")
    with pytest.raises(ObjectExists):
        store.put_file(other, "assets/a.mp4")
    with pytest.raises(ObjectExists):
        store.put_bytes(b"other bytes", "assets/a.mp4")
    with pytest.raises(ObjectExists):  # of the same size, as a constant rate gives
        store.put_bytes(b"third", "assets/a.mp4")
    assert store.read_bytes("assets/a.mp4", 100) == b"first"


@pytest.mark.parametrize(
    ("start", "end"), [(0, 10), (7, 8), (PART_BYTES - 5, PART_BYTES + 5), (12_000, 12_000)]
)
def test_a_range_is_exactly_its_bytes(store: ObjectStore, start: int, end: int) -> None:
    """Half-open, across block borders, and empty."""
    store.put_bytes(CONTENT, "assets/a.mxf")
    assert b"".join(store.open_range("assets/a.mxf", start, end)) == CONTENT[start:end]


def test_a_missing_object_says_so_in_every_call(store: ObjectStore, tmp_path: Path) -> None:
    """And nothing but `ObjectMissing`."""
    store.prepare()
    calls = [
        lambda: store.stat("assets/none"),
        lambda: store.read_bytes("assets/none", 10),
        lambda: list(store.open_range("assets/none", 0, 10)),
        lambda: store.fetch("assets/none", tmp_path).__enter__(),
    ]
    for call in calls:
        with pytest.raises(ObjectMissing):
            call()
    store.delete("assets/none")


def test_reading_more_than_the_limit_is_refused(store: ObjectStore) -> None:
    """A manifest must not fill the memory of the API."""
    store.put_bytes(b"12345", "assets/a.json")
    assert store.read_bytes("assets/a.json", 5) == b"12345"
    with pytest.raises(ObjectTooLarge):
        store.read_bytes("assets/a.json", 4)


def test_a_prefix_is_listed_sorted_and_deleted_whole(store: ObjectStore) -> None:
    """Only what lies under it; a longer name beside it stays."""
    keys = ["work/job_1/a/1/x.mp4", "work/job_1/b.mp4", "work/job_10/c.mp4", "work/job_1/a/2.mp4"]
    for key in keys:
        store.put_bytes(key.encode(), key)
    assert list(store.list_prefix("work/job_1/")) == [
        "work/job_1/a/1/x.mp4",
        "work/job_1/a/2.mp4",
        "work/job_1/b.mp4",
    ]
    store.delete_prefix("work/job_1/")
    assert list(store.list_prefix("work/")) == ["work/job_10/c.mp4"]
    store.delete_prefix("work/job_1/")
    store.delete("work/job_10/c.mp4")
    assert list(store.list_prefix("work/")) == []


def test_a_store_that_answers_is_ready(store: ObjectStore) -> None:
    """Preparing twice is as good as once."""
    for _ in range(2):
        store.prepare()
        store.check()
