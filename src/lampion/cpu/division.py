"""Division with a rest: whole numbers never trap, floating types are exact.

Dividing a whole number by zero is noted as a fault (the program raises PyTorch's error after the
loop); the result is then 0. The lowest number divided by -1 wraps around to itself.
"""

from __future__ import annotations

from ..dtypes import float32, float64
from .elements import Vector, bottom
from .vector_math.instructions import unless

# Up to here a rounded quotient is the exact one, or one too many where that is a whole number.
LARGEST_QUOTIENT = {float32: 2.0**22, float64: 2.0**51}


def floor_divide(b, x: Vector, y: Vector) -> Vector:
    """The largest whole number not above x / y."""
    if x.dtype.is_floating_point:
        return _float_floor(b, x, y)
    quotient, rest = _whole(b, x, y)
    if not x.dtype.is_signed:
        return quotient
    return b.sub(quotient, b.cast(_signs_differ(b, rest, y), x.dtype))


def trunc_divide(b, x: Vector, y: Vector) -> Vector:
    """x / y without its fraction."""
    if x.dtype.is_floating_point:
        return b.trunc(b.div(x, y))
    return _whole(b, x, y)[0]


def remainder(b, x: Vector, y: Vector) -> Vector:
    """The rest with the sign of y."""
    rest = fmod(b, x, y)
    if not x.dtype.is_signed:
        return rest
    return b.where(_signs_differ(b, rest, y), b.add(rest, y), rest)


def fmod(b, x: Vector, y: Vector) -> Vector:
    """The rest with the sign of x."""
    if not x.dtype.is_floating_point:
        return _whole(b, x, y)[1]
    if x.dtype is float64:
        return _float_rest(b, x, y) if b.has_fma else b.each("fmod", x, y)
    dtype = x.dtype
    return b.retyped(_float_rest(b, b.retyped(x, float32), b.retyped(y, float32)), dtype)


def _float_rest(b, x: Vector, y: Vector) -> Vector:
    """The rest with the sign of x; exact, as fmod of the C library, which does the hard cases."""
    size, step = b.abs(x), b.abs(y)
    quotient = b.div(size, step)
    count = b.trunc(quotient)
    if b.has_fma:
        rest = b.fma(b.neg(count), step, size)
    else:
        wide = [b.cast(v, float64) for v in (count, step, size)]
        rest = b.cast(b.sub(wide[2], b.mul(wide[0], wide[1])), x.dtype)
    rest = b.where(b.lt(rest, b.constant(0, rest)), b.add(rest, step), rest)
    # Of nothing to take away, the step may be infinite.
    rest = b.where(b.eq(count, b.constant(0, x)), size, rest)
    easy = b.lt(quotient, b.constant(LARGEST_QUOTIENT[x.dtype], x))
    function = "fmod" if x.dtype is float64 else "fmodf"
    return unless(b, b.bit_not(easy), b.copysign(rest, x), lambda: b.each(function, x, y))


def _signs_differ(b, rest: Vector, y: Vector) -> Vector:
    """Whether there is a rest and its sign is not that of y."""
    zero = b.constant(0, rest)
    differ = b.bit_xor(b.lt(rest, zero), b.lt(y, zero))
    return b.bit_and(b.ne(rest, zero), differ)


def _whole(b, x: Vector, y: Vector) -> tuple[Vector, Vector]:
    """Quotient without fraction, and rest; both 0 where y is 0."""
    zero, one = b.constant(0, x), b.constant(1, x)
    nothing = b.eq(y, zero)
    b.note_fault(nothing)
    unsafe = nothing
    if x.dtype.is_signed:
        over = b.bit_and(b.eq(x, b.constant(bottom(x.dtype), x)), b.eq(y, b.constant(-1, y)))
        unsafe = b.bit_or(nothing, over)
    safe = b.where(unsafe, one, y)
    quotient = _quotient(b, x, safe)
    rest = b.sub(x, b.mul(quotient, safe))
    return b.where(nothing, zero, quotient), rest


def _quotient(b, x: Vector, y: Vector) -> Vector:
    bits = x.dtype.itemsize * 8
    if bits > 32:
        return b.binary("sdiv" if x.dtype.is_signed else "udiv", x, y)
    # Vectors of whole numbers have no division. The floating one rounds a quotient up to a whole
    # number only if it is one: the next below differs by more than its precision.
    wide = float32 if bits <= 16 else float64
    return b.cast(b.div(b.cast(x, wide), b.cast(y, wide)), x.dtype)


def _float_floor(b, x: Vector, y: Vector) -> Vector:
    # Through fmod, so that the result is exact; as PyTorch.
    zero, one = b.constant(0, x), b.constant(1, x)
    quotient = b.div(x, y)
    rest = fmod(b, x, y)
    exact = b.div(b.sub(x, rest), y)
    exact = b.where(_signs_differ(b, rest, y), b.sub(exact, one), exact)
    floor = b.floor(exact)
    floor = b.where(b.gt(b.sub(exact, floor), b.constant(0.5, x)), b.add(floor, one), floor)
    floor = b.where(b.eq(floor, zero), b.copysign(zero, quotient), floor)
    return b.where(b.eq(y, zero), quotient, floor)
