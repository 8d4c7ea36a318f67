"""pow: 2^(y log2 |x|), and the sign and the special cases of IEEE 754.

The logarithm needs eleven bits more than the result. For float32 there are enough in float64; for
float64 it is the sum of two numbers, with what each operation loses found by `fma`. Without `fma`
the C library does it.
"""

from __future__ import annotations

import math

from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins
from .exponential import exp2_of_sum

# (2 artanh(s) - 2 s) / s^3 in s^2, and (e^r - 1 - r) / r^2: exact to 2^-34.
LOGARITHM = (0.20126850648366083, 0.22134744655866916, 0.28573195093147076, 0.39999984498693007,
             0.66666666710760431)
EXPONENTIAL = (0.0001979062715, 0.001394472272, 0.008333496808, 0.04166629408, 0.1666666587,
               0.5000000068)
# (2 artanh(s) - 2 s - 2/3 s^3) / s^5 in s^2; and 2/3 and 1 / log 2, each as two numbers.
LONG_LOGARITHM = (0.12577000960489104, 0.11591460218982190, 0.13341203743763253,
                  0.15384404593261239, 0.18181821566117851, 0.22222222190815254,
                  0.28571428571579663, 0.39999999999999720)
TWO_THIRDS = (0.6666666666666666, 3.700743415417188e-17)
UNIT = (1.4426950408889634, 2.0355273740931033e-17)
# Beyond, 2^x is 0 or inf.
END = 1100.0


def pow(b, x: Vector, y: Vector) -> Vector:
    if y.width == 1 and x.width > 1:
        return _of_one_exponent(b, x, y)
    return _pow(b, *(b.widened(v, max(x.width, y.width)) for v in (x, y)))


def _of_one_exponent(b, x: Vector, y: Vector) -> Vector:
    """The same power of all numbers: squares, cubes and roots do without logarithms."""
    square = b.mul(x, x)
    one, two, three = (b.eq(y, b.constant(n, y)) for n in (1, 2, 3))
    found = b.where(three, b.mul(square, x), b.where(two, square, x))
    simple = b.bit_or(one, b.bit_or(two, three))
    return ins.unless(b, b.bit_not(simple), found, lambda: _of_one_root(b, x, y))


def _of_one_root(b, x: Vector, y: Vector) -> Vector:
    """sqrt(x), 1 / sqrt(x) or 1 / x, else any power."""
    root, inverse_root, inverse = (b.eq(y, b.constant(n, y)) for n in (0.5, -0.5, -1))
    endless = b.constant(math.inf, x)
    # The power of -inf is that of inf, and that of -0 is that of 0.
    found = b.sqrt(b.add(x, b.constant(0, x)))
    found = b.where(b.eq(x, b.neg(endless)), endless, found)
    found = b.where(inverse, x, found)
    found = b.where(root, found, b.div(b.constant(1, x), found))
    simple = b.bit_or(root, b.bit_or(inverse_root, inverse))
    return ins.unless(b, b.bit_not(simple), found, lambda: _pow(b, x, b.widened(y, x.width)))


def _pow(b, x: Vector, y: Vector) -> Vector:
    if x.dtype is float32:
        exponent = b.mul(_log2(b, b.cast(b.abs(x), float64)), b.cast(y, float64))
        return _with_special_cases(b, x, y, b.cast(_exp2(b, exponent), float32))
    if not b.has_fma:
        return b.each("pow", x, y)
    high, low = _product(b, _long_log2(b, b.abs(x)), y)
    inside = b.lt(b.abs(high), b.constant(END, x))
    low = b.where(inside, low, b.constant(0, x))
    return _with_special_cases(b, x, y, exp2_of_sum(b, high, low))


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
    return _of_edges_too(b, x, found)


def _of_edges_too(b, x: Vector, found: Vector) -> Vector:
    """Put in the logarithms of 0, inf and NaN; AVX-512's own instructions have done that."""
    if ins.has_avx512(b, x):
        return found
    found = b.where(b.eq(x, b.constant(0, x)), b.constant(-math.inf, x), found)
    return b.where(b.lt(x, b.constant(math.inf, x)), found, x)


# --- numbers as sums of two --------------------------------------------------------------------

Sum = tuple[Vector, Vector]


def _sum(b, large: Vector, small: Vector, *more: Vector) -> Sum:
    """large + small + more; `large` is the largest, or 0."""
    high = b.add(large, small)
    low = b.add(b.sub(large, high), small)
    for term in more:
        low = b.add(low, term)
    return high, low


def _product(b, x: Sum, y: Vector, y_low: Vector | None = None) -> Sum:
    high = b.mul(x[0], y)
    low = b.fma(x[0], y, b.neg(high))
    if y_low is not None:
        low = b.fma(x[0], y_low, low)
    return high, b.fma(x[1], y, low)


def _long_log2(b, x: Vector) -> Sum:
    """log2 of a float64 that is not negative, as a sum."""
    def constants(pair: tuple[float, float]) -> Sum:
        return b.constant(pair[0], x), b.constant(pair[1], x)

    one, two = b.constant(1, x), b.constant(2, x)
    m, e = ins.mantissa(b, x)
    f = b.sub(m, one)
    over, over_low = _sum(b, one, m)  # their sizes are close enough: m - (over - 1) is exact
    inverse = b.div(one, over)
    quotient = b.mul(f, inverse)
    left = b.fma(quotient, b.neg(over_low), b.fma(quotient, b.neg(over), f))
    s = quotient, b.mul(left, inverse)
    z = _product(b, s, *s)
    tail = b.mul(z[0], ins.polynomial(b, z[0], LONG_LOGARITHM))
    high, low = constants(TWO_THIRDS)
    rest = _product(b, _product(b, s, *z), *_sum(b, high, tail, low))
    log = _sum(b, b.mul(s[0], two), rest[0], b.fma(s[1], two, rest[1]))
    high, low = _product(b, log, *constants(UNIT))
    high, low = _sum(b, e, high, low)
    return _of_edges_too(b, x, high), low


# --- float32 -----------------------------------------------------------------------------------


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
