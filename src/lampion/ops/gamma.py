"""The gamma function's relatives: logarithm, derivatives, incomplete integrals, Hurwitz's zeta.

Meanings work in float64 whatever the element type.
"""

from __future__ import annotations

import math

from ..errors import UnsupportedError
from ..ir import Value
from .define import opaque
from .elementwise import exp, log

# Euler and Maclaurin's correction terms: (2k)! / B(2k), k = 1 ... 12.
_MACLAURIN = (
    12.0, -720.0, 30240.0, -1209600.0, 47900160.0, -1.8924375803183791606e9, 7.47242496e10,
    -2.950130727918164224e12, 1.1646782814350067249e14, -4.5979787224074726105e15,
    1.8152105401943546773e17, -7.1661652561756670113e18,
)
# B(2k) / (2k), k = 1 ... 7: the asymptotic series of digamma.
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)


def _lgamma(x: float) -> float:
    try:
        return math.lgamma(x)
    except ValueError:  # a pole
        return math.inf


def _lgamma_meaning(xp, x):
    if not x.size:
        return x
    return xp.asarray(xp.frompyfunc(_lgamma, 1, 1)(x.astype(xp.float64))).astype(x.dtype)


lgamma = opaque(
    "lgamma", "The logarithm of the gamma function's absolute value.",
    meaning=_lgamma_meaning, result=lambda x: x.type, floating=True, kernel="lgamma",
    domain=((0.5, 4.0),), grad=lambda g, y, x: (g * digamma(x),))


def _digamma_meaning(xp, x):
    wide = x.astype(xp.float64)
    # Reflection: psi(x) = psi(1 - x) - pi / tan(pi x), the tangent without whole parts of x.
    mirrored = wide < 0.5
    z = xp.where(mirrored, 1 - wide, wide)
    result = xp.zeros(z.shape)
    for _ in range(10):
        small = z < 10
        result = result - xp.where(small, 1 / xp.where(small, z, 1), 0)
        z = xp.where(small, z + 1, z)
    inverse = 1 / (z * z)
    series = xp.zeros(z.shape)
    for factor in reversed(_DIGAMMA):
        series = (series + factor) * inverse
    result = result + xp.log(z) - 0.5 / z - series
    fraction = wide - xp.round(wide)
    turned = math.pi / xp.tan(math.pi * xp.where(fraction == 0, 0.25, fraction))
    result = xp.where(mirrored, result - turned, result)
    pole = mirrored & (fraction == 0)
    result = xp.where(pole, xp.where(wide == 0, -xp.copysign(xp.inf, wide), xp.nan), result)
    return xp.where(wide == xp.inf, xp.inf, result).astype(x.dtype)


digamma = opaque(
    "digamma", "The slope of lgamma.",
    meaning=_digamma_meaning, result=lambda x: x.type, floating=True, kernel="digamma",
    domain=((0.5, 4.0),), grad=lambda g, y, x: (g * polygamma(x, n=1),))


def hurwitz(xp, s, q):
    """The sum of (q + k)^-s over k = 0, 1, ..., by Euler and Maclaurin's formula."""
    s, a = s.astype(xp.float64), q.astype(xp.float64)
    bad = (s < 1) | ((a <= 0) & (s != xp.floor(s)))
    infinite = (s == 1) | ((a <= 0) & (a == xp.floor(a)))
    usual = ~(bad | infinite | xp.isnan(s) | xp.isnan(a))
    s, a = xp.where(usual, s, 2.0), xp.where(usual, a, 1.0)
    total = xp.zeros(xp.broadcast_shapes(s.shape, a.shape))
    while xp.any(a <= 9):
        total = total + xp.where(a <= 9, a ** -s, 0)
        a = xp.where(a <= 9, a + 1, a)
    total = total + a ** (1 - s) / (s - 1) + 0.5 * a ** -s
    factor, power = s, a ** (-s - 1)
    for k, scale in enumerate(_MACLAURIN):
        total = total + factor * power / scale
        factor = factor * (s + 2 * k + 1) * (s + 2 * k + 2)
        power = power / (a * a)
    return xp.where(usual, total, xp.where(infinite & ~(s < 1), xp.inf, xp.nan))


def _zeta_meaning(xp, s, q):
    value = hurwitz(xp, s, q)
    value = xp.where(s < 1, xp.nan, value)
    return value.astype(s.dtype)


def _zeta_grad(g, y, s, q):
    if s.tracked:
        raise UnsupportedError("the derivative of zeta by its first argument is not implemented",
                               fix="x.detach() as the first argument")
    return None, g * (-(s * zeta(s + 1, q)))


zeta = opaque(
    "zeta", "Hurwitz's zeta function: the sum of (q + k)^-s over k = 0, 1, ...",
    meaning=_zeta_meaning, result=lambda s, q: s.type, floating=True, kernel="zeta",
    domain=((1.5, 4.0), (0.5, 4.0)), grad=_zeta_grad, samples=((((3,), (3,)), {}),))


