"""float16 and bfloat16 around arithmetic in float32: widened before it, rounded once after it.

    widen_step   float16 in any order -> float32 in row-major order
    round_step   float32 -> float16, or float32 -> bfloat16 (float32 in memory), maybe in place
"""

from __future__ import annotations

import math

from ...dtypes import dtype as DType
from ...dtypes import float16
from ...strides import contiguous
from ..kernel_text import Function, Module
from ..steps import Kernel, Operand, Place, Step
from ..target import Target
from . import numbers, walk
from .copies import place

SOURCE, RESULT, WALK = range(3)
COUNT, BLOCK = range(2, 4)


def widen_step(number: int, x: Operand, to: Place, target: Target) -> Step | None:
    """Return the step that widens operand `number`; None where its axes are too involved."""
    axes = walk.joined(x.shape, (contiguous(x.shape), x.strides), (4, 2)) or [walk.Axis(1, (4, 2))]
    if len(axes) - 1 > walk.MOST:
        return None
    inner = axes[-1]
    way = walk.Walk(axes[:-1], walk.Axis(1, (0, 0)), inner, max(1, min(inner.size, 8192)))
    jobs, together = way.jobs(way.block * 6)
    kernel = Kernel("widen float16", lambda: _widen_text(target), "widen")
    return Step(kernel, jobs, (place(number, x), to, *way.slots(together)))


def round_step(source: Place, to: Place, count: int, dtype: DType, target: Target) -> Step:
    """Return the step that rounds `count` numbers, side by side, to one of the halves."""
    block = 8192
    kernel = Kernel(f"round to {dtype.name}", lambda: _round_text(dtype, target), "round")
    return Step(kernel, -(-count // block), (source, to, count, block))


def scratch_bytes(*shapes: tuple[int, ...]) -> list[int]:
    """Return where float32 arrays of these shapes begin, one after another, and where all end."""
    ends = [0]
    for shape in shapes:
        ends.append(ends[-1] + -(-4 * math.prod(shape) // 64) * 64)
    return ends


def _widen_text(target: Target) -> str:
    module = Module(target)
    f = module.function("widen", ["ptr %args", "i64 %begin", "i64 %end"])
    # Walked in the order: result, source.
    with walk.walking(f, WALK, [f.slot(RESULT, "ptr"), f.slot(SOURCE, "ptr")]) as row:
        to, source = row.pointers
        apart, step = row.along

        def one(k: str) -> None:
            half = f.load("i16", f.at(source, f.multiply(k, step), "i8"))
            f.store("float", numbers.to_float(f, float16, 1, half),
                    f.at(to, f.multiply(k, apart), "i8"))

        dense = f.both(f.compare("eq", apart, 4), f.compare("eq", step, 2))
        width = target.lanes(4)
        whole = f.select(dense, f.value(f"and i64 {row.length}, -{width}"), 0)
        with f.loop(0, whole, width) as k:
            halves = f.load(f"<{width} x i16>", f.at(source, k, "i16"))
            f.store(f"<{width} x float>", numbers.to_float(f, float16, width, halves),
                    f.at(to, k, "float"))
        with f.loop(whole, row.length) as k:
            one(k)
    f.done()
    return module.text()


def _round_text(dtype: DType, target: Target) -> str:
    module = Module(target)
    f: Function = module.function("round", ["ptr %args", "i64 %begin", "i64 %end"])
    source, to = f.slot(SOURCE, "ptr"), f.slot(RESULT, "ptr")
    block = f.slot(BLOCK)
    first = f.multiply("%begin", block)
    last = f.minimum(f.multiply("%end", block), f.slot(COUNT))
    word, width = numbers.WORD[dtype.name], target.lanes(4)
    whole = f.add(first, f.value(f"and i64 {f.subtract(last, first)}, -{width}"))
    for start, stop, step in ((first, whole, width), (whole, last, 1)):
        with f.loop(start, stop, step) as k:
            wide = f.load(numbers.of_width("float", step), f.at(source, k, "float"))
            f.store(numbers.of_width(word, step), numbers.from_float(f, dtype, step, wide),
                    f.at(to, k, word))
    f.done()
    return module.text()
