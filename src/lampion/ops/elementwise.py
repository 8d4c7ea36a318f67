"""Elementwise ops: one result element from the elements at the same place."""

from __future__ import annotations

import math

from ..dtypes import bool_
from ..dtypes import dtype as DType
from ..ir import Op, Type, Value, full, registry, zero
from . import special
from .define import elementwise, register


def _zeros(like: Value) -> Value:
    return full(like.shape, 0, like.dtype)


# --- moving between types ------------------------------------------------------------------

cast = register(Op(
    "cast", "elementwise", "Convert to another element type; floating to integer truncates.",
    meaning=special.cast,
    result=lambda x, dtype: Type(x.shape, dtype),
    grad=lambda g, y, x, dtype: (cast(g, dtype=x.dtype),),
    lower={"emit": lambda b, x, dtype: b.cast(x, dtype)},
))


def to_dtype(x: Value, dtype: DType) -> Value:
    """Cast where needed."""
    return x if x.dtype is dtype else cast(x, dtype=dtype)


copy = elementwise(
    "copy", "The same values, as a value of its own.",
    meaning=lambda xp, x: x,
    emit=lambda b, x: x,
    grad=lambda g, y, x: (g,))

overwrite = elementwise(
    "overwrite", "The new values in place of the old: what an in-place fill means for gradients.",
    meaning=lambda xp, old, new: new,
    emit=lambda b, old, new: new,
    grad=lambda g, y, old, new: (full(g.shape, 0, g.dtype), g))

# --- arithmetic ----------------------------------------------------------------------------

add = elementwise(
    "add", "a + b; for booleans, or.",
    meaning=lambda xp, a, b: xp.add(a, b),
    grad=lambda g, y, a, b: (g, g))

sub = elementwise(
    "sub", "a - b.",
    meaning=lambda xp, a, b: xp.subtract(a, b),
    grad=lambda g, y, a, b: (g, -g))

mul = elementwise(
    "mul", "a * b; for booleans, and.",
    meaning=lambda xp, a, b: xp.multiply(a, b),
    grad=lambda g, y, a, b: (g * b, g * a))

div = elementwise(
    "div", "a / b, floating types only.", floating=True,
    meaning=lambda xp, a, b: xp.divide(a, b), domain=((-3.0, 3.0), (0.5, 3.0)),
    grad=lambda g, y, a, b: (g / b, -(g * ((a / b) / b))))

neg = elementwise(
    "neg", "-x.",
    meaning=lambda xp, x: xp.negative(x),
    grad=lambda g, y, x: (-g,))

floor_divide = elementwise(
    "floor_divide", "The largest whole number not above a / b.",
    meaning=special.floor_divide, domain=((-9.0, 9.0), (0.5, 3.0)),
    grad=zero)

trunc_divide = elementwise(
    "trunc_divide", "a / b without its fraction.",
    meaning=special.trunc_divide, domain=((-9.0, 9.0), (0.5, 3.0)),
    grad=zero)

remainder = elementwise(
    "remainder", "a - b * floor(a / b): has the sign of b.",
    meaning=special.remainder, domain=((0.1, 0.9), (1.0, 3.0)),
    grad=lambda g, y, a, b: (g, -(g * floor_divide(a, b))))

fmod = elementwise(
    "fmod", "a - b * trunc(a / b): has the sign of a.",
    meaning=special.fmod, domain=((0.1, 0.9), (1.0, 3.0)),
    grad=lambda g, y, a, b: (g, -(g * trunc_divide(a, b))))


def _pow_grad(g, y, a, b):
    # d a^b = b a^(b-1) da + a^b ln(a) db, with the limits PyTorch gives where those are 0 * inf.
    base = where(eq(b, _zeros(b)), _zeros(a), g * (b * pow(a, b - 1)))
    size = registry["real"](b) if b.dtype.is_complex else b
    flat = bit_and(eq(a, _zeros(a)), ge(size, _zeros(size)))
    return base, where(flat, _zeros(a), g * (y * log(a)))


pow = elementwise(
    "pow", "a to the power b.",
    meaning=special.power, domain=((0.5, 3.0), (-2.0, 2.0)),
    grad=_pow_grad)


# --- functions of one variable -------------------------------------------------------------

