"""What the next demo may take away of the folder that one filled."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kapok.demo_folder import prepare_folder, remember
from kapok.errors import DataInUse, Usage
from kapok.up import locked
from storage.catalogue import keys, uploads
from storage.clock import now
from storage.database import Database
from storage.ids import new_id


def test_a_demo_empties_only_folders_that_a_demo_filled(tmp_path: Path) -> None:
    prepare_folder(tmp_path)
    (tmp_path / "renditions").mkdir()
    (tmp_path / "renditions" / "old.mp4").touch()
    (tmp_path / "mine.txt").touch()

    prepare_folder(tmp_path)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".kapok-demo", "mine.txt"]


def test_somebody_elses_folder_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "renditions").mkdir()

    with pytest.raises(Usage, match="empty folder"):
        prepare_folder(tmp_path)

    assert (tmp_path / "renditions").exists()


def test_a_demo_takes_away_what_demos_sent(tmp_path: Path) -> None:
    """One that was killed before its file arrived is one too."""
    clip, keep = a_file(tmp_path / "clip.mov"), tmp_path / "keep"
    prepare_folder(keep)
    remember(keep, clip)
    arrive(keep, clip)

    prepare_folder(keep)

    assert [path.name for path in keep.iterdir()] == [".kapok-demo"]


@pytest.mark.parametrize("name", ["master.mov", "clip.mov"])
def test_a_master_that_somebody_sent_there_is_never_taken_away(tmp_path: Path, name: str) -> None:
    """The last screen of a demo says how to open its service; a second one of that name counts."""
    clip, keep = a_file(tmp_path / "clip.mov"), tmp_path / "keep"
    prepare_folder(keep)
    remember(keep, clip)
    arrive(keep, clip)
    arrive(keep, a_file(tmp_path / name))

    with pytest.raises(Usage, match=rf"was sent '{name}' by somebody"):
        prepare_folder(keep)

    assert (keep / "kapok-data" / "kapok.db").exists()


@pytest.mark.parametrize("catalogue", [None, b"no catalogue at all, and longer than its header"])
def test_objects_without_a_catalogue_are_never_taken_away(
    tmp_path: Path, catalogue: bytes | None
) -> None:
    """It may be a server's, as `KAPOK_DATABASE_URL` says, or broken."""
    prepare_folder(tmp_path)
    master = tmp_path / "kapok-data" / "objects" / "objects" / "assets" / "a" / "source"
    master.parent.mkdir(parents=True)
    a_file(master)
    if catalogue is not None:
        (tmp_path / "kapok-data" / "kapok.db").write_bytes(catalogue)

    with pytest.raises(Usage, match="perhaps the only copy"):
        prepare_folder(tmp_path)

    assert master.exists()


def test_the_folder_of_a_running_service_is_never_taken_away(tmp_path: Path) -> None:
    prepare_folder(tmp_path)

    with locked(tmp_path / "kapok-data"), pytest.raises(DataInUse, match="another Kapok runs"):
        prepare_folder(tmp_path)

    assert (tmp_path / "kapok-data").exists()


def a_file(path: Path) -> Path:
    path.write_bytes(b"essence")
    return path


def arrive(keep: Path, file: Path) -> None:
    """The file is sent to the service in the folder, whole."""
    data = keep / "kapok-data"
    data.mkdir(exist_ok=True)
    database = Database(f"sqlite:///{data / 'kapok.db'}")
    database.migrate()
    with database.begin() as session:
        upload = uploads.create_upload(
            session,
            organisation_id=keys.create_organisation(session, new_id("name")).id,
            title=file.stem,
            file_name=file.name,
            size_bytes=file.stat().st_size,
            part_size_bytes=1 << 26,
            key="assets/x/source/source",
            declared={},
            request={},
            expires_at=now(session) + timedelta(hours=1),
            actor="key_test",
        )
        uploads.complete_upload(session, upload, "key_test")
    database.close()
