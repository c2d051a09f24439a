"""The local store: what survives a crash, who may write a part, and its signed URLs."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from parts import MIB, PART_BYTES, send_all, send_part
from worlds import at_once

from pipelines.errors import DiskFull
from storage.errors import (
    InvalidSettings,
    MultipartNotFound,
    ObjectMissing,
    PartMissing,
    PartSuperseded,
    PartTooSmall,
    SignatureInvalid,
    SizeMismatch,
    StoreUnavailable,
    UrlExpired,
)
from storage.files import store_errors
from storage.objects_local import LocalStore
from storage.settings import data_signing_key, load_settings
from storage.signing import verify

KEY = "assets/ast_1/source/source.mxf"
CONTENT = secrets.token_bytes(2 * PART_BYTES + 999)
SIGNING_KEY = b"signing key"


def begin(store: LocalStore) -> str:
    return store.create_multipart(KEY, size_bytes=len(CONTENT), part_size_bytes=PART_BYTES)


def reopened(tmp_path: Path) -> LocalStore:
    """The store as a new process sees it."""
    return LocalStore(tmp_path / "store", SIGNING_KEY, "http://kapok.test")


def test_completing_moves_no_bytes(local_store: LocalStore, tmp_path: Path) -> None:
    """The object is the very file that the parts were written to, and read-only."""
    upload_id, parts = send_all(local_store, KEY, CONTENT)
    data = tmp_path / "store" / "multipart" / upload_id / "data"
    inode = data.stat().st_ino
    local_store.complete_multipart(KEY, upload_id, parts)
    path = local_store.path(KEY)
    assert path.stat().st_ino == inode
    assert path.stat().st_mode & 0o777 == 0o444
    assert not data.parent.exists()


def test_a_part_that_was_not_committed_was_never_sent(
    local_store: LocalStore, tmp_path: Path
) -> None:
    """As when the server is killed in the middle of it."""
    upload_id = begin(local_store)
    with local_store.receive_part(upload_id, 1) as writer:
        writer.write(CONTENT[:MIB])
    with local_store.receive_part(upload_id, 2) as writer:
        writer.write(CONTENT[:PART_BYTES])
    assert reopened(tmp_path).list_parts(KEY, upload_id) == []


def test_a_part_that_is_being_sent_again_counts_as_missing(
    local_store: LocalStore, tmp_path: Path
) -> None:
    """Half of its bytes may be new: until it is committed it is not whole, crash or not."""
    upload_id, _ = send_all(local_store, KEY, CONTENT)
    with local_store.receive_part(upload_id, 2) as writer:
        writer.write(b"x" * MIB)
    numbers = [part.number for part in reopened(tmp_path).list_parts(KEY, upload_id)]
    assert numbers == [1, 3]


def test_a_strangers_file_beside_the_parts_is_no_part(
    local_store: LocalStore, tmp_path: Path
) -> None:
    """As a desktop's file manager leaves them; the upload goes on, and is completed."""
    upload_id, parts = send_all(local_store, KEY, CONTENT)
    folder = tmp_path / "store" / "multipart" / upload_id / "parts"
    for name in (".DS_Store", "Thumbs.db", f"00001.{'0' * 31}", f"1.{'0' * 32}", "00001.tmp"):
        (folder / name).touch()
    assert local_store.list_parts(KEY, upload_id) == parts
    assert local_store.complete_multipart(KEY, upload_id, parts) == len(CONTENT)


def test_uploads_survive_a_restart_of_the_server(local_store: LocalStore, tmp_path: Path) -> None:
    """Begun by one process, gone on with and completed by the next."""
    upload_id = begin(local_store)
    send_part(local_store, KEY, upload_id, 1, CONTENT[:PART_BYTES])
    second = reopened(tmp_path)
    send_part(second, KEY, upload_id, 2, CONTENT[PART_BYTES : 2 * PART_BYTES])
    send_part(second, KEY, upload_id, 3, CONTENT[2 * PART_BYTES :])
    second.complete_multipart(KEY, upload_id, second.list_parts(KEY, upload_id))
    assert second.read_bytes(KEY, len(CONTENT)) == CONTENT


def test_of_two_puts_of_one_part_only_the_later_writes(local_store: LocalStore) -> None:
    """A client that reconnects takes over; the old connection can spoil nothing."""
    upload_id = begin(local_store)
    with local_store.receive_part(upload_id, 1) as old:
        old.write(b"o" * MIB)
        with local_store.receive_part(upload_id, 1) as new:
            with pytest.raises(PartSuperseded):
                old.write(b"o" * MIB)
            new.write(CONTENT[:PART_BYTES])
            new.commit()
            with pytest.raises(PartSuperseded):
                old.write(b"o" * MIB)
    with local_store.path(KEY).parents[4].joinpath("multipart", upload_id, "data").open("rb") as f:
        assert f.read(PART_BYTES) == CONTENT[:PART_BYTES]


