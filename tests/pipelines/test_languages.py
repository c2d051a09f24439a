"""MP4 and MPEG-TS hold three letters of ISO 639-2/T, whatever a source wrote."""

from __future__ import annotations

import pytest

from pipelines.languages import three_letters


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
