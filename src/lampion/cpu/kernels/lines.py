"""Ops along one axis: the array seen as outer x length x inner.

    along(operand, axis)   sizes and strides, or None where the axes around do not join

Where inner is 1 a line lies side by side and is worked on with vectors along it; where inner is
larger, vectors lie across neighbouring lines.
"""

from __future__ import annotations

from typing import NamedTuple

from ..kernel_text import Function, Whole
from ..steps import Operand
from . import walk
from .numbers import of_width


class Lines(NamedTuple):
    """Sizes, and strides in elements."""

    outer: int
    length: int
    inner: int
    outer_stride: int
    stride: int
    inner_stride: int


def along(operand: Operand, axis: int) -> Lines | None:
    """Return how the lines of an axis lie; None where the axes before or behind do not join."""
    shape, strides = operand.shape, operand.strides
    sides = [walk.joined(shape[part], (strides[part],), (1,))
             for part in (slice(0, axis), slice(axis + 1, None))]
    if any(len(side) > 1 for side in sides):
        return None
    (outer, outer_stride), (inner, inner_stride) = (
        (side[0].size, side[0].strides[0]) if side else (1, 0) for side in sides)
    if inner == 1:
        # The lines of the only axis around may be called inner or outer; along them, they lie
        # side by side.
        inner_stride = 1
    stride = strides[axis] if shape[axis] != 1 else 1
    if stride != 1 and inner == 1 and outer_stride == 1:
        # A turned matrix: its lines lie across.
        return Lines(1, shape[axis], outer, 0, stride, 1)
    return Lines(outer, shape[axis], inner, outer_stride, stride, inner_stride)


def folded(f: Function, kind: str, width: int, x: str, combine) -> str:
    """Return all lanes combined to one: halves with halves.

    Args:
        combine: `combine(width, a, b)`.
    """
    while width > 1:
        vector, half = of_width(kind, width), width // 2
        low, high = (f.shuffle(vector, x, "poison", range(k, k + half)) for k in (0, half))
        if half == 1:
            low, high = (f.value(f"extractelement <1 x {kind}> {part}, i64 0")
                         for part in (low, high))
        x, width = combine(half, low, high), half
    return x


def masked_load(f: Function, kind: str, width: int, pointer: str, mask: str | None,
                otherwise: str, align: int) -> str:
    """Read neighbours; lanes outside the mask are `otherwise`, and their memory is not touched."""
    vector = of_width(kind, width)
    if mask is None:
        return f.load(vector, pointer, align)
    short = {"float": "f32", "double": "f64"}.get(kind, kind)
    return f.intrinsic(
        f"llvm.masked.load.v{width}{short}.p0",
        [("ptr", pointer), ("i32", str(align)), (f"<{width} x i1>", mask), (vector, otherwise)],
        vector)


def no(f: Function, condition) -> Whole:
    """Return the opposite of a condition."""
    return f.value(f"xor i1 {condition}, true")
