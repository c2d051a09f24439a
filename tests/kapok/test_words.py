"""Languages and numbers as people read them."""

from __future__ import annotations

import pytest

from kapok import language, units


@pytest.mark.parametrize(
    ("argv", "environment", "expected"),
    [
        ([], {}, "en"),
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "KAPOK_LANG": "zh"}, "zh"),
        (["demo", "--lang", "zh"], {}, "zh"),
        (["demo", "--lang=en"], {"LANG": "zh_CN"}, "en"),
        (["upload", "zh", "--lang"], {}, "en"),
    ],
)
def test_the_language_is_chosen_by_flag_then_variable_then_locale(
    argv: list[str], environment: dict[str, str], expected: str
) -> None:
    assert language.choose(argv, environment) == expected


def test_both_texts_stand_side_by_side() -> None:
    language.use("zh")

    assert language.t("asset", "素材") == "素材"


def test_numbers_have_units() -> None:
    assert units.size(0) == "0 B"
    assert units.size(1536) == "1.5 KiB"
    assert units.size(64 * 1024**3) == "64.0 GiB"
    assert units.bitrate(35_400_000) == "35.40 Mb/s"
    assert units.duration(3725.5) == "1:02:05.5"
    assert units.duration(59.96) == "0:01:00.0"
    assert units.frame_rate("50/1") == "50"
    assert units.frame_rate("30000/1001") == "29.97"
    assert units.frame_rate(None) == "–"
    assert units.loudness(-23.04, -3.0) == "-23.0 LKFS, -3.0 dBTP"
    assert units.loudness(None, -40.0) == "– LKFS, -40.0 dBTP"
    assert units.loudness(None, None) == "silent"
