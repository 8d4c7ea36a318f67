"""Loops over time as native calls: the body's program once for every step.

The body of a scan is planned like any graph, once. Its calls are then written down for each step
with the addresses of that step: states are read and written where the history of the scan lies,
rows of inputs and outputs where they are stacked. Nothing is copied from step to step, and no
Python runs between steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Protocol

from .. import strides
from ..ir import Graph, Type, Value
from ..kernel import Load, Loop, Phase, Store
from ..ops.scan_layout import Scan
from . import arena, native
from .places import Native, Place, Step, places_of
from .steps import SCRATCH, Operand, Plan, Table
from .steps import Place as Slot
from .steps import Slot as AnySlot
from .steps import Step as Part
from .tables import table_of

# The number of a slot, its addresses by step, and an offset in bytes from there.
Moving = tuple[int, list[Slot], int]


class Planned(Protocol):
    """What is known of a body's program (see `program.Planned`)."""

    steps: list[Step]
    inputs: list[Place]
    outputs: list[Place]


def plan_scan(value: Value, operands: Sequence[Operand],
              planned: Callable[[Graph], Planned]) -> Plan | None:
    """Return how to run a scan; None for what it does not know: the program then asks again with
    operands in order, and at last computes the scan by its meaning.

    Args:
        value: the scan.
        operands: where its inputs lie.
        planned: plans a graph.
    """
    setup = Scan(**value.settings)
    if not setup.length or not setup.size or any(
            x.strides != strides.contiguous(x.shape) or 0 in x.shape for x in operands):
        return None
    parameters = [Value(None, (), {}, *kind) for kind in setup.body.parameters]
    unfolded = setup.body.unfold(parameters)
    graph = Graph([unfolded[place] for place in setup.body.results])
    program = planned(graph)
    if not all(isinstance(step, Native) for step in program.steps):
        return None
    return _Writing(setup, operands, graph, parameters, program).plan()


class _Writing:
    """The calls of a scan while they are written.

    Attributes:
        parameter_of: for each input of the body's program its parameter's number, or a table that
            holds its number.
        addresses: where inputs and results of the body lie at each step.
        offsets: where the body's intermediate results lie in the scratch memory.
        spare: where a state that has no history lies after even and odd steps.
        scratch: where the scratch memory of single calls begins.
    """

    def __init__(self, setup: Scan, operands: Sequence[Operand], graph: Graph,
                 parameters: list[Value], program: Planned):
        self.setup, self.operands, self.steps = setup, operands, program.steps
        self.itemsize = setup.body.result_types[0].dtype.array.itemsize
        self.parts = setup.parts
        self.addresses: dict[int, list[Slot] | Table] = {}
        numbers = {v.order: k for k, v in enumerate(parameters)}
        self.parameter_of: list[int | Table] = [
            numbers[v.order] if v.order in numbers else table_of(v.data) for v in graph.inputs]
        inside = {id(place): place for step in program.steps for place in places_of(step)
                  if place.external is None}
        offsets, size = arena.plan([arena.Life(p.size, p.first, p.last) for p in inside.values()])
        self.offsets = dict(zip(inside, offsets, strict=True))
        self.spare: dict[int, tuple[int, int]] = {}
        for k, kept in enumerate(setup.kept):
            if not kept:
                room = arena.rounded(math.prod(setup.body.parameters[k].shape) * self.itemsize)
                self.spare[k] = (arena.rounded(size), arena.rounded(size) + room)
                size = arena.rounded(size) + 2 * room
        self.scratch = arena.rounded(size)

    def plan(self) -> Plan:
        """Return the calls of all steps."""
        setup, parts = self.setup, []
        for k, kept in enumerate(setup.kept):
            if kept:
                parts += self._copy(setup.body.parameters[k], k)
        native_steps = [step for step in self.steps if isinstance(step, Native)]
        forms = [self._form(step, part) for step in native_steps for part in step.plan.steps]
        for number in range(setup.length):
            for part, slots, moving in forms:
                for k, addresses, offset in moving:
                    found = addresses[number]
                    slots[k] = found._replace(offset=found.offset + offset) if offset else found
                parts.append(Part(part.kernel, part.jobs, tuple(slots)))
        most = max((step.plan.scratch_bytes for step in native_steps), default=0)
        return Plan(tuple(parts), self.scratch + most)

    def _form(self, step: Native, part: Part) -> tuple[Part, list[AnySlot], list[Moving]]:
        """Return a call with the slots that stay, and those that move from step to step."""
        slots: list[AnySlot] = []
        moving: list[Moving] = []
        for k, slot in enumerate(part.slots):
            if isinstance(slot, Slot) and slot.where == SCRATCH:
                slot = slot._replace(offset=slot.offset + self.scratch)
            elif isinstance(slot, Slot) and slot.where >= 0:
                place = step.places[slot.where]
                if place.external is None:
                    slot = Slot(SCRATCH, self.offsets[id(place)] + slot.offset)
                elif isinstance(found := self._outside(place.external), Table):
                    slot = found
                else:
                    moving.append((k, found, slot.offset))
            slots.append(slot)
        return part, slots, moving

    def _copy(self, kind: Type, state: int) -> list[Part]:
        """Copy an initial state to the beginning of its history."""
        own = strides.contiguous(kind.shape)
        loop = Loop((), kind.shape, (Phase((Load(0, kind.dtype, 0, own), Store(1, 0, 0, own))),),
                    (kind, kind), 1)
        copy = native.plan_loop(loop)
        assert copy is not None
        ends = (self._operand(state), self._row(state, -1))
        return [Part(part.kernel, part.jobs, tuple(
            slot if not isinstance(slot, Slot) or slot.where < 0
            else ends[slot.where]._replace(offset=ends[slot.where].offset + slot.offset)
            for slot in part.slots)) for part in copy.steps]

    # --- addresses -------------------------------------------------------------------------

    def _outside(self, external: int) -> list[Slot] | Table:
        """Return where an input or a result of the body lies, by number of the step."""
        if external not in self.addresses:
            self.addresses[external] = self._addresses(external)
        return self.addresses[external]

    def _addresses(self, external: int) -> list[Slot] | Table:
        setup, count = self.setup, len(self.parameter_of)
        steps = range(setup.length)
        times = reversed(steps) if setup.reverse else steps
        if external >= count:
            result = external - count
            if result < setup.states:
                return [self._row(result, number) for number in steps]
            start, (_, *shape) = setup.output(result - setup.states)
            return [self._result(start + t * math.prod(shape)) for t in times]
        parameter = self.parameter_of[external]
        if isinstance(parameter, Table):
            return parameter
        if parameter < setup.states:
            return [self._operand(parameter), *(self._row(parameter, n) for n in steps[:-1])]
        stacked = parameter < setup.states + setup.steps
        return [self._operand(parameter, t if stacked else 0) for t in times]

    def _operand(self, parameter: int, row: int = 0) -> Slot:
        kind = self.setup.body.parameters[parameter]
        begin = self.operands[parameter].offset + row * math.prod(kind.shape)
        return Slot(parameter, begin * kind.dtype.array.itemsize)

    def _result(self, element: int) -> Slot:
        return Slot(len(self.operands), element * self.itemsize)

    def _row(self, state: int, number: int) -> Slot:
        """Return where a state lies after step `number` (-1: before the first)."""
        length = self.setup.length
        start, shape = self.parts[state]
        if self.setup.kept[state]:
            row = length - 1 - number if self.setup.reverse else number + 1
            return self._result(start + row * math.prod(shape[1:]))
        if number == length - 1:
            return self._result(start)
        return Slot(SCRATCH, self.spare[state][number % 2])
