"""Copies between arrays that lie in memory in any order, and the ops that are nothing else.

    concat       all pieces in one step: each job belongs to one piece
    slice_put    a copy of x, then a copy of the update over it
    pad          zeros, then a copy of x over them

A copy whose two addresses are equal has nothing to do: the result was put in its operand's memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from ...ir import Type
from ...strides import Shape, contiguous, is_contiguous
from .. import steps
from ..kernel_text import Function, Module, Whole
from ..steps import Kernel, Operand, Place, Plan, Step
from ..target import Target
from . import walk

WORDS = {1: "i8", 2: "i16", 4: "i32", 8: "i64"}
SHORT = 4096  # bytes: from there on the C library's copy is faster
# Slots of a piece: the job it begins with, the number of its jobs, addresses, the walk.
FIRST, JOBS, TO, FROM, WALK = range(5)
PIECE = WALK + walk.size(2)


class Piece(NamedTuple):
    """A copy: where to and where from, the shape, and strides in elements."""

    to: Place
    source: steps.Slot
    shape: Shape
    to_strides: Shape
    source_strides: Shape


def itemsize(operand: Operand | Type) -> int:
    """Return the size of an element in memory."""
    return operand.dtype.array.itemsize


def place(number: int, operand: Operand) -> Place:
    """Return where an operand's first element is."""
    return Place(number, operand.offset * itemsize(operand))


def in_place(operand: Operand) -> int | None:
    """Return 0 where a result may take the memory of operand 0."""
    return 0 if not operand.offset and is_contiguous(operand.shape, operand.strides) else None


