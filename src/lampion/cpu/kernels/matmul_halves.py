"""Products of float16 and bfloat16: sums in float32, each number of the result rounded once.

bfloat16 lies in memory as float32, so only the result is rounded, in place. float16 operands are
copied to float32 first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...dtypes import bfloat16, float16
from ...ir import Type
from .. import steps
from ..kernel_text import Function, Module
from ..steps import SCRATCH, Kernel, Operand, Place, Plan, Step
from ..target import Target
from . import numbers

JOB = 16384  # numbers that are converted in a job


def in_halves(product: Plan, operands: Sequence[Operand], result: Type, target: Target) -> Plan:
    """Return a product's plan for halves, made from that for float32.

    The memory of float16 operands must be `dense`.
    """
    size, last = math.prod(result.shape), len(operands)
    if result.dtype is bfloat16:
        c = Place(last)
        return Plan((*product.steps, _convert("round", c, c, size, target)),
                    product.scratch_bytes)
    counts = [*map(_elements, operands), size]
    places, end = {}, product.scratch_bytes
    for number, count in enumerate(counts):
        places[number] = Place(SCRATCH, end)
        end += -(-count * 4 // 64) * 64
    before = [_convert("widen", places[k], Place(k), counts[k], target) for k in range(last)]
    after = _convert("narrow", Place(last), places[last], size, target)
    return Plan((*before, *moved(product, places).steps, after), end)


def moved(plan: Plan, places: dict[int, Place]) -> Plan:
    """Return a plan whose operands lie somewhere else."""
    def at(slot: steps.Slot) -> steps.Slot:
        if isinstance(slot, Place) and slot.where in places:
            place = places[slot.where]
            return Place(place.where, place.offset + slot.offset)
        return slot

    return plan._replace(steps=tuple(
        step._replace(slots=tuple(at(slot) for slot in step.slots)) for step in plan.steps))


def dense(operand: Operand) -> bool:
    """Whether an operand's elements fill their memory, in any order of axes."""
    expected = 1
    for stride, size in sorted(_axes(operand)):
        if stride != expected:
            return False
        expected *= size
    return True


def _axes(operand: Operand) -> list[tuple[int, int]]:
    return [(stride, size) for stride, size in zip(operand.strides, operand.shape)
            if size > 1 and stride != 0]


def _elements(operand: Operand) -> int:
    return math.prod(size for _, size in _axes(operand))


def _convert(how: str, to: Place, source: Place, count: int, target: Target) -> Step:
    kernel = Kernel(f"matmul {how}", lambda: _text(how, target), how)
    return Step(kernel, -(-count // JOB), (to, source, count))


def _text(how: str, target: Target) -> str:
    module = Module(target)
    f = module.function(how, ["ptr %args", "i64 %begin", "i64 %end"])
    width = target.lanes(4)
    to, source = f.pointer(f.slot(0)), f.pointer(f.slot(1))
    first = f.multiply("%begin", JOB)
    last = f.minimum(f.multiply("%end", JOB), f.slot(2))
    count = f.subtract(last, first)
    whole = f.add(first, f.subtract(count, f.remainder(count, width)))
    with f.loop(first, whole, width) as k:
        _vector(f, how, width, to, source, k, None)
    with f.when(f.compare("slt", whole, last)):
        mask = f.lanes_below(width, f.subtract(last, whole))
        _vector(f, how, width, to, source, whole, mask)
    f.done()
    return module.text()


def _vector(f: Function, how: str, width: int, to: str, source: str, k, mask) -> None:
    """Convert one vector."""
    kinds = {"round": ("float", "float"), "widen": ("i16", "float"), "narrow": ("float", "i16")}
    read, written = kinds[how]
    dtype = bfloat16 if how == "round" else float16
    x = f.vector_load(f"<{width} x {read}>", f.at(source, k, read), mask)
    change = numbers.to_float if how == "widen" else numbers.from_float
    x = change(f, dtype, width, x)
    f.vector_store(f"<{width} x {written}>", x, f.at(to, k, written), mask)