def test_nobody_writes_into_an_object_once_its_upload_is_complete(
    local_store: LocalStore,
) -> None:
    """A late writer is stopped, and no new one begins."""
    upload_id, parts = send_all(local_store, KEY, CONTENT)
    with local_store.receive_part(upload_id, 3) as late:
        with pytest.raises(PartMissing):
            local_store.complete_multipart(KEY, upload_id, parts)
        with pytest.raises(PartSuperseded):
            late.write(b"x")
    send_part(local_store, KEY, upload_id, 3, CONTENT[2 * PART_BYTES :])
    local_store.complete_multipart(KEY, upload_id, local_store.list_parts(KEY, upload_id))
    with pytest.raises(MultipartNotFound), local_store.receive_part(upload_id, 3):
        pass
    assert local_store.read_bytes(KEY, len(CONTENT)) == CONTENT


def test_a_crash_right_after_the_object_got_its_name_is_no_loss(
    local_store: LocalStore, tmp_path: Path
) -> None:
    """The upload is still listed, takes no part any more, and is completed by asking again."""
    upload_id, parts = send_all(local_store, KEY, CONTENT)
    target = local_store.path(KEY)
    target.parent.mkdir(parents=True)
    os.link(tmp_path / "store" / "multipart" / upload_id / "data", target)
    second = reopened(tmp_path)
    with pytest.raises(MultipartNotFound), second.receive_part(upload_id, 1):
        pass
    assert second.complete_multipart(KEY, upload_id, parts) == len(CONTENT)
    assert second.read_bytes(KEY, len(CONTENT)) == CONTENT


def test_a_part_has_exactly_its_size(local_store: LocalStore) -> None:
    """Too little, too much and a number that the upload has not are three different errors."""
    upload_id = begin(local_store)
    assert [local_store.part_bytes(upload_id, number) for number in (1, 2, 3)] == [
        PART_BYTES,
        PART_BYTES,
        999,
    ]
    with local_store.receive_part(upload_id, 1) as writer:
        writer.write(b"x" * 10)
        with pytest.raises(PartTooSmall):
            writer.commit()
    with local_store.receive_part(upload_id, 3) as writer, pytest.raises(SizeMismatch):
        writer.write(b"x" * 1000)
    for number in (0, 4):
        with pytest.raises(PartMissing), local_store.receive_part(upload_id, number):
            pass


@pytest.mark.parametrize("upload_id", ["mpu_0", "../../etc", "mpu_" + "0" * 26])
def test_an_upload_id_that_is_not_ours_is_not_found(
    local_store: LocalStore, upload_id: str
) -> None:
    """And never a path."""
    with pytest.raises(MultipartNotFound):
        local_store.list_parts(KEY, upload_id)


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.hidden", "a/b/", "a b", "a\0b"]
)
def test_a_key_never_leaves_the_store(local_store: LocalStore, key: str) -> None:
    """Such an object cannot be there."""
    with pytest.raises(ObjectMissing):
        local_store.stat(key)


def test_an_upload_that_cannot_fit_is_refused_before_its_first_byte(
    local_store: LocalStore,
) -> None:
    """The disk of the store is asked."""
    size_bytes = 2**55
    with pytest.raises(DiskFull, match="free some space"):
        local_store.create_multipart(KEY, size_bytes=size_bytes, part_size_bytes=2**43)


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, DiskFull), (errno.EIO, StoreUnavailable)]
)
def test_what_the_disk_says_becomes_an_error_of_the_store(
    tmp_path: Path, number: int, expected: type[Exception]
) -> None:
    """A full disk and a broken one are told apart."""
    with pytest.raises(expected), store_errors(tmp_path):
        raise OSError(number, os.strerror(number))


def test_a_file_is_kept_without_a_copy(local_store: LocalStore, tmp_path: Path) -> None:
    """Scratch and store on one disk share the bytes; removing the scratch file changes nothing."""
    made = tmp_path / "made.mp4"
    made.write_bytes(b"rendition")
    local_store.put_file(made, "assets/made.mp4")
    assert local_store.path("assets/made.mp4").stat().st_ino == made.stat().st_ino
    made.unlink()
    assert local_store.read_bytes("assets/made.mp4", 100) == b"rendition"


def test_a_file_on_another_disk_is_copied(local_store: LocalStore) -> None:
    """/dev/shm is a disk of its own."""
    made = Path("/dev/shm") / f"kapok-{secrets.token_hex(4)}"
    made.write_bytes(b"rendition")
    try:
        local_store.put_file(made, "assets/made.mp4")
    finally:
        made.unlink()
    assert local_store.read_bytes("assets/made.mp4", 100) == b"rendition"
    assert list((local_store.path("assets/x").parents[2] / "incoming").iterdir()) == []


def test_what_a_killed_copy_left_is_removed_after_its_time(local_store: LocalStore) -> None:
    """A copy that still grows, however long it has taken, is somebody's."""
    local_store.prepare()
    incoming = local_store.path("assets/x").parents[2] / "incoming"
    for name, silent_s in [("put_dead", 90_000), ("put_alive", 80_000)]:
        (incoming / name).write_bytes(b"half of it")
        moment = time.time() - silent_s
        os.utime(incoming / name, (moment, moment))
    assert local_store.remove_leftovers(86_400) == ["put_dead"]
    assert [path.name for path in incoming.iterdir()] == ["put_alive"]
    assert local_store.remove_leftovers(86_400) == []


