"""Profiles are proven by a real tiny encode, once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.profile import Profile, load_profiles
from pipelines.progress import finish
from workers.capability import unavailable

pytestmark = pytest.mark.media


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_proof_is_remembered(tmp_path: Path) -> None:
    """The second time nothing is encoded: its scratch folder stays empty."""
    profile, remembered = load_profiles()["mobile-540p"], tmp_path / "remembered"
    first, second = _folder(tmp_path / "first"), _folder(tmp_path / "second")
    assert finish(unavailable([profile], first, remembered)) == {}
    assert finish(unavailable([profile], second, remembered)) == {}
    assert [path.name for path in first.iterdir()] == ["prove-mobile-540p"]
    assert list(second.iterdir()) == []


def test_a_profile_that_cannot_be_met_has_a_reason_and_is_tried_again(tmp_path: Path) -> None:
    """A missing library may be there tomorrow."""
    known, remembered = load_profiles()["mobile-540p"], tmp_path / "remembered"
    assert known.video is not None
    impossible: Profile = replace(known, video=replace(known.video, encoder="libnothing"))
    for name in ("first", "second"):
        scratch = _folder(tmp_path / name)
        reasons = finish(unavailable([impossible], scratch, remembered))
        assert "libnothing" in reasons["mobile-540p"]
        assert [path.name for path in scratch.iterdir()] == ["prove-mobile-540p"]