abs = elementwise(
    "abs", "The distance from zero.",
    meaning=lambda xp, x: xp.abs(x), domain=((0.3, 3.0),),
    grad=lambda g, y, x: (g * sign(x),))

sign = elementwise(
    "sign", "-1, 0 or 1; NaN gives 0 as in PyTorch.",
    meaning=special.sign,
    emit=lambda b, x: b.sub(
        b.cast(b.gt(x, b.constant(0, x)), x.dtype), b.cast(b.lt(x, b.constant(0, x)), x.dtype)),
    grad=zero)

exp = elementwise(
    "exp", "e to the power x.", floating=True,
    meaning=lambda xp, x: xp.exp(x),
    grad=lambda g, y, x: (g * y,))

exp2 = elementwise(
    "exp2", "2 to the power x.", floating=True,
    meaning=lambda xp, x: xp.exp2(x),
    grad=lambda g, y, x: (g * (y * math.log(2)),))

expm1 = elementwise(
    "expm1", "exp(x) - 1, exact near zero.", floating=True,
    meaning=lambda xp, x: xp.expm1(x),
    grad=lambda g, y, x: (g * (y + 1),))

log = elementwise(
    "log", "Natural logarithm; -inf at 0, NaN below.", floating=True,
    meaning=lambda xp, x: xp.log(x), domain=((0.5, 3.0),),
    grad=lambda g, y, x: (g / x,))

log2 = elementwise(
    "log2", "Logarithm to base 2.", floating=True,
    meaning=lambda xp, x: xp.log2(x), domain=((0.5, 3.0),),
    grad=lambda g, y, x: (g / (x * math.log(2)),))

log10 = elementwise(
    "log10", "Logarithm to base 10.", floating=True,
    meaning=lambda xp, x: xp.log10(x), domain=((0.5, 3.0),),
    grad=lambda g, y, x: (g / (x * math.log(10)),))

log1p = elementwise(
    "log1p", "log(1 + x), exact near zero.", floating=True,
    meaning=lambda xp, x: xp.log1p(x), domain=((-0.5, 3.0),),
    grad=lambda g, y, x: (g / (x + 1),))

sqrt = elementwise(
    "sqrt", "Square root; NaN below 0.", floating=True,
    meaning=lambda xp, x: xp.sqrt(x), domain=((0.5, 3.0),),
    grad=lambda g, y, x: (g / (y * 2),))

reciprocal = elementwise(
    "reciprocal", "1 / x.", floating=True,
    meaning=lambda xp, x: xp.reciprocal(x), domain=((0.5, 3.0),),
    emit=lambda b, x: b.div(b.constant(1, x), x),
    grad=lambda g, y, x: (-(g * (y * y)),))

rsqrt = elementwise(
    "rsqrt", "1 / sqrt(x).", floating=True,
    meaning=lambda xp, x: xp.reciprocal(xp.sqrt(x)), domain=((0.5, 3.0),),
    emit=lambda b, x: b.div(b.constant(1, x), b.sqrt(x)),
    grad=lambda g, y, x: (g * (y * y * y) * -0.5,))

sin = elementwise(
    "sin", "Sine; x in radians.", floating=True,
    meaning=lambda xp, x: xp.sin(x),
    grad=lambda g, y, x: (g * cos(x),))

cos = elementwise(
    "cos", "Cosine; x in radians.", floating=True,
    meaning=lambda xp, x: xp.cos(x),
    grad=lambda g, y, x: (-(g * sin(x)),))

tan = elementwise(
    "tan", "Tangent; x in radians.", floating=True,
    meaning=lambda xp, x: xp.tan(x), domain=((-1.2, 1.2),),
    grad=lambda g, y, x: (g * (y * y + 1),))

asin = elementwise(
    "asin", "Inverse sine, in radians.", floating=True,
    meaning=lambda xp, x: xp.arcsin(x), domain=((-0.8, 0.8),),
    grad=lambda g, y, x: (g * rsqrt(1 - x * x),))

acos = elementwise(
    "acos", "Inverse cosine, in radians.", floating=True,
    meaning=lambda xp, x: xp.arccos(x), domain=((-0.8, 0.8),),
    grad=lambda g, y, x: (-(g * rsqrt(1 - x * x)),))

