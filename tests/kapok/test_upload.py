"""The upload of one file, to the real service through a proxy with faults."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from faulty_proxy import CUT, LOST
from real_service import PART_BYTES, Service

from kapok.checksums import declared_checksums
from kapok.errors import ApiError, FileChanged, FileMissing, Usage
from kapok.subtitle_files import sent_subtitles
from kapok.transfer import Transfer, follow
from kapok.transport import Transport
from kapok.upload import Uploaded, UploadRequest, upload
from pipelines.errors import EmptyFile, HashMismatch

SIZE = 5 * PART_BYTES + 12_345


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "节目 1.mov"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


def send(transport: Transport, path: Path, **more: object) -> Uploaded:
    return follow(upload(transport, UploadRequest(path, "节目", **more)), None)  # type: ignore[arg-type]


def test_what_arrives_is_the_file_and_its_hash_comes_from_the_same_run(
    service: Service, transport: Transport, file: Path
) -> None:
    """The stored parts joined are the file; `complete` tells the SHA-256 that was computed."""
    sent = send(transport, file)

    assert service.content(sent.upload_id) == file.read_bytes()
    assert sent.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    row = service.upload(sent.upload_id)
    assert row.declared["sha256"] == sent.sha256
    assert (sent.asset_id, sent.job_id) == (row.asset_id, row.job_id)
    assert service.proxy.keys_at_store == 0


def test_subtitle_files_go_along(
    service: Service, transport: Transport, file: Path, tmp_path: Path
) -> None:
    """Named by language and file; each is read by the service before anything is sent."""
    words = tmp_path / "film.srt"
    words.write_text("1\n00:00:01,000 --> 00:00:02,000\n木棉\n", "gbk")
    sent = send(transport, file, subtitles=sent_subtitles([f"zh:{words}"]))
    (kept,) = service.upload(sent.upload_id).request["subtitles"]
    assert (kept["language"], kept["file_name"], kept["codec"]) == ("zh", "film.srt", "subrip")
    words.write_text("no subtitles")
    with pytest.raises(ApiError, match="convert it first") as refused:
        send(transport, file, subtitles=sent_subtitles([f"zh:{words}"]))
    assert refused.value.code == "unsupported_media"


@pytest.mark.parametrize("word", ["film.srt", "Chinese:film.srt", "zh:"])
def test_a_subtitle_file_needs_its_language(word: str) -> None:
    """As a tag that files and manifests can say."""
    with pytest.raises(Usage, match="as zh:film"):
        sent_subtitles([word])


def test_what_is_too_large_for_subtitles_is_said_before_it_is_sent(
    file: Path, tmp_path: Path
) -> None:
    """A programme given for its subtitles was a `body_too_large` with an answer for others."""
    with pytest.raises(Usage, match=r"节目 1\.mov: subtitle files may have 720.0 KiB together"):
        sent_subtitles([f"zh:{file}"])
    half = tmp_path / "half.srt"
    half.write_bytes(b"x" * (400 << 10))
    assert len(sent_subtitles([f"zh:{half}"])[0]["content"]) > 400 << 10
    with pytest.raises(Usage, match=r"half\.srt"):
        sent_subtitles([f"zh:{half}", f"en:{half}"])


def test_parts_go_in_parallel_but_never_more_than_asked(
    service: Service, transport: Transport, file: Path
) -> None:
    """Six parts, two threads: at no time are three of them under way."""
    follow(upload(transport, UploadRequest(file, "x"), parallel=2), None)

    assert 1 <= service.proxy.most_putting <= 2
    assert service.count("PUT") == 6


def test_a_broken_connection_and_a_500_are_tried_again_with_fresh_urls(
    service: Service, transport: Transport, file: Path
) -> None:
    """One part is cut in its middle, one gets a 503: both arrive, each with a new signature."""
    service.fail("PUT /store/parts", CUT, 503)

    sent = send(transport, file)

    assert service.content(sent.upload_id) == file.read_bytes()
    assert service.count("PUT") == 8
    assert service.count(f"POST /v1/uploads/{sent.upload_id}/parts") >= 2  # one signs many


def test_an_expired_url_is_replaced(service: Service, transport: Transport, file: Path) -> None:
    """A store says 403 to a signature whose time is over; the next one is good."""
    service.fail("PUT /store/parts", 403)

    sent = send(transport, file)

    assert service.content(sent.upload_id) == file.read_bytes()


def test_a_store_that_always_refuses_ends_the_upload(
    service: Service, transport: Transport, file: Path
) -> None:
    """Three fresh signatures refused in a row are no expiry: the store's own answer is raised."""
    service.fail("PUT /store/parts", *[403] * 99)

    with pytest.raises(ApiError, match="as asked") as caught:
        send(transport, file)

    assert caught.value.code == "fault_403"


