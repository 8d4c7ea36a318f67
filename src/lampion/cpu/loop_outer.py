"""The text of a loop whose vectors lie across rows, one lane for each: sums down columns.

Blocks of some vectors of columns are passed over their inner axes together; at the edge single
vectors, of which only some elements exist.
"""

from __future__ import annotations

from . import memory
from .builder import Builder
from .kernel_text import Whole
from .loop_form import ROW, Form, Line, Read, Reduce, Slot, Write
from .loop_lanes import Lanes, Values
from .loop_sums import STRETCH, Reduction


class OuterLanes(Lanes):
    """Vectors lie across rows."""

    def __init__(self, b: Builder, form: Form, blocks: Slot):
        super().__init__(b, form)
        self.blocks = blocks

    def write(self) -> None:
        """Write the whole function."""
        b, f, form = self.b, self.f, self.form
        self.load_slots()
        self.write_constants()
        start, stop = self.bounds()
        lengths = [self.number(n) for n in form.outer[:-1]]
        columns, blocks = self.number(form.outer[-1]), self.number(self.blocks)
        size = form.vectors * b.width
        with b.loop(start, stop) as item:
            places = self.decoded(f.divide(item, blocks), lengths)
            begin = f.multiply(f.remainder(item, blocks), size)
            whole = f.compare("sle", f.add(begin, size), columns)
            with f.when(whole):
                self.columns(places, begin, form.vectors, None)
            with f.when(f.value(f"xor i1 {whole}, true")):
                self.edge(places, begin, columns)
        f.done()

    def edge(self, places: list[Whole], begin: Whole, columns: Whole) -> None:
        """Write the columns of a block that is not full."""
        b, f = self.b, self.f
        with b.loop(begin, columns, b.width) as first:
            count = f.minimum(f.subtract(columns, first), b.width)
            with self.tail(count):
                self.columns(places, first, 1, count)

    def columns(self, places: list[Whole], first: Whole, vectors: int, count: Whole | None) -> None:
        """Write all phases for some vectors of columns side by side."""
        f = self.f
        self.count = count
        self.pointers = {}
        last = range(self.rank - 1, self.rank)
        for index, s in self.moving():
            start = self.moved(self.start(s), s, places, range(self.rank - 1))
            for v in range(vectors):
                column = f.add(first, v * self.b.width)
                self.pointers[index, v] = self.moved(start, s, [column], last)
        self.lengths = [self.clipped(k, places) for k in range(len(self.form.inner))]
        values = [dict(self.constants) for _ in range(vectors)]
        for phase in range(len(self.form.phases)):
            for line in self.in_phase(phase, True, ROW):
                self.statement(line, values, [])
            if self.has_pass(phase):
                self.pass_over(phase, values)
            for line in self.afterwards(phase):
                self.statement(line, values, [])

    def statement(self, line: Line, values: list[Values], places: list[Whole]) -> None:
        """Write a statement for each vector, at places on the inner axes."""
        b, s = self.b, line.statement
        for v, own in enumerate(values):
            if isinstance(s, (Read, Write)):
                at = self.moved(self.pointers[line.place, v], s, places,
                                range(self.rank, self.rank + len(places)))
                stride = self.number(s.strides[self.rank - 1])
                if isinstance(s, Read):
                    own[line.number] = memory.load(b, at, s.dtype, stride, self.count)
                else:
                    memory.store(b, b.widened(own[s.operand], b.width), at, stride, self.count)
            elif not isinstance(s, Reduce):
                own[line.number] = self.compute(s, own)

    def pass_over(self, phase: int, values: list[Values]) -> None:
        b, f = self.b, self.f
        reductions = {line.number: Reduction(b, line.statement, len(values), b.width)
                      for line in self.in_phase(phase, True) if isinstance(line.statement, Reduce)}
        for r in reductions.values():
            r.begin()
        sums = [r for r in reductions.values() if r.carries]
        apart = [[v] for v in range(len(values))]
        *outer_lengths, length = self.lengths
        pending = f.variable("i64", 0) if sums and outer_lengths else None
        with self.nested(outer_lengths) as places:
            if not sums:
                self.elements(phase, values, reductions, places, 0, length)
            else:
                with b.loop(0, length, STRETCH) as begin:
                    end = f.minimum(f.add(begin, STRETCH), length)
                    self.elements(phase, values, reductions, places, begin, end)
                    if pending is None:
                        for r in sums:
                            r.carry(apart)
                    else:
                        self.carry_later(sums, apart, pending, f.subtract(end, begin))
        for number, r in reductions.items():
            for v, own in enumerate(values):
                own[number] = r.finished(r.result([v]))

    def carry_later(self, sums: list[Reduction], groups: list[list[int]], pending: str,
                    more: Whole) -> None:
        """Carry when enough additions have come together, over several short lines."""
        f = self.f
        waiting = f.add(f.load("i64", pending), more)
        f.store("i64", waiting, pending)
        with f.when(f.compare("sge", waiting, STRETCH)):
            for r in sums:
                r.carry(groups)
            f.store("i64", 0, pending)

    def elements(self, phase: int, values: list[Values], reductions: dict[int, Reduction],
                 places: list[Whole], start: Whole, stop: Whole) -> None:
        """Write the pass over a stretch of the last inner axis."""
        with self.b.loop(start, stop) as last:
            own = [dict(v) for v in values]
            for line in self.in_phase(phase, True):
                s = line.statement
                if isinstance(s, Reduce):
                    for v, found in enumerate(own):
                        reductions[line.number].take(found[s.operand], v)
                elif self.is_element(line):
                    self.statement(line, own, [*places, last])
