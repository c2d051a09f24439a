"""The download of one file: resumed, proven, and only then given its name."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest
from faulty_proxy import HALF
from real_service import Service

from kapok.download import SignedFile, download
from kapok.errors import ApiError, FileInUse, Usage
from kapok.transfer import Transfer, follow
from kapok.transport import Transport
from pipelines.errors import HashMismatch

DATA = random.Random(2).randbytes(3 * (1 << 20) + 77)
SHA256 = hashlib.sha256(DATA).hexdigest()


class Signer:
    """Gives a new URL each time, as a service does, and counts."""

    def __init__(self, service: Service, sha256: str = SHA256) -> None:
        self.file = SignedFile(service.store(DATA), sha256, len(DATA))
        self.calls = 0

    def __call__(self) -> SignedFile:
        self.calls += 1
        return self.file


def fetch(transport: Transport, signer: Signer, target: Path) -> Path:
    return follow(download(transport.http, transport.url, signer, target), None)


def test_a_file_arrives_whole_under_its_name_alone(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    target = tmp_path / "new" / "file.mp4"

    assert fetch(transport, Signer(service), target) == target

    assert target.read_bytes() == DATA
    assert [path.name for path in target.parent.iterdir()] == ["file.mp4"]


def test_a_broken_download_goes_on_where_it_ended(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """What an earlier run left is hashed, and only the rest is asked for."""
    (tmp_path / ".file.mp4.partial").write_bytes(DATA[:1_000_000])
    seen: list[Transfer] = []
    target = tmp_path / "file.mp4"

    follow(download(transport.http, transport.url, Signer(service), target), seen.append)

    assert target.read_bytes() == DATA
    assert {progress.resumed_bytes for progress in seen} == {1_000_000}


def test_another_file_is_only_replaced_when_asked(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Two assets' renditions of one profile have one name."""
    target = tmp_path / "mobile-540p.mp4"
    target.write_text("of another asset")
    signer = Signer(service)

    with pytest.raises(Usage, match=r"mobile-540p\.mp4 is there already"):
        follow(download(transport.http, transport.url, signer, target, overwrite=False), None)
    assert target.read_text() == "of another asset"

    follow(download(transport.http, transport.url, signer, target, overwrite=True), None)
    assert target.read_bytes() == DATA
    follow(download(transport.http, transport.url, signer, target, overwrite=False), None)


def test_two_that_fetch_the_same_file_never_mix_their_bytes(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """The second one is told so, and the first one's file is whole."""
    target = tmp_path / "file.mp4"
    first = download(transport.http, transport.url, Signer(service), target)
    next(first)

    with pytest.raises(FileInUse, match=r"another process is fetching file\.mp4"):
        fetch(transport, Signer(service), target)

    assert follow(first, None) == target
    assert target.read_bytes() == DATA
    assert [path.name for path in tmp_path.iterdir()] == ["file.mp4"]


def test_leftovers_of_another_file_are_thrown_away(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """A partial file whose start is wrong costs one more download, never a wrong result."""
    (tmp_path / ".file.mp4.partial").write_bytes(b"x" * 1000)

    fetch(transport, Signer(service), tmp_path / "file.mp4")

    assert (tmp_path / "file.mp4").read_bytes() == DATA
    assert service.count("GET /store/objects") == 2


def test_leftovers_that_are_too_long_are_emptied(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    (tmp_path / ".file.mp4.partial").write_bytes(DATA + b"more")

    fetch(transport, Signer(service), tmp_path / "file.mp4")

    assert (tmp_path / "file.mp4").read_bytes() == DATA


def test_a_file_that_is_there_already_is_proven_and_left(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    (tmp_path / "file.mp4").write_bytes(DATA)

    fetch(transport, Signer(service), tmp_path / "file.mp4")

    assert service.count("GET /store/objects") == 0


def test_a_wrong_hash_never_gets_the_name(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    """Tried twice from the start, then an error; the folder stays clean."""
    with pytest.raises(HashMismatch, match=r"file\.mp4"):
        fetch(transport, Signer(service, sha256="0" * 64), tmp_path / "file.mp4")

    assert not list(tmp_path.glob("*file*"))
    assert service.count("GET /store/objects") == 2


def test_an_expired_url_is_signed_again(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.fail("GET /store/objects", 403, 503)
    signer = Signer(service)

    fetch(transport, signer, tmp_path / "file.mp4")

    assert signer.calls == 3


def test_a_link_that_breaks_again_and_again_is_gone_on_with_while_bytes_come(
    service: Service, transport: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patience is with a link that brings nothing: a file of hours outlives many breaks."""
    monkeypatch.setattr("kapok.download.LONG_PATIENCE_S", 0.0)
    service.fail("GET /store/objects", HALF, HALF)

    fetch(transport, Signer(service), tmp_path / "file.mp4")

    assert (tmp_path / "file.mp4").read_bytes() == DATA
    service.fail("GET /store/objects", 503)
    with pytest.raises(ApiError, match="as asked"):
        fetch(transport, Signer(service), tmp_path / "other.mp4")


def test_an_object_that_is_gone_ends_the_download(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    service.fail("GET /store/objects", *[404] * 9)

    with pytest.raises(ApiError) as caught:
        fetch(transport, Signer(service), tmp_path / "file.mp4")

    assert caught.value.status == 404
    assert service.count("GET /store/objects") == 3
