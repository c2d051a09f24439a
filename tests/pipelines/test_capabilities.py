"""A profile is available when a tiny encode of it was made, read back and agreed with its plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.capabilities import prove, prove_all
from pipelines.profile import load_profiles
from pipelines.tools import versions

pytestmark = pytest.mark.media


def test_this_machine_can_do_every_profile_that_ships(tmp_path: Path) -> None:
    """With the pinned ffmpeg, so that a refusal here is a regression."""
    found = prove_all(tmp_path)
    assert {one.profile for one in found} == set(load_profiles())
    assert {one.profile: one.reason for one in found if not one.available} == {}
    assert all(one.tools == versions() for one in found)


def test_an_encoder_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    """Never an error of the caller: the planner refuses the profile with this text."""
    profile = load_profiles()["mobile-540p"]
    assert profile.video is not None
    absent = replace(profile, video=replace(profile.video, encoder="libnothing"))
    found = prove(absent, tmp_path)
    assert not found.available
    assert "libnothing" in (found.reason or "")


def test_a_profile_that_promises_what_the_encoder_does_not_do_is_unavailable(
    tmp_path: Path,
) -> None:
    """Nothing is emitted under a name that it does not meet: here 8 bits for a 10-bit promise."""
    profile = load_profiles()["cn4k-hevc-hlg"]
    assert profile.video is not None
    wrong = replace(profile, video=replace(profile.video, codec_profile="main"))
    found = prove(wrong, tmp_path)
    assert not found.available
    assert found.reason
