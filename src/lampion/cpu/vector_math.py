"""Functions of one and two variables, as vector instructions."""

from __future__ import annotations

from ..dtypes import float64
from .elements import Vector


def _libm(b, name, *x):
    return b.each(name if x[0].dtype is float64 else name + "f", *x)


def polynomial(b, x: Vector, *coefficients: float) -> Vector:
    """Highest power first."""
    found = b.constant(coefficients[0], x)
    for c in coefficients[1:]:
        found = b.fma(found, x, b.constant(c, x))
    return found


def exp(b, x): return _libm(b, "exp", x)
def exp2(b, x): return _libm(b, "exp2", x)
def expm1(b, x): return _libm(b, "expm1", x)
def log(b, x): return _libm(b, "log", x)
def log2(b, x): return _libm(b, "log2", x)
def log10(b, x): return _libm(b, "log10", x)
def log1p(b, x): return _libm(b, "log1p", x)
def sin(b, x): return _libm(b, "sin", x)
def cos(b, x): return _libm(b, "cos", x)
def tan(b, x): return _libm(b, "tan", x)
def asin(b, x): return _libm(b, "asin", x)
def acos(b, x): return _libm(b, "acos", x)
def atan(b, x): return _libm(b, "atan", x)
def sinh(b, x): return _libm(b, "sinh", x)
def cosh(b, x): return _libm(b, "cosh", x)
def tanh(b, x): return _libm(b, "tanh", x)
def asinh(b, x): return _libm(b, "asinh", x)
def acosh(b, x): return _libm(b, "acosh", x)
def atanh(b, x): return _libm(b, "atanh", x)
def erf(b, x): return _libm(b, "erf", x)
def erfinv(b, x): return _libm(b, "erf", x)
def atan2(b, x, y): return _libm(b, "atan2", x, y)
def pow(b, x, y): return _libm(b, "pow", x, y)
