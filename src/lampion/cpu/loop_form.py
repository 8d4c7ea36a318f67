"""What the text of a loop depends on: everything but its sizes and its places in memory.

Lengths, strides other than 0 and 1, and addresses come at run time, in slots of the argument
table; the form holds their slot numbers. Loops that differ in sizes alone share one kernel: its
key is the form's `repr`.
"""

from __future__ import annotations

from typing import NamedTuple

from ..kernel import Compute, Load, Phase, Reduce, Statement, Store
from . import steps
from .nest import Nest, mapped

DIVISIONS = ("floor_divide", "trunc_divide", "remainder", "fmod")
JOB = 16384  # elements in a job, where rows are short


class Slot(NamedTuple):
    """A whole number that is known at run time only."""

    number: int


Number = int | Slot


class FormClip(NamedTuple):
    """As nest.Clip; the total comes at run time."""

    piece: int
    axis: int
    total: Number


class Form(NamedTuple):
    """A nest without sizes.

    Loads and stores are `kernel.Load` and `kernel.Store`; `buffer` is the slot of an address that
    includes the offset, and strides are Numbers.

    Attributes:
        items: how many rows, or blocks of columns, there are.
        unit: how many of them make a job.
        blocks: how many blocks of columns a line of rows has (outer lanes only).
        fault: the slot of the place where faults are noted.
    """

    lanes_outer: bool
    outer: tuple[Number, ...]
    inner: tuple[Number, ...]
    clip: FormClip | None
    phases: tuple[Phase, ...]
    items: Number
    unit: Number
    blocks: Number
    fault: Number


def can_fault(statement: Statement) -> bool:
    """Whether a statement divides whole numbers, which may be zero."""
    return isinstance(statement, Compute) and statement.op.name in DIVISIONS and (
        not statement.dtype.is_floating_point)


def form_of(nest: Nest, columns: int) -> tuple[Form, tuple[steps.Slot, ...], int]:
    """Return the form of a nest, what its slots hold, and the number of jobs.

    Args:
        columns: how many rows a block of columns has, for outer lanes.
    """
    loop, slots = nest.loop, _Slots()
    rank = len(loop.outer)

    def settled(s: Statement) -> Statement:
        if not isinstance(s, (Load, Store)):
            return s
        itemsize = loop.buffers[s.buffer].dtype.array.itemsize
        place = slots.of(steps.Place(s.buffer, s.offset * itemsize))
        strides = tuple(slots.stride(stride, axis) for axis, stride in enumerate(s.strides))
        return s._replace(buffer=place, offset=0, strides=strides)

    phases = mapped(loop, settled)
    blocks = -(-loop.outer[-1] // columns) if nest.lanes_outer else 1
    items = blocks
    for length in loop.outer[:rank - nest.lanes_outer]:
        items *= length
    per_item = max(loop.width, 1) * (columns if nest.lanes_outer else 1)
    unit = max(1, JOB // per_item)
    clip = nest.clip and FormClip(nest.clip.piece, nest.clip.axis,
                                  slots.of(nest.clip.total, "total"))
    faults = any(can_fault(s) for _, _, s in loop.statements())
    form = Form(
        nest.lanes_outer,
        tuple(slots.of(n, ("outer", k)) for k, n in enumerate(loop.outer)),
        tuple(slots.of(n, ("inner", k)) for k, n in enumerate(loop.inner)),
        clip, phases, slots.of(items, "items"), slots.of(unit, "unit"),
        slots.of(blocks, "blocks") if nest.lanes_outer else 1,
        slots.of(steps.Place(steps.FAULT)) if faults else 0)
    return form, tuple(slots.contents), -(-items // unit)


def results(form: Form) -> list[tuple[int, bool, int, Statement]]:
    """Return (phase, inside the pass, number of the result or -1, statement), in order."""
    found, number = [], 0
    for phase, content in enumerate(form.phases):
        for inside, statements in ((True, content.inner), (False, content.after)):
            for s in statements:
                found.append((phase, inside, -1 if isinstance(s, Store) else number, s))
                number += not isinstance(s, Store)
    return found


CONSTANT, ROW, ELEMENT = 0, 1, 2


def levels(form: Form) -> dict[int, int]:
    """Return for each result whether it is CONSTANT, one for each ROW or for each ELEMENT."""
    found: dict[int, int] = {}
    rank = len(form.outer)
    for _, inside, number, s in results(form):
        if isinstance(s, Load):
            if any(stride != 0 for stride in s.strides[rank:]) and inside:
                found[number] = ELEMENT
            else:
                found[number] = ROW if any(stride != 0 for stride in s.strides) else CONSTANT
        elif isinstance(s, Compute):
            found[number] = max((found[k] for k in s.operands), default=CONSTANT)
        elif isinstance(s, Reduce):
            found[number] = ROW
    return found


class _Slots:
    """Gives out slots; the same content for the same purpose shares one."""

    def __init__(self):
        self.contents: list[steps.Slot] = []
        self._known: dict = {}

    def of(self, content: steps.Slot, purpose: object = None) -> Slot:
        key = content, purpose
        if key not in self._known:
            self._known[key] = Slot(len(self.contents))
            self.contents.append(content)
        return self._known[key]

    def stride(self, stride: int, axis: int) -> Number:
        return stride if stride in (0, 1) else self.of(stride, ("stride", axis))
