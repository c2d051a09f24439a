"""Frozen values survive the way into JSON and back."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from pydantic import ValidationError

from pipelines.media import (
    AudioTrack,
    Colour,
    ContentLight,
    Inspection,
    MasteringDisplay,
    MediaInfo,
    Shot,
    SourceImage,
    Storyboard,
    VideoTrack,
)
from pipelines.records import from_json, to_json

CORNER = (Fraction(17, 25), Fraction(8, 25))
INFO = MediaInfo(
    format_name="mpegts",
    size_bytes=1 << 40,
    duration_s=Fraction(1001, 30),
    video=(
        VideoTrack(
            index=0,
            codec="hevc",
            codec_profile="Main 10",
            width=3840,
            height=2160,
            pix_fmt="yuv420p10le",
            bit_depth=10,
            frame_rate=Fraction(30000, 1001),
            colour=Colour("bt2020", "smpte2084", "bt2020nc", "tv"),
            mastering_display=MasteringDisplay(
                CORNER, CORNER, CORNER, CORNER, Fraction(1, 10000), Fraction(1000)
            ),
            content_light=ContentLight(1000, 400),
        ),
    ),
    audio=(AudioTrack(1, "aac", 2, "stereo", 48000, language="zho"),),
)


def test_a_record_is_plain_json_and_reads_back_equal() -> None:
    """The catalogue stores the text of it."""
    text = json.dumps(to_json(INFO))
    assert from_json(MediaInfo, json.loads(text)) == INFO


def test_a_record_without_defaults_reads_back_equal() -> None:
    """What is left out, of the tracks too, is what the reader fills in."""
    short = to_json(INFO, defaults=False)
    assert "subtitles" not in short
    assert "dolby_vision" not in short["video"][0]
    assert from_json(MediaInfo, short) == INFO


def test_rationals_are_text_with_a_slash() -> None:
    """Whole numbers too, so that every reader splits at the slash."""
    record = to_json(INFO)
    assert record["duration_s"] == "1001/30"
    assert record["video"][0]["mastering_display"]["max_luminance_cd_m2"] == "1000/1"


def test_nested_tuples_keep_their_kind() -> None:
    """JSON has lists alone; the value has tuples, which are hashable and frozen."""
    inspection = Inspection(
        duration_s=Fraction(2),
        shots=(Shot(0, 25, 0.1), Shot(25, 50, 0.2)),
        posters=(SourceImage("poster-1.jpg", 1920, 1080, 0.5, 12),),
        storyboard=Storyboard("storyboard.vtt", ("sprite-001.jpg",)),
    )
    assert from_json(Inspection, json.loads(json.dumps(to_json(inspection)))) == inspection


def test_a_record_of_an_earlier_version_still_loads() -> None:
    """Fields that are gone are passed over, fields that came since have their defaults."""
    earlier = {"duration_s": "2/1", "audio_start_s": ["0/1"], "audio_duration_s": ["2/1"]}
    loaded = from_json(Inspection, earlier)
    assert loaded == Inspection(Fraction(2), audio_start_s=(Fraction(0),))


def test_a_record_of_another_kind_is_refused() -> None:
    """A row that was written by something else never becomes half a value."""
    with pytest.raises(ValidationError):
        from_json(MediaInfo, {"duration_s": "2/1"})


def test_only_dataclass_values_have_a_record() -> None:
    """A class or a bare number is a mistake of the caller."""
    for wrong in (MediaInfo, 3, {"a": 1}):
        with pytest.raises(TypeError):
            to_json(wrong)
