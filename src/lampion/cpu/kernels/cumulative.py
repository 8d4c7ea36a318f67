"""Running sums, products and maxima along an axis.

    line      side by side: each vector is summed up within itself, then the carry is added
    across    vectors lie across lines: one running vector for each

Floating numbers are summed up in float64 and rounded where they are stored. A vector's own sum is
made of neighbours, neighbours of neighbours and so on: an order that depends on the sizes alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...dtypes import bool_, float64
from ...dtypes import dtype as DType
from ...ir import Type
from ..kernel_text import Function, Module, Whole
from ..steps import Kernel, Operand, Plan
from ..target import Target
from . import lines, numbers
from .numbers import of_width
from .order import Order


def cumsum(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `cumsum`."""
    return _plan(operands[0], settings, "sum", target)


def cumprod(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `cumprod`."""
    return _plan(operands[0], settings, "product", target)


def cummax_index(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `cummax_index`."""
    (x,) = operands
    view = _view(x, settings["axis"])
    if view is None or view.length >= 1 << 31:
        return None
    across = view.inner > 1
    kernel = Kernel(f"cummax {'across' if across else 'line'} {x.dtype.name}",
                    lambda: _Maximum(x.dtype, across, target).text(across), "cumulative")
    return lines.plan_lines(x, view, kernel, 8, kept=True)


def _view(x: Operand, axis: int) -> lines.Lines | None:
    view = lines.along(x, axis)
    if view is None or view.inner_stride != 1 or (view.inner == 1 and view.stride != 1):
        return None
    return view


def _plan(x: Operand, settings: Mapping[str, Any], what: str, target: Target) -> Plan | None:
    view = _view(x, settings["axis"])
    if view is None or not numbers.supported(x.dtype, target):
        return None
    across, exclusive, reverse = view.inner > 1, settings["exclusive"], settings["reverse"]
    shape = "across" if across else "line"
    kernel = Kernel(
        f"running {what} {shape} {x.dtype.name} exclusive {exclusive} reverse {reverse}",
        lambda: _Running(what, x.dtype, exclusive, reverse, target).text(across), "cumulative")
    return lines.plan_lines(x, view, kernel, x.dtype.array.itemsize, kept=True)


class _Running:
    """Writes the kernel of running sums or products."""

    def __init__(self, what: str, dtype: DType, exclusive: bool, reverse: bool, target: Target):
        self.module = Module(target)
        self.f: Function = self.module.function("cumulative",
                                                ["ptr %args", "i64 %begin", "i64 %end"])
        self.dtype, self.exclusive, self.reverse = dtype, exclusive, reverse
        self.word = numbers.WORD[dtype.name]
        self.kind = "double" if dtype.is_floating_point else self.word
        self.width = target.lanes(8)
        name = "add" if what == "sum" else "mul"
        if dtype is bool_:
            name = "or" if what == "sum" else "and"
        self.instruction = ("f" if dtype.is_floating_point else "") + name
        start = 0 if what == "sum" else 1
        self.start = f"{start}.0" if dtype.is_floating_point else str(start)

    def text(self, across: bool) -> str:
        f = self.f
        self.length = f.slot(lines.LENGTH)
        if across:
            self.stride, self.result_stride = f.slot(lines.STRIDE), f.slot(lines.RESULT_STRIDE)
            lines.each_column(f, self.width, self.columns)
        else:
            with lines.each_line(f) as (source, result):
                self.line(source, result)
        f.done()
        return self.module.text()

    def join(self, width: int, a: str, b: str) -> str:
        return self.f.value(f"{self.instruction} {of_width(self.kind, width)} {a}, {b}")

    def wide(self, width: int, x: str) -> str:
        """Return elements of memory as they are summed up."""
        if not self.dtype.is_floating_point or self.dtype is float64:
            return x
        if self.word == "i16":
            x = numbers.to_float(self.f, self.dtype, width, x)
        return self.f.value(f"fpext {of_width('float', width)} {x} to {of_width('double', width)}")

    def narrow(self, width: int, x: str) -> str:
        """Return sums as elements of memory."""
        if not self.dtype.is_floating_point or self.dtype is float64:
            return x
        x = self.f.value(f"fptrunc {of_width('double', width)} {x} to {of_width('float', width)}")
        if self.dtype.itemsize == 2:
            x = numbers.from_float(self.f, self.dtype, width, x)
        return x

    def reversed(self, x: str) -> str:
        if not self.reverse:
            return x
        return self.f.shuffle(of_width(self.kind, self.width), x, "poison",
                              range(self.width - 1, -1, -1))

    def moved(self, x: str, by: int) -> str:
        """Return lanes moved up; what comes in changes nothing."""
        vector = of_width(self.kind, self.width)
        places = [self.width if k < by else k - by for k in range(self.width)]
        return self.f.shuffle(vector, x, f"splat ({self.kind} {self.start})", places)

    def summed(self, x: str) -> str:
        """Return running sums within a vector: upper halves add what the lower ones end with."""
        f, width, by = self.f, self.width, 1
        vector = of_width(self.kind, width)
        while by < width:
            ends = f.shuffle(vector, x, "poison", [k // (2 * by) * 2 * by + by - 1
                                                   for k in range(width)])
            upper = ", ".join(f"i1 {str(bool(k & by)).lower()}" for k in range(width))
            x = f.value(f"select <{width} x i1> <{upper}>, {vector} {self.join(width, ends, x)}, "
                        f"{vector} {x}")
            by *= 2
        return x

    def place(self, k: Whole, count: int) -> Whole:
        """Return where the `count` elements from number k on begin in memory."""
        if not self.reverse:
            return k
        return self.f.subtract(self.f.subtract(self.length, count), k)

    def line(self, source: str, result: str) -> None:
        f, width = self.f, self.width
        vector = of_width(self.word, width)
        carry = f.variable(self.kind, self.start)
        whole = f.value(f"and i64 {self.length}, -{width}")
        with f.loop(0, whole, width) as k:
            at = self.place(k, width)
            x = self.reversed(self.wide(width, f.load(vector, f.at(source, at, self.word))))
            x = self.summed(x)
            before = f.load(self.kind, carry)
            total = f.value(f"extractelement {of_width(self.kind, width)} {x}, i64 {width - 1}")
            f.store(self.kind, self.join(1, before, total), carry)
            own = self.moved(x, 1) if self.exclusive else x
            found = self.join(width, f.splat(self.kind, width, before), own)
            f.store(vector, self.narrow(width, self.reversed(found)),
                    f.at(result, at, self.word))
        with f.loop(whole, self.length) as k:
            at = self.place(k, 1)
            before = f.load(self.kind, carry)
            x = self.wide(1, f.load(self.word, f.at(source, at, self.word)))
            after = self.join(1, before, x)
            f.store(self.kind, after, carry)
            f.store(self.word, self.narrow(1, before if self.exclusive else after),
                    f.at(result, at, self.word))

    def columns(self, source: str, result: str, column: Whole, count: int,
                mask: str | None) -> None:
        f, width = self.f, self.width
        vector, memory = of_width(self.kind, width), of_width(self.word, width)
        sums = [f.variable(vector, f"splat ({self.kind} {self.start})", 8) for _ in range(count)]
        left, result_left = f.at(source, column, self.word), f.at(result, column, self.word)
        with f.loop(0, self.length) as k:
            row = self.place(k, 1)
            here = f.at(left, f.multiply(row, self.stride), "i8")
            there = f.at(result_left, f.multiply(row, self.result_stride), "i8")
            for j, running in enumerate(sums):
                x = f.vector_load(memory, f.at(here, j * width, self.word), mask)
                before = f.load(vector, running, 8)
                after = self.join(width, before, self.wide(width, x))
                f.store(vector, after, running, 8)
                found = self.narrow(width, before if self.exclusive else after)
                f.vector_store(memory, found, f.at(there, j * width, self.word), mask)


class _Maximum:
    """Writes the kernel of the position of the largest so far; NaN is largest and stays."""

    def __init__(self, dtype: DType, across: bool, target: Target):
        self.module = Module(target)
        self.f: Function = self.module.function("cumulative",
                                                ["ptr %args", "i64 %begin", "i64 %end"])
        # One number after another, whole numbers are compared and chosen faster.
        self.order = Order(self.f, dtype, largest=True, bits=not across)
        self.kind, self.size = self.order.kind, self.order.size
        self.width = target.lanes(max(self.size, 4))
        self.number = "i64" if self.size == 8 else "i32"

    def text(self, across: bool) -> str:
        f = self.f
        self.length, self.stride = f.slot(lines.LENGTH), f.slot(lines.STRIDE)
        self.result_stride = f.slot(lines.RESULT_STRIDE)
        if across:
            lines.each_column(f, self.width, self.columns)
        else:
            self.width = 1
            with lines.each_line(f) as (source, result):
                self.columns(source, result, 0, 1, None)
        f.done()
        return self.module.text()

    def met(self, x: str, best: str) -> str:
        """Return whether x is at least as large, or NaN."""
        f, width = self.f, self.width
        bits, kind = of_width("i1", width), of_width(self.kind, width)
        if self.order.floating:
            # "uge" holds for NaN in either; only that of x counts.
            reached = f.value(f"fcmp oge {kind} {x}, {best}")
            return f.value(f"or {bits} {reached}, {self.order.nan(width, x)}")
        return f.value(f"icmp {'s' if self.order.signed else 'u'}ge {kind} {x}, {best}")

    def columns(self, source: str, result: str, column: Whole, count: int,
                mask: str | None) -> None:
        f, width = self.f, self.width
        vector, bits = of_width(self.kind, width), of_width("i1", width)
        positions, words = of_width(self.number, width), of_width("i64", width)
        last = self.order.comparable(width, self.order.last(width))
        bests = [f.variable(vector, last, self.size) for _ in range(count)]
        empty = "0" if width == 1 else "zeroinitializer"
        places = [f.variable(positions, empty, 8) for _ in bests]
        left, result_left = f.at(source, column, self.kind), f.at(result, column, "i64")
        with f.loop(0, self.length) as row:
            now = row if self.number == "i64" else f.value(f"trunc i64 {row} to i32")
            if width > 1:
                now = f.splat(self.number, width, now)
            here = f.at(left, f.multiply(row, self.stride), "i8")
            there = f.at(result_left, f.multiply(row, self.result_stride), "i8")
            for j, (best, place) in enumerate(zip(bests, places, strict=True)):
                raw = f.vector_load(vector, f.at(here, j * width, self.kind), mask)
                x = self.order.comparable(width, raw)
                old = f.load(vector, best, self.size)
                met = self.met(x, old)
                f.store(vector, f.value(f"select {bits} {met}, {vector} {x}, {vector} {old}"),
                        best, self.size)
                found = f.value(f"select {bits} {met}, {positions} {now}, {positions} "
                                f"{f.load(positions, place, 8)}")
                f.store(positions, found, place, 8)
                if self.number == "i32":
                    found = f.value(f"zext {positions} {found} to {words}")
                f.vector_store(words, found, f.at(there, j * width, "i64"), mask)