def killed_on_the_way(service: Service, transport: Transport, file: Path) -> None:
    """An upload of which some parts have arrived."""
    killed = upload(transport, UploadRequest(file, "节目"), parallel=1)
    while not service.stored():
        next(killed)
    killed.close()
    while service.proxy.putting:  # a part that had left arrives all the same
        time.sleep(0.01)


def test_a_second_run_sends_only_what_the_store_lacks(
    service: Service, transport: Transport, file: Path
) -> None:
    """After a kill in the middle, the store's part list decides; the hash still covers all."""
    killed_on_the_way(service, transport, file)
    begun, stored = service.upload().id, service.stored()
    assert stored < 6
    puts = service.count("PUT")

    seen: list[Transfer] = []
    sent = follow(upload(transport, UploadRequest(file, "节目")), seen.append)

    assert sent.upload_id == begun
    assert service.content(begun) == file.read_bytes()
    assert service.count("PUT") - puts == 6 - stored
    assert seen[0].resumed_bytes == stored * service.part_size
    assert seen[-1].done_bytes == SIZE


def test_a_service_that_cannot_say_what_it_has_begins_no_second_upload(
    service: Service, transport: Transport, file: Path
) -> None:
    """To send terabytes again because of one refused question would be no resuming."""
    killed_on_the_way(service, transport, file)
    service.fail(f"GET /v1/uploads/{service.upload().id}", 403)

    with pytest.raises(ApiError, match="as asked"):
        send(transport, file)

    assert service.upload().state == "open"
    assert send(transport, file).upload_id == service.upload().id


def test_kill_9_of_the_client_loses_nothing_that_arrived(
    service: Service, file: Path, tmp_path: Path
) -> None:
    """The command is killed between parts; the same command again goes on and finishes."""
    service.proxy.put_s = 0.2
    words = [sys.executable, "-m", "kapok.cli", "upload", str(file), "--parallel", "1"]
    environment = {**os.environ, **service.environment}
    with subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL) as first:
        while service.stored() < 2:
            time.sleep(0.01)
        first.kill()
    stored = service.stored()

    again = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)

    assert again.returncode == 0, again.stderr
    assert service.content(service.upload().id) == file.read_bytes()
    assert 2 <= stored < 6
    assert service.count("PUT") <= 7  # the part that the kill cut may have come twice


def test_a_kill_after_complete_finds_the_job_again(
    service: Service, transport: Transport, file: Path
) -> None:
    """The answer of `complete` is lost twice; the job that it started is still the answer."""

    def lose(progress: Transfer) -> None:
        if progress.done_bytes == SIZE:
            service.fail(f"POST /v1/uploads/{service.upload().id}/complete", LOST, LOST)

    sent = follow(upload(transport, UploadRequest(file, "节目")), lose)

    assert sent.job_id == service.upload().job_id
    assert service.count(f"POST /v1/uploads/{sent.upload_id}/complete") == 3


def test_an_upload_that_is_complete_already_answers_with_its_job(
    service: Service, transport: Transport, file: Path
) -> None:
    """Another process of ours was quicker: the service refuses, and its job is the answer."""
    jobs = []

    def hurry(progress: Transfer) -> None:
        if progress.done_bytes == SIZE and service.stored() == 6:
            jobs.append(service.complete())

    sent = follow(upload(transport, UploadRequest(file, "节目")), hurry)

    assert [sent.job_id] == jobs


def test_another_title_is_another_upload(
    service: Service, transport: Transport, file: Path
) -> None:
    """What is resumed is an intent: the same file with other wishes begins anew."""
    broken = upload(transport, UploadRequest(file, "one"))
    next(broken)
    broken.close()

    sent = follow(upload(transport, UploadRequest(file, "two")), None)

    first, second = service.uploads()
    assert (first.state, sent.upload_id) == ("open", second.id)


def test_no_resume_gives_the_old_upload_back(
    service: Service, transport: Transport, file: Path
) -> None:
    """`--no-resume` aborts what was begun, so that no parts lie around until they expire."""
    broken = upload(transport, UploadRequest(file, "x"))
    next(broken)
    broken.close()

    sent = follow(upload(transport, UploadRequest(file, "x"), resume=False), None)

    first, second = service.uploads()
    assert (first.state, sent.upload_id) == ("aborted", second.id)


