"""Stable sorting of positions along an axis.

Elements become whole numbers without a sign whose order is the order that is asked for: the last
NaN, or reversed bit by bit for a descending order, in which equal elements still keep their order.

    short   (at most RANKED elements) the place of an element is the number of those before it
    long    radix sort: a pass for each digit, from the lowest on, that keeps the order of equals.
            Digits that are the same in all elements are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...dtypes import bfloat16
from ...dtypes import dtype as DType
from ...ir import Type
from .. import regions, steps
from ..kernel_text import Function, Module, Whole
from ..steps import SCRATCH, Kernel, Operand, Place, Plan, Step
from ..target import Target
from . import lines
from .copies import place
from .numbers import of_width
from .order import Order

RANKED = 64
DIGIT = 8  # bits
BUCKETS = 1 << DIGIT

# Slots; strides in bytes. Line number i lies at i / INNER * LINE + i % INNER * ASIDE; the first
# KEPT positions are written.
(SOURCE, RESULT, ROOM, BUSY, REGIONS, REGION, LINES, TOGETHER, LENGTH, STRIDE, RESULT_STRIDE, INNER,
 LINE, ASIDE, RESULT_LINE, KEPT) = range(16)


def argsort(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `argsort`."""
    (x,), axis = operands, settings["axis"]
    return plan(x, axis, x.shape[axis], bool(settings["descending"]), target)


