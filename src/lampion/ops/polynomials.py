"""Orthogonal polynomials by their three-term recurrences; the degree is an operand."""

from __future__ import annotations

from ..ir import NoGradient
from .define import opaque

# Family: the polynomial of degree 1, and the next one from (degree k, x, p_k, p_k-1).
_FAMILIES = {
    "chebyshev_t": (lambda x: x, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_u": (lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_v": (lambda x: 2 * x - 1, lambda k, x, p, q: 2 * x * p - q),
    "chebyshev_w": (lambda x: 2 * x + 1, lambda k, x, p, q: 2 * x * p - q),
    "hermite_h": (lambda x: 2 * x, lambda k, x, p, q: 2 * x * p - 2 * k * q),
    "hermite_he": (lambda x: x, lambda k, x, p, q: x * p - k * q),
    "laguerre_l": (lambda x: 1 - x, lambda k, x, p, q: ((2 * k + 1 - x) * p - k * q) / (k + 1)),
    "legendre_p": (lambda x: x, lambda k, x, p, q: ((2 * k + 1) * x * p - k * q) / (k + 1)),
}


def _meaning(xp, x, n, family, shifted):
    wide = x.astype(xp.float64)
    z = 2 * wide - 1 if shifted else wide
    degree = xp.trunc(n.astype(xp.float64))
    first, following = _FAMILIES[family]
    before, now = xp.ones(z.shape), first(z)
    value = xp.where(degree == 0, before, xp.where(degree == 1, now, 0.0))
    highest = int(xp.max(xp.where(xp.isfinite(degree), degree, 0))) if degree.size else 0
    for k in range(1, highest):
        before, now = now, following(k, z, now, before)
        value = xp.where(degree == k + 1, now, value)
    return value.astype(x.dtype)


polynomial = opaque(
    "polynomial", "The orthogonal polynomial of a family and degree n at x.",
    meaning=_meaning, result=lambda x, n, family, shifted: x.type, floating=True,
    kernel="polynomial", grad=NoGradient("PyTorch does not define it either"),
    domain=((-1.0, 1.0), (0.0, 5.0)),
    samples=tuple((((3,), (3,)), {"family": name, "shifted": False}) for name in _FAMILIES))
