"""sin, cos and tan: x = n pi/2 + r with |r| <= pi/4, then polynomials of r by the quadrant n.

pi/2 is subtracted in three parts, which is exact enough up to `LIMIT`; beyond it the C library
does the whole vector.
"""

from __future__ import annotations

import math

from ...dtypes import dtype as DType
from ...dtypes import float32, float64
from ..elements import Vector
from . import instructions as ins

LIMIT = {float32: 1e5, float64: 1e6}
# Their sum is pi/2. The products with n of the first two are exact, in float32 inside an fma.
PARTS = {float32: (1.5707963705062866, -4.371138828673793e-08, -1.7151244994428829e-15),
         float64: (1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21)}
# (sin r - r) / r^3 and (cos r - 1 + r^2 / 2) / r^4, in r^2.
SINE = {float32: (-0.0001951456002, 0.008332155635, -0.1666665454),
        float64: (1.5895906789105593e-10, -2.5050742429248626e-8, 2.7557313589080375e-6,
                  -0.00019841269829501874, 0.0083333333333220156, -0.16666666666666630)}
COSINE = {float32: (2.443761302e-5, -0.001388736098, 0.04166664676),
          float64: (-1.1359468379725138e-11, 2.0875719955878174e-9, -2.7557314329040471e-7,
                    2.4801587289405357e-5, -0.0013888888888874006, 0.041666666666666599)}


def sin(b, x: Vector) -> Vector:
    sine, cosine, n = _both(b, x)
    one = b.constant(1, n)
    found = b.where(_is_odd(b, n), cosine, sine)
    found = ins.opposite(b, found, b.bit_and(b.binary("lshr", n, one), one))
    # The fma of the series turns -0 into 0.
    found = b.where(b.eq(x, b.constant(0, x)), x, found)
    return _or_library(b, "sin", x, found)


def cos(b, x: Vector) -> Vector:
    sine, cosine, n = _both(b, x)
    one = b.constant(1, n)
    found = b.where(_is_odd(b, n), sine, cosine)
    found = ins.opposite(b, found, b.bit_and(b.binary("lshr", b.add(n, one), one), one))
    return _or_library(b, "cos", x, found)


def tan(b, x: Vector) -> Vector:
    sine, cosine, n = _both(b, x)
    odd = _is_odd(b, n)
    found = b.div(b.where(odd, cosine, sine), b.where(odd, b.neg(sine), cosine))
    found = b.where(b.eq(x, b.constant(0, x)), x, found)
    return _or_library(b, "tan", x, found)


def _is_odd(b, n: Vector) -> Vector:
    return b.ne(b.bit_and(n, b.constant(1, n)), b.constant(0, n))


def _or_library(b, name: str, x: Vector, found: Vector) -> Vector:
    beyond = b.gt(b.abs(x), b.constant(LIMIT[x.dtype], x))
    function = name if x.dtype is float64 else name + "f"
    return ins.unless(b, beyond, found, lambda: b.each(function, x))


def _both(b, x: Vector) -> tuple[Vector, Vector, Vector]:
    """Return sin r, cos r and bits that end in n."""
    r, n = _reduced(b, x)
    z = b.mul(r, r)
    sine = b.fma(b.mul(z, r), ins.polynomial(b, z, SINE[x.dtype]), r)
    half = b.fma(z, b.constant(-0.5, x), b.constant(1, x))
    cosine = b.fma(b.mul(z, z), ins.polynomial(b, z, COSINE[x.dtype]), half)
    return sine, cosine, n


def _reduced(b, x: Vector) -> tuple[Vector, Vector]:
    """Return r and bits that end in n."""
    dtype: DType = x.dtype
    if dtype is float32 and not b.has_fma:
        # Without fma the products are not exact; in float64 they are.
        r, n = _reduced(b, b.cast(x, float64))
        return b.cast(r, float32), b.convert("trunc", n, ins.LAYOUT[float32].whole)
    n, bits = ins.nearest(b, x, 2 / math.pi)
    for part in PARTS[dtype]:
        x = b.fma(n, b.constant(-part, x), x)
    return x, bits
