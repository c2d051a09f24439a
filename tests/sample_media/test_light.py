"""Light becomes the code values that the recommendations print."""

from __future__ import annotations

import numpy as np
import pytest

from sample_media.light import HLG_PEAK_CD_M2, WHITE, planes, signal
from sample_media.texture import rgb


def grey(light: float) -> np.ndarray:
    return np.full((2, 2, 3), light, np.float32)


@pytest.mark.parametrize(
    ("light", "coded"),
    [(0, 0), (1 / 12, 0.5), (WHITE, 0.75), (1, 1), (0.18 * WHITE, 0.378)],
    ids=["black", "the join of the two curves", "white", "peak", "18 % grey"],
)
def test_hlg_has_the_signal_levels_of_bt2100_and_bt2408(light: float, coded: float) -> None:
    """BT.2100-2 table 5; BT.2408-7 table 1 gives 75 % for diffuse white and 38 % for 18 % grey."""
    assert signal(grey(light), "hlg") == pytest.approx(coded, abs=5e-4)


def test_pq_shows_diffuse_white_at_203_cd_m2() -> None:
    """BT.2408-7 table 1: 58 % PQ; the OOTF of BT.2100 takes the same scene there."""
    assert signal(grey(WHITE), "pq") == pytest.approx(0.581, abs=1e-3)
    assert pytest.approx(203, abs=1) == HLG_PEAK_CD_M2 * WHITE**1.2


def test_neutral_light_stays_neutral_and_inside_narrow_range() -> None:
    """Grey has no chroma in any encoding, and the peak is 940 of 1023."""
    for encoding in ("hlg", "pq", "sdr"):
        coded = planes(signal(grey(0.2), encoding), encoding, "420")
        assert (coded.cb == 512).all()
        assert (coded.cr == 512).all()
    assert planes(signal(grey(1), "hlg"), "hlg", "422").y.max() == 940


def test_a_red_beyond_bt709_is_coded_apart_from_bt709_red() -> None:
    """BT.2020 red clips in BT.709: the samples must show that a gamut was really crossed."""
    red = np.full((2, 2, 3), rgb(0.2, 0.0, 0.0), np.float32)
    coded = signal(red, "sdr")[0, 0]
    assert coded[0] > 0.7
    assert coded[1:] == pytest.approx([0, 0], abs=1e-6)
