"""The formula of each conversion, by which method it goes, and the numbers that it takes.

All numbers come from the caller, who has them from the plan: nothing here has a default of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from math import floor
from types import MappingProxyType

import numpy as np

from pipelines.colour.colour_maths import (
    HLG_GAMMA,
    HLG_PEAK_CD_M2,
    REFERENCE_WHITE_CD_M2,
    SDR,
    SDR_GAMMA,
    Array,
    SdrTarget,
    display_to_hlg,
    display_to_pq,
    display_to_sdr,
    hlg_to_display_cd_m2,
    pq_to_display_cd_m2,
    roll_off_cd_m2,
    sdr_to_display_cd_m2,
)
from pipelines.colour.colour_types import Conversion, Parameter, Parameters
from pipelines.media import MasteringDisplay
from pipelines.words import Words

INTERVALS = 64  # of a table: 32 would miss the formula by up to two 8-bit codes on PQ's grey axis
Values = Mapping[str, float]

PQ_MASTER_PEAK_CD_M2 = 4000.0  # [P] of a master that does not say: grading displays reach 1000…4000
_PQ_LEAST_CD_M2, _PQ_MOST_CD_M2 = 100.0, 10_000.0  # what a mastering display may claim
# SDR may go up to 109 % (10-bit code 1019); one node lies at 100 % exactly.
_SDR_TOP = INTERVALS / 58


@dataclass(frozen=True, slots=True)
class Formula:
    """`top` is the signal where the table ends: a node lies where the curve has a corner."""

    methods: tuple[Words, ...]
    standard: Values
    apply: Callable[[Array, Values], Array]
    top: Callable[[Values], float]


def formula(conversion: Conversion) -> Formula:
    """`KeyError` for the conversions that have none."""
    return _FORMULAS[conversion]


def has_formula(conversion: Conversion) -> bool:
    return conversion in _FORMULAS


def parameters_of(conversion: Conversion, display: MasteringDisplay | None) -> Parameters:
    """The numbers for one source: a PQ master's peak is that of its mastering display, if it says.

    Empty where no formula converts.
    """
    if conversion not in _FORMULAS:
        return ()
    values = dict(_FORMULAS[conversion].standard)
    if display is not None and "master_peak_cd_m2" in values:
        claimed = float(display.max_luminance_cd_m2)
        if _PQ_LEAST_CD_M2 <= claimed <= _PQ_MOST_CD_M2:
            values["master_peak_cd_m2"] = claimed
    return tuple(Parameter(name, value) for name, value in values.items())


def convert(signal: Array, conversion: Conversion, parameters: Parameters) -> Array:
    """The formula itself, on R'G'B' signals of shape (…, 3)."""
    values = {parameter.name: parameter.value for parameter in parameters}
    return _FORMULAS[conversion].apply(signal, values)


def _hlg_light(signal: Array, v: Values) -> Array:
    return hlg_to_display_cd_m2(signal, v["display_peak_cd_m2"], v["hlg_system_gamma"])


def _hlg_signal(light_cd_m2: Array, v: Values) -> Array:
    return display_to_hlg(light_cd_m2, v["display_peak_cd_m2"], v["hlg_system_gamma"])


def _rolled(signal: Array, v: Values) -> Array:
    light = pq_to_display_cd_m2(signal)
    return roll_off_cd_m2(light, v["master_peak_cd_m2"], v["display_peak_cd_m2"])


def _sdr_light(signal: Array, v: Values) -> Array:
    return sdr_to_display_cd_m2(signal, v["reference_white_cd_m2"], v["sdr_display_gamma"])


def _sdr_signal(light_cd_m2: Array, v: Values) -> Array:
    return display_to_sdr(light_cd_m2, _sdr_target(v))


def _sdr_target(v: Values) -> SdrTarget:
    named = {name: v[key] for key, name in _SDR_NAMES.items()}
    return replace(SDR, hdr_peak_cd_m2=v["display_peak_cd_m2"], **named)


