"""Statistics of all elements of a value, in one pass over its memory.

    pieces    each job gives one row of numbers for a run of elements
    total     where there are several rows: one job adds them up in order

Order does not matter here, so memory without gaps is read from end to end, however its axes lie.
Elements of a block are gathered in vectors; if the sum of squares says that one of them is not
finite, or that the sum left float32's range, the block is done again in float64, one element after
another. Pieces and blocks depend on the size alone, never on threads.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

from ...dtypes import dtype as DType
from ...dtypes import float32, float64
from ...ir import Type
from ..kernel_text import Bit, Function, Module, Whole, size_of
from ..steps import SCRATCH, Kernel, Operand, Place, Plan, Step
from ..target import Target
from . import lines

PIECE, BLOCK = 32768, 8192  # elements
SMALL = 1e-30  # of a block's sum of squares
COUNT, OUT, X = 0, 1, 2  # slots
NON_FINITE, ZEROS, SATURATED, SUM, SQUARES, MINIMUM, MAXIMUM = range(7)
START = ("0.0",) * 5 + ("0x7FF0000000000000", "0xFFF0000000000000")
ROW = len(START)


def statistics(
    operands: tuple[Operand, ...], result: Type, settings: Mapping[str, Any], target: Target,
) -> Plan | None:
    """Plan the op `statistics`."""
    (x,) = operands
    if x.dtype not in (float32, float64) or not _without_gaps(x):
        return None
    low, high = settings["low"], settings["high"]
    kernel = Kernel(f"statistics of {x.dtype.name} outside {low} {high}",
                    lambda: _Statistics(x.dtype, low, high, target).text(), "statistics")
    count = math.prod(x.shape)
    source, out = Place(0, x.offset * x.dtype.array.itemsize), Place(1)
    jobs = -(-count // PIECE)
    if jobs <= 1:
        return Plan((Step(kernel, 1, (count, out, source)),), 0)
    total = Kernel("total of statistics", lambda: _total(target), "total")
    rows = Place(SCRATCH)
    return Plan((Step(kernel, jobs, (count, rows, source)), Step(total, 1, (jobs, out, rows))),
                jobs * ROW * 8)


def _without_gaps(x: Operand) -> bool:
    """Whether the elements fill their memory, in any order of the axes."""
    expected = 1
    for stride, length in sorted(zip(x.strides, x.shape, strict=True)):
        if length == 0:
            return True
        if length > 1:
            if stride != expected:
                return False
            expected *= length
    return True


def _number(value: float, kind: str) -> str:
    """Return a number as LLVM writes it; a float is written as the double of the same value."""
    rounded = struct.unpack("f", struct.pack("f", value))[0] if kind == "float" else value
    return f"0x{struct.unpack('Q', struct.pack('d', rounded))[0]:016X}"


class _Statistics:
    """Writes one kernel."""

    def __init__(self, dtype: DType, low: float | None, high: float | None, target: Target):
        self.kind = "float" if dtype is float32 else "double"
        self.size = size_of(self.kind)
        self.width = target.lanes(self.size)
        self.vector = f"<{self.width} x {self.kind}>"
        self.many = 4 if target.registers >= 32 else 2
        self.outside = tuple((how, _edge(limit, how, self.kind)) for how, limit in (
            ("ole", low), ("oge", high)) if limit is not None)
        self.module = Module(target)

    def text(self) -> str:
        self._write_slowly()
        self._write_quickly()
        f = self.module.function("statistics", ["ptr %args", "i64 %begin", "i64 %end"])
        count, out, x = f.slot(COUNT), f.slot(OUT, "ptr"), f.slot(X, "ptr")
        with f.loop("%begin", "%end") as job:
            row = f.at(out, f.multiply(job, ROW), "double")
            for place, start in enumerate(START):
                f.store("double", start, f.at(row, place, "double"))
            first = f.multiply(job, PIECE)
            last = f.minimum(f.add(first, PIECE), count)
            with f.loop(first, last, BLOCK) as begin:
                length = f.minimum(BLOCK, f.subtract(last, begin))
                f.call("@block", [f"ptr {row}", f"ptr {f.at(x, begin, self.kind)}",
                                  f"i64 {length}"])
        f.done()
        return self.module.text()

    def _write_slowly(self) -> None:
        """The function that takes elements one by one."""
        f = self.module.function("slowly", ["ptr %row", "ptr %x", "i64 %begin", "i64 %end"],
                                 internal=True)
        kept = [f.variable("double") for _ in START]
        for place, variable in enumerate(kept):
            f.store("double", f.load("double", f.at("%row", place, "double")), variable)

        def add(place: int, number: str) -> None:
            f.store("double", f.value(f"fadd double {f.load('double', kept[place])}, {number}"),
                    kept[place])

        def count(place: int, condition: str) -> None:
            add(place, f.value(f"uitofp i1 {condition} to double"))

        with f.loop("%begin", "%end") as k:
            raw = f.load(self.kind, f.at("%x", k, self.kind))
            x = raw if self.kind == "double" else f.value(f"fpext float {raw} to double")
            size = f.intrinsic("llvm.fabs.f64", [("double", x)], "double")
            finite = f.value(f"fcmp one double {size}, 0x7FF0000000000000")
            count(NON_FINITE, f.value(f"xor i1 {finite}, true"))
            count(ZEROS, f.value(f"fcmp oeq double {x}, 0.0"))
            if self.outside:
                found = [f.value(f"fcmp {how} {self.kind} {raw}, {limit}")
                         for how, limit in self.outside]
                count(SATURATED, f.value(f"and i1 {finite}, {self._any(f, 'i1', found)}"))
            good = f.value(f"select i1 {finite}, double {x}, double 0.0")
            add(SUM, good)
            add(SQUARES, f.value(f"fmul double {good}, {good}"))
            for place, how in ((MINIMUM, "olt"), (MAXIMUM, "ogt")):
                old = f.load("double", kept[place])
                better = f.value(f"and i1 {finite}, {f.value(f'fcmp {how} double {x}, {old}')}")
                f.store("double", f.value(f"select i1 {better}, double {x}, double {old}"),
                        kept[place])
        for place, variable in enumerate(kept):
            f.store("double", f.load("double", variable), f.at("%row", place, "double"))
        f.done()

    def _any(self, f: Function, bits: str, found: list[str]) -> str:
        return found[0] if len(found) == 1 else f.value(f"or {bits} {found[0]}, {found[1]}")

    def _write_quickly(self) -> None:
        """The function that takes a block in vectors, and what is left of it slowly."""
        f = self.module.function("block", ["ptr %row", "ptr %x", "i64 %count"], internal=True)
        step = self.many * self.width
        whole = f.value(f"and i64 %count, -{step}")
        good = f.variable("i1", "true", 8)
        with f.when(f.compare("sgt", whole, 0)):
            f.store("i1", str(self._keep(f, self._gather(f, whole, step))), good, 8)
        done = f.select(f.load("i1", good, 8), whole, 0)
        f.call("@slowly", ["ptr %row", "ptr %x", f"i64 {done}", "i64 %count"])
        f.done()

    def _gather(self, f: Function, whole: Whole, step: int) -> dict[int, str]:
        """Pass over the vectors of a block; return one vector for each number."""
        vector, width, size = self.vector, self.width, self.size
        whole_kind = "i32" if size == 4 else "i64"
        counts, bits = f"<{width} x {whole_kind}>", f"<{width} x i1>"
        infinity = f.splat(self.kind, width, START[MINIMUM])
        lowest = f.splat(self.kind, width, START[MAXIMUM])
        starts = {SUM: (vector, "zeroinitializer"), SQUARES: (vector, "zeroinitializer"),
                  MINIMUM: (vector, infinity), MAXIMUM: (vector, lowest),
                  ZEROS: (counts, "zeroinitializer")}
        if self.outside:
            starts[SATURATED] = (counts, "zeroinitializer")
        places = {number: [f.variable(kind, start, size) for _ in range(self.many)]
                  for number, (kind, start) in starts.items()}

        def edge(limit: str) -> str:
            return f.splat(self.kind, width, limit)

        def change(number: int, k: int, how: Callable[[str], str]) -> None:
            kind = starts[number][0]
            f.store(kind, how(f.load(kind, places[number][k], size)), places[number][k], size)

        def counted(found: str) -> Callable[[str], str]:
            return lambda old: f.value(
                f"sub {counts} {old}, {f.value(f'sext {bits} {found} to {counts}')}")

        def best(how: str, x: str) -> Callable[[str], str]:
            return lambda old: self._better(f, vector, bits, how, x, old)

        def total(x: str) -> Callable[[str], str]:
            return lambda old: f.value(f"fadd {vector} {old}, {x}")

        def squares(x: str) -> Callable[[str], str]:
            return lambda old: f.multiply_add(vector, x, x, old)

        edges = [(how, edge(limit)) for how, limit in self.outside]
        with f.loop(0, whole, step) as at:
            for k in range(self.many):
                x = f.load(vector, f.at("%x", f.add(at, k * width), self.kind), size)
                change(SUM, k, total(x))
                change(SQUARES, k, squares(x))
                change(MINIMUM, k, best("olt", x))
                change(MAXIMUM, k, best("ogt", x))
                change(ZEROS, k, counted(f.value(f"fcmp oeq {vector} {x}, zeroinitializer")))
                if edges:
                    found = [f.value(f"fcmp {how} {vector} {x}, {limit}") for how, limit in edges]
                    change(SATURATED, k, counted(self._any(f, bits, found)))
        return {number: self._joined(f, number, kind, [
            f.load(kind, place, size) for place in places[number]])
            for number, (kind, _) in starts.items()}

    def _better(self, f: Function, kind: str, bits: str, how: str, x: str, old: str) -> str:
        better = f.value(f"fcmp {how} {kind} {x}, {old}")
        return f.value(f"select {bits} {better}, {kind} {x}, {kind} {old}")

    def _joined(self, f: Function, number: int, kind: str, parts: list[str]) -> str:
        bits = f"<{self.width} x i1>"
        joined = parts[0]
        for part in parts[1:]:
            if number in (SUM, SQUARES):
                joined = f.value(f"fadd {kind} {joined}, {part}")
            elif number in (MINIMUM, MAXIMUM):
                how = "olt" if number == MINIMUM else "ogt"
                joined = self._better(f, kind, bits, how, part, joined)
            else:
                joined = f.value(f"add {kind} {joined}, {part}")
        return joined

    def _keep(self, f: Function, gathered: dict[int, str]) -> Bit:
        """Add a block's numbers to the row if they are sound; return whether they are."""
        found = {number: self._scalar(f, number, vector) for number, vector in gathered.items()}
        rest = f.value(f"fsub double {found[SQUARES]}, {found[SQUARES]}")
        sound: Bit = f.value(f"fcmp oeq double {rest}, 0.0")
        if self.kind == "float":
            # Squares of small numbers leave the range of float32 at its lower end.
            large = f.value(f"fcmp oge double {found[SQUARES]}, {_number(SMALL, 'double')}")
            zero = f.both(f.value(f"fcmp oeq double {found[MINIMUM]}, 0.0"),
                          f.value(f"fcmp oeq double {found[MAXIMUM]}, 0.0"))
            sound = f.both(sound, f.either(large, zero))
        with f.when(sound):
            for number, new in found.items():
                place = f.at("%row", number, "double")
                old = f.load("double", place)
                if number in (MINIMUM, MAXIMUM):
                    how = "olt" if number == MINIMUM else "ogt"
                    kept = self._better(f, "double", "i1", how, new, old)
                else:
                    kept = f.value(f"fadd double {old}, {new}")
                f.store("double", kept, place)
        return sound

    def _wide(self, f: Function, x: str) -> str:
        if self.kind == "double":
            return x
        return f.value(f"fpext {self.vector} {x} to <{self.width} x double>")

    def _folded(self, f: Function, number: int, x: str, kind: str) -> str:
        """Return the lanes combined to one."""
        def combine(width: int, a: str, b: str) -> str:
            wide, bits = (kind, "i1") if width == 1 else (
                f"<{width} x {kind}>", f"<{width} x i1>")
            if number in (MINIMUM, MAXIMUM):
                how = "olt" if number == MINIMUM else "ogt"
                return self._better(f, wide, bits, how, a, b)
            return f.value(f"{'fadd' if kind == 'double' else 'add'} {wide} {a}, {b}")

        return lines.folded(f, kind, self.width, x, combine)

    def _scalar(self, f: Function, number: int, x: str) -> str:
        if number in (SUM, SQUARES):
            return self._folded(f, number, self._wide(f, x), "double")
        if number in (MINIMUM, MAXIMUM):
            found = self._folded(f, number, x, self.kind)
            return found if self.kind == "double" else f.value(f"fpext float {found} to double")
        kind = "i32" if self.size == 4 else "i64"
        return f.value(f"uitofp {kind} {self._folded(f, number, x, kind)} to double")


