"""Profiles are proven by a real tiny encode, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.profiles.profile import Profile, load_profiles
from pipelines.progress import finish
from workers.capability import is_remembered, prove_once

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
