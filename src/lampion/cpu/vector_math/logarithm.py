"""Logarithms: x = m 2^e with 3/4 <= m < 3/2, then log x = e log 2 + log m.

With f = m - 1, log m = f - f^2 / 2 + f^3 P(f). In float64 the last term comes from
log m = 2 artanh(f / (2 + f)), which needs fewer powers.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins

SERIES = {
    # (log(1 + f) - f + f^2 / 2) / f^3
    float32: (-0.04507750594, 0.1046352082, -0.1316143912, 0.1447838411, -0.1664728326,
              0.1999085903, -0.2500009671, 0.3333344916),
    # (2 artanh(s) - 2 s) / s^3, in s^2
    float64: (0.15373778115553980, 0.15249482504976113, 0.18186390581734271, 0.22222137682030083,
              0.28571429405000798, 0.39999999996109330, 0.66666666666672805),
}


class Base(NamedTuple):
    """The base of a logarithm: the logarithms of 2 and of e in it, each in two parts.

    The first part is so short that multiples of it are exact. Both parts of log 2 are positive, so
    that an infinite exponent cannot give inf - inf.
    """

    two: tuple[float, float]
    e: tuple[float, float]


BASES = {
    (math.e, float32): Base((0.693145751953125, 1.4286068203094172e-6), (1.0, 0.0)),
    (math.e, float64): Base((0.6931471803691238, 1.9082149292705878e-10), (1.0, 0.0)),
    (2, float32): Base((1.0, 0.0), (1.4423828125, 0.00031222838896340736)),
    (2, float64): Base((1.0, 0.0), (1.4426950407214463, 1.6751713164886511e-10)),
    (10, float32): Base((0.301025390625, 4.6050389811952137e-6),
                        (0.4342041015625, 9.0380340751827651e-5)),
    (10, float64): Base((0.3010299955494702, 1.1451100898021839e-10),
                        (0.4342944818781689, 2.5082946711645276e-11)),
}


def log(b, x: Vector) -> Vector:
    return _specials(b, x, _log(b, x))


def log2(b, x: Vector) -> Vector:
    return _specials(b, x, _log(b, x, 2))


def log10(b, x: Vector) -> Vector:
    return _specials(b, x, _log(b, x, 10))


def log1p(b, x: Vector) -> Vector:
    one, zero = b.constant(1, x), b.constant(0, x)
    whole = b.add(x, one)
    # What rounding 1 + x has lost, as a part of it.
    lost = b.div(b.sub(x, b.sub(whole, one)), whole)
    lost = b.where(b.is_nan(lost), zero, lost)
    return b.copysign(_specials(b, whole, _log(b, whole, more=lost)), x)


def _log(b, x: Vector, base: float = math.e, more: Vector | None = None) -> Vector:
    """The logarithm of a positive number, plus a small number; AVX-512: of any number."""
    one = b.constant(1, x)
    m, e = ins.mantissa(b, x)
    f = b.sub(m, one)
    square = b.mul(f, f)
    half = b.mul(square, b.constant(0.5, x))
    series = SERIES[x.dtype]
    if x.dtype is float32:
        small = b.fma(b.mul(square, f), ins.polynomial(b, f, series), b.neg(half))
    else:
        s = b.div(f, b.add(f, b.constant(2, x)))
        z = b.mul(s, s)
        rest = b.fma(z, ins.polynomial(b, z, series), half)
        small = b.fma(s, rest, b.neg(half))
    if more is not None:
        small = b.add(small, more)
    (two, two_low), (unit, unit_low) = BASES[base, x.dtype]
    if unit != 1.0:
        scale = b.constant(unit + unit_low, x)
        small = b.fma(small, scale, b.mul(f, b.constant(unit_low, x)))
    if two_low:
        small = b.fma(e, b.constant(two_low, x), small)
    if unit == 1.0:
        return b.fma(e, b.constant(two, x), b.add(f, small))
    return b.fma(e, b.constant(two, x), b.fma(f, b.constant(unit, x), small))


def _specials(b, x: Vector, found: Vector) -> Vector:
    """Put in -inf at 0, NaN below, inf at inf; AVX-512's own instructions have done that."""
    if ins.has_avx512(b, x):
        return found
    found = b.where(b.lt(x, b.constant(math.inf, x)), found, x)
    below = b.where(b.eq(x, b.constant(0, x)), b.constant(-math.inf, x), b.constant(math.nan, x))
    return b.where(b.gt(x, b.constant(0, x)), found, below)
