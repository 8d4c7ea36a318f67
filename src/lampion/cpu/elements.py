"""What the text calls values and their types.

Elements in registers: bool is i1; float16 and bfloat16 are float32 numbers that were rounded to
the smaller type, since arithmetic on them happens in float32. In memory bool is a byte, float16 is
half, and bfloat16 is float32, as in lampion's arrays.
"""

from __future__ import annotations

import math
import struct

from .. import dtypes
from ..dtypes import bfloat16, bool_, float16, float64
from ..dtypes import dtype as DType

REGISTER = {"bool": "i1", "uint8": "i8", "int8": "i8", "int16": "i16", "int32": "i32",
             "int64": "i64", "float16": "float", "bfloat16": "float", "float32": "float",
             "float64": "double"}
MEMORY = {**REGISTER, "bool": "i8", "float16": "half"}
HALVES = (float16, bfloat16)


class Vector:
    """A value in the text.

    Attributes:
        name: how the text refers to it.
        dtype: lampion's element type.
        width: the number of elements; 1 for a number.
        number: what it is, if it is a constant.
    """

    __slots__ = ("name", "dtype", "width", "number")

    def __init__(self, name: str, dtype: DType, width: int, number=None):
        self.name, self.dtype, self.width, self.number = name, dtype, width, number

    def __repr__(self) -> str:
        return f"<{self.width} x {self.dtype.name}> {self.name}"


def bits_of(dtype: DType) -> int:
    """The bits of an element in a register."""
    return 1 if dtype is bool_ else 32 if dtype in HALVES else dtype.itemsize * 8


def bottom(dtype: DType) -> float | int | bool:
    """The number that no element is below."""
    if dtype.is_floating_point:
        return -math.inf
    return False if dtype is bool_ else dtypes.iinfo(dtype).min


def top(dtype: DType) -> float | int | bool:
    """The number that no element is above."""
    if dtype.is_floating_point:
        return math.inf
    return True if dtype is bool_ else dtypes.iinfo(dtype).max


def literal(number, dtype: DType) -> str:
    """Return a constant as LLVM writes it."""
    if dtype is bool_:
        return "true" if number else "false"
    if not dtype.is_floating_point:
        bits = dtype.itemsize * 8
        whole = int(number) & ((1 << bits) - 1)
        return str(whole - (1 << bits) if dtype.is_signed and whole >> (bits - 1) else whole)
    number = float(number)
    if dtype is not float64:
        try:
            number = struct.unpack("f", struct.pack("f", number))[0]
        except OverflowError:
            number = math.copysign(math.inf, number)
    return f"0x{struct.unpack('Q', struct.pack('d', number))[0]:016X}"
