"""MP4 and MPEG-TS hold three letters of ISO 639-2/T, whatever a source wrote."""

from __future__ import annotations

import pytest

from pipelines.languages import in_file, own_name, short_tag, three_letters


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


@pytest.mark.parametrize(
    ("tag", "short", "name"),
    [
        ("zho", "zh", "中文"),
        ("chi", "zh", "中文"),
        ("zh-hant-hk", "zh-Hant-HK", "繁體中文 (HK)"),
        ("zh-CN", "zh-CN", "中文 (CN)"),
        ("yue", "yue", "粤语"),
        ("en-US", "en-US", "English (US)"),
        ("pt-x-private", "pt", "Português"),
        ("nds", "nds", "nds"),
        ("und", None, None),
        ("xx", None, None),
        (None, None, None),
    ],
)
def test_a_menu_has_a_language_s_own_name(
    tag: str | None, short: str | None, name: str | None
) -> None:
    """Script and region stay, what only its writer understands goes."""
    assert short_tag(tag) == short
    assert own_name(short) == name
