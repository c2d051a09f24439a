"""Frame rates that exist, as exact fractions."""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction

STANDARD_RATES = (
    *(Fraction(rate) for rate in (5, 10, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60, 100, 120)),
    Fraction(25, 2),
    *(Fraction(1000 * rate, 1001) for rate in (15, 24, 30, 48, 60, 120)),
)
# Half of the 0.1 % between 30 and 30000/1001: nearer than this, only one of them can be meant.
_TOLERANCE = Fraction(1, 2000)


def nearest_standard_rate(rate: Fraction) -> Fraction:
    """The standard rate that `rate` rounds; `rate` itself, kept short, where none is so near.

    Containers round: Matroska to a nanosecond or worse, some encoders write 2997/100.
    """
    nearest = min(STANDARD_RATES, key=lambda standard: abs(standard - rate))
    if abs(nearest - rate) <= nearest * _TOLERANCE:
        return nearest
    return rate.limit_denominator(1001)


def least_multiple(steps: Iterable[Fraction]) -> Fraction:
    """The smallest step that is a whole number of each; 1 of none."""
    all_steps = list(steps)
    over = math.lcm(*(step.numerator for step in all_steps))
    return Fraction(over, math.gcd(*(step.denominator for step in all_steps)) or 1)


def greatest_divisor(steps: Iterable[Fraction]) -> Fraction:
    """The largest step of which each is a whole number."""
    all_steps = list(steps)
    over = math.gcd(*(step.numerator for step in all_steps))
    return Fraction(over, math.lcm(*(step.denominator for step in all_steps)))
