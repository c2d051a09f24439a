"""Keys that are never half made, and a proof of events that makes nothing."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from faulty_proxy import LOST
from real_service import Service
from shell import kapok


def test_a_secret_whose_answer_was_lost_is_never_written(service: Service, tmp_path: Path) -> None:
    """The replayed answer has no secret: that key is revoked, and no file says "None"."""
    service.fail("POST /v1/api-keys", LOST)
    place = tmp_path / "foshan.key"

    done = kapok(
        "key", "create", "foshan", "--role", "centre", "-o", str(place), **service.environment
    )

    assert done.returncode == 1
    assert done.stderr.startswith("error: secret_lost\n")
    assert "run it again" in done.stderr
    assert list(tmp_path.glob("*foshan*")) == []
    assert [key.revoked_at is None for key in service.api_keys() if key.name == "foshan"] == [False]


def test_no_key_is_made_where_its_secret_cannot_be_written(service: Service) -> None:
    done = kapok(
        "key", "create", "x", "--role", "centre", "-o", "/proc/nope/x.key", **service.environment
    )

    assert done.returncode == 1
    assert "/proc/nope" in done.stderr
    assert [key.name for key in service.api_keys()] == ["test"]


@pytest.mark.parametrize("words", [["-o", "{folder}"], []])
def test_a_key_whose_secret_could_not_be_written_is_revoked(
    service: Service, tmp_path: Path, words: list[str]
) -> None:
    """A folder in the place of the file, or a full disk behind stdout: nobody has the secret."""
    place = [word.format(folder=tmp_path) for word in words]

    done = kapok(
        "key", "create", "x", "--role", "centre", *place,
        to="" if words else "/dev/full", **service.environment,
    )  # fmt: skip

    assert done.returncode == 1
    assert "secret_lost" in done.stderr
    assert [key.revoked_at is None for key in service.api_keys() if key.name == "x"] == [False]


def test_a_secret_in_a_file_is_its_owners_alone(service: Service, tmp_path: Path) -> None:
    """The answer tells where it lies, and not what it is."""
    place = tmp_path / "new" / "a.key"

    done = kapok("key", "create", "a", "--role", "centre", "-o", str(place), **service.environment)

    assert done.returncode == 0, done.stderr
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert [path.name for path in place.parent.iterdir()] == ["a.key"]
    assert place.read_text().strip() not in done.stdout + done.stderr


def test_a_secret_takes_no_other_files_place(service: Service, tmp_path: Path) -> None:
    """What stands there may be the only copy of another key."""
    place = tmp_path / "old.key"
    place.write_text("another key\n")

    done = kapok("key", "create", "a", "--role", "centre", "-o", str(place), **service.environment)

    assert done.returncode == 2
    assert "old.key is there already" in done.stderr
    assert place.read_text() == "another key\n"
    assert [key.name for key in service.api_keys()] == ["test"]


def test_a_proof_of_events_without_a_catalogue_makes_none(tmp_path: Path) -> None:
    """An empty catalogue would be intact: it is said to be missing, with exit status 4."""
    done = kapok("events", "verify", folder=tmp_path)

    assert done.returncode == 4
    assert f"no catalogue at {tmp_path / 'kapok-data' / 'kapok.db'}" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == []
