"""Exponential functions: x = n ln 2 + r with |r| <= ln 2 / 2, then e^x = 2^n e^r.

ln 2 is subtracted in two parts, of which n times the first is exact. e^r is 1 + r + r^2 times a
minimax polynomial.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins


class Constants(NamedTuple):
    """What differs between the types.

    Attributes:
        low, high: outside, e^x is 0 or inf.
        ln2: in two parts.
        series: (e^r - 1 - r) / r^2.
        exp2_range: as low and high, for 2^x.
        near_minus_one: below, e^x - 1 is -1.
        sinh_high: above, sinh and cosh are inf.
    """

    low: float
    high: float
    ln2: tuple[float, float]
    series: tuple[float, ...]
    exp2_range: tuple[float, float]
    near_minus_one: float
    sinh_high: float


CONSTANTS = {
    float32: Constants(
        -105.0, 89.0, (0.693359375, -2.12194440e-4),
        (0.001381346423, 0.008368781397, 0.04166842130, 0.1666652010, 0.4999999324),
        (-152.0, 129.0), -18.0, 89.5),
    float64: Constants(
        -746.0, 710.0, (6.93147180369123816490e-01, 1.90821492927058770002e-10),
        (2.4999182710203168e-8, 2.7630257724624551e-7, 2.7557589394073729e-6,
         2.4801493084028303e-5, 0.00019841269502856521, 0.0013888888943629789,
         0.0083333333334963896, 0.041666666666530242, 0.16666666666666409,
         0.50000000000000106),
        (-1077.0, 1025.0), -38.0, 710.6),
}


def _between(b, x: Vector, low: float, high: float) -> Vector:
    """x held between bounds; NaN stays."""
    return b.minimum(b.maximum(x, b.constant(low, x)), b.constant(high, x))


def _rest(b, r: Vector) -> Vector:
    """e^r - 1 for small r."""
    series = ins.polynomial(b, r, CONSTANTS[r.dtype].series)
    return b.fma(b.mul(r, r), series, r)


def _split(b, x: Vector) -> tuple[Vector, Vector, Vector]:
    """Return e^r - 1, n and the bits of n."""
    high, low = CONSTANTS[x.dtype].ln2
    n, bits = ins.nearest(b, x, 1 / math.log(2))
    r = b.fma(n, b.constant(-high, x), x)
    return _rest(b, b.fma(n, b.constant(-low, x), r)), n, bits


def exp(b, x: Vector) -> Vector:
    c = CONSTANTS[x.dtype]
    rest, n, bits = _split(b, _between(b, x, c.low, c.high))
    return ins.scaled(b, b.add(rest, b.constant(1, x)), n, bits)


def exp2(b, x: Vector) -> Vector:
    x = _between(b, x, *CONSTANTS[x.dtype].exp2_range)
    n, bits = ins.nearest(b, x)
    rest = _rest(b, b.mul(b.sub(x, n), b.constant(math.log(2), x)))
    return ins.scaled(b, b.add(rest, b.constant(1, x)), n, bits)


def exp2_of_sum(b, x: Vector, more: Vector) -> Vector:
    """2^(x + more), where `more` is small and 0 outside the range."""
    x = _between(b, x, *CONSTANTS[x.dtype].exp2_range)
    n, bits = ins.nearest(b, x)
    rest = _rest(b, b.mul(b.add(b.sub(x, n), more), b.constant(math.log(2), x)))
    return ins.scaled(b, b.add(rest, b.constant(1, x)), n, bits)


def expm1(b, x: Vector) -> Vector:
    c = CONSTANTS[x.dtype]
    half = part_of_expm1(b, _between(b, x, c.near_minus_one, c.high), 1)
    return b.copysign(b.add(half, half), x)


def part_of_expm1(b, x: Vector, halvings: int) -> Vector:
    """(e^x - 1) / 2^halvings for x in the range of expm1: larger x do not overflow."""
    rest, _, bits = _split(b, x)
    power = ins.power_of_two(b, bits, x.dtype, -halvings)
    return b.fma(rest, power, b.sub(power, b.constant(0.5**halvings, x)))


def part_of_exp(b, x: Vector, halvings: int) -> Vector:
    """e^x / 2^halvings where that is neither denormal nor too large."""
    rest, _, bits = _split(b, x)
    power = ins.power_of_two(b, bits, x.dtype, -halvings)
    return b.fma(rest, power, power)
