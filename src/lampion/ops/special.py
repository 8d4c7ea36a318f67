"""Meanings that take more than one line: whole-number division, powers, erf."""

from __future__ import annotations

import math

from ..errors import StateError


def _is_integer(x) -> bool:
    return x.dtype.kind in "iub"


def _refuse_zero(xp, b) -> None:
    if _is_integer(b) and b.size and not xp.all(b):
        raise StateError("ZeroDivisionError: an integer tensor was divided by zero",
                         why="whole numbers have no infinity to stand for the result",
                         fix="x.float() / y, or torch.where(y != 0, y, 1) as the divisor")


def _round_quotient(xp, quotient, rounded):
    # PyTorch keeps the sign of a quotient that rounds to zero.
    return xp.where(rounded == 0, xp.copysign(xp.zeros((), quotient.dtype), quotient), rounded)


def floor_divide(xp, a, b):
    """PyTorch's floor division: through fmod for floats, so that the result is exact."""
    _refuse_zero(xp, b)
    if _is_integer(a):
        return xp.floor_divide(a, b)
    quotient = xp.divide(a, b)
    left = xp.fmod(a, b)
    exact = (a - left) / b
    exact = xp.where((left != 0) & ((b < 0) != (left < 0)), exact - 1, exact)
    floor = xp.floor(exact)
    floor = xp.where(exact - floor > 0.5, floor + 1, floor)
    floor = _round_quotient(xp, quotient, floor)
    return xp.where(b == 0, quotient, floor).astype(a.dtype)


def trunc_divide(xp, a, b):
    """Division without the fraction."""
    _refuse_zero(xp, b)
    if not _is_integer(a):
        return xp.trunc(xp.divide(a, b))
    floor = xp.floor_divide(a, b)
    inexact = (floor * b != a) & ((a < 0) != (b < 0))
    return (floor + inexact).astype(a.dtype)


def remainder(xp, a, b):
    """The rest with the sign of the divisor."""
    _refuse_zero(xp, b)
    if _is_integer(a):
        return xp.remainder(a, b)
    left = xp.fmod(a, b)
    return xp.where((left != 0) & ((b < 0) != (left < 0)), left + b, left).astype(a.dtype)


def fmod(xp, a, b):
    """The rest with the sign of the dividend."""
    _refuse_zero(xp, b)
    return xp.fmod(a, b)


def cast(xp, x, dtype):
    """Another type; of complex numbers only the real part goes into a real type."""
    x = xp.asarray(x)
    if x.dtype.kind == "c" and not dtype.is_complex:
        x = x != 0 if dtype.category == 0 else x.real
    return x.astype(dtype.array)


def power(xp, a, b):
    """Power; an integer to a negative power is 0, except for bases 1 and -1."""
    if not _is_integer(a):
        return xp.power(a, b)
    if a.dtype.kind != "i":
        return xp.power(a, b)
    whole = xp.power(a, xp.where(b < 0, xp.zeros((), b.dtype), b))
    sign = xp.where(b % 2 == 0, xp.abs(a), a)
    return xp.where(b < 0, xp.where(xp.abs(a) == 1, sign, 0), whole).astype(a.dtype)


def sign(xp, x):
    """Sign with sign(NaN) = 0."""
    if x.dtype.kind == "b":
        return x
    return ((x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)).astype(x.dtype)


def sigmoid(xp, x):
    """The logistic function without overflow on either side."""
    if x.dtype.kind == "c":
        return (1 / (1 + xp.exp(-x))).astype(x.dtype)
    small = xp.exp(-xp.abs(x))
    return (xp.where(x >= 0, xp.ones((), x.dtype), small) / (1 + small)).astype(x.dtype)


def emit_sigmoid(b, x):
    """The same as instructions."""
    one = b.constant(1, x)
    small = b.exp(b.neg(b.abs(x)))
    return b.div(b.where(b.ge(x, b.constant(0, x)), one, small), b.add(one, small))


def erf(xp, x):
    """The error function of the C library, element by element."""
    if not x.size:
        return x
    return xp.asarray(xp.frompyfunc(math.erf, 1, 1)(x)).astype(x.dtype)


def erfinv(xp, x):
    """The inverse error function: Winitzki's start, then three Halley steps in float64."""
    wide = x.astype(xp.float64)
    inside = xp.where(xp.abs(wide) < 1, wide, 0)
    rest = xp.log1p(-inside * inside)
    a = 0.147
    half = 2 / (math.pi * a) + rest / 2
    y = xp.copysign(xp.sqrt(xp.sqrt(half * half - rest / a) - half), inside)
    for _ in range(3):
        error = xp.asarray(erf(xp, y) - inside)
        slope = 2 / math.sqrt(math.pi) * xp.exp(-y * y)
        step = error / xp.where(slope == 0, 1, slope)
        y = y - step / (1 + y * step)
    edge = xp.where(xp.abs(wide) == 1, xp.copysign(xp.inf, wide), xp.nan)
    return xp.where(xp.abs(wide) < 1, y, edge).astype(x.dtype)
