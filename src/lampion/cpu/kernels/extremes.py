"""Positions of the largest and smallest elements along an axis.

    short    a line fits into one vector: all in registers
    long     block by block: the best of a block, then a search in the best block alone
    across   vectors lie across lines: best and position of each line in lanes

NaN counts as best; of equals the first is taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dtypes import dtype as DType
from ...ir import Type
from ..kernel_text import Function, Module, Whole
from ..steps import Kernel, Operand, Plan
from ..target import Target
from . import lines
from .numbers import of_width
from .order import Order

BLOCK = 4096  # elements whose best is found before it is looked up
VECTORS = 4  # worked on at the same time


def argmax(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `argmax`."""
    return _plan(operands[0], settings["axis"], True, target)


def argmin(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `argmin`."""
    return _plan(operands[0], settings["axis"], False, target)


def _plan(x: Operand, axis: int, largest: bool, target: Target) -> Plan | None:
    view = lines.along(x, axis, turned=True)
    if view is None or not 0 < view.length < 1 << 31 or view.inner_stride != 1:
        return None
    if view.inner == 1 and view.stride != 1:
        return None
    shape = "across"
    if view.inner == 1:
        shape = "short" if view.length <= target.lanes(x.dtype.array.itemsize) else "long"
    kernel = Kernel(f"arg{'max' if largest else 'min'} {shape} {x.dtype.name}",
                    lambda: _Extreme(x.dtype, largest, target).text(shape), "extreme")
    return lines.plan_lines(x, view, kernel, 8, kept=False)


class _Extreme:
    """Writes one kernel."""

    def __init__(self, dtype: DType, largest: bool, target: Target):
        self.module = Module(target)
        self.f: Function = self.module.function("extreme", ["ptr %args", "i64 %begin", "i64 %end"])
        self.order = Order(self.f, dtype, largest)
        self.kind, self.size = self.order.kind, self.order.size

    def text(self, shape: str) -> str:
        f = self.f
        self.length = f.slot(lines.LENGTH)
        self.width = self.module.target.lanes(max(self.size, 4) if shape == "across" else self.size)
        if shape == "across":
            self.stride = f.slot(lines.STRIDE)
            lines.each_column(f, self.width, self.columns)
        else:
            with lines.each_line(f) as (start, result):
                f.store("i64", self.short(start) if shape == "short" else self.long(start), result)
        f.done()
        return self.module.text()

    def read(self, width: int, pointer: str, mask: str | None) -> str:
        last = self.order.last(width)
        raw = lines.masked_load(self.f, self.kind, width, pointer, mask, last, self.size)
        return self.order.comparable(width, raw)

    def best_of(self, x: str) -> str:
        return lines.folded(self.f, self.kind, self.width, x, self.order.better)

    def first(self, lanes: str) -> str:
        """Return the number of the first lane of a mask, which is not empty."""
        f, width = self.f, self.width
        bits = f.value(f"bitcast <{width} x i1> {lanes} to i{width}")
        place = f.intrinsic(f"llvm.cttz.i{width}", [(f"i{width}", bits), ("i1", "false")],
                            f"i{width}")
        return place if width == 64 else f.value(f"zext i{width} {place} to i64")

    def any(self, lanes: str) -> str:
        width = self.width
        return self.f.intrinsic(f"llvm.vector.reduce.or.v{width}i1", [(f"<{width} x i1>", lanes)],
                                "i1")

    def short(self, start: str) -> str:
        f, width, order = self.f, self.width, self.order
        bits = f"<{width} x i1>"
        x = self.read(width, start, f.lanes_below(width, self.length))
        best = f.splat(self.kind, width, self.best_of(x))
        hit = order.equal(width, x, best)
        nan = order.nan(width, x)
        if nan is not None:
            hit = f.value(f"select i1 {self.any(nan)}, {bits} {nan}, {bits} {hit}")
        return self.first(hit)

    def long(self, start: str) -> str:
        f = self.f
        best = f.variable(self.kind, self.order_start(start))
        broken = f.variable("i1", "false")
        where = f.variable("i64", 0)
        block = f.variable("i64", 0)
        with f.while_below(block, self.length) as begin:
            end = f.minimum(f.add(begin, BLOCK), self.length)
            f.store("i64", end, block)
            found, nan = self.best_in(start, begin, end)
            better = self.order.before(1, found, f.load(self.kind, best))
            if nan is not None:
                better = f.value(f"or i1 {better}, {nan}")
            with f.when(better):
                f.store(self.kind, found, best)
                f.store("i64", begin, where)
            if nan is not None:
                with f.when(nan):
                    f.store("i1", "true", broken)
                    f.store("i64", self.length, block)
        return self.search(start, f.load("i64", where), f.load(self.kind, best),
                           f.load("i1", broken))

    def order_start(self, start: str) -> str:
        """What blocks are compared with first: the line's first element, which block 0 holds."""
        return self.order.comparable(1, self.f.load(self.kind, start))

    def best_in(self, start: str, begin: Whole, end: Whole) -> tuple[str, str | None]:
        """Return the best of a block, and whether there is NaN."""
        f, width, order = self.f, self.width, self.order
        vector, bits = of_width(self.kind, width), f"<{width} x i1>"
        last = f.splat(self.kind, width, order.comparable(1, order.last(1)))
        bests = [f.variable(vector, last, self.size) for _ in range(VECTORS)]
        nans = f.variable(bits, "zeroinitializer", 8)

        def take(k: Whole, count: int, mask: str | None) -> None:
            xs = [self.read(width, f.at(start, f.add(k, j * width), self.kind), mask)
                  for j in range(count)]
            for kept, x in zip(bests, xs, strict=False):
                f.store(vector, order.better(width, x, f.load(vector, kept, self.size)), kept,
                        self.size)
            for a, b in zip(xs[::2], xs[1::2] or xs, strict=True):
                nan = order.nan(width, a, b)
                if nan is not None:
                    f.store(bits, f.value(f"or {bits} {f.load(bits, nans, 8)}, {nan}"), nans, 8)

        step = VECTORS * width
        whole = f.add(begin, f.value(f"and i64 {f.subtract(end, begin)}, -{step}"))
        with f.loop(begin, whole, step) as k:
            take(k, VECTORS, None)
        with f.loop(whole, end, width) as k:
            take(k, 1, f.lanes_below(width, f.subtract(end, k)))
        one, two, three, four = (f.load(vector, place, self.size) for place in bests)
        best = order.better(width, order.better(width, one, two), order.better(width, three, four))
        nan = self.any(f.load(bits, nans, 8)) if order.floating else None
        return self.best_of(best), nan

    def search(self, start: str, begin: Whole, best: str, broken: str) -> str:
        """Return the first place, from begin on, of the best or of NaN."""
        f, width, order = self.f, self.width, self.order
        bits = f"<{width} x i1>"
        wanted = f.splat(self.kind, width, best)
        found = f.variable("i64", 0)
        place = f.variable("i64", begin)
        with f.while_below(place, self.length) as k:
            f.store("i64", f.add(k, width), place)
            mask = f.lanes_below(width, f.subtract(self.length, k))
            x = self.read(width, f.at(start, k, self.kind), mask)
            hit = order.equal(width, x, wanted)
            nan = order.nan(width, x)
            if nan is not None:
                hit = f.value(f"select i1 {broken}, {bits} {nan}, {bits} {hit}")
            with f.when(self.any(hit)):
                f.store("i64", f.add(k, self.first(hit)), found)
                f.store("i64", self.length, place)
        return f.load("i64", found)

    def columns(self, start: str, result: str, column: Whole, count: int,
                mask: str | None) -> None:
        """Some vectors of columns, from the first row to the last."""
        f, order, width = self.f, self.order, self.width
        vector, bits = of_width(self.kind, width), f"<{width} x i1>"
        number = "i64" if self.size == 8 else "i32"
        numbers = of_width(number, width)
        top = f.at(start, column, self.kind)
        bests = [f.variable(vector, self.read(width, f.at(top, j * width, self.kind), mask),
                            self.size) for j in range(count)]
        places = [f.variable(numbers, "zeroinitializer", 8) for _ in bests]
        with f.loop(1, self.length) as row:
            here = f.at(top, f.multiply(row, self.stride), "i8")
            narrow = row if number == "i64" else f.value(f"trunc i64 {row} to i32")
            now = f.splat(number, width, narrow)
            for j, (best, place) in enumerate(zip(bests, places, strict=True)):
                x = self.read(width, f.at(here, j * width, self.kind), mask)
                old = f.load(vector, best, self.size)
                better = order.before(width, x, old)
                if order.floating:
                    new = f.value(f"fcmp uno {vector} {x}, {x}")
                    kept = f.value(f"fcmp ord {vector} {old}, {old}")
                    better = f.value(f"or {bits} {better}, {f.value(f'and {bits} {new}, {kept}')}")
                f.store(vector, f.value(f"select {bits} {better}, {vector} {x}, {vector} {old}"),
                        best, self.size)
                f.store(numbers, f.value(f"select {bits} {better}, {numbers} {now}, {numbers} "
                                         f"{f.load(numbers, place, 8)}"), place, 8)
        for j, place in enumerate(places):
            found = f.load(numbers, place, 8)
            if number == "i32":
                found = f.value(f"zext {numbers} {found} to <{width} x i64>")
            f.vector_store(f"<{width} x i64>", found, f.at(result, f.add(column, j * width), "i64"),
                           mask)
