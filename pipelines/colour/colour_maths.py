"""The light behind the signals: transfer functions, tone curves and gamut mapping, on arrays.

An RGB array has shape (…, 3). Display light is in cd/m² where a name says so, else relative to the
SDR white. Signals are 0–1 from black to nominal white.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]

HLG_PEAK_CD_M2 = 1000.0  # ITU-R BT.2100-2 table 5: the nominal display, system gamma 1.2
HLG_GAMMA = 1.2
SDR_GAMMA = 2.4  # ITU-R BT.1886
REFERENCE_WHITE_CD_M2 = 203.0  # ITU-R BT.2408 table 1: 75 % HLG, 58 % PQ

# ITU-R BT.2100-2 table 5 and BT.709-6: luminance of linear RGB.
LUMA_2020 = np.array([0.2627, 0.6780, 0.0593])
LUMA_709 = np.array([0.2126, 0.7152, 0.0722])
# ITU-R BT.2407-0 clause 2: linear BT.2020 to linear BT.709; its rows sum to 1 for neutral.
TO_709 = np.array(
    [[1.6605, -0.5877, -0.0728], [-0.1246, 1.1330, -0.0084], [-0.0182, -0.1006, 1.1188]]
)

# ITU-R BT.2100-2 table 5 (HLG OETF).
_HLG_A = 0.17883277
_HLG_B = 1 - 4 * _HLG_A
_HLG_C = 0.5 - _HLG_A * np.log(4 * _HLG_A)
# ITU-R BT.2100-2 table 4 (PQ), SMPTE ST 2084.
PQ_M1, PQ_M2 = 2610 / 16384, 2523 / 4096 * 128
PQ_C1, PQ_C2, PQ_C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32
PQ_TOP_CD_M2 = 10_000.0


@dataclass(frozen=True, slots=True)
class SdrTarget:
    """ITU-R BT.2446-1 method C towards a BT.1886 display, and the way into BT.709's gamut.

    `slope` holds below the inflection (skin at 50 % HLG becomes 70 % SDR), which lies at
    `inflection_signal` of SDR (clause 6.1). The peak signal is EBU R103's: components stay within
    -5…105 %. Colours begin to bend towards neutral at `gamut_knee`, 1 being the gamut's edge; the
    farthest colour of BT.2020 lies at 2.23 (blue), and what lies at `gamut_reach` ends at the edge:
    both are the project's choice.
    """

    hdr_peak_cd_m2: float = HLG_PEAK_CD_M2
    white_cd_m2: float = 100.0  # ITU-R BT.2035, and the SDR side of ITU-R BT.2446
    gamma: float = SDR_GAMMA
    peak_signal: float = 1.05
    slope: float = 0.83802
    inflection_signal: float = 0.8
    gamut_knee: float = 0.85
    gamut_reach: float = 2.3

    @property
    def inflection_cd_m2(self) -> float:
        return float(self.white_cd_m2 * self.inflection_signal**self.gamma)

    @property
    def peak(self) -> float:
        """Linear, relative to SDR white."""
        return float(self.peak_signal**self.gamma)


SDR = SdrTarget()


def hlg_to_scene(signal: Array) -> Array:
    """Inverse OETF; scene light 0–1. Signals below black count as black."""
    x = np.maximum(signal, 0.0)
    return np.where(x <= 0.5, x * x / 3, (np.exp((x - _HLG_C) / _HLG_A) + _HLG_B) / 12)


def scene_to_hlg(scene: Array) -> Array:
    """OETF: 1/12 lands at 50 %, 1 at 100 %."""
    e = np.maximum(scene, 0.0)
    bright = _HLG_A * np.log(np.maximum(12 * e - _HLG_B, 1e-9)) + _HLG_C
    signal: Array = np.where(e <= 1 / 12, np.sqrt(3 * e), bright)
    return signal


def hlg_to_display_cd_m2(
    signal: Array, peak_cd_m2: float = HLG_PEAK_CD_M2, gamma: float = HLG_GAMMA
) -> Array:
    """The light of the nominal display (OOTF)."""
    scene = hlg_to_scene(signal)
    luminance = (scene @ LUMA_2020)[..., None]
    light: Array = peak_cd_m2 * scene * np.maximum(luminance, 1e-12) ** (gamma - 1)
    return light


def display_to_hlg(
    light_cd_m2: Array, peak_cd_m2: float = HLG_PEAK_CD_M2, gamma: float = HLG_GAMMA
) -> Array:
    """The HLG signal that shows this light on the nominal display (ITU-R BT.2408 clause 6.2).

    Saturated colours that HLG cannot show so bright are dimmed until they fit; their hue stays.
    """
    light = np.maximum(light_cd_m2, 0.0) / peak_cd_m2
    luminance = np.maximum((light @ LUMA_2020)[..., None], 1e-12)
    scene = light * luminance ** ((1 - gamma) / gamma)
    return scene_to_hlg(scene / np.maximum(scene.max(axis=-1, keepdims=True), 1.0))


def pq_to_display_cd_m2(signal: Array) -> Array:
    p = np.clip(signal, 0.0, 1.0) ** (1 / PQ_M2)
    return PQ_TOP_CD_M2 * (np.maximum(p - PQ_C1, 0) / (PQ_C2 - PQ_C3 * p)) ** (1 / PQ_M1)


def display_to_pq(light_cd_m2: Array) -> Array:
    y = np.clip(light_cd_m2 / PQ_TOP_CD_M2, 0.0, 1.0) ** PQ_M1
    return ((PQ_C1 + PQ_C2 * y) / (1 + PQ_C3 * y)) ** PQ_M2


def sdr_to_display_cd_m2(signal: Array, white_cd_m2: float, gamma: float = SDR_GAMMA) -> Array:
    """The light of a BT.1886 display whose 100 % is that bright; the signal may go beyond 1."""
    return white_cd_m2 * np.maximum(signal, 0.0) ** gamma


def roll_off_cd_m2(light_cd_m2: Array, master_peak_cd_m2: float, peak_cd_m2: float) -> Array:
    """PQ light of a master on a dimmer display: ITU-R BT.2390 clause 5.4.1 (EETF).

    It works on the largest of R, G and B and scales all three, so that hue stays. From 4000 to
    1000 cd/m² nothing changes below 490, and 1000 becomes 812. A master that is no brighter than
    the display stays as it is.
    """
    largest = np.maximum(light_cd_m2.max(axis=-1, keepdims=True), 1e-6)
    if master_peak_cd_m2 <= peak_cd_m2:
        clipped: Array = light_cd_m2 * np.minimum(peak_cd_m2 / largest, 1.0)
        return clipped
    top = display_to_pq(np.array(master_peak_cd_m2))
    x = np.minimum(display_to_pq(largest) / top, 1.0)
    target = display_to_pq(np.array(peak_cd_m2)) / top
    knee = 1.5 * target - 0.5
    t = np.maximum((x - knee) / (1 - knee), 0.0)
    spline = (2 * t**3 - 3 * t**2 + 1) * knee + (t**3 - 2 * t**2 + t) * (1 - knee)
    bent = np.where(x < knee, x, spline + (3 * t**2 - 2 * t**3) * target)
    scaled: Array = light_cd_m2 * (pq_to_display_cd_m2(bent * top) / largest)
    return scaled


@cache
def method_c_constants(sdr: SdrTarget = SDR) -> tuple[float, float, float]:
    """k2, k3 and k4 of BT.2446-1 equation 6.1.4, solved again for our peak.

    The Report's own constants put 1000 cd/m² at 107.3 % and reference white at 96 %; EBU R103 ends
    at 105 %. So the same curve, as smooth at the inflection, ends at 105 %, and reference white
    (203 cd/m², 75 % HLG) lands at 95 %.
    """
    inflection = sdr.inflection_cd_m2
    top = sdr.hdr_peak_cd_m2 * sdr.slope / inflection
    wanted = sdr.white_cd_m2 * sdr.peak - inflection
    low, high = 0.5, 0.95
    for _ in range(60):
        k3 = (low + high) / 2
        reached = inflection * (1 - k3) * np.log((top - k3) / (1 - k3))
        low, high = (k3, high) if reached > wanted else (low, k3)
    k2 = inflection * (1 - k3)
    return k2, k3, float(inflection - k2 * np.log(1 - k3))


def tone_map_cd_m2(light_cd_m2: Array, sdr: SdrTarget = SDR) -> Array:
    """BT.2446-1 method C: straight up to 80 % SDR signal, logarithmic above."""
    k2, k3, k4 = method_c_constants(sdr)
    straight = sdr.slope * light_cd_m2
    ratio = np.maximum(straight / sdr.inflection_cd_m2, 1.0)
    return np.where(straight < sdr.inflection_cd_m2, straight, k2 * np.log(ratio - k3) + k4)


def display_to_sdr(light_cd_m2: Array, sdr: SdrTarget = SDR) -> Array:
    """BT.2020 display light up to the HDR peak as a BT.709 signal for a BT.1886 display.

    BT.2446-1 clause 6.1 maps the luminance of a colour at constant chromaticity. So does this, but
    by the largest of R, G and B, which is the same for neutral: by luminance, a bright red flag
    would leave BT.709 so far that it could only come back pink.
    """
    light = np.clip(light_cd_m2, 0.0, sdr.hdr_peak_cd_m2)
    largest = np.maximum(light.max(axis=-1, keepdims=True), 1e-9)
    mapped = light * (tone_map_cd_m2(largest, sdr) / largest) / sdr.white_cd_m2
    inside = _into_709(mapped @ TO_709.T, sdr)
    return np.clip(inside, 0.0, sdr.peak) ** (1 / sdr.gamma)


def _into_709(rgb: Array, sdr: SdrTarget) -> Array:
    """Bend what BT.709 cannot show towards the neutral of the same luminance; neutral is untouched.

    Only saturation changes, never the direction of a colour, so no hue jumps (ITU-R BT.2407 annex 2
    keeps lightness and hue in the same way).
    """
    neutral = np.minimum(rgb @ LUMA_709, sdr.peak)[..., None]
    below = (neutral - rgb.min(axis=-1, keepdims=True)) / np.maximum(neutral, 1e-9)
    above = (rgb.max(axis=-1, keepdims=True) - neutral) / np.maximum(sdr.peak - neutral, 1e-9)
    knee = sdr.gamut_knee
    keep = np.minimum(_bent(below, knee, sdr.gamut_reach), _bent(above, knee, None))
    inside: Array = neutral + (rgb - neutral) * keep
    return inside


def _bent(distance: Array, knee: float, reach: float | None) -> Array:
    """The share of saturation to keep so that `distance` (1 is the gamut's edge) ends below 1.

    A colour at `reach` ends at the edge itself; with none, only one at infinity does.
    """
    room = 1 - knee
    over = np.maximum(distance - knee, 0.0)
    span = room if reach is None else 1 / (1 / room - 1 / (reach - knee))
    bent = np.minimum(knee + over / (1 + over / span), 1.0)
    return np.where(distance > knee, bent / np.maximum(distance, knee), 1.0)
