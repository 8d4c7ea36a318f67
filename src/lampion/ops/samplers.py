"""Random numbers whose distribution has a shape: gamma, Dirichlet, Poisson, binomial, von Mises.

Each element has random blocks of its own: those of attempt t of element i are numbers
`i * BLOCKS + t * count * BLOCKS` and following after the key's offset, so that an element that is
refused takes nothing from the others. Everything is computed in float64.
"""

from __future__ import annotations

import math

from ..ir import Value, registry, zero
from .define import opaque
from .gamma import _lgamma_meaning
from .implicit import dirichlet_slope, gamma_slope
from .random import words

# Blocks of one attempt, of which two numbers each are made, and the attempts that a draw reserves.
# Of gamma's, at most one in twenty is refused; of von Mises', one in three.
BLOCKS, ATTEMPTS = 2, 32


def _numbers(xp, key, places, attempt, count):
    """Four numbers in (0, 1) for each of the places, with 52 random bits."""
    first = (places.astype(xp.uint64) + xp.uint64(attempt * count)) * xp.uint64(BLOCKS)
    found = []
    for block in range(BLOCKS):
        a, b, c, d = words(xp, key, first + xp.uint64(block))
        for high, low in ((a, b), (c, d)):
            whole = (high << xp.uint64(20)) | (low >> xp.uint64(12))
            found.append((whole.astype(xp.float64) + 0.5) * 2.0**-52)
    return found


def _until_taken(xp, key, parameters, propose, start):
    """Propose numbers for the elements that have none yet, until each has one.

    Args:
        parameters: flat float64 arrays, one entry for each element.
        propose: `propose(numbers, *parameters)` -> (proposals, which of them are taken).
        start: the result where a parameter is NaN (and before).
    """
    result = start.copy()
    bad = xp.zeros(start.shape, bool)
    for array in parameters:
        bad |= xp.isnan(array)
    result[bad] = xp.nan
    open_ = xp.flatnonzero(~bad)
    attempt = 0
    while open_.size:
        numbers = _numbers(xp, key, open_, attempt, start.size)
        proposed, taken = propose(numbers, *(array[open_] for array in parameters))
        result[open_[taken]] = proposed[taken]
        open_ = open_[~taken]
        attempt += 1
    return result


# --- gamma and Dirichlet -------------------------------------------------------------------------


def _log_gamma(xp, key, alpha):
    """Logarithms of gamma numbers, which do not underflow: Marsaglia and Tsang (2000)."""
    flat = alpha.astype(xp.float64).reshape(-1)
    flat = xp.where(flat > 0, flat, xp.nan)

    def propose(numbers, a):
        u, v, w, boost = numbers
        d = xp.where(a < 1, a + 1, a) - 1 / 3
        normal = xp.sqrt(-2 * xp.log(u)) * xp.cos(2 * math.pi * v)
        cube = (1 + normal / xp.sqrt(9 * d)) ** 3
        positive = cube > 0
        log = xp.log(xp.where(positive, cube, 1.0))
        taken = positive & (xp.log(w) < 0.5 * normal**2 + d * (1 - cube + log))
        # A shape below 1: a number of shape a + 1 times u^(1 / a).
        return xp.log(d) + log + xp.where(a < 1, xp.log(boost) / a, 0.0), taken

    return _until_taken(xp, key, (flat,), propose, xp.zeros(flat.shape)).reshape(alpha.shape)


def _standard_gamma_meaning(xp, key, alpha):
    return xp.exp(_log_gamma(xp, key, alpha)).astype(alpha.dtype)


standard_gamma = opaque(
    "standard_gamma", "Numbers of the gamma distribution of shape alpha and rate 1.",
    meaning=_standard_gamma_meaning, result=lambda key, alpha: alpha.type,
    grad=lambda g, y, key, alpha: (None, g * gamma_slope(alpha, y)), floating=True,
    kernel="standard_gamma", domain=((0.0, 3.0), (0.3, 4.0)), samples=((((2,), (3, 2)), {}),))


def _dirichlet_meaning(xp, key, concentration):
    logs = _log_gamma(xp, key, concentration)
    if not logs.size:
        return concentration
    parts = xp.exp(logs - logs.max(-1, keepdims=True))
    return (parts / parts.sum(-1, keepdims=True)).astype(concentration.dtype)


def _dirichlet_grad(g: Value, y: Value, key: Value, concentration: Value):
    axes = (len(y.shape) - 1,)
    total = registry["expand"](registry["sum"](concentration, axes=axes), shape=y.shape)
    mean = registry["expand"](registry["sum"](y * g, axes=axes), shape=y.shape)
    return None, dirichlet_slope(y, concentration, total) * (g - mean)


dirichlet = opaque(
    "dirichlet", "Shares along the last axis that follow the Dirichlet distribution.",
    meaning=_dirichlet_meaning, result=lambda key, concentration: concentration.type,
    grad=_dirichlet_grad, floating=True, kernel="dirichlet", domain=((0.0, 3.0), (0.3, 4.0)),
    samples=((((2,), (3, 2)), {}),))


# --- counts --------------------------------------------------------------------------------------


def _by_search(xp, u, first, ratio, most):
    """Counts by inversion: the first k at which the summed chances reach u.

    Args:
        first: the chance of 0.
        ratio: `ratio(k)`, the chance of k over that of k - 1.
        most: where the search ends.
    """
    chance, total, k = first, first, 0
    result = xp.zeros(u.shape)
    while k < most and xp.any(u > total):
        k += 1
        chance = chance * ratio(k)
        result = xp.where(u > total, float(k), result)
        total = total + chance
    return result


