"""Bessel functions of orders 0 and 1.

No tables: power series, Hankel's asymptotic series, and integrals by the trapezoidal rule, which
converges exponentially for periodic and for quickly decaying analytic functions. Meanings work in
float64.
"""

from __future__ import annotations

import math

from ..ir import NoGradient, Value, full
from .define import opaque
from .elementwise import eq, sign, where

_EULER = 0.57721566490153286061
_NO_SLOPE = NoGradient("PyTorch does not define it either")


def _asymptotic(xp, order, x, terms=25):
    """The factors a_k / x^k of Hankel's series: a_k = (4 n^2 - 1)(4 n^2 - 9) ... / (k! 8^k)."""
    found = [xp.ones(x.shape)]
    for k in range(1, terms):
        found.append(found[-1] * (4 * order * order - (2 * k - 1) ** 2) / (8 * k * x))
    return found


def _scaled_i(xp, order, x):
    """exp(-|x|) I_order(x)."""
    wide = x.astype(xp.float64)
    size = xp.abs(wide)
    near = xp.minimum(size, 30.0)
    term = total = xp.ones(near.shape)
    quarter = near * near / 4
    for k in range(1, 90):
        term = term * quarter / (k * (k + order))
        total = total + term
    small = xp.exp(-near) * total * (near / 2) ** order
    far = xp.maximum(size, 30.0)
    series = sum((-1) ** k * a for k, a in enumerate(_asymptotic(xp, order, far)))
    large = series / xp.sqrt(2 * math.pi * far)
    value = xp.where(size <= 30, small, large)
    value = xp.where(xp.isinf(size), 0.0, value)
    return xp.where(wide < 0, -value, value) if order else value


def _i(xp, order, x):
    wide = x.astype(xp.float64)
    value = _scaled_i(xp, order, x) * xp.exp(xp.abs(wide))
    return xp.where(xp.isinf(wide), xp.copysign(xp.inf, wide) if order else xp.inf, value)


def _unary(name: str, doc: str, meaning, grad, domain=((-3.0, 3.0),)):
    return opaque(
        name, doc, meaning=lambda xp, x: xp.asarray(meaning(xp, x)).astype(x.dtype),
        result=lambda x: x.type, grad=grad, kernel=name, floating=True, domain=domain)


def _one(x: Value) -> Value:
    return full(x.shape, 1, x.dtype)


def _over(a: Value, x: Value, limit: float) -> Value:
    """a / x, and its limit at 0."""
    still = eq(x, full(x.shape, 0, x.dtype))
    return where(still, full(x.shape, limit, x.dtype), a / where(still, _one(x), x))


i0 = _unary("i0", "The modified Bessel function of the first kind, order 0.",
            lambda xp, x: _i(xp, 0, x), grad=lambda g, y, x: (g * i1(x),))
i0e = _unary("i0e", "exp(-|x|) times i0.",
             lambda xp, x: _scaled_i(xp, 0, x), grad=lambda g, y, x: (g * (i1e(x) - sign(x) * y),))
i1 = _unary("i1", "The modified Bessel function of the first kind, order 1.",
            lambda xp, x: _i(xp, 1, x), grad=lambda g, y, x: (g * (i0(x) - _over(y, x, 0.5)),))
i1e = _unary("i1e", "exp(-|x|) times i1.",
             lambda xp, x: _scaled_i(xp, 1, x),
             grad=lambda g, y, x: (g * (i0e(x) - sign(x) * y - _over(y, x, 0.5)),))


def _k(xp, order, x, scaled):
    """The integral of exp(-x cosh t) cosh(order t) over t from 0 on."""
    wide = x.astype(xp.float64)
    usual = (wide > 1e-8) & xp.isfinite(wide)
    z = xp.where(usual, wide, 1.0)
    step, total = 0.15, xp.zeros(z.shape)
    for k in range(200):
        t = k * step
        weight = 0.5 if k == 0 else 1.0
        total = total + weight * xp.exp(-z * (math.cosh(t) - 1)) * math.cosh(order * t)
    value = total * step * (1.0 if scaled else xp.exp(-z))
    tiny = xp.where(wide > 0, wide, 1.0)
    near = 1 / tiny if order else -xp.log(tiny / 2) - _EULER
    value = xp.where((wide > 0) & (wide <= 1e-8), near, value)
    value = xp.where(wide == 0, xp.inf, xp.where(wide < 0, xp.nan, value))
    return xp.where(xp.isnan(wide), xp.nan, xp.where(wide == xp.inf, 0.0, value))