def plan(x: Operand, axis: int, kept: int, descending: bool, target: Target) -> Plan | None:
    """Return how the first `kept` positions of each sorted line are found."""
    view = lines.along(x, axis)
    if view is None or view.length >= 1 << 31:
        return None
    count = view.outer * view.inner
    if not count * view.length * kept:
        return Plan((), 0)
    size = x.dtype.array.itemsize
    short = view.length <= RANKED
    together = max(1, 4096 // view.length) if short else 1
    jobs = -(-count // together)
    record = 16 if size == 8 else 8
    places = 0 if short else regions.count(jobs)
    region = 0 if short else -(-2 * record * view.length // 64) * 64
    kernel = Kernel(
        f"sort {'short' if short else 'long'} {x.dtype.name} descending {descending}",
        lambda: Sort(x.dtype, descending, target).text(_Short if short else _Long), "sort")
    slots: tuple[steps.Slot, ...] = (
        place(0, x), Place(1), Place(SCRATCH), 0, places, region, count, together, view.length,
        view.stride * size, view.inner * 8, view.inner, view.outer_stride * size,
        view.inner_stride * size, kept * view.inner * 8, kept)
    return Plan((Step(kernel, jobs, slots),), places * region)


class Sort:
    """Writes one kernel: the way from line to line, and what keys are."""

    def __init__(self, dtype: DType, descending: bool, target: Target):
        self.module = Module(target)
        self.f: Function = self.module.function("sort", ["ptr %args", "i64 %begin", "i64 %end"])
        self.order = Order(self.f, dtype, largest=True, bits=True)
        self.descending = descending
        self.kind, self.size = self.order.kind, self.order.size
        # bfloat16 lies in memory as float32 whose lower half is empty: those digits are all alike.
        self.passes = self.size
        self.first_pass = 2 if dtype is bfloat16 else 0

    def text(self, method: Callable[[Sort], Any]) -> str:
        """Return the kernel; `method(sort).line(source, result)` writes what is done to a line."""
        f = self.f
        source, result, inner = f.slot(SOURCE, "ptr"), f.slot(RESULT, "ptr"), f.slot(INNER)
        self.length, self.stride = f.slot(LENGTH), f.slot(STRIDE)
        self.result_stride, self.kept = f.slot(RESULT_STRIDE), f.slot(KEPT)
        line_apart, aside, result_apart = f.slot(LINE), f.slot(ASIDE), f.slot(RESULT_LINE)
        together, places = f.slot(TOGETHER), f.slot(REGIONS)
        region = regions.claim(f, BUSY, places)
        self.room = f.at(f.slot(ROOM, "ptr"), f.multiply(region, f.slot(REGION)), "i8")
        work = method(self)
        last = f.minimum(f.multiply("%end", together), f.slot(LINES))
        with f.loop(f.multiply("%begin", together), last) as line:
            high = f.divide(line, inner)
            low = f.subtract(line, f.multiply(high, inner))
            offset = f.add(f.multiply(high, line_apart), f.multiply(low, aside))
            found = f.at(f.at(result, f.multiply(high, result_apart), "i8"), low, "i64")
            work.line(f.at(source, offset, "i8"), found)
        regions.release(f, BUSY, places, region)
        f.done()
        return self.module.text()

    def key(self, source: str, k: Whole) -> str:
        """Return an element as a number without a sign, in the order asked for."""
        f = self.f
        raw = f.load(self.kind, f.at(source, f.multiply(k, self.stride), "i8"))
        return self.keys(1, raw)

    def keys(self, width: int, raw: str) -> str:
        """Return the keys of elements of memory."""
        f, kind = self.f, of_width(self.kind, width)
        key = self.order.comparable(width, raw)
        flip = -(1 << (8 * self.size - 1)) if self.order.signed else 0
        if self.descending:
            flip = ~flip
        number = str(flip) if width == 1 else f"splat ({self.kind} {flip})"
        return f.value(f"xor {kind} {key}, {number}")

    def put(self, result: str, rank: Whole, position: Whole) -> None:
        f = self.f
        f.store("i64", position, f.at(result, f.multiply(rank, self.result_stride), "i8"))


class _Short:
    """Counts for each element how many come before it."""

    def __init__(self, sort: Sort):
        self.sort, f = sort, sort.f
        self.width = sort.module.target.lanes(sort.size)
        # What lies behind the keys of a line comes after all of them.
        room = RANKED + self.width
        self.keys = f.variable(f"[{room} x {sort.kind}]")
        self.lanes = ", ".join(f"{sort.kind} {k}" for k in range(self.width))

    def line(self, source: str, result: str) -> None:
        f, sort, width = self.sort.f, self.sort, self.width
        kind, vector, bits = sort.kind, of_width(sort.kind, width), f"<{width} x i1>"
        f.store(vector, f"splat ({kind} -1)", f.at(self.keys, f.value(
            f"and i64 {sort.length}, -{width}"), kind))
        with f.loop(0, sort.length) as k:
            f.store(kind, sort.key(source, k), f.at(self.keys, k, kind))
        with f.loop(0, sort.length) as i:
            own = f.splat(kind, width, f.load(kind, f.at(self.keys, i, kind)))
            rank = f.variable("i64", 0)
            f.store("i64", 0, rank)
            with f.loop(0, sort.length, width) as j:
                others = f.load(vector, f.at(self.keys, j, kind))
                less = f.value(f"icmp ult {vector} {others}, {own}")
                equal = f.value(f"icmp eq {vector} {others}, {own}")
                left = f.maximum(f.subtract(i, j), 0)
                narrow = left if kind == "i64" else f.value(f"trunc i64 {left} to {kind}")
                earlier = f.value(f"icmp ult {vector} <{self.lanes}>, "
                                  f"{f.splat(kind, width, str(narrow))}")
                before = f.value(f"or {bits} {less}, {f.value(f'and {bits} {equal}, {earlier}')}")
                word = f"i{width}"
                count = f.intrinsic(f"llvm.ctpop.{word}", [
                    (word, f.value(f"bitcast {bits} {before} to {word}"))], word)
                count = count if width == 64 else f.value(f"zext {word} {count} to i64")
                f.store("i64", f.add(f.load("i64", rank), count), rank)
            found = f.load("i64", rank)
            with f.when(f.compare("slt", found, sort.kept)):
                sort.put(result, found, i)


class _Long:
    """Moves records of key and position from one half of the room to the other, digit by digit."""

    def __init__(self, sort: Sort):
        self.sort, f = sort, sort.f
        self.wide = sort.size == 8
        # A key of up to 32 bits is the upper half of a word, the position its lower half.
        self.record = "<2 x i64>" if self.wide else "i64"
        self.bytes = 16 if self.wide else 8
        self.counts = f.variable(f"[{sort.passes * BUCKETS} x i64]")
        self.here, self.there = f.variable("ptr"), f.variable("ptr")

    def line(self, source: str, result: str) -> None:
        f, sort = self.sort.f, self.sort
        other = f.at(sort.room, f.multiply(sort.length, self.bytes), "i8")
        f.store("ptr", sort.room, self.here)
        f.store("ptr", other, self.there)
        f.intrinsic("llvm.memset.p0.i64", [
            ("ptr", self.counts), ("i8", "0"), ("i64", str(sort.passes * BUCKETS * 8)),
            ("i1", "false")])
        with f.loop(0, sort.length) as k:
            self.begin(sort.key(source, k), k)
        for digit in range(sort.first_pass, sort.passes):
            self.one_pass(digit)
        here = f.load("ptr", self.here)
        with f.loop(0, sort.kept) as k:
            record = f.at(here, f.multiply(k, self.bytes), "i8")
            if self.wide:
                position = f.load("i64", f.at(record, 8, "i8"))
            else:
                position = f.value(f"and i64 {f.load('i64', record)}, {0xFFFFFFFF}")
            sort.put(result, k, position)

    def begin(self, key: str, k: str) -> None:
        """Write an element's record, and count its digits."""
        f, sort = self.sort.f, self.sort
        word = key if self.wide else f.value(f"zext {sort.kind} {key} to i64")
        for digit in range(sort.first_pass, sort.passes):
            bucket = self.count_of(digit, word, 0)
            f.store("i64", f.add(f.load("i64", bucket), 1), bucket)
        record = f.at(sort.room, f.multiply(k, self.bytes), "i8")
        if self.wide:
            f.store("i64", word, record)
            f.store("i64", k, f.at(record, 8, "i8"))
        else:
            f.store("i64", f.value(f"or i64 {f.value(f'shl i64 {word}, 32')}, {k}"), record)

    def count_of(self, digit: int, word: str, shift: int) -> str:
        """Return the address of the count of a word's digit."""
        f = self.sort.f
        moved = f.value(f"lshr i64 {word}, {shift + digit * DIGIT}")
        number = f.value(f"and i64 {moved}, {BUCKETS - 1}")
        return f.at(f.at(self.counts, digit * BUCKETS, "i64"), number, "i64")

    def one_pass(self, digit: int) -> None:
        f, sort, shift = self.sort.f, self.sort, 0 if self.wide else 32
        here, there = f.load("ptr", self.here), f.load("ptr", self.there)
        counts = f.at(self.counts, digit * BUCKETS, "i64")
        alike = f.load("i64", self.count_of(digit, f.load("i64", here), shift))
        with f.when(f.compare("ne", alike, sort.length)):
            start = f.variable("i64", 0)
            f.store("i64", 0, start)
            with f.loop(0, BUCKETS) as bucket:
                place = f.at(counts, bucket, "i64")
                count, before = f.load("i64", place), f.load("i64", start)
                f.store("i64", before, place)
                f.store("i64", f.add(before, count), start)
            with f.loop(0, sort.length) as k:
                record = f.at(here, f.multiply(k, self.bytes), "i8")
                bucket = self.count_of(digit, f.load("i64", record), shift)
                to = f.load("i64", bucket)
                f.store("i64", f.add(to, 1), bucket)
                f.store(self.record, f.load(self.record, record, 8),
                        f.at(there, f.multiply(to, self.bytes), "i8"), 8)
            f.store("ptr", there, self.here)
            f.store("ptr", here, self.there)
