"""The error function's relatives, and running sums of exponentials."""

from __future__ import annotations

import math

from ..ir import full
from .define import opaque
from .elementwise import exp, gt, log, where


def _erfc_meaning(xp, x):
    if not x.size:
        return x
    return xp.asarray(xp.frompyfunc(math.erfc, 1, 1)(x.astype(xp.float64))).astype(x.dtype)


erfc = opaque(
    "erfc", "1 - erf(x), exact where that is small.",
    meaning=_erfc_meaning, result=lambda x: x.type, floating=True, kernel="erfc",
    grad=lambda g, y, x: (g * (exp(-(x * x)) * (-2 / math.sqrt(math.pi))),))


def _erfcx_meaning(xp, x):
    wide = x.astype(xp.float64)
    small = xp.minimum(wide, 5.0)
    direct = xp.exp(small * small) * _erfc_meaning(xp, small)
    # Laplace's continued fraction from the far end, for 5 and above.
    large = xp.maximum(wide, 5.0)
    rest = large
    for k in range(60, 0, -1):
        rest = large + (k / 2) / rest
    return xp.where(wide < 5, direct, 1 / (math.sqrt(math.pi) * rest)).astype(x.dtype)


erfcx = opaque(
    "erfcx", "exp(x^2) erfc(x).",
    meaning=_erfcx_meaning, result=lambda x: x.type, floating=True, kernel="erfcx",
    grad=lambda g, y, x: (g * (2 * x * y - 2 / math.sqrt(math.pi)),))


def _ndtri_meaning(xp, p):
    wide = p.astype(xp.float64)
    inside = (wide > 0) & (wide < 1)
    tail = xp.where(inside, xp.minimum(wide, 1 - wide), 0.25)
    # Abramowitz and Stegun 26.2.23 to start with, then Halley's steps.
    t = xp.sqrt(-2 * xp.log(tail))
    x = (2.515517 + 0.802853 * t + 0.010328 * t * t) / (
        1 + 1.432788 * t + 0.189269 * t * t + 0.001308 * t ** 3) - t
    for _ in range(3):
        error = 0.5 * _erfc_meaning(xp, -x / math.sqrt(2)) - tail
        step = error * math.sqrt(2 * math.pi) * xp.exp(x * x / 2)
        x = x - step / (1 + x * step / 2)
    value = xp.where(wide > 0.5, -x, x)
    edge = xp.where(wide == 0, -xp.inf, xp.where(wide == 1, xp.inf, xp.nan))
    return xp.where(inside, value, edge).astype(p.dtype)


ndtri = opaque(
    "ndtri", "The number below which a share p of the standard normal distribution lies.",
    meaning=_ndtri_meaning, result=lambda p: p.type, floating=True, kernel="ndtri",
    domain=((0.1, 0.9),),
    grad=lambda g, y, p: (g * (exp(y * y / 2) * math.sqrt(2 * math.pi)),))


def _log_cumulative_meaning(xp, x, axis, reverse):
    if not x.size:
        return x
    wide = xp.flip(x, axis) if reverse else x
    found = xp.logaddexp.accumulate(wide.astype(xp.float64), axis=axis).astype(x.dtype)
    return xp.flip(found, axis) if reverse else found


def _log_cumulative_grad(g, y, x, axis, reverse):
    # exp(x) times the sums, the other way, of g exp(-y): positive and negative g apart, as logs.
    none, low = full(g.shape, 0, g.dtype), full(g.shape, -math.inf, g.dtype)

    def flow(part):
        some = gt(part, none)
        logs = where(some, log(where(some, part, full(g.shape, 1, g.dtype))) - y, low)
        return exp(log_cumulative(logs, axis=axis, reverse=not reverse) + x)

    return (flow(g) - flow(-g),)


log_cumulative = opaque(
    "log_cumulative", "log of the running sum of exp(x) along an axis.",
    meaning=_log_cumulative_meaning, result=lambda x, axis, reverse: x.type, floating=True,
    grad=_log_cumulative_grad, kernel="log_cumulative",
    samples=((((3, 4),), {"axis": 1, "reverse": False}), (((3,),), {"axis": 0, "reverse": True})))