def copy_step(pieces: Sequence[Piece], size: int, target: Target) -> Step | None:
    """Return the step that does all copies; None where an order of axes is too involved.

    Args:
        size: of an element in bytes.
    """
    slots: list[steps.Slot] = []
    jobs, count = 0, 0
    for piece in pieces:
        if 0 in piece.shape:
            continue
        axes = walk.joined(piece.shape, (piece.to_strides, piece.source_strides), (size, size))
        axes = axes or [walk.Axis(1, (size, size))]
        if len(axes) - 1 > walk.MOST:
            return None
        plan = walk.Walk(axes[:-1], walk.Axis(1, (0, 0)), axes[-1],
                         min(axes[-1].size, walk.JOB_BYTES // size))
        own, together = plan.jobs(plan.block * size)
        slots += [jobs, own, piece.to, piece.source, *plan.slots(together)]
        jobs, count = jobs + own, count + 1
    return Step(copier(size, target), jobs, (count, *slots))


def copier(size: int, target: Target) -> Kernel:
    """Return the kernel that copies pieces of elements of a size."""
    return Kernel(f"copy elements of {size} bytes", lambda: _text(size, target), "copy")


def concat(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `concat`."""
    axis, size = settings["axis"], itemsize(result)
    strides = contiguous(result.shape)
    pieces, begin = [], 0
    for number, operand in enumerate(operands):
        to = Place(len(operands), begin * strides[axis] * size)
        pieces.append(Piece(to, place(number, operand), operand.shape, strides, operand.strides))
        begin += operand.shape[axis]
    step = copy_step(pieces, size, target)
    return None if step is None else Plan((step,) if step.jobs else (), 0)


def slice_put(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `slice_put`."""
    x, update = operands
    size, strides = itemsize(result), contiguous(result.shape)
    begin = sum(a * s for a, s in zip(settings["start"], strides, strict=True))
    apart = tuple(c * s for c, s in zip(settings["step"], strides, strict=True))
    whole = copy_step([whole_copy(x, 2)], size, target)
    part = copy_step([Piece(Place(2, begin * size), place(1, update), update.shape, apart,
                            update.strides)], size, target)
    if whole is None or part is None:
        return None
    return Plan(tuple(step for step in (whole, part) if step.jobs), 0, in_place(x))


def pad(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `pad`: zeros everywhere, then a copy of x over its part."""
    (x,) = operands
    size, strides = itemsize(result), contiguous(result.shape)
    begin = sum(a * s for a, s in zip(settings["low"], strides, strict=True))
    nothing = steps.Table(np.zeros(1, np.int64))
    zeros = copy_step([Piece(Place(1), nothing, result.shape, strides, (0,) * len(strides))],
                      size, target)
    part = copy_step([Piece(Place(1, begin * size), place(0, x), x.shape, strides, x.strides)],
                     size, target)
    if zeros is None or part is None:
        return None
    return Plan(tuple(step for step in (zeros, part) if step.jobs), 0)


def whole_copy(x: Operand, to: int) -> Piece:
    """Return the copy of operand 0 to the result, which is operand number `to`."""
    return Piece(Place(to), place(0, x), x.shape, contiguous(x.shape), x.strides)


# --- text ----------------------------------------------------------------------------------


def copy_run(f: Function, to: str, source: str, count: Whole) -> None:
    """Write the copy of `count` bytes that lie side by side."""
    width = f.module.target.vector_bytes
    vector = f"<{width} x i8>"
    long = f.compare("sge", count, SHORT if width == 64 else 0)
    with f.when(long):
        _library_copy(f, to, source, count)
    if width != 64:
        return
    with f.when(f.value(f"xor i1 {long}, true")):
        whole = f.value(f"and i64 {count}, -{width}")
        with f.loop(0, whole, width) as k:
            f.store(vector, f.load(vector, f.at(source, k, "i8")), f.at(to, k, "i8"))
        rest = f.subtract(count, whole)
        with f.when(f.compare("sgt", rest, 0)):
            bits = f.value(f"lshr i64 -1, {f.subtract(width, rest)}")
            mask = f.value(f"bitcast i64 {bits} to <{width} x i1>")
            f.vector_store(vector, f.vector_load(vector, f.at(source, whole, "i8"), mask),
                           f.at(to, whole, "i8"), mask)


def _library_copy(f: Function, to: str, source: str, count: Whole) -> None:
    f.intrinsic("llvm.memcpy.p0.p0.i64",
                [("ptr", to), ("ptr", source), ("i64", str(count)), ("i1", "false")])


def fill_run(f: Function, to: str, word: str, number: str, count: Whole) -> None:
    """Write `count` elements, all equal, side by side."""
    from_lanes = f.module.target.lanes({"i8": 1, "i16": 2, "i32": 4, "i64": 8}[word])
    vector = f"<{from_lanes} x {word}>"
    many = f.splat(word, from_lanes, number)
    whole = f.value(f"and i64 {count}, -{from_lanes}")
    with f.loop(0, whole, from_lanes) as k:
        f.store(vector, many, f.at(to, k, word))
    with f.loop(whole, count) as k:
        f.store(word, number, f.at(to, k, word))


def _text(size: int, target: Target) -> str:
    module = Module(target)
    word = WORDS[size]
    f = module.function("piece", ["ptr %args", "i64 %begin", "i64 %end"], internal=True)
    to, source = f.slot(TO, "ptr"), f.slot(FROM, "ptr")
    with f.when(f.value(f"icmp ne ptr {to}, {source}")), walk.walking(f, WALK, [to, source]) as row:
        to, source = row.pointers
        apart, step = row.along
        dense = f.compare("eq", apart, size)
        beside = f.both(dense, f.compare("eq", step, size))
        repeated = f.both(dense, f.compare("eq", step, 0))
        with f.when(beside):
            copy_run(f, to, source, f.multiply(row.length, size))
        with f.when(repeated):
            fill_run(f, to, word, f.load(word, source), row.length)
        otherwise = f.value(f"xor i1 {f.either(beside, repeated)}, true")
        with f.when(otherwise), f.loop(0, row.length) as k:
            number = f.load(word, f.at(source, f.multiply(k, step), "i8"))
            f.store(word, number, f.at(to, f.multiply(k, apart), "i8"))
    f.done()

    f = module.function("copy", ["ptr %args", "i64 %begin", "i64 %end"])
    with f.loop(0, f.slot(0)) as k:
        piece = f.at(f.at("%args", 1, "i64"), f.multiply(k, PIECE), "i64")
        first = f.load("i64", f.at(piece, FIRST, "i64"))
        jobs = f.load("i64", f.at(piece, JOBS, "i64"))
        begin = f.maximum(f.subtract("%begin", first), 0)
        end = f.minimum(f.subtract("%end", first), jobs)
        with f.when(f.compare("slt", begin, end)):
            f.call("@piece", [f"ptr {piece}", f"i64 {begin}", f"i64 {end}"])
    f.done()
    return module.text()
