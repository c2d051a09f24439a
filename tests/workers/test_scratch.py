"""Scratch folders and the check before work begins."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import DiskFull
from workers.scratch import Scratch, made, need_bytes, remove_leftovers

HOLD = """
import sys, time, pathlib
from workers.scratch import Scratch
scratch = Scratch(pathlib.Path(sys.argv[1]))
print(scratch.folder, flush=True)
time.sleep(60)
"""


def test_a_dead_process_leaves_nothing_and_a_living_one_loses_nothing(tmp_path: Path) -> None:
    """A kill -9 gives no chance to clean up: the next worker on the machine does it."""
    argv = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        folder = Path(other.stdout.readline().strip())
        (folder / "step-1").mkdir()
        assert remove_leftovers(tmp_path) == []
        other.kill()
    assert remove_leftovers(tmp_path) == [folder]
    assert not folder.exists()


def test_a_step_folder_goes_when_the_step_fails(tmp_path: Path) -> None:
    """A failed step's gigabytes must not wait for somebody to notice."""
    scratch = Scratch(tmp_path)
    folder = scratch.step_folder("stp_1", 2)
    with pytest.raises(IsADirectoryError), made(folder):
        folder.write_bytes(b"a folder is no file")
    assert not folder.exists()
    scratch.close()
    assert list(tmp_path.iterdir()) == []


def test_too_little_space_is_said_before_the_work(tmp_path: Path) -> None:
    """The text names both sizes, the folder, and the setting that moves it."""
    with pytest.raises(DiskFull, match=rf"are free in {tmp_path}.*KAPOK_SCRATCH"):
        need_bytes(tmp_path, 1 << 60)
