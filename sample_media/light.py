"""From linear light to 10-bit code values: HLG, PQ and SDR, in BT.2020 or BT.709.

Scenes are painted in linear scene light with BT.2020 primaries, where 1.0 is the peak of an HLG
camera and `WHITE` is diffuse white.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]  # 32-bit floats; OpenCV's stubs cannot promise more
Codes = npt.NDArray[Any]  # 16-bit code values
Encoding = Literal["hlg", "pq", "sdr"]
Chroma = Literal["420", "422"]

# ITU-R BT.2100-2 table 5: the HLG OETF.
_A, _B, _C = 0.17883277, 0.28466892, 0.55991073
WHITE = 0.26496256  # scene light of a 75 % HLG signal, diffuse white in ITU-R BT.2408-7 table 1
HLG_PEAK_CD_M2 = 1000.0  # BT.2100's reference display, where the OOTF gamma is 1.2

# ITU-R BT.2100-2 table 4: the PQ inverse EOTF.
_M1, _M2 = 2610 / 16384, 2523 / 4096 * 128
_C1, _C2, _C3 = 3424 / 4096, 2413 / 4096 * 32, 2392 / 4096 * 32

LUMA = {  # ITU-R BT.2020-2 table 4 and BT.709-6 item 3.2
    "hlg": (0.2627, 0.6780, 0.0593),
    "pq": (0.2627, 0.6780, 0.0593),
    "sdr": (0.2126, 0.7152, 0.0722),
}
# ITU-R BT.2087-0 clause 4.2 read backwards: linear BT.2020 RGB to linear BT.709 RGB.
_TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]],
    np.float32,
)
BLACK, SPAN, CHROMA_ZERO, CHROMA_SPAN = (
    64,
    876,
    512,
    896,
)  # BT.2100-2 table 9, narrow range, 10 bits


@dataclass(frozen=True, slots=True)
class Planes:
    """One picture as 10-bit narrow-range code values; chroma sited on the even luma samples."""

    y: Codes
    cb: Codes
    cr: Codes


def signal(scene: Floats, encoding: Encoding) -> Floats:
    """Non-linear R'G'B' in 0–1 of linear scene light."""
    light = np.maximum(scene, 0)
    if encoding == "hlg":
        return _hlg(light)
    return _pq(light) if encoding == "pq" else _sdr(light)


def _hlg(scene: Floats) -> Floats:
    low = np.sqrt(3 * scene)
    high = _A * np.log(np.maximum(12 * scene - _B, 1e-6)) + _C
    return np.clip(np.where(scene <= 1 / 12, low, high), 0, 1).astype(np.float32)


def _pq(scene: Floats) -> Floats:
    """What the reference display shows of that HLG scene (BT.2100-2 OOTF), coded as PQ."""
    luminance = scene @ np.array(LUMA["pq"], np.float32)
    display = scene * (np.maximum(luminance, 1e-6) ** 0.2)[..., None] * HLG_PEAK_CD_M2
    power = (np.clip(display, 0, HLG_PEAK_CD_M2) / 10_000) ** _M1
    coded = ((_C1 + _C2 * power) / (1 + _C3 * power)) ** _M2
    return np.asarray(coded, np.float32)


def _sdr(scene: Floats) -> Floats:
    """BT.709 with diffuse white at 90 % and a soft knee above, as a camera operator sets it."""
    linear = np.maximum(scene / WHITE @ _TO_709.T, 0) * 0.8
    knee = np.where(linear > 0.7, 0.7 + 0.3 * np.tanh((linear - 0.7) / 0.3 * 0.6), linear)
    coded = np.where(knee < 0.018, 4.5 * knee, 1.099 * knee**0.45 - 0.099)
    return np.clip(coded, 0, 1).astype(np.float32)


def planes(rgb: Floats, encoding: Encoding, chroma: Chroma) -> Planes:
    """Y'CbCr code values of non-linear R'G'B' (BT.2020 non-constant luminance, or BT.709)."""
    red, green, blue = LUMA[encoding]
    y = rgb @ np.array([red, green, blue], np.float32)
    cb = _subsample((rgb[..., 2] - y) / (2 * (1 - blue)), chroma)
    cr = _subsample((rgb[..., 0] - y) / (2 * (1 - red)), chroma)
    return Planes(
        _quantise(y, BLACK, SPAN), *(_quantise(c, CHROMA_ZERO, CHROMA_SPAN) for c in (cb, cr))
    )


def _quantise(values: Floats, zero: int, span: int) -> Codes:
    coded = np.rint(zero + span * values)
    return np.asarray(np.clip(coded, 4, 1019), np.uint16)  # 0–3 and 1020–1023 are sync words


def _subsample(values: Floats, chroma: Chroma) -> Floats:
    """Half the samples by a 1-2-1 filter, sited on the even luma samples (type 2 for 4:2:0)."""
    tap = np.array([0.25, 0.5, 0.25], np.float32)
    one = np.ones(1, np.float32)
    filtered = cv2.sepFilter2D(values, -1, tap, tap if chroma == "420" else one)
    halved = filtered[::2, ::2] if chroma == "420" else filtered[:, ::2]
    return np.ascontiguousarray(halved, np.float32)
