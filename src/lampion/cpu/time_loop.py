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
        offsets: where the body's intermediate results lie in the scratch memory.
        spare: where a state that has no history lies after even and odd steps.
        scratch: where the scratch memory of single calls begins.
    """

    def __init__(self, setup: Scan, operands: Sequence[Operand], graph: Graph,
                 parameters: list[Value], program: Planned):
        self.setup, self.operands, self.steps = setup, operands, program.steps
        self.itemsize = setup.body.result_types[0].dtype.array.itemsize
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
        order = range(setup.length)
        for number, t in enumerate(reversed(order) if setup.reverse else order):
            for step in self.steps:
                assert isinstance(step, Native)
                for part in step.plan.steps:
                    slots = tuple(self._slot(step, slot, number, t) for slot in part.slots)
                    parts.append(Part(part.kernel, part.jobs, slots))
        most = max((s.plan.scratch_bytes for s in self.steps if isinstance(s, Native)), default=0)
        return Plan(tuple(parts), self.scratch + most)

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

    def _slot(self, step: Native, slot: AnySlot, number: int, t: int) -> AnySlot:
        """Return a slot of the body's program in step `number`, which is at time `t`."""
        if not isinstance(slot, Slot):
            return slot
        if slot.where < 0:
            return slot._replace(offset=slot.offset + self.scratch) if (
                slot.where == SCRATCH) else slot
        place = step.places[slot.where]
        if place.external is None:
            return Slot(SCRATCH, self.offsets[id(place)] + slot.offset)
        found = self._outside(place.external, number, t)
        return found._replace(offset=found.offset + slot.offset) if (
            isinstance(found, Slot)) else found

    def _outside(self, external: int, number: int, t: int) -> Slot | Table:
        """Return where an input or a result of the body lies."""
        states, count = self.setup.states, len(self.parameter_of)
        if external >= count:
            result = external - count
            if result < states:
                return self._row(result, number)
            window = self.setup.output(result - states)
            return self._result(window.start + t * math.prod(window.shape[1:]))
        parameter = self.parameter_of[external]
        if isinstance(parameter, Table):
            return parameter
        if parameter < states:
            return self._row(parameter, number - 1) if number else self._operand(parameter)
        row = t if parameter < states + self.setup.steps else 0
        return self._operand(parameter, row)

    def _operand(self, parameter: int, row: int = 0) -> Slot:
        kind = self.setup.body.parameters[parameter]
        begin = self.operands[parameter].offset + row * math.prod(kind.shape)
        return Slot(parameter, begin * kind.dtype.array.itemsize)

    def _result(self, element: int) -> Slot:
        return Slot(len(self.operands), element * self.itemsize)

    def _row(self, state: int, number: int) -> Slot:
        """Return where a state lies after step `number` (-1: before the first)."""
        setup = self.setup
        if setup.kept[state]:
            row = setup.length - 1 - number if setup.reverse else number + 1
            return self._result(setup.rows(state, row, 1).start)
        if number == setup.length - 1:
            return self._result(setup.last(state).start)
        return Slot(SCRATCH, self.spare[state][number % 2])
