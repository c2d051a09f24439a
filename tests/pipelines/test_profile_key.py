"""A profile's key changes with everything that an encode could show, and with nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest

from pipelines.profiles.profile import (
    AudioProfile,
    LoudnessTarget,
    Profile,
    VideoProfile,
    load_profiles,
    profile,
)
from pipelines.profiles.profile_key import profile_key
from pipelines.records import from_json, to_json

STREAM = profile("cn4k-hevc-hlg-ts")
LOUD = LoudnessTarget(target_lkfs=-23.0, tolerance_lu=0.5, max_true_peak_dbtp=-2.0)

KEPT = """
{"name": "own-every-field", "version": 3, "title_en": "t", "title_zh": "t", "container": "ts",
 "basis": [{"what": "w", "source": "s", "certainty": "P"}],
 "video": {"codec": "hevc", "encoder": "libx265", "fit": "inside", "width": null, "height": null,
  "max_frame_rate": "30000/1001", "min_frame_rate": null, "pix_fmt": null, "dynamic_range": null,
  "preset": null, "crf": null, "max_bitrate_bps": null, "buffer_bits": null, "gop_s": "1/1",
  "lookahead_frames": null, "level": null, "codec_profile": null, "burnt_in_timecode": false,
  "fields": "pairs", "from_sdr": "refuse", "dynamic_metadata": null, "upconvert": false,
  "target": {"metric": "vmaf", "value": 93.5, "model": "vmaf_v1", "floor_p5": null},
  "crop": {"top": 0, "bottom": 0, "left": 8, "right": 0}},
 "audio": [{"codec": "aac", "channels": null, "sample_rate_hz": null, "bitrate_bps": null,
  "bit_depth": null, "tracks": null,
  "loudness": {"target_lkfs": -23.0, "tolerance_lu": 0.5, "max_true_peak_dbtp": -2.0}}],
 "packaged": false, "mux_rate_bps": null, "service_name": null}
"""


@dataclass(frozen=True, slots=True)
class LaterVideo(VideoProfile):
    added: bool = False


@dataclass(frozen=True, slots=True)
class LaterAudio(AudioProfile):
    added: int | None = None


@dataclass(frozen=True, slots=True)
class Later(Profile):
    """What a later version of Kapok may read a kept definition as."""

    video: LaterVideo | None
    audio: tuple[LaterAudio, ...]
    added: str | None = None


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


@pytest.mark.parametrize("name", load_profiles())
def test_a_later_version_with_more_fields_knows_it_by_the_same_key(name: str) -> None:
    """Else no worker could take a step that was planned before the upgrade."""
    later = from_json(Later, to_json(profile(name)))
    assert profile_key(later) == profile_key(profile(name))
    assert profile_key(replace(later, added="given")) != profile_key(profile(name))


def test_a_definition_has_one_key_for_ever() -> None:
    """Every field is given, most of them their defaults: one that changes, or goes, is seen here.

    It would leave planned jobs without a worker, or give two meanings to one key. A new field goes
    into the definition with its default.
    """
    kept = from_json(Profile, json.loads(KEPT))
    assert to_json(kept) == json.loads(KEPT)
    assert profile_key(kept) == "own-every-field@3-96bdc31591288a9a"