def _one(_: Values) -> float:
    return 1.0


def _sdr_top(_: Values) -> float:
    return _SDR_TOP


def _pq_top(v: Values) -> float:
    """A little above 1, with a node at the display's peak, where a clipped curve ends."""
    peak = float(display_to_pq(np.array(v["display_peak_cd_m2"])))
    return peak * INTERVALS / floor(peak * INTERVALS)


_SDR_NAMES = {
    "sdr_white_cd_m2": "white_cd_m2",
    "sdr_display_gamma": "gamma",
    "sdr_peak_signal": "peak_signal",
    "method_c_slope": "slope",
    "method_c_inflection_signal": "inflection_signal",
    "gamut_knee": "gamut_knee",
    "gamut_reach": "gamut_reach",
}
_DISPLAY = {"display_peak_cd_m2": HLG_PEAK_CD_M2}
_HLG = {**_DISPLAY, "hlg_system_gamma": HLG_GAMMA}
_PQ = {"master_peak_cd_m2": PQ_MASTER_PEAK_CD_M2}
_TO_SDR = {key: asdict(SDR)[name] for key, name in _SDR_NAMES.items()}
_FROM_SDR = {"reference_white_cd_m2": REFERENCE_WHITE_CD_M2, "sdr_display_gamma": SDR_GAMMA}

_EETF = Words("BT.2390 EETF", "BT.2390 EETF")
_METHOD_C = Words("BT.2446 method C, ended at the peak signal", "BT.2446 方法 C，止于峰值信号")
_INTO_709 = Words("bent into BT.709's gamut at constant luminance", "恒定亮度下收入 BT.709 色域")
_PQ_AS_HLG = Words(
    "BT.2408 PQ to HLG, the same light on the nominal display",
    "BT.2408 PQ 转 HLG，标称显示器上的显示光不变",
)
_HLG_AS_PQ = Words(
    "BT.2408 HLG to PQ, the light of the nominal display",
    "BT.2408 HLG 转 PQ，取标称显示器的显示光",
)
_SDR_AS_HLG = Words(
    "BT.2408 SDR to HLG, direct mapping of display light", "BT.2408 SDR 转 HLG，直接映射显示光"
)
_SDR_AS_PQ = Words(
    "BT.2408 SDR to PQ, direct mapping of display light", "BT.2408 SDR 转 PQ，直接映射显示光"
)
_FORMULAS: Mapping[Conversion, Formula] = MappingProxyType(
    {
        "hlg_to_sdr": Formula(
            (_METHOD_C, _INTO_709),
            {**_HLG, **_TO_SDR},
            lambda signal, v: _sdr_signal(_hlg_light(signal, v), v),
            _one,
        ),
        "pq_to_sdr": Formula(
            (_EETF, _METHOD_C, _INTO_709),
            {**_PQ, **_DISPLAY, **_TO_SDR},
            lambda signal, v: _sdr_signal(_rolled(signal, v), v),
            _pq_top,
        ),
        "pq_to_hlg": Formula(
            (_EETF, _PQ_AS_HLG),
            {**_PQ, **_HLG},
            lambda signal, v: _hlg_signal(_rolled(signal, v), v),
            _pq_top,
        ),
        "hlg_to_pq": Formula(
            (_HLG_AS_PQ,),
            _HLG,
            lambda signal, v: display_to_pq(_hlg_light(signal, v)),
            _one,
        ),
        "sdr_to_hlg": Formula(
            (_SDR_AS_HLG,),
            {**_FROM_SDR, **_HLG},
            lambda signal, v: _hlg_signal(_sdr_light(signal, v), v),
            _sdr_top,
        ),
        "sdr_to_pq": Formula(
            (_SDR_AS_PQ,),
            _FROM_SDR,
            lambda signal, v: display_to_pq(_sdr_light(signal, v)),
            _sdr_top,
        ),
    }
)
