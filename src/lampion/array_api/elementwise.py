"""The standard's elementwise functions, and the operators of `Array` that are the same things."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..functions import complex_numbers as c
from ..functions import elementwise as e
from ..functions import number_parts as parts
from ..tensor import Tensor
from .array import Array, tensor_of
from .promotion import check_kind, common_type, converted, pair, scalar


def _one(name: str, kind: str, function: Callable, sentence: str) -> Callable[[Array], Array]:
    def apply(x: Array, /) -> Array:
        tensor = tensor_of(x, name)
        check_kind(name, tensor.dtype, kind)
        return Array(function(tensor))

    return _named(apply, name, sentence)


def _two(name: str, kind: str, function: Callable, sentence: str) -> Callable[[Any, Any], Array]:
    def apply(x1: Array, x2: Array, /) -> Array:
        return Array(function(*pair(name, x1, x2, kind)))

    return _named(apply, name, sentence)


def _named(function: Any, name: str, sentence: str) -> Any:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = sentence
    return function


def _same_if_whole(function: Callable) -> Callable:
    """Rounding leaves whole numbers as they are."""
    return lambda x: function(x) if x.dtype.is_inexact else e.clone(x)


def _round(x: Any) -> Any:
    if x.dtype.is_complex:
        return c.complex(e.round(c.real(x)), e.round(c.imag(x)))
    return e.round(x)


def _sign(x: Any) -> Any:
    found = c.sgn(x)
    return e.where(e.isnan(x), x, found) if x.dtype.is_inexact else found


def _parts_that_are(test: Callable) -> Callable:
    """A test of numbers that holds for a complex number where it holds for one of its parts."""
    def function(x: Any) -> Any:
        if x.dtype.is_complex:
            return e.logical_or(test(c.real(x)), test(c.imag(x)))
        return test(x)
    return function


def _isfinite(x: Any) -> Any:
    if x.dtype.is_complex:
        return e.logical_and(e.isfinite(c.real(x)), e.isfinite(c.imag(x)))
    return e.isfinite(x)


def _remainder(a: Any, b: Any) -> Any:
    found = e.remainder(a, b)
    if not a.dtype.is_inexact:
        return found
    return e.where(e.eq(found, 0), parts.copysign(found, b), found)


abs = _one("abs", "numeric", e.abs, "The distance from zero.")
acos = _one("acos", "floating", e.acos, "Inverse cosine, in radians.")
acosh = _one("acosh", "floating", e.acosh, "Inverse hyperbolic cosine.")
asin = _one("asin", "floating", e.asin, "Inverse sine, in radians.")
asinh = _one("asinh", "floating", e.asinh, "Inverse hyperbolic sine.")
atan = _one("atan", "floating", e.atan, "Inverse tangent, in radians.")
atanh = _one("atanh", "floating", e.atanh, "Inverse hyperbolic tangent.")
bitwise_invert = _one("bitwise_invert", "integral or bool", e.bitwise_not, "Every bit turned.")
ceil = _one("ceil", "real numeric", _same_if_whole(e.ceil), "The smallest whole number not below.")
conj = _one("conj", "numeric", c.conj, "The complex conjugate.")
cos = _one("cos", "floating", e.cos, "Cosine; x in radians.")
cosh = _one("cosh", "floating", e.cosh, "Hyperbolic cosine.")
exp = _one("exp", "floating", e.exp, "e to the power x.")
expm1 = _one("expm1", "floating", e.expm1, "exp(x) - 1, exact near zero.")
floor = _one("floor", "real numeric", _same_if_whole(e.floor),
             "The largest whole number not above.")
imag = _one("imag", "complex floating", c.imag, "The imaginary part.")
isfinite = _one("isfinite", "numeric", _isfinite, "Whether it is a finite number.")
isinf = _one("isinf", "numeric", _parts_that_are(e.isinf), "Whether it is infinite.")
isnan = _one("isnan", "numeric", _parts_that_are(e.isnan), "Whether it is not a number.")
log = _one("log", "floating", e.log, "Natural logarithm.")
log10 = _one("log10", "floating", e.log10, "Logarithm to base 10.")
log1p = _one("log1p", "floating", e.log1p, "log(1 + x), exact near zero.")
log2 = _one("log2", "floating", e.log2, "Logarithm to base 2.")
logical_not = _one("logical_not", "bool", e.logical_not, "Not.")
negative = _one("negative", "numeric", e.neg, "-x.")
positive = _one("positive", "numeric", e.clone, "+x.")
real = _one("real", "numeric", lambda x: c.real(x) if x.dtype.is_complex else e.clone(x),
            "The real part.")
reciprocal = _one("reciprocal", "floating", e.reciprocal, "1 / x.")
round = _one("round", "numeric", _same_if_whole(_round),
             "The nearest whole number, halves to even.")
sign = _one("sign", "numeric", _sign, "-1, 0 or 1; x / |x| of complex numbers; NaN of NaN.")
signbit = _one("signbit", "real floating", parts.signbit, "Whether the sign bit is set.")
sin = _one("sin", "floating", e.sin, "Sine; x in radians.")
sinh = _one("sinh", "floating", e.sinh, "Hyperbolic sine.")
sqrt = _one("sqrt", "floating", e.sqrt, "Square root.")
square = _one("square", "numeric", lambda x: e.mul(x, x), "x x.")
tan = _one("tan", "floating", e.tan, "Tangent; x in radians.")
tanh = _one("tanh", "floating", e.tanh, "Hyperbolic tangent.")
trunc = _one("trunc", "real numeric", _same_if_whole(e.trunc), "x without its fraction.")

add = _two("add", "numeric", e.add, "x1 + x2.")
atan2 = _two("atan2", "real floating", e.atan2, "The angle of the point (x2, x1), in radians.")
bitwise_and = _two("bitwise_and", "integral or bool", e.bitwise_and, "Both bits.")
bitwise_left_shift = _two("bitwise_left_shift", "integral", e.bitwise_left_shift, "x1 2^x2.")
bitwise_or = _two("bitwise_or", "integral or bool", e.bitwise_or, "Either bit.")
bitwise_right_shift = _two("bitwise_right_shift", "integral", e.bitwise_right_shift,
                           "x1 / 2^x2, rounded down.")
bitwise_xor = _two("bitwise_xor", "integral or bool", e.bitwise_xor, "Exactly one bit.")
copysign = _two("copysign", "real floating", parts.copysign, "The size of x1, the sign of x2.")
divide = _two("divide", "floating", e.div, "x1 / x2.")
equal = _two("equal", "any", e.eq, "x1 == x2.")
floor_divide = _two("floor_divide", "real numeric", e.floor_divide, "x1 / x2, rounded down.")
greater = _two("greater", "real numeric", e.gt, "x1 > x2.")
greater_equal = _two("greater_equal", "real numeric", e.ge, "x1 >= x2.")
hypot = _two("hypot", "real floating", e.hypot, "sqrt(x1^2 + x2^2).")
less = _two("less", "real numeric", e.lt, "x1 < x2.")
less_equal = _two("less_equal", "real numeric", e.le, "x1 <= x2.")
logaddexp = _two("logaddexp", "real floating", e.logaddexp, "log(exp(x1) + exp(x2)).")
logical_and = _two("logical_and", "bool", e.logical_and, "x1 and x2.")
logical_or = _two("logical_or", "bool", e.logical_or, "x1 or x2.")
logical_xor = _two("logical_xor", "bool", e.logical_xor, "One of the two.")
maximum = _two("maximum", "real numeric", e.maximum, "The larger of two.")
minimum = _two("minimum", "real numeric", e.minimum, "The smaller of two.")
multiply = _two("multiply", "numeric", e.mul, "x1 x2.")
nextafter = _two("nextafter", "real floating", parts.nextafter,
                 "The number next to x1 in the direction of x2.")
not_equal = _two("not_equal", "any", e.ne, "x1 != x2.")
pow = _two("pow", "numeric", e.pow, "x1 to the power x2.")
remainder = _two("remainder", "real numeric", _remainder, "x1 - x2 floor(x1 / x2).")
subtract = _two("subtract", "numeric", e.sub, "x1 - x2.")


def clip(x: Array, /, min: Any = None, max: Any = None) -> Array:
    """min(max(x, min), max), in x's type.

    Args:
        min, max: numbers, arrays, or None for no bound on that side.
    """
    tensor = tensor_of(x, "clip")
    check_kind("clip", tensor.dtype, "real numeric")
    for bound, choose in ((min, e.maximum), (max, e.minimum)):
        if bound is None:
            continue
        if isinstance(bound, (Array, Tensor)):
            limit = tensor_of(bound, "clip")
            common_type(tensor.dtype, limit.dtype)
        elif isinstance(bound, float) and not tensor.dtype.is_inexact and math.isinf(bound):
            continue  # no whole number lies beyond it
        else:
            limit = scalar(bound, tensor.dtype)
        tensor = choose(tensor, converted(limit, tensor.dtype))
    return Array(e.clone(tensor) if min is None and max is None else tensor)


def where(condition: Array, x1: Any, x2: Any, /) -> Array:
    """x1 where the condition holds, else x2."""
    chosen = tensor_of(condition, "where")
    check_kind("where", chosen.dtype, "bool")
    return Array(e.where(chosen, *pair("where", x1, x2, "any")))


# --- operators ---------------------------------------------------------------------------------

_OPERATORS: dict[str, Callable] = {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
    "lshift": bitwise_left_shift, "rshift": bitwise_right_shift,
}
_COMPARISONS: dict[str, Callable] = {
    "eq": equal, "ne": not_equal, "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal,
}


def install_operator(name: str, function: Callable, reflected: bool = True) -> None:
    """Give `Array` an operator: x + y, y + x and x += y for "add"."""
    def forward(self: Array, other: Any, /) -> Any:
        return function(self, other) if _fits(other) else NotImplemented

    def backward(self: Array, other: Any, /) -> Any:
        return function(other, self) if _fits(other) else NotImplemented

    def in_place(self: Array, other: Any, /) -> Any:
        if not _fits(other):
            return NotImplemented
        self[...] = function(self, other)
        return self

    _install(f"__{name}__", forward)
    if reflected:
        _install(f"__r{name}__", backward)
        _install(f"__i{name}__", in_place)


def _fits(other: Any) -> bool:
    return isinstance(other, (Array, bool, int, float, complex, Tensor))


def _install(name: str, function: Any) -> None:
    function.__name__, function.__qualname__ = name, f"Array.{name}"
    setattr(Array, name, function)


for _name, _function in _OPERATORS.items():
    install_operator(_name, _function)
for _name, _function in _COMPARISONS.items():
    install_operator(_name, _function, reflected=False)
_install("__neg__", lambda self: negative(self))
_install("__pos__", lambda self: positive(self))
_install("__abs__", lambda self: abs(self))
_install("__invert__", lambda self: bitwise_invert(self))
