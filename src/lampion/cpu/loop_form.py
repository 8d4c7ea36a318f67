"""What the text of a loop depends on: everything but its sizes and its places in memory.

Lengths, strides other than 0 and 1, and addresses come at run time, in slots of the argument
table; the form holds their slot numbers. Loops that differ in sizes alone share one kernel: its
key is the form's `repr`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import NamedTuple

from .. import kernel
from ..dtypes import dtype as DType
from ..kernel import HEAVY, Compute, Reduce
from . import steps
from .nest import Nest

DIVISIONS = ("floor_divide", "trunc_divide", "remainder", "fmod")
JOB = 16384  # elements in a job, where rows are short


class Slot(NamedTuple):
    """A number or an address that is known at run time only."""

    number: int


Number = int | Slot


class Read(NamedTuple):
    """As kernel.Load; the address in the slot includes the offset."""

    address: Slot
    dtype: DType
    strides: tuple[Number, ...]


class Write(NamedTuple):
    """As kernel.Store; the address in the slot includes the offset."""

    address: Slot
    operand: int
    strides: tuple[Number, ...]


Statement = Read | Compute | Reduce | Write


class Phase(NamedTuple):
    """As kernel.Phase."""

    inner: tuple[Statement, ...]
    after: tuple[Statement, ...]


class FormClip(NamedTuple):
    """As nest.Clip; the total comes at run time."""

    piece: int
    axis: int
    total: Slot


class Form(NamedTuple):
    """A nest without sizes.

    Attributes:
        vectors: how many vectors of columns make a block (outer lanes), 0 for inner lanes.
        items: how many rows, or blocks of columns, there are.
        unit: how many of them make a job.
        blocks: how many blocks of columns a line of rows has (outer lanes only).
        fault: the slot of the place where faults are noted.
    """

    vectors: int
    outer: tuple[Slot, ...]
    inner: tuple[Slot, ...]
    clip: FormClip | None
    phases: tuple[Phase, ...]
    items: Slot
    unit: Slot
    blocks: Slot | None
    fault: Slot | None


def can_fault(statement: kernel.Statement) -> bool:
    """Whether a statement divides whole numbers, which may be zero."""
    return isinstance(statement, Compute) and statement.op.name in DIVISIONS and (
        not statement.dtype.is_floating_point)


def weight(statements: Iterable[Statement | kernel.Statement]) -> int:
    """Roughly the instructions that the arithmetic on a vector takes."""
    return sum(12 if s.op.name in HEAVY else 1 for s in statements if isinstance(s, Compute))


def form_of(nest: Nest, lanes: int) -> tuple[Form, tuple[steps.Slot, ...], int]:
    """Return the form of a nest, what its slots hold, and the number of jobs.

    Args:
        lanes: elements of a vector.
    """
    loop, slots = nest.loop, _Slots()
    rank = len(loop.outer)

    def settled(s: kernel.Statement) -> Statement:
        if not isinstance(s, (kernel.Load, kernel.Store)):
            return s
        where = nest.places.get(s.buffer, steps.Place(s.buffer))
        itemsize = loop.buffers[s.buffer].dtype.array.itemsize
        place = slots.of(where._replace(offset=where.offset + s.offset * itemsize))
        strides = tuple(slots.stride(stride, axis) for axis, stride in enumerate(s.strides))
        if isinstance(s, kernel.Load):
            return Read(place, s.dtype, strides)
        return Write(place, s.operand, strides)

    phases = tuple(Phase(tuple(map(settled, p.inner)), tuple(map(settled, p.after)))
                   for p in loop.phases)
    vectors = _vectors(loop) if nest.lanes_outer else 0
    columns = vectors * lanes
    blocks = -(-loop.outer[-1] // columns) if columns else 1
    items = blocks
    for length in loop.outer[:rank - nest.lanes_outer]:
        items *= length
    unit = max(1, JOB // (max(loop.width, 1) * max(columns, 1)))
    clip = nest.clip and FormClip(nest.clip.piece, nest.clip.axis,
                                  slots.of(nest.clip.total, "total"))
    faults = any(can_fault(s) for _, _, s in loop.statements())
    form = Form(
        vectors,
        tuple(slots.of(n, ("outer", k)) for k, n in enumerate(loop.outer)),
        tuple(slots.of(n, ("inner", k)) for k, n in enumerate(loop.inner)),
        clip, phases, slots.of(items, "items"), slots.of(unit, "unit"),
        slots.of(blocks, "blocks") if columns else None,
        slots.of(steps.Place(steps.FAULT)) if faults else None)
    return form, tuple(slots.contents), -(-items // unit)


def _vectors(loop: kernel.Loop) -> int:
    """Vectors of columns side by side: several hide the time that an addition takes."""
    heaviest = max(weight(p.inner) for p in loop.phases)
    return 4 if heaviest <= 2 else 2 if heaviest <= 6 else 1


class Line(NamedTuple):
    """A statement and its place.

    Attributes:
        place: its place among all statements.
        number: of its result, -1 for a Write.
        inside: whether it belongs to the pass over the row.
    """

    place: int
    phase: int
    inside: bool
    number: int
    statement: Statement


def lines_of(form: Form) -> list[Line]:
    """Return all statements in order."""
    found: list[Line] = []
    number = 0
    for phase, content in enumerate(form.phases):
        for inside, statements in ((True, content.inner), (False, content.after)):
            for s in statements:
                writes = isinstance(s, Write)
                found.append(Line(len(found), phase, inside, -1 if writes else number, s))
                number += not writes
    return found


CONSTANT, ROW, ELEMENT = 0, 1, 2


def levels(form: Form) -> dict[int, int]:
    """Return for each result whether it is CONSTANT, one for each ROW or for each ELEMENT."""
    found: dict[int, int] = {}
    rank = len(form.outer)
    lines = lines_of(form)
    # What is read back in a later phase is no constant, even if all axes have length 1.
    written = {line.statement.address for line in lines if isinstance(line.statement, Write)}
    for line in lines:
        s = line.statement
        if isinstance(s, Read):
            if line.inside and any(stride != 0 for stride in s.strides[rank:]):
                found[line.number] = ELEMENT
            else:
                moves = s.address in written or any(stride != 0 for stride in s.strides)
                found[line.number] = ROW if moves else CONSTANT
        elif isinstance(s, Compute):
            found[line.number] = max((found[k] for k in s.operands), default=CONSTANT)
        elif isinstance(s, Reduce):
            found[line.number] = ROW
    return found


class _Slots:
    """Gives out slots; the same content for the same purpose shares one."""

    def __init__(self) -> None:
        self.contents: list[steps.Slot] = []
        self._known: dict[Hashable, Slot] = {}

    def of(self, content: int | steps.Place, purpose: Hashable = None) -> Slot:
        key = content, purpose
        if key not in self._known:
            self._known[key] = Slot(len(self.contents))
            self.contents.append(content)
        return self._known[key]

    def stride(self, stride: int, axis: int) -> Number:
        return stride if stride in (0, 1) else self.of(stride, ("stride", axis))