def _polygamma_meaning(xp, x, n):
    if n == 0:
        return _digamma_meaning(xp, x)
    order = xp.full((), float(n + 1))
    value = math.gamma(n + 1) * hurwitz(xp, order, x)
    return (value if n % 2 else -value).astype(x.dtype)


polygamma = opaque(
    "polygamma", "Derivative number n of digamma.",
    meaning=_polygamma_meaning, result=lambda x, n: x.type, floating=True, kernel="polygamma",
    domain=((0.5, 4.0),), grad=lambda g, y, x, n: (g * polygamma(x, n=n + 1),),
    samples=((((3,),), {"n": 2}), (((2, 2),), {"n": 0})))

# --- incomplete gamma functions ------------------------------------------------------------------

_STEPS = 2000


def _series(xp, a, x):
    """The lower integral's share by its power series, good for x < a + 1."""
    term = total = xp.ones(x.shape)
    k = a
    for _ in range(_STEPS):
        k = k + 1
        term = term * x / k
        total = total + term
        if not xp.any(xp.abs(term) > 1e-17 * xp.abs(total)):
            break
    return total / a


def _fraction(xp, a, x):
    """The upper integral's share by Lentz's continued fraction, good for x > a + 1."""
    tiny = 1e-300
    b = x + 1 - a
    c, d = xp.full(x.shape, 1 / tiny), 1 / b
    h = d
    for k in range(1, _STEPS):
        step = -k * (k - a)
        b = b + 2
        d = step * d + b
        d = 1 / xp.where(xp.abs(d) < tiny, tiny, d)
        c = b + step / c
        c = xp.where(xp.abs(c) < tiny, tiny, c)
        h = h * d * c
        if not xp.any(xp.abs(d * c - 1) > 1e-16):
            break
    return h


def _incomplete(xp, a, x, upper):
    wa, wx = a.astype(xp.float64), x.astype(xp.float64)
    usual = (wa > 0) & (wx > 0) & xp.isfinite(wa) & xp.isfinite(wx)
    sa, sx = xp.where(usual, wa, 1.0), xp.where(usual, wx, 1.0)
    scale = xp.exp(sa * xp.log(sx) - sx - _lgamma_meaning(xp, sa))
    low = sx < sa + 1
    below = xp.where(low, _series(xp, sa, xp.where(low, sx, 0.0)) * scale, 0.0)
    fraction = _fraction(xp, xp.where(low, 0.5, sa), xp.where(low, 3.0, sx))
    above = xp.where(low, 0.0, fraction * scale)
    lower = xp.where(low, below, 1 - above)
    other = xp.where(low, 1 - below, above)
    value = other if upper else lower
    # The ends: nothing below 0; a = 0 puts everything at 0; all of it lies below infinity.
    none, all_ = (1.0, 0.0) if upper else (0.0, 1.0)
    value = xp.where((wx == 0) & (wa > 0), none, value)
    value = xp.where((wa == 0) & (wx > 0), all_, value)
    value = xp.where(xp.isinf(wx) & (wx > 0) & xp.isfinite(wa) & (wa >= 0), all_, value)
    value = xp.where(xp.isinf(wa) & (wa > 0) & xp.isfinite(wx) & (wx >= 0), none, value)
    bad = (wa < 0) | (wx < 0) | ((wa == 0) & (wx == 0)) | xp.isnan(wa) | xp.isnan(wx) | (
        xp.isinf(wa) & xp.isinf(wx))
    return xp.where(bad, xp.nan, value).astype(a.dtype)


def _incomplete_grad(g: Value, a: Value, x: Value, sign: int):
    if a.tracked:
        raise UnsupportedError("the derivative of igamma and igammac by the first argument is not "
                               "implemented", fix="a.detach()")
    return None, g * (exp((a - 1) * log(x) - x - lgamma(a)) * sign)


igamma = opaque(
    "igamma", "The share of gamma(a)'s integral of t^(a-1) exp(-t) that lies below x.",
    meaning=lambda xp, a, x: _incomplete(xp, a, x, False), result=lambda a, x: a.type,
    floating=True, kernel="igamma", domain=((0.5, 4.0),),
    grad=lambda g, y, a, x: _incomplete_grad(g, a, x, 1), samples=((((3,), (3,)), {}),))

igammac = opaque(
    "igammac", "The share of gamma(a)'s integral of t^(a-1) exp(-t) that lies above x.",
    meaning=lambda xp, a, x: _incomplete(xp, a, x, True), result=lambda a, x: a.type,
    floating=True, kernel="igammac", domain=((0.5, 4.0),),
    grad=lambda g, y, a, x: _incomplete_grad(g, a, x, -1), samples=((((3,), (3,)), {}),))