k0 = _unary("k0", "The modified Bessel function of the second kind, order 0.",
            lambda xp, x: _k(xp, 0, x, False), grad=_NO_SLOPE, domain=((0.5, 3.0),))
k1 = _unary("k1", "The modified Bessel function of the second kind, order 1.",
            lambda xp, x: _k(xp, 1, x, False), grad=_NO_SLOPE, domain=((0.5, 3.0),))
k0e = _unary("k0e", "exp(x) times k0.", lambda xp, x: _k(xp, 0, x, True),
             grad=_NO_SLOPE, domain=((0.5, 3.0),))
k1e = _unary("k1e", "exp(x) times k1.", lambda xp, x: _k(xp, 1, x, True),
             grad=_NO_SLOPE, domain=((0.5, 3.0),))

_NODES = 64


def _j_near(xp, order, x):
    """The mean of cos(order t - x sin t) over half a turn, for |x| up to 25."""
    total = xp.zeros(x.shape)
    for k in range(_NODES):
        t = math.pi * (k + 0.5) / _NODES
        total = total + xp.cos(order * t - x * math.sin(t))
    return total / _NODES


def _waves(xp, order, x):
    """J and Y of Hankel's series, for x above 25."""
    terms = _asymptotic(xp, order, x)
    p = sum((-1) ** (k // 2) * a for k, a in enumerate(terms) if k % 2 == 0)
    q = sum((-1) ** (k // 2) * a for k, a in enumerate(terms) if k % 2)
    angle, scale = x - (order / 2 + 0.25) * math.pi, xp.sqrt(2 / (math.pi * x))
    return (scale * (p * xp.cos(angle) - q * xp.sin(angle)),
            scale * (p * xp.sin(angle) + q * xp.cos(angle)))


def _j(xp, order, x):
    wide = x.astype(xp.float64)
    size = xp.abs(wide)
    near = _j_near(xp, order, xp.where(size <= 25, size, 0.0))
    far = _waves(xp, order, xp.where((size > 25) & xp.isfinite(size), size, 30.0))[0]
    value = xp.where(size <= 25, near, far)
    value = xp.where(xp.isinf(size), 0.0, xp.where(xp.isnan(size), xp.nan, value))
    return xp.where(wide < 0, -value, value) if order else value


def _y(xp, order, x):
    wide = x.astype(xp.float64)
    usual = (wide > 0) & (wide <= 25)
    z = xp.where(usual, wide, 1.0)
    # Neumann's series of Bessel functions (Abramowitz and Stegun, 9.1.88).
    digamma = -_EULER if order == 0 else 1 - _EULER
    total = 2 / math.pi * (xp.log(z / 2) - digamma) * _j_near(xp, order, z)
    if order:
        total = total - 2 / (math.pi * z) * _j_near(xp, 0, z)
    for k in range(1, 30):
        factor = (-1) ** k * (order + 2 * k) / (k * (order + k))
        total = total - 2 / math.pi * factor * _j_near(xp, order + 2 * k, z)
    far = _waves(xp, order, xp.where((wide > 25) & xp.isfinite(wide), wide, 30.0))[1]
    value = xp.where(usual, total, far)
    value = xp.where(wide == 0, -xp.inf, xp.where(wide < 0, xp.nan, value))
    return xp.where(xp.isnan(wide), xp.nan, xp.where(wide == xp.inf, 0.0, value))


j0 = _unary("j0", "The Bessel function of the first kind, order 0.",
            lambda xp, x: _j(xp, 0, x), grad=_NO_SLOPE)
j1 = _unary("j1", "The Bessel function of the first kind, order 1.",
            lambda xp, x: _j(xp, 1, x), grad=_NO_SLOPE)
y0 = _unary("y0", "The Bessel function of the second kind, order 0.",
            lambda xp, x: _y(xp, 0, x), grad=_NO_SLOPE, domain=((0.5, 3.0),))
y1 = _unary("y1", "The Bessel function of the second kind, order 1.",
            lambda xp, x: _y(xp, 1, x), grad=_NO_SLOPE, domain=((0.5, 3.0),))
