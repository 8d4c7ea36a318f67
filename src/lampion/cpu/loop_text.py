"""The text of a loop: a function that does jobs begin..end of a `Form`.

Inner lanes: a row is passed in steps of UNROLL vectors, then the rest in single vectors of which
only some elements exist. Outer lanes: blocks of VECTORS vectors of columns, each passed over its
inner axes; at the edge single vectors.

A sum of floating numbers is added up in several accumulators for a short stretch; the stretches
are added with what each addition lost carried along (Knuth's two-sum), so that a long sum is as
exact as a pairwise one. The order depends on the form and the sizes alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..dtypes import bool_, float32
from ..kernel import Compute, Load, Reduce, Statement, Store
from . import memory
from .builder import Builder
from .elements import HALVES, MEMORY, Vector, bottom, top
from .loop_form import CONSTANT, ELEMENT, ROW, Form, Number, Slot, levels, results
from .target import Target
from .writer import Whole

STRETCH = 32  # additions in one accumulator before the carried-along addition
HEAVY = ("exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "asin",
         "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh", "sigmoid", "erf",
         "erfinv", "pow", "atan2", "floor_divide", "remainder", "fmod", "trunc_divide")
# Ops that only choose or copy: their results need no rounding to a half type.
EXACT = ("copy", "overwrite", "where", "maximum", "minimum", "neg", "abs", "relu", "clamp",
         "clamp_low", "clamp_high", "sign", "floor", "ceil", "trunc", "round")
VECTORS = 4  # of columns, in a block of outer lanes

Values = dict[int, Vector]


def lanes_of(loop, target: Target) -> int:
    """Return how many elements a vector has: as many of the widest type as a register holds."""
    widest = 1
    for _, _, s in loop.statements():
        dtype = None if isinstance(s, Store) else s.dtype
        if dtype is not None:
            widest = max(widest, 4 if dtype in HALVES else dtype.itemsize)
    return target.lanes(max(widest, 4))


def write(form: Form, lanes: int, target: Target, name: str) -> str:
    """Return the module with the function `name(args, begin, end)`."""
    b = Builder(lanes, target)
    (_OuterLanes if form.lanes_outer else _InnerLanes)(b, form).write()
    b.function(f"void @{name}(ptr %args, i64 %begin, i64 %end)")
    return b.text()


class _Reduction:
    """The accumulators of one Reduce, for some vectors side by side."""

    def __init__(self, b: Builder, statement: Reduce, number: int, count: int, width: int):
        self.b, self.statement, self.number, self.width = b, statement, number, width
        lower = statement.op.lower
        self.dtype = float32 if statement.dtype in HALVES else statement.dtype
        self.combine: Callable = getattr(b, lower["combine"])
        self.before, self.after = lower["before"], lower["after"]
        start = {"lowest": bottom, "highest": top}.get(lower["start"])
        self.start = b.widened(b.constant_of(
            start(self.dtype) if start else lower["start"], self.dtype), width)
        self.carries = lower["combine"] == "add" and self.dtype.is_floating_point
        self.type = b.type(self.dtype, width)
        self.places = [b.variable(self.type) for _ in range(count)]
        self.totals = [b.variable(self.type) for _ in range(count)] if self.carries else []
        self.lost = [b.variable(self.type) for _ in range(count)] if self.carries else []

    def begin(self) -> None:
        for place in self.places:
            self.b.set(self.type, place, self.start.name)
        zero = self.b.widened(self.b.constant_of(0, self.dtype), self.width)
        for place in self.totals + self.lost:
            self.b.set(self.type, place, zero.name)

    def _get(self, place: str) -> Vector:
        return Vector(self.b.get(self.type, place), self.dtype, self.width)

    def take(self, x: Vector, which: int) -> None:
        """Add a vector of elements to an accumulator; missing elements count for nothing."""
        b = self.b
        if x.dtype in HALVES:
            x = b.retyped(x, float32)
        if self.before is not None:
            x = self.before(b, x)
        x = b.widened(x, self.width)
        old = self._get(self.places[which])
        new = self.combine(old, x)
        if b.mask is not None:
            new = b.where(Vector(b.mask, bool_, self.width), new, old)
        b.set(self.type, self.places[which], new.name)

    def carry(self, groups: list[list[int]]) -> None:
        """Add each group of accumulators to its total, with what the addition loses kept."""
        b = self.b
        for group in groups:
            x = self._joined(group)
            total, lost = self._get(self.totals[group[0]]), self._get(self.lost[group[0]])
            new = b.add(total, x)
            part = b.sub(new, total)
            error = b.add(b.sub(total, b.sub(new, part)), b.sub(x, part))
            b.set(self.type, self.totals[group[0]], new.name)
            b.set(self.type, self.lost[group[0]], b.add(lost, error).name)
            for which in group:
                b.set(self.type, self.places[which], self.start.name)

    def _joined(self, group: list[int]) -> Vector:
        values = [self._get(self.places[which]) for which in group]
        while len(values) > 1:
            half = -(-len(values) // 2)
            values = [self.combine(values[k], values[k + half]) if k + half < len(values)
                      else values[k] for k in range(half)]
        return values[0]

    def result(self, group: list[int]) -> Vector:
        """The vector of a group of accumulators."""
        x = self._joined(group)
        if not self.carries:
            return x
        b = self.b
        lost = self._get(self.lost[group[0]])
        # Infinity minus infinity: nothing is lost where the total says it all.
        lost = b.where(b.is_nan(lost), b.constant(0, lost), lost)
        return b.add(self._get(self.totals[group[0]]), b.add(x, lost))

    def finished(self, x: Vector) -> Vector:
        """The result of the op from what was combined."""
        b = self.b
        if self.after is not None:
            x = self.after(b, x)
        return b.rounded(x, self.statement.dtype) if self.statement.dtype in HALVES else x


class _Lanes:
    """What both kinds of lanes share."""

    def __init__(self, b: Builder, form: Form):
        self.b, self.form = b, form
        self.rank = len(form.outer)
        self.levels = levels(form)
        self.results = results(form)
        self.slots: dict[tuple[int, str], str] = {}
        self.constants: Values = {}

    # --- numbers of the argument table --------------------------------------------------------

    def number(self, n: Number) -> Whole:
        return self.slots[n.number, "i64"] if isinstance(n, Slot) else n

    def load_slots(self) -> None:
        """Read the whole table first: stores could otherwise change it, for all LLVM knows."""
        form, b = self.form, self.b
        numbers = [*form.outer, *form.inner, form.items, form.unit, form.blocks]
        if form.clip:
            numbers.append(form.clip.total)
        pointers = []
        for _, _, _, s in self.results:
            if isinstance(s, (Load, Store)):
                numbers.extend(s.strides)
                pointers.append(s.buffer)
        for n in numbers:
            if isinstance(n, Slot) and (n.number, "i64") not in self.slots:
                self.slots[n.number, "i64"] = b.slot(n.number, "i64")
        for p in pointers:
            if (p.number, "ptr") not in self.slots:
                self.slots[p.number, "ptr"] = b.slot(p.number, "ptr")
        if form.fault:
            b.fault = b.slot(form.fault.number, "ptr")

    def pointer(self, s: Load | Store) -> str:
        return self.slots[s.buffer.number, "ptr"]

    def raw(self, s: Load | Store) -> str:
        return MEMORY[self.dtype_of(s).name]

    def dtype_of(self, s: Load | Store):
        if isinstance(s, Load):
            return s.dtype
        return next(t.dtype for _, _, n, t in self.results if n == s.operand)

    def moved(self, pointer: str, s: Load | Store, places: list[Whole], axes: range) -> str:
        """A pointer moved along axes to the places given."""
        total: Whole = 0
        for axis, place in zip(axes, places):
            total = self.b.plus(total, self.b.times(place, self.number(s.strides[axis])))
        return self.b.address(pointer, total, self.raw(s))

    # --- statements ---------------------------------------------------------------------------

    def compute(self, s: Compute, operands: list[Vector]) -> Vector:
        b = self.b
        single = [b.retyped(x, float32) if x.dtype in HALVES else x for x in operands]
        found = s.op.lower["emit"](b, *single, **dict(s.settings))
        if found.dtype is s.dtype:
            return found
        if s.dtype in HALVES:
            exact = s.op.name in EXACT
            return b.retyped(found, s.dtype) if exact else b.rounded(found, s.dtype)
        return b.cast(found, s.dtype)

    def write_constants(self) -> None:
        for _, _, number, s in self.results:
            if number >= 0 and self.levels[number] == CONSTANT:
                if isinstance(s, Load):
                    found = memory.load(self.b, self.pointer(s), s.dtype, 0, None)
                else:
                    found = self.compute(s, [self.constants[k] for k in s.operands])
                self.constants[number] = found

    def reductions(self, phase: int, count: int, width: int) -> list[_Reduction]:
        return [_Reduction(self.b, s, number, count, width) for p, inside, number, s in self.results
                if p == phase and inside and isinstance(s, Reduce)]

    def in_phase(self, phase: int, inside: bool, level: int | None = None):
        """Yield (number, statement) of a phase; of a level, if given; stores are of no level."""
        for p, within, number, s in self.results:
            if p == phase and within == inside and (
                    level is None or (number >= 0 and self.levels[number] == level)):
                yield number, s

    def has_pass(self, phase: int) -> bool:
        """Whether the elements of a row must be passed over in a phase."""
        return any(isinstance(s, (Reduce, Store)) for _, s in self.in_phase(phase, True))

    def weight(self, phase: int) -> int:
        """Roughly the instructions for a vector of elements."""
        total = 0
        for number, s in self.in_phase(phase, True):
            if isinstance(s, Compute) and self.levels[number] == ELEMENT:
                total += 12 if s.op.name in HEAVY else 1
        return total

    @contextmanager
    def nested(self, lengths: list[Whole]) -> Iterator[list[Whole]]:
        """Loops inside each other; yields their counters."""
        if not lengths:
            yield []
            return
        with self.b.loop(0, lengths[0]) as place, self.nested(lengths[1:]) as places:
            yield [place, *places]

    def decoded(self, number: Whole, lengths: list[Whole]) -> list[Whole]:
        """The places of a row from its number."""
        places: list[Whole] = []
        for k, length in reversed(list(enumerate(lengths))):
            places.insert(0, self.b.rest(number, length) if k else number)
            number = self.b.quotient(number, length) if k else number
        return places

    def clipped(self, axis: int, places: list[Whole]) -> Whole:
        """The length of an inner axis in a row."""
        b, clip = self.b, self.form.clip
        length = self.number(self.form.inner[axis])
        if clip is None or clip.axis != axis:
            return length
        begin = b.times(places[clip.piece], length)
        return b.smaller(length, b.minus(self.number(clip.total), begin))


class _InnerLanes(_Lanes):
    """Vectors lie along a row."""

    def write(self) -> None:
        b, form = self.b, self.form
        self.load_slots()
        self.write_constants()
        unit = self.number(form.unit)
        start = b.times("%begin", unit)
        stop = b.smaller(b.times("%end", unit), self.number(form.items))
        lengths = [self.number(n) for n in form.outer]
        counters = []
        if self.rank > 1:
            for place in self.decoded(start, lengths):
                counters.append(b.variable("i64"))
                b.set("i64", counters[-1], place)
        with b.loop(start, stop) as row:
            if self.rank > 1:
                places: list[Whole] = [b.get("i64", c) for c in counters]
            else:
                places = [row][:self.rank]
            self.row(places)
            self.count_on(counters, places, lengths)
        b.line("ret void")

    def count_on(self, counters: list[str], places: list[Whole], lengths: list[Whole]) -> None:
        """Move the places on to the next row: the last axis first, as a mileage counter."""
        b = self.b
        carry: Whole = 1
        for k in range(len(counters) - 1, -1, -1):
            moved = b.plus(places[k], carry)
            if k == 0:
                b.set("i64", counters[0], moved)
                break
            full = b.compare("eq", moved, lengths[k])
            b.set("i64", counters[k], b.value(f"select i1 {full}, i64 0, i64 {moved}"))
            carry = b.value(f"zext i1 {full} to i64")

    def row(self, places: list[Whole]) -> None:
        values = dict(self.constants)
        self.pointers = {}
        for k, (_, _, number, s) in enumerate(self.results):
            if isinstance(s, (Load, Store)) and (number < 0 or self.levels[number] != CONSTANT):
                self.pointers[id(s)] = self.moved(
                    self.pointer(s), s, places, range(self.rank))
        self.lengths = [self.clipped(k, places) for k in range(len(self.form.inner))]
        for phase in range(len(self.form.phases)):
            for number, s in self.in_phase(phase, True, ROW):
                self.row_statement(number, s, values)
            if self.has_pass(phase):
                self.pass_over(phase, values)
            for number, s in self.in_phase(phase, False):
                if number < 0 or self.levels[number] != CONSTANT:
                    self.row_statement(number, s, values)

    def row_statement(self, number: int, s: Statement, values: Values) -> None:
        if isinstance(s, Load):
            values[number] = memory.load(self.b, self.pointers[id(s)], s.dtype, 0, None)
        elif isinstance(s, Compute):
            values[number] = self.compute(s, [values[k] for k in s.operands])
        elif isinstance(s, Store):
            memory.store(self.b, values[s.operand], self.pointers[id(s)], 0, None)

    def pass_over(self, phase: int, values: Values) -> None:
        b = self.b
        reductions = {}
        weight = self.weight(phase)
        count = sum(isinstance(s, Reduce) for _, s in self.in_phase(phase, True))
        unroll = (2 if weight >= 12 else 4) if count else (1 if weight >= 12 else 2)
        for r in self.reductions(phase, unroll, b.width):
            reductions[r.number] = r
            r.begin()
        sums = [r for r in reductions.values() if r.carries]
        *outer_lengths, length = self.lengths
        together = [list(range(unroll))]
        pending = b.variable("i64") if sums and outer_lengths else None
        if pending:
            b.set("i64", pending, 0)
        with self.nested(outer_lengths) as places:
            lines = {}
            for number, s in self.in_phase(phase, True):
                if isinstance(s, Store) or (isinstance(s, Load) and self.levels[number] == ELEMENT):
                    lines[id(s)] = self.moved(self.pointers[id(s)], s, places,
                                              range(self.rank, self.rank + len(places)))
            self.line(phase, values, reductions, lines, length, unroll)
            if pending:
                waiting = b.plus(b.get("i64", pending), unroll)
                b.set("i64", pending, waiting)
                with b.when(b.compare("sge", waiting, STRETCH)):
                    for r in sums:
                        r.carry(together)
                    b.set("i64", pending, 0)
        for number, r in reductions.items():
            values[number] = r.finished(b.folded(r.result(together[0]), r.combine))

    def line(self, phase: int, values: Values, reductions: dict[int, _Reduction],
             lines: dict[int, str], length: Whole, unroll: int) -> None:
        b = self.b
        step = unroll * b.width
        rest = b.value(f"and i64 {length}, {step - 1}")
        full = b.minus(length, rest)

        def steps(start: Whole, stop: Whole) -> None:
            with b.loop(start, stop, step) as place:
                for which in range(unroll):
                    at = b.plus(place, which * b.width)
                    self.elements(phase, values, reductions, lines, at, which, None)

        sums = [r for r in reductions.values() if r.carries]
        if sums:
            with b.loop(0, full, STRETCH * step) as begin:
                steps(begin, b.smaller(b.plus(begin, STRETCH * step), full))
                for r in sums:
                    r.carry([list(range(unroll))])
        else:
            steps(0, full)
        with b.loop(full, length, b.width) as place:
            count = b.smaller(b.minus(length, place), b.width)
            b.mask = memory.tail_mask(b, count)
            self.elements(phase, values, reductions, lines, place, 0, count)
            b.mask = None

    def elements(self, phase: int, values: Values, reductions: dict[int, _Reduction],
                 lines: dict[int, str], place: Whole, which: int, count: Whole | None) -> None:
        """Write the statements for one vector of elements."""
        b = self.b
        own = dict(values)
        for number, s in self.in_phase(phase, True):
            if isinstance(s, Reduce):
                reductions[number].take(own[s.operand], which)
            elif isinstance(s, Store) or (
                    isinstance(s, Load) and self.levels[number] == ELEMENT):
                stride = self.number(s.strides[-1])
                at = b.address(lines[id(s)], b.times(place, stride), self.raw(s))
                if isinstance(s, Load):
                    own[number] = memory.load(b, at, s.dtype, stride, count)
                else:
                    memory.store(b, b.widened(own[s.operand], b.width), at, stride, count)
            elif isinstance(s, Compute) and self.levels[number] == ELEMENT:
                own[number] = self.compute(s, [own[k] for k in s.operands])


class _OuterLanes(_Lanes):
    """Vectors lie across rows."""

    def write(self) -> None:
        b, form = self.b, self.form
        self.load_slots()
        self.write_constants()
        unit = self.number(form.unit)
        start = b.times("%begin", unit)
        stop = b.smaller(b.times("%end", unit), self.number(form.items))
        lengths = [self.number(n) for n in form.outer[:-1]]
        columns, blocks = self.number(form.outer[-1]), self.number(form.blocks)
        size = VECTORS * b.width
        with b.loop(start, stop) as item:
            places = self.decoded(b.quotient(item, blocks), lengths)
            begin = b.times(b.rest(item, blocks), size)
            whole = b.compare("sle", b.plus(begin, size), columns)
            with b.when(whole):
                self.columns(places, begin, VECTORS, None)
            with b.when(b.value(f"xor i1 {whole}, true")):
                with b.loop(begin, columns, b.width) as first:
                    count = b.smaller(b.minus(columns, first), b.width)
                    b.mask = memory.tail_mask(b, count)
                    self.columns(places, first, 1, count)
                    b.mask = None
        b.line("ret void")

    def columns(self, places: list[Whole], first: Whole, vectors: int, count: Whole | None) -> None:
        """Write all phases for some vectors of columns side by side."""
        b = self.b
        self.count = count
        self.pointers = {}
        for _, _, number, s in self.results:
            if isinstance(s, (Load, Store)) and (number < 0 or self.levels[number] != CONSTANT):
                start = self.moved(self.pointer(s), s, places, range(self.rank - 1))
                for v in range(vectors):
                    column = b.plus(first, v * b.width)
                    self.pointers[id(s), v] = self.moved(
                        start, s, [column], range(self.rank - 1, self.rank))
        self.lengths = [self.clipped(k, places) for k in range(len(self.form.inner))]
        values = [dict(self.constants) for _ in range(vectors)]
        for phase in range(len(self.form.phases)):
            for number, s in self.in_phase(phase, True, ROW):
                self.statement(number, s, values)
            if self.has_pass(phase):
                self.pass_over(phase, values)
            for number, s in self.in_phase(phase, False):
                if number < 0 or self.levels[number] != CONSTANT:
                    self.statement(number, s, values)

    def statement(self, number: int, s: Statement, values: list[Values],
                  places: list[Whole] | None = None) -> None:
        """Write a statement for each vector; places on the inner axes, if inside a row."""
        b = self.b
        for v, own in enumerate(values):
            if isinstance(s, Compute):
                own[number] = self.compute(s, [own[k] for k in s.operands])
            elif isinstance(s, (Load, Store)):
                at = self.pointers[id(s), v]
                if places is not None:
                    at = self.moved(at, s, places, range(self.rank, self.rank + len(places)))
                stride = self.number(s.strides[self.rank - 1])
                if isinstance(s, Load):
                    own[number] = memory.load(b, at, s.dtype, stride, self.count)
                else:
                    memory.store(b, b.widened(own[s.operand], b.width), at, stride, self.count)

    def pass_over(self, phase: int, values: list[Values]) -> None:
        b = self.b
        reductions = self.reductions(phase, len(values), b.width)
        for r in reductions:
            r.begin()
        sums = [r for r in reductions if r.carries]
        apart = [[v] for v in range(len(values))]
        *outer_lengths, length = self.lengths
        by_number = {r.number: r for r in reductions}

        def steps(start: Whole, stop: Whole, places: list[Whole]) -> None:
            with b.loop(start, stop) as last:
                self.elements(phase, values, by_number, [*places, last])

        pending = b.variable("i64") if sums and outer_lengths else None
        if pending:
            b.set("i64", pending, 0)
        with self.nested(outer_lengths) as places:
            if not sums:
                steps(0, length, places)
                continue_ = None
            else:
                continue_ = True
            if continue_:
                with b.loop(0, length, STRETCH) as begin:
                    end = b.smaller(b.plus(begin, STRETCH), length)
                    steps(begin, end, places)
                    if pending is None:
                        for r in sums:
                            r.carry(apart)
                    else:
                        waiting = b.plus(b.get("i64", pending), b.minus(end, begin))
                        b.set("i64", pending, waiting)
                        with b.when(b.compare("sge", waiting, STRETCH)):
                            for r in sums:
                                r.carry(apart)
                            b.set("i64", pending, 0)
        for r in reductions:
            for v, own in enumerate(values):
                own[r.number] = r.finished(r.result([v]))

    def elements(self, phase: int, values: list[Values], reductions: dict[int, _Reduction],
                 places: list[Whole]) -> None:
        """Write the statements for one element of each row."""
        own = [dict(v) for v in values]
        for number, s in self.in_phase(phase, True):
            if isinstance(s, Reduce):
                for v, found in enumerate(own):
                    reductions[number].take(found[s.operand], v)
            elif number < 0 or self.levels[number] == ELEMENT:
                self.statement(number, s, own, places)
