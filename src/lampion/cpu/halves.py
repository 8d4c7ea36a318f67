"""float16 and bfloat16: float32 numbers that are rounded after every operation.

Where the processor cannot convert float16, whole-number instructions do.
"""

from __future__ import annotations

import math

from ..dtypes import bfloat16, float16, float32, float64, int32
from ..dtypes import dtype as DType
from .elements import Vector


def to_float(b, x: Vector, dtype: DType) -> Vector:
    """float32, such that rounding it to float16 is the same as rounding x to it."""
    if x.dtype is not float64 or dtype is bfloat16:
        return b.to_floating(x, float32)
    # Round to odd: the last bit remembers whether anything was lost.
    near = b.convert("fptrunc", x, float32)
    back = b.convert("fpext", near, float64)
    bits = b.bitcast(near, int32)
    over = b.gt(b.abs(back), b.abs(x))
    bits = b.where(over, b.sub(bits, b.constant(1, bits)), bits)
    odd = b.bit_or(bits, b.constant(1, bits))
    lost = b.bit_and(b.ne(back, x), b.eq(x, x))
    return b.bitcast(b.where(lost, odd, bits), float32)


def rounded(b, x: Vector, dtype: DType) -> Vector:
    """Round float32 to one of the halves; it stays in a float32 register."""
    if dtype is bfloat16:
        return b.retyped(to_bfloat16(b, x), dtype)
    if dtype is not float16:
        return x
    if b.has_half:
        half = "half" if x.width == 1 else f"<{x.width} x half>"
        type_ = b.type(float32, x.width)
        small = b.value(f"fptrunc {type_} {x.name} to {half}")
        return Vector(b.value(f"fpext {half} {small} to {type_}"), float16, x.width)
    return b.retyped(from_bits(b, to_bits(b, x)), float16)


def to_bfloat16(b, x: Vector) -> Vector:
    bits = b.bitcast(b.retyped(x, float32), int32)
    last = b.bit_and(b.binary("lshr", bits, b.constant(16, bits)),
                        b.constant(1, bits))
    kept = b.add(bits, b.add(last, b.constant(0x7FFF, bits)))
    near = b.bitcast(b.bit_and(kept, b.constant(-0x10000, bits)), float32)
    return b.where(b.is_nan(x), b.constant_of(math.nan, float32), near)


def to_bits(b, x: Vector) -> Vector:
    """float32 to the bits of float16 (as int32) without the processor's help."""
    x = b.retyped(x, float32)
    bits = b.bitcast(x, int32)
    sign = b.bit_and(b.binary("lshr", bits, b.constant(16, bits)),
                        b.constant(0x8000, bits))
    size = b.bit_and(bits, b.constant(0x7FFFFFFF, bits))
    odd = b.bit_and(b.binary("lshr", size, b.constant(13, bits)),
                       b.constant(1, bits))
    # The exponent moves from bias 127 to 15; half of the lost bits rounds to even.
    normal = b.binary("lshr", b.add(b.add(size, odd),
                          b.constant(0xFFF - (112 << 23), bits)), b.constant(13, bits))
    # Adding 0.5 puts the bits of a number too small for an exponent at the very end.
    half = b.bitcast(b.add(b.bitcast(size, float32),
                                 b.constant_of(0.5, float32)), int32)
    small = b.sub(half, b.constant(0x3F000000, bits))
    found = b.where(b.lt(size, b.constant(113 << 23, bits)), small, normal)
    infinite = b.constant(0x7C00, bits)
    found = b.where(b.ge(size, b.constant(0x477FF000, bits)), infinite, found)
    found = b.where(b.is_nan(x), b.constant(0x7E00, bits), found)
    return b.bit_or(found, sign)


def from_bits(b, bits: Vector) -> Vector:
    """The bits of float16 (as int32) to float32 without the processor's help."""
    sign = b.binary("shl", b.bit_and(bits, b.constant(0x8000, bits)),
                        b.constant(16, bits))
    size = b.binary("shl", b.bit_and(bits, b.constant(0x7FFF, bits)),
                        b.constant(13, bits))
    # Times 2^112 moves the exponent, and is exact for denormals too.
    found = b.mul(b.bitcast(size, float32), b.constant_of(2.0**112, float32))
    endless = b.ge(size, b.constant(0x0F800000, bits))
    wide = b.bit_or(size, b.constant(0x7F800000, bits))
    found = b.where(endless, b.bitcast(wide, float32), found)
    return b.bitcast(b.bit_or(b.bitcast(found, int32), sign), float32)
