"""The text of a loop whose vectors lie along a row.

A row is passed in steps of some vectors, then the rest in single vectors of which only some
elements exist.
"""

from __future__ import annotations

from . import memory
from .elements import Vector
from .kernel_text import Whole
from .loop_form import ROW, Line, Read, Reduce, Write, weight
from .loop_lanes import Lanes, Values
from .loop_sums import STRETCH, Reduction


class InnerLanes(Lanes):
    """Vectors lie along a row."""

    def write(self) -> None:
        """Write the whole function."""
        f = self.f
        self.load_slots()
        self.write_constants()
        start, stop = self.bounds()
        lengths = [self.number(n) for n in self.form.outer]
        counters = []
        if self.rank > 1:
            counters = [f.variable("i64", place) for place in self.decoded(start, lengths)]
        with self.b.loop(start, stop) as row:
            places: list[Whole] = [f.load("i64", c) for c in counters] or [row][:self.rank]
            self.row(places)
            self.count_on(counters, places, lengths)
        f.done()

    def count_on(self, counters: list[str], places: list[Whole], lengths: list[Whole]) -> None:
        """Move the places on to the next row: the last axis first, as a mileage counter."""
        f = self.f
        carry: Whole = 1
        for k in range(len(counters) - 1, -1, -1):
            moved = f.add(places[k], carry)
            if k:
                full = f.compare("eq", moved, lengths[k])
                moved = f.select(full, 0, moved)
                carry = f.value(f"zext i1 {full} to i64")
            f.store("i64", moved, counters[k])

    def row(self, places: list[Whole]) -> None:
        values = dict(self.constants)
        self.pointers = {index: self.moved(self.start(s), s, places, range(self.rank))
                         for index, s in self.moving()}
        self.lengths = [self.clipped(k, places) for k in range(len(self.form.inner))]
        for phase in range(len(self.form.phases)):
            for line in self.in_phase(phase, True, ROW):
                self.once(line, values)
            if self.has_pass(phase):
                self.pass_over(phase, values)
            for line in self.afterwards(phase):
                self.once(line, values)

    def once(self, line: Line, values: Values) -> None:
        """Write what is done once a row."""
        s = line.statement
        if isinstance(s, Read):
            values[line.number] = memory.load(self.b, self.pointers[line.place], s.dtype, 0, None)
        elif isinstance(s, Write):
            memory.store(self.b, values[s.operand], self.pointers[line.place], 0, None)
        elif not isinstance(s, Reduce):
            values[line.number] = self.compute(s, values)

    def unroll(self, phase: int, reduces: bool) -> int:
        """Vectors in a step: accumulators side by side hide the time that an addition takes."""
        work = weight(self.form.phases[phase].inner)
        if reduces:
            return 4 if work <= 3 else 2 if work < 12 else 1
        return 2 if work <= 2 else 1

    def pass_over(self, phase: int, values: Values) -> None:
        b, f = self.b, self.f
        statements = {line.number: line.statement for line in self.in_phase(phase, True)
                      if isinstance(line.statement, Reduce)}
        count = self.unroll(phase, bool(statements))
        reductions = {number: Reduction(b, s, count, b.width)
                      for number, s in statements.items() if isinstance(s, Reduce)}
        for r in reductions.values():
            r.begin()
        sums = [r for r in reductions.values() if r.carries]
        together = list(range(count))
        *outer_lengths, length = self.lengths
        pending = f.variable("i64", 0) if sums and outer_lengths else None
        with self.nested(outer_lengths) as places:
            axes = range(self.rank, self.rank + len(places))
            starts = {}
            for line in self.in_phase(phase, True):
                if isinstance(line.statement, (Read, Write)) and self.is_element(line):
                    starts[line.place] = self.moved(self.pointers[line.place], line.statement,
                                                    places, axes)
            self.line(phase, values, reductions, starts, length, count)
            if pending:
                # The vectors at the ends of the lines add to one accumulator as well.
                waiting = f.add(f.load("i64", pending), count)
                f.store("i64", waiting, pending)
                with f.when(f.compare("sge", waiting, STRETCH)):
                    for r in sums:
                        r.carry([together])
                    f.store("i64", 0, pending)
        for number, r in reductions.items():
            values[number] = r.finished(b.folded(r.result(together), r.combine))

    def line(self, phase: int, values: Values, reductions: dict[int, Reduction],
             starts: dict[int, str], length: Whole, count: int) -> None:
        """Write the pass over the last axis, in steps of `count` vectors."""
        b, f = self.b, self.f
        step = count * b.width
        rest = f.value(f"and i64 {length}, {step - 1}")
        full = f.subtract(length, rest)

        def steps(start: Whole, stop: Whole) -> None:
            with b.loop(start, stop, step) as place:
                for which in range(count):
                    at = f.add(place, which * b.width)
                    self.elements(phase, values, reductions, starts, at, which, None)

        sums = [r for r in reductions.values() if r.carries]
        if sums:
            with b.loop(0, full, STRETCH * step) as begin:
                steps(begin, f.minimum(f.add(begin, STRETCH * step), full))
                for r in sums:
                    r.carry([list(range(count))])
        else:
            steps(0, full)
        if count == 1:
            with f.when(f.compare("sgt", rest, 0)), self.tail(rest):
                self.elements(phase, values, reductions, starts, full, 0, rest)
            return
        with b.loop(full, length, b.width) as place:
            left = f.minimum(f.subtract(length, place), b.width)
            with self.tail(left):
                self.elements(phase, values, reductions, starts, place, 0, left)

    def elements(self, phase: int, values: Values, reductions: dict[int, Reduction],
                 starts: dict[int, str], place: Whole, which: int, count: Whole | None) -> None:
        """Write the statements for one vector of elements."""
        b, f = self.b, self.f
        own: dict[int, Vector] = dict(values)
        for line in self.in_phase(phase, True):
            s = line.statement
            if isinstance(s, Reduce):
                reductions[line.number].take(own[s.operand], which)
            elif not self.is_element(line):
                continue
            elif isinstance(s, (Read, Write)):
                stride = self.number(s.strides[-1])
                at = f.at(starts[line.place], f.multiply(place, stride), self.raw(s))
                if isinstance(s, Read):
                    own[line.number] = memory.load(b, at, s.dtype, stride, count)
                else:
                    memory.store(b, b.widened(own[s.operand], b.width), at, stride, count)
            else:
                own[line.number] = self.compute(s, own)
