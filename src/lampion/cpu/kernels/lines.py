"""Ops along one axis: the array seen as outer x length x inner.

    along(operand, axis)       sizes and strides, or None where the axes around do not join
    plan_lines(view, ...)      jobs and slots
    each_line, each_column     the outer loops of a kernel that has these slots

Where inner is 1 a line lies side by side and is worked on with vectors along it; where inner is
larger, vectors lie across neighbouring lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..kernel_text import Function, Whole
from ..steps import Kernel, Operand, Place, Plan, Step
from . import walk
from .copies import place
from .numbers import of_width

# Slots. TOGETHER: lines in a job; or blocks of columns in a matrix, COLUMNS in each.
(SOURCE, RESULT, TOGETHER, LINES, LENGTH, LINE, STRIDE, INNER, COLUMNS, RESULT_LINE,
 RESULT_STRIDE) = range(11)
VECTORS = 4  # of columns that are worked on at the same time


class Lines(NamedTuple):
    """Sizes, and strides in elements."""

    outer: int
    length: int
    inner: int
    outer_stride: int
    stride: int
    inner_stride: int


def along(operand: Operand, axis: int, turned: bool = False) -> Lines | None:
    """Return how the lines of an axis lie; None where the axes before or behind do not join.

    Args:
        turned: whether the lines of a matrix that lies the other way round may be called inner:
            only where the result has one number for each line.
    """
    shape, strides = operand.shape, operand.strides
    if 0 in shape:
        return Lines(0, shape[axis], 1, 0, 1, 1)
    sides = [walk.joined(shape[part], (strides[part],), (1,))
             for part in (slice(0, axis), slice(axis + 1, None))]
    if any(len(side) > 1 for side in sides):
        return None
    (outer, outer_stride), (inner, inner_stride) = (
        (side[0].size, side[0].strides[0]) if side else (1, 0) for side in sides)
    inner_stride = inner_stride if inner > 1 else 1
    stride = strides[axis] if shape[axis] != 1 else 1
    if turned and stride != 1 and inner == 1 and outer_stride == 1:
        return Lines(1, shape[axis], outer, 0, stride, 1)
    return Lines(outer, shape[axis], inner, outer_stride, stride, inner_stride)


def plan_lines(x: Operand, view: Lines, kernel: Kernel, size: int, kept: bool) -> Plan:
    """Return the plan of a kernel that walks lines with `each_line` or `each_column`.

    Args:
        size: of an element of the result in bytes.
        kept: whether the result has the axis too, or one number for each line.
    """
    if not view.outer * view.inner * view.length:
        return Plan((), 0)
    itemsize = x.dtype.array.itemsize
    cost = view.length * (itemsize + (size if kept else 0))
    if view.inner > 1:
        columns = max(64, walk.JOB_BYTES // cost // 64 * 64)
        together = -(-view.inner // columns)
        jobs = view.outer * together
    else:
        columns, together = 0, max(1, walk.JOB_BYTES // (cost + size))
        jobs = -(-view.outer // together)
    length = view.length if kept else 1
    slots = (place(0, x), Place(1), together, view.outer, view.length,
             view.outer_stride * itemsize, view.stride * itemsize, view.inner, columns,
             length * view.inner * size, view.inner * size)
    return Plan((Step(kernel, jobs, slots),), 0)


@contextmanager
def each_line(f: Function) -> Iterator[tuple[str, str]]:
    """Write the loop over lines; it gives the addresses of the line and of its result."""
    source, result, together = f.slot(SOURCE, "ptr"), f.slot(RESULT, "ptr"), f.slot(TOGETHER)
    apart, result_apart = f.slot(LINE), f.slot(RESULT_LINE)
    last = f.minimum(f.multiply("%end", together), f.slot(LINES))
    with f.loop(f.multiply("%begin", together), last) as line:
        yield (f.at(source, f.multiply(line, apart), "i8"),
               f.at(result, f.multiply(line, result_apart), "i8"))


def each_column(
    f: Function, width: int, body: Callable[[str, str, Whole, int, str | None], None],
) -> None:
    """Write the loop over vectors of lines that lie side by side.

    Args:
        body: `body(line, result, column, count, mask)` works on `count` vectors of columns of
            the matrix at `line`, whose results belong to the matrix at `result`.
    """
    source, result, together = f.slot(SOURCE, "ptr"), f.slot(RESULT, "ptr"), f.slot(TOGETHER)
    apart, result_apart = f.slot(LINE), f.slot(RESULT_LINE)
    inner, columns = f.slot(INNER), f.slot(COLUMNS)
    with f.loop("%begin", "%end") as job:
        matrix = f.divide(job, together)
        left = f.multiply(f.subtract(job, f.multiply(matrix, together)), columns)
        right = f.minimum(f.add(left, columns), inner)
        line = f.at(source, f.multiply(matrix, apart), "i8")
        found = f.at(result, f.multiply(matrix, result_apart), "i8")
        step = VECTORS * width
        whole = f.add(left, f.value(f"and i64 {f.subtract(right, left)}, -{step}"))
        with f.loop(left, whole, step) as k:
            body(line, found, k, VECTORS, None)
        with f.loop(whole, right, width) as k:
            body(line, found, k, 1, f.lanes_below(width, f.subtract(right, k)))


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