def _poisson_meaning(xp, key, rate):
    flat = rate.astype(xp.float64).reshape(-1)
    flat = xp.where(flat >= 0, flat, xp.nan)

    def propose(numbers, lam):
        u, v = numbers[:2]
        small = lam < 10
        few = xp.where(small, lam, 1.0)
        searched = _by_search(xp, u, xp.exp(-few), lambda k: few / k, 200)
        # Transformed rejection: Hoermann, "The transformed rejection method for generating
        # Poisson random variables" (1993), algorithm PTRS.
        many = xp.where(small, 10.0, lam)
        b = 0.931 + 2.53 * xp.sqrt(many)
        a = -0.059 + 0.02483 * b
        centred = u - 0.5
        room = 0.5 - xp.abs(centred)
        k = xp.floor((2 * a / room + b) * centred + many + 0.43)
        at_once = (room >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        possible = (k >= 0) & ((room >= 0.013) | (v <= room))
        k = xp.maximum(k, 0.0)
        scale = xp.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / room**2 + b))
        taken = at_once | (possible & (
            scale <= k * xp.log(many) - many - _lgamma_meaning(xp, k + 1)))
        return xp.where(small, searched, k), small | taken

    return _until_taken(xp, key, (flat,), propose, xp.zeros(flat.shape)).reshape(
        rate.shape).astype(rate.dtype)


poisson = opaque(
    "poisson", "Counts of the Poisson distribution of that rate.",
    meaning=_poisson_meaning, result=lambda key, rate: rate.type, grad=zero, floating=True,
    kernel="poisson", domain=((0.0, 3.0), (0.3, 20.0)), samples=((((2,), (3, 2)), {}),))


def _binomial_meaning(xp, key, count, chance):
    shape, kind = count.shape, count.dtype
    n, p = (x.astype(xp.float64).reshape(-1) for x in (count, chance))
    n = xp.where(n >= 0, xp.floor(n), xp.nan)
    turned = p > 0.5
    q = xp.where((p >= 0) & (p <= 1), xp.where(turned, 1 - p, p), xp.nan)

    def propose(numbers, n, p):
        u, v = numbers[:2]
        small = n * p < 10
        odds, none = p / (1 - p), xp.exp(n * xp.log1p(-p))
        searched = xp.minimum(_by_search(
            xp, u, xp.where(small, none, 1.0), lambda k: (n - k + 1) / k * odds, 200), n)
        # Transformed rejection: Hoermann, "The generation of binomial random variates" (1993),
        # algorithm BTRS.
        many, share = xp.where(small, 40.0, n), xp.where(small, 0.5, p)
        spread = xp.sqrt(many * share * (1 - share))
        b = 1.15 + 2.53 * spread
        a = -0.0873 + 0.0248 * b + 0.01 * share
        centred = u - 0.5
        room = 0.5 - xp.abs(centred)
        k = xp.floor((2 * a / room + b) * centred + many * share + 0.5)
        at_once = (room >= 0.07) & (v <= 0.92 - 4.2 / b)
        possible = (k >= 0) & (k <= many)
        k = xp.clip(k, 0.0, many)
        mode = xp.floor((many + 1) * share)

        def log_chance(k):
            return (k * xp.log(share / (1 - share)) - _lgamma_meaning(xp, k + 1)
                    - _lgamma_meaning(xp, many - k + 1))

        scale = xp.log(v * (2.83 + 5.1 / b) * spread / (a / room**2 + b))
        taken = at_once | (possible & (scale <= log_chance(k) - log_chance(mode)))
        return xp.where(small, searched, k), small | (taken & possible)

    drawn = _until_taken(xp, key, (n, q), propose, xp.zeros(n.shape))
    return xp.where(turned, n - drawn, drawn).reshape(shape).astype(kind)


binomial = opaque(
    "binomial", "Successes in `count` trials that succeed with `chance` each.",
    meaning=_binomial_meaning, result=lambda key, count, chance: count.type, grad=zero,
    floating=True, kernel="binomial", domain=((0.0, 3.0), (1.0, 40.0), (0.1, 0.9)),
    samples=((((2,), (3, 2), (3, 2)), {}),))


# --- on the circle -------------------------------------------------------------------------------


def _von_mises_meaning(xp, key, concentration):
    flat = concentration.astype(xp.float64).reshape(-1)

    def propose(numbers, kappa):
        u, v, w = numbers[:3]
        safe = xp.maximum(kappa, 1e-5)
        tau = 1 + xp.sqrt(1 + 4 * safe**2)
        rho = (tau - xp.sqrt(2 * tau)) / (2 * safe)
        r = xp.where(kappa < 1e-5, 1 / safe + safe, (1 + rho**2) / (2 * rho))
        z = xp.cos(math.pi * u)
        f = (1 + r * z) / (r + z)
        c = kappa * (r - f)
        taken = (kappa < 1e-5) | (c * (2 - c) - v > 0) | (
            xp.log(xp.maximum(c, 1e-300) / v) + 1 - c >= 0)
        angle = xp.where(kappa < 1e-5, math.pi * u, xp.arccos(xp.clip(f, -1.0, 1.0)))
        return xp.where(w < 0.5, -angle, angle), taken

    return _until_taken(xp, key, (flat,), propose, xp.zeros(flat.shape)).reshape(
        concentration.shape).astype(concentration.dtype)


von_mises = opaque(
    "von_mises", "Angles around 0 of the von Mises distribution (Best and Fisher 1979).",
    meaning=_von_mises_meaning, result=lambda key, concentration: concentration.type, grad=zero,
    floating=True, kernel="von_mises", domain=((0.0, 3.0), (0.3, 4.0)),
    samples=((((2,), (3, 2)), {}),))
