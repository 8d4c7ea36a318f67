"""What the text of a loop is made of, whichever way its vectors lie."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..dtypes import dtype as DType
from ..dtypes import float32
from ..kernel import Compute, Reduce
from . import memory
from .builder import Builder
from .elements import HALVES, MEMORY, Vector
from .kernel_text import Whole
from .loop_form import (
    CONSTANT,
    ELEMENT,
    Form,
    Line,
    Number,
    Read,
    Slot,
    Write,
    levels,
    lines_of,
)

# Ops that only choose or copy: their results need no rounding to a half type.
EXACT = ("copy", "overwrite", "where", "maximum", "minimum", "neg", "abs", "relu", "clamp",
         "clamp_low", "clamp_high", "sign", "floor", "ceil", "trunc", "round")

Values = dict[int, Vector]


class Lanes:
    """Slots, addresses and single statements."""

    def __init__(self, b: Builder, form: Form):
        self.b, self.f, self.form = b, b.f, form
        self.rank = len(form.outer)
        self.levels = levels(form)
        self.lines = lines_of(form)
        self.dtypes: dict[int, DType] = {
            line.number: line.statement.dtype for line in self.lines
            if not isinstance(line.statement, Write)}
        self.slots: dict[int, str] = {}
        self.constants: Values = {}

    # --- numbers of the argument table --------------------------------------------------------

    def number(self, n: Number) -> Whole:
        return self.slots[n.number] if isinstance(n, Slot) else n

    def load_slots(self) -> None:
        """Read the whole table first: stores could otherwise change it, for all LLVM knows."""
        form = self.form
        numbers: list[Number | None] = [
            *form.outer, *form.inner, form.items, form.unit, form.blocks,
            form.clip and form.clip.total]
        pointers = [form.fault]
        for line in self.lines:
            if isinstance(line.statement, (Read, Write)):
                numbers.extend(line.statement.strides)
                pointers.append(line.statement.address)
        for kind, wanted in (("i64", numbers), ("ptr", pointers)):
            for n in wanted:
                if isinstance(n, Slot) and n.number not in self.slots:
                    self.slots[n.number] = self.f.slot(n.number, kind)
        self.b.fault = form.fault and self.slots[form.fault.number]

    def bounds(self) -> tuple[Whole, Whole]:
        """The items that jobs begin..end have."""
        f, unit = self.f, self.number(self.form.unit)
        return (f.multiply("%begin", unit),
                f.minimum(f.multiply("%end", unit), self.number(self.form.items)))

    def start(self, s: Read | Write) -> str:
        """The address of a statement's first element."""
        return self.slots[s.address.number]

    def moved(self, pointer: str, s: Read | Write, places: Sequence[Whole], axes: range) -> str:
        """A pointer moved along axes to the places given."""
        total: Whole = 0
        for axis, place in zip(axes, places):
            total = self.f.add(total, self.f.multiply(place, self.number(s.strides[axis])))
        return self.f.at(pointer, total, self.raw(s))

    def raw(self, s: Read | Write) -> str:
        """LLVM's name of the elements in memory."""
        return MEMORY[(self.dtypes[s.operand] if isinstance(s, Write) else s.dtype).name]

    # --- statements ---------------------------------------------------------------------------

    def moving(self) -> Iterator[tuple[int, Read | Write]]:
        """Yield (place, statement) of what reads or writes a place that is not always the same."""
        for line in self.lines:
            s = line.statement
            if isinstance(s, Write) or (
                    isinstance(s, Read) and self.levels[line.number] != CONSTANT):
                yield line.place, s

    def compute(self, s: Compute, values: Values) -> Vector:
        b = self.b
        operands = [values[k] for k in s.operands]
        single = [b.retyped(x, float32) if x.dtype in HALVES else x for x in operands]
        found = s.op.lower["emit"](b, *single, **dict(s.settings))
        if found.dtype is s.dtype:
            return found
        if s.dtype in HALVES:
            exact = s.op.name in EXACT
            return b.retyped(found, s.dtype) if exact else b.rounded(found, s.dtype)
        return b.cast(found, s.dtype)

    def write_constants(self) -> None:
        for line in self.lines:
            s = line.statement
            if line.number >= 0 and self.levels[line.number] == CONSTANT:
                if isinstance(s, Read):
                    found = memory.load(self.b, self.start(s), s.dtype, 0, None)
                elif isinstance(s, Compute):
                    found = self.compute(s, self.constants)
                self.constants[line.number] = found

    def in_phase(self, phase: int, inside: bool, level: int | None = None) -> Iterator[Line]:
        """Yield the lines of a phase; of a level, if given; what writes is of no level."""
        for line in self.lines:
            if line.phase == phase and line.inside == inside and (
                    level is None or self.levels.get(line.number) == level):
                yield line

    def has_pass(self, phase: int) -> bool:
        """Whether the elements of a row must be passed over in a phase."""
        return any(isinstance(line.statement, (Reduce, Write))
                   for line in self.in_phase(phase, True))

    def afterwards(self, phase: int) -> Iterator[Line]:
        """Yield what is done once a row after the pass of a phase."""
        for line in self.in_phase(phase, False):
            if self.levels.get(line.number) != CONSTANT:
                yield line

    def is_element(self, line: Line) -> bool:
        """Whether something is done for each element, reductions apart."""
        return isinstance(line.statement, Write) or self.levels[line.number] == ELEMENT

    @contextmanager
    def nested(self, lengths: Sequence[Whole]) -> Iterator[list[Whole]]:
        """Loops inside each other; yields their counters."""
        if not lengths:
            yield []
            return
        with self.b.loop(0, lengths[0]) as place, self.nested(lengths[1:]) as places:
            yield [place, *places]

    def decoded(self, number: Whole, lengths: Sequence[Whole]) -> list[Whole]:
        """The places of a row from its number."""
        places: list[Whole] = []
        for k, length in reversed(list(enumerate(lengths))):
            places.insert(0, self.f.remainder(number, length) if k else number)
            number = self.f.divide(number, length) if k else number
        return places

    def clipped(self, axis: int, places: Sequence[Whole]) -> Whole:
        """The length of an inner axis in a row."""
        clip = self.form.clip
        length = self.number(self.form.inner[axis])
        if clip is None or clip.axis != axis:
            return length
        begin = self.f.multiply(places[clip.piece], length)
        return self.f.minimum(length, self.f.subtract(self.number(clip.total), begin))

    @contextmanager
    def tail(self, count: Whole) -> Iterator[None]:
        """Inside, only the first `count` elements of a vector exist."""
        self.b.mask = memory.tail_mask(self.b, count)
        yield
        self.b.mask = None
