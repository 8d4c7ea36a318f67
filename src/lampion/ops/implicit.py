"""How a random number moves when the shape of its distribution does, all else being equal.

With F the cumulative distribution and p the density, F(z, a) = const gives dz/da = -(dF/da) / p
(Figurnov, Mohamed and Mnih, "Implicit reparameterization gradients", 2018, equation 6). The
incomplete integrals and their derivatives are carried side by side through the same series and
continued fractions.
"""

from __future__ import annotations

from ..ir import NoGradient
from .define import opaque
from .gamma import _digamma_meaning

_STEPS = 5000
_CLOSE = 1e-15
# From here on Wilson and Hilferty's cube root, whose error falls with 1 / alpha, is close enough.
_LARGE = 1e4


def _gamma_series(xp, a, x):
    """The sum of x^n / ((a + 1) ... (a + n)) and its derivative by a, for x < a + 1."""
    term = total = xp.ones(x.shape)
    slope = slopes = xp.zeros(x.shape)
    k = a
    for _ in range(_STEPS):
        k = k + 1
        term = term * x / k
        slope = slope * x / k - term / k
        total, slopes = total + term, slopes + slope
        if not xp.any(xp.abs(slope) + term > _CLOSE * total):
            break
    return total, slopes


def _gamma_fraction(xp, a, x):
    """Lentz's continued fraction of the upper integral and its derivative by a, for x > a + 1."""
    b = x + 1 - a
    c, dc = xp.full(x.shape, 1e300), xp.zeros(x.shape)
    d = 1 / b
    dd = d * d
    h, dh = d, dd
    for k in range(1, _STEPS):
        step = -k * (k - a)
        b = b + 2
        dd = k * d + step * dd - 1
        d = 1 / (step * d + b)
        dd = -dd * d * d
        dc = k / c - step * (dc / c) / c - 1
        c = b + step / c
        factor = d * c
        dh = dh * factor + h * (dd * c + d * dc)
        h = h * factor
        if not xp.any(xp.abs(factor - 1) > _CLOSE):
            break
    return h, dh


def _gamma_slope_meaning(xp, alpha, z):
    a, x = alpha.astype(xp.float64), z.astype(xp.float64)
    usual = (a > 0) & (x > 0) & xp.isfinite(x) & (a < _LARGE)
    sa, sx = xp.where(usual, a, 1.0), xp.where(usual, x, 1.0)
    low = sx < sa + 1
    log, psi = xp.log(sx), _digamma_meaning(xp, sa)
    total, slopes = _gamma_series(xp, sa, xp.where(low, sx, 0.0))
    below = -sx / sa * (total * (log - psi - 1 / sa) + slopes)
    h, dh = _gamma_fraction(xp, xp.where(low, 0.5, sa), xp.where(low, 3.0, sx))
    above = sx * (h * (log - psi) + dh)
    slope = xp.where(low, below, above)
    big = xp.where(a >= _LARGE, a, _LARGE)
    ratio = xp.cbrt(xp.maximum(x, 0.0) / big)
    score = 3 * xp.sqrt(big) * (ratio - 1 + 1 / (9 * big))
    cubed = ratio**3 + 3 * big * ratio**2 * (1 / (9 * big**2) - score / (6 * big**1.5))
    slope = xp.where(usual, slope, xp.where(a >= _LARGE, cubed, 0.0))
    return xp.where((a > 0) & (x >= 0), slope, xp.nan).astype(alpha.dtype)


gamma_slope = opaque(
    "gamma_slope", "How a number of the gamma distribution moves with the distribution's shape.",
    meaning=_gamma_slope_meaning, result=lambda alpha, z: alpha.type, floating=True,
    kernel="gamma_slope", domain=((0.3, 4.0),), samples=((((3,), (3,)), {}),),
    grad=NoGradient("PyTorch does not define a second derivative of gamma samples either"))


def _beta_fraction(xp, a, b, x, da, db):
    """The continued fraction of the incomplete beta integral, and its derivative.

    Args:
        da, db: 1 for the parameter to differentiate by, 0 for the other.
    """
    both = a + b
    dboth = da + db
    d = 1 / (1 - both * x / (a + 1))
    dd = (dboth * (a + 1) - both * da) * x / (a + 1) ** 2 * d * d
    c, dc = xp.ones(x.shape), xp.zeros(x.shape)
    h, dh = d, dd
    for m in range(1, _STEPS):
        k = a + 2 * m
        even = m * (b - m) * x / ((k - 1) * k)
        deven = m * db * x / ((k - 1) * k) - even * da * (1 / (k - 1) + 1 / k)
        odd = -(a + m) * (both + m) * x / (k * (k + 1))
        dodd = (-(da * (both + m) + (a + m) * dboth) * x / (k * (k + 1))
                - odd * da * (1 / k + 1 / (k + 1)))
        for step, dstep in ((even, deven), (odd, dodd)):
            dd = dstep * d + step * dd
            d = 1 / (1 + step * d)
            dd = -dd * d * d
            dc = dstep / c - step * (dc / c) / c
            c = 1 + step / c
            factor = d * c
            dh = dh * factor + h * (dd * c + d * dc)
            h = h * factor
        if not xp.any(xp.abs(factor - 1) > _CLOSE):
            break
    return h, dh


def _dirichlet_slope_meaning(xp, x, alpha, total):
    share, a = x.astype(xp.float64), alpha.astype(xp.float64)
    b = total.astype(xp.float64) - a
    usual = (a > 0) & (b > 0) & (share > 0) & (share <= 1)
    sx, sa, sb = (xp.where(usual, v, f) for v, f in ((share, 0.5), (a, 1.0), (b, 1.0)))
    low = sx < (sa + 1) / (sa + sb + 2)
    first, second = xp.where(low, sa, sb), xp.where(low, sb, sa)
    h, dh = _beta_fraction(xp, first, second, xp.where(low, sx, 1 - sx),
                           xp.where(low, 1.0, 0.0), xp.where(low, 0.0, 1.0))
    psi = _digamma_meaning(xp, sa) - _digamma_meaning(xp, sa + sb)
    moved = h * (xp.log(sx) - psi - xp.where(low, 1 / sa, 0.0)) + dh
    slope = xp.where(low, -1.0, 1.0) * sx / first * moved
    slope = xp.where(usual, slope, 0.0)
    return xp.where((a > 0) & (share >= 0), slope, xp.nan).astype(x.dtype)


dirichlet_slope = opaque(
    "dirichlet_slope", "How a share x of a Dirichlet distribution moves with its concentration, "
    "divided by 1 - x.",
    meaning=_dirichlet_slope_meaning, result=lambda x, alpha, total: x.type, floating=True,
    kernel="dirichlet_slope", domain=((0.1, 0.9), (0.3, 2.0), (2.5, 4.0)),
    samples=((((3,), (3,), (3,)), {}),),
    grad=NoGradient("PyTorch does not define a second derivative of Dirichlet samples either"))
