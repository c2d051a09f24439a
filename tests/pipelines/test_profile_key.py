"""A profile's key changes with everything that an encode could show, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from pipelines.profiles.profile import LoudnessTarget, Profile, load_profiles, profile
from pipelines.profiles.profile_key import profile_key
from pipelines.records import from_json, to_json

STREAM = profile("cn4k-hevc-hlg-ts")
LOUD = LoudnessTarget(target_lkfs=-23.0, tolerance_lu=0.5, max_true_peak_dbtp=-2.0)


def with_sound(**changes: Any) -> Profile:
    return replace(STREAM, audio=(replace(STREAM.audio[0], **changes), *STREAM.audio[1:]))


def with_picture(**changes: Any) -> Profile:
    assert STREAM.video is not None
    return replace(STREAM, video=replace(STREAM.video, **changes))


@pytest.mark.parametrize(
    "changed",
    [
        replace(STREAM, version=STREAM.version + 1),
        replace(STREAM, mux_rate_bps=41_000_000),
        replace(STREAM, service_name="Another"),
        with_sound(loudness=LOUD),
        with_sound(tracks=(2, 3)),
        with_sound(bit_depth=24),
        with_picture(dynamic_metadata="hdr_vivid"),
        with_picture(crf=17.5),
    ],
)
def test_a_change_that_an_encode_could_show_needs_a_new_proof(changed: Profile) -> None:
    assert profile_key(changed) != profile_key(STREAM)


def test_other_words_for_the_same_need_none() -> None:
    """Titles and sources are for people."""
    assert profile_key(replace(STREAM, title_en="Other", basis=())) == profile_key(STREAM)


@pytest.mark.parametrize("name", load_profiles())
def test_a_definition_that_was_kept_has_the_same_key(name: str) -> None:
    """The catalogue keeps it as JSON; a worker proves what it reads there."""
    kept = json.loads(json.dumps(to_json(profile(name))))
    assert profile_key(from_json(Profile, kept)) == profile_key(profile(name))