atan = elementwise(
    "atan", "Inverse tangent, in radians.", floating=True,
    meaning=lambda xp, x: xp.arctan(x),
    grad=lambda g, y, x: (g / (x * x + 1),))

sinh = elementwise(
    "sinh", "Hyperbolic sine.", floating=True,
    meaning=lambda xp, x: xp.sinh(x),
    grad=lambda g, y, x: (g * cosh(x),))

cosh = elementwise(
    "cosh", "Hyperbolic cosine.", floating=True,
    meaning=lambda xp, x: xp.cosh(x),
    grad=lambda g, y, x: (g * sinh(x),))

tanh = elementwise(
    "tanh", "Hyperbolic tangent.", floating=True,
    meaning=lambda xp, x: xp.tanh(x),
    grad=lambda g, y, x: (g * (1 - y * y),))

asinh = elementwise(
    "asinh", "Inverse hyperbolic sine.", floating=True,
    meaning=lambda xp, x: xp.arcsinh(x),
    grad=lambda g, y, x: (g * rsqrt(x * x + 1),))


def _acosh_grad(g, y, x):
    if x.dtype.is_complex:  # one root for both would be the other one left of the origin
        return (g * rsqrt(x - 1) * rsqrt(x + 1),)
    return (g * rsqrt(x * x - 1),)


acosh = elementwise(
    "acosh", "Inverse hyperbolic cosine.", floating=True,
    meaning=lambda xp, x: xp.arccosh(x), domain=((1.5, 4.0),),
    grad=_acosh_grad)

atanh = elementwise(
    "atanh", "Inverse hyperbolic tangent.", floating=True,
    meaning=lambda xp, x: xp.arctanh(x), domain=((-0.8, 0.8),),
    grad=lambda g, y, x: (g / (1 - x * x),))

sigmoid = elementwise(
    "sigmoid", "1 / (1 + exp(-x)).", floating=True,
    meaning=special.sigmoid,
    emit=special.emit_sigmoid,
    grad=lambda g, y, x: (g * (y * (1 - y)),))

relu = elementwise(
    "relu", "x where x > 0, else 0; NaN stays NaN.",
    meaning=lambda xp, x: xp.maximum(x, xp.zeros((), x.dtype)), domain=((0.2, 3.0),),
    emit=lambda b, x: b.maximum(x, b.constant(0, x)),
    # Asked this way round, a NaN lets the gradient through, as in PyTorch: it does not hide.
    grad=lambda g, y, x: (where(le(y, _zeros(y)), _zeros(g), g),))

erf = elementwise(
    "erf", "The error function, 2/sqrt(pi) * integral of exp(-t^2) from 0 to x.", floating=True,
    meaning=special.erf,
    grad=lambda g, y, x: (g * (exp(-(x * x)) * (2 / math.sqrt(math.pi))),))

erfinv = elementwise(
    "erfinv", "The inverse of erf on [-1, 1].", floating=True,
    meaning=special.erfinv, domain=((-0.9, 0.9),),
    grad=lambda g, y, x: (g * (exp(y * y) * (math.sqrt(math.pi) / 2)),))

floor = elementwise(
    "floor", "The largest whole number not above x.",
    meaning=lambda xp, x: xp.floor(x), grad=zero)

ceil = elementwise(
    "ceil", "The smallest whole number not below x.",
    meaning=lambda xp, x: xp.ceil(x), grad=zero)

trunc = elementwise(
    "trunc", "x without its fraction.",
    meaning=lambda xp, x: xp.trunc(x), grad=zero)

round = elementwise(
    "round", "The nearest whole number, halves to even.",
    meaning=lambda xp, x: xp.round(x), grad=zero)

# --- choosing ------------------------------------------------------------------------------


def _tie_grad(g, y, a, b, first_wins):
    # Where both are equal each gets half, as in PyTorch.
    half = where(eq(a, b), g / 2, g) if a.dtype.is_floating_point else g
    none = _zeros(g)
    return where(first_wins(b, a), none, half), where(first_wins(a, b), none, half)


maximum = elementwise(
    "maximum", "The larger of two; NaN if either is.",
    meaning=lambda xp, a, b: xp.maximum(a, b), domain=((-3.0, 0.0), (0.5, 3.0)),
    grad=lambda g, y, a, b: _tie_grad(g, y, a, b, gt))

