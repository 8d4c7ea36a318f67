"""Hyperbolic functions by way of e^x - 1, and their inverses by way of log(1 + x)."""

from __future__ import annotations

import math

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins
from .exponential import CONSTANTS, part_of_exp, part_of_expm1
from .logarithm import log1p

# From here on tanh is 1.
ONE = {float32: 9.02, float64: 19.1}
# From here on x^2 + 1 is x^2.
LARGE = {float32: 1e5, float64: 1e9}


def sinh(b, x: Vector) -> Vector:
    a = b.minimum(b.abs(x), b.constant(CONSTANTS[x.dtype].sinh_high, x))
    # With E = e^a - 1: (E + E / (E + 1)) / 2, all in quarters since E may be too large.
    quarter = part_of_expm1(b, a, 2)
    half = b.add(quarter, quarter)
    other = b.div(quarter, b.fma(quarter, b.constant(4, x), b.constant(1, x)))
    return b.copysign(b.fma(other, b.constant(2, x), half), x)


def cosh(b, x: Vector) -> Vector:
    a = b.minimum(b.abs(x), b.constant(CONSTANTS[x.dtype].sinh_high, x))
    quarter = part_of_exp(b, a, 2)
    return b.add(b.add(quarter, quarter), b.div(b.constant(0.125, x), quarter))


def tanh(b, x: Vector) -> Vector:
    if ins.table_size(b, x) == 16:
        return ins.saturating(b, x, ins.table_of(math.tanh, 16, ONE[x.dtype], 7))
    a = b.minimum(b.abs(x), b.constant(ONE[x.dtype], x))
    change = part_of_expm1(b, b.add(a, a), 0)
    return b.copysign(b.div(change, b.add(change, b.constant(2, x))), x)


def asinh(b, x: Vector) -> Vector:
    a, one = b.abs(x), b.constant(1, x)
    square = b.mul(a, a)
    change = b.add(a, b.div(square, b.add(one, b.sqrt(b.add(square, one)))))
    return b.copysign(_of_large_too(b, a, change), x)


def acosh(b, x: Vector) -> Vector:
    over = b.sub(x, b.constant(1, x))
    root = b.sqrt(b.mul(over, b.add(over, b.constant(2, x))))
    found = _of_large_too(b, x, b.add(over, root))
    return b.where(b.lt(x, b.constant(1, x)), b.constant(math.nan, x), found)


def _of_large_too(b, x: Vector, change: Vector) -> Vector:
    """log(1 + change), but log 2x where x is large."""
    large = b.gt(x, b.constant(LARGE[x.dtype], x))
    found = log1p(b, b.where(large, b.sub(x, b.constant(1, x)), change))
    return b.where(large, b.add(found, b.constant(math.log(2), x)), found)


def atanh(b, x: Vector) -> Vector:
    a = b.abs(x)
    found = log1p(b, b.div(b.add(a, a), b.sub(b.constant(1, x), a)))
    return b.copysign(b.mul(found, b.constant(0.5, x)), x)