def test_a_file_that_is_not_what_its_owner_says_is_never_completed(
    service: Service, transport: Transport, file: Path
) -> None:
    """The museum's MD5 differs: the upload is aborted and the text names both values."""
    service.fail("DELETE", LOST)  # the second try finds the upload closed by the first one

    with pytest.raises(HashMismatch, match=r"0{32}"):
        send(transport, file, checksums={"md5": "0" * 32})

    assert service.upload().state == "aborted"
    assert service.count(f"POST /v1/uploads/{service.upload().id}/complete") == 0


@pytest.mark.parametrize("kind", ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"])
def test_the_owners_checksums_go_along(
    service: Service, transport: Transport, file: Path, kind: str
) -> None:
    """Whatever a manifest holds is declared to the service, which proves it once more."""
    value = hashlib.new(kind, file.read_bytes()).hexdigest()
    manifest = file.with_name(f"manifest-{kind}.txt")
    manifest.write_text(f"{value.upper()}  data/{file.name}\n")

    sent = send(transport, file, checksums=declared_checksums(file, manifest))

    assert service.upload(sent.upload_id).declared[kind] == value
    shown = transport.get(f"/v1/uploads/{sent.upload_id}")
    assert shown[kind] == value


def test_a_file_that_changes_while_it_is_sent_is_refused(
    service: Service, transport: Transport, file: Path
) -> None:
    """A recorder still writes: nothing is completed, and the text says to wait. Nothing stays in
    the store, as no later run goes on with it.
    """
    sending = upload(transport, UploadRequest(file, "x"))
    next(sending)
    with file.open("ab") as more:
        more.write(b"more")

    with pytest.raises(FileChanged, match="try again"):
        follow(sending, None)

    assert service.count(f"POST /v1/uploads/{service.upload().id}/complete") == 0
    assert service.upload().state == "aborted"


def test_a_store_that_stands_still_does_not_hold_who_leaves(
    service: Service, transport: Transport, file: Path
) -> None:
    """Ctrl-C waited for minutes, for an answer that did not come."""
    service.proxy.put_s = 15.0
    sending: Iterator[Transfer] = upload(transport, UploadRequest(file, "x"))
    while not service.proxy.putting:
        next(sending)
    began = time.monotonic()

    sending.close()  # type: ignore[attr-defined]

    assert time.monotonic() - began < 5


def test_what_keeps_a_part_back_is_said_while_it_is_tried_again(
    service: Service, transport: Transport, file: Path
) -> None:
    """A full disk of the server let the bar stand at nothing for minutes, without a word."""
    service.fail("PUT ", *[507] * 4)
    troubles = [one.trouble for one in upload_steps(transport, file)]

    assert "as asked" in troubles
    assert troubles[-1] == ""


def upload_steps(transport: Transport, file: Path) -> Iterator[Transfer]:
    yield from upload(transport, UploadRequest(file, "x"))


def test_an_empty_file_is_refused_before_anything_is_asked(
    service: Service, transport: Transport, tmp_path: Path
) -> None:
    (tmp_path / "empty.mov").touch()

    with pytest.raises(EmptyFile):
        send(transport, tmp_path / "empty.mov")

    assert service.requests == []


def test_a_missing_file_and_a_folder_say_so(transport: Transport, tmp_path: Path) -> None:
    for path in (tmp_path / "no.mov", tmp_path):
        with pytest.raises(FileMissing, match=path.name):
            send(transport, path)


def test_progress_never_counts_a_byte_twice(
    service: Service, transport: Transport, file: Path
) -> None:
    """A part that broke gives its bytes back before they are sent again."""
    service.fail("PUT /store/parts", CUT, 500)
    seen: list[Transfer] = []

    follow(upload(transport, UploadRequest(file, "x"), parallel=1), seen.append)

    assert max(progress.done_bytes for progress in seen) == SIZE
    assert {progress.total_bytes for progress in seen} == {SIZE}


def test_leaving_an_upload_ends_its_threads(
    service: Service, transport: Transport, file: Path
) -> None:
    """Ctrl-C closes the generator; no sender keeps the process alive."""
    import threading

    sending: Iterator[Transfer] = upload(transport, UploadRequest(file, "x"))
    next(sending)
    sending.close()  # type: ignore[attr-defined]

    assert not [t for t in threading.enumerate() if t.name.startswith("kapok-part")]