minimum = elementwise(
    "minimum", "The smaller of two; NaN if either is.",
    meaning=lambda xp, a, b: xp.minimum(a, b), domain=((-3.0, 0.0), (0.5, 3.0)),
    grad=lambda g, y, a, b: _tie_grad(g, y, a, b, lt))

where = elementwise(
    "where", "a where the condition holds, else b.", like=1,
    meaning=lambda xp, c, a, b: xp.where(c, a, b),
    grad=lambda g, y, c, a, b: (None, where(c, g, _zeros(g)), where(c, _zeros(g), g)))

def _atan2_grad(g, y, a, b):
    square = a * a + b * b
    inverse = where(eq(square, _zeros(square)), _zeros(square), reciprocal(square))
    return g * (b * inverse), -(g * (a * inverse))


atan2 = elementwise(
    "atan2", "The angle of the point (b, a), in radians.", floating=True,
    meaning=lambda xp, a, b: xp.arctan2(a, b), domain=((0.5, 3.0),),
    grad=_atan2_grad)

# --- comparing: flat almost everywhere -----------------------------------------------------

eq = elementwise("eq", "a == b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.equal(a, b))
ne = elementwise("ne", "a != b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.not_equal(a, b))
lt = elementwise("lt", "a < b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.less(a, b))
le = elementwise("le", "a <= b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.less_equal(a, b))
gt = elementwise("gt", "a > b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.greater(a, b))
ge = elementwise("ge", "a >= b.", to=bool_, grad=zero,
    meaning=lambda xp, a, b: xp.greater_equal(a, b))

# --- bits and truth ------------------------------------------------------------------------

bit_and = elementwise("bit_and", "Both bits; for booleans, and.", grad=zero,
    meaning=lambda xp, a, b: xp.bitwise_and(a, b))
bit_or = elementwise("bit_or", "Either bit; for booleans, or.", grad=zero,
    meaning=lambda xp, a, b: xp.bitwise_or(a, b))
bit_xor = elementwise("bit_xor", "Exactly one bit; for booleans, one of two.", grad=zero,
    meaning=lambda xp, a, b: xp.bitwise_xor(a, b))
bit_not = elementwise("bit_not", "Every bit turned; for booleans, not.", grad=zero,
    meaning=lambda xp, x: xp.invert(x))
shift_left = elementwise("shift_left", "a * 2^b on the bits of a.", grad=zero,
    meaning=lambda xp, a, b: xp.left_shift(a, b))
shift_right = elementwise("shift_right", "a / 2^b, rounded down.", grad=zero,
    meaning=lambda xp, a, b: xp.right_shift(a, b))

# --- holding between bounds: at a bound the gradient still passes ---------------------------


def _clamp_grad(g, y, x, low, high):
    none = _zeros(g)
    inside = bit_and(ge(x, low), le(x, high))
    below = bit_and(lt(x, low), lt(low, high))
    above = bit_or(gt(x, high), ge(low, high))
    return where(inside, g, none), where(below, g, none), where(above, g, none)


clamp = elementwise(
    "clamp", "min(max(x, low), high); NaN stays NaN.",
    meaning=lambda xp, x, low, high: xp.minimum(xp.maximum(x, low), high),
    emit=lambda b, x, low, high: b.minimum(b.maximum(x, low), high),
    domain=((-3.0, 3.0), (-1.0, -0.5), (0.5, 1.0)), grad=_clamp_grad)

clamp_low = elementwise(
    "clamp_low", "max(x, low); NaN stays NaN.",
    meaning=lambda xp, x, low: xp.maximum(x, low),
    emit=lambda b, x, low: b.maximum(x, low), domain=((-3.0, 3.0), (-0.2, 0.2)),
    grad=lambda g, y, x, low: (
        where(ge(x, low), g, _zeros(g)), where(lt(x, low), g, _zeros(g))))

clamp_high = elementwise(
    "clamp_high", "min(x, high); NaN stays NaN.",
    meaning=lambda xp, x, high: xp.minimum(x, high),
    emit=lambda b, x, high: b.minimum(x, high), domain=((-3.0, 3.0), (-0.2, 0.2)),
    grad=lambda g, y, x, high: (
        where(le(x, high), g, _zeros(g)), where(gt(x, high), g, _zeros(g))))