def test_a_folder_that_goes_while_it_is_listed_holds_nothing(local_store: LocalStore) -> None:
    """Workers remove their work while the sweeper looks through everybody's."""
    local_store.put_bytes(b"stays", "work/job_1/stp_1/1/stays")
    ended = threading.Event()

    def churn(name: str) -> None:
        while not ended.is_set():
            for number in range(50):
                local_store.path(f"work/{name}/{number}/1").mkdir(parents=True)
            shutil.rmtree(local_store.path(f"work/{name}"))

    with ThreadPoolExecutor(2) as pool:
        threads = [pool.submit(churn, name) for name in ("job_0", "job_2")]
        try:
            end = time.monotonic() + 1.5
            while time.monotonic() < end:
                assert "work/job_1/stp_1/1/stays" in local_store.list_prefix("work/")
        finally:
            ended.set()
        for thread in threads:
            thread.result()


def test_a_fetched_object_is_the_stored_file(local_store: LocalStore, tmp_path: Path) -> None:
    """No copy of a master is made to read it."""
    local_store.put_bytes(b"x", "assets/a")
    with local_store.fetch("assets/a", tmp_path) as path:
        assert path == local_store.path("assets/a")


def opened(url: str) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    return unquote(parts.path), dict(parse_qsl(parts.query, strict_parsing=True))


def test_a_signed_part_url_opens_that_put_alone(local_store: LocalStore) -> None:
    """Not another method, not another part."""
    url = local_store.sign_part(KEY, "mpu_1", 2, 60)
    assert url.startswith("http://kapok.test/store/parts/mpu_1/2?")
    path, query = opened(url)
    verify(SIGNING_KEY, "PUT", path, query)
    for method, other in (("GET", path), ("PUT", "/store/parts/mpu_1/3")):
        with pytest.raises(SignatureInvalid):
            verify(SIGNING_KEY, method, other, query)


def test_a_signed_object_url_opens_get_and_head_with_its_file_name(
    local_store: LocalStore,
) -> None:
    """The name is part of what is signed."""
    path, query = opened(local_store.sign_get(KEY, 60, "岭南 春早.mxf"))
    assert (path, query["file_name"]) == (f"/store/objects/{KEY}", "岭南 春早.mxf")
    verify(SIGNING_KEY, "GET", path, query)
    verify(SIGNING_KEY, "HEAD", path, query)
    with pytest.raises(SignatureInvalid):
        verify(SIGNING_KEY, "GET", path, {**query, "file_name": "virus.exe"})


def test_a_signed_url_ends(local_store: LocalStore) -> None:
    """Its expiry is signed too."""
    path, query = opened(local_store.sign_get(KEY, 60))
    end = float(query["expires"])
    verify(SIGNING_KEY, "GET", path, query, now=end - 1)
    with pytest.raises(UrlExpired):
        verify(SIGNING_KEY, "GET", path, query, now=end)
    with pytest.raises(SignatureInvalid):
        verify(SIGNING_KEY, "GET", path, {**query, "expires": str(int(end) + 60)}, now=end)


@pytest.mark.parametrize("query", [{}, {"signature": "é"}, {"expires": "x", "signature": ""}])
def test_an_unsigned_request_is_refused(query: dict[str, str]) -> None:
    """Whatever is in it."""
    with pytest.raises(SignatureInvalid):
        verify(SIGNING_KEY, "GET", "/store/objects/a", query)


def test_an_upload_that_many_complete_at_once_is_completed_once(local_store: LocalStore) -> None:
    """Each of six learns the size, whoever came first; nobody is told that the store is away."""
    for number in range(25):
        key = f"assets/ast_{number}/source/source.mxf"
        upload_id, parts = send_all(local_store, key, b"essence")
        complete = partial(local_store.complete_multipart, key, upload_id, parts)
        assert at_once([complete] * 6) == [7] * 6
        assert local_store.read_bytes(key, 10) == b"essence"


def test_an_upload_that_is_aborted_while_it_is_completed_is_one_of_both(
    local_store: LocalStore,
) -> None:
    """The object is there whole, or the upload is not there any more."""
    for number in range(25):
        key = f"assets/ast_{number}/source/source.mxf"
        upload_id, parts = send_all(local_store, key, b"essence")

        def complete(key: str = key, upload_id: str = upload_id, parts: Any = parts) -> bool:
            try:
                return local_store.complete_multipart(key, upload_id, parts) == 7
            except MultipartNotFound:
                return False

        def abort(key: str = key, upload_id: str = upload_id) -> bool:
            local_store.abort_multipart(key, upload_id)
            return True

        completed, _ = at_once([complete, abort])
        assert local_store.path(key).is_file() == completed


def test_a_disk_without_hard_links_is_refused_at_the_start(
    local_store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As exFAT says it; each finished encode would fail there, and be made again for ever."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    local_store.prepare()
    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(InvalidSettings, match="no hard links"):
        local_store.prepare()
    with pytest.raises(InvalidSettings, match="no hard links"):
        data_signing_key(load_settings(tmp_path, {}))
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == []
