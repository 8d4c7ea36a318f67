"""Division with a rest: whole numbers never trap, floating types are exact.

Dividing a whole number by zero is noted as a fault (the program raises PyTorch's error after the
loop); the result is then 0. The lowest number divided by -1 wraps around to itself.
"""

from __future__ import annotations

from .elements import Vector, bottom


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
    if x.dtype.is_floating_point:
        return b.each("fmod" if x.dtype.itemsize == 8 else "fmodf", x, y)
    return _whole(b, x, y)[1]


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
    quotient = b.binary("sdiv" if x.dtype.is_signed else "udiv", x, safe)
    rest = b.sub(x, b.mul(quotient, safe))
    return b.where(nothing, zero, quotient), rest


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
