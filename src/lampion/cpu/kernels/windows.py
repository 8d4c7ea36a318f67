"""Windows added back into an axis: one step for each place in a window, in order.

Elements of the result get their parts in the order of the places in the window, however jobs are
split. Halves are summed up in float32 and rounded once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...dtypes import bfloat16, float16, float32
from ...dtypes import dtype as DType
from ...ir import Type
from ...strides import Shape, contiguous
from ..kernel_text import Module, size_of
from ..steps import SCRATCH, Kernel, Operand, Place, Plan, Slot, Step, Table
from ..target import Target
from . import numbers, walk
from .copies import Piece, copy_step, itemsize
from .rounding import round_step, scratch_bytes, widen_step

RESULT, SOURCE, WALK = range(3)


def windows_add(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `windows_add`."""
    (g,) = operands
    if not numbers.supported(result.dtype, target):
        return None
    if not math.prod(result.shape):
        return Plan((), 0)
    steps: list[Step | None] = []
    sums, source, strides, scratch = Place(1), Place(0, g.offset * itemsize(g)), g.strides, 0
    summed = result.dtype
    if result.dtype is float16:
        _, begin, scratch = scratch_bytes(result.shape, g.shape)
        sums, source, strides = Place(SCRATCH), Place(SCRATCH, begin), contiguous(g.shape)
        steps += [widen_step(0, g, source, target)] if math.prod(g.shape) else []
    if result.dtype.itemsize == 2 and result.dtype.is_floating_point:
        summed = float32
    steps.append(_zeros(sums, result.shape, summed, target))
    axis, size = settings["axis"], summed.array.itemsize
    own = contiguous(result.shape)
    for k in range(g.shape[-1] if math.prod(g.shape) else 0):
        to = Place(sums.where, sums.offset + k * settings["dilation"] * own[axis] * size)
        part = Place(source.where, source.offset + k * strides[-1] * size)
        apart = tuple(s * (settings["step"] if a == axis else 1) for a, s in enumerate(own))
        steps.append(_add_step(to, apart, part, strides[:-1], g.shape[:-1], summed, target))
    if result.dtype in (float16, bfloat16):
        steps.append(round_step(sums, Place(1), math.prod(result.shape), result.dtype, target))
    if None in steps:
        return None
    return Plan(tuple(step for step in steps if step is not None), scratch)


def _zeros(to: Place, shape: Shape, dtype: DType, target: Target) -> Step | None:
    """Return the step that fills an array with zeros: a copy of one zero that is repeated."""
    zero: Slot = Table(np.zeros(1, np.int64))
    piece = Piece(to, zero, shape, contiguous(shape), (0,) * len(shape))
    return copy_step([piece], dtype.array.itemsize, target)


def _add_step(to: Place, to_strides: Shape, source: Place, strides: Shape, shape: Shape,
              dtype: DType, target: Target) -> Step | None:
    """Return the step that adds one array to another, both in any order of axes."""
    size = dtype.array.itemsize
    axes = walk.joined(shape, (to_strides, strides), (size, size)) or [walk.Axis(1, (size, size))]
    if len(axes) - 1 > walk.MOST:
        return None
    way = walk.Walk(axes[:-1], walk.Axis(1, (0, 0)), axes[-1],
                    min(axes[-1].size, walk.JOB_BYTES // size))
    jobs, together = way.jobs(way.block * 3 * size)
    kernel = Kernel(f"add arrays of {dtype.name}", lambda: _text(dtype, target), "add")
    return Step(kernel, jobs, (to, source, *way.slots(together)))


def _text(dtype: DType, target: Target) -> str:
    module = Module(target)
    f = module.function("add", ["ptr %args", "i64 %begin", "i64 %end"])
    word = numbers.WORD[dtype.name]
    size = size_of(word)
    width = target.lanes(size)
    with walk.walking(f, WALK, [f.slot(RESULT, "ptr"), f.slot(SOURCE, "ptr")]) as row:
        to, source = row.pointers
        apart, step = row.along
        dense = f.both(f.compare("eq", apart, size), f.compare("eq", step, size))
        whole = f.select(dense, f.value(f"and i64 {row.length}, -{width}"), 0)
        for start, stop, lanes in ((0, whole, width), (whole, row.length, 1)):
            kind = numbers.of_width(word, lanes)
            with f.loop(start, stop, lanes) as k:
                here = f.at(to, f.multiply(k, apart), "i8")
                part = f.load(kind, f.at(source, f.multiply(k, step), "i8"))
                f.store(kind, numbers.add(f, dtype, lanes, f.load(kind, here), part), here)
    f.done()
    return module.text()
