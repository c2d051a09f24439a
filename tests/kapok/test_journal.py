"""What is remembered of an upload across a kill."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from kapok.journal import Journal, fingerprint, open_journal


def test_an_upload_is_found_again_until_it_is_forgotten(tmp_path: Path) -> None:
    with open_journal("a", folder=tmp_path) as journal:
        journal.remember("upl_1")
    with open_journal("a", folder=tmp_path) as journal:
        assert journal.upload_id() == "upl_1"
        journal.forget()
    with open_journal("a", folder=tmp_path) as journal:
        assert journal.upload_id() is None


def test_a_second_process_does_not_join_the_same_upload(tmp_path: Path) -> None:
    """Two uploads of one file at a time stay two: the second one finds nothing to resume."""
    with open_journal("a", folder=tmp_path) as journal:
        journal.remember("upl_1")
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            assert pool.apply(_peek, (tmp_path,)) is None


def _peek(folder: Path) -> str | None:
    with open_journal("a", folder=folder) as journal:
        return journal.upload_id()


def test_without_a_writable_home_nothing_is_remembered(tmp_path: Path) -> None:
    """An upload must work on a read-only system; it just cannot be resumed."""
    (tmp_path / "file").touch()

    with open_journal("a", folder=tmp_path / "file" / "state") as journal:
        journal.remember("upl_1")
        assert journal.upload_id() is None


def test_a_user_without_a_home_can_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)

    with open_journal("a") as journal:
        journal.remember("upl_1")
        assert journal.upload_id() is None


def test_a_damaged_journal_is_no_journal(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")

    assert Journal(tmp_path / "a.json").upload_id() is None


def test_the_fingerprint_tells_intents_apart() -> None:
    assert fingerprint("http://a", "/x", 1) == fingerprint("http://a", "/x", 1)
    assert fingerprint("http://a", "/x", 1) != fingerprint("http://b", "/x", 1)
