"""Plans of the ops that read and write at positions: which axes are walked how.

An op becomes arrays of one shape: positions with stride 0 where a row shares them, the table with
stride 0 along its own axis, the rows as they are. `positions` has the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ...dtypes import bfloat16, float16, float32, int64
from ...dtypes import dtype as DType
from ...ir import Type
from ...strides import Shape, contiguous, is_contiguous
from .. import steps
from ..steps import SCRATCH, Operand, Place, Plan, Step
from ..target import Target
from . import numbers, positions, walk
from .copies import copy_step, in_place, itemsize, place, whole_copy
from .rounding import round_step, scratch_bytes, widen_step

ROW_BLOCK = 128  # bytes of a row that belong to one job where rows are written


def checked_index(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `checked_index`."""
    (index,) = operands
    if index.dtype is not int64 or not is_contiguous(index.shape, index.strides):
        return None
    return Plan(_check(index, 0, Place(1), settings["size"], settings.get("wrap", True), target), 0)


def take(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `take`."""
    x, index = operands
    return _read(x, index, _Along.rows(x, index), target)


def gather(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `gather`."""
    x, index = operands
    return _read(x, index, _Along.elements(x, index, settings["axis"]), target)


def put(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `put`."""
    along = _Along.rows(_whole(result), operands[1])
    return _write(operands, result, along, False, target)


def put_add(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `put_add`."""
    along = _Along.rows(_whole(result), operands[1])
    return _write(operands, result, along, True, target)


def scatter(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `scatter`."""
    along = _Along.elements(_whole(result), operands[1], settings["axis"])
    return _write(operands, result, along, False, target)


def scatter_add(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `scatter_add`."""
    along = _Along.elements(_whole(result), operands[1], settings["axis"])
    return _write(operands, result, along, True, target)


class _Along:
    """How positions and table lie over the shape of the rows.

    Attributes:
        shape: of the rows.
        index, table: strides over that shape, in elements.
        own: the axes of the shape along which the table's axis is read.
        size, stride: of the table's axis.
        wrap: whether negative positions count from the end.
    """

    def __init__(self, shape: Shape, index: Shape, table: Shape, own: range, size: int,
                 stride: int, wrap: bool):
        self.shape, self.index, self.table, self.own = shape, index, table, own
        self.size, self.stride, self.wrap = size, stride, wrap

    @classmethod
    def rows(cls, table: Operand, index: Operand) -> _Along:
        """Rows of axis 0."""
        lead, rest = len(index.shape), len(table.shape) - 1
        return cls(index.shape + table.shape[1:], index.strides + (0,) * rest,
                   (0,) * lead + table.strides[1:], range(lead), table.shape[0],
                   table.strides[0], True)

    @classmethod
    def elements(cls, table: Operand, index: Operand, axis: int) -> _Along:
        """Single elements along an axis."""
        strides = tuple(0 if k == axis else s for k, s in enumerate(table.strides))
        return cls(index.shape, index.strides, strides, range(axis, axis + 1),
                   table.shape[axis], table.strides[axis], False)


def _whole(result: Type) -> Operand:
    """The result as a table."""
    return Operand(result.dtype, result.shape, 0, contiguous(result.shape))


def _check(index: Operand, number: int, to: Place, size: int, wrap: bool, target: Target):
    """Return the steps that look whether all positions lie on the axis."""
    count = math.prod(index.shape)
    block = walk.JOB_BYTES // 16
    jobs = -(-count // block)
    step = Step(positions.checker(target), jobs, (
        place(number, index), 0, to, Place(steps.FAULT), size, size if wrap else 0, count, block))
    return (step,) if jobs else ()


def _only_check(index: Operand, along: _Along, before: tuple[Step, ...], target: Target):
    """Plan for a table or rows without elements: nothing is moved, but positions must be right."""
    if not is_contiguous(index.shape, index.strides):
        return None
    check = _check(index, 1, Place(SCRATCH), along.size, along.wrap, target)
    return Plan((*before, *check), 8 * math.prod(index.shape))


def _read(x: Operand, index: Operand, along: _Along, target: Target) -> Plan | None:
    if index.dtype is not int64:
        return None
    if not along.size or 0 in along.shape:
        return _only_check(index, along, (), target)
    size = itemsize(x)
    strides = (along.index, along.table, contiguous(along.shape))
    axes = walk.joined(along.shape, strides, (8, size, size)) or [_one(size)]
    if len(axes) - 1 > walk.MOST:
        return None
    row, outer = axes[-1], axes[:-1]
    whole_rows = row.strides[0] == 0
    if whole_rows:
        # One position after another along the inner axis, if there are several.
        inner = outer.pop() if outer and outer[-1].strides[0] else walk.Axis(1, (0, 0, 0))
        row_bytes = row.size * size
    else:
        inner, row, row_bytes = row, walk.Axis(1, (0, 0, 0)), size + 8
    way = walk.Walk(outer, row, inner, min(inner.size, max(1, walk.JOB_BYTES // row_bytes)))
    jobs, together = way.jobs(way.block * row_bytes)
    slots = (place(1, index), place(0, x), Place(2), *_axis(along, size), *way.slots(together))
    kernel = positions.mover("read", whole_rows, size, target)
    return Plan((Step(kernel, jobs, slots),), 0)


def _write(operands: tuple[Operand, ...], result: Type, along: _Along, adds: bool,
           target: Target) -> Plan | None:
    x, index, update = operands
    size = itemsize(result)
    if index.dtype is not int64 or adds and not numbers.supported(result.dtype, target):
        return None
    if adds and result.dtype is float16:
        return _add_to_halves(operands, along, target)
    copy = copy_step([whole_copy(x, 3)], size, target)
    if copy is None:
        return None
    before = (copy,) if copy.jobs else ()
    if not along.size or 0 in along.shape:
        return _only_check(index, along, before, target)
    step = _write_step(along, place(1, index), Place(3), place(2, update), update.strides,
                       result.dtype, adds, target)
    if step is None:
        return None
    after: tuple[Step, ...] = ()
    if adds and result.dtype is bfloat16:
        after = (round_step(Place(3), Place(3), math.prod(result.shape), bfloat16, target),)
    return Plan((*before, step, *after), 0, in_place(x))


def _add_to_halves(operands: tuple[Operand, ...], along: _Along, target: Target) -> Plan | None:
    """Table and rows are widened to float32 in scratch memory; the sums are rounded once."""
    x, index, update = operands
    if not along.size or 0 in along.shape:
        copy = copy_step([whole_copy(x, 3)], 2, target)
        before = () if copy is None or not copy.jobs else (copy,)
        return None if copy is None else _only_check(index, along, before, target)
    _, rows, end = scratch_bytes(x.shape, along.shape)
    wide = Place(SCRATCH, rows)
    widen = [widen_step(0, x, Place(SCRATCH), target), widen_step(2, update, wide, target)]
    step = _write_step(along, place(1, index), Place(SCRATCH), wide, contiguous(along.shape),
                       float32, True, target)
    if step is None or None in widen:
        return None
    last = round_step(Place(SCRATCH), Place(3), math.prod(x.shape), float16, target)
    return Plan((*(w for w in widen if w is not None), step, last), end)


def _write_step(along: _Along, index: Place, table: Place, rows: Place, strides: Shape,
                dtype: DType, adds: bool, target: Target) -> Step | None:
    """Return the step that writes or adds rows; None where no order of axes keeps their order."""
    size = dtype.array.itemsize
    way = _ordered(along, strides, size)
    if way is None:
        return None
    whole_rows = way.inner.strides[0] == 0
    jobs, together = way.jobs(way.block * way.middle.size * (3 * size + (0 if whole_rows else 8)))
    slots = (index, table, rows, *_axis(along, size), *way.slots(together))
    # bfloat16 is float32 in memory: its sums are rounded by a step of their own.
    summed = float32 if dtype is bfloat16 else dtype
    kernel = (positions.adder(whole_rows, summed, target) if adds
              else positions.mover("write", whole_rows, size, target))
    return Step(kernel, jobs, slots)


def _ordered(along: _Along, update: Shape, size: int) -> walk.Walk | None:
    """Return a walk that never splits the table's axis; None where there is none."""
    sizes = (8, size, size)

    def part(axes: range) -> list[walk.Axis]:
        return walk.joined(tuple(along.shape[k] for k in axes),
                           tuple(tuple(s[k] for k in axes) for s in
                                 (along.index, along.table, update)), sizes)

    own = part(along.own)
    before = part(range(along.own.start))
    after = part(range(along.own.stop, len(along.shape)))
    if len(own) > 1:
        return None
    outer = before + after
    if after and after[-1].size > 1:
        outer, inner = outer[:-1], after[-1]
        block = min(inner.size, max(1, ROW_BLOCK // size))
        way = walk.Walk(outer, own[0] if own else walk.Axis(1, (0, 0, 0)), inner, block)
    elif own:
        way = walk.Walk(outer, walk.Axis(1, (0, 0, 0)), own[0], own[0].size)
    else:
        inner = outer[-1] if outer else _one(size)
        way = walk.Walk(outer[:-1], walk.Axis(1, (0, 0, 0)), inner,
                        min(inner.size, walk.JOB_BYTES // size))
    return way if len(way.outer) <= walk.MOST else None


def _one(size: int) -> walk.Axis:
    """The axis of a single element."""
    return walk.Axis(1, (8, size, size))


def _axis(along: _Along, size: int) -> tuple[steps.Slot, ...]:
    return (Place(steps.FAULT), along.size, along.size if along.wrap else 0, along.stride * size)
