"""pow: 2^(y log2 |x|), and the sign and the special cases of IEEE 754.

float32 is done in float64, where nothing is lost that float32 could show. float64 would need a
logarithm of 64 exact bits; the C library does it.
"""

from __future__ import annotations

import math

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins

# (2 artanh(s) - 2 s) / s^3 in s^2, and (e^r - 1 - r) / r^2: exact to 2^-34.
LOGARITHM = (0.20126850648366083, 0.22134744655866916, 0.28573195093147076, 0.39999984498693007,
             0.66666666710760431)
EXPONENTIAL = (0.0001979062715, 0.001394472272, 0.008333496808, 0.04166629408, 0.1666666587,
               0.5000000068)


def pow(b, x: Vector, y: Vector) -> Vector:
    if x.dtype is float64:
        return b.each("pow", x, y)
    x, y = (b.widened(v, max(x.width, y.width)) for v in (x, y))
    size = _exp2(b, b.mul(_log2(b, b.cast(b.abs(x), float64)), b.cast(y, float64)))
    return _with_special_cases(b, x, y, b.cast(size, float32))


def _log2(b, x: Vector) -> Vector:
    """log2 of a float64 that is no denormal and not negative."""
    one = b.constant(1, x)
    m, e = ins.mantissa(b, x)
    f = b.sub(m, one)
    s = b.div(f, b.add(m, one))
    z = b.mul(s, s)
    rest = b.mul(b.mul(s, z), ins.polynomial(b, z, LOGARITHM))
    unit = b.constant(1 / math.log(2), x)
    found = b.fma(b.fma(s, b.constant(2, x), rest), unit, e)
    if ins.has_avx512(b, x):
        return found
    found = b.where(b.eq(x, b.constant(0, x)), b.constant(-math.inf, x), found)
    return b.where(b.lt(x, b.constant(math.inf, x)), found, x)


def _exp2(b, x: Vector) -> Vector:
    """2^x in float64 for results that float32 can hold; 0 or what is inf in float32 beyond."""
    x = b.minimum(b.maximum(x, b.constant(-300, x)), b.constant(300, x))
    n, bits = ins.nearest(b, x)
    r = b.mul(b.sub(x, n), b.constant(math.log(2), x))
    rest = b.fma(b.mul(r, r), ins.polynomial(b, r, EXPONENTIAL), r)
    power = ins.power_of_two(b, bits, float64)
    return b.fma(rest, power, power)


def _with_special_cases(b, x: Vector, y: Vector, size: Vector) -> Vector:
    zero, one, endless = (b.constant(n, x) for n in (0, 1, math.inf))
    whole = b.eq(b.trunc(y), y)
    half = b.mul(y, b.constant(0.5, y))
    odd = b.bit_and(whole, b.ne(b.trunc(half), half))
    found = b.where(odd, b.copysign(size, x), size)
    # A negative number has no power with a fraction; -inf counts as a limit and has.
    negative = b.bit_and(b.lt(x, zero), b.gt(x, b.neg(endless)))
    none = b.bit_and(negative, b.bit_and(b.bit_not(whole), b.eq(y, y)))
    found = b.where(none, b.constant(math.nan, x), found)
    # 1 to any power, any number to the power 0 (both even for NaN), -1 to the power inf.
    unit = b.bit_and(b.eq(b.abs(x), one), b.eq(b.abs(y), endless))
    unit = b.bit_or(unit, b.bit_or(b.eq(x, one), b.eq(y, zero)))
    return b.where(unit, one, found)
