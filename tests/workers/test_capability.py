"""Profiles are proven by a real tiny encode, once."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.profiles.profile import Profile, load_profiles
from pipelines.progress import finish
from workers.capability import is_remembered, prove_once

ROOT = Path(__file__).parent.parent.parent
ASKING = """
import pathlib, sys
from pipelines.profiles.profile import load_profiles
from workers import capability
known = load_profiles()["mobile-540p"]
print(capability.__file__, capability.is_remembered(known, pathlib.Path(sys.argv[1])))
"""
pytestmark = pytest.mark.media


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_proof_is_remembered(tmp_path: Path) -> None:
    """The second time nothing is encoded: its folder stays empty."""
    profile, remembered = load_profiles()["mobile-540p"], tmp_path / "remembered"
    first, second = _folder(tmp_path / "first"), _folder(tmp_path / "second")
    assert not is_remembered(profile, remembered)
    assert finish(prove_once(profile, first, remembered)).available
    assert is_remembered(profile, remembered)
    assert finish(prove_once(profile, second, remembered)).available
    assert list(first.iterdir()) != []
    assert list(second.iterdir()) == []


def test_containers_that_share_a_cache_prove_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has a name of its own, and the processor of them all."""
    profile, remembered = load_profiles()["mobile-540p"], tmp_path / "remembered"
    assert finish(prove_once(profile, _folder(tmp_path / "proof"), remembered)).available
    monkeypatch.setattr(platform, "node", lambda: "3f2a91c07b5e")
    assert is_remembered(profile, remembered)


def test_other_code_proves_anew(tmp_path: Path) -> None:
    """Of the same release: an encoder's options or a check may have changed."""
    profile, remembered = load_profiles()["mobile-540p"], tmp_path / "remembered"
    assert finish(prove_once(profile, _folder(tmp_path / "proof"), remembered)).available
    for package in ("pipelines", "storage", "workers"):
        shutil.copytree(ROOT / package, tmp_path / "code" / package)
    assert _remembered_by(tmp_path / "code", remembered)
    with (tmp_path / "code/pipelines/verification/verify.py").open("a") as file:
        file.write("# no more than this\n")
    assert not _remembered_by(tmp_path / "code", remembered)


def _remembered_by(code: Path, remembered: Path) -> bool:
    """Whether Kapok as it is in the folder `code` takes `mobile-540p` for proven."""
    env = {**os.environ, "PYTHONPATH": str(code)}
    argv = [sys.executable, "-c", ASKING, str(remembered)]
    done = subprocess.run(argv, cwd=code, env=env, capture_output=True, text=True, check=True)
    place, answer = done.stdout.split()
    assert Path(place).is_relative_to(code)
    return answer == "True"


def test_a_profile_that_cannot_be_met_has_a_reason_and_is_tried_again(tmp_path: Path) -> None:
    """A missing library may be there tomorrow."""
    known, remembered = load_profiles()["cn4k-hevc-hlg"], tmp_path / "remembered"
    assert known.video is not None
    wrong: Profile = replace(known, video=replace(known.video, codec_profile="main"))  # of 8 bits
    for name in ("first", "second"):
        folder = _folder(tmp_path / name)
        capability = finish(prove_once(wrong, folder, remembered))
        assert (capability.available, bool(capability.reason)) == (False, True)
        assert list(folder.iterdir()) != []
    assert not is_remembered(wrong, remembered)
