"""MP4 and MPEG-TS hold three letters of ISO 639-2/T, whatever a source wrote."""

from __future__ import annotations

import pytest

from pipelines.languages import in_file, three_letters


@pytest.mark.parametrize(
    ("tag", "code"),
    [
        ("zh", "zho"),
        ("zh-Hans-CN", "zho"),
        ("chi", "zho"),
        ("zho", "zho"),
        ("EN", "eng"),
        ("ger", "deu"),
        ("yue", "yue"),
        ("und", None),
        (None, None),
        ("xx", None),
        ("english", None),
    ],
)
def test_a_tag_becomes_its_terminologic_code(tag: str | None, code: str | None) -> None:
    """Region and script go, bibliographic codes are exchanged, nonsense is no language."""
    assert three_letters(tag) == code


@pytest.mark.parametrize(
    ("code", "container", "said"),
    [
        ("zho", "mp4", "zho"),
        ("zho", "mov", "chi"),
        ("fra", "mov", "fra"),
        ("mri", "mov", "und"),
        ("yue", "mov", "und"),
        (None, "mkv", "und"),
    ],
)
def test_a_container_says_languages_in_its_own_codes(
    code: str | None, container: str, said: str
) -> None:
    """QuickTime's table is older than ISO 639-2's terminologic codes."""
    assert in_file(code, container) == said
