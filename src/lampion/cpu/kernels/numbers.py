"""Elements as numbers: how they lie in memory, how they are added, how halves are rounded.

bool adds as "or". Arithmetic on float16 and bfloat16 happens in float32.
"""

from __future__ import annotations

import platform

from ...dtypes import bfloat16, bool_, float16
from ...dtypes import dtype as DType
from ..kernel_text import Function
from ..target import X86, Target

WORD = {"bool": "i8", "uint8": "i8", "int8": "i8", "int16": "i16", "int32": "i32", "int64": "i64",
        "float16": "i16", "bfloat16": "float", "float32": "float", "float64": "double"}


def supported(dtype: DType, target: Target) -> bool:
    """Whether there are instructions for the type's arithmetic."""
    x86 = platform.machine().lower() in X86
    return dtype is not float16 or target.vector_bytes >= 32 or not x86


def of_width(kind: str, width: int) -> str:
    """Return the type of `width` elements."""
    return kind if width == 1 else f"<{width} x {kind}>"


def add(f: Function, dtype: DType, width: int, a: str, b: str) -> str:
    """Return a + b, of a type that has arithmetic of its own."""
    kind = of_width(WORD[dtype.name], width)
    if dtype is bool_:
        return f.value(f"or {kind} {a}, {b}")
    if not dtype.is_floating_point:
        return f.value(f"add {kind} {a}, {b}")
    return f.value(f"fadd {kind} {a}, {b}")


def to_float(f: Function, dtype: DType, width: int, x: str) -> str:
    """Return a half of memory as float32."""
    if dtype is bfloat16:
        return x
    half = f.value(f"bitcast {of_width('i16', width)} {x} to {of_width('half', width)}")
    return f.value(f"fpext {of_width('half', width)} {half} to {of_width('float', width)}")


def from_float(f: Function, dtype: DType, width: int, x: str) -> str:
    """Return float32 as a half of memory, rounded to the nearest, ties to even."""
    wide = of_width("float", width)
    if dtype is float16:
        half = f.value(f"fptrunc {wide} {x} to {of_width('half', width)}")
        return f.value(f"bitcast {of_width('half', width)} {half} to {of_width('i16', width)}")
    whole = of_width("i32", width)

    def number(n: int) -> str:
        return str(n) if width == 1 else f"splat (i32 {n})"

    bits = f.value(f"bitcast {wide} {x} to {whole}")
    high = f.value(f"lshr {whole} {bits}, {number(16)}")
    odd = f.value(f"and {whole} {high}, {number(1)}")
    moved = f.value(f"add {whole} {f.value(f'add {whole} {bits}, {odd}')}, {number(0x7FFF)}")
    kept = f.value(f"and {whole} {moved}, {number(-0x10000)}")
    near = f.value(f"bitcast {whole} {kept} to {wide}")
    return f.value(f"select {of_width('i1', width)} {f.value(f'fcmp uno {wide} {x}, {x}')}, "
                   f"{wide} {x}, {wide} {near}")