def _edge(limit: float, how: str, kind: str) -> str:
    """Return a limit in the elements' type that divides them as the limit itself does."""
    number = limit
    if kind == "float":
        number = struct.unpack("f", struct.pack("f", limit))[0]
        if (how == "ole" and number > limit) or (how == "oge" and number < limit):
            number = _next_float(number, -1.0 if how == "ole" else 1.0)
    return _number(number, kind)


def _next_float(x: float, towards: float) -> float:
    """Return the float32 beside x: below where `towards` is negative, else above."""
    if x == 0:
        return math.copysign(2.0**-149, towards)
    (bits,) = struct.unpack("i", struct.pack("f", x))
    bits += 1 if (x > 0) == (towards > 0) else -1
    return struct.unpack("f", struct.pack("i", bits))[0]


def _total(target: Target) -> str:
    """Write the function that adds up rows."""
    module = Module(target)
    f = module.function("total", ["ptr %args", "i64 %begin", "i64 %end"])
    count, out, rows = f.slot(COUNT), f.slot(OUT, "ptr"), f.slot(X, "ptr")
    for place in range(ROW):
        column = f.at(rows, place, "double")
        kept = f.variable("double", START[place], 8)
        with f.loop(0, count) as k:
            x = f.load("double", f.at(column, f.multiply(k, ROW), "double"))
            old = f.load("double", kept)
            if place in (MINIMUM, MAXIMUM):
                better = f.value(f"fcmp {'olt' if place == MINIMUM else 'ogt'} double {x}, {old}")
                new = f.value(f"select i1 {better}, double {x}, double {old}")
            else:
                new = f.value(f"fadd double {old}, {x}")
            f.store("double", new, kept)
        f.store("double", f.load("double", kept), f.at(out, place, "double"))
    f.done()
    return module.text()
